"""How networks end: two kinds near the threshold, and fractions by label statistics (paper, 6c, 6e, A8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

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
#: K and the value there, by (labels, network).
Series = Mapping[tuple[str, str], tuple[Sequence[float], Sequence[Value | None]]]


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
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))  # networks are whole
        if last:
            ax.set_xlabel(xlabel)
    return ax


def draw_fractions(
    measured: Series, predicted: Series, endless: float, title: str = "", ax: Axes | None = None
) -> Axes:
    """Points: fraction measured; dashes: predicted; over K, by (labels, network), such as ("iid", "minimal").

    K → ∞ stands at ``endless``.
    """
    with style.axes(ax) as ax:
        kinds = sorted({network for _, network in measured})
        for (labels, network), (k, values) in measured.items():
            words, colour = _LABELS[labels]
            name = words if len(kinds) == 1 else f"{words}, {network_words(network)}"
            turn = (0.97 if labels == "iid" else 1.03) * 1.06 ** kinds.index(network)
            at = np.where(np.isfinite(k), k, endless)
            marker = "o" if network == "minimal" else "s"
            style.plot_estimates(ax, at * turn, values, color=colour, fmt=marker, label=f"{name}, measured")
            theory = np.array([
                (x, height) for x, value in zip(at, predicted[labels, network][1], strict=True)
                for height, *_ in style.known([value])
            ])  # fmt: skip
            if theory.size:
                ax.plot(*theory.T, "_", color=colour, markersize=14, label=f"{name}, predicted")
        ax.axhline(0.5, color="0.7", linewidth=0.6, label="one half")
        ax.set(xscale="log", xlabel="task diversity $K$", ylabel="fraction acquiring ICL", ylim=(-0.03, 1.03))
        every = {float(k) for ks, _ in measured.values() for k in ks}
        ticks = sorted(k for k in every if np.isfinite(k))
        at_end = [endless] if np.inf in every else []
        ax.set_xticks([*ticks, *at_end], [*(f"{tick:g}" for tick in ticks), *("∞" for _ in at_end)])
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
    measured: dict[tuple[str, str], tuple[list[float], list[Value | None]]] = {}
    predicted: dict[tuple[str, str], tuple[list[float], list[Value | None]]] = {}
    for claim in claims:
        for table, value in ((measured, claim.measured), (predicted, claim.predicted)):
            k, values = table.setdefault((str(claim.at["labels"]), claim.network), ([], []))
            k.append(float(claim.at["task_diversity"]))  # pyright: ignore[reportArgumentType]
            values.append(value)
    largest = max((k for ks, _ in measured.values() for k in ks if np.isfinite(k)), default=100.0)
    parts = ["Fraction of networks that acquire ICL, for i.i.d. context labels and for exactly N/2 of each; intervals: "
             "Wilson's, 95 %."]  # fmt: skip
    if any(network == "minimal" for _, network in measured):
        parts.append(
            "With β0 ~ N(0, 1) balanced labels have a saddle at β = 0, so below 1/2 (grey) whatever K. "
            "Dashes: predicted from the networks' own β0 and perceptrons trained alone."
        )
    if any(network != "minimal" for _, network in measured):
        parts.append("Transformers: measured only; the theory says nothing of balanced labels there.")
    caption = " ".join([*parts, f"{picture.behind(results, claims)}."])
    lengths, budgets = ([claim.at[name] for claim in claims] for name in ("context_length", "budget"))
    kinds = " and ".join(sorted({network_words(network) for _, network in measured}))
    title = f"{kinds}, $N$ = {picture.span(lengths)}, $T$ = {picture.span(budgets)}"
    return Picture(caption, [partial(draw_fractions, measured, predicted, 3.0 * largest, title)])
