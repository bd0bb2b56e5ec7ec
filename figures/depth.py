"""The memory's clock by depth: finite in the end for three layers, growing for ever with two (new)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from . import describe, style
from .entry import Figure, Picture
from .results import Results, setting


def draw(alone: Mapping[int, xr.Dataset], ax: Axes | None = None) -> Axes:
    """I_K against the margin ln(1/c1 − 1), one line a perceptron, coloured by its number of layers."""
    with style.axes(ax) as ax:
        for (layers, curves), colour in zip(alone.items(), style.SERIES, strict=False):
            for i in range(curves.sizes["run"]):
                one = curves.isel(run=i)
                margin = np.log(1 / np.clip(one.c1, 1e-12, 1 - 1e-12) - 1)
                ax.plot(margin, one.clock * one.fraction, color=colour, linewidth=0.9,
                        label=f"L = {layers}" if i == 0 else None)  # fmt: skip
        ax.set(xlabel=r"margin $\ln(1/c_1 - 1)$", ylabel="clock $I_K$ (time)", xlim=(0, None), ylim=(0, None))
        ax.legend()
    return ax


def prepare(results: Results) -> Picture:
    found = results.find("memory_depth_later_*", needs=["c1", "clock", "fraction"])
    alone = {setting(one)["layers"]: one for one in found.values()}
    caption = (
        "The clock of perceptrons with two and three layers as they go on memorising: the homogeneous law has it end "
        "at a finite I_K(∞) for L = 3 and grow as the logarithm of the margin for L = 2. "
        f"{'; '.join(describe.memories(one) for one in found.values())}."
    )
    return Picture(caption, [partial(draw, dict(sorted(alone.items())))])


FIGURE = Figure("memory_depth", "The memory's clock with two and three layers", prepare, (), ("memory_depth",))
