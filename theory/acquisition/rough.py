"""Rough initial attention: every score carries a Gaussian term of width σ_s, and the first attention is not flat."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.arguments import number, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..task import Task

Array = NDArray[np.float64]

#: Points of the two trapezoidal rules, in ξ and in ln s. Both integrands are analytic and decay double-exponentially or
#: as Gaussians, where the rule converges exponentially; doubling the points changes 1e-12.
SCORE_POINTS, LAPLACE_POINTS = 241, 801


@by_name
@elementwise(
    single=("beta", "c2"),
    smooth=("context_length", "label_std", "score_std", "beta", "c2"),
    ignored=("task_diversity", "dimension"),
    drawn=False,
)
def rough_attention(beta: ArrayLike, task: Task, c2: ArrayLike = 0.5) -> tuple[Array, Array, Array]:
    """Drive and drag of the early system with rough attention, dw/dτ = A(β) − κ w and dβ/dτ = w A′(β).

        a_j ∝ e^{β δ_{jc} + ξ_j},  ξ_j ~ N(0, σ_s²)
        A = N⟨a_c⟩,   κ = (N c2/m)⟨(m a_c)² + s² Σ_{j≠c} a_j²⟩ = N c2/N_eff for s = m = 1

    The averages are one-dimensional, by 1/Z = ∫ e^{−sZ} ds, 1/Z² = ∫ s e^{−sZ} ds and the Laplace transform
    L(s) = ⟨e^{−s e^ξ}⟩ of the log-normal: ⟨a_c⟩ = ∫ ds ⟨X e^{−s m X}⟩ L(s)^{N−m} with X = e^{β+ξ}. For σ_s = 0 and
    e^β ≪ N they are A = e^β and κ = s² c2/m.

    Parameters
    ----------
    beta : array_like
    task : Task
        i.i.d. labels; D → ∞ (the overlaps' spread is a score term of its own, of width β/√D).
    c2 : array_like in [0, 1]

    Returns
    -------
    drive, drive_slope, drag : arrays of the broadcast shape of ``beta`` and ``c2``
        A, A′ = dA/dβ and κ.

    Raises
    ------
    ValueError
        If an argument is out of range, or labels are balanced.

    Source: docs/derivation.md, "rough attention".

    Examples
    --------
    >>> drive, _, drag = rough_attention(0.0, Task(context_length=64, score_std=2.0))
    >>> round(float(drive), 6), 0.5 < float(drag) < 32.0
    (1.0, True)
    """
    require(task.labels == "iid", "task", "have i.i.d. labels here", task.labels)
    beta = min(max(number("beta", beta), -50.0), 50.0)
    c2 = number("c2", c2, minimum=0.0, maximum=1.0)
    copies, others, n = task.copies, task.context_length - task.copies, task.context_length
    s, ds, log_laplace, squares = _laplace(task.score_std)
    kept, first, second, itself, falls = _copy(task.score_std, beta, copies, task.target_in_softmax)
    rest_of_context = np.exp(others * log_laplace)
    survive = itself * rest_of_context
    copy = (survive * first) @ ds
    # where the target is in Z its own term depends on β as well
    slope = (survive * (first - s * copies * second)) @ ds - (rest_of_context * s * falls * first) @ ds
    own = copies**2 * ((survive * s * second) @ ds)
    rest = others * ((itself * kept * s * squares * np.exp((others - 1) * log_laplace)) @ ds)
    drag = n * c2 / copies * (own + task.label_std**2 * rest)
    return np.asarray(n * copy), np.asarray(n * slope), np.asarray(drag)


@lru_cache(maxsize=16)
def _laplace(score_std: float) -> tuple[Array, Array, Array, Array]:
    """s with ds, ln L(s), and ⟨e^{2ξ} e^{−s e^ξ}⟩, each of shape (s,)."""
    score, density, s, ds = _grids(score_std)
    item = np.exp(score)
    decay = np.exp(-np.minimum(s[:, None] * item, 700.0))
    return s, ds, np.log(np.maximum(decay @ density, 1e-300)), (decay * item**2) @ density


@lru_cache(maxsize=256)
def _copy(score_std: float, beta: float, copies: int, in_softmax: bool) -> tuple[Array, Array, Array, Array, Array]:
    """⟨X^k e^{−s m X}⟩ for k = 0, 1, 2, and ⟨e^{−sX}⟩ and ⟨X e^{−sX}⟩ of a target in the softmax, X = e^{β+ξ}."""
    score, density, s, _ = _grids(score_std)
    match = math.exp(beta) * np.exp(score)
    weighted = density * np.exp(-np.minimum(s[:, None] * copies * match, 700.0))
    moments = weighted.sum(-1), weighted @ match, weighted @ match**2
    if not in_softmax:
        return *moments, np.ones(s.shape), np.zeros(s.shape)
    target = np.exp(-np.minimum(s[:, None] * match, 700.0)) * density
    return *moments, target.sum(-1), target @ match


@lru_cache(maxsize=16)
def _grids(score_std: float) -> tuple[Array, Array, Array, Array]:
    """Scores ξ with probabilities, and s with ds, both for trapezoidal rules (in ξ and in ln s)."""
    if score_std == 0.0:
        score, density = np.zeros(1), np.ones(1)
    else:
        score = np.linspace(-9.0, 9.0, SCORE_POINTS) * score_std
        density = np.exp(-0.5 * (score / score_std) ** 2)
        density /= density.sum()
    # s Z is of order 1; Z lies between the smallest and the largest e^{β+ξ} times N
    low, high = -80.0 - 9.0 * score_std, 60.0 + 9.0 * score_std
    log_s = np.linspace(low, high, int(LAPLACE_POINTS * (high - low) / 140.0))
    return score, density, np.exp(log_s), np.exp(log_s) * (log_s[1] - log_s[0])


@elementwise(
    smooth=("context_length", "score_std"),
    ignored=("task_diversity", "dimension", "label_std", "copies"),
    drawn=False,
)
def effective_context(task: Task) -> Any:
    """N_eff = 1/⟨Σ_j a_j²⟩ at β = 0: the number of tokens the first attention rests on.

    Parameters
    ----------
    task : Task
        N and σ_s count; labels, copies and dimension do not.

    Returns
    -------
    float in [1, N], or array shaped like the task

    Source: docs/derivation.md, "rough attention".

    Examples
    --------
    >>> round(effective_context(Task(context_length=64)), 6)
    64.0
    """
    flat = Task(2).at(context_length=task.context_length, score_std=task.score_std)
    return float(flat.context_length / rough_attention(0.0, flat, 1.0)[2])
