"""The race: each network's memory clock against time, and the reading at which ICL is acquired (new)."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..theory import Estimate
from ..validate import acquisition_times
from . import describe, style
from .entry import Figure, Picture
from .results import Results
from .scans import scans


def draw(runs: xr.Dataset, predicted: Estimate | None = None, ax: Axes | None = None, title: str = "") -> Axes:
    """I_K(t), one line a network, coloured by K; a dot where its circuit reaches 95 %, a cross where it ends without.

    Parameters
    ----------
    runs : Dataset with ``clock`` and ``circuit_accuracy`` over (task_diversity, seed, time)
    predicted : Estimate, optional
        I*, in gradient-flow time: the dashed line.
    """
    times = acquisition_times(runs, "circuit_accuracy")
    with style.axes(ax) as ax:
        diversities = runs.task_diversity.values
        named = set(diversities[:: -(-len(diversities) // 5)])  # five of them tell which colours are small and large
        for k, colour in zip(diversities, style.shades(diversities), strict=True):
            for i, seed in enumerate(runs.seed.values):
                at = {"task_diversity": k, "seed": seed}
                clock = runs.clock.sel(at).dropna("time")
                ax.plot(clock.time, clock, color=colour, linewidth=0.9, 
                        label=f"K = {k:g}" if i == 0 and k in named else None)  # fmt: skip
                acquired = float(times.sel(at))
                if np.isfinite(acquired):
                    ax.plot(acquired, np.interp(acquired, clock.time, clock), "o", color=colour, zorder=3)
                elif clock.size:
                    ax.plot(clock.time[-1], clock[-1], "x", color=colour, zorder=3)
        if predicted is not None and np.isfinite(predicted.value):
            ax.axhline(predicted.value, color=style.THEORY, linestyle="--", label="predicted $I^*$")
        t = np.array([0.0, 2 * float(runs.clock.max())])
        ax.plot(t, t / 2, color=style.THEORY, linestyle=":", linewidth=0.9, label="$t/2$ ($K → ∞$)")
        ax.set(xlabel="gradient-flow time $t$", ylabel="memory's clock $I_K(t)$ (time)")
        style.legend_above(ax, title, 3)
    return ax


def prepare(results: Results) -> Picture:
    panels, captions = [], []
    for scan in scans(results, "threshold"):
        title = f"minimal model, N = {scan.setting['context_length']}"
        panels.append(partial(draw, scan.runs, scan.predicted("clock"), title=title))
        captions.append(describe.networks(scan.runs))
    caption = (
        "The race: the memory's clock runs at half the speed of time until the items are memorised, and stops. A "
        "network whose clock reaches I* has acquired ICL (dot: its circuit reaches 95 %); one whose clock stops below "
        "ends with memory alone (cross). Dashed: I* predicted for K → ∞ without a fit. "
        f"{'; '.join(captions)}."
    )
    return Picture(caption, panels, height=2.8)


FIGURE = Figure("race", "Memory's clock against the reading that ICL needs", prepare, (), ("threshold",))
