"""Two ways of cleaning as what a model learns from: held-out loss at equal tokens, seed by seed.

python -m tests.benchmarks.texts dump --docs FOLDER --to before.json     # with the code of one commit
python -m tests.benchmarks.texts dump --docs FOLDER --to after.json      # and with that of another
python -m tests.benchmarks.texts compare before.json after.json [--tokens 100000] [--seeds 3]

Documents that one of them drops are left out. The held-out documents are the same for both, and so is what
is predicted of them: the same masked tokens in both texts of each document, half and half.
"""

import argparse
import hashlib
import json
import logging
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from datasets import Dataset, DatasetDict, concatenate_datasets

from tasks.filter_markdown.judging import RawDocument, judge_batch
from tasks.filter_markdown.settings import FilterSettings
from tasks.models.settings import ScratchSettings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.windows import tokenize_split

Texts = dict[str, dict[str, Any]]
"""By path, `text` and `code_spans`."""
HELD_OUT = 0.1
"""Share of the documents that is held out."""
WINDOWS = 100
"""Held-out windows of each text that are evaluated."""


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    dumping = verbs.add_parser("dump")
    dumping.add_argument("--docs", type=Path, required=True)
    dumping.add_argument("--to", type=Path, required=True)
    comparing = verbs.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--model", default="minilm", help="minilm, base, or a folder")
    comparing.add_argument("--tokens", type=float, default=100_000)
    comparing.add_argument("--batch", type=int, default=16)
    comparing.add_argument("--learning-rate", type=float, default=3e-4)
    comparing.add_argument("--max-seq-length", type=int, default=128)
    comparing.add_argument("--seeds", type=int, default=3)
    comparing.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.verb == "dump":
        options.to.write_text(json.dumps(dump(options.docs)))
    else:
        compare(options)


def dump(docs: Path) -> Texts:
    """The cleaned documents below a folder, as the code that runs cleans them."""
    found: Texts = {}
    for path in sorted(docs.rglob("*.md")):
        name = str(path.relative_to(docs))
        document = RawDocument(path=name, blob_sha=name, content=path.read_bytes())
        (judged,) = judge_batch([document], FilterSettings())
        if judged.reason is None:
            spans = [{"start": start, "end": end} for start, end in judged.cleaned.code_spans]
            found[name] = {"text": judged.cleaned.text, "code_spans": spans}
    return found


def compare(options: argparse.Namespace) -> None:
    """Train on each, in turns, and write `texts.md`."""
    # Only here: another commit's code has the first verb alone.
    from tests.benchmarks.models import weights
    from tests.benchmarks.objectives import Beginning, run
    from tests.benchmarks.report import where

    logging.disable(logging.WARNING)
    options.equal = "tokens"
    texts: dict[str, Texts] = {
        "before": json.loads(options.before.read_text()), "after": json.loads(options.after.read_text()),
    }  # fmt: skip
    both = sorted(texts["before"].keys() & texts["after"].keys())
    held = [name for name in both if is_held_out(name)]
    location, sizes, tokenizer = weights(options.model)
    begin = Beginning(location=location, scratch=ScratchSettings(**sizes) if sizes else None)
    results: dict[str, list[float]] = {way: [] for way in texts}
    counts: dict[str, int] = {"documents": len(both), "held_out_documents": len(held)}
    with tempfile.TemporaryDirectory() as scratch:
        cut = TokenizeSettings(max_seq_length=options.max_seq_length)

        def windows(way: str, names: list[str], split: str) -> Dataset:
            rows = Dataset.from_list([texts[way][name] for name in names])
            table, tokens = tokenize_split(rows, tokenizer, cut, split)
            counts[f"{way}_{split}_tokens"] = tokens
            return table.dataset(f"texts-{way}-{split}")

        evaluated = concatenate_datasets([some(windows(way, held, "eval")) for way in texts])
        for way in texts:
            train = windows(way, [name for name in both if name not in set(held)], "train")
            DatasetDict({"train": train, "eval": evaluated}).save_to_disk(f"{scratch}/{way}/windows")
            tokenizer.save_pretrained(f"{scratch}/{way}/tokenizer")
        for seed in range(options.seeds):
            for way in texts:
                figures = run(Path(scratch) / way, options, begin, {}, seed)
                results[way].append(figures["loss"])
                print(f"seed {seed}, {way}: {json.dumps(figures)}", flush=True)
    counted = {"docs": options.after, "train_documents": len(both) - len(held)}
    counted |= {"train_tokens": counts["after_train_tokens"], "kind": "tokens", "rounds": options.seeds}
    about = where(vars(options) | counted)
    paired = [after - before for before, after in zip(*results.values(), strict=True)]
    deviation = stdev(paired) if len(paired) > 1 else 0.0
    lines = [
        "# Two ways of cleaning, at equal tokens",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
        *(f"- {name}: {value:,}" for name, value in counts.items()),
        "",
        "Held-out loss in nats a masked token, of the same masks in both texts of the same documents.",
        "",
        "| text | loss | each seed |",
        "|---|---:|---|",
        *(
            f"| {way} | {mean(losses):.4f} | {', '.join(f'{loss:.4f}' for loss in losses)} |"
            for way, losses in results.items()
        ),
        "",
        f"After less before, seed by seed: {mean(paired):+.4f}, ± {deviation:.4f}.",
    ]
    (options.out / "texts.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines[-6:]))


def some(windows: Dataset) -> Dataset:
    """`WINDOWS` of them at most, evenly over the documents."""
    every = max(1, -(-len(windows) // WINDOWS))
    return windows.select(range(0, len(windows), every)).flatten_indices()


def is_held_out(name: str) -> bool:
    """Whether a document is held out: by its path, whatever its text has become."""
    return hashlib.sha256(name.encode()).digest()[0] < HELD_OUT * 256


if __name__ == "__main__":
    main()
