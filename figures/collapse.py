"""Clock collapse: accuracy of the ICL circuit against I_K(t)/N for several task diversities (new)."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..theory import Estimate
from . import describe, style
from .entry import Figure, Picture
from .results import Results
from .scans import scans


def draw(
    runs: xr.Dataset,
    context_length: int,
    predicted: Estimate | None = None,
    ax: Axes | None = None,
    accuracy: str = "circuit_accuracy",
    title: str = "",
) -> Axes:
    """One line a network, coloured by K; vertical line: the predicted reading I*/N at acquisition.

    Parameters
    ----------
    runs : Dataset with ``clock`` and the named accuracy over (task_diversity, seed, time)
    context_length : int, N
    predicted : Estimate, optional
        I*, in gradient-flow time.
    """
    with style.axes(ax) as ax:
        diversities = runs.task_diversity.values
        named = set(diversities[:: -(-len(diversities) // 5)])  # five of them tell which colours are small and large
        for k, colour in zip(diversities, style.shades(diversities), strict=True):
            for i, seed in enumerate(runs.seed.values):
                one = runs.sel(task_diversity=k, seed=seed)
                ax.plot(one.clock / context_length, one[accuracy], color=colour, linewidth=0.9,
                        label=f"K = {k:g}" if i == 0 and k in named else None)  # fmt: skip
        if predicted is not None and np.isfinite(predicted.value):
            ax.axvline(predicted.value / context_length, color=style.THEORY, linestyle="--", label="predicted $I^*/N$")
        ax.axhline(0.95, color="0.7", linewidth=0.6)
        ax.set(xlabel="clock $I_K(t)/N$", ylabel="ICL accuracy", ylim=(0.45, 1.03))
        style.legend_above(ax, title, 3)
    return ax


def prepare(results: Results) -> Picture:
    panels, captions = [], []
    for scan in scans(results, "threshold"):
        length = scan.setting["context_length"]
        panels.append(partial(draw, scan.runs, length, scan.predicted("clock"), title=f"minimal model, N = {length}"))
        captions.append(describe.networks(scan.runs))
    caption = (
        "Clock collapse: ICL accuracy of the circuit against the memory's clock, one line a network, coloured by K. "
        "Networks that acquire ICL do so at one reading, whatever K; dashed: the reading predicted for K → ∞ without a "
        f"fit. {'; '.join(captions)}."
    )
    return Picture(caption, panels)


FIGURE = Figure("clock_collapse", "ICL is acquired at one reading of the clock", prepare, (), ("threshold",))
