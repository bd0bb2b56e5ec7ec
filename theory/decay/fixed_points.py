"""Fixed points of (w, β) under weight decay, at a given memory margin: the folds where ICL is acquired and lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..acquisition.time import early_drag
from ..common.arguments import broadcast, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..task import Task
from .curve import MARGINS, Curve, Tasks, curves, eigenvalues
from .turns import ACQUISITION, LOSS, crossing, turned, turns, with_turns

Array = NDArray[np.float64]

#: Fixed points at one margin, at most.
MOST = 5
#: Decay outside this range is refused: below, rounding makes folds of its own; above, squares of it overflow.
DECAY_MIN, DECAY_MAX = 1e-10, 1e100


#: How the folds take arrays.
FOLDS: dict[str, Any] = {
    "arrays": ("context_length", "dimension", "label_std", "copies", "decay"),
    "smooth": ("context_length", "dimension", "label_std", "decay"),
    "ignored": ("task_diversity",),
    "costly": True,
    "first": 1,
}


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point of (w, β) at margin φ, and the growth rates of small deviations (``eigenvalues``, ascending).

    All are floats, or arrays of one shape where it was made of arrays. Rates are per unit of gradient-flow time. Made
    by :func:`fixed_points`, :func:`fold` and :func:`acquisition_fold`.

    Source: docs/derivation.md, "transience".

    Examples
    --------
    >>> FixedPoint(w=2.2, beta=3.6, margin=4.2, eigenvalues=(-0.2, -0.001)).stable
    True
    """

    w: Any
    beta: Any
    margin: Any
    eigenvalues: tuple[Any, Any]

    @property
    def stable(self) -> Any:
        """Whether every deviation decays."""
        return self.eigenvalues[1] < 0.0


def fixed_points(task: Task, decay: ArrayLike, margin: ArrayLike) -> tuple[FixedPoint, ...]:
    """All fixed points with w > 0 of the averaged field with decay, in ascending β.

        E_n[σ(−u) a] = λ w,     w E_n[σ(−u) ∂a/∂β] = λ β

    Between the two folds there are three: a stable one without ICL (β small), a saddle, and a stable one with ICL.

    Parameters
    ----------
    task : Task
    decay : array_like, λ in [1e−10, 1e100]
        Weight decay of w and β alike, per unit of gradient-flow time.
    margin : array_like in (−30, 80)
        Memory margin φ, held fixed: it moves slowly compared with (w, β).

    Returns
    -------
    tuple of FixedPoint; if an argument is an array, of arrays: as many as there are anywhere, NaN where one lacks

    Raises
    ------
    ValueError
        If ``decay`` or ``margin`` is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "transience"; paper, section 5.

    Examples
    --------
    >>> [point.stable for point in fixed_points(Task(context_length=100), decay=1e-3, margin=3.5)]
    [True, False, True]
    """
    points = _fixed_points(task, decay, margin)
    number = sum(bool(np.any(np.isfinite(point.w))) for point in points)
    return tuple(points[:number])


@elementwise(
    arrays=("context_length", "dimension", "label_std", "copies", "decay", "margin"),
    smooth=("context_length", "dimension", "label_std", "decay", "margin"),
    ignored=("task_diversity",),
    costly=True,
    first=1,
)
def _fixed_points(task: Task, decay: ArrayLike, margin: ArrayLike) -> tuple[FixedPoint, ...]:
    """:func:`fixed_points`, and NaN up to :data:`MOST` of them."""
    margin = real("margin", margin, minimum=MARGINS[0], maximum=MARGINS[1], exclusive=True)
    decay = real("decay", decay, minimum=DECAY_MIN, maximum=DECAY_MAX)
    margin, decay, _ = broadcast(margin=margin, decay=decay, task=np.empty(task.shape))
    shape, level, tasks = decay.shape, margin.reshape(-1, 1), Tasks(task, decay.ravel())
    if task.shape:
        curve = with_turns(tasks, curves(tasks))
    else:  # all margins are passed on the curve of their λ
        kinds, kind = np.unique(tasks.decay, return_inverse=True)
        different = Tasks(task, kinds)
        curve = Curve(*(array[kind.ravel()] for array in with_turns(different, curves(different))))
    crossings = (curve.margin[:, :-1] - level) * (curve.margin[:, 1:] - level) < 0.0
    order = np.argsort(~crossings, axis=1, kind="stable")[:, :MOST]
    states = np.full((5, MOST, level.size), np.nan)
    for k in range(MOST):
        which = np.flatnonzero(np.take_along_axis(crossings, order[:, k : k + 1], axis=1)[:, 0])
        if which.size:
            part, first = tasks.of(which), order[which, k][:, None]
            ends = [Curve(*(array[which] for array in curve)).at(first + i) for i in (0, 1)]
            states[:, k, which] = _states(part, crossing(part, ends[0], ends[1], level[which]))
    return tuple(_fixed_point(states[:, k].reshape(5, *shape)) for k in range(MOST))


