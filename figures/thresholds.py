"""K* against what moves it: context length, learning rates, size, time of training (paper, figures 6a, A7, and new)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..theory import Estimate
from . import describe, style
from .entry import Figure, Picture
from .results import MissingResults, Results
from .scans import Scan, column, scans

#: The minimal model's predictions, the simplest first, and their words.
_METHODS = {
    "threshold": r"predicted, $I_K(T) = I^*$",
    "coupled_threshold": "predicted, coupled equations",
    "repeats_threshold": "predicted, repeated items",
}
_MEMORIES = {
    "layer-normed": "from layer-normed perceptrons",
    "raw": "from raw perceptrons",
    "scrambled": "from scrambled transformers",
    "point": r"from one point and $1/\nu$",
}


def draw(
    x: ArrayLike,
    measured: Sequence[Estimate],
    predicted: Mapping[str, Sequence[Estimate]],
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
        for (label, estimates), colour in zip(
            predicted.items(), (style.THEORY, style.ICL, style.OTHER, "#56B4E9"), strict=False
        ):
            style.plot_band(ax, at, estimates, color=colour, label=label)
        style.plot_estimates(ax, at, measured, label="measured", zorder=5)
        middle = len(at) // 2
        for (label, slope), dashes in zip((rivals or {}).items(), (":", "-."), strict=False):
            if len(at) and np.isfinite(measured[middle].value):
                line = measured[middle].value * (at / at[middle]) ** slope
                ax.plot(at, line, color=style.IWL, linestyle=dashes, label=label)
        known = [one for group in (measured, *predicted.values()) for one in group if np.isfinite(one.value)]
        style.logarithmic(ax, len(known), "the scans cross no threshold")
        ax.set(xlabel=xlabel, ylabel="threshold $K^*$")
        style.label_ticks(ax, at, most=7)
        style.legend_above(ax, title, 2)
    return ax


def _panel(
    found: Sequence[Scan],
    x: Sequence[float],
    names: Mapping[str, str],
    xlabel: str,
    title: str,
    rivals: Mapping[str, float] | None = None,
) -> partial[Axes]:
    """The panel of several scans, with every prediction that any of them has."""
    predicted = {words: [one.predicted(name) for one in found] for name, words in names.items()}
    known = {words: column(values) for words, values in predicted.items() if any(values)}
    return partial(draw, x, [one.threshold() for one in found], known, xlabel, rivals, title=title)


def _several(results: Results, experiment: str, least: int = 2) -> list[Scan]:
    found = scans(results, experiment)
    if len(found) < least:
        raise MissingResults(
            f"Argument 'results' must hold {least} scans of K of {experiment}, but {results.directory} holds "
            f"{len(found)}; make them with `iclrace validate --preset workstation -e {experiment} --out "
            "results/workstation`."
        )
    return found


def prepare_minimal(results: Results) -> Picture:
    found = _several(results, "threshold")
    lengths = [one.setting["context_length"] for one in found]
    captions = "; ".join(describe.networks(one.runs) for one in found)
    caption = (
        "Task diversity above which the ICL circuit reaches 95 %, against context length. Lines with bands: predicted "
        f"from perceptrons trained alone, no fit. {captions}."
    )
    return Picture(caption, [_panel(found, lengths, _METHODS, "context length $N$", "minimal model")])


def prepare_transformer(results: Results) -> Picture:
    found = _several(results, "transformer_scaling")
    lengths = [one.setting["context_length"] for one in found]
    captions = "; ".join(describe.networks(one.runs) for one in found)
    caption = (
        "Task diversity above which the transformer learns in context, against context length. Lines with bands: from "
        "I* = t_ICL(K → ∞)/2 of other seeds and a memory's clock (perceptrons alone, or the transformer with scrambled "
        f"context labels), or from one point and 1/ν. {captions}."
    )
    return Picture(caption, [_panel(found, lengths, _MEMORIES, "context length $N$", "transformer")])


def _clock(scan: Scan) -> float:
    """I* as predicted for the scan's own rates, to a tenth."""
    clock = scan.predicted("clock")
    return math.inf if clock is None else round(clock.value, 1)


