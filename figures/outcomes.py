"""How networks end: two kinds near the threshold, and fractions by label statistics (paper, 6c, 6e, A8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..validate import PValue, accuracy_at, acquisition_times, measure_bimodality
from ..validate.claim import network_words
from ..validate.experiments.outcomes import FINAL, KINDS, TIME
from ..validate.values import Value
from . import picture, style
from .acquisition import accuracy_of
from .catalogue import FIGURES
from .picture import Picture
from .results import Results, setting

_ACCURACY = (0.4, 1.0)
#: Of the minimal model its circuit's outcomes are shown.
_PARTS = {"minimal": "circuit", "transformer": "whole"}
_LABELS = {"iid": ("i.i.d. labels", style.ICL), "balanced": ("balanced labels", style.IWL)}
Series = Mapping[str, tuple[Sequence[float], Sequence[Value | None]]]


def draw(
    samples: np.ndarray,
    dip: PValue | None = None,
    ax: Axes | None = None,
    title: str = "",
    last: bool = True,
    span: tuple[float, float] = _ACCURACY,
    xlabel: str = "final ICL accuracy",
) -> Axes:
    """Histogram of an outcome of many networks at one K, with Hartigan's dip: as claimed, or else of the samples."""
    if dip is None:
        modes = measure_bimodality(samples)
        dip = PValue(modes.p_value, "Hartigan's dip", modes.dip)
    with style.axes(ax, 1.4) as ax:
        colour = style.ICL if dip.p < 0.01 else "0.6"
        ax.hist(samples, np.linspace(*span, 25).tolist(), color=colour, edgecolor="white", linewidth=0.4)
        p = "$p$ < 0.0001" if dip.p < 1e-4 else f"$p$ = {dip.p:.2g}"
        text = f"$n$ = {samples.size}, dip {dip.statistic:.3f}, {p}"
        ax.text(0.03, 0.95, text, transform=ax.transAxes, va="top", fontsize=6)
        ax.set_title(title, fontsize=7, loc="left")
        ax.set(xlim=(span[0], span[1] + 0.03 * (span[1] - span[0])), ylabel="networks")
        ax.set_ylim(0, ax.get_ylim()[1] * 1.3)
        if last:
            ax.set_xlabel(xlabel)
    return ax


def draw_fractions(
    measured: Series, predicted: Series, endless: float, title: str = "", ax: Axes | None = None
) -> Axes:
    """Points: fraction measured; lines: predicted; over K, by label statistics ("iid", "balanced").

    K → ∞ stands at ``endless``, joined to nothing.
    """
    with style.axes(ax) as ax:
        for (labels, (words, colour)), turn in zip(_LABELS.items(), (0.97, 1.03), strict=True):
            if not measured[labels][0]:
                continue
            k, values = predicted[labels]
            for finite in (True, False):
                pairs = [
                    (x if finite else endless, v) for x, v in zip(k, values, strict=True) if np.isfinite(x) == finite
                ]
                heights = [value for value, *_ in style.known(v for _, v in pairs)]
                options: dict[str, Any] = {"marker": "_", "markersize": 14, "ls": ""}
                options = {"label": f"{words}, predicted"} if finite else options
                ax.plot([x for x, _ in pairs], heights, color=colour, **options)
            k, values = measured[labels]
            at = np.where(np.isfinite(k), k, endless) * turn
            style.plot_estimates(ax, at, values, color=colour, label=f"{words}, measured")
        for labels in measured.keys() - _LABELS.keys():
            k, values = measured[labels]
            at = np.where(np.isfinite(k), k, endless) * 1.1
            style.plot_estimates(ax, at, values, color=style.MEASURED, fmt="s", label=labels)
        ax.axhline(0.5, color="0.7", linewidth=0.6, label="one half")
        ax.set(xscale="log", xlabel="task diversity $K$", ylabel="fraction acquiring ICL", ylim=(-0.03, 1.03))
        ticks = [k for k in measured["iid"][0] if np.isfinite(k)]
        ax.set_xticks([*ticks, endless], [*(f"{tick:g}" for tick in ticks), "∞"])
        ax.xaxis.set_minor_formatter(style.NullFormatter())
        style.legend_above(ax, title)
    return ax


