"""Final ICL and IWL accuracy against task diversity, with the predicted threshold (paper, figures 2b, 2c, 3)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..theory import Estimate
from . import style


def draw(runs: xr.Dataset, predicted: Estimate | None = None, ax: Axes | None = None, title: str = "") -> Axes:
    """Points: final accuracies of single networks; lines: their means; vertical line and band: predicted K*.

    Parameters
    ----------
    runs : Dataset with ``icl_accuracy`` and ``iwl_accuracy`` over (task_diversity, seed, time)
    predicted : Estimate, optional
        K* and its interval; not drawn where infinite.
    """
    with style.axes(ax) as ax:
        k = runs.task_diversity.values
        for name, label, colour in (("icl_accuracy", "ICL", style.ICL), ("iwl_accuracy", "IWL", style.IWL)):
            ends = last(runs[name])
            ax.plot(k, ends.mean("seed"), color=colour, label=label, alpha=0.6)
            ax.plot(np.repeat(k, ends.sizes["seed"]), ends.transpose("task_diversity", "seed").values.ravel(), "o",
                    color=colour, markerfacecolor="none")  # fmt: skip
        if predicted is not None and np.isfinite(predicted.value):
            ax.axvline(
                predicted.value, color=style.THEORY, linestyle="--", label=f"predicted K* = {predicted.value:.0f}"
            )
            if np.isfinite(predicted.high):
                ax.axvspan(max(predicted.low, k[0] / 2), predicted.high, color=style.THEORY, alpha=0.12, linewidth=0)
        ax.set(xscale="log", xlabel="task diversity $K$", ylabel="accuracy", ylim=(0.4, 1.03), title=title)
        style.label_ticks(ax, k)
        ax.legend()
    return ax


def last(values: xr.DataArray) -> xr.DataArray:
    """The last finite value along ``time``."""
    return xr.apply_ufunc(lambda v: v[np.isfinite(v)][-1], values, input_core_dims=[["time"]], vectorize=True)
