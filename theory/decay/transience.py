"""How long ICL lasts under weight decay."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.arguments import broadcast, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..memory.law import PowerLawMemory
from ..numerics.quadrature import legendre
from ..task import Task
from .curve import Curve, Tasks, curve_at, curves, mean_residuals
from .fixed_points import DECAY_MAX, DECAY_MIN
from .turns import LOSS, crossing, turned, turns

Array = NDArray[np.float64]

#: Gauss-Legendre nodes of the integral along the branch, which leave 1e-11, and 5e-5 where w runs away (D = 5).
NODES = 200


@by_name
def transience_time(
    task: Task,
    memory: PowerLawMemory,
    decay: ArrayLike,
    acquired_margin: ArrayLike = 0.0,
    *,
    task_diversity: ArrayLike | None = None,
) -> Array:
    """t_loss = ∫_{φ_acq}^{φ_c} dφ/(r_K (1 + φ/p)^q E_n[σ(−u)]), (w, β) on the stable ICL branch at φ.

    The branch ends in a fold at φ_c, where ICL is lost. On it E_n[σ(−u)] ≈ λ w/a hardly changes with φ, so that

        t_loss ≈ (I_K(φ_c) − I_K(φ_acq))/(λ w̄)        (:func:`mean_transience_time`, within 0.7 % from φ_acq = 0)

    From a fixed margin t_loss ∝ 1/r_K ∝ K^ν exactly; λ r_K t_loss is no constant, and has a maximum over λ. From
    acquisition on the integral is within 2 % of the coupled equations at K = 8000 and 7 % at K = 1000 (N = 100,
    λ = 1e-4); below N ≈ 30, ICL accuracy falls through 95 % just before the fold.

    Parameters
    ----------
    task : Task
        Its ``task_diversity`` K is used unless the last argument is given.
    memory : PowerLawMemory
        A measured law knows nothing of the memory after acquisition.
    decay : array_like, λ = 0 or in [1e−10, 1e100]
        Weight decay of w and β, per unit of gradient-flow time.
    acquired_margin : array_like, φ_acq >= 0
        What is memorised when ICL is acquired, ``memory.margin(clock_at_acquisition(...), K)``; 0 bounds t_loss from
        above.
    task_diversity : array_like, K >= 1, optional

    Returns
    -------
    array of the broadcast shape
        Gradient-flow time from acquisition to loss: ``inf`` without decay or for K → ∞, 0 where the memory is past
        the fold already, ``nan`` where ICL has no fold (see :func:`fold`) to be lost at.

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "time of loss"; paper, section 5.

    Examples
    --------
    >>> memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> task = Task(context_length=100, task_diversity=8000)
    >>> decay = np.array([1e-4, 1e-3])
    >>> (float(memory.rate(8000)) * decay * transience_time(task, memory, decay)).round(3).tolist()
    [0.196, 0.194]
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    return lasting(
        task,
        memory,
        decays(decay),
        real("acquired_margin", acquired_margin, minimum=0.0, finite=False),
        diversity_of(task, task_diversity),
    )


@elementwise(
    arrays=("context_length", "dimension", "label_std", "copies", "decay", "acquired_margin"),
    smooth=("context_length", "dimension", "label_std", "decay", "acquired_margin"),
    ignored=("task_diversity",),
    costly=True,
    first=1,
)
def scaled_time(task: Task, memory: PowerLawMemory, decay: ArrayLike, acquired_margin: ArrayLike) -> Array:
    """:func:`transience_time` at K = 1: at others it is longer as the memory is slower."""
    decay, margin, _ = broadcast(
        decay=np.asarray(decay), acquired_margin=np.asarray(acquired_margin), task=np.empty(task.shape)
    )
    shape, decay, margin = decay.shape, decay.ravel(), margin.ravel()
    times = np.full(decay.size, np.inf)
    fades = np.flatnonzero(decay > 0.0)
    if fades.size:
        tasks = Tasks(task.points(fades), decay[fades])
        times[fades] = _durations(tasks, memory, margin[fades])
    return times.reshape(shape)


