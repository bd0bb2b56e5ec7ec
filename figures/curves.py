"""Theory curves: K* and t_ICL against context length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from . import style


def draw(rows: Sequence[dict[str, float]], x: str, y: str, group: str, ax: Axes | None = None) -> Axes:
    """One line a value of ``group``: column ``y`` against column ``x``, both logarithmic, without infinite points."""
    with style.axes(ax) as ax:
        for value in dict.fromkeys(row[group] for row in rows):
            points = np.array([(row[x], row[y]) for row in rows if row[group] == value and np.isfinite(row[y])])
            if points.size:
                ax.plot(points[:, 0], points[:, 1], label=f"{group} = {value:g}")
        ax.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
        ax.legend()
    return ax
