"""One look for every figure: theory as lines and bands, measurement as points with intervals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib

matplotlib.use("Agg", force=False)

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from ..theory.common.arguments import require
from ..theory.common.files import written_whole
from ..validate.values import Value, ends

#: Okabe and Ito's palette, told apart by colour-blind readers.
ICL = "#0072B2"
IWL = "#D55E00"
THEORY = "#222222"
MEASURED = "#009E73"
OTHER = "#CC79A7"
#: For series without a role of their own.
SERIES = (ICL, IWL, MEASURED, OTHER, "#E69F00", "#56B4E9", THEORY)
MARKERS = "osD^vPX"

_OPEN = 1e3  # ratio of an interval's end to its value beyond which it counts as open
COLUMN_WIDTH = 3.4  # inches, one column of a two-column paper
FORMATS = (".png", ".svg", ".pdf")

_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 6.5,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "figure.dpi": 200,
    "savefig.bbox": "tight",
    "svg.hashsalt": "iclrace",
}


def look() -> AbstractContextManager[None]:
    """matplotlib's settings while the project draws."""
    return matplotlib.rc_context(_STYLE)


def subplots(rows: int, columns: int, height: float, share: bool = False, width: float = 1.0) -> tuple[Canvas, Any]:
    """New axes, together ``width`` columns of a paper wide and ``height`` inches high."""
    return plt.subplots(
        rows, columns, figsize=(width * COLUMN_WIDTH, height), sharex=share, sharey=share, layout="constrained"
    )  # fmt: skip


@contextmanager
def axes(ax: Axes | None, height: float = 2.4) -> Iterator[Axes]:
    """``ax`` itself, or new axes of one column's width in the project's style."""
    with look():
        yield ax if ax is not None else subplots(1, 1, height)[1]


def shades(values: Sequence[Any]) -> list[Any]:
    """One colour for each of an ordered list of values, dark to light."""
    return list(colormaps["viridis"](np.linspace(0, 0.88, len(values))))


def label_ticks(ax: Axes, values: ArrayLike, most: int = 5) -> None:
    """Label a logarithmic x axis at values that were scanned, at most ``most`` of them, none on top of another."""
    scanned = np.sort(np.asarray(values, dtype=float))
    if not scanned.size:
        return
    room = (scanned[-1] / scanned[0]) ** (1.0 / (most + 1))
    ticks = scanned[:1]
    for k in scanned[:: max(1, -(-len(scanned) // most))]:
        ticks = np.append(ticks, k) if k >= room * ticks[-1] and k > ticks[-1] else ticks
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())


def plain_ticks(axis: Axis) -> None:
    """1, 2 and 5 of every decade of a logarithmic axis, or 1 alone of many decades, as plain numbers."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 500 * low else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def logarithmic(ax: Axes, points: int, otherwise: str) -> None:
    """Both scales logarithmic with plain numbers; where there are no points, words in their place."""
    if points == 0:
        ax.text(0.5, 0.5, otherwise, transform=ax.transAxes, ha="center", va="center", color="0.4")
        return
    ax.set(xscale="log", yscale="log")
    plain_ticks(ax.xaxis)
    plain_ticks(ax.yaxis)


def legend_above(ax: Axes, title: str = "", columns: int = 2) -> None:
    """The legend, if it has entries, above the axes where it hides nothing, with ``title`` on top."""
    if not ax.get_legend_handles_labels()[0] and not title:
        return
    ax.legend(title=title or None, title_fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns,
              columnspacing=1.2)  # fmt: skip


def mark(
    ax: Axes, value: Value | None, label: str, *, color: str = THEORY, linestyle: str = "--", alpha: float = 0.12
) -> None:
    """A vertical line at a value, and a band over its interval where that is closed; nothing where it is infinite."""
    for middle, low, high in known([value]):
        ax.axvline(middle, color=color, linestyle=linestyle, label=label)
        if np.isfinite(high) and high > low > 0:
            ax.axvspan(low, high, color=color, alpha=alpha, linewidth=0)


def known(values: Iterable[Value | None]) -> list[tuple[float, float, float]]:
    """(value, low, high) of those that are finite numbers."""
    bounds = (None if value is None else ends(value) for value in values)
    return [bound for bound in bounds if bound is not None and np.isfinite(bound[0])]


def _shown(x: ArrayLike, values: Sequence[Value | None]) -> Any:
    """x, value, low and high, each over the finite values."""
    pairs = zip(np.asarray(x, dtype=float).ravel(), values, strict=True)
    return np.array([(at, *bounds) for at, value in pairs for bounds in known([value])]).reshape(-1, 4).T


def plot_estimates(ax: Axes, x: ArrayLike, values: Sequence[Value | None], **options: Any) -> None:
    """Points with their intervals; an infinite end is drawn as a caret beyond the largest finite value."""
    at, value, low, high = _shown(x, values)
    # An interval that leaves so much open says no more than an infinite one; of a fraction, 0 leaves nothing open.
    open_ended = (high > _OPEN * value) & ((value > 0) | np.isinf(high))
    down, up = value - np.maximum(low, 0.0), np.where(open_ended, 0.0, high - value)
    style = {"fmt": "o", "color": MEASURED, "capsize": 2, "linewidth": 1.0} | options
    ax.errorbar(at, value, yerr=[down, up], lolims=open_ended, **style)


def plot_band(ax: Axes, x: ArrayLike, values: Sequence[Value | None], **options: Any) -> None:
    """A line through the finite values, and a band over those of their intervals that are bounded."""
    at, value, low, high = _shown(x, values)
    if not at.size:
        return  # and no key to what cannot be seen
    ax.plot(at, value, **({"marker": "_", "markersize": 12} if at.size == 1 else {}), **options)
    bounded = (high <= _OPEN * value) & (low > 0)
    if bounded.any() and np.any(high > low):
        low, high = np.where(bounded, low, np.nan), np.where(bounded, high, np.nan)
        ax.fill_between(at, low, high, color=options.get("color", THEORY), alpha=0.13, linewidth=0)


def save(drawn: Axes | Canvas, path: str | os.PathLike[str]) -> Path:
    """Write a figure (PNG, SVG or PDF by the name's ending) and close it; equal figures give equal files.

    Raises
    ------
    ValueError
        For another ending.

    Examples
    --------
    >>> import tempfile
    >>> from iclrace.figures import draw
    >>> save(draw("exponent_crossover"), f"{tempfile.mkdtemp()}/crossover.svg").suffix
    '.svg'
    """
    target = Path(path)
    require(target.suffix.lower() in FORMATS, "path", f"end in {', '.join(FORMATS)}", str(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    figure = drawn.get_figure(root=True) if isinstance(drawn, Axes) else drawn
    assert figure is not None
    with written_whole(target) as partial, partial.open("wb") as file:
        write(figure, file, target.suffix.lower()[1:])
    return target


def write(figure: Canvas, file: BinaryIO, kind: str) -> None:
    """Write a figure to an open file as png, svg or pdf, and close the figure."""
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with look():
        figure.savefig(file, format=kind, metadata=undated[kind])
    plt.close(figure)
