"""The transformer's K* and t_ICL under many conditions, predicted by coupled circuits and by independent ones."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from ..validate.claim import SYMBOLS
from ..validate.rivals import FEWEST, compare, conditions_of, predictors
from ..validate.values import Value
from . import picture, style
from .acquisition import draw as draw_times
from .acquisition import over, single_times
from .catalogue import FIGURES
from .picture import Picture
from .results import Results, setting
from .scan import Scan, draw_accuracy, scans

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


def draw_diagonal(
    predicted: Sequence[Value | None], measured: Sequence[Value | None], title: str, within: float,
    limits: tuple[float, float], ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Measured against predicted with intervals, at the edge if beyond it; y = x, and the band of the bar about it."""
    with style.axes(ax) as ax:
        line = np.array(limits)
        ax.plot(line, line, color=style.THEORY, linewidth=1.0)
        ax.fill_between(line, line / within, line * within, color=style.THEORY, alpha=0.15, linewidth=0)
        for said, seen in zip(predicted, measured, strict=True):
            for (x, x_low, x_high), (y, y_low, y_high) in zip(style.known([said]), style.known([seen]), strict=False):
                ends = [np.clip(one, limits[0] / 10, limits[1] * 10) for one in (x_low, x_high, y_low, y_high)]
                shown = min(max(x, limits[0]), limits[1])
                marker = "o" if shown == x else "<" if x < shown else ">"
                ax.errorbar(
                    shown, y, xerr=[[max(shown - ends[0], 0.0)], [max(min(ends[1], limits[1]) - shown, 0.0)]],
                    yerr=[[y - ends[2]], [ends[3] - y]], fmt=marker, color=style.MEASURED, markersize=3, linewidth=0.7,
                    clip_on=shown == x,
                )  # fmt: skip
        ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits, xlabel="$K^*$ predicted", ylabel="$K^*$ measured")
        ax.set_title(title)
        for axis in (ax.xaxis, ax.yaxis):
            style.plain_ticks(axis)
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0,)))  # more do not fit side by side
    return ax


def prepare_threshold(results: Results) -> Picture:
    claims = results.select(experiment=EXPERIMENTS, quantity="K*")
    known = conditions_of(claims, lambda experiment, label: _first(results.datasets(experiment, "calibration", label)))
    if sum(one.closed for one in known) < FEWEST:
        raise results.missing(*EXPERIMENTS)
    found = compare(known, predictors(known))
    measured = [one.measured for one in found.known]
    limits = 0.3 * min(one.value for one in measured), 3.0 * max(one.value for one in measured)
    bar = next(claim.bar or math.inf for claim in claims)
    panels = []
    for rival, said in zip(found.rivals, found.predicted, strict=True):
        if any(said):
            near = sum(_within(one, seen, bar) for one, seen in zip(said, measured, strict=True))
            fitted = f", {rival.fitted} fitted" if rival.fitted else ""
            name = textwrap.fill(f"{rival.name}{fitted}", 26)
            title = f"{name}\n{near} of {len(measured)} within {bar * 100 - 100:.0f} %"
            panels.append(partial(draw_diagonal, said, measured, title, bar, limits))
    left = f" {found.left_out} conditions whose scan does not cross K* are left out." if found.left_out else ""
    caption = (
        "K* of the transformer measured against K* predicted, one dot a condition (N, learning rates, D, width, "
        "roughness of the first attention, copies, residual), with intervals; line: y = x, band: the bar; a triangle "
        "is beyond the axis. Reduced transformer: circuits that share the perceptron. Perceptrons and scrambled "
        "transformers: circuits that share nothing. What a predictor fits, it fits to the other conditions."
        f"{left} {picture.behind(results, claims)}."
    )
    return Picture(caption, panels, height=2.2, columns=2)


def _first(found: Sequence[xr.Dataset]) -> xr.Dataset | None:
    return found[0] if found else None


