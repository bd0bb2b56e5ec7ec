"""ICL accuracy of the reduced model, and the attention strength at which it reaches a level."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv, gammaln, ndtr, ndtri

from .acquisition.balanced import balanced_accuracy, balanced_acquired_beta
from .common.arguments import broadcast, real, require
from .common.elementwise import elementwise
from .common.labels import by_name
from .contexts.attention import BETA_MAX
from .contexts.rough_scores import rough_accuracy
from .numerics.quadrature import AT_A_TIME, legendre
from .numerics.roots import root
from .task import Task

#: Accuracy that counts as having acquired ICL (paper, section 2 and appendix A).
ACQUIRED = 0.95

Array = NDArray[np.float64]


@by_name
def icl_accuracy(w: ArrayLike, beta: ArrayLike, task: Task) -> NDArray[np.float64]:
    """P(w (m e^β + n) > 0) = Φ(m e^β / (s √(N − m))) for w > 0, one minus that for w < 0, and 1/2 for w = 0.

    This is the accuracy for D → ∞, and the level of acquisition everywhere in the package, at finite D too, where the
    drive is taken for D → ∞ as well: the two neglects cancel in the time of acquisition (0.1 to 1.5 % at D = 63 and
    N = 25 … 100, 2 % at D = 31, N = 50), but not in the accuracy. :func:`finite_accuracy` has neither.

    Balanced contexts have n = −m, so that the sign of w (e^β − 1) decides alone for D → ∞, and the overlaps' spread at
    finite D: see :func:`.acquisition.balanced.balanced_accuracy`. Rough attention averages Φ over its scores.

    Parameters
    ----------
    w, beta : array_like
        Readout weight and attention strength.
    task : Task

    Returns
    -------
    array of the broadcast shape, in [0, 1]

    Raises
    ------
    ValueError
        If w or β is not finite, or their shapes do not broadcast.

    Source: docs/derivation.md, "accuracy"; paper, section 4.

    Examples
    --------
    >>> task = Task(context_length=100)
    >>> round(float(icl_accuracy(1.0, acquired_beta(task), task)), 12)
    0.95
    """
    w, beta, _ = broadcast(
        w=real("w", w), beta=np.clip(real("beta", beta), -BETA_MAX, BETA_MAX), task=np.empty(task.shape)
    )
    if np.any(task.score_std):
        correct = _rough_accuracy(task, beta)
    elif task.labels == "balanced":
        correct = balanced_accuracy(beta, task)
    else:
        with np.errstate(divide="ignore", over="ignore"):
            noise = task.label_std * np.sqrt(task.context_length - task.copies)
            correct = ndtr(task.copies * np.exp(beta) / noise)
    return 0.5 + np.sign(w) * (correct - 0.5)


@elementwise(
    arrays=("beta",),
    smooth=("label_std", "score_std", "beta"),
    ignored=("task_diversity", "dimension"),
    costly=True,
    first=2,
)
def _rough_accuracy(task: Task, beta: Array) -> Array:
    return rough_accuracy(beta, task) if task.score_std > 0.0 else icl_accuracy(1.0, beta, task)


@by_name
@elementwise(
    arrays=("context_length", "label_std", "copies", "w", "beta", "memory_std"),
    smooth=("context_length", "dimension", "label_std", "w", "beta", "memory_std"),
    ignored=("task_diversity",),
)
def finite_accuracy(w: ArrayLike, beta: ArrayLike, task: Task, memory_std: ArrayLike = 0.0) -> NDArray[np.float64]:
    """ICL accuracy at finite D, and beside a memory that answers to novel items: an average over |x_T|² = x.

        P = ⟨Φ( w m e^{βx} / √(w² s² (N − m) e^{2β²x/D} + s_φ² Z²) )⟩,    x ~ χ²_D/D
        Z = (m + T) e^{βx} + (N − m) e^{β²x/2D}

    Given the target, its overlaps with the others are N(0, x/D) and their terms e^{β x_T·x_j} ℓ_j have the mean square
    e^{2β²x/D}; the copy's overlap is x itself. Without the memory's noise, P = ⟨Φ(m e^{βx − β²x/D}/(s√(N − m)))⟩. Both
    losses of accuracy grow with β: 0.956 at N = 50, D = 63, β = 2.8, where D → ∞ says 0.991. Sampled contexts agree to
    0.003 for N = 25 … 100, D = 31 … 63, β = 2 … 3; the sum over the others is taken as Gaussian. Its mean square
    rests on overlaps that most contexts do not hold from β ≈ √(D ln N/2) on: the formula is then a lower bound.

    Parameters
    ----------
    w, beta : array_like
        Readout weight and attention strength.
    task : Task
        i.i.d. labels and flat attention; the target outside the softmax or in it.
    memory_std : array_like, s_φ >= 0
        Standard deviation of the memory circuit's logit on novel items.

    Returns
    -------
    array of the broadcast shape, in [0, 1]

    Raises
    ------
    ValueError
        If an argument is out of range, shapes do not broadcast, or the task has balanced labels or rough attention.

    Source: docs/derivation.md, "accuracy at finite D".

    Examples
    --------
    >>> float(finite_accuracy(1.0, 2.8, Task(context_length=50, dimension=63)).round(4))
    0.9558
    >>> task = Task(context_length=100)
    >>> float(finite_accuracy(2.5, acquired_beta(task), task, memory_std=0.3).round(4))
    0.8315
    """
    plain = task.labels == "iid" and task.score_std == 0.0
    require(plain, "task", "have i.i.d. labels and flat attention here", task)
    w, beta, noise, length, copies, label_std = broadcast(
        w=real("w", w), beta=np.clip(real("beta", beta), -BETA_MAX, BETA_MAX),
        memory_std=real("memory_std", memory_std, minimum=0.0), context_length=np.asarray(task.context_length),
        copies=np.asarray(task.copies), label_std=np.asarray(task.label_std),
    )  # fmt: skip
    columns = [array.reshape(-1, 1) for array in (w, beta, noise, length, copies, label_std)]
    step = AT_A_TIME // _squared_norms(float(task.dimension))[0].size
    starts = range(0, max(w.size, 1), step)
    correct = [_correct(task, *(column[start : start + step] for column in columns)) for start in starts]
    return 0.5 + np.sign(w) * (np.concatenate(correct).reshape(w.shape) - 0.5)


def _correct(task: Task, w: Array, beta: Array, noise: Array, length: Array, copies: Array, label_std: Array) -> Array:
    """The average of :func:`finite_accuracy` at w > 0, at points in columns."""
    square, weight = _squared_norms(float(task.dimension))
    others = length - copies
    # numerator and both noises divided by e^{βx}, in logarithms, so that no term overflows
    spread = np.minimum(beta**2 * square / task.dimension, 300.0) if math.isfinite(task.dimension) else 0.0 * beta
    rest = np.exp(np.clip(spread - beta * square, -700.0, 600.0))
    total = copies + task.target_in_softmax + others * np.exp(np.clip(0.5 * spread - beta * square, -700.0, 600.0))
    labels = label_std * np.sqrt(others) * rest
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        loud = np.where(noise > 0.0, noise / np.abs(w), 0.0) * total
        return ndtr(copies / np.hypot(labels, loud)) @ weight


@lru_cache(maxsize=16)
def _squared_norms(dimension: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of x ~ χ²_D/D, |x|² of an item with entries N(0, 1/D); x = 1 for D → ∞.

    Its variance is 2/D, which is nothing beyond 1e12, while the logarithms of the density lose their digits there.
    """
    if dimension > 1e12:
        return np.ones(1), np.ones(1)
    low, high = (float(gammaincinv(dimension / 2.0, p)) for p in (1e-14, 1.0 - 1e-14))
    x, weight = legendre(60)
    half = low + 0.5 * (high - low) * (x + 1.0)  # χ²/2
    weight = weight * np.exp((dimension / 2.0 - 1.0) * np.log(half) - half - gammaln(dimension / 2.0))
    return 2.0 * half / dimension, weight / weight.sum()


