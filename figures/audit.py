"""Independence audit: K* from memories that say more and more of the transformer's own (new)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from ..theory import Estimate
from . import describe, style
from .entry import Figure, Picture
from .results import Results
from .scans import scans

_RUNGS = {
    "layer-normed": "perceptron alone,\nlayer-normed tokens",
    "frozen": "labels scrambled,\nattention held",
    "scrambled": "labels scrambled,\nwhole transformer",
    "layer-normed_large": "perceptron alone,\n$I^*$ at large $K$",
    "scrambled_large": "whole transformer,\n$I^*$ at large $K$",
}


def draw(rungs: Mapping[str, Estimate], measured: Estimate, xlabel: str, ax: Axes | None = None) -> Axes:
    """One row a rung: predicted with its interval; vertical line and band: measured."""
    with style.axes(ax) as ax:
        rows = np.arange(len(rungs))[::-1]
        for row, one in zip(rows, rungs.values(), strict=True):
            if np.isfinite(one.value):
                high = one.high if np.isfinite(one.high) else one.value
                ax.errorbar(one.value, row, xerr=[[one.value - one.low], [high - one.value]], fmt="o",
                            color=style.THEORY, capsize=2, linewidth=1.0)  # fmt: skip
        style.mark_measured(ax, measured)
        ax.set(xscale="log", xlabel=xlabel, yticks=rows, ylim=(-0.6, len(rungs) - 0.4))
        ax.set_yticklabels(list(rungs))
        style.plain_ticks(ax.xaxis)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return ax


def prepare(results: Results) -> Picture:
    scan = scans(results, "audit")[0]
    found = {words: results.predicted("audit", rung) for rung, words in _RUNGS.items()}
    known = {words: one for words, one in found.items() if one is not None}
    caption = (
        "Are the two circuits independent? Threshold K* of the transformer predicted from the clock of memories that "
        "say more and more of its own, each with I* = t_ICL(K → ∞)/2 of other seeds; what is left between the last "
        f"rungs and the measurement (green) is the coupling of the circuits. {describe.networks(scan.runs)}."
    )
    return Picture(caption, [partial(draw, known, scan.threshold(), "threshold $K^*$")])


FIGURE = Figure("independence_audit", "Are the transformer's two circuits independent?", prepare, (), ("audit",))
