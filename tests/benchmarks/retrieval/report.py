"""The tables of the retrieval benchmark."""

import argparse
import json
import sys
from statistics import mean, median
from typing import Any

from tasks.retrieval.passages import KINDS
from tasks.retrieval.probe import ALL, PRIMARY
from tasks.training import hardware
from tests.benchmarks.report import command, machine

COLUMNS = (*KINDS, ALL)


def write_report(options: argparse.Namespace, counts: dict[str, int], runs: list[dict[str, Any]]) -> None:
    """Write `retrieval_KIND.md` and `.json`, with the name of the documents where one is given."""
    options.out.mkdir(parents=True, exist_ok=True)
    about = {
        **machine("torch", "transformers", "sentence-transformers"),
        "precision": hardware.choose_precision("auto"),
        "documents": f"{options.name or options.docs.name}: "
        + ", ".join(f"{count:,} {name}" for name, count in counts.items()),
        "command": f"`{command(sys.orig_argv)}`",
    }
    body = {"speed": speed_table, "pairs": systems_table, "order": systems_table}[options.kind](runs)
    lines = [f"# Retrieval: {options.kind}", "", *(f"- {key}: {value}" for key, value in about.items()), ""]
    lines += body
    name = "_".join(["retrieval", options.kind, *([options.name] if options.name else [])])
    name = name.lower().replace(" ", "_")
    (options.out / f"{name}.md").write_text("\n".join(lines) + "\n")
    (options.out / f"{name}.json").write_text(json.dumps({"about": about, "runs": runs}, indent=1) + "\n")
    print("\n".join(lines))


def speed_table(runs: list[dict[str, Any]]) -> list[str]:
    """Medians, and the ratio of each round."""
    rows = [
        f"| {name} | {median(run[name] for run in runs):.2f} ({min(run[name] for run in runs):.2f} to "
        f"{max(run[name] for run in runs):.2f}) |"
        for name in runs[0]
    ]
    ratio = median(run["docs-mlm"] / run["sentence-transformers"] for run in runs)
    return ["| training | pairs/s |", "|---|---:|", *rows, "", f"Median of the rounds' ratios: {ratio:.2f}."]


def systems_table(runs: list[dict[str, Any]]) -> list[str]:
    """nDCG@10 of each system by kind of query: means over the seeds, and the paired differences of each."""
    kinds = [kind for kind in COLUMNS if kind in runs[0]["bm25"]]
    systems = [name for name, value in runs[0].items() if isinstance(value, dict)]
    head = ["| " + " | ".join(["nDCG@10", *kinds]) + " |", "|---" + "|---:" * len(kinds) + "|"]
    asked = " | ".join(f"{runs[0]['bm25'][kind]['queries']:,}" for kind in kinds)
    rows = [f"| queries | {asked} |"]
    for name in systems:
        cells = [spread([run[name][kind][PRIMARY] for run in runs]) for kind in kinds]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    lines = ["Means over the seeds (least to most).", "", *head, *rows, ""]
    lines += ["How far the first is above the second, a seed a row; 95 % intervals over documents.", ""]
    lines += head
    for seed, run in enumerate(runs):
        for pair in run["paired"]:
            cells = [difference(pair[kind]) for kind in kinds]
            lines.append(f"| seed {seed}: {pair['system']} over {pair['over']} | {' | '.join(cells)} |")
    told = [
        ", ".join(f"{key} {value:,.1f}" for key, value in run.items() if isinstance(value, (int, float)))
        for run in runs
    ]
    return [*lines, "", *(f"- seed {seed}: {line}" for seed, line in enumerate(told))]


def spread(values: list[float]) -> str:
    """Mean, and the range where there are several different ones."""
    if max(values) - min(values) < 5e-4:
        return f"{values[0]:.3f}"
    return f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def difference(told: dict[str, float | None]) -> str:
    """A paired gain with its interval."""
    low, high = told["low"], told["high"]
    interval = "" if low is None or high is None else f" ({low:+.3f} to {high:+.3f})"
    return f"{told[PRIMARY]:+.3f}{interval}"
