"""A benchmark's table, plot and figures, with the commit, the date and the device that they hold for."""

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from tasks.training import hardware

Results = dict[str, list[dict[str, Any]]]


def write_report(kind: str, results: Results, options: dict[str, Any], folder: Path) -> None:
    """Write `train_KIND.md`, `.json` and, where there are loss curves, `.svg`.

    For another model than the default its name goes into the files' names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = where(options)
    lines = [
        f"# Training: {kind}",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
        "",
        *table(results),
    ]
    name = f"train_{kind}" if about["model"] == "minilm" else f"train_{kind}_{about['model']}"
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.json").write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")
    if any(round.get("points") for rounds in results.values() for round in rounds) and find_spec(
        "matplotlib"
    ):
        plot(results, kind, folder / f"{name}.svg")
    print("\n".join(lines))


def where(options: dict[str, Any]) -> dict[str, Any]:
    """What the figures hold for."""
    docs = options["docs"]
    asked = {name: options[name] for name in ("max_seq_length", "rounds")}
    seconds = dict.fromkeys(("quality", "lent", "defaults"), "seconds")
    budget = (seconds | {"tokens": "tokens", "prepare": None}).get(options["kind"], "steps")
    asked |= {budget: options[budget]} if budget else {}
    return {
        **machine("torch", "transformers"),
        "corpus": f"{docs.name if docs else 'descriptions of the installed packages'}, "
        f"{options['train_documents']} documents, {options['train_tokens']:,} tokens to train on",
        "model": Path(options["model"]).name,
        "run": ", ".join(f"{name} {value}" for name, value in asked.items()),
        "command": f"`{command(sys.orig_argv)}`",
    }


def machine(*libraries: str) -> dict[str, str]:
    """The commit, the day, the device and the libraries' versions."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "device": f"{hardware.device_name()}, {processor()}, {hardware.usable_cores()} cores",
        "versions": ", ".join(f"{name} {version(name)}" for name in libraries),
    }


def command(words: list[str]) -> str:
    """The command that made a report, with its paths made nameless and without where it wrote."""
    words = ["python", *words[1:]]
    if "--out" in words:
        place = words.index("--out")
        words = words[:place] + words[place + 2 :]
    return " ".join("FOLDER" if os.sep in word else shlex.quote(word) for word in words)


def processor() -> str:
    """The processor's name, as Linux tells it."""
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":")[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.is_file()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


COLUMNS = {
    "documents_per_second": ("documents/s", ",.0f", 1.0),
    "megabytes_per_second": ("MB/s", ".2f", 1.0),
    "tokens_per_second": ("tokens/s", ",.0f", 1.0),
    "learning_rate": ("peak rate", "g", 1.0),
    "start": ("held-out loss before the first step", ".3f", 1.0),
    "loss": ("held-out loss", ".3f", 1.0),
    "reached": ("seconds to run_mlm's loss", ".0f", 1.0),
    "accuracy": ("accuracy", ".1%", 1.0),
    "steps": ("steps", ".0f", 1.0),
    "tokens": ("tokens", ",.0f", 1.0),
    "seconds": ("seconds", ".1f", 1.0),
    "padding_share": ("padding", ".1%", 1.0),
    "peak_memory_bytes": ("peak memory (GB)", ".2f", 1e9),
    "mfu": ("MFU", ".0%", 1.0),
}
"""Heading, form and unit of each figure, which is left out where no arm has it."""


def table(results: Results) -> list[str]:
    """The arms as Markdown: medians, with the least and the most in brackets."""
    every = [result for rounds in results.values() for result in rounds]
    shown = {name: column for name, column in COLUMNS.items() if any(r.get(name) is not None for r in every)}
    if "loss" in shown:
        # The copy that measures the held-out loss is in this memory, too.
        shown.pop("peak_memory_bytes", None)
    rate = next(iter(shown))
    first = median(result[rate] for result in next(iter(results.values())))
    headings = ["arm", "of the first", *(heading for heading, _, _ in shown.values())]
    rows = [f"| {' | '.join(headings)} |", "|---" + "|---:" * (len(headings) - 1) + "|"]
    for name, rounds in results.items():
        ratio = median(result[rate] for result in rounds) / first
        cells = [spread(rounds, column, form, unit) for column, (_, form, unit) in shown.items()]
        rows.append(f"| {' | '.join([name, f'{ratio:.2f}', *cells])} |")
    return rows


def spread(rounds: list[dict[str, Any]], name: str, form: str, unit: float = 1.0) -> str:
    """Median (least to most) of a figure over the rounds."""
    values = [result[name] / unit for result in rounds if result.get(name) is not None]
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def plot(results: Results, kind: str, path: Path) -> None:
    """Held-out loss against what was spent, a line an arm and round."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for number, (name, rounds) in enumerate(results.items()):
        for place, result in enumerate(rounds):
            spent, losses = zip(*result["points"], strict=True)
            axes.plot(spent, losses, color=f"C{number}", alpha=0.8, marker=".", label=None if place else name)
    axes.set_xlabel("tokens trained on" if kind == "tokens" else "seconds of training")
    axes.set_ylabel("held-out loss (nats a masked token)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)
    plt.close(figure)
