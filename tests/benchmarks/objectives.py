"""Objectives and maskings side by side: held-out loss and pair accuracy at equal time, or at equal tokens.

python -m tests.benchmarks.objectives [--docs FOLDER] [--model FOLDER] [--equal time|tokens] [--seeds 3] …

All arms have the same frozen corpus and take turns, seed by seed; weights follow from the seed, or are of
`--model`. Held-out figures are of the same single masked tokens for all, with the clock stopped. Small by
default: a minute an arm is enough to see that it works, not to choose by.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from tasks.clone_docs.demo_docs import make_demo_docs
from tasks.filter_markdown.judging import RawDocument, judge_batch
from tasks.filter_markdown.settings import FilterSettings
from tasks.models.settings import ScratchSettings
from tasks.tokenize_corpus.wordpiece import train_tokenizer
from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import train
from tests.benchmarks.clock import Budget, Clock, Measure, engine_under
from tests.benchmarks.corpus import freeze_corpus
from tests.benchmarks.models import weights
from tests.benchmarks.report import spread, where

ARMS: dict[str, dict[str, Any]] = {
    "mlm, token": {},
    "mlm, whole_word": {"masking": "whole_word"},
    "mlm, span": {"masking": "span"},
    "mlm, token, 30 % to 15 %": {"mlm_probability": 0.3, "final_mlm_probability": 0.15},
    "mlm, token, no code": {"code_mask_weight": 0.0},
    "mlm+nsp, token": {"objective": "mlm+nsp"},
    "mlm+nsp, whole_word": {"objective": "mlm+nsp", "masking": "whole_word"},
    "mlm+nsp, span": {"objective": "mlm+nsp", "masking": "span"},
    "mlm+sop, token": {"objective": "mlm+sop"},
    "mlm+sop, whole_word": {"objective": "mlm+sop", "masking": "whole_word"},
    "mlm+sop, span": {"objective": "mlm+sop", "masking": "span"},
}
MEASURES: dict[str, Measure] = {"time": "seconds", "tokens": "tokens"}
"""What a run is ended by."""


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where every run begins: at weights in a folder, or at random ones."""

    location: str | None = None
    scratch: ScratchSettings | None = None


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = parse()
    logging.disable(logging.WARNING)
    names = options.arms or list(ARMS)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        docs = options.docs
        if docs is None:
            docs = folder / "docs"
            make_demo_docs(docs)
        if options.model == "scratch":
            begin = Beginning(scratch=ScratchSettings())
            tokenizer = train_tokenizer(lambda: texts(docs, options.documents), ScratchSettings())
        else:
            location, sizes, tokenizer = weights(options.model)
            begin = Beginning(location=location, scratch=ScratchSettings(**sizes) if sizes else None)
        corpus = folder / "corpus"
        corpus.mkdir()
        counts = freeze_corpus(docs, tokenizer, options.max_seq_length, corpus, options.documents)
        print(counts, flush=True)
        for seed in range(options.seeds):
            for name in names:
                result = run(corpus, options, begin, ARMS[name], seed)
                results[name].append(result)
                print(f"seed {seed}, {name}: {json.dumps(result)}", flush=True)
    write(options, counts, results)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=Path, help="a folder of Markdown; the installed packages' by default")
    parser.add_argument("--documents", type=int, help="take only so many files")
    parser.add_argument(
        "--model",
        default="scratch",
        help="scratch (4 layers, 256 wide), minilm (six layers, real weights), base, or a folder",
    )
    parser.add_argument("--equal", choices=("time", "tokens"), default="time")
    parser.add_argument("--seconds", type=float, default=60, help="training time of a run, of equal time")
    parser.add_argument("--tokens", type=float, default=100_000, help="tokens of a run, of equal tokens")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--max-seq-length", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--arms", nargs="*", choices=list(ARMS), metavar="ARM", help="only these arms, by name"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def texts(docs: Path, limit: int | None) -> Iterator[str]:
    """The cleaned documents, for the tokenizer."""
    for path in sorted(docs.rglob("*.md"))[:limit]:
        document = RawDocument(path=str(path), blob_sha=str(path), content=path.read_bytes())
        (judged,) = judge_batch([document], FilterSettings())
        if judged.reason is None:
            yield judged.cleaned.text


