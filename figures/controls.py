"""Networks whose circuits share nothing, and the ladder from a linear readout to the whole transformer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from ..validate import Claim, acquisition_times
from ..validate.experiments.rungs import METHODS, TERMS
from ..validate.measure.clocks import final_clock
from . import picture, style
from .picture import Picture
from .results import Results

LADDER = "controls_ladder"
#: Order parameters as the axis shows them.
_SYMBOLS = {
    "w": "$w$", "|v|²": "$|v|^2$", "β": "Δβ", "ρ": "$\\rho$", "η": "$\\eta$", "a_T": "$a_T$", "a_c": "$a_c$", "k": "$k$"
}  # fmt: skip
_COLOURS = dict(zip(METHODS, (style.THEORY, "0.5"), strict=True))


def _rung(name: str) -> str:
    """The words on the axis, of "4 whole" or "5 k1024"."""
    words = name.split(" ", 1)[1].replace("_", " ").split()
    return " ".join(f"$K$ = {word[1:]}" if re.fullmatch(r"k\d+", word) else word for word in words)


def draw_rungs(claims: Sequence[Claim], singles: Sequence[np.ndarray], ax: Axes | None = None) -> Axes:
    """Rungs from above to below: dots single networks, bars what each set of terms predicts, with its interval.

    Claims hold one rung and method each; ``singles`` the networks' values, one array a rung.
    """
    rungs = list(dict.fromkeys(str(claim.at["rung"]) for claim in claims))
    with style.axes(ax, 3.0) as ax:
        for y, values in enumerate(singles):
            shown = values[np.isfinite(values)]
            ax.plot(shown, np.full(shown.size, y), "o", color=style.MEASURED, markerfacecolor="none", markersize=4)
        for i, (method, colour) in enumerate(_COLOURS.items()):
            pairs = [
                (rungs.index(str(claim.at["rung"])) + 0.2 * (i + 1), *bounds)
                for claim in claims
                if claim.method == method
                for bounds in style.known([claim.predicted])
            ]
            for y, value, low, high in pairs:
                ax.plot([max(low, 0.0), min(high, 10 * value)], [y, y], color=colour, linewidth=1.0)
            ax.plot([pair[1] for pair in pairs], [pair[0] for pair in pairs], "|", color=colour, label=method)
        ax.set_yticks(range(len(rungs)), [_rung(rung) for rung in rungs])
        ax.invert_yaxis()
        ax.set(xscale="log", xlabel="time to acquire ICL (scrambled labels: clock $I_K$ at the end)")
        style.plain_ticks(ax.xaxis)
        style.legend_above(ax)
    return ax


def draw_terms(claims: Sequence[Claim], title: str, ax: Axes | None = None) -> Axes:
    """Measured over predicted, for β their difference plus one, of every order parameter at two times."""
    with style.axes(ax, 3.0) as ax:
        times = sorted({float(claim.at["time"]) for claim in claims})
        for time, marker in zip(times, "os", strict=False):
            chosen = [claim for claim in claims if claim.at["time"] == time]
            x = [list(TERMS).index(claim.quantity) + 0.15 * times.index(time) for claim in chosen]
            values = [claim.compared for claim in chosen]
            shift = [1.0 if claim.scale == "difference" else 0.0 for claim in chosen]
            shown = [(at, v.value + s) for at, v, s in zip(x, values, shift, strict=True) if v is not None]
            ax.plot(
                [at for at, _ in shown], [v for _, v in shown], marker, color=style.MEASURED, label=f"t = {time:.0f}"
            )
        ax.axhline(1.0, color=style.THEORY, linewidth=0.8)
        ax.set_xticks([i + 0.075 for i in range(len(TERMS))], [_SYMBOLS[name] for name in TERMS])
        ax.set(xlabel="order parameter", ylabel="measured / predicted (Δβ: 1 + difference)")
        ax.set_ylim(0.0, max(1.5, 1.1 * ax.get_ylim()[1]))
        style.legend_above(ax, title)
    return ax


def prepare_ladder(results: Results) -> Picture:
    """On which rung how much is lost, and on which order parameter."""
    claims = [claim for claim in results.select(experiment=LADDER) if "rung" in claim.at]
    if not claims:
        raise results.missing(LADDER)
    singles, described = [], []
    for rung in dict.fromkeys(str(claim.at["rung"]) for claim in claims):
        claim = next(claim for claim in claims if claim.at["rung"] == rung)
        (runs,) = results.behind(claim, needs=["icl_accuracy", "clock", "time"])
        values = final_clock(runs) if claim.quantity == "I_K" else acquisition_times(runs)
        singles.append(values.values.ravel())
        described.append(picture.networks(runs))
    terms = results.select(experiment=LADDER, quantity=list(TERMS))
    panels = [partial(draw_rungs, claims, singles)]
    for label in dict.fromkeys(claim.data for claim in terms):
        chosen = [claim for claim in terms if claim.data == label]
        diversity = chosen[0].at["task_diversity"]
        panels.append(partial(draw_terms, chosen, f"K = {_number(diversity)}"))
    caption = (
        "Rungs from a linear readout to the whole transformer, and networks whose circuits share nothing: circles "
        "single networks, bars the reduced transformer from untrained weights and perceptrons alone. Below: order "
        f"parameters of whole transformers, measured over predicted at two times. {'; '.join(described)}."
    )
    return Picture(caption, panels, height=3.0, shared=False)


def _number(value: float) -> str:
    return "∞" if np.isinf(value) else f"{value:g}"