@elementwise(**FOLDS)
def fold(task: Task, decay: ArrayLike) -> FixedPoint | None:
    """The fold that ends the ICL branch: the largest margin φ_c at which ICL persists against weight decay.

    There the Jacobian of the averaged field with decay is singular. φ_c = ln(1/λ) − 2.7 for N = 100.

    Parameters
    ----------
    task : Task
    decay : array_like, λ in [1e−10, 1e100]

    Returns
    -------
    FixedPoint, or None where there is no fold: the decay is so strong that ICL has no branch of its own, or N is so
    small (N <= 10 for one copy) that ICL fades without one. With balanced labels the branch leaves (0, 0) at
    φ = ln(m/(λ (N + T)) − 1) and turns at the fold; there is no fold where it bends towards smaller φ at once.
    β is good to 1e-5, φ to 1e-9. If an argument is an array, a FixedPoint of arrays, NaN for None.

    Raises
    ------
    ValueError
        If ``decay`` is out of that range, or shapes do not broadcast.

    Source: docs/derivation.md, "transience".

    Examples
    --------
    >>> round(fold(Task(context_length=100), 1e-3).margin, 2)
    4.22
    """
    return _fold(task, decay, LOSS)


@elementwise(**FOLDS)
def acquisition_fold(task: Task, decay: ArrayLike) -> FixedPoint | None:
    """The fold that ends the branch without ICL: the margin φ_a below which the network cannot help acquiring ICL.

    Memory that passes φ_a before ICL is acquired traps the network short of it. Early system, K → ∞: φ_a = 0 at the
    :func:`critical_decay`. Arguments, errors and source as for :func:`fold`.

    Examples
    --------
    >>> acquisition_fold(Task(context_length=100), 1e-3).margin > 0.0
    True
    """
    return _fold(task, decay, ACQUISITION)


@by_name
def critical_decay(task: Task, c1: ArrayLike = 0.5, c2: ArrayLike = 0.5) -> Array:
    """λ_c = (m c1/N) [√(κ² + 8e) − κ]/2: decay beyond which ICL is never acquired from small β.

    In the clock, with λ′ = λ N/(m c1), the early system's fixed points obey e^{2β}/β = λ′(κ + λ′), whose left side is
    least, 2e, at β = 1/2. Larger decay leaves a stable fixed point without ICL.

    Parameters
    ----------
    task : Task
        i.i.d. labels.
    c1, c2 : array_like in [0, 1]
        State of the memory when ICL is to be acquired; both 1/2 for K → ∞.

    Returns
    -------
    array of the broadcast shape, per unit of gradient-flow time

    Raises
    ------
    ValueError
        If an argument is out of range, or labels are balanced (there 0 is a fixed point whatever the decay).

    Source: docs/derivation.md, "critical decay".

    Examples
    --------
    >>> round(float(critical_decay(Task(context_length=100))), 5)
    0.01048
    """
    require(task.labels == "iid", "task", "have i.i.d. labels here", task.labels)
    c1, kappa = real("c1", c1, minimum=0.0, maximum=1.0), early_drag(task, c2)
    c1, kappa, _ = broadcast(c1=c1, c2=kappa, task=np.empty(task.shape))
    # (√(κ² + 8e) − κ)/2, without the difference of two large numbers
    root = 4.0 * math.e / (np.hypot(kappa, math.sqrt(8.0 * math.e)) + kappa)
    return task.copies * c1 / task.context_length * root


def _fold(task: Task, decay: ArrayLike, which: int) -> FixedPoint | None:
    """The fold of acquisition (0) or loss (1); None for a single pair without one."""
    decay = real("decay", decay, minimum=DECAY_MIN, maximum=DECAY_MAX)
    decay, _ = broadcast(decay=decay, task=np.empty(task.shape))
    tasks = Tasks(task, decay.ravel())
    curve = curves(tasks)
    index = turns(curve)[which]
    states = np.full((5, index.size), np.nan)
    known = np.flatnonzero(index)
    if known.size:
        part = tasks.of(known)
        states[:, known] = _states(part, turned(part, Curve(*(array[known] for array in curve)), index[known], which))
        states[4, known] = np.where(np.isnan(states[0, known]), np.nan, 0.0)  # the Jacobian is singular there
    fold = _fixed_point(states.reshape(5, *decay.shape))
    return None if decay.ndim == 0 and np.isnan(fold.w) else fold


def _states(tasks: Tasks, point: Curve) -> Array:
    """w, β, φ and the eigenvalues (component, point) at a curve of one point each."""
    low, high = eigenvalues(tasks, point)
    return np.array([point.w[:, 0], point.beta[:, 0], point.margin[:, 0], low[:, 0], high[:, 0]])


def _fixed_point(states: Array) -> FixedPoint:
    """Of floats or arrays (component, ...)."""
    w, beta, margin, low, high = states if states.ndim > 1 else map(float, states)
    return FixedPoint(w, beta, margin, (low, high))
