"""K*: the task diversity above which ICL is acquired within a budget, its bracket, and how it moves."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .acquisition.clock import acquisition_clock
from .acquisition.race import clock_at_acquisition
from .acquisition.time import early_drag
from .common.arguments import broadcast, real, require
from .common.labels import by_name
from .estimate import CONFIDENCE, Estimate
from .memory.budget import diversity_at_budget, measured_diversity_at_budget
from .memory.law import Memory, PowerLawMemory
from .memory.measured import MeasuredMemory, critical_intervals
from .repeated_threshold import repeated_values
from .task import Task

Array = NDArray[np.float64]


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
    return _of_law(task, memory, beta0, w0, budget, clock, repeats)


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


def _of_law(
    task: Task,
    memory: Memory,
    beta0: ArrayLike,
    w0: ArrayLike,
    budget: ArrayLike,
    clock: ArrayLike | None,
    repeats: bool,
) -> Estimate:
    """K* of any law, or with repeats; for numbers or arrays."""
    budget = real("budget", budget, minimum=0.0, finite=False)
    require(bool(np.all(budget > 0.0)), "budget", "be positive", float(budget.min()) if budget.size else budget)
    starts = {"beta0": real("beta0", beta0), "w0": real("w0", w0)}
    if clock is not None:
        reading = real("clock", clock, minimum=0.0, finite=False)
    else:
        reading = np.empty(()) if repeats else clock_at_acquisition(task.at(task_diversity=math.inf), beta0, w0)
    columns = broadcast(clock=reading, budget=budget, **starts, task=np.empty(task.shape))
    reading, budget, beta0, w0, _ = columns
    if repeats:
        value, reading = map(np.asarray, repeated_values(task, memory, beta0, w0, budget, _values))
    else:
        value = _values_at(memory, reading, budget)
    if isinstance(memory, PowerLawMemory):
        low, beyond = value, np.zeros(value.shape, dtype=np.bool_)
        high = _slowest(task, memory, value, reading, beta0, w0, budget)
        known = np.isfinite(value)
    elif isinstance(memory, MeasuredMemory):
        low, high, beyond = _of_table(memory, value, reading, budget)
        known = np.isfinite(value) & (reading > 0.0)
    else:
        return Estimate.exact(value)
    low, high = np.where(known, np.minimum(low, value), value), np.where(known, np.maximum(high, value), value)
    confidence = np.where(known, 1.0, CONFIDENCE)
    if value.ndim == 0:
        return Estimate(float(value), float(low), float(high), float(confidence), bool(beyond) and bool(known))
    return Estimate(value, low, high, confidence, np.logical_and(beyond, known))


def _values(task: Task, memory: Memory, beta0: Array, w0: Array, budget: Array) -> Array:
    """K* without repeats, for flat arrays of starts and budgets."""
    return _values_at(memory, clock_at_acquisition(task, beta0, w0), budget)


def _values_at(memory: Memory, clock: Array, budget: Array) -> Array:
    """K* without repeats, for clocks and budgets of one shape; ``inf`` where there is none."""
    if isinstance(memory, PowerLawMemory):
        return np.asarray(threshold_values(Task(2), memory, clock=clock, budget=budget))
    values, bounded = np.full(clock.shape, np.inf), np.isfinite(clock) & (clock > 0.0) & np.isfinite(budget)
    endless = np.isfinite(clock) & ~bounded
    values[endless] = memory.critical_diversity(clock[endless])
    if bounded.any():
        require(isinstance(memory, MeasuredMemory), "memory", "know its time, at a budget", memory)
        assert isinstance(memory, MeasuredMemory)
        values[bounded] = measured_diversity_at_budget(memory, clock[bounded], budget[bounded])
    return values


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
    require(bool(np.all(budget > 0.0)), "budget", "be positive", float(np.min(budget, initial=np.inf)))
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


def _slowest(
    task: Task, memory: PowerLawMemory, value: Array, clock: Array, beta0: Array, w0: Array, budget: Array
) -> Array:
    """The upper end of a power law's K*: with most drag throughout, by the factor that it has without repeats."""
    high, known = value.copy(), np.isfinite(value) & (clock > 0.0)
    factor = np.broadcast_to(_most_drag(task, beta0, w0), value.shape)
    endless, bounded = known & np.isinf(budget), known & np.isfinite(budget)
    high[endless] *= factor[endless] ** (1.0 / memory.exponent)
    if bounded.any():
        high[bounded] = diversity_at_budget(memory, (clock * factor)[bounded], budget[bounded])
    return high


def _of_table(
    memory: MeasuredMemory, value: Array, clock: Array, budget: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """What the runs' last readings leave open of K*, and where it lies beyond the table's K."""
    first, last = memory.task_diversity[[0, -1]]
    beyond = (value < first) | (value > last)
    # at a budget nothing but where the table ends
    low = np.where(beyond, np.where(value < first, 1.0, last), value)
    high = np.where(beyond, np.where(value < first, first, np.inf), value)
    endless = np.isinf(budget) & np.isfinite(clock)
    if endless.any():
        low[endless], high[endless] = critical_intervals(memory, clock[endless])
    return low, high, beyond


def _most_drag(task: Task, beta0: ArrayLike, w0: ArrayLike) -> NDArray[np.float64]:
    """τ*(κ = s²/m)/τ*(κ = s²/2m) >= 1: c2 = 1 throughout, against c2 = 1/2."""
    slow, fast = (acquisition_clock(beta0, w0, early_drag(task, c2)) for c2 in (1.0, 0.5))
    known = np.isfinite(slow) & (fast > 0.0)
    return np.where(known, slow / np.where(known, fast, 1.0), 1.0)
