"""Balanced contexts: with exactly N/2 labels of each sign the label sum does not fluctuate, and the flow is a curve."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr

from ._arguments import real, require
from ._roots import root
from .attention import EXPONENT_MAX, attended_label, context_nodes
from .task import Task

Array = NDArray[np.float64]

#: Gauss-Legendre nodes of the two nested integrals; the integrands are analytic after the substitution β = β0 + δ θ².
NODES = 80


def balanced_saddle(task: Task) -> tuple[Array, Array]:
    """Jacobian of the averaged field at (w, β) = (0, 0), and its eigenvalues: a saddle.

        a = m(e^β − 1)/Z,   dw/dt = σ(−u) a,   dβ/dt = σ(−u) w ∂a/∂β
        J = (m c1/Z) [[0, 1], [1, 0]],   eigenvalues ± m c1/Z with c1 = 1/2, Z = N + T

    Motion along β = w grows, along β = −w decays: with w0 = 0, β0 > 0 acquires ICL and β0 < 0 never does.

    Returns
    -------
    jacobian : array (2, 2)
    eigenvalues : array (2,), ascending

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
    return rate * np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([-rate, rate])


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


def weight_squared(beta0: Array, w0: Array, beta: Array, task: Task) -> Array:
    """w² along the flow: w0² + 2 ∫_{β0}^{β} a/(∂a/∂β) dβ, whatever the memory does (its σ(−u) cancels).

    For D → ∞ and no target in the softmax
    N (w² − w0²)/2 = m(e^β − e^{β0}) + (N − 2m)(β − β0) + (N − m)(e^{−β} − e^{−β0}).
    """
    x, weights = np.polynomial.legendre.leggauss(NODES)
    half = 0.5 * (beta - beta0)
    value, slope = attended(beta0[..., None] + half[..., None] * (x + 1.0), task)
    return w0**2 + 2.0 * half * ((value / slope) @ weights)


def balanced_acquisition_time(task: Task, beta0: Array, w0: Array, end: float) -> Array:
    """t = ∫ dβ/(σ(−w a) w ∂a/∂β) from β0 to ``end``, φ = 0; ``inf`` where the flow turns back.

    The integrand's 1/w is singular where w vanishes, at β0 for w0 = 0; β = β0 + δ θ² makes it smooth.
    """
    times = [_time(task, float(b), float(w), end) for b, w in zip(beta0.ravel(), w0.ravel(), strict=True)]
    return np.array(times).reshape(beta0.shape)


def _time(task: Task, beta0: float, w0: float, end: float) -> float:
    if math.isinf(end) or (w0 == 0.0 and beta0 <= 0.0):
        return math.inf
    if w0 < 0.0:
        return _time_through_turning_point(task, beta0, w0, end)
    if beta0 >= end:
        return 0.0
    span = end - beta0
    x, weights = np.polynomial.legendre.leggauss(NODES)
    theta = 0.5 * (x + 1.0)
    beta = beta0 + span * theta**2
    squared = weight_squared(np.full(beta.shape, beta0), np.full(beta.shape, w0), beta, task)
    # between β0 < 0 and the end, w² is least at β = 0, where a changes sign: short of it the flow turns back
    if beta0 < 0.0 and float(weight_squared(np.array(beta0), np.array(w0), np.array(0.0), task)) <= 0.0:
        return math.inf
    w = np.sqrt(squared)
    value, slope = attended(beta, task)
    speed = expit(-w * value) * w * slope
    return float(0.5 * weights @ (2.0 * span * theta / speed))


def _time_through_turning_point(task: Task, beta0: float, w0: float, end: float) -> float:
    """w0 < 0: β falls until w = 0, at a β1 > 0 or never; the way there is integrated with w negative."""
    if beta0 <= 0.0:
        return math.inf
    start = np.array(beta0), np.array(w0)
    if float(weight_squared(*start, np.array(0.0), task)) >= 0.0:  # w is still negative when β crosses 0
        return math.inf
    turn = root(lambda b: float(weight_squared(*start, np.array(b), task)), 0.0, beta0)
    x, weights = np.polynomial.legendre.leggauss(NODES)
    theta, span = 0.5 * (x + 1.0), beta0 - turn
    beta = turn + span * theta**2
    w = -np.sqrt(weight_squared(np.full(beta.shape, turn), np.zeros(beta.shape), beta, task))
    value, slope = attended(beta, task)
    speed = expit(-w * value) * -w * slope
    return float(0.5 * weights @ (2.0 * span * theta / speed)) + _time(task, turn, 0.0, end)