@elementwise(
    single=("accuracy",),
    smooth=("context_length", "dimension", "label_std", "score_std", "accuracy"),
    ignored=("task_diversity",),
)
def _single_level(task: Task, accuracy: Any) -> Any:
    """:func:`acquired_beta` of one task, where it may be a root."""
    if task.labels == "iid" and task.score_std == 0.0:
        return acquired_beta(task, accuracy)
    if task.score_std > 0.0:
        # the label sum's deviation is s times that of ±1, and so is the e^β that it takes
        scale = math.log(task.label_std) if task.label_std > 0.0 else -math.inf
        unit = task.at(label_std=1.0)
        return root(lambda beta: float(rough_accuracy(np.array(beta), unit)) - accuracy, -BETA_MAX, BETA_MAX) + scale
    return balanced_acquired_beta(task, accuracy)


def acquired_beta(task: Task, accuracy: ArrayLike = ACQUIRED) -> Any:
    """β at which ICL accuracy reaches ``accuracy`` for w > 0: e^β = Φ⁻¹(accuracy) s √(N − m)/m.

    Balanced contexts reach every level as β passes 0 for D → ∞, later at finite D; s = 0 has every level at any β, so
    −inf is returned.

    Parameters
    ----------
    task : Task
    accuracy : array_like in (1/2, 1)

    Returns
    -------
    float, or array of the broadcast shape of the task and ``accuracy``

    Raises
    ------
    ValueError
        If ``accuracy`` lies outside (1/2, 1), or shapes do not broadcast.

    Source: docs/derivation.md, "accuracy".

    Examples
    --------
    >>> round(math.exp(acquired_beta(Task(context_length=101))), 3)   # 1.645 √(N − 1)
    16.449
    """
    level = real("accuracy", accuracy, minimum=0.5, maximum=1.0, exclusive=True)
    if task.labels == "balanced" or np.any(np.asarray(task.score_std) > 0.0):
        return _single_level(task, level if level.ndim else float(level))
    level, label_std, others, copies, _ = broadcast(
        accuracy=level, label_std=np.asarray(task.label_std),
        context_length=task.context_length - np.asarray(task.copies),
        copies=np.asarray(task.copies), task=np.empty(task.shape),
    )  # fmt: skip
    with np.errstate(divide="ignore"):
        beta = np.log(ndtri(level) * label_std * np.sqrt(others) / copies)
    return beta if beta.ndim else float(beta)
