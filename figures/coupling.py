"""The transformer's K* and t_ICL under many conditions, predicted by coupled circuits and by independent ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from ..validate import Claim
from ..validate.claim import SYMBOLS
from ..validate.values import Value
from . import picture, style
from .acquisition import draw as draw_times
from .acquisition import over, single_times
from .picture import Picture
from .results import Results, setting
from .scan import draw_accuracy, scans

EXPERIMENTS = ("coupling_conditions", "coupling_rates", "coupling_lengths", "coupling_beyond")
#: What a condition is named by: its coordinates, and what they are where nothing is changed.
_BASE = {
    "context_length": 15, "rate_ratio": 1.0, "dimension": 31.0, "width": 128, "attention_scale": 1.0, "copies": 1,
    "residual_scale": 1.0,
}  # fmt: skip


def condition(at: Mapping[str, object]) -> str:
    """N, and in what a condition differs from the others beside it."""
    changed = [
        f"{SYMBOLS[name]} = {at[name]:g}"
        for name, plain in _BASE.items()
        if name != "context_length" and at.get(name, plain) != plain
    ]
    return ", ".join([f"N = {at['context_length']}", *changed])


def by_place(results: Results) -> dict[tuple[tuple[str, object], ...], list[Claim]]:
    """Claims of K* of every condition, each condition once."""
    found: dict[tuple[tuple[str, object], ...], dict[str, Claim]] = {}
    for experiment in EXPERIMENTS:
        for claim in results.select(experiment=experiment, quantity="K*"):
            place = tuple(sorted((name, value) for name, value in claim.at.items()))
            found.setdefault(place, {}).setdefault(claim.method, claim)
    return {place: list(claims.values()) for place, claims in found.items()}


def draw_diagonal(
    predicted: Sequence[Value | None], measured: Sequence[Value | None], title: str, within: float,
    limits: tuple[float, float], ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Measured against predicted, each with its interval; the line y = x, and the band of the bar about it."""
    with style.axes(ax) as ax:
        line = np.array(limits)
        ax.plot(line, line, color=style.THEORY, linewidth=1.0)
        ax.fill_between(line, line / within, line * within, color=style.THEORY, alpha=0.15, linewidth=0)
        for said, seen in zip(predicted, measured, strict=True):
            for (x, x_low, x_high), (y, y_low, y_high) in zip(style.known([said]), style.known([seen]), strict=False):
                ends = [np.clip(one, limits[0] / 10, limits[1] * 10) for one in (x_low, x_high, y_low, y_high)]
                ax.errorbar(
                    x, y, xerr=[[x - ends[0]], [ends[1] - x]], yerr=[[y - ends[2]], [ends[3] - y]], fmt="o",
                    color=style.MEASURED, markersize=3, linewidth=0.7,
                )  # fmt: skip
        ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits, xlabel="$K^*$ predicted", ylabel="$K^*$ measured")
        ax.set_title(title)
        for axis in (ax.xaxis, ax.yaxis):
            style.plain_ticks(axis)
    return ax


def prepare_threshold(results: Results) -> Picture:
    places = by_place(results)
    if not places:
        raise results.missing(*EXPERIMENTS)
    every = [claim for claims in places.values() for claim in claims]
    methods = dict.fromkeys(claim.method for claim in every)
    values = [v for claim in every for one in (claim.predicted, claim.measured) for v, *_ in style.known([one])]
    limits = (0.6 * min(values, default=1.0), 1.6 * max(values, default=10.0))
    panels = []
    for method in methods:
        mine = [claim for claim in every if claim.method == method]
        ratios = [_ratio(claim) for claim in mine]
        near = sum(one <= (claim.bar or math.inf) for one, claim in zip(ratios, mine, strict=True))
        title = f"{method}: {near} of {len(mine)} within {(mine[0].bar or 1) * 100 - 100:.0f} %"
        panels.append(
            partial(draw_diagonal, [one.predicted for one in mine], [one.measured for one in mine], title,
                    mine[0].bar or 1.0, limits)
        )  # fmt: skip
    caption = (
        "K* of the transformer measured against K* predicted before training, one dot a condition (N, learning rates, "
        "D, width, roughness of the first attention, copies, residual); line: y = x, band: the bar. Above: the "
        "reduced transformer, whose circuits share the perceptron, with the memory's clock by its equations or of "
        "transformers trained on scrambled labels. Below: circuits that share nothing. "
        f"{picture.behind(results, every)}."
    )
    return Picture(caption, panels, height=2.6, columns=2)


def _ratio(claim: Claim) -> float:
    """By what factor the prediction is off; ∞ where either is not known."""
    known = [style.known([one]) for one in (claim.predicted, claim.measured)]
    if not all(known):
        return math.inf
    return math.exp(abs(math.log(known[0][0][0] / known[1][0][0])))


def prepare_accuracy(results: Results) -> Picture:
    found = [scan for name in EXPERIMENTS if results.select(experiment=name) for scan in scans(results, name)]
    if not found:
        raise results.missing(*EXPERIMENTS)
    panels = [
        partial(
            draw_accuracy, scan.runs, scan.predicted("K*", method="reduced transformer, scrambled clock"),
            title=condition(scan.at),
        )
        for scan in found
    ]  # fmt: skip
    caption = (
        "Final accuracy of the transformer on novel items with a copy in the context (ICL) and on training items "
        "without one (IWL) under every condition; lines are means. Dashed with band: K* of the reduced transformer "
        f"with the clock of scrambled networks. {'; '.join(picture.networks(scan.runs) for scan in found)}."
    )
    return Picture(caption, panels, columns=3, shared=False)


def prepare_acquisition(results: Results) -> Picture:
    found = results.datasets("coupling_acquisition", needs=["icl_accuracy", "time"])
    if not found:
        raise results.missing("coupling_acquisition")
    claims = results.select(experiment="coupling_acquisition", quantity="t_ICL")
    times = {float(setting(runs)["context_length"]): single_times(runs) for runs in found}
    predicted = {"reduced transformer": over(claims, "context_length")}
    caption = (
        "Acquisition time of the transformer at K → ∞: circles single networks, thin line medians; band: the reduced "
        "transformer from the statistics of initial weights and untrained perceptrons, no calibrated point. "
        f"{'; '.join(picture.networks(runs) for runs in found)}."
    )
    return Picture(caption, [partial(draw_times, {"networks": times}, predicted, title="transformer")])
