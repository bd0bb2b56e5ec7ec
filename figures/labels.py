"""Balanced against i.i.d. context labels: the fraction that acquires ICL, over K (paper, figures 6e, A8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..theory import Estimate
from ..validate import acquisition_times, measure_plateau
from . import describe, style
from .entry import Figure, Picture
from .results import Results

_KINDS = {"iid": ("i.i.d. labels", style.ICL), "balanced": ("balanced labels", style.IWL)}
Series = Mapping[str, tuple[Sequence[float], Sequence[Estimate]]]


def draw(measured: Series, predicted: Series, endless: float, ax: Axes | None = None) -> Axes:
    """Points: fraction measured; lines: predicted; over K, by label statistics ("iid", "balanced").

    K → ∞ stands at ``endless``, joined to nothing.
    """
    with style.axes(ax) as ax:
        for kind, (words, colour) in _KINDS.items():
            k, values = predicted[kind]
            at = np.where(np.isfinite(k), k, endless)
            finite = np.isfinite(k)
            ax.plot(at[finite], [v.value for v, f in zip(values, finite, strict=True) if f], color=colour,
                    label=f"{words}, predicted")  # fmt: skip
            ax.plot(at[~finite], [v.value for v, f in zip(values, finite, strict=True) if not f], "_", color=colour,
                    markersize=14)  # fmt: skip
            k, values = measured[kind]
            at = np.where(np.isfinite(k), k, endless) * (1.03 if kind == "balanced" else 0.97)
            style.plot_estimates(ax, at, values, color=colour, label="measured")
        ax.axhline(0.5, color="0.7", linewidth=0.6)
        ax.set(xscale="log", xlabel="task diversity $K$", ylabel="fraction acquiring ICL", ylim=(-0.03, 1.03))
        ticks = [k for k in measured["iid"][0] if np.isfinite(k)]
        ax.set_xticks([*ticks, endless], [*(f"{tick:g}" for tick in ticks), "∞"])
        ax.xaxis.set_minor_formatter(style.NullFormatter())
        style.legend_above(ax)
    return ax


def prepare(results: Results) -> Picture:
    found = results.find("context_labels_iid*", "context_labels_balanced*", needs=["circuit_accuracy", "time"])
    measured: dict[str, tuple[list[float], list[Estimate]]] = {}
    predicted: dict[str, tuple[list[float], list[Estimate]]] = {}
    for kind in _KINDS:
        mine = {name: runs for name, runs in found.items() if name.startswith(f"context_labels_{kind}")}
        points = [point for runs in mine.values() for point in _fractions(runs)]
        points.sort(key=lambda point: point[0])
        measured[kind] = ([k for k, _ in points], [value for _, value in points])
        names = [kind if np.isinf(k) else f"{kind}_{k:g}" for k, _ in points]
        said = [(k, results.predicted("context_labels", n)) for (k, _), n in zip(points, names, strict=True)]
        predicted[kind] = ([k for k, one in said if one], [one for _, one in said if one])
    largest = max(k for k in measured["iid"][0] if np.isfinite(k)) if any(map(np.isfinite, measured["iid"][0])) else 100
    caption = (
        "Fraction of networks with β0 ~ N(0, 1) that acquire ICL, for i.i.d. context labels and for contexts with "
        "exactly N/2 of each, which have a saddle at β = 0: below 1/2 (grey) whatever K. Lines: predicted from the "
        "networks' own β0 and perceptrons trained alone; intervals: Wilson's, 95 %. "
        f"{'; '.join(describe.networks(runs) for runs in found.values())}."
    )
    return Picture(caption, [partial(draw, measured, predicted, 3.0 * largest)])


def _fractions(runs: xr.Dataset) -> list[tuple[float, Estimate]]:
    """K and the fraction that acquired there."""
    times = acquisition_times(runs, "circuit_accuracy")
    several = "task_diversity" in times.dims
    ks = runs.task_diversity.values.tolist() if several else [np.inf]
    chosen = [times.sel(task_diversity=k) if several else times for k in ks]
    return [(k, measure_plateau([1.0] * one.size, np.isfinite(one.values.ravel())).fraction)
            for k, one in zip(ks, chosen, strict=True)]  # fmt: skip


FIGURE = Figure("balanced_labels", "Balanced against i.i.d. labels", prepare, ("6e", "A8"), ("context_labels",))
