"""Rough initial attention: every score carries a Gaussian term of width σ_s, and the first attention is not flat."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.arguments import broadcast, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..task import Task

Array = NDArray[np.float64]

#: Points of the two trapezoidal rules, in ξ and in ln s. Both integrands are analytic and decay double-exponentially or
#: as Gaussians, where the rule converges exponentially; doubling the points changes 1e-12.
SCORE_POINTS, LAPLACE_POINTS = 241, 801


@by_name
@elementwise(arrays=("beta", "c2"), ignored=("task_diversity", "dimension"))
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
    beta, c2 = broadcast(beta=np.clip(real("beta", beta), -50.0, 50.0), c2=real("c2", c2, minimum=0.0, maximum=1.0))
    score, density, s, ds = _grids(task.score_std)
    copies, others, n = task.copies, task.context_length - task.copies, task.context_length
    item = np.exp(score)
    decay = np.exp(-np.minimum(s[:, None] * item, 700.0))
    log_laplace = np.log(np.maximum(decay @ density, 1e-300))
    squares = (decay * item**2) @ density
    match = np.exp(beta)[..., None, None] * item  # X on (..., s, ξ)
    weighted = density * np.exp(-np.minimum(s[:, None] * copies * match, 700.0))
    if task.target_in_softmax:
        itself = np.exp(-np.minimum(s[:, None] * match, 700.0)) @ density
    else:
        itself = np.ones(beta.shape + s.shape)
    survive = itself * np.exp(others * log_laplace)
    first = (weighted * match).sum(-1)
    second = (weighted * match**2).sum(-1)
    copy = (survive * first) @ ds
    slope = (survive * (first - s * copies * second)) @ ds
    if task.target_in_softmax:  # the target's own term in Z depends on β as well
        falls = ((density * np.exp(-np.minimum(s[:, None] * match, 700.0))) * match).sum(-1)
        slope = slope - (np.exp(others * log_laplace) * s * falls * first) @ ds
    own = copies**2 * ((survive * s * second) @ ds)
    rest = others * ((itself * weighted.sum(-1) * s * squares * np.exp((others - 1) * log_laplace)) @ ds)
    drag = n * c2 / copies * (own + task.label_std**2 * rest)
    return n * copy, n * slope, drag


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


@elementwise(ignored=("task_diversity", "dimension", "label_std", "copies"))
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
    flat = Task(task.context_length, copies=1, score_std=task.score_std)
    return float(flat.context_length / rough_attention(0.0, flat, 1.0)[2])
