"""K* by two estimators that share no assumption, and how sharp it is: variance over seeds and Binder's cumulant."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from functools import partial

from matplotlib.axes import Axes

from ..theory import Estimate
from ..validate.measure.binder import binder_cumulant, crossing
from ..validate.measure.susceptibility import Susceptibility, susceptibility
from ..validate.values import Value
from . import picture, style
from .catalogue import FIGURES
from .picture import Picture
from .results import Results
from .scan import Scan, last, scans

#: (K, one estimate at each).
Curve = tuple[list[float], list[Estimate]]


def draw_variances(variances: Mapping[int, tuple[list[float], Susceptibility]], ax: Axes | None = None) -> Axes:
    """χ(K) of every N."""
    with style.axes(ax) as ax:
        for (n, (k, measured)), color in zip(variances.items(), style.shades(list(variances)), strict=True):
            ax.plot(k, measured.variance, "o-", color=color, label=f"$N$ = {n}")
        ax.set(xscale="log", yscale="log", xlabel="task diversity $K$", ylabel="variance over seeds $\\chi$")
        style.plain_ticks(ax.xaxis)
        style.legend_above(ax, columns=4)
    return ax


def draw_cumulants(cumulants: Mapping[int, Curve], ax: Axes | None = None) -> Axes:
    """U(K) of every N with its intervals; the value of an ordered network is 2/3, that of Gaussian chance 0."""
    with style.axes(ax) as ax:
        for (n, (k, curve)), color in zip(cumulants.items(), style.shades(list(cumulants)), strict=True):
            value = [point.value for point in curve]
            sides = [[point.value - point.low for point in curve], [point.high - point.value for point in curve]]
            ax.errorbar(k, value, yerr=sides, fmt="o-", color=color, capsize=2, linewidth=1.0, label=f"$N$ = {n}")
        for level, words in ((0.0, "Gaussian"), (2 / 3, "all alike")):
            ax.axhline(level, color=style.THEORY, linestyle=":", linewidth=0.8)
            ax.annotate(words, (0.01, level), xycoords=("axes fraction", "data"), xytext=(0, 2), fontsize=6,
                        textcoords="offset points", color=style.THEORY)  # fmt: skip
        ax.set(xscale="log", ylim=(-1.0, 0.9), xlabel="task diversity $K$", ylabel="Binder's cumulant $U$")
        style.plain_ticks(ax.xaxis)
    return ax


def draw_peaks(peaks: Mapping[int, Estimate], sigmoids: Mapping[int, Value | None], title: str = "",
               ax: Axes | None = None) -> Axes:  # fmt: skip
    """K of the largest variance beside K* of the sigmoid, over N; an open interval is a point without a bar there."""
    with style.axes(ax) as ax:
        shown = [Estimate(peak.value, peak.low or peak.value, peak.high if peak.high < math.inf else peak.value)
                 for peak in peaks.values()]  # fmt: skip
        style.plot_estimates(ax, [n * 0.97 for n in sigmoids], list(sigmoids.values()), label="sigmoid $K^*$")
        style.plot_estimates(ax, [n * 1.03 for n in peaks], shown, label="largest variance", color=style.OTHER, fmt="s")
        ax.set(xscale="log", yscale="log", xlabel="context length $N$", ylabel="threshold $K^*$")
        style.label_ticks(ax, list(peaks))
        style.plain_ticks(ax.yaxis)
        style.legend_above(ax, title)
    return ax


def _measured(scan: Scan) -> tuple[list[float], Susceptibility, list[Estimate]]:
    ends = last(scan.runs.icl_accuracy).transpose("task_diversity", "seed")
    k = ends.task_diversity.values.astype(float).tolist()
    return k, susceptibility(k, ends.values), [binder_cumulant(row) for row in ends.values]


def _peak(n: int, measured: Susceptibility) -> str:
    peak = f"{measured.peak.value:g} at N = {n}"
    return peak if measured.claimed else f"{peak} (no peak: p = {measured.p_value:.2g})"


def prepare(results: Results) -> Picture:
    scanned = scans(results, *FIGURES["susceptibility"].experiments)
    of = {int(scan.at["context_length"]): scan for scan in scanned}
    measured = {n: _measured(scan) for n, scan in of.items()}
    variances = {n: (k, estimates) for n, (k, estimates, _) in measured.items()}
    curves = {n: (k, curve) for n, (k, _, curve) in measured.items()}
    peaks = ", ".join(_peak(n, estimates) for n, (_, estimates) in variances.items())
    crossed = [
        f"N = {n} and {m} at K = {at.value:.0f}"
        for (n, curve), (m, other) in itertools.combinations(curves.items(), 2)
        if (at := crossing(curve, other)) is not None
    ]
    caption = (
        "The K at which the final ICL accuracy a varies most between seeds, beside the midpoint of a sigmoid in ln K; "
        f"largest variance: {peaks}. Bars: 95 % over seeds, at "
        "least the neighbours in the scan, none where that is open. Binder's cumulant of m = 2a − 1: 0 for Gaussian m "
        "about chance, 2/3 (dotted) where every seed is alike; bars below the axis are cut off. Curves cross within "
        f"their intervals: {', '.join(crossed) or 'no two can be told to'}. "
        f"{picture.networks(*(scan.runs for scan in scanned))}."
    )
    panels = [
        partial(draw_variances, variances),
        partial(draw_cumulants, curves),
        partial(
            draw_peaks,
            {n: estimates.peak for n, (_, estimates) in variances.items()},
            {n: scan.claims.select(quantity="K*")[0].measured for n, scan in of.items()},
            title=f"T = {picture.span([scan.at['budget'] for scan in scanned])}",
        ),
    ]
    return Picture(caption, panels, height=2.0)
