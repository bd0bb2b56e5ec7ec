"""The averaged flow of (w, β) without memory, with its Jacobian and without rounding noise, at many points at once.

The attended label is linear in the label sum, a = ā(β) + g(β) (n − ⟨n⟩), n − ⟨n⟩ = σ_n x, so that, as
σ(−u) = ½ − ½ tanh(u/2),

    dw/dt = ½ [ā − ⟨τ a⟩],    dβ/dt = ½ w [ā′ − ⟨τ a′⟩],    τ = tanh(w a/2),

which needs one hyperbolic tangent a node, and in which nothing that is small is a difference of what is large.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..contexts.attention import BETA_MAX, EXPONENT_MAX
from ..contexts.labels import NODES, Average, label_sum_nodes
from ..task import Task

Array = NDArray[np.float64]

#: Hermite nodes where σ(−u) is sharp on the scale of the label sum, and the spread of a per unit of w from which on.
SHARP_NODES, SHARP = 128, 0.3


class Flow(NamedTuple):
    """Rates and the Jacobian, which is symmetric (a gradient flow); each shaped like the points."""

    dw: Array
    dbeta: Array
    ww: Array
    wb: Array
    bb: Array


def sharp(task: Task) -> NDArray[np.bool_]:
    """Where few others carry labels that weigh much, so that σ(−u) is sharp on the scale of their sum."""
    return np.asarray(task.label_std > SHARP * np.sqrt(task.context_length - task.copies))


def deviations(task: Task, average: Average, nodes: int | None) -> tuple[Array, Array, Array, Array | float]:
    """x with its weights times (1, x) and (1, x, x²), and the unit σ_n in which n − ⟨n⟩ = σ_n x."""
    others = task.context_length - task.copies
    if task.labels == "balanced":
        return *_moments(average, 1, 0), 0.0
    if average == "binomial":
        return *_moments(average, NODES, float(others)), task.label_std
    if nodes is None:
        nodes = SHARP_NODES if sharp(task).any() else NODES
    return *_moments(average, nodes, 1), task.label_std * np.sqrt(others)


@lru_cache(maxsize=64)
def _moments(average: Average, nodes: int, others: float) -> tuple[Array, Array, Array]:
    if others:
        x, weight = label_sum_nodes(Task(2).at(context_length=others + 1.0), average, nodes)
    else:
        x, weight = np.zeros(1), np.ones(1)
    return x, np.stack([weight, weight * x], axis=1), np.stack([weight, weight * x, weight * x**2], axis=1)


def coefficients(beta: Array, task: Task, unit: Array | float) -> tuple[Array, ...]:
    """ā and σ_n g with their first two derivatives: a, g, a′, g′, a″, g″."""
    beta = np.clip(beta, -BETA_MAX, BETA_MAX)
    copies, others = task.copies, task.context_length - task.copies
    shift = np.maximum(beta, 0.0)
    match, least = np.exp(beta - shift), np.exp(-shift)
    rate = beta / task.dimension
    rest = others * np.exp(np.minimum(0.5 * beta * rate, EXPONENT_MAX) - shift)
    present = (copies + task.target_in_softmax) * match
    total = present + rest
    first, second = (present + rate * rest) / total, (present + (rate**2 + 1.0 / task.dimension) * rest) / total
    # e^β − 1 without its cancellation where ⟨n⟩ = −m
    signal = match * -np.expm1(-beta) if task.labels == "balanced" else match
    copy, a, g = copies * match / total, copies * signal / total, unit * least / total
    a1, g1 = copy - a * first, -g * first
    return a, g, a1, g1, copy - 2.0 * a1 * first - a * second, -(2.0 * g1 * first + g * second)


def planar_rates(
    w: Array, beta: Array, task: Task, average: Average = "gaussian", nodes: int | None = None
) -> tuple[Array, Array]:
    """dw/dt and dβ/dt at points (w, β), arrays of one shape, to which the task's broadcast. Flat attention only."""
    x, weights, _, unit = deviations(task, average, nodes)
    a, g, a1, g1, _, _ = coefficients(beta, task, unit)
    moments = np.tanh(0.5 * w[..., None] * (a[..., None] + g[..., None] * x)) @ weights
    t0, t1 = moments[..., 0], moments[..., 1]
    return 0.5 * (a - (a * t0 + g * t1)), 0.5 * w * (a1 - (a1 * t0 + g1 * t1))


def planar_flow(w: Array, beta: Array, task: Task, average: Average = "gaussian") -> Flow:
    """Rates and Jacobian at points (w, β), arrays of one shape, as the task's. Flat attention only."""
    x, weights, squares, unit = deviations(task, average, None)
    a, g, a1, g1, a2, g2 = coefficients(beta, task, unit)
    tanh = np.tanh(0.5 * w[..., None] * (a[..., None] + g[..., None] * x))
    moments, bends = tanh @ weights, (1.0 - tanh**2) @ squares
    t0, t1, s0, s1, s2 = moments[..., 0], moments[..., 1], bends[..., 0], bends[..., 1], bends[..., 2]

    def bent(p: Array, gp: Array, q: Array, gq: Array) -> Array:  # ⟨(1 − τ²) (p + gp x)(q + gq x)⟩
        return p * q * s0 + (p * gq + q * gp) * s1 + gp * gq * s2

    turn = 0.5 * (a1 - (a1 * t0 + g1 * t1))
    return Flow(
        0.5 * (a - (a * t0 + g * t1)),
        w * turn,
        -0.25 * bent(a, g, a, g),
        turn - 0.25 * w * bent(a, g, a1, g1),
        0.5 * w * (a2 - (a2 * t0 + g2 * t1)) - 0.25 * w**2 * bent(a1, g1, a1, g1),
    )