def prepare(results: Results) -> Picture:
    claimed: dict[tuple[str, ...], dict[str, PValue]] = {}
    datasets: dict[tuple[str, ...], xr.Dataset] = {}
    for claim in results.select(experiment=list(FIGURES["bimodality"].experiments), quantity=KINDS):
        key = (claim.experiment, *claim.data)
        if claim.part != _PARTS.get(claim.network, "whole") or not (
            behind := results.behind(claim, needs=["icl_accuracy", "time"])
        ):
            continue
        datasets[key] = behind[0]
        if isinstance(claim.measured, PValue):
            claimed.setdefault(key, {})[str(claim.at["outcome"])] = claim.measured
    if not datasets:
        raise results.missing(*FIGURES["bimodality"].experiments)
    keys = sorted(
        datasets, key=lambda key: (setting(datasets[key])["network"], setting(datasets[key])["task_diversity"])
    )
    panels = []
    for key in keys:
        runs, fixed, dips, last = datasets[key], setting(datasets[key]), claimed.get(key, {}), key == keys[-1]
        network = fixed["network"]
        name = "minimal model's circuit" if network == "minimal" else network_words(network)
        title = f"{name}, $N$ = {fixed['context_length']}, $K$ = {fixed['task_diversity']:g}, $T$ = {fixed['budget']:g}"
        accuracy, budget = accuracy_of(runs), fixed["budget"]
        times = acquisition_times(runs, accuracy).values.ravel()
        times, ends = np.where(np.isfinite(times), times, budget), accuracy_at(runs, budget, accuracy).values.ravel()
        panels += [
            partial(
                draw,
                times,
                dips.get(TIME),
                title=title,
                last=last,
                span=(0.0, budget),
                xlabel="time to acquire ICL\n($T$: not by the end)",
            ),
            partial(draw, ends, dips.get(FINAL), last=last),
        ]
    caption = (
        "Left: t_ICL of many networks near K* and far from it, a network that never acquires ICL standing at the "
        "budget. Right: their final ICL accuracies. Blue: two kinds, Hartigan's dip at p < 0.01. "
        f"{picture.networks(*(datasets[key] for key in keys))}."
    )
    return Picture(caption, panels, height=1.5, columns=2, shared=False)


def prepare_labels(results: Results) -> Picture:
    claims = results.select(experiment=list(FIGURES["balanced_labels"].experiments), quantity="fraction acquiring ICL")
    claims = [claim for claim in claims if isinstance(claim.at["task_diversity"], int | float)]
    if not claims:
        raise results.missing(*FIGURES["balanced_labels"].experiments)
    claims.sort(key=lambda claim: float(claim.at["task_diversity"]))  # pyright: ignore[reportArgumentType]
    measured: dict[str, tuple[list[float], list[Value | None]]] = {labels: ([], []) for labels in _LABELS}
    predicted: dict[str, tuple[list[float], list[Value | None]]] = {labels: ([], []) for labels in _LABELS}
    for claim in claims:
        labels = str(claim.at["labels"])
        key = labels if claim.network == "minimal" else f"{_LABELS[labels][0]}, {network_words(claim.network)}"
        for table, value in ((measured, claim.measured), (predicted, claim.predicted)):
            k, values = table.setdefault(key, ([], []))
            k.append(float(claim.at["task_diversity"]))  # pyright: ignore[reportArgumentType]
            values.append(value)
    largest = max((k for k in measured["iid"][0] if np.isfinite(k)), default=100.0)
    caption = (
        "Fraction of networks with β0 ~ N(0, 1) that acquire ICL, for i.i.d. context labels and for contexts with "
        "exactly N/2 of each, which have a saddle at β = 0: below 1/2 (grey) whatever K. Lines: predicted from the "
        "networks' own β0 and perceptrons trained alone; intervals: Wilson's, 95 %. "
        f"{picture.behind(results, claims)}."
    )
    lengths, budgets = ([claim.at[name] for claim in claims] for name in ("context_length", "budget"))
    title = f"$N$ = {picture.span(lengths)}, $T$ = {picture.span(budgets)}"
    return Picture(caption, [partial(draw_fractions, measured, predicted, 3.0 * largest, title)])
