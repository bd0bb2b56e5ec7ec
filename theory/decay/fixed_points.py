"""Fixed points of (w, β) under weight decay, at a given memory margin: the folds where ICL is acquired and lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from .._arguments import broadcast, number, real, require
from .._elementwise import elementwise
from .._labels import by_name
from ..acquisition.time import early_drag
from ..contexts.attention import Attended, attended_label, context_nodes
from ..contexts.labels import NODES
from ..field import force
from ..loss import curvatures, loss_hessian
from ..task import Task

Array = NDArray[np.float64]

#: Points of the curve of fixed points, and passes of the zoom on its extrema. The fold's β is found to 1e-6 and its
#: margin, an extremum, to 1e-11.
POINTS, ZOOMS = 241, 3
#: Range of margins searched: at −30 ICL would have to unlearn, at 80 its residual is 1e-35.
MARGINS = (-30.0, 80.0)
#: Change of φ between neighbours on the branch that counts as one; rounding leaves 1e-13 of it.
ROUNDING = 1e-9
#: Decay outside this range is refused: below, rounding makes folds of its own; above, squares of it overflow.
DECAY_MIN, DECAY_MAX = 1e-10, 1e100


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


class Branch(NamedTuple):
    """The curve of fixed points with β as its coordinate: w and φ are single-valued functions of β > 0."""

    beta: Array
    w: Array
    margin: Array


@elementwise(single=("decay", "margin"), ignored=("task_diversity",))
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
    margin = number("margin", margin, minimum=MARGINS[0], maximum=MARGINS[1], exclusive=True)
    decay = number("decay", decay, minimum=DECAY_MIN, maximum=DECAY_MAX)
    branch = branch_of(task, decay)
    gap = branch.margin - margin
    found = []
    for i in np.flatnonzero(gap[:-1] * gap[1:] < 0.0):
        beta = np.linspace(branch.beta[i], branch.beta[i + 1], 21)
        for _ in range(2 * ZOOMS):  # twice: β itself is wanted, not an extremum
            local = branch_at(task, decay, beta)
            j = int(np.flatnonzero(np.diff(np.sign(local.margin - margin)))[0])
            beta = np.linspace(beta[j], beta[j + 1], 21)
        point = branch_at(task, decay, np.array([0.5 * (beta[0] + beta[-1])]))
        found.append(_fixed_point(task, decay, float(point.w[0]), float(point.beta[0]), margin))
    return tuple(found)


@elementwise(single=("decay",), smooth=("context_length", "dimension", "decay"), ignored=("task_diversity",))
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
    return _folds(task, number("decay", decay, minimum=DECAY_MIN, maximum=DECAY_MAX))[1]


@elementwise(single=("decay",), smooth=("context_length", "dimension", "decay"), ignored=("task_diversity",))
def acquisition_fold(task: Task, decay: ArrayLike) -> FixedPoint | None:
    """The fold that ends the branch without ICL: the margin φ_a below which the network cannot help acquiring ICL.

    Memory that passes φ_a before ICL is acquired traps the network short of it. Early system, K → ∞: φ_a = 0 at the
    :func:`critical_decay`. Arguments, errors and source as for :func:`fold`.

    Examples
    --------
    >>> acquisition_fold(Task(context_length=100), 1e-3).margin > 0.0
    True
    """
    return _folds(task, number("decay", decay, minimum=DECAY_MIN, maximum=DECAY_MAX))[0]


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


def branch_at(task: Task, decay: float, beta: Array, near: Branch | None = None) -> Branch:
    """w and φ of the fixed point at each β > 0, by Newton in both, from ``near`` or from a bisection in φ.

    At given (β, φ), E[σ(−φ − w a) a] falls with w while λ w rises: one w. With it, w E[σ(−u) ∂a/∂β] falls with φ: one
    φ, clipped to :data:`MARGINS`. Along β both are smooth, through the folds as well, so that neighbours on a branch
    already known (``near``) are within Newton's reach.
    """
    context = context_nodes(task, "gaussian", NODES)
    attended, weight = attended_label(beta, task, context), context.weight
    if near is None:
        w, margin = _bisected(attended, weight, decay, beta)
    else:
        w, margin = np.interp(beta, near.beta, near.w), np.interp(beta, near.beta, near.margin)
    for _ in range(5):
        point = (w[:, None], attended, margin[:, None], weight)
        (dw, dbeta, _), (ww, wb, wf, _, bf, _) = force(*point), curvatures(*point)
        drive, pull = dw - decay * w, dbeta - decay * beta
        drive_w, drive_margin, pull_w, pull_margin = -ww - decay, -wf, -wb, -bf
        determinant = drive_w * pull_margin - drive_margin * pull_w
        inside = (margin > MARGINS[0] + 0.01) & (margin < MARGINS[1] - 0.01) & (determinant != 0.0)
        determinant = np.where(inside, determinant, 1.0)
        w = w - np.where(inside, (drive * pull_margin - drive_margin * pull) / determinant, 0.0)
        margin = margin - np.where(inside, (drive_w * pull - drive * pull_w) / determinant, 0.0)
    return Branch(beta, w, margin)


def _bisected(attended: Attended, weight: Array, decay: float, beta: Array) -> tuple[Array, Array]:
    """w and φ at each β, φ to 1e-4."""
    low, high = np.full(beta.shape, MARGINS[0]), np.full(beta.shape, MARGINS[1])
    w = np.full(beta.shape, 1.0)
    for _ in range(20):
        margin = 0.5 * (low + high)
        w = _readout(attended.value, weight, decay, margin, w)
        pull = force(w[:, None], attended, margin[:, None], weight)[1] - decay * beta
        low, high = np.where(pull > 0.0, margin, low), np.where(pull > 0.0, high, margin)
    margin = 0.5 * (low + high)
    return _readout(attended.value, weight, decay, margin, w), margin


def _readout(a: Array, weight: Array, decay: float, margin: Array, guess: Array) -> Array:
    """The w of E[σ(−φ − w a) a] = λ w, by Newton within a bracket, from ``guess``."""
    low = np.zeros_like(margin)
    high = expit(-margin) * np.maximum(a @ weight, 0.0) / decay + 1e-300  # the drive is largest at w = 0
    w = np.where((guess > low) & (guess < high), guess, 0.5 * high)
    for _ in range(60):
        residual = expit(-(margin[:, None] + w[:, None] * a))
        excess = (residual * a) @ weight - decay * w
        slope = -(residual * (1.0 - residual) * a**2) @ weight - decay
        low, high = np.where(excess > 0.0, w, low), np.where(excess > 0.0, high, w)
        newton = w - excess / slope
        following = np.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
        if np.all(np.abs(following - w) <= 1e-9 * (1.0 + w)):
            return following
        w = following
    return w


@lru_cache(maxsize=128)
def branch_of(task: Task, decay: float) -> Branch:
    """The curve from β = 0.02 to well beyond the fold (β ≈ ln N − 1), where φ falls below any of interest."""
    # without ICL β falls off like e^{−φ}; a balanced branch starts at β = 0, where e^β − 1 loses its digits
    low = np.geomspace(1e-9 if task.labels == "iid" else 1e-3, 0.02, 40, endpoint=False)
    return branch_at(task, decay, np.concatenate([low, np.linspace(0.02, math.log(task.context_length) + 8.0, POINTS)]))


@lru_cache(maxsize=128)
def _folds(task: Task, decay: float) -> tuple[FixedPoint | None, FixedPoint | None]:
    """Least φ (acquisition) and the largest φ beyond it (loss); None where φ(β) has no such extremum."""
    branch = branch_of(task, decay)
    change = np.diff(branch.margin)
    rises, falls = change > ROUNDING, change < -ROUNDING
    inside = (np.abs(branch.margin) < MARGINS[1] - 1.0) & (branch.margin > MARGINS[0] + 1.0)
    if not rises.any():
        return None, None
    first = int(rises.argmax())
    last = first + int(falls[first:].argmax())
    lowest = _extremum(task, decay, branch, first, 1.0) if inside[first] else None
    return lowest, _extremum(task, decay, branch, last, -1.0) if inside[last] else None


def _extremum(task: Task, decay: float, branch: Branch, index: int, sign: float) -> FixedPoint | None:
    if index in (0, branch.beta.size - 1):
        return None
    fine, best = branch, index
    for _ in range(ZOOMS):
        fine = branch_at(task, decay, np.linspace(fine.beta[best - 1], fine.beta[best + 1], 41), fine)
        best = int(np.clip(np.argmin(sign * fine.margin), 1, 39))
    if not MARGINS[0] < fine.margin[best] < MARGINS[1]:
        return None  # Newton left the range: no extremum, but the rounding of a branch whose w vanishes
    return _fixed_point(task, decay, float(fine.w[best]), float(fine.beta[best]), float(fine.margin[best]))


def _fixed_point(task: Task, decay: float, w: float, beta: float, margin: float) -> FixedPoint:
    jacobian = -loss_hessian(w, beta, task, margin)[:2, :2] - decay * np.eye(2)
    low, high = np.linalg.eigvalsh(jacobian)  # a gradient flow: the Jacobian is symmetric
    return FixedPoint(w, beta, margin, (float(low), float(high)))
