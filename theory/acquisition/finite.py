"""When the memory's clock reads what acquisition takes: the time at finite K."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.arguments import broadcast, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..memory.law import PowerLawMemory
from ..memory.measured import MeasuredMemory, curves_at
from ..numerics.chebyshev import interpolated
from ..numerics.quadrature import legendre

Array = NDArray[np.float64]

#: Times from which on they are interpolated between few, from so many panels.
MANY, FIRST = 1000, 16


@elementwise(arrays=("clock", "task_diversity"), smooth=("clock", "task_diversity"), costly=True)
def _measured_time(memory: MeasuredMemory, clock: ArrayLike, task_diversity: ArrayLike) -> Array:
    """:func:`time_of_clock` of a table, for flat arrays of positive readings and finite K."""
    reading, diversity = np.asarray(clock, dtype=np.float64), np.asarray(task_diversity, dtype=np.float64)
    times = np.full(reading.shape, np.inf)
    there = np.flatnonzero(memory.total_clock(diversity) > reading)
    if there.size:
        x, weights = legendre(200)
        at = 0.5 * reading[there, None] * (x + 1.0)
        c1 = curves_at(memory, "c1", at * memory.rate_ratio, diversity[there])
        times[there] = 0.5 * reading[there] * ((1.0 / c1) @ weights)
    return times


def time_of_clock(memory: PowerLawMemory | MeasuredMemory, clock: ArrayLike, task_diversity: ArrayLike) -> Any:
    """t = ∫_0^clock dI/c1: the time at which I_K, the memory alone, reads ``clock``; ``inf`` if it never does.

    At ``clock`` = I* it is t_ICL at finite K. For the homogeneous law it is an integral along the margin,

        t = (1/r_K) ∫_0^φ (1 + e^φ)/(1 + φ/p)^q dφ,    I_K = I_K(∞) [1 − (1 + φ/p)^{1−q}]

    and, while little is memorised, :func:`delayed_time`.

    Parameters
    ----------
    memory : PowerLawMemory or MeasuredMemory
    clock : array_like, I >= 0
    task_diversity : array_like, K >= 1

    Returns
    -------
    float, gradient-flow time, or array of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "threshold at a budget" and "acquisition time at finite K".

    Examples
    --------
    >>> from iclrace.theory import Task, clock_at_acquisition
    >>> clock = float(clock_at_acquisition(Task(context_length=100), 0.0))
    >>> round(time_of_clock(PowerLawMemory(3.9, 0.7), clock, 1e4), 1)
    290.6
    """
    clock, diversity = broadcast(
        clock=real("clock", clock, minimum=0.0, finite=False),
        task_diversity=real("task_diversity", task_diversity, minimum=1.0, finite=False),
    )
    never = np.asarray(memory.total_clock(diversity)) <= clock
    with np.errstate(over="ignore"):
        times = np.where(never, np.inf, 2.0 * clock)  # where nothing is memorised c1 stays at 1/2
    finite = np.isfinite(diversity) & ~never & (clock > 0.0)
    if isinstance(memory, PowerLawMemory):
        # along the margin the integrand is smooth, while 1/c1 explodes towards I_K(∞)
        margin = memory.margin(clock[finite], diversity[finite])
        times[finite] = _scaled_times(memory, margin) / memory.rate(diversity[finite])
    elif finite.any():
        times[finite] = _measured_time(memory, clock[finite], diversity[finite])
    return times if times.ndim else float(times)


def _scaled_times(memory: PowerLawMemory, margin: Array) -> Array:
    """r_K t at margins φ > 0, a flat array; many are interpolated."""
    if margin.size < MANY:
        return _scaled_time(memory, margin)
    return interpolated(lambda x: _scaled_time(memory, np.exp(x[0]))[:, None], np.log(margin)[None, :], [FIRST])[:, 0]


def _scaled_time(memory: PowerLawMemory, margin: Array) -> Array:
    """r_K t at margins φ, a flat array: ∫_0^φ (1 + e^x)/(1 + x/p)^q dx."""
    x, weights = legendre(200)
    end = margin[:, None]
    at = 0.5 * end * (x + 1.0)
    with np.errstate(over="ignore"):  # beyond e^700 the time is infinite for every purpose
        return (
            0.5 * margin * (((1.0 + np.exp(at)) / (1.0 + at / memory.margin_scale) ** memory.growth_exponent) @ weights)
        )


@by_name
def delayed_time(memory: PowerLawMemory, clock: ArrayLike, task_diversity: ArrayLike) -> Array:
    """t = 2I [1 + p I/(4 (q − 1) I_K(∞))]: :func:`time_of_clock` to first order in what is memorised.

    With I = I*, and I*/I_K(∞) = (K*/K)^ν, this is t_ICL at finite K: ICL comes later by p (K*/K)^ν/(4(q − 1)) than at
    K → ∞, because the memory takes its share of the residual. The next term in the bracket is
    p (p + q)/(12 (q − 1)²) times (K*/K)^{2ν}: below 1 % where p (K*/K)^ν/(q − 1) <= 0.2 (p = 1, q = 4/3).

    Parameters
    ----------
    memory : PowerLawMemory
    clock : array_like, I >= 0
    task_diversity : array_like, K >= 1

    Returns
    -------
    array of the broadcast shape; ``inf`` from I_K(∞) on

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "acquisition time at finite K".

    Examples
    --------
    >>> from iclrace.theory import Task, clock_at_acquisition
    >>> clock = clock_at_acquisition(Task(context_length=100), 0.0)
    >>> float(delayed_time(PowerLawMemory(3.9, 0.7), clock, 1e4).round(1))
    288.8
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    clock, total = broadcast(clock=real("clock", clock, minimum=0.0), task_diversity=memory.total_clock(task_diversity))
    share = clock / total
    with np.errstate(over="ignore"):
        later = 2.0 * clock * (1.0 + memory.margin_scale * share / (4.0 * (memory.growth_exponent - 1.0)))
    return np.where(share < 1.0, later, np.inf)
