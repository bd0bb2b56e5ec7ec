"""Where the theory and its rivals disagree: t_ICL at a share of fresh items, and with copies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..validate import Claims
from ..validate.claim import network_words
from ..validate.measure.times import acquisition_times
from . import picture
from .acquisition import by_method, draw, over, single_times
from .picture import Picture
from .results import Results, setting

FRESH, COPIES = ("rivals_fresh", "rivals_fresh_minimal"), "rivals_copies"
EXPERIMENTS = (*FRESH, COPIES)


def _fresh(results: Results, claims: Claims) -> list[Callable[..., Any]]:
    """A panel a network and K: t_ICL over the share of fresh sequences."""
    panels = []
    for experiment in FRESH:
        own_claims = claims.select(experiment=experiment)
        for k in dict.fromkeys(claim.at["task_diversity"] for claim in own_claims):
            at_k = own_claims.select(task_diversity=k)
            times, part = {}, at_k[0].part
            for label in dict.fromkeys(claim.data[0] for claim in at_k):
                (runs,) = results.datasets(experiment, "networks", label)
                accuracy = "circuit_accuracy" if part == "circuit" else "icl_accuracy"
                times[float(setting(runs)["fresh_share"])] = acquisition_times(runs, accuracy).values.ravel()
            predicted = {
                method: over(at_k.select(method=method), "fresh_share")
                for method in dict.fromkeys(claim.method for claim in at_k)
            }
            title = f"{network_words(at_k[0].network)}, $K$ = {k:g}"
            panels.append(partial(draw, {"networks": times}, predicted, "share of fresh items $f$", title=title))
    return panels


def prepare(results: Results) -> Picture:
    claims = results.select(experiment=EXPERIMENTS, quantity="t_ICL")
    if not claims:
        raise results.missing(*EXPERIMENTS)
    panels, copies = _fresh(results, claims), results.datasets(COPIES, needs=["icl_accuracy", "time"])
    if copies:
        own_claims = claims.select(experiment=COPIES)
        times = {float(setting(runs)["copies"]): single_times(runs) for runs in copies}
        predicted = by_method(own_claims, "copies")
        panels.append(partial(draw, {"networks": times}, predicted, "copies in the context $m$", title="K → ∞"))
    caption = (
        "Time to acquire ICL where a share f of the training sequences is fresh, below K*, and at K → ∞ with m copies "
        "of the target in the context: circles single networks, thin line medians; lines with bands: predicted before "
        f"training. {picture.behind(results, claims)}."
    )
    return Picture(caption, panels)
