"""The loss curve as a picture that needs no network and no library: SVG, carried inside Markdown.

The Prefect UI draws Mermaid too, but its charts have no second, sparser series, and held-out points are one.
"""

import base64
import math
from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 34, 40
_MOST_POINTS = 300
_TRAIN, _HELD_OUT, _INK = "#4c8dff", "#ff9f43", "#8a8f98"
"""Colours that can be read on the UI's dark and on its light ground."""

NATS = "loss (nats a masked token)"
Point = tuple[float, float]


def loss_curve(
    history: Sequence[dict[str, Any]],
    *,
    eval_before: float | None = None,
    eval_after: float | None = None,
    total: int | None = None,
    unit: str = NATS,
) -> str:
    """Markdown with the training loss as a line and the held-out losses as dots, or nothing to show yet.

    Args:
        history: points with `step` and `loss` or `eval_loss`.
        eval_before: held-out loss (nats a masked token) at step 0.
        eval_after: the same at the last step.
        total: steps of the whole run, where the curve is still growing.
        unit: what the loss is called.
    """
    line = [(float(p["step"]), float(p["loss"])) for p in history if "loss" in p]
    dots = [(float(p["step"]), float(p["eval_loss"])) for p in history if "eval_loss" in p]
    last = line[-1][0] if line else 0.0
    if eval_before is not None:
        dots = [(0.0, eval_before), *dots]
    if eval_after is not None:
        dots = [dot for dot in dots if dot[0] != last] + [(last, eval_after)]
    if not line:
        return ""
    svg = draw(thinned(line), dots, end=max(last, float(total or 0)), unit=unit)
    return f"![loss curve](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def draw(line: Sequence[Point], dots: Sequence[Point], *, end: float, unit: str) -> str:
    """The picture: `line` and `dots` are (step, loss), the x axis goes from 0 to `end`."""
    losses = [loss for _, loss in (*line, *dots)]
    low, high = min(losses), max(losses)
    spread = (high - low) or 1.0
    low, high = low - 0.05 * spread, high + 0.05 * spread

    def x(step: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * step / max(end, 1.0)

    def y(loss: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (high - loss) / (high - low)

    grid = []
    for part in range(5):
        loss = low + (high - low) * part / 4
        grid.append(
            f'<path d="M{_LEFT} {y(loss):.1f}H{WIDTH - _RIGHT}" stroke="{_INK}" stroke-opacity=".25"/>'
            f'<text x="{_LEFT - 6}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss:.2f}</text>'
        )
        step = end * part / 4
        anchor = "end" if part == 4 else "middle"
        grid.append(
            f'<text x="{x(step):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="{anchor}">{step:,.0f}</text>'
        )
    path = " ".join(f"{x(step):.1f},{y(loss):.1f}" for step, loss in line)
    circles = "".join(
        f'<circle cx="{x(step):.1f}" cy="{y(loss):.1f}" r="4" fill="{_HELD_OUT}"><title>'
        f"held out, step {step:,.0f}: {loss:.4f}</title></circle>"
        for step, loss in dots
    )
    legend = (
        f'<path d="M{_LEFT} 16h22" stroke="{_TRAIN}" stroke-width="2"/>'
        f'<text x="{_LEFT + 28}" y="20">training</text>'
        f'<text x="{WIDTH - _RIGHT}" y="20" text-anchor="end">{unit} by step</text>'
    )
    if dots:
        legend += (
            f'<circle cx="{_LEFT + 106}" cy="16" r="4" fill="{_HELD_OUT}"/>'
            f'<text x="{_LEFT + 116}" y="20">held out</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="{_INK}">'
        f"{''.join(grid)}{legend}"
        f'<polyline points="{path}" fill="none" stroke="{_TRAIN}" stroke-width="2"/>{circles}</svg>'
    )


def thinned(line: Sequence[Point], most: int = _MOST_POINTS) -> list[Point]:
    """At most `most` points, each the mean of a group of neighbours at the group's last step."""
    if len(line) <= most:
        return list(line)
    size = -(-len(line) // most)
    groups = [line[start : start + size] for start in range(0, len(line), size)]
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]


def curve(log_history: list[dict[str, float]]) -> list[dict[str, float]]:
    """The points of the loss curve: `step`, and `loss` and `learning_rate`, or `eval_loss`."""
    kept = ("step", "loss", "learning_rate", "eval_loss")
    return [{name: point[name] for name in kept if name in point} for point in log_history]


def last_tenth(history: list[dict[str, float]]) -> float:
    """The mean training loss over the last tenth of the run's log points."""
    losses = [point["loss"] for point in history if "loss" in point]
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail) if tail else math.nan
