"""A small plot as an SVG text: a logarithmic axis to the right, a linear one upwards, lines with dots and their names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 46, 52
_COLOURS = ("#1f6feb", "#1a7f37", "#bc4c00", "#8250df", "#57606a")
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600;font-size:15px}.g{stroke:#d1d9e0;stroke-width:1}"
    ".b{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.g{stroke:#3d444d}.b{fill:#0d1117}}"
)


def plotted(series: Mapping[str, Points], *, title: str, right: str, up: str, ticks: Sequence[float]) -> str:
    """The plot. `ticks` are the marks of the axis to the right; `right` and `up` name the axes."""
    top = _ceiling(max(y for points in series.values() for _, y in points))
    low, high = math.log(ticks[0]), math.log(ticks[-1])

    def x_of(value: float) -> float:
        return LEFT + (math.log(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="b" width="{WIDTH}" height="{HEIGHT}"/>',
        _text(LEFT, 22, title, extra=' class="t"'),
        _text(LEFT, TOP - 6, up),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, right, extra=' text-anchor="middle"'),
    ]
    for number in range(5):
        value = top * number / 4
        parts.append(_line(LEFT, y_of(value), WIDTH - RIGHT, y_of(value)))
        parts.append(_text(LEFT - 8, y_of(value) + 4, f"{value:g}", extra=' text-anchor="end"'))
    for value in ticks:
        parts.append(_line(x_of(value), HEIGHT - BOTTOM, x_of(value), HEIGHT - BOTTOM + 5))
        parts.append(_text(x_of(value), HEIGHT - BOTTOM + 20, f"{value / 1000:g}k", extra=' text-anchor="middle"'))
    ends = _apart([(y_of(points[-1][1]), name) for name, points in series.items()])
    for number, (name, points) in enumerate(series.items()):
        placed = [(x_of(x), y_of(y)) for x, y in points]
        parts += _curve(placed, _COLOURS[number % 5], _DASHES[number % 5])
        parts.append(_text(WIDTH - RIGHT + 10, ends[name] + 4, name, extra=f' style="fill:{_COLOURS[number % 5]}"'))
    return "\n".join([*parts, "</svg>", ""])


def _curve(placed: Points, colour: str, dashes: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in placed]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>', *dots]


def _apart(ends: list[tuple[float, str]]) -> dict[str, float]:
    """Where each line's name stands: at its end, and none on another."""
    placed: dict[str, float] = {}
    free = 0.0
    for y, name in sorted(ends):
        free = max(y, free)
        placed[name] = free
        free += 17
    over = max(0.0, free - 17 - (HEIGHT - BOTTOM))
    return {name: y - over for name, y in placed.items()}


def _ceiling(value: float) -> float:
    """The next round number above."""
    size = 10.0 ** math.floor(math.log10(value))
    return next(size * step for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if size * step >= value)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="g" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, *, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{escape(text)}</text>'
