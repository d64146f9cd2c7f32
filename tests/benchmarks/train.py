"""docs-mlm's training engine beside the stock recipes, and its preparation beside `datasets.map`.

python -m tests.benchmarks.train KIND [--docs FOLDER] [--model MODEL] …

- `speed`: identical windows for all arms, tokens/s and peak memory.
- `quality`: held-out loss after the same seconds of training; every arm's learning rate ends with them. The
  stock recipes take the best of three peaks, and bf16 where that is faster.
- `lent`: the same with our schedule and precision given to the stock recipes too.
- `tokens`: held-out loss after the same tokens, with the same schedule: is the faster way as good?
- `defaults`: held-out loss after the same seconds, with other settings than ours: are the defaults right?
- `ablation`: what each piece of the engine gives.
- `prepare`: documents/s from raw Markdown to windows of tokens.

All arms have the same frozen corpus, split, initial weights and machine, and take turns, round by round. The
held-out loss is measured on the same masks for all, with the clock stopped; that before the first step shows
a head that starts from frequencies. `--model trained` begins from a head that is trained (`make bench-base`).
Small by default: `quality --seconds 470 --docs …` says more. On a GPU: `speed --model base --max-seq-length
512 --batch 64 --steps 60`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from datasets.utils.logging import disable_progress_bar as disable_progress_bars
from transformers import AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from tasks.clone_docs.demo_docs import make_demo_docs
from tasks.train_model.machines import batch_of
from tasks.train_model.settings import TrainSettings
from tests.benchmarks.arms import Arm, Spec
from tests.benchmarks.corpus import freeze_corpus
from tests.benchmarks.models import weights
from tests.benchmarks.preparing import prepare_rounds
from tests.benchmarks.report import write_report

DEFAULTS = TrainSettings()
SCHEDULE: dict[str, Any] = {
    "batch": batch_of(DEFAULTS, mean_length=128, ranks=1),
    "learning_rate": DEFAULTS.learning_rate,
    "warmup_share": DEFAULTS.warmup_share,
    "weight_decay": DEFAULTS.weight_decay,
    "precision": DEFAULTS.precision,
}
OURS = Arm(
    name="docs-mlm",
    ours=True,
    attention_dropout=DEFAULTS.attention_dropout,
    hidden_dropout=DEFAULTS.hidden_dropout,
    **SCHEDULE,
)
NOTEBOOK = Arm(name="notebook", data="first")
RUN_MLM = Arm(name="run_mlm", data="blocks", batch=8)
STOCK_RATES = (5e-5, 1e-4, 3e-4)
"""That of both recipes, and larger ones."""
LENT = [
    replace(NOTEBOOK, name="notebook, our schedule and precision", **SCHEDULE),
    replace(RUN_MLM, name="run_mlm, our schedule and precision", **SCHEDULE),
]
ARMS = {
    # One batch size and the same windows, so that arithmetic alone is compared.
    "speed": [Arm(name="stock fp32"), Arm(name="stock bf16", precision="bf16"), replace(OURS, batch=16)],
    "quality": [replace(NOTEBOOK, precision="auto"), replace(RUN_MLM, precision="auto"), OURS],
    "lent": [*LENT, OURS],
    "tokens": [*LENT, Arm(name="stock on our windows, likewise", **SCHEDULE), OURS],
    "defaults": [
        OURS,
        *(replace(OURS, name=f"batch {size}", batch=size) for size in (2, 4, 8, 16, 32)),
        *(
            replace(OURS, name=f"learning rate {rate:g}", learning_rate=rate)
            for rate in (1e-4, 2e-4, 3e-4, 6e-4, 1e-3)
        ),
        replace(OURS, name="with the checkpoint's hidden dropout", hidden_dropout=None),
        replace(OURS, name="without warmup", warmup_share=0.0),
    ],
    "ablation": [
        OURS,
        replace(OURS, name="without the sparse last layer", depth="head"),
        replace(OURS, name="without any sparse rows", depth="none"),
        replace(OURS, name="without the head's start from frequencies", frequencies=False),
        replace(OURS, name="in fp32", precision="fp32"),
        replace(OURS, name="with attention dropout", attention_dropout=None),
        replace(OURS, name="with hidden dropout too", attention_dropout=None, hidden_dropout=None),
        replace(OURS, name="batches not by length", by_length=False),
        replace(OURS, name="with packed rows", packed=True),
        replace(OURS, name="with torch.compile", compiled=True),
    ],
}
MEASURES = {"quality": "seconds", "lent": "seconds", "defaults": "seconds", "tokens": "tokens"}


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = parse()
    disable_progress_bar()
    disable_progress_bars()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        docs = options.docs
        if docs is None:
            make_demo_docs(folder / "docs")
            docs = folder / "docs"
        model, sizes, tokenizer = weights(options.model)
        corpus = folder / "corpus"
        corpus.mkdir()
        counts = freeze_corpus(
            docs, tokenizer, options.max_seq_length, corpus, options.documents, options.eval_windows
        )
        print(counts, flush=True)
        if options.kind == "prepare":
            results = prepare_rounds(
                docs,
                lambda: AutoTokenizer.from_pretrained(corpus / "tokenizer"),
                options.max_seq_length,
                folder,
                options.rounds,
            )
        else:
            results = train_rounds(options, model, sizes, folder)
        write_report(options.kind, results, vars(options) | counts, options.out)


def train_rounds(
    options: argparse.Namespace, model: str | None, sizes: dict[str, int] | None, folder: Path
) -> dict[str, list[dict[str, Any]]]:
    """Every arm in turn, round by round."""
    arms = [arm for arm in ARMS[options.kind] if not options.arms or arm.name in options.arms]
    if options.batch:
        arms = [replace(arm, batch=options.batch) for arm in arms]
    measure = MEASURES.get(options.kind, "steps")
    results: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in arms}

    def one(arm: Arm, seed: int) -> dict[str, Any]:
        spec = Spec(
            arm=arm,
            corpus=str(folder / "corpus"),
            model=model,
            sizes=sizes,
            max_seq_length=options.max_seq_length,
            measure=measure,
            budget=getattr(options, measure),
            seed=seed,
            evaluating=measure != "steps",
        )
        result = run(spec, folder) | {"learning_rate": arm.learning_rate}
        loss = f", held-out loss {result['loss']:.3f}" if result["loss"] is not None else ""
        print(
            f"round {seed + 1}, {arm.name}: {result['tokens_per_second']:,.0f} tokens/s, "
            f"{result['steps']} steps in {result['seconds']:.1f} s at {arm.learning_rate:g}{loss}",
            flush=True,
        )
        return result

    for seed in range(options.rounds):
        for arm in arms:
            tried = options.kind == "quality" and not arm.ours and len(STOCK_RATES)
            if tried and not seed:
                # The stock recipes' rates were chosen for other amounts of training: each takes its best.
                found = [one(replace(arm, learning_rate=rate), seed) for rate in STOCK_RATES]
                results[arm.name].append(min(found, key=lambda result: result["loss"]))
            else:
                rate = results[arm.name][0]["learning_rate"] if tried else arm.learning_rate
                results[arm.name].append(one(replace(arm, learning_rate=rate), seed))
    if options.kind == "quality" and RUN_MLM.name in results:
        for rounds in results.values():
            for theirs, result in zip(results[RUN_MLM.name], rounds, strict=True):
                result["reached"] = seconds_to(theirs["loss"], result["points"])
    return results


def seconds_to(loss: float, points: list[tuple[float, float]]) -> float | None:
    """The seconds at which a run first had a held-out loss, between points measured; None if it had not."""
    for (since, before), (until, after) in pairwise(points):
        if after <= loss < before:
            return since + (until - since) * (before - loss) / (before - after)
    return None


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=[*ARMS, "prepare"])
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
    parser.add_argument(
        "--seconds", type=float, default=30, help="training time of a quality, lent or defaults run"
    )
    parser.add_argument("--tokens", type=float, default=60_000, help="tokens of a run of equal tokens")
    parser.add_argument("--eval-windows", type=int, default=128, help="held-out windows to measure on")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with a seed of its own")
    parser.add_argument("--arms", nargs="*", help="only these arms, by name")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def run(spec: Spec, folder: Path) -> dict[str, Any]:
    """One arm in a process of its own, so that its peak memory is its own."""
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
