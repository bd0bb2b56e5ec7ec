"""The order parameters of a network that is to be trained, from the reduced transformer's course."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...simulate.reduced_transformer import reduced_course, tabulated
from ...theory.reduced_transformer import (
    STATE,
    MeasuredCoupling,
    ReducedTransformer,
    attend,
    draw_contexts,
    score_scales,
)
from ...theory.reduced_transformer.equations import gain_variance, label_kernel
from .reduced import Member

Array = NDArray[np.float64]

#: Steps of the solver kept of a course.
_ROWS = 2000
#: What is predicted, by the names under which it is stored with a network's curves (``order_w``, …).
PREDICTED = (
    "w", "w_spread", "value", "beta", "item_roughness", "label_std", "own_attention", "copy_attention", "attended",
    "gain",
)  # fmt: skip


def predict_order(
    model: ReducedTransformer, coupling: MeasuredCoupling, member: Member, times: Sequence[float], draws: int
) -> dict[str, Array]:
    """w, its spread over targets, |v|², β, ρ, η's deviation, attention on target and copies, ⟨m⟩ and k at ``times``.

    What a network's weights show: ρ with the growth of W_K and W_Q in it, η with the stored labels, attention averaged
    over the equations' sampled contexts.
    """
    course = reduced_course(
        model, coupling, budget=max(times), rows=_ROWS, draws=draws, seed=member.seed, w0=member.w0, beta0=member.beta0
    )
    total, table = tabulated(model, coupling)
    contexts = draw_contexts(model, draws, coupling.runs[0].margins.shape[1], member.seed)
    readings: dict[str, list[float]] = {name: [] for name in PREDICTED}
    for time in times:
        state = np.array([np.interp(time, course.time, course[name]) for name in STATE])
        place = np.clip(state[STATE.index("clock")] / total, 0.0, 1.0) * (len(table) - 1)
        row = np.array([np.interp(place, np.arange(len(table)), column) for column in table.T])
        for name, value in _read(model, state, row, contexts, float(time)).items():
            readings[name].append(value)
    return {name: np.array(values) for name, values in readings.items()}


def _read(model: ReducedTransformer, state: Array, row: Array, contexts, time: float) -> dict[str, float]:
    now = dict(zip(STATE, state, strict=True))
    scores = score_scales(model, state, time)
    answer = now["answer"] if model.terms.residual else 0.0
    attention, own, m = attend(scores, now["beta"], now["stored"], answer, now["offset"], contexts)
    return {
        "w": now["w"], "w_spread": math.sqrt(gain_variance(model, state, row)), "value": now["value"],
        "beta": now["beta"], "item_roughness": scores.item / math.sqrt(model.size / 18.0),
        "label_std": math.hypot(scores.label, answer), "own_attention": float(own.mean()),
        "copy_attention": float(attention[:, : model.copies].sum(1).mean()), "attended": float(m.mean()),
        "gain": label_kernel(model, state, row),
    }  # fmt: skip
