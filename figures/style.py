"""One look for every figure: theory as lines and bands, measurement as points with intervals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg", force=False)

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike

#: Okabe and Ito's palette, told apart by colour-blind readers.
ICL = "#0072B2"
IWL = "#D55E00"
THEORY = "#222222"
MEASURED = "#009E73"

COLUMN_WIDTH = 3.4  # inches, one column of a two-column paper

_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "figure.dpi": 200,
    "savefig.bbox": "tight",
}


@contextmanager
def axes(ax: Axes | None, height: float = 2.4) -> Iterator[Axes]:
    """``ax`` itself, or new axes of one column's width in the project's style."""
    with matplotlib.rc_context(_STYLE):
        yield ax if ax is not None else plt.subplots(figsize=(COLUMN_WIDTH, height), layout="constrained")[1]


def label_ticks(ax: Axes, values: ArrayLike, most: int = 5) -> None:
    """Label a logarithmic x axis at values that were scanned, at most ``most`` of them."""
    ticks = np.asarray(values, dtype=float)
    ticks = ticks[:: -(-len(ticks) // most)]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())


def save(ax: Axes, path: str | os.PathLike[str]) -> Path:
    """Write the figure of ``ax`` (PNG, SVG or PDF by the name's ending) and close it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure = ax.get_figure(root=True)
    assert figure is not None
    with matplotlib.rc_context(_STYLE):
        figure.savefig(target)
    plt.close(figure)
    return target
