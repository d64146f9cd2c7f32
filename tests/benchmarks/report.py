"""A benchmark's table, plot and figures, with the commit, the date and the device that they hold for."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from tasks.train_model import hardware

Results = dict[str, list[dict[str, Any]]]


def write_report(kind: str, results: Results, options: dict[str, Any], folder: Path) -> None:
    """Write `train_KIND.md`, `.json` and, of quality, `.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    about = where(options)
    lines = [
        f"# Training: {kind}",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
        "",
        *table(results),
    ]
    (folder / f"train_{kind}.md").write_text("\n".join(lines) + "\n")
    (folder / f"train_{kind}.json").write_text(
        json.dumps({"about": about, "results": results}, indent=1) + "\n"
    )
    if kind == "quality" and find_spec("matplotlib"):
        plot(results, folder / f"train_{kind}.svg")
    print("\n".join(lines))


def where(options: dict[str, Any]) -> dict[str, Any]:
    """What the figures hold for."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    docs = options["docs"]
    asked = {name: options[name] for name in ("max_seq_length", "rounds")}
    asked |= {"seconds": options["seconds"]} if options["kind"] == "quality" else {"steps": options["steps"]}
    return {
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "device": f"{hardware.device_name()}, {processor()}, {hardware.usable_cores()} cores",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers")),
        "corpus": f"{docs.name if docs else 'descriptions of the installed packages'}, "
        f"{options['train_documents']} documents, {options['train_tokens']:,} tokens to train on",
        "model": Path(options["model"]).name,
        "run": ", ".join(f"{name} {value}" for name, value in asked.items()),
    }


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


def table(results: Results) -> list[str]:
    """The arms as Markdown: medians, with the least and the most in brackets."""
    first = next(iter(results.values()))
    slowest = median(result["tokens_per_second"] for result in first)
    rows = [
        "| arm | tokens/s | of the first | padding | peak memory (GB) | MFU | held-out loss | accuracy |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, rounds in results.items():
        speed = median(result["tokens_per_second"] for result in rounds)
        cells = [
            name,
            spread(rounds, "tokens_per_second", ",.0f"),
            f"{speed / slowest:.2f}",
            f"{median(result['padding_share'] for result in rounds):.1%}",
            spread(rounds, "peak_memory_bytes", ".2f", 1e9),
            spread(rounds, "mfu", ".0%"),
            spread(rounds, "loss", ".3f"),
            spread(rounds, "accuracy", ".3f"),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def spread(rounds: list[dict[str, Any]], name: str, form: str, unit: float = 1.0) -> str:
    """Median (least to most) of a figure over the rounds."""
    values = [result[name] / unit for result in rounds if result.get(name) is not None]
    if not values:
        return "–"
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def plot(results: Results, path: Path) -> None:
    """Held-out loss against seconds of training, a line an arm and round."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for number, (name, rounds) in enumerate(results.items()):
        for place, result in enumerate(rounds):
            seconds, losses = zip(*result["points"], strict=True)
            axes.plot(
                seconds, losses, color=f"C{number}", alpha=0.8, marker=".", label=None if place else name
            )
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("held-out loss (nats a masked token)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)
    plt.close(figure)
