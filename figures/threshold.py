"""K* against what moves it: context length, learning rates, size, time of training (paper, figures 6a, A7, and new)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..theory import Estimate
from ..validate import Claim
from ..validate.claim import SYMBOLS, network_words
from ..validate.values import Value
from . import picture, style
from .catalogue import FIGURES, Figure
from .picture import Picture
from .results import Results
from .verdicts import is_bound

#: Words for the ways in which K* is predicted; of the others, their own names.
_WORDS = {
    "memory alone": r"predicted, $I_K(T) = I^*$",
    "coupled equations": "predicted, coupled equations",
    "repeated items": "predicted, repeated items",
}
#: Slopes without a level of their own, drawn through the measured point in the middle.
_SLOPES = {"paper": "the paper's $1/\\nu$", "1/ν": "$1/\\nu$ of perceptrons alone"}
#: The coordinate that K* stands over, and its axis.
_OVER_LENGTH = ("context_length", "context length $N$")
#: Of the minimal model the theory's own K* is the circuit's; of the transformer, the network's.
_PARTS = {"minimal": "circuit", "transformer": "whole"}


def draw(
    x: ArrayLike,
    measured: Sequence[Value | None],
    predicted: Mapping[str, Sequence[Value | None]],
    xlabel: str,
    rivals: Mapping[str, float] | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Points with intervals: K* measured; lines with bands: predicted, by label; dotted: rival slopes d ln K*/d ln x.

    A rival's line goes through the measured point in the middle.
    """
    at = np.asarray(x, dtype=float)
    with style.axes(ax) as ax:
        for (label, values), colour in zip(
            predicted.items(), (style.THEORY, style.ICL, style.OTHER, "#56B4E9"), strict=False
        ):
            style.plot_band(ax, at, values, color=colour, label=label)
        style.plot_estimates(ax, at, measured, label="measured", zorder=5)
        middle = len(at) // 2
        for (label, slope), dashes in zip((rivals or {}).items(), (":", "-."), strict=False):
            for value, *_ in style.known(measured[middle : middle + 1]):
                ax.plot(at, value * (at / at[middle]) ** slope, color=style.IWL, linestyle=dashes, label=label)
        finite = style.known([*measured, *(value for values in predicted.values() for value in values)])
        style.logarithmic(ax, len(finite), "the scans cross no threshold")
        ax.set(xlabel=xlabel, ylabel="threshold $K^*$")
        style.label_ticks(ax, at, most=7)
        style.legend_above(ax, title, 2)
    return ax


def _panel(
    results: Results, experiments: Sequence[str], variable: str, xlabel: str, title: str = ""
) -> tuple[partial[Axes], list[Claim]] | None:
    """K* of experiments against a coordinate, with every prediction of it; None for fewer than two places."""
    places: dict[float, list[Claim]] = {}
    for claim in (selected for name in experiments for selected in results.select(experiment=name, quantity="K*")):
        x = _clock(results, claim) if variable == "clock" else claim.at.get(variable)
        if claim.part == _PARTS[claim.network] and isinstance(x, int | float) and math.isfinite(x):
            places.setdefault(x, []).append(claim)
    if len(places) < 2:
        return None
    x = sorted(places)
    claims = [claim for at in x for claim in places[at]]
    methods = dict.fromkeys(claim.method for claim in claims if claim.predicted is not None)
    predicted = {
        _WORDS.get(method, fill(f"from {method}", 30)): [
            next((c.predicted for c in places[at] if c.method == method and not is_bound(c.predicted)), None)
            for at in x
        ]
        for method in methods
    }
    predicted = {label: values for label, values in predicted.items() if style.known(values)}
    rivals = {
        fill(claim.method, 30): claim.at["rival"]
        for name in experiments
        for claim in results.select(experiment=name, quantity=f"d ln K*/d ln {SYMBOLS[variable]} is not the rival's")
    }
    measured = [places[at][0].measured for at in x]
    title = title or network_words(claims[0].network).replace("_", " ")
    ends = [claim.at["budget"] for claim in claims if isinstance(claim.at.get("budget"), int | float)]
    title += f", T = {picture.span(ends)}" if ends and variable != "budget" else ""
    return partial(draw, x, measured, predicted, xlabel, rivals=rivals, title=title), claims


def _clock(results: Results, claim: Claim) -> float:
    """I* as predicted for the networks of a claim, to a tenth."""
    clocks = [
        other.predicted
        for other in results.select(experiment=claim.experiment, quantity="I*")
        if other.data == claim.data
    ]
    return next((round(value, 1) for value, *_ in style.known(clocks)), math.inf)


def _prepare(results: Results, figure: Figure, panels: Mapping[str, tuple[str, ...]], words: str) -> Picture:
    """One panel for each of the experiments that the folder holds."""
    made = [drawn for name, how in panels.items() if (drawn := _panel(results, (name,), *how)) is not None]
    if not made:
        raise results.missing(*figure.experiments)
    described = "; ".join(picture.behind(results, claims) for _, claims in made)
    return Picture(f"{words} {described}.", [panel for panel, _ in made])


def prepare_minimal(results: Results) -> Picture:
    caption = (
        "Task diversity above which the ICL circuit reaches 95 %, against context length. Lines with bands: predicted "
        "from perceptrons trained alone, no fit."
    )
    return _prepare(results, FIGURES["threshold_minimal"], {"threshold": _OVER_LENGTH}, caption)


