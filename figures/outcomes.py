"""Outcomes near the threshold fall into two kinds: t_ICL, and final accuracies (paper, figure 6c)."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..validate import accuracy_at, acquisition_times, measure_bimodality
from . import describe, style
from .entry import Figure, Picture
from .results import Results, setting

_ACCURACY = (0.4, 1.0)


def draw(
    samples: np.ndarray,
    ax: Axes | None = None,
    title: str = "",
    last: bool = True,
    span: tuple[float, float] = _ACCURACY,
    xlabel: str = "final ICL accuracy",
) -> Axes:
    """Histogram of an outcome of many networks at one K, with the p-value of Hartigan's dip."""
    with style.axes(ax, 1.4) as ax:
        found = measure_bimodality(samples)
        colour = style.ICL if found.p_value < 0.01 else "0.6"
        ax.hist(samples, np.linspace(*span, 25).tolist(), color=colour, edgecolor="white", linewidth=0.4)
        p = "$p$ < 0.0001" if found.p_value < 1e-4 else f"$p$ = {found.p_value:.2g}"
        text = f"$n$ = {samples.size}, dip {found.dip:.3f}, {p}"
        ax.text(0.03, 0.95, text, transform=ax.transAxes, va="top", fontsize=6)
        ax.set_title(title, fontsize=7, loc="left")
        ax.set(xlim=(span[0], span[1] + 0.03 * (span[1] - span[0])), ylabel="networks")
        ax.set_ylim(0, ax.get_ylim()[1] * 1.3)
        if last:
            ax.set_xlabel(xlabel)
    return ax


def prepare(results: Results) -> Picture:
    found = results.find("bimodality_*", "transformer_outcomes_k*", needs=["icl_accuracy", "time"])
    ordered = sorted(found.values(), key=lambda runs: (setting(runs)["network"], setting(runs)["task_diversity"]))
    panels = []
    for i, runs in enumerate(ordered):
        fixed = setting(runs)
        variable, budget, last = _variable(runs), fixed["budget"], i == len(ordered) - 1
        name = "minimal model's circuit" if fixed["network"] == "minimal" else "transformer"
        title = f"{name}, $N$ = {fixed['context_length']}, $K$ = {fixed['task_diversity']:g}"
        times = acquisition_times(runs, variable).values.ravel()
        times = np.where(np.isfinite(times), times, budget)
        panels.append(partial(draw, times, title=title, last=last, span=(0.0, budget), xlabel="$t_{ICL}$"))
        panels.append(partial(draw, accuracy_at(runs, budget, variable).values.ravel(), last=last))
    caption = (
        "Left: t_ICL of many networks near K* and far from it, a network that never acquires ICL standing at the "
        "budget. Right: their final ICL accuracies. Blue: two kinds, Hartigan's dip at p < 0.01. "
        f"{'; '.join(describe.networks(runs) for runs in ordered)}."
    )
    return Picture(caption, panels, height=1.5, columns=2, shared=False)


def _variable(runs: xr.Dataset) -> str:
    return "circuit_accuracy" if setting(runs)["network"] == "minimal" else "icl_accuracy"


FIGURE = Figure("bimodality", "Two kinds of outcome near K*", prepare, ("6c",), ("bimodality", "transformer_outcomes"))