def _durations(tasks: Tasks, memory: PowerLawMemory, margin: Array) -> Array:
    """:func:`scaled_time` for flat arrays of decays λ > 0 and margins."""
    if tasks.task.shape:
        curve = curves(tasks)
    else:  # of one task, one curve for each λ
        kinds, kind = np.unique(tasks.decay, return_inverse=True)
        curve = curves(Tasks(tasks.task, kinds)).rows(kind.ravel())
    index = turns(curve)[LOSS]
    times = np.full(margin.size, np.nan)
    known = np.flatnonzero(index)
    if not known.size:
        return times
    end = turned(tasks.of(known), curve.rows(known), index[known], LOSS)
    lost = end.margin[:, 0] <= margin[known]
    times[known[lost]] = 0.0
    lasts = (end.margin[:, 0] > margin[known]).nonzero()[0]
    rows = known[lasts]
    if rows.size:
        end = end.rows(lasts)
        start = _start(tasks.of(rows), curve.rows(rows), end, index[rows], margin[rows][:, None])
        times[rows] = _along(tasks.of(rows), memory, start, end)
    return times


def _start(tasks: Tasks, curve: Curve, end: Curve, index: NDArray[np.intp], margin: Array) -> Curve:
    """Where the branch is at ``margin`` (point, 1): φ falls with β beyond the fold."""
    passed = (curve.margin < margin) & (np.arange(curve.beta.shape[1]) > index[:, None])
    first = passed.argmax(axis=1)[:, None]
    before = curve.at(first - 1)
    on_curve = first - 1 > index[:, None]
    left = Curve(*(np.where(on_curve, x, at_end) for x, at_end in zip(before, end, strict=True)))
    start = crossing(tasks, left, curve.at(first), margin)
    on_branch = passed.any(axis=1, keepdims=True) & np.isfinite(start.beta)
    worst = float(margin[~on_branch][0]) if not on_branch.all() else None
    require(worst is None, "acquired_margin", "lie on the ICL branch", worst)
    return start


def _along(tasks: Tasks, memory: PowerLawMemory, start: Curve, end: Curve) -> Array:
    """The integral from the start to the fold, in β, in which everything is smooth."""
    x, weights = legendre(NODES)
    half = 0.5 * (start.beta - end.beta)
    points = curve_at(tasks, end.beta + half * (x + 1.0))
    residual = np.clip(mean_residuals(tasks, points), 0.0, 1.0)
    return half[:, 0] * ((-points.slope / memory.field(points.margin, residual, 1.0)) @ weights)


def decays(decay: ArrayLike) -> Array:
    """Decays that are 0 or in the range in which the fold is found."""
    decay = real("decay", decay, minimum=0.0, maximum=DECAY_MAX)
    tiny = decay[(decay > 0.0) & (decay < DECAY_MIN)]
    require(tiny.size == 0, "decay", f"be 0 or at least {DECAY_MIN:g}", float(tiny.flat[0]) if tiny.size else None)
    return decay


def diversity_of(task: Task, task_diversity: ArrayLike | None) -> Array:
    """K of the task, or as it is given."""
    given = task.task_diversity if task_diversity is None else task_diversity
    return real("task_diversity", given, minimum=1.0, finite=False)


def lasting(task: Task, memory: PowerLawMemory, decay: ArrayLike, margin: ArrayLike, diversity: ArrayLike) -> Array:
    """:func:`transience_time` without checks."""
    decay, margin, diversity = np.asarray(decay), np.asarray(margin), np.asarray(diversity)
    broadcast(decay=decay, acquired_margin=margin, task_diversity=diversity, task=np.empty(task.shape))
    slower = memory.rate(1.0) / np.where(np.isinf(diversity), 1.0, memory.rate(diversity))
    times = np.asarray(scaled_time(task, memory, decay, margin)) * slower
    return np.where(np.isinf(diversity), np.inf, times)
