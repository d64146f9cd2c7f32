"""Differences with their intervals as a picture that needs no network and no library: SVG."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, ROW = 720, 26
_LEFT, _RIGHT, _TOP, _BOTTOM = 250, 24, 12, 40
_BETTER, _WORSE, _INK = "#4c8dff", "#ff9f43", "#8a8f98"


class Bar(NamedTuple):
    """A difference and its interval."""

    label: str
    value: float
    low: float
    high: float


def intervals_picture(bars: Sequence[Bar], unit: str) -> str:
    """Each difference as a dot on its interval, beside a line at 0; blue where the interval is above it.

    Args:
        unit: what the axis counts.
    """
    ends = [0.0, *(bar.low for bar in bars), *(bar.high for bar in bars)]
    low, high = min(ends), max(ends)
    margin = 0.06 * ((high - low) or 1.0)
    low, high = low - margin, high + margin
    height = _TOP + ROW * len(bars) + _BOTTOM
    floor = height - _BOTTOM

    def x(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    marks = [f'<path d="M{x(0):.1f} {_TOP}V{floor}" stroke="{_INK}" stroke-dasharray="3 3"/>']
    for part in range(5):
        value = low + (high - low) * part / 4
        marks.append(f'<text x="{x(value):.1f}" y="{floor + 16}" text-anchor="middle">{value:+.3f}</text>')
    middle = (WIDTH + _LEFT - _RIGHT) / 2
    marks.append(f'<text x="{middle:.0f}" y="{floor + 33}" text-anchor="middle">{escape(unit)}</text>')
    for number, bar in enumerate(bars):
        y = _TOP + ROW * (number + 0.5)
        colour = _BETTER if bar.low > 0 else _WORSE if bar.high < 0 else _INK
        marks.append(
            f"<g><title>{escape(bar.label)}: {bar.value:+.3f} ({bar.low:+.3f} to {bar.high:+.3f})</title>"
            f'<text x="{_LEFT - 14}" y="{y + 4:.1f}" text-anchor="end">{escape(bar.label)}</text>'
            f'<path d="M{x(bar.low):.1f} {y:.1f}H{x(bar.high):.1f}" stroke="{colour}" stroke-width="3"/>'
            f'<circle cx="{x(bar.value):.1f}" cy="{y:.1f}" r="5" fill="{colour}"/></g>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="{_INK}">'
        f"{''.join(marks)}</svg>"
    )
