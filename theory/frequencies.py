"""Skewed item frequencies p_k ∝ k^{−α}: what they change in the memory's clock."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import integer, number, real
from ._labels import by_name
from .memory import PowerLawMemory

Array = NDArray[np.float64]

#: Margins of the table that inverts time along one item's path; its interpolation error is below 1e-5.
POINTS = 4000


def item_frequencies(task_diversity: int, skew: float) -> Array:
    """p_k = k^{−α}/Σ k^{−α}, k = 1 … K.

    Parameters
    ----------
    task_diversity : int, K >= 1
    skew : float, α >= 0
        0 for equal frequencies.

    Returns
    -------
    array (K,), descending, of sum 1

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "repeated items and skewed frequencies"; the paper's appendix on data statistics.

    Examples
    --------
    >>> item_frequencies(4, 1.0).round(2).tolist()
    [0.48, 0.24, 0.16, 0.12]
    """
    task_diversity = integer("task_diversity", task_diversity, minimum=1)
    skew = number("skew", skew, minimum=0.0)
    weight = np.arange(1, task_diversity + 1, dtype=np.float64) ** -skew
    return weight / weight.sum()


@by_name
def skewed_clock(memory: PowerLawMemory, task_diversity: int, skew: float, time: ArrayLike) -> Array:
    """I_K(t) of the memory alone when item k, seen with frequency p_k, is memorised at the rate K p_k r_K.

        dφ_k/dt = K p_k r_K (1 + φ_k/p)^q σ(−φ_k),    I_K(t) = ∫ Σ_k p_k σ(−φ_k) dt
        I_K(t)/I_K(∞) = (1/K) Σ_k [1 − (1 + φ_k/p)^{1−q}]

    Item k gives the clock p_k ∫σ(−φ_k) dt = I_K(∞)/K in all, whatever its frequency: if items are memorised
    independently, skew leaves I_K(∞), hence K*, as it is and only spreads the clock out in time. A measured clock under
    skewed frequencies that differs in I_K(∞) shows items sharing what they learn.

    Parameters
    ----------
    memory : PowerLawMemory
    task_diversity : int, K >= 1
    skew : float, α >= 0
    time : array_like, >= 0
        Gradient-flow time.

    Returns
    -------
    array shaped like ``time``

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "repeated items and skewed frequencies".

    Examples
    --------
    >>> memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> even, skewed = (float(skewed_clock(memory, 500, skew, 1e3)) for skew in (0.0, 1.0))
    >>> skewed < even < float(memory.total_clock(500))
    True
    """
    time = real("time", time, minimum=0.0)
    share = item_frequencies(task_diversity, skew) * task_diversity
    # time along one item's path in units of 1/rate: H(φ) = ∫ (1 + e^φ)/(1 + φ/p)^q dφ, tabulated once for all items
    margin = 600.0 * np.linspace(0.0, 1.0, POINTS) ** 3
    q, scale = memory.growth_exponent, memory.margin_scale
    x, weights = np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(margin)
    inner = margin[:-1, None] + half[:, None] * (x + 1.0)
    steps = half * (((1.0 + np.exp(inner)) / (1.0 + inner / scale) ** q) @ weights)
    log_elapsed = np.log(np.cumsum(steps))
    with np.errstate(divide="ignore", over="ignore"):
        scaled = time[..., None] * share * float(memory.rate(task_diversity))
        log_scaled = np.log(scaled)
    # ln φ against ln H: straight at either end
    reached = np.exp(np.interp(log_scaled, log_elapsed, np.log(margin[1:])))
    # before the first entry H(φ) = 2φ
    reached = np.where(log_scaled < log_elapsed[0], 0.5 * scaled, reached)
    left = (1.0 + reached / scale) ** (1.0 - q)
    total = float(memory.total_clock(task_diversity))
    return total * (1.0 - left.mean(-1))
