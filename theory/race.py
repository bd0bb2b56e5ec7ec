"""The race between the two circuits: which one wins, and at which task diversity."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import number, real, require
from ._labels import by_name
from .acquisition import acquisition_time
from .distribution import acquisition_distribution
from .estimate import Estimate
from .measured import MeasuredMemory
from .memory import Memory, PowerLawMemory
from .task import Task


@by_name
def clock_at_acquisition(task: Task, beta0: ArrayLike, w0: ArrayLike = 0.0) -> NDArray[np.float64]:
    """I* = t_ICL(K → ∞)/2: the memory's clock when ICL is acquired, the same whatever K (clock collapse).

    With K → ∞, c1 = 1/2 throughout. For N → ∞, I* = N τ*/m. Arguments, what is returned and errors as for
    :func:`acquisition_time`; in gradient-flow time.

    Source: docs/derivation.md, "threshold"; paper, section 4.

    Examples
    --------
    >>> float(clock_at_acquisition(Task(context_length=50, dimension=63), 0.0).round(1))
    70.9
    """
    return 0.5 * acquisition_time(task, beta0, w0)


def threshold(task: Task, memory: Memory, beta0: float, w0: float = 0.0, *, clock: float | None = None) -> Estimate:
    """K*: the task diversity at which I_K(∞) = I*, the clock at which ICL is acquired.

        I_K(∞) = A K^ν  ⇒  K* = (I*/A)^{1/ν} → (N τ*/(m A))^{1/ν}

    Nothing is fitted to what is predicted: I* follows from the task, I_K(∞) from the memory circuit alone.

    Parameters
    ----------
    task : Task
    memory : PowerLawMemory or MeasuredMemory (of two or more task diversities)
    beta0, w0 : float
        Initial attention strength and readout weight.
    clock : float >= 0, optional
        I*, if it was integrated elsewhere; otherwise :func:`clock_at_acquisition`.

    Returns
    -------
    Estimate
        Exact for a power law. For a measured law the interval spans what lies beyond the runs' last reading, and is
        open on the side on which the table does not reach I*. ``inf`` where ICL is never acquired.

    Raises
    ------
    ValueError
        If an argument is out of range, or ``memory`` is no memory law.

    Source: docs/derivation.md, "threshold"; paper, sections 4 and 5.

    Examples
    --------
    >>> task = Task(context_length=100, dimension=63)
    >>> round(threshold(task, PowerLawMemory(amplitude=3.9, exponent=0.7), beta0=0.0).value)
    166
    """
    require(isinstance(memory, Memory), "memory", "be a memory law", memory)
    if clock is None:
        beta0, w0 = number("beta0", beta0), number("w0", w0)
        clock = float(clock_at_acquisition(task, beta0, w0))
    reading = number("clock", clock, minimum=0.0, finite=False)
    value = math.inf if math.isinf(reading) else float(memory.critical_diversity(reading))
    if not isinstance(memory, MeasuredMemory) or math.isinf(reading) or reading == 0.0:
        return Estimate.exact(value)
    low, high = memory.critical_interval(reading)
    return Estimate(value, min(low, value), max(high, value))


def threshold_at_budget(
    task: Task, memory: PowerLawMemory | MeasuredMemory, beta0: float, budget: float, w0: float = 0.0
) -> Estimate:
    """K*(T): the task diversity above which ICL is acquired by the time T at which training stops.

    ICL is acquired at T iff I_K(T) >= I*. For the homogeneous law this reads c1-time along the margin,

        T(φ) = ∫_0^φ dφ/(r_K (1 + φ/p)^q σ(−φ)),   I_K = I_K(∞) [1 − (1 + φ/p)^{1−q}],

    so K*(T) >= K*(∞), and it is infinite for T < 2 I* = t_ICL(K → ∞): no diversity acquires ICL sooner.

    Parameters
    ----------
    task, memory, beta0, w0
        As for :func:`threshold`. For a measured law I_K(T) comes from T = ∫ dI/c1 along each run.
    budget : float, T > 0
        Gradient-flow time.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        As for :func:`threshold`, and if ``budget`` is not positive.

    Source: docs/derivation.md, "threshold at a budget".

    Examples
    --------
    >>> task, memory = Task(context_length=100), PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> [round(threshold_at_budget(task, memory, 0.0, budget).value) for budget in (1e3, 1e6)]
    [601, 354]
    """
    budget = number("budget", budget, minimum=0.0, exclusive=True)
    clock = float(clock_at_acquisition(task, number("beta0", beta0), number("w0", w0)))
    if budget <= 2.0 * clock:
        return Estimate.exact(math.inf if clock > 0.0 else 1.0)
    if clock == 0.0:
        return threshold(task, memory, beta0, w0)
    # I_K(T) grows with K at fixed T (slower memorisation leaves c1 higher), so ln K* is found by bisection.
    low = math.log(threshold(task, memory, beta0, w0).value)
    high = low + 1.0
    while time_of_clock(memory, clock, math.exp(high)) > budget:
        high += 2.0
        if high > low + 200.0:
            return Estimate.exact(math.inf)
    for _ in range(60):
        middle = 0.5 * (low + high)
        if time_of_clock(memory, clock, math.exp(middle)) > budget:
            low = middle
        else:
            high = middle
    return Estimate.exact(math.exp(0.5 * (low + high)))


def time_of_clock(memory: PowerLawMemory | MeasuredMemory, clock: float, task_diversity: float) -> float:
    """Time at which I_K, the memory alone, reads ``clock``: ∫_0^clock dI/c1."""
    if float(memory.total_clock(task_diversity)) <= clock:
        return math.inf
    if math.isinf(task_diversity):
        return 2.0 * clock  # nothing is memorised, and c1 stays at 1/2
    x, weights = _legendre()
    if isinstance(memory, PowerLawMemory):
        # along the margin the integrand is smooth, while 1/c1 explodes towards I_K(∞)
        end = float(memory.margin(clock, task_diversity))
        margin = 0.5 * end * (x + 1.0)
        with np.errstate(over="ignore", divide="ignore"):  # beyond e^700 the time is infinite for every purpose
            return float(0.5 * end * weights @ (1.0 / memory.field(margin, memory.c1(margin), task_diversity)))
    reading = 0.5 * clock * (x + 1.0)
    return float(0.5 * clock * weights @ (1.0 / memory.c1(reading * memory.rate_ratio, task_diversity)))


@lru_cache(maxsize=1)
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights, kept: making them takes most of the time that the integral does."""
    return np.polynomial.legendre.leggauss(200)


@by_name
def acquisition_probability(
    task: Task,
    memory: Memory,
    beta0_mean: float,
    beta0_std: float,
    *,
    task_diversity: ArrayLike | None = None,
    w0: float = 0.0,
) -> NDArray[np.float64]:
    """P(acquire | K) = P(I* < I_K(∞)) over β0 ~ N(mean, std²): a probit in ln K near K*, of width σ_β/ν.

    Exactly: P = Φ((mean − β_c)/std) where β_c(K) is the β0 with I*(β_c) = I_K(∞). The width is σ_β/ν for
    β0 ≫ ln κ and 2σ_β/ν in the drag branch; with balanced labels P saturates at P(β0 > 0).

    Parameters
    ----------
    task : Task
        Its ``task_diversity`` is used unless the next argument is given.
    memory : a memory law
    beta0_mean, beta0_std : float, std > 0
    task_diversity : array_like, K >= 1, optional
    w0 : float

    Returns
    -------
    array shaped like ``task_diversity``

    Raises
    ------
    ValueError
        If an argument is out of range.

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
    return acquisition_distribution(task, beta0_mean, beta0_std, w0).cdf(2.0 * memory.total_clock(diversity))
