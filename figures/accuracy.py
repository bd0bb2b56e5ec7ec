"""Final accuracies over K with the predicted K*, of all networks that were scanned (paper, figures 2b, 2c, 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..theory import Task
from ..validate.claim import SYMBOLS
from ..validate.measure.clocks import stored_memory
from ..validate.predict.threshold import coupled_accuracy
from . import picture
from .catalogue import FIGURES
from .picture import Picture
from .results import Results, setting
from .scan import Curve, Scan, draw_accuracy, scans

#: How K* of a network of the user's own is predicted.
_OWN_METHOD = "scrambled networks"
#: What a condition is named by: its coordinates, and what they are where nothing is changed.
_BASE = {
    "context_length": 15, "rate_ratio": 1.0, "dimension": 31.0, "width": 128, "attention_scale": 1.0, "copies": 1,
    "residual_scale": 1.0,
}  # fmt: skip
#: Words for coordinates whose symbols a reader would not recognise.
_CHANGES = {
    "rate_ratio": "rate of memory × {:g}", "attention_scale": "initial $W_Q$, $W_K$ × {:g}", "copies": "{:g} copies",
    "residual_scale": "residual × {:g}",
}  # fmt: skip


def every_scan(results: Results, experiments: Sequence[str]) -> list[Scan]:
    """The scans of all these experiments that the folder holds; ``MissingResults`` if it holds none."""
    every = [scan for name in experiments if results.select(experiment=name) for scan in scans(results, name)]
    if not every:
        raise results.missing(*experiments)
    return every


def accuracies(
    scanned: Sequence[Scan], method: str, predicted: str, of: str = "", *, title: Callable[[Scan], str] | None = None,
    networks: str = "", theory: Callable[[Scan], Curve | None] = lambda _: None, **layout: Any,
) -> Picture:  # fmt: skip
    """One panel a scan, with K* by one method, in the words ``predicted``; whose networks the caption is ``of``."""
    panels = [
        partial(
            draw_accuracy, scan.runs, scan.predicted("K*", method=method), theory=theory(scan),
            title=scan.title if title is None else title(scan),
        )
        for scan in scanned
    ]  # fmt: skip
    caption = (
        f"Final accuracy{of} on novel items with a copy in the context (ICL) and on training items without one (IWL); "
        f"lines are means. Dashed with band: K* {predicted}. "
        f"{networks or picture.networks(*(scan.runs for scan in scanned))}."
    )
    return Picture(caption, panels, **layout)


def prepare_minimal(results: Results) -> Picture:
    return accuracies(
        scans(results, "threshold"), "memory alone",
        "predicted from perceptrons trained alone; black: the circuit's accuracy by the coupled equations with their "
        "memory curves, crosses: as measured",
        theory=partial(_theory, results),
    )  # fmt: skip


def _theory(results: Results, scan: Scan) -> Curve | None:
    """Accuracy of the circuit by the coupled equations over the K of a scan, where perceptrons and β0 are known."""
    alone, fixed, k = scan.memory(results), setting(scan.runs), scan.runs.task_diversity.values
    if alone is None or fixed["beta0"] is None:
        return None
    task = Task(fixed["context_length"], task_diversity=float(k[0]), dimension=fixed["dimension"])
    diversities = np.geomspace(k.min(), k.max(), 120)
    start = fixed["beta0"], fixed["w0"]
    accuracy = coupled_accuracy(task, stored_memory(alone), diversities, *start, fixed["budget"])
    return diversities.tolist(), accuracy.tolist()


def prepare_other(results: Results) -> Picture:
    """m copies of the target in the context, items drawn with frequencies ∝ k^−α, or another rate of the memory."""
    return accuracies(
        every_scan(results, FIGURES["accuracy_other_data"].experiments), "repeated items",
        "predicted with repeated items, from perceptrons trained alone on the same data",
        " with m copies of the target, items drawn with frequencies ∝ k^−α, or a memory that learns r times as fast,",
    )  # fmt: skip


def prepare_transformer(results: Results) -> Picture:
    return accuracies(
        scans(results, "transformer_scaling", "audit"), "layer-normed perceptrons",
        "from layer-normed perceptrons trained alone and the transformer's own t_ICL at K → ∞", " of the transformer",
    )  # fmt: skip


def prepare_own(results: Results) -> Picture:
    """Scans that are predicted from the network itself, whatever their experiments are called."""
    named = dict.fromkeys(claim.experiment for claim in results.select(quantity="K*", method=_OWN_METHOD))
    return accuracies(
        every_scan(results, [*named] or FIGURES["accuracy_own"].experiments), _OWN_METHOD,
        "predicted from the clock of networks of the same kind with scrambled context labels, and from their t_ICL at "
        "K → ∞",
    )  # fmt: skip


def prepare_controls(results: Results) -> Picture:
    return accuracies(
        every_scan(results, FIGURES["controls_accuracy"].experiments), "independent race",
        "where the perceptron alone has its clock at half of t_ICL(K → ∞)", " of networks whose circuits share nothing",
        title=lambda scan: f"{scan.claims[0].network}, {condition(scan.at)}", columns=2, shared=False, width=2.0,
    )  # fmt: skip


def prepare_conditions(results: Results) -> Picture:
    return _conditions(results, "coupling_accuracy", "reduced transformer, scrambled clock")


def prepare_paper(results: Results) -> Picture:
    return _conditions(results, "accuracy_paper", "reduced transformer")


def _conditions(results: Results, figure: str, method: str) -> Picture:
    """Conditions that two experiments share are drawn once."""
    every = every_scan(results, FIGURES[figure].experiments)
    distinct = list({condition(scan.at): scan for scan in reversed(every)}.values())[::-1]
    return accuracies(
        distinct, method, f"of the {method}", " of the transformer", title=lambda scan: condition(scan.at),
        networks=_together(distinct), height=2.2, columns=2, shared=False, width=2.0,
    )  # fmt: skip


def condition(at: Mapping[str, object]) -> str:
    """N, in what a condition differs from the others beside it, and the time at which training ends."""
    changed = [
        _CHANGES.get(name, f"{SYMBOLS[name]} = {{:g}}").format(at[name])
        for name, plain in _BASE.items()
        if name != "context_length" and at.get(name, plain) != plain
    ]
    end = [f"T = {at['budget']:g}"] if isinstance(at.get("budget"), int | float) else []
    return ", ".join([f"N = {at['context_length']}", *changed, *end])


def _together(scanned: Sequence[Scan]) -> str:
    """The networks of all scans in one phrase: their number, and what they range over."""
    ranges = [
        f"{SYMBOLS[name]} = {picture.span([scan.at[name] for scan in scanned])}"
        for name in ("context_length", "dimension", "width", "budget")
    ]
    count = sum(scan.runs.sizes["task_diversity"] * scan.runs.sizes["seed"] for scan in scanned)
    return ", ".join([f"{count} transformers", *ranges])
