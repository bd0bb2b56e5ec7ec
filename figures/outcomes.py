"""Outcomes near the threshold fall into two kinds (paper, figure 6c)."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..validate import accuracy_at, measure_bimodality
from . import describe, style
from .entry import Figure, Picture
from .results import Results, setting

_BINS = np.linspace(0.4, 1.0, 25).tolist()


def draw(accuracy: np.ndarray, ax: Axes | None = None, title: str = "", last: bool = True) -> Axes:
    """Histogram of final accuracies of many networks at one K, with the p-value of Hartigan's dip."""
    with style.axes(ax, 1.4) as ax:
        found = measure_bimodality(accuracy)
        ax.hist(accuracy, _BINS, color=style.ICL if found.p_value < 0.01 else "0.6", edgecolor="white", linewidth=0.4)
        p = "$p$ < 0.0001" if found.p_value < 1e-4 else f"$p$ = {found.p_value:.2g}"
        text = f"{title}\n$n$ = {accuracy.size}, dip {found.dip:.3f}, {p}"
        ax.text(0.03, 0.95, text, transform=ax.transAxes, va="top", fontsize=7)
        ax.set(xlim=(0.4, 1.02), ylabel="networks")
        ax.set_ylim(0, ax.get_ylim()[1] * 1.5)
        if last:
            ax.set_xlabel("final ICL accuracy")
    return ax


def prepare(results: Results) -> Picture:
    found = results.find("bimodality_*", "transformer_outcomes_k*", needs=["icl_accuracy", "time"])
    ordered = sorted(found.values(), key=lambda runs: (setting(runs)["network"], setting(runs)["task_diversity"]))
    panels = []
    for i, runs in enumerate(ordered):
        fixed = setting(runs)
        accuracy = accuracy_at(runs, fixed["budget"], _variable(runs)).values.ravel()
        name = "minimal model's circuit" if fixed["network"] == "minimal" else "transformer"
        title = f"{name}, N = {fixed['context_length']}, K = {fixed['task_diversity']:g}"
        panels.append(partial(draw, accuracy, title=title, last=i == len(ordered) - 1))
    caption = (
        "Final ICL accuracies of many networks near K* and far from it. Blue: two kinds, Hartigan's dip at p < 0.01. "
        f"{'; '.join(describe.networks(runs) for runs in ordered)}."
    )
    return Picture(caption, panels, height=1.35, columns=1)


def _variable(runs: xr.Dataset) -> str:
    return "circuit_accuracy" if setting(runs)["network"] == "minimal" else "icl_accuracy"


FIGURE = Figure("bimodality", "Two kinds of outcome near K*", prepare, ("6c",), ("bimodality", "transformer_outcomes"))
