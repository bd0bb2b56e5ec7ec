"""The transformer's K* and t_ICL under many conditions, predicted by coupled circuits and by independent ones."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from ..validate.rivals import FEWEST, compare, conditions_of, predictors
from ..validate.values import Value
from . import picture, style
from .acquisition import by_method, single_times
from .acquisition import draw as draw_times
from .catalogue import FIGURES
from .picture import Picture
from .results import Results, setting

EXPERIMENTS = ("coupling_conditions", "coupling_rates", "coupling_lengths", "coupling_beyond")


def draw_diagonal(
    predicted: Sequence[Value | None], measured: Sequence[Value | None], title: str, within: float,
    limits: tuple[float, float], ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Measured against predicted with intervals, at the edge if beyond it; y = x, and the band of the bar about it."""
    with style.axes(ax) as ax:
        line = np.array(limits)
        ax.plot(line, line, color=style.THEORY, linewidth=1.0)
        ax.fill_between(line, line / within, line * within, color=style.THEORY, alpha=0.15, linewidth=0)
        for forecast, observed in zip(predicted, measured, strict=True):
            for (x, x_low, x_high), (y, y_low, y_high) in zip(
                style.known([forecast]), style.known([observed]), strict=False
            ):
                ends = [np.clip(end, limits[0] / 10, limits[1] * 10) for end in (x_low, x_high, y_low, y_high)]
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
    if sum(entry.closed for entry in known) < FEWEST:
        raise results.missing(*EXPERIMENTS)
    comparison = compare(known, predictors(known))
    measured = [entry.measured for entry in comparison.known]
    limits = 0.3 * min(estimate.value for estimate in measured), 3.0 * max(estimate.value for estimate in measured)
    bar = next(claim.bar or math.inf for claim in claims)
    panels = []
    for rival, forecast in zip(comparison.rivals, comparison.predicted, strict=True):
        if any(forecast):
            near = sum(_within(predicted, seen, bar) for predicted, seen in zip(forecast, measured, strict=True))
            fitted = f", {rival.fitted} fitted" if rival.fitted else ""
            name = textwrap.fill(f"{rival.name}{fitted}", 26)
            title = f"{name}\n{near} of {len(measured)} within {bar * 100 - 100:.0f} %"
            panels.append(partial(draw_diagonal, forecast, measured, title, bar, limits))
    left = (
        f" {comparison.left_out} conditions whose scan does not cross K* are left out." if comparison.left_out else ""
    )
    caption = (
        "K* of the transformer measured against K* predicted, one dot a condition (N, learning rates, D, width, "
        "roughness of the first attention, copies, residual), with intervals; line: y = x, band: the bar; a triangle "
        "is beyond the axis. Reduced transformer: circuits that share the perceptron. Perceptrons and scrambled "
        "transformers: circuits that share nothing. What a predictor fits, it fits to the other conditions."
        f"{left} {picture.behind(results, claims)}."
    )
    return Picture(caption, panels, height=2.2, columns=2)


def _first(datasets: Sequence[xr.Dataset]) -> xr.Dataset | None:
    return datasets[0] if datasets else None


def _within(forecast: Value | None, observed: Value, bar: float) -> bool:
    known = style.known([forecast, observed])
    return len(known) == 2 and bool(abs(np.log(known[0][0] / known[1][0])) <= math.log(bar))


def prepare_acquisition(results: Results) -> Picture:
    caption = (
        "Acquisition time of the transformer at K → ∞: circles single networks, thin line medians; bands: the reduced "
        "transformer with different terms, from initial weights and untrained perceptrons, no calibrated point."
    )
    return _times(results, "coupling_acquisition", caption, "transformer, $K → ∞$", lambda _: "networks")


def prepare_paper_acquisition(results: Results) -> Picture:
    caption = (
        "Acquisition time of a transformer of the paper's size: circles single networks, thin lines medians; bands: "
        "the reduced transformer at K → ∞, from initial weights and untrained perceptrons."
    )
    title = "transformer, $D$ = 63, width 512"
    return _times(
        results, "acquisition_paper", caption, title, lambda k: "$K → ∞$" if math.isinf(k) else f"$K$ = {k:g}"
    )


def _times(results: Results, figure: str, caption: str, title: str, label: Callable[[float], str]) -> Picture:
    """t_ICL of single networks over N, in a series for each label of K, and at K → ∞ as every set of terms has it."""
    (name,) = FIGURES[figure].experiments
    datasets = results.datasets(name, needs=["icl_accuracy", "time"])
    if not datasets:
        raise results.missing(name)
    series: dict[str, dict[float, np.ndarray]] = {}
    for runs in datasets:
        fixed = setting(runs)
        series.setdefault(label(float(fixed["task_diversity"])), {})[float(fixed["context_length"])] = single_times(
            runs
        )
    claims = results.select(experiment=name, quantity="t_ICL").where("K == ∞")
    predicted = by_method(claims, "context_length")
    return Picture(f"{caption} {picture.networks(*datasets)}.", [partial(draw_times, series, predicted, title=title)])
