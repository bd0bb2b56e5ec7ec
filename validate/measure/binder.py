"""Binder's cumulant of the ICL accuracy over K, and whether the curves of two conditions cross."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...theory import Estimate
from ...theory.common.arguments import require
from ...theory.estimate import CONFIDENCE

Array = NDArray[np.float64]

_DRAWS = 1000


def binder_cumulant(accuracy: ArrayLike, *, confidence: float = CONFIDENCE, seed: int = 0) -> Estimate:
    """Binder's cumulant of the order parameter m = 2 a − 1, which is 0 at chance and 1 where every answer is right.

        U = 1 − ⟨m⁴⟩/(3 ⟨m²⟩²),   ⟨·⟩ over seeds

    Moments are taken about 0 and not about the mean, as in the literature: U = 0 for Gaussian m about chance, 2/3
    where every m is ±c, 1 − 1/(3 p) where a part p has m = 1 and the others 0, far below 0 for rare acquisition.

    Parameters
    ----------
    accuracy : array (seed,), of one K
        NaN where a run is missing. n seeds of Gaussian m give U = 2/(n + 2) on average, and not 0.

    Returns
    -------
    Estimate
        The interval is the bootstrap's over seeds, its sides times t_{n−1}/z √(n/(n − 1)), at most 2/3. It is −∞ … 2/3
        for one seed, or if every m is 0.

    Raises
    ------
    ValueError
        Without a run.

    Source: Binder, Z. Phys. B 43 (1981) 119.

    Examples
    --------
    >>> round(binder_cumulant([1.0, 1.0, 0.5, 0.5]).value, 3)
    0.333
    """
    a = np.asarray(accuracy, dtype=float).ravel()
    a = a[~np.isnan(a)]
    require(a.size > 0, "accuracy", "hold a run", accuracy)
    value = min(float(_cumulant(a)), 2 / 3)  # beyond it by rounding alone
    if a.size < 2 or not math.isfinite(value):
        return Estimate(value if math.isfinite(value) else 0.0, -math.inf, 2 / 3, confidence)
    draws = _cumulant(np.random.default_rng(seed).choice(a, (_DRAWS, a.size)))
    low, high = np.quantile(draws[np.isfinite(draws)], [(1 - confidence) / 2, (1 + confidence) / 2])
    tail = 0.5 + confidence / 2
    wider = stats.t.ppf(tail, a.size - 1) / stats.norm.ppf(tail) * math.sqrt(a.size / (a.size - 1))
    ends = (value - wider * max(value - low, 0.0), min(value + wider * max(high - value, 0.0), 2 / 3))
    return Estimate(value, float(ends[0]), float(ends[1]), confidence)


def crossing(
    first: tuple[ArrayLike, list[Estimate]], second: tuple[ArrayLike, list[Estimate]], *, confidence: float = CONFIDENCE
) -> Estimate | None:
    """The K at which two curves over K cross; None where that cannot be decided.

    The curves, (K, one estimate at each), are linear in ln K between their K. They cross if at one common K the whole
    interval of the first lies above the whole of the second's, and at another below; the interval reaches from the
    last K on one side to the first one on the other.
    """
    k, q = np.asarray(first[0], dtype=float), np.asarray(second[0], dtype=float)
    common = np.union1d(k, q)
    common = common[(common >= max(k[0], q[0])) & (common <= min(k[-1], q[-1]))]

    def ends(x: Array, curve: list[Estimate]) -> Array:
        return np.array([np.interp(np.log(common), np.log(x), end) for end in np.array([e.ends for e in curve]).T])

    value, low, high = ends(k, first[1])
    other, other_low, other_high = ends(q, second[1])
    sign = (low > other_high).astype(int) - (high < other_low)
    certain = np.flatnonzero(sign)
    turns = np.flatnonzero(np.diff(sign[certain]))
    if not turns.size:
        return None
    i, j = certain[turns[0]], certain[turns[0] + 1]
    gap, u = (value - other)[i : j + 1] * sign[i], np.log(common[i : j + 1])
    n = int(np.argmax(gap < 0))
    middle = u[n - 1] + gap[n - 1] / (gap[n - 1] - gap[n]) * (u[n] - u[n - 1])
    return Estimate(float(np.exp(middle)), float(common[i]), float(common[j]), confidence)


def _cumulant(accuracy: Array) -> Array:
    m = 2 * accuracy - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - np.mean(m**4, -1) / (3 * np.mean(m**2, -1) ** 2)