#: By experiment: what varies, its name, the panel's title, the slopes of a capacity, and what was predicted.
_INTERVENTIONS: dict[str, tuple[Callable[[Scan], float], str, str, dict[str, float], dict[str, str]]] = {
    "kinetics": (
        lambda scan: scan.setting["rate_ratio"],
        "learning rate of memory over attention, $r$",
        "same capacity",
        {"capacity": 0.0},
        _METHODS,
    ),
    "capacity": (
        lambda scan: scan.setting["width"],
        "width of the perceptron",
        "same kinetics",
        {"capacity, $K^*$ ∝ parameters": 2.0, "capacity, $K^*$ ∝ width": 1.0},
        _METHODS,
    ),
    "transformer_kinetics": (
        _clock,
        "reading $I^*$ that ICL needs (time)",
        "transformer, same capacity",
        {"capacity": 0.0},
        {"point": r"predicted, one point and $I^{*1/\nu}$"},
    ),
}


def prepare_kinetics(results: Results) -> Picture:
    panels, captions = [], []
    missing: MissingResults | None = None
    for experiment, (place, label, title, rivals, names) in _INTERVENTIONS.items():
        try:
            every = _several(results, experiment)
        except MissingResults as why:
            missing = missing or why
            continue
        found = sorted((one for one in every if math.isfinite(place(one))), key=place)  # I* may be unknown
        panels.append(_panel(found, [place(one) for one in found], names, label, title, rivals))
        captions += [describe.networks(one.runs) for one in found]
    if missing and not panels:
        raise missing
    caption = (
        "Kinetics or capacity? Same capacity: the memory learns r times as fast with the same parameters. Same "
        "kinetics: the perceptron has more parameters, with rates chosen beforehand so that its clock is the same. "
        "Solid, with bands: kinetics, predicted, for the minimal model from perceptrons trained alone, for the "
        "transformer (rate ratios, and smoother first attention) from one K* of other seeds, I* at K → ∞ under each "
        "change and ν of scrambled transformers. Dotted: what a capacity would say, through the middle point. "
        f"{'; '.join(captions)}."
    )
    return Picture(caption, panels)


def prepare_budget(results: Results) -> Picture:
    panels, captions = [], []
    kinds = {"alone": "predicted, memory alone", "repeats": "predicted, repeated items", "t": "predicted, scrambled"}
    for experiment in ("budget", "transformer_budget"):
        try:
            scan = scans(results, experiment)[0]
        except MissingResults:
            continue
        names = results.experiments[experiment]["predictions"]
        times = sorted({float(re.sub("^[a-z_]*", "", name)) for name in names})
        predicted = {
            words: column([results.predicted(experiment, f"{kind}{'' if kind == 't' else '_'}{t:g}") for t in times])
            for kind, words in kinds.items()
        }
        known = {words: values for words, values in predicted.items() if any(math.isfinite(v.value) for v in values)}
        measured = [scan.threshold(t) for t in times]
        title = "minimal model" if scan.setting["network"] == "minimal" else "transformer"
        panels.append(partial(draw, times, measured, known, "time at which training ends, $T$", title=title))
        captions.append(describe.networks(scan.runs))
    if not panels:
        scans(results, "budget", "transformer_budget")
    caption = (
        "K* depends on when training ends: the same networks, read at several T. Lines: predicted. "
        f"{'; '.join(captions)}."
    )
    return Picture(caption, panels)


MINIMAL = Figure(
    "threshold_minimal", "K* against context length, minimal model", prepare_minimal, ("6a", "A7"), ("threshold",)
)
TRANSFORMER = Figure(
    "threshold_transformer",
    "K* against context length, transformer",
    prepare_transformer,
    ("6a", "A7"),
    ("transformer_scaling",),
)
KINETICS = Figure("kinetics_or_capacity", "Kinetics or capacity", prepare_kinetics, (),
                  ("kinetics", "capacity", "transformer_kinetics"))  # fmt: skip
BUDGET = Figure(
    "threshold_budget", "K* against the time of training", prepare_budget, (), ("budget", "transformer_budget")
)