def run(
    corpus: Path, options: argparse.Namespace, begin: Beginning, changes: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Train one arm until its budget is spent, and tell its figures."""
    settings = TrainSettings(
        num_train_epochs=1000,
        per_device_train_batch_size=options.batch,
        learning_rate=options.learning_rate,
        lr_scheduler_type="constant",
        seed=seed,
        save_steps=10**6,
        **changes,
    )
    measure = MEASURES[options.equal]
    clock = Clock(
        Budget(
            measure=measure,
            amount=getattr(options, measure),
            learning_rate=options.learning_rate,
            warmup_share=settings.warmup_share,
        ),
        held_out=None,
    )
    with tempfile.TemporaryDirectory(dir=corpus.parent) as name:
        job = TrainJob(
            data=corpus,
            output=Path(name) / "out",
            checkpoints=Path(name) / "local",
            settings=settings,
            location=begin.location,
            scratch=begin.scratch,
        )
        job.output.mkdir()
        with engine_under(clock):
            report = train(job)
    return figures(report, clock)


def figures(report: TrainReport, clock: Clock) -> dict[str, Any]:
    """What the table shows of one run."""
    run = clock.result()
    after = report.eval_after or {}
    second = [after[f"{kind}_accuracy"] for kind in ("nsp", "sop") if f"{kind}_accuracy" in after]
    return {
        **{name: run[name] for name in ("steps", "seconds", "tokens", "tokens_per_second", "padding_share")},
        "loss": after["loss"],
        "prose_loss": after.get("prose_loss"),
        "code_loss": after.get("code_loss"),
        "accuracy": after["accuracy"],
        "pair_accuracy": second[0] if second else None,
    }


def write(
    options: argparse.Namespace, counts: dict[str, int], results: dict[str, list[dict[str, Any]]]
) -> None:
    """Write `objectives_time.md` or `objectives_tokens.md`, and the figures of every run beside it."""
    options.out.mkdir(parents=True, exist_ok=True)
    asked = vars(options) | counts
    asked |= {"kind": "quality" if options.equal == "time" else "tokens", "rounds": options.seeds}
    about = where(asked)
    first = next(iter(results.values()))
    lines = [
        f"# Objectives and maskings at equal {options.equal}",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
        "",
        "Means over the seeds, ± one standard deviation. Losses in nats a masked token, held out, of the",
        "same single masked tokens for all. Of tokens/s the median, the least and the most; of the speed",
        "beside the first arm the median of the ratios, seed by seed. Half of all held-out pairs are false.",
        "",
        "| arm | loss | in prose | in code | accuracy | pair accuracy | tokens | tokens/s | of the first |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(f"| {name} | {' | '.join(cells(runs, first))} |" for name, runs in results.items()),
    ]
    name = f"objectives_{options.equal}"
    (options.out / f"{name}.md").write_text("\n".join(lines) + "\n")
    (options.out / f"{name}.json").write_text(
        json.dumps({"about": about, "results": results}, indent=1) + "\n"
    )
    print("\n".join(lines))


def cells(runs: list[dict[str, Any]], first: list[dict[str, Any]]) -> Iterator[str]:
    """An arm's row, whose speed is set beside the first arm's."""
    for column in ("loss", "prose_loss", "code_loss", "accuracy", "pair_accuracy"):
        yield cell(runs, column)
    yield f"{mean(run['tokens'] for run in runs):,.0f}"
    rate = "tokens_per_second"
    yield spread(runs, rate, ",.0f")
    yield f"{median(run[rate] / other[rate] for run, other in zip(runs, first, strict=True)):.2f}"


def cell(runs: list[dict[str, Any]], column: str) -> str:
    """A column's mean over the seeds, and its spread."""
    values = [run[column] for run in runs if run[column] is not None]
    if not values:
        return "–"
    share = "accuracy" in column
    shown = f"{mean(values):.1%}" if share else f"{mean(values):.3f}"
    deviation = stdev(values) if len(values) > 1 else 0.0
    return f"{shown} ± {deviation:.1%}" if share else f"{shown} ± {deviation:.3f}"


if __name__ == "__main__":
    main()
