"""Acquisition time for K → ∞, to 95 % ICL accuracy: variation of constants where it holds, else integration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accuracy import ACQUIRED, acquired_beta
from ..common.arguments import broadcast, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..contexts.attention import BETA_MAX
from ..contexts.labels import Average
from ..task import Task
from .integrated import integrated_time
from .planar import sharp
from .variation import time_along_path

Array = NDArray[np.float64]

#: Relative error that a time of the closed form, or an integrated one, may have.
CLOSED_ERROR, INTEGRATED_ERROR = 2e-3, 1e-4
#: Initial weights beyond this are refused: at w n/Z of order 1 from the start networks are in no early phase.
WEIGHT_MAX = 5.0


@by_name
def early_drag(task: Task, c2: ArrayLike = 0.5) -> Array:
    """κ = s² c2/m, the drag of the early system for N → ∞ (0 for balanced labels, whose n does not fluctuate).

    Parameters
    ----------
    task : Task
    c2 : array_like in [0, 1]
        1/2 for K → ∞; it rises to 1 as the memory forms.

    Returns
    -------
    array of the broadcast shape of the task and ``c2``

    Raises
    ------
    ValueError
        If ``c2`` is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "early system".

    Examples
    --------
    >>> float(early_drag(Task(context_length=100, copies=2)))
    0.25
    """
    fluctuation = np.asarray(0.0 if task.labels == "balanced" else task.label_std**2 / task.copies)
    fluctuation, c2 = broadcast(task=fluctuation, c2=real("c2", c2, minimum=0.0, maximum=1.0))
    return np.asarray(fluctuation * c2)


@by_name
@elementwise(
    arrays=("context_length", "dimension", "label_std", "copies", "beta0", "w0", "accuracy", "until_beta"),
    smooth=("context_length", "dimension", "label_std", "beta0", "w0", "accuracy", "until_beta"),
    ignored=("task_diversity",),
    costly=True,
)
def acquisition_time(
    task: Task,
    beta0: ArrayLike,
    w0: ArrayLike = 0.0,
    *,
    accuracy: ArrayLike = ACQUIRED,
    until_beta: ArrayLike | None = None,
    average: Average = "gaussian",
) -> Array:
    """Gradient-flow time to 95 % ICL accuracy without memory (φ = 0): t_ICL → 2 N τ*/m for N → ∞.

    The early system is solved by Y = w − κ e^{−β} and a constant C (see :mod:`.early`). Under the exact
    averaged field C drifts,

        dC/dY = e^{β − Y²/2} (dβ/dt − w dY/dt)/(dY/dt),     t = ∫ dY/(dY/dt),

    and a few successive approximations of this integral give the time. Where they have not converged to 0.05 % along
    the whole path (small N or D, w0 or β0 far from the early phase, attention that saturates, balanced labels), the
    averaged field is integrated instead. So every value is within 0.2 % of the field's (:data:`CLOSED_ERROR`), and an
    integrated one within 0.01 % (:data:`INTEGRATED_ERROR`).

    Parameters
    ----------
    task : Task
        All statistics count except ``task_diversity``. ``score_std`` > 0 is refused: integrate :func:`icl_field`.
    beta0, w0 : array_like
        Initial attention strength, |β0| <= 300, and readout weight, |w0| <= 5.
    accuracy : float in (1/2, 1)
        Accuracy, on sequences of the task itself, that counts as acquired.
    until_beta : float, optional
        Attention strength that counts as acquired, in place of ``accuracy``: a network trained on balanced contexts but
        tested on i.i.d. ones has to reach the latter's ``acquired_beta``.
    average : "gaussian" or "binomial"
        How the label sum is averaged.

    Returns
    -------
    array of the broadcast shape
        0 where the accuracy is there from the start, or as w leaves 0; ``inf`` where ICL is never acquired: balanced
        labels short of the saddle at β = 0, or flows that creep away from the copies (w0 < 0, D of order 1) and have
        not turned back at 1e20 over the square of the copies' first share of attention.

    Raises
    ------
    ValueError
        If an argument is out of range, shapes do not broadcast, or the task has rough attention.

    Source: docs/derivation.md, "acquisition time"; paper, section 4.

    Examples
    --------
    >>> float(acquisition_time(Task(context_length=50, dimension=63), 0.0).round(1))
    141.8
    """
    require(task.score_std == 0.0, "task", "have score_std = 0 here", task.score_std)
    beta0, w0 = broadcast(
        beta0=real("beta0", beta0, minimum=-BETA_MAX, maximum=BETA_MAX),
        w0=real("w0", w0, minimum=-WEIGHT_MAX, maximum=WEIGHT_MAX),
    )
    level = acquired_beta(task, accuracy) if until_beta is None else until_beta
    level = (
        real("until_beta", level, minimum=-BETA_MAX, maximum=BETA_MAX) if until_beta is not None else np.asarray(level)
    )
    beta0, w0, target, _ = broadcast(beta0=beta0, w0=w0, until_beta=level, task=np.empty(task.shape))
    shape, beta0, w0, target = beta0.shape, beta0.ravel(), w0.ravel(), target.ravel()
    never = np.isposinf(target)  # the overlaps of few dimensions keep balanced contexts below the accuracy
    times = np.where(never, np.inf, 0.0)
    # w rises from 0 unless the labels are balanced and β0 <= 0
    rises = (w0 > 0.0) | ((w0 == 0.0) & ((beta0 > 0.0) | (task.labels != "balanced")))
    waits = ((beta0 < target) | ~rises) & ~never
    times[waits] = _times(task.points(waits), beta0[waits], w0[waits], target[waits], average)
    return times.reshape(shape)


def _times(task: Task, beta0: Array, w0: Array, target: Array, average: Average) -> Array:
    """Closed form where it is trusted, integration elsewhere; for flat arrays of starts (and tasks)."""
    times, trusted = np.empty(beta0.size), np.zeros(beta0.size, dtype=bool)
    if task.labels != "balanced" and beta0.size:
        times, trusted = time_along_path(task, beta0, w0, np.maximum(target, -BETA_MAX), average)
    fine = np.broadcast_to(sharp(task), trusted.shape)  # more nodes only where they are needed
    for left in (~trusted & fine, ~trusted & ~fine):
        if left.any():
            times[left] = integrated_time(task.points(left), beta0[left], w0[left], target[left], average)
    return times
