"""K*: the task diversity above which ICL is acquired within a budget, its bracket, and how it moves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .acquisition.clock import acquisition_clock
from .acquisition.finite import time_of_clock
from .acquisition.race import clock_at_acquisition
from .acquisition.time import early_drag
from .common.arguments import broadcast, number, real, require
from .common.elementwise import elementwise
from .common.labels import by_name
from .estimate import CONFIDENCE, Estimate
from .memory.budget import diversity_at_budget
from .memory.law import Memory, PowerLawMemory
from .memory.measured import MeasuredMemory
from .numerics.roots import root
from .task import Task

Array = NDArray[np.float64]

#: ln K is searched up to this far above the K* of infinite time; nothing is acquired at this budget beyond it.
LOG_SPAN = 200.0
#: Step in ln K by which a root is searched for downwards when the clock at acquisition hangs on K itself.
LOG_STEP = 0.25


def threshold(
    task: Task,
    memory: Memory,
    beta0: ArrayLike,
    w0: ArrayLike = 0.0,
    *,
    budget: ArrayLike = math.inf,
    clock: ArrayLike | None = None,
    repeats: bool = False,
) -> Estimate:
    """K*(T): the task diversity above which ICL is acquired by the time T, the budget; after an infinite time if none.

    ICL is acquired by T iff I_K(T) >= I*, the clock at which it is acquired. After an infinite time

        I_K(∞) = A K^ν  ⇒  K* = (I*/A)^{1/ν} → (N τ*/(m A))^{1/ν}

    and at a finite one, along the margin of the homogeneous law,

        T = ∫_0^φ dφ/(r_K (1 + φ/p)^q σ(−φ)),   I* = I_K(∞) [1 − (1 + φ/p)^{1−q}]

    so that K*(T) > K*(∞), and infinite for T <= 2 I* = t_ICL(K → ∞): no diversity acquires ICL sooner. Nothing is
    fitted to what is predicted: I* follows from the task, I_K from the memory circuit alone.

    Parameters
    ----------
    task : Task
    memory : PowerLawMemory or MeasuredMemory (of two or more task diversities)
        For a measured law I_K(T) comes from T = ∫ dI/c1 along each run.
    beta0, w0 : array_like
        Initial attention strength and readout weight.
    budget : array_like, T > 0
        Gradient-flow time. At a finite one no K* is below 1.
    clock : array_like >= 0, optional
        I*, if it was integrated elsewhere; otherwise :func:`clock_at_acquisition`.
    repeats : bool
        I* taken at K* itself, with the repeated items of K (self-consistently). Not with ``clock``. K* is the largest
        root; for β0 < 0 it lies above (N/m − 1)(e^{−β0} − 1), where β0 is the saddle.

    Returns
    -------
    Estimate
        Of floats, or of arrays of the broadcast shape. ``value`` keeps the drag of the start, c2 = 1/2. The interval
        says what that leaves out. For a power law, whose items share one margin, c2 rises from 1/2 to at most 1, more
        drag never helps, and so

            τ*(s²/2m) <= τ*_true <= τ*(s²/m):    high = value · [τ*(s²/m)/τ*(s²/2m)]^{1/ν},    low = value

        as a bound, not at a confidence (``confidence`` = 1; a finite budget keeps the factor's exponent at T). Against
        the equations with c2 and the memory's own residual, N = 25 … 400, β0 = 1 … −2, T → ∞, it holds except for
        N = 25, β0 = 1, where K* is 5 % below ``low``: there ICL's own logit slows the memory at the end. For a measured
        law the interval is a bound, too: it spans what lies beyond the runs' last reading. ``extrapolated`` says that
        K* lies outside the K of the table; the interval is then open on that side. ``inf`` where ICL is never acquired.

    Raises
    ------
    ValueError
        If an argument is out of range, shapes do not broadcast, or ``memory`` is no memory law.

    Source: docs/derivation.md, "threshold", "threshold at a budget" and "repeated items"; paper, sections 4 and 5.

    Examples
    --------
    >>> task, memory = Task(context_length=100), PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> [round(threshold(task, memory, 0.0, budget=budget).value) for budget in (1e3, 1e6, math.inf)]
    [601, 354, 164]
    >>> round(threshold(task, memory, 0.0).high), round(threshold(task, memory, 0.0, repeats=True).value)
    (187, 84)
    """
    require(isinstance(memory, Memory), "memory", "be a memory law", memory)
    require(clock is None or not repeats, "clock", "be left out with repeats: I* hangs on K then", clock)
    if isinstance(memory, PowerLawMemory) and not repeats:
        return _of_power_law(task, memory, beta0, w0, budget, clock)
    return _single_threshold(task, memory, beta0, w0, budget=budget, clock=clock, repeats=repeats)


def _of_power_law(
    task: Task, memory: PowerLawMemory, beta0: ArrayLike, w0: ArrayLike, budget: ArrayLike, clock: ArrayLike | None
) -> Estimate:
    """K* of a power law with its drag's bracket, for numbers or arrays."""
    if clock is not None:
        return Estimate.exact(threshold_values(task, memory, budget=budget, clock=clock))
    reading = clock_at_acquisition(task, beta0, w0)
    value = threshold_values(task, memory, budget=budget, clock=reading)
    at_end = threshold_values(task, memory, budget=budget, clock=reading * _most_drag(task, beta0, w0))
    high = np.where(np.isfinite(value), np.maximum(value, at_end), value)
    ends = (value, high) if value.ndim else (float(value), float(high))
    return Estimate(ends[0], *ends, confidence=1.0 if np.all(np.isfinite(value)) else CONFIDENCE)


@elementwise(
    single=("beta0", "w0", "budget", "clock"), smooth=("dimension", "beta0", "w0"), ignored=("task_diversity",)
)
def _single_threshold(
    task: Task,
    memory: Memory,
    beta0: ArrayLike,
    w0: ArrayLike,
    *,
    budget: ArrayLike,
    clock: ArrayLike | None,
    repeats: bool,
) -> Estimate:
    """:func:`threshold` of one task by a measured law, or with repeats."""
    budget = number("budget", budget, minimum=0.0, finite=False)
    require(budget > 0.0, "budget", "be positive", budget)
    beta0, w0 = number("beta0", beta0), number("w0", w0)
    if clock is not None:
        reading = number("clock", clock, minimum=0.0, finite=False)
    else:
        reading = float(clock_at_acquisition(task, beta0, w0))
    if repeats:
        value = _self_consistent(task, memory, beta0, w0, budget)
        reading = _reading(task, value, beta0, w0) if math.isfinite(value) else math.inf
    elif math.isinf(budget) or reading == 0.0:
        value = math.inf if math.isinf(reading) else float(memory.critical_diversity(reading))
    else:
        value = _at_budget(memory, reading, budget)
    return _bracketed(task, memory, value, reading, beta0, w0, budget, clock is None)


@by_name
def threshold_values(
    task: Task,
    memory: PowerLawMemory,
    beta0: ArrayLike = 0.0,
    w0: ArrayLike = 0.0,
    *,
    budget: ArrayLike = math.inf,
    clock: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """K*(T) of :func:`threshold`, its value without the interval, for arrays of starts, budgets and clocks.

    A finite budget needs one root a value, of T/(2 I*) in the margin (:func:`.memory.budget.diversity_at_budget`);
    1,000 values and more are interpolated between few, to 2e-6.

    Parameters
    ----------
    task : Task
    memory : PowerLawMemory
    beta0, w0, budget : array_like
        As for :func:`threshold`.
    clock : array_like >= 0, optional
        I*, such as that of several tasks, in place of what the task, β0 and w0 say; otherwise
        :func:`clock_at_acquisition`.

    Returns
    -------
    array of the broadcast shape; ``inf`` where no diversity acquires ICL by then

    Raises
    ------
    ValueError
        If an argument is out of range, shapes do not broadcast, or ``memory`` is no PowerLawMemory.

    Source: docs/derivation.md, "threshold" and "threshold at a budget".

    Examples
    --------
    >>> task, memory = Task(context_length=100), PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> threshold_values(task, memory, [[0.0], [1.0]], budget=[1e3, 1e6, math.inf]).round().tolist()
    [[601.0, 354.0, 164.0], [109.0, 77.0, 37.0]]
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    budget = real("budget", budget, minimum=0.0, finite=False)
    require(bool(np.all(budget > 0.0)), "budget", "be positive", budget)
    if clock is None:
        reading = clock_at_acquisition(task, beta0, w0)
    else:
        reading = real("clock", clock, minimum=0.0, finite=False)
    reading, budget, _ = broadcast(clock=reading, budget=budget, task=np.empty(task.shape))
    never = np.isinf(reading)
    reading = np.where(never, 1.0, reading)
    values = np.asarray(memory.critical_diversity(reading))
    bounded = np.isfinite(budget) & (reading > 0.0) & ~never
    if bounded.any():
        values[bounded] = diversity_at_budget(memory, reading[bounded], budget[bounded])
    return np.where(never, np.inf, values)


def _at_budget(memory: Memory, clock: float, budget: float) -> float:
    """K*(T) for one I*: a root in ln K, as I_K(T) grows with K (slower memorisation leaves c1 higher)."""
    require(isinstance(memory, PowerLawMemory | MeasuredMemory), "memory", "know its time, at a budget", memory)
    assert isinstance(memory, PowerLawMemory | MeasuredMemory)
    if isinstance(memory, PowerLawMemory):
        return float(diversity_at_budget(memory, np.array(clock), np.array(budget)))
    if budget <= 2.0 * clock:
        return math.inf

    def late(log_diversity: float) -> float:
        time = time_of_clock(memory, clock, math.exp(log_diversity))
        return math.atan(math.log(time / budget)) if math.isfinite(time) else 2.0

    low = math.log(max(float(memory.critical_diversity(clock)), 1.0))
    high = low + 1.0
    while late(high) > 0.0:
        high += 2.0
        if high > low + LOG_SPAN:
            return math.inf
    return math.exp(root(late, low, high)) if late(low) > 0.0 else math.exp(low)


def _reading(task: Task, diversity: float, beta0: float, w0: float) -> float:
    """I* with the repeats of this K."""
    return float(clock_at_acquisition(replace(task, task_diversity=diversity), beta0, w0, repeats=True))


def _self_consistent(task: Task, memory: Memory, beta0: float, w0: float, budget: float) -> float:
    """The largest K whose own I* the memory does not reach by the budget."""

    def missing(log_diversity: float) -> float:
        diversity = math.exp(log_diversity)
        clock = _reading(task, diversity, beta0, w0)
        if not math.isfinite(clock):
            return 2.0
        if math.isinf(budget):
            return math.atan(math.log(max(clock, 1e-300) / float(memory.total_clock(diversity))))
        assert isinstance(memory, PowerLawMemory | MeasuredMemory)
        time = time_of_clock(memory, clock, diversity)
        return math.atan(math.log(max(time, 1e-300) / budget)) if math.isfinite(time) else 2.0

    alone = threshold(task, memory, beta0, w0, budget=budget).value
    if not math.isfinite(alone):
        return math.inf
    least = math.log(2.0)
    high = max(math.log(max(alone, 2.0)), least) + LOG_STEP
    while missing(high) > 0.0:  # short of the saddle repeats hold ICL back
        high += 1.0
        if high > LOG_SPAN:
            return math.inf
    low = high
    while missing(low) <= 0.0:
        if low <= least:
            return 2.0  # every diversity that has both labels acquires
        high, low = low, max(low - LOG_STEP, least)
    return math.exp(root(missing, low, high))


def _bracketed(
    task: Task, memory: Memory, value: float, clock: float, beta0: float, w0: float, budget: float, own: bool
) -> Estimate:
    """The interval about K*: the drag's rise for a power law, the table's end for a measured one."""
    if isinstance(memory, MeasuredMemory):
        if math.isinf(clock) or clock == 0.0 or math.isinf(value):
            return Estimate.exact(value)
        first, last = float(memory.task_diversity[0]), float(memory.task_diversity[-1])
        beyond = not first <= value <= last
        if math.isinf(budget):
            low, high = memory.critical_interval(clock)
        else:  # nothing but where the table ends
            low, high = (
                (1.0 if value < first else last, first if value < first else math.inf) if beyond else (value, value)
            )
        return Estimate(value, min(low, value), max(high, value), confidence=1.0, extrapolated=beyond)
    if not own or not isinstance(memory, PowerLawMemory) or not math.isfinite(value):
        return Estimate.exact(value)
    slower = clock * float(_most_drag(task, beta0, w0))
    if math.isinf(budget):
        high = value * (slower / clock) ** (1.0 / memory.exponent) if clock > 0.0 else value
    else:
        high = max(value, _at_budget(memory, slower, budget)) if clock > 0.0 else value
    return Estimate(value, value, high, confidence=1.0)


def _most_drag(task: Task, beta0: ArrayLike, w0: ArrayLike) -> NDArray[np.float64]:
    """τ*(κ = s²/m)/τ*(κ = s²/2m) >= 1: c2 = 1 throughout, against c2 = 1/2."""
    slow, fast = (acquisition_clock(beta0, w0, early_drag(task, c2)) for c2 in (1.0, 0.5))
    known = np.isfinite(slow) & (fast > 0.0)
    return np.where(known, slow / np.where(known, fast, 1.0), 1.0)
