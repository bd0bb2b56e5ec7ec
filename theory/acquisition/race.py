"""The race between the two circuits, read in the memory's clock: when ICL is acquired, and with what probability."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accuracy import acquired_beta
from ..common.arguments import broadcast, number, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..contexts.attention import BETA_MAX
from ..contexts.burstiness import repeated_nodes_of
from ..memory.law import Memory
from ..numerics.level_sets import mass
from ..numerics.roots import root
from ..task import Task
from .distribution import SPAN, AcquisitionDistribution, acquisition_distribution
from .integrated import arrival, clock_equations
from .time import WEIGHT_MAX, acquisition_time

Array = NDArray[np.float64]

#: Clock, in units of N, at which a race with repeated items is given up: at K <= 1e4 and N >= 2 no memory law of the
#: paper's setting reads as much, and e^{−2β0}/4, the drag's longest wait, passes it only for β0 < −9.
GIVEN_UP = 1e8
#: Starts at which a race with repeats is run to see where it is won: two a standard deviation.
SCANNED = 37


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


@by_name
@elementwise(single=("beta0_mean", "beta0_std", "w0"), arrays=("task_diversity",))
def acquisition_probability(
    task: Task,
    memory: Memory,
    beta0_mean: ArrayLike,
    beta0_std: ArrayLike,
    *,
    task_diversity: ArrayLike | None = None,
    w0: ArrayLike = 0.0,
    repeats: bool = False,
) -> Array:
    """P(acquire | K) = P(I* < I_K(∞)) over β0 ~ N(mean, std²), after an infinite time: a probit in ln K near K*.

    Where I* falls with β0, P = Φ((mean − β_c)/std) with β_c(K) the β0 that has I*(β_c) = I_K(∞). The width is σ_β/ν
    for β0 ≫ ln κ and 2σ_β/ν in the drag branch; with balanced labels P saturates at P(β0 > 0). At D of order 1, or for
    w0 < 0, I* need not fall: P is that of all β0 that acquire in time (:func:`acquisition_distribution`, which states
    the error: 1e-5 beside that of the times).

    Parameters
    ----------
    task : Task
        Its ``task_diversity`` is used unless the next argument is given.
    memory : a memory law
    beta0_mean, beta0_std : array_like, std > 0
    task_diversity : array_like, K >= 1, optional
    w0 : array_like
    repeats : bool
        Whether items are repeated within contexts (:func:`clock_at_acquisition`); β_c then never lies below the saddle.
        Every β_c is found, unless two lie within half a std.

    Returns
    -------
    array of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "bimodality"; paper, section 4.

    Examples
    --------
    >>> task, memory = Task(context_length=100), PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> acquisition_probability(task, memory, 0.0, 1.0, task_diversity=[10, 160, 10_000]).round(2).tolist()
    [0.03, 0.49, 0.99]
    """
    require(isinstance(memory, Memory), "memory", "be a memory law", memory)
    diversity = task.task_diversity if task_diversity is None else task_diversity
    diversity = real("task_diversity", diversity, minimum=1.0, finite=False)
    task = task.at(task_diversity=math.inf)
    law = acquisition_distribution(
        task, number("beta0_mean", beta0_mean), number("beta0_std", beta0_std), number("w0", w0)
    )
    if not repeats:
        return law.cdf(2.0 * memory.total_clock(diversity))
    start = number("w0", w0)
    chances = [_repeated_probability(task, memory, float(k), start, law) for k in diversity.flat]
    return np.reshape(np.array(chances, dtype=np.float64), diversity.shape)


def _repeated_probability(
    task: Task, memory: Memory, diversity: float, w0: float, law: AcquisitionDistribution
) -> float:
    """P(I* <= I_K(∞)) with repeats: the probability between the starts whose clock at acquisition is I_K(∞)."""
    total = float(memory.total_clock(diversity))
    single = replace(task, task_diversity=diversity)

    def excess(z: float) -> float:
        beta0 = min(max(law.beta0_mean + law.beta0_std * z, -BETA_MAX), BETA_MAX)
        clock = float(clock_at_acquisition(single, beta0, w0, repeats=True))
        return math.atan(math.log(max(clock, 1e-300) / total)) if math.isfinite(clock) else 2.0

    scan = np.linspace(-SPAN, SPAN, SCANNED)
    early = np.array([excess(z) <= 0.0 for z in scan])
    changes = np.flatnonzero(early[1:] != early[:-1])
    ends = [-math.inf, *(root(excess, scan[i], scan[i + 1]) for i in changes), math.inf]
    # every second interval between the ends acquires
    return sum(float(mass(*pair)) for pair in list(itertools.pairwise(ends))[0 if early[0] else 1 :: 2])
