"""ICL accuracy against time: abrupt, at a time of each seed's own (paper, figure 2d)."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from . import describe, style
from .entry import Figure, Picture
from .results import Results, setting


def draw(
    runs: xr.Dataset,
    learning_rate: float,
    predicted: float | None = None,
    accuracy: str = "icl_accuracy",
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """One line a network; the upper axis counts steps; vertical line: a predicted time of acquisition.

    Parameters
    ----------
    runs : Dataset with the named accuracy over (seed, time)
    learning_rate : float
    predicted : float, optional
        Gradient-flow time.
    """
    with style.axes(ax) as ax:
        for seed, colour in zip(runs.seed.values, style.shades(runs.seed.values), strict=True):
            ax.plot(runs.time, runs[accuracy].sel(seed=seed), color=colour, linewidth=0.9)
        if predicted is not None and np.isfinite(predicted):
            ax.axvline(predicted, color=style.THEORY, linestyle="--", label=r"predicted $t_{ICL}$")
            ax.legend(loc="upper left")
        ax.axhline(0.95, color="0.7", linewidth=0.6)
        ax.set(xlabel="gradient-flow time $t$", ylabel="ICL accuracy", ylim=(0.4, 1.03))
        steps = ax.secondary_xaxis(
            "top", functions=(partial(np.multiply, 1 / learning_rate), partial(np.multiply, learning_rate))
        )
        steps.set_xlabel(f"steps{title and f'   ({title})'}")
    return ax


def _panel(runs: xr.Dataset, predicted: float | None) -> partial[Axes]:
    fixed = setting(runs)
    accuracy = "circuit_accuracy" if fixed["network"] == "minimal" else "icl_accuracy"
    name = "minimal model" if fixed["network"] == "minimal" else "transformer"
    return partial(draw, runs, fixed["learning_rate"], predicted, accuracy, title=f"{name}, $K → ∞$")


def prepare(results: Results) -> Picture:
    runs = results.one_of("audit_endless", needs=["icl_accuracy"])
    panels, captions = [_panel(runs, None)], [describe.networks(runs)]
    for name, dataset in results.find("acquisition_time_n*", needs=["circuit_accuracy"]).items():
        predicted = results.predicted("acquisition_time", name.removeprefix("acquisition_time_"))
        if set(dataset.sizes) == {"seed", "time"} and np.isfinite(predicted.value if predicted else np.nan):
            panels.append(_panel(dataset, predicted.value if predicted else None))
            captions.append(f"{describe.networks(dataset)}; ICL circuit, dashed: predicted without a fit")
            break
    caption = "ICL accuracy against time, one line a seed; grey line: 95 %. " + ". ".join(captions) + "."
    return Picture(caption, panels)


FIGURE = Figure(
    "learning_curves",
    "ICL is acquired abruptly, at a time of each seed's own",
    prepare,
    paper=("2d", "3"),
    experiments=("audit", "acquisition_time"),
)
