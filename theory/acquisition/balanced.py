"""Balanced contexts: with exactly N/2 labels of each sign the label sum does not fluctuate, and the flow is a curve."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from ..common.arguments import real, require
from ..contexts.attention import EXPONENT_MAX, attended_label, context_nodes
from ..numerics.roots import root
from ..task import Task

Array = NDArray[np.float64]


def balanced_saddle(task: Task) -> tuple[Array, Array]:
    """Jacobian of the averaged field at (w, β) = (0, 0), and its eigenvalues: a saddle.

        a = m(e^β − 1)/Z,   dw/dt = σ(−u) a,   dβ/dt = σ(−u) w ∂a/∂β
        J = (m c1/Z) [[0, 1], [1, 0]],   eigenvalues ± m c1/Z with c1 = 1/2, Z = N + T

    Motion along β = w grows, along β = −w decays: with w0 = 0, β0 > 0 acquires ICL and β0 < 0 never does.

    Returns
    -------
    jacobian : array (..., 2, 2)
    eigenvalues : array (..., 2), ascending
        ... the task's shape.

    Raises
    ------
    ValueError
        If the task's labels are not balanced.

    Source: docs/derivation.md, "balanced contexts".

    Examples
    --------
    >>> [float(value) for value in balanced_saddle(Task(context_length=50, labels="balanced"))[1]]
    [-0.01, 0.01]
    """
    require(task.labels == "balanced", "task", "have balanced labels", task.labels)
    rate = 0.5 * task.copies / (task.context_length + task.target_in_softmax)
    rate = np.asarray(rate, dtype=np.float64)
    return rate[..., None, None] * np.array([[0.0, 1.0], [1.0, 0.0]]), np.stack([-rate, rate], axis=-1)


def balanced_accuracy(beta: Array, task: Task) -> Array:
    """ICL accuracy for w > 0: P(m e^β + Σ_j e^{β x_T·x_j} ℓ_j > 0).

    For D → ∞ the sum is m(e^β − 1) and the accuracy a step at β = 0. At finite D the overlaps, N(0, 1/D), leave the
    sum with mean −m e^{β²/2D} and variance (N − m)(e^{2β²/D} − e^{β²/D}), taken as Gaussian.
    """
    spread = np.minimum(beta**2 / task.dimension, 0.5 * EXPONENT_MAX)
    variance = (task.context_length - task.copies) * np.exp(spread) * np.expm1(spread)
    signal = task.copies * (np.exp(beta) - np.exp(0.5 * spread))
    with np.errstate(divide="ignore", invalid="ignore"):
        gaussian = ndtr(signal / np.sqrt(variance))
    return np.where(variance > 0.0, gaussian, 0.5 * (1.0 + np.sign(beta)))


def balanced_acquired_beta(task: Task, accuracy: float) -> float:
    """The β > 0 at which :func:`balanced_accuracy` reaches ``accuracy``; 0 for D → ∞."""
    if math.isinf(task.dimension):
        return 0.0
    grid = np.linspace(1e-6, min(math.sqrt(task.dimension), 20.0), 4000)
    reached = balanced_accuracy(grid, task) >= accuracy
    if not reached.any():
        return math.inf
    index = int(reached.argmax())
    if index == 0:
        return float(grid[0])
    return root(lambda b: float(balanced_accuracy(np.array(b), task)) - accuracy, grid[index - 1], grid[index])


def attended(beta: ArrayLike, task: Task) -> tuple[Array, Array]:
    """a(β) = m(e^β − 1)/Z and ∂a/∂β: one node, as the label sum is −m always."""
    result = attended_label(real("beta", beta), task, context_nodes(task))
    return result.value[..., 0], result.slope[..., 0]
