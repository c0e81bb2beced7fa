"""Plots as inline SVG: text stays text, no script, no outside reference, the same bytes each time.

Each function returns a `<svg>` element with a spoken title for screen readers.
"""

import io
import os
import re
from collections.abc import Sequence
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any

from khach.environment import Environment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1f2933", "#5f6c7b", "#e4e7eb"
TEAL, PALE, AMBER = "#0f766e", "#99d5cf", "#b45309"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "khach",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "axes.edgecolor": GRID,
}


def prepare(env: Environment) -> None:
    """Keep matplotlib's font cache under $KHACH_HOME, never in HOME; before its first import."""
    folder = env.home / "matplotlib"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["MPLCONFIGDIR"] = str(folder)


def columns(
    periods: Sequence[date], amounts: Sequence[float], partial: Sequence[bool], title: str
) -> str:
    """Upright bars over time; a period that is not over yet is pale."""
    figure, axes = _figure(9.2, 2.9)
    colours = [PALE if is_partial else TEAL for is_partial in partial]
    axes.bar(range(len(periods)), amounts, color=colours, width=0.78)
    _dates(axes, periods, fits=11)
    axes.yaxis.set_major_formatter(lambda value, _position: compact(value))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    return _svg(figure, title)


def bars(names: Sequence[str], counts: Sequence[int], title: str) -> str:
    """Lying bars, largest on top, each with its count and share."""
    figure, axes = _figure(4.6, 0.42 + 0.34 * len(names))
    places = range(len(names))
    axes.barh(places, counts, color=TEAL, height=0.62)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    total, largest = sum(counts) or 1, max(counts, default=0) or 1
    for place, count in zip(places, counts, strict=True):
        axes.text(count + largest * 0.02, place, f"{count:,} ({count / total:.0%})", va="center",
                  color=MUTED, fontsize=9)  # fmt: skip
    axes.set_xlim(0, largest * 1.42)
    _bare(axes)
    return _svg(figure, title)


def funnel(steps: Sequence[str], counts: Sequence[int], title: str) -> str:
    """Lying bars from wide to narrow, each with the share of the step before."""
    figure, axes = _figure(4.6, 0.42 + 0.46 * len(steps))
    places = range(len(steps))
    largest = max(counts, default=0) or 1
    axes.barh(places, counts, color=TEAL, height=0.66)
    axes.set_yticks(places, steps)
    axes.invert_yaxis()
    for place, count in zip(places, counts, strict=True):
        before = counts[place - 1] if place else 0
        share = f"  {count / before:.0%} of the step before" if before else ""
        axes.text(count + largest * 0.02, place, f"{count:,}{share}", va="center", color=MUTED,
                  fontsize=9)  # fmt: skip
    axes.set_xlim(0, largest * 1.55)
    _bare(axes)
    return _svg(figure, title)


def line(periods: Sequence[date], shares: Sequence[float], title: str) -> str:
    """A share over time, on an axis from 0 to 100 %."""
    figure, axes = _figure(4.6, 2.4)
    axes.plot(range(len(periods)), shares, color=AMBER, linewidth=2, marker="o", markersize=3.5)
    axes.set_ylim(0, 1)
    _dates(axes, periods, fits=5)
    axes.yaxis.set_major_formatter(lambda value, _position: f"{value:.0%}")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.tick_params(length=0)
    return _svg(figure, title)


def compact(value: float) -> str:
    """`1.2 M` for 1,234,567: short forms for axes and tiles."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}" if abs(value) < 1000 * size else f"{value:,.0f}"
    return f"{value:.4g}"


def _figure(width: float, height: float) -> tuple["Figure", "Axes"]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update(_STYLE)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _dates(axes: "Axes", periods: Sequence[date], *, fits: int) -> None:
    """At most `fits` labels, counted back from the newest, so that they do not touch."""
    every = -(-len(periods) // fits)
    shown = list(range(len(periods) - 1, -1, -every))[::-1]
    one_year = len({period.year for period in periods}) == 1
    form = "%d %b" if one_year else "%b %Y"
    axes.set_xticks(shown, [periods[place].strftime(form) for place in shown])


def _bare(axes: "Axes") -> None:
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0)


def _svg(figure: "Figure", title: str) -> str:
    """The `<svg>` alone: no prolog, no metadata, no namespaces, scaled by the page."""
    target = io.StringIO()
    nothing: dict[str, Any] = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(target, format="svg", metadata=nothing, transparent=True)
    text = target.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    spoken = escape(title, quote=True)
    text = re.sub(r' (width|height)="[^"]*pt"', "", text, count=2)
    return text.replace("<svg", f'<svg role="img" aria-label="{spoken}"', 1)
