"""docs-mlm's training engine beside the stock recipes, and its preparation beside `datasets.map`.

python -m tests.benchmarks.train KIND [--docs FOLDER] [--model MODEL] …

- `speed`: identical windows for all arms, tokens/s and peak memory.
- `quality`: held-out loss after the same seconds of training; every arm's learning rate ends with them.
- `lent`: the same with our schedule and precision given to the stock recipes too.
- `tokens`: held-out loss after the same tokens, with the same schedule: is the faster way as good?
- `defaults`: held-out loss after the same seconds, with other settings than ours: are the defaults right?
- `ablation`: what each piece of the engine gives.
- `prepare`: documents/s from raw Markdown to windows of tokens.

All arms have the same frozen corpus, split, initial weights and machine, and take turns, round by round. The
held-out loss is measured on the same masks for all, with the clock stopped. Small by default: `quality
--seconds 470 --docs …` says more. On a GPU: `speed --model base --max-seq-length 512 --batch 64 --steps 60`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datasets.utils.logging import disable_progress_bar as disable_progress_bars
from transformers import AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from tasks.clone_docs.demo_docs import make_demo_docs
from tasks.train_model.settings import TrainSettings
from tests.benchmarks.arms import Arm, Spec
from tests.benchmarks.corpus import freeze_corpus
from tests.benchmarks.models import weights
from tests.benchmarks.preparing import prepare_rounds
from tests.benchmarks.report import write_report

DEFAULTS = TrainSettings()
SCHEDULE: dict[str, Any] = {
    "batch": DEFAULTS.per_device_train_batch_size,
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
LENT = [
    replace(NOTEBOOK, name="notebook, our schedule and precision", **SCHEDULE),
    replace(RUN_MLM, name="run_mlm, our schedule and precision", **SCHEDULE),
]
ARMS = {
    # One batch size and the same windows, so that arithmetic alone is compared.
    "speed": [Arm(name="stock fp32"), Arm(name="stock bf16", precision="bf16"), OURS],
    "quality": [NOTEBOOK, RUN_MLM, *LENT, OURS],
    "lent": [*LENT, OURS],
    "tokens": [*LENT, Arm(name="stock on our windows, likewise", **SCHEDULE), OURS],
    "defaults": [
        *(
            replace(OURS, name=f"learning rate {rate:g}", learning_rate=rate)
            for rate in (1e-4, 3e-4, 6e-4, 1e-3)
        ),
        *(replace(OURS, name=f"batch {size}", batch=size) for size in (8, 32)),
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
    initial = None
    for round_number in range(options.rounds):
        for arm in arms:
            spec = Spec(
                arm=arm,
                corpus=str(folder / "corpus"),
                model=model,
                sizes=sizes,
                max_seq_length=options.max_seq_length,
                measure=measure,
                budget=getattr(options, measure),
                seed=round_number,
                evaluating=measure != "steps",
                initial=initial,
            )
            result = run(spec, folder)
            results[arm.name].append(result)
            if model is not None and result["points"] and not arm.ours:
                initial = result["points"][0][1]
            loss = f", held-out loss {result['loss']:.3f}" if result["loss"] is not None else ""
            print(
                f"round {round_number + 1}, {arm.name}: {result['tokens_per_second']:,.0f} tokens/s, "
                f"{result['steps']} steps in {result['seconds']:.1f} s{loss}",
                flush=True,
            )
    return results


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
