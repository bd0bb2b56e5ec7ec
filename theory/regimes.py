"""Where the exponents hold: the local slope of the exact expression, and where it is near its limit."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx

from .accuracy import acquired_beta
from .acquisition.integrated import integrated_time
from .acquisition.time import acquisition_time, early_drag
from .common.arguments import number, real
from .common.elementwise import elementwise
from .common.labels import by_name
from .decay.branch import mean_transience_time
from .memory.law import PowerLawMemory
from .numerics.roots import root
from .task import Task

#: A regime is where the local slope of the exact expression is within this fraction of the exponent.
TOLERANCE = 0.05


@by_name
def crossover_slope(b: ArrayLike) -> NDArray[np.float64]:
    """d ln F/db at w0 = 0, F(b) = ln[1 + e^{−b} M(−e^{−b})]: −1 for b → +∞, −2 for b → −∞.

    With v = e^{−b}, M′(x) = x M − 1: d/db ln(1 + v M(−v)) = −v [M + v(1 + v M)]/(1 + v M) = −v [M/(1 + v M) + v].

    Parameters
    ----------
    b : array_like
        β0 − ln κ.

    Returns
    -------
    array shaped like ``b``, in (−2, −1)

    Raises
    ------
    ValueError
        If an entry is not a finite number.

    Source: docs/derivation.md, "crossover function".

    Examples
    --------
    >>> crossover_slope([-5.0, 0.0, 5.0]).round(3).tolist()
    [-1.999, -1.185, -1.001]
    """
    v = np.exp(-np.clip(real("b", b), -300.0, 300.0))  # at ±300 the limits are reached in float64
    deep = v >= 30.0  # v M exceeds 1e190 there, and M/(1 + v M) = 1/v
    mills = math.sqrt(math.pi / 2.0) * erfcx(-np.where(deep, 0.0, v) / math.sqrt(2.0))
    part = np.where(deep, 1.0 / v, mills / (1.0 + v * mills))
    value = np.where(deep, v**2 / 2.0 + np.log(math.sqrt(2.0 * math.pi) * v), np.log1p(v * mills))
    return -v * (part + v) / value


@elementwise(single=("tolerance",), smooth=("tolerance",))
def crossover_regimes(tolerance: ArrayLike = TOLERANCE) -> tuple[Any, Any]:
    """(b_drag, b_free): the slope of t_ICL in β0 is −2 for β0 − ln κ < b_drag and −1 for β0 − ln κ > b_free.

    Parameters
    ----------
    tolerance : array_like in [1e-6, 0.4]
        Relative distance of the local slope from −2 or −1 that is allowed.

    Returns
    -------
    drag, free : floats, or arrays shaped like ``tolerance``

    Raises
    ------
    ValueError
        If ``tolerance`` is out of range.

    Source: docs/derivation.md, "exponents".

    Examples
    --------
    >>> low, high = crossover_regimes()
    >>> low < 0.0 < high
    True
    """
    tolerance = number("tolerance", tolerance, minimum=1e-6, maximum=0.4)
    return where_slope_is(-2.0 * (1.0 - tolerance)), where_slope_is(-1.0 - tolerance)


def where_slope_is(slope: float) -> float:
    """The b at which the crossover function's slope, which rises from −2 to −1, has this value."""
    return root(lambda b: float(crossover_slope(b)) - slope, -20.0, 20.0)


@lru_cache(maxsize=4)
def distance_to_end(tolerance: float = TOLERANCE) -> float:
    """How far β0 must lie below β_e for d ln t_ICL/dβ0 to be −1 within ``tolerance``, without drag and for N → ∞.

    w² = 2 (β − β0) and dτ = dβ/(w e^β) give τ = √(π/2) e^{−β0} erf √x up to β_e = β0 + x, whose slope is

        d ln τ/dβ0 = −1 − e^{−x}/(√(πx) erf √x)

    Examples
    --------
    >>> round(distance_to_end(), 3)
    2.095
    """
    tolerance = number("tolerance", tolerance, minimum=1e-6, maximum=0.4)
    return root(lambda x: math.exp(-x) / (math.sqrt(math.pi * x) * math.erf(math.sqrt(x))) - tolerance, 1e-6, 20.0)


@elementwise(single=("context_length", "tolerance"))
def free_regime(context_length: ArrayLike, tolerance: ArrayLike = TOLERANCE) -> tuple[Any, Any] | None:
    """The β0 − ln κ between which d ln t_ICL/dβ0, to 95 % accuracy, is −1 within ``tolerance``; None if nowhere.

    Drag bounds the regime below, at :func:`crossover_regimes` for N → ∞. The end bounds it above, at about half of
    ln N: beyond, little of the way is left to the β at which accuracy is 95 %, and t_ICL falls faster.

    Parameters
    ----------
    context_length : array_like of integers, N >= 2
    tolerance : array_like in [1e-6, 0.4]

    Returns
    -------
    low, high : floats, to 0.02, or None; arrays of the broadcast shape, then NaN for None

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "exponents".

    Examples
    --------
    >>> [round(float(end), 1) for end in free_regime(100)], [round(float(end), 1) for end in free_regime(10_000)]
    ([1.1, 1.8], [1.3, 3.7])
    """
    task = Task(context_length).single()
    return _free_regime(task.context_length, number("tolerance", tolerance, minimum=1e-6, maximum=0.4))


@lru_cache(maxsize=16)
def _free_regime(context_length: int, tolerance: float) -> tuple[float, float] | None:
    task = Task(context_length)
    end = acquired_beta(task)
    beta0 = np.arange(-2.0, end - 0.01, 0.02)
    # integrated: a slope asks for times without the seam between closed form and integral
    slope = np.gradient(np.log(integrated_time(task, beta0, np.zeros_like(beta0), end)), beta0)
    inside = np.flatnonzero(np.abs(slope + 1.0) <= tolerance)
    if not inside.size:
        return None
    b = beta0[inside] - math.log(early_drag(task))
    return float(b[0]), float(b[-1])


@lru_cache(maxsize=1)
def context_bound() -> int:
    """The least N beyond which d ln t_ICL/d ln N, to 95 % accuracy and from β0 = 0, is within 5 % of 1."""
    sizes = np.unique(np.geomspace(4, 3000, 30).astype(int))
    times = np.array([float(acquisition_time(Task(int(n)), 0.0)) for n in sizes])
    slope = np.gradient(np.log(times), np.log(sizes))
    outside = np.flatnonzero(np.abs(slope - 1.0) > TOLERANCE)
    return int(sizes[outside[-1] + 1]) if outside.size else int(sizes[0])


@lru_cache(maxsize=1)
def transience_bound() -> tuple[float, float]:
    """Between which λ d ln t_loss/d ln λ is within 5 % of −1 (N = 100, p = 1, L = 3, φ_acq = 0), by its closed form."""
    memory, task = PowerLawMemory(1.0, 1.0), Task(100, task_diversity=1000.0)
    decays = np.geomspace(1e-12, 1e-2, 61)
    slope = np.gradient(np.log(mean_transience_time(task, memory, decays)), np.log(decays))
    inside = np.flatnonzero(np.abs(slope + 1.0) <= TOLERANCE)
    return float(decays[inside[0]]), float(decays[inside[-1]])
