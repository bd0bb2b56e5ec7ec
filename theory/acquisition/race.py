"""The race between the two circuits, read in the memory's clock: when ICL is acquired."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accuracy import acquired_beta
from ..common.arguments import broadcast, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..contexts.attention import BETA_MAX
from ..contexts.burstiness import repeated_nodes_of
from ..task import Task
from .integrated import arrival, clock_equations
from .time import WEIGHT_MAX, acquisition_time

Array = NDArray[np.float64]

#: Clock, in units of N, at which a race with repeated items is given up: at K <= 1e4 and N >= 2 no memory law of the
#: paper's setting reads as much, and e^{−2β0}/4, the drag's longest wait, passes it only for β0 < −9.
GIVEN_UP = 1e8


@by_name
def clock_at_acquisition(task: Task, beta0: ArrayLike, w0: ArrayLike = 0.0, *, repeats: bool = False) -> Array:
    """I*: the memory's clock when ICL is acquired, the same whatever K if no item is repeated (clock collapse).

    Without repeats I* = t_ICL(K → ∞)/2, as c1 = 1/2 throughout: N τ*/m for N → ∞. With them, the task's K counts: a
    context holds ⟨m⟩ = m + (N − m)/K copies, and

        dw/dτ = ⟨m⟩ e^β − (N − m)/K − κ w,    dβ/dτ = ⟨m⟩ w e^β        (m τ = m I/N, one copy: m = 1)

    has a saddle at w = 0, β_s = −ln[1 + mK/(N − m)] (:func:`repeat_saddle`). No closed form is known; the full field
    is integrated (to 1e-6). In either case the memory stays at φ = 0: see :func:`threshold` for what that leaves out.

    Parameters
    ----------
    task : Task
    beta0, w0 : array_like
        As for :func:`acquisition_time`.
    repeats : bool
        Items are drawn with replacement from the task's K, half of them of each label.

    Returns
    -------
    array of the broadcast shape, in gradient-flow time; ``inf`` where ICL is never acquired

    Raises
    ------
    ValueError
        As for :func:`acquisition_time`; with ``repeats`` if K = 1 or attention is rough.

    Source: docs/derivation.md, "threshold" and "repeated items"; paper, section 4.

    Examples
    --------
    >>> float(clock_at_acquisition(Task(context_length=50, dimension=63), 0.0).round(1))
    70.9
    >>> float(clock_at_acquisition(Task(context_length=100, task_diversity=161), 0.0, repeats=True).round(1))
    103.9
    """
    if not repeats or np.all(np.isinf(task.task_diversity)):
        return 0.5 * acquisition_time(task, beta0, w0)
    return _repeated_clock(task, beta0, w0)


@elementwise(
    arrays=("context_length", "task_diversity", "dimension", "label_std", "copies", "beta0", "w0"),
    smooth=("context_length", "task_diversity", "dimension", "label_std", "beta0", "w0"),
    costly=True,
    first=1,
)
def _repeated_clock(task: Task, beta0: ArrayLike, w0: ArrayLike) -> Array:
    """:func:`clock_at_acquisition` with the repeats of K items."""
    beta0, w0, _ = broadcast(
        beta0=real("beta0", beta0, minimum=-BETA_MAX, maximum=BETA_MAX),
        w0=real("w0", w0, minimum=-WEIGHT_MAX, maximum=WEIGHT_MAX),
        task=np.empty(task.shape),
    )
    endless = np.broadcast_to(np.isinf(task.task_diversity), beta0.shape).ravel()
    times, start = np.empty(beta0.size), np.array([w0.ravel(), beta0.ravel()])
    if endless.any():
        times[endless] = 0.5 * acquisition_time(task.points(endless), start[1, endless], start[0, endless])
    if not endless.all():
        finite = task.points(~endless)
        equations = clock_equations(finite, repeated_nodes_of(finite))
        last = GIVEN_UP * np.asarray(finite.context_length)
        times[~endless] = arrival(equations, start[:, ~endless], acquired_beta(finite), last).time
    return times.reshape(beta0.shape)


def repeat_saddle(task: Task) -> Any:
    """β_s = −ln[1 + mK/(N − m)]: below it, and from w0 = 0, no context of K repeated items teaches ICL.

    There the drive ⟨m⟩ e^β − (N − m)/K vanishes: the others lean against the target as much as the copies attract.

    Parameters
    ----------
    task : Task
        i.i.d. labels, finite K.

    Returns
    -------
    float, or array shaped like the task
        −inf for K → ∞. The full field's separatrix lies within 0.02 of it for N >= 25 and K >= N/2 (D → ∞).

    Raises
    ------
    ValueError
        If labels are balanced (their saddle is at β = 0 whatever K).

    Source: docs/derivation.md, "repeated items".

    Examples
    --------
    >>> round(repeat_saddle(Task(context_length=100, task_diversity=161)), 3)
    -0.966
    """
    require(task.labels == "iid", "task", "have i.i.d. labels here", task.labels)
    others = task.context_length - task.copies
    saddle = -np.log1p(task.copies * task.task_diversity / others)
    return saddle if np.ndim(saddle) else float(saddle)
