"""K* at a finite time, for many clocks and times at once: one function of one variable decides all of them."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..acquisition.finite import time_of_clock
from ..common.elementwise import elementwise
from ..numerics.chebyshev import interpolated
from ..numerics.quadrature import legendre
from ..numerics.roots import roots
from .law import PowerLawMemory
from .measured import MeasuredMemory

Array = NDArray[np.float64]

#: Values from which on they are interpolated between few, to 1e-6 in the share.
MANY = 1000
#: Panels in ln ln(T/2I*) at first.
FIRST = 16
#: Greatest ln(T/2I*) that is told from infinity; the margin there is about as large.
LOG_MAX = 600.0
#: ln K is searched up to this far above the K* of infinite time; nothing is acquired at this budget beyond it.
LOG_SPAN = 200.0


def diversity_at_budget(memory: PowerLawMemory, clock: Array, budget: Array) -> Array:
    """The K >= 1 whose memory alone reads I* = ``clock`` > 0 at T = ``budget``; ``inf`` where T <= 2 I*.

    In units of 2 I* the time is a function of the margin φ alone,

        T/(2 I*) = ((q − 1)/2p) ∫_0^φ (1 + e^x)/(1 + x/p)^q dx / s,    s = I*/I_K(∞) = 1 − (1 + φ/p)^{1−q}

    so that one root gives the share s, and K follows from I_K(∞) = I*/s.

    Source: docs/derivation.md, "threshold at a budget".
    """
    with np.errstate(divide="ignore"):
        excess = np.log(budget) - math.log(2.0) - np.log(clock)
    reached = excess > 0.0
    share = np.ones(excess.shape)
    share[reached] = _shares(memory, np.minimum(excess[reached], LOG_MAX))
    return np.where(reached, np.maximum(memory.critical_diversity(clock / share), 1.0), np.inf)


@elementwise(arrays=("clock", "budget"), smooth=("clock", "budget"), costly=True)
def measured_diversity_at_budget(memory: MeasuredMemory, clock: ArrayLike, budget: ArrayLike) -> Array:
    """:func:`diversity_at_budget` of a table, for flat arrays: the root in ln K of the time at which I_K reads I*.

    I_K(T) grows with K, as slower memorisation leaves c1 higher.
    """
    clock, budget = np.asarray(clock, dtype=np.float64), np.asarray(budget, dtype=np.float64)

    def late(log_diversity: Array, point: NDArray[np.intp]) -> Array:
        time = np.asarray(time_of_clock(memory, clock[point], np.exp(log_diversity)))
        known = np.isfinite(time)
        return np.where(known, np.arctan(np.log(np.where(known, time, 1.0) / budget[point])), 2.0)

    low = np.log(np.maximum(memory.critical_diversity(clock), 1.0))
    high, found = low + 1.0, np.full(clock.shape, np.inf)
    reached = np.flatnonzero(budget > 2.0 * clock)
    waits = reached
    while (waits := waits[late(high[waits], waits) > 0.0]).size:
        high[waits] += 2.0
        waits = waits[high[waits] <= low[waits] + LOG_SPAN]
    reached = reached[high[reached] <= low[reached] + LOG_SPAN]
    found[reached] = np.exp(low[reached])
    between = reached[late(low[reached], reached) > 0.0]
    found[between] = np.exp(roots(lambda x, at: late(x, between[at]), low[between], high[between]))
    return found


def _shares(memory: PowerLawMemory, excess: Array) -> Array:
    """s at each ln(T/2I*) > 0, a flat array."""
    if excess.size < MANY:
        return _share_at(memory, excess)
    return interpolated(lambda x: _share_at(memory, np.exp(x[0]))[:, None], np.log(excess)[None, :], [FIRST])[:, 0]


def _share_at(memory: PowerLawMemory, excess: Array) -> Array:
    def beyond(log_margin: Array, point: NDArray[np.intp]) -> Array:
        return _log_time(memory, np.exp(log_margin)) - excess[point]

    low, high = np.full(excess.shape, math.log(1e-100)), np.full(excess.shape, math.log(2.0 * LOG_MAX))
    return _share(memory, np.exp(roots(beyond, low, high)))


def _share(memory: PowerLawMemory, margin: Array) -> Array:
    """s = I_K/I_K(∞) at a margin."""
    return -np.expm1((1.0 - memory.growth_exponent) * np.log1p(margin / memory.margin_scale))


def _log_time(memory: PowerLawMemory, margin: Array) -> Array:
    """ln(T/2I*) at margins φ; their powers of e are taken apart so that they do not overflow."""
    nodes, weights = legendre(200)
    end = margin[..., None]
    x = 0.5 * end * (nodes + 1.0)
    p, q = memory.margin_scale, memory.growth_exponent
    # (1 + e^x)/2 = 1 + (e^x − 1)/2, and the second part alone is what exceeds 2 I*, however small it is
    late = 0.5 * np.expm1(np.minimum(x, 700.0)) / (1.0 + x / p) ** q
    extra = (q - 1.0) / p * 0.5 * margin * (late @ weights)
    return np.log1p(extra / _share(memory, margin))