def _within(said: Value | None, seen: Value, bar: float) -> bool:
    known = style.known([said, seen])
    return len(known) == 2 and bool(abs(np.log(known[0][0] / known[1][0])) <= math.log(bar))


def prepare_accuracy(results: Results) -> Picture:
    return _prepare_accuracy(results, EXPERIMENTS, "reduced transformer, scrambled clock", 2)


def prepare_paper_accuracy(results: Results) -> Picture:
    return _prepare_accuracy(results, FIGURES["accuracy_paper"].experiments, "reduced transformer", 2)


def _prepare_accuracy(results: Results, experiments: Sequence[str], method: str, columns: int) -> Picture:
    """One panel a scan; those that two experiments share are drawn once."""
    every = [scan for name in experiments if results.select(experiment=name) for scan in scans(results, name)]
    found = list({condition(scan.at): scan for scan in reversed(every)}.values())[::-1]
    if not found:
        raise results.missing(*experiments)
    panels = [
        partial(draw_accuracy, scan.runs, scan.predicted("K*", method=method), title=condition(scan.at))
        for scan in found
    ]
    caption = (
        "Final accuracy of the transformer on novel items with a copy in the context (ICL) and on training items "
        f"without one (IWL); lines are means. Dashed with band: K* of the {method}. {_together(found)}."
    )
    return Picture(caption, panels, height=2.2, columns=2, shared=False)


def _together(found: Sequence[Scan]) -> str:
    """The networks of all scans in one phrase: their number, and what they range over."""
    ranges = [
        f"{SYMBOLS[name]} = {picture.span([scan.at[name] for scan in found])}"
        for name in ("context_length", "dimension", "width", "budget")
    ]
    count = sum(scan.runs.sizes["task_diversity"] * scan.runs.sizes["seed"] for scan in found)
    return ", ".join([f"{count} transformers", *ranges])


def prepare_paper_acquisition(results: Results) -> Picture:
    (name,) = FIGURES["acquisition_paper"].experiments
    found = results.datasets(name, needs=["icl_accuracy", "time"])
    if not found:
        raise results.missing(name)
    series: dict[str, dict[float, np.ndarray]] = {}
    for runs in found:
        fixed = setting(runs)
        k = float(fixed["task_diversity"])
        told = "$K → ∞$" if math.isinf(k) else f"$K$ = {k:g}"
        series.setdefault(told, {})[float(fixed["context_length"])] = single_times(runs)
    claims = results.select(experiment=name, quantity="t_ICL").where("K == ∞")
    predicted = {
        method.removeprefix("reduced transformer").lstrip(", ") or "core terms": over(
            claims.select(method=method), "context_length"
        )
        for method in dict.fromkeys(claim.method for claim in claims)
    }
    caption = (
        "Acquisition time of a transformer of the paper's size: circles single networks, thin lines medians; bands: "
        "the reduced transformer at K → ∞, from initial weights and untrained perceptrons. "
        f"{'; '.join(picture.networks(runs) for runs in found)}."
    )
    return Picture(caption, [partial(draw_times, series, predicted, title="transformer, $D$ = 63, width 512")])


def prepare_acquisition(results: Results) -> Picture:
    found = results.datasets("coupling_acquisition", needs=["icl_accuracy", "time"])
    if not found:
        raise results.missing("coupling_acquisition")
    claims = results.select(experiment="coupling_acquisition", quantity="t_ICL")
    times = {float(setting(runs)["context_length"]): single_times(runs) for runs in found}
    predicted = {
        method.removeprefix("reduced transformer").lstrip(", ") or "core terms": over(
            claims.select(method=method), "context_length"
        )
        for method in dict.fromkeys(claim.method for claim in claims)
    }
    caption = (
        "Acquisition time of the transformer at K → ∞: circles single networks, thin line medians; bands: the reduced "
        "transformer with different terms, from initial weights and untrained perceptrons, no calibrated point. "
        f"{picture.networks(*found)}."
    )
    return Picture(caption, [partial(draw_times, {"networks": times}, predicted, title="reduced transformer")])