def prepare_transformer(results: Results) -> Picture:
    caption = (
        "Task diversity above which the transformer learns in context, against context length. Lines with bands: from "
        "I* = t_ICL(K → ∞)/2 of other seeds and a memory's clock (perceptrons alone, or the transformer with scrambled "
        "context labels), or from one point and 1/ν."
    )
    return _prepare(
        results,
        FIGURES["threshold_transformer"],
        {"transformer_scaling": _OVER_LENGTH},
        caption,
    )


def prepare_paper(results: Results) -> Picture:
    caption = (
        "Task diversity above which a transformer of the paper's size learns in context, against context length. Lines "
        "with bands: predicted by the reduced transformer, whose circuits share the perceptron, and by independent "
        "circuits; nothing is fitted."
    )
    figure = FIGURES["threshold_paper"]
    panel = _panel(results, figure.experiments, *_OVER_LENGTH)
    if panel is None:
        raise results.missing(*figure.experiments)
    draw_panel, claims = panel
    slopes = list(results.select(experiment="paper_exponent", quantity="d ln K*/d ln N"))
    reported = {
        f"slope {slope.predicted.value:.2f}, {_SLOPES[slope.method]}": slope.predicted.value
        for slope in slopes
        if slope.method in _SLOPES and isinstance(slope.predicted, Estimate)
    }
    for value, low, high in style.known([slopes[0].measured] if slopes else []):
        caption += f" Measured slope {value:.2f} [{low:.2f}, {high:.2f}]."
    described = picture.behind(results, [*claims, *slopes])
    return Picture(f"{caption} {described}.", [partial(draw_panel, rivals=reported)])


def prepare_kinetics(results: Results) -> Picture:
    caption = (
        "Kinetics or capacity? Same capacity: the memory learns r times as fast with the same parameters. Same "
        "kinetics: the perceptron has more parameters, with rates chosen beforehand so that its clock is the same. "
        "Solid, with bands: kinetics, predicted, for the minimal model from perceptrons trained alone, for the "
        "transformer (rate ratios, and smoother first attention) from one K* of other seeds, I* at K → ∞ under each "
        "change and ν of scrambled transformers. Dotted: what a capacity would say, through the middle point."
    )
    panels = {
        "kinetics": ("rate_ratio", "learning rate of memory over attention, $r$", "same capacity"),
        "capacity": ("parameters", "parameters of the perceptron", "same kinetics"),
        "transformer_kinetics": ("clock", "reading $I^*$ that ICL needs (time)", "transformer, same capacity"),
        "transformer_rates": (
            "rate_ratio", "learning rate of memory over attention, $r$", "transformer, same capacity"
        ),
    }  # fmt: skip
    return _prepare(results, FIGURES["kinetics_or_capacity"], panels, caption)


def prepare_budget(results: Results) -> Picture:
    how = ("budget", "time at which training ends, $T$")
    caption = "K* depends on when training ends: the same networks, read at several T. Lines: predicted."
    return _prepare(
        results, FIGURES["threshold_budget"], dict.fromkeys(FIGURES["threshold_budget"].experiments, how), caption
    )


def draw_rungs(
    rungs: Mapping[str, Value | None], measured: Value | None, xlabel: str, title: str = "", ax: Axes | None = None
) -> Axes:
    """One row a rung: predicted with its interval; vertical line and band: measured."""
    with style.axes(ax) as ax:
        rows = np.arange(len(rungs))[::-1]
        for row, rung in zip(rows, rungs.values(), strict=True):
            for value, low, high in style.known([rung]):
                ax.errorbar(value, row, xerr=[[value - low], [(high if np.isfinite(high) else value) - value]], fmt="o",
                            color=style.THEORY, capsize=2, linewidth=1.0)  # fmt: skip
        style.mark(ax, measured, "measured", color=style.MEASURED, linestyle="-", alpha=0.18)
        ax.set(xscale="log", xlabel=xlabel, yticks=rows, ylim=(-0.6, len(rungs) - 0.4))
        ax.set_yticklabels(list(rungs))
        style.plain_ticks(ax.xaxis)
        ax.plot([], [], "o", color=style.THEORY, label="predicted")
        style.legend_above(ax, title)
    return ax


def prepare_audit(results: Results) -> Picture:
    claims = results.select(experiment="audit", quantity="K*")
    if not claims:
        raise results.missing("audit")
    rungs = {claim.method.replace(", ", ",\n"): claim.predicted for claim in claims}
    caption = (
        "Are the two circuits independent? Threshold K* of the transformer predicted from the clock of memories that "
        "say more and more of its own (perceptrons alone; transformers with scrambled context labels, their attention "
        "held where it starts, or trained whole), each with I* = t_ICL(K → ∞)/2 of other seeds, or I* read off the "
        "clock at a large K; what is left between the last rungs and the measurement (green) is the coupling of the "
        f"circuits. {picture.behind(results, claims)}."
    )
    at = claims[0].at
    title = f"{network_words(claims[0].network)}, N = {at['context_length']}, T = {at['budget']:g}"
    return Picture(caption, [partial(draw_rungs, rungs, claims[0].measured, "threshold $K^*$", title)])
