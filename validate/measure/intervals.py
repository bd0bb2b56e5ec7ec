"""Intervals of what is put together from others: slopes, means over settings, shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ...theory import Estimate
from ...theory.estimate import CONFIDENCE
from ..values import UNKNOWN, UNKNOWN_DIFFERENCE
from .times import geometric_mean


def slope(x: Sequence[float], estimates: Sequence[Estimate]) -> Estimate:
    """d ln y/d ln x of estimates y that are independent of each other, by least squares.

        ν = Σ (u − ū) ln y/Σ (u − ū)²,   δν = √(Σ (u − ū)² δ²)/Σ (u − ū)²,   u = ln x

    with δ the half-widths of the estimates' own intervals in the logarithm, each side by itself. Nothing can be said,
    and the interval is infinite, if an x or an estimate is not positive and finite.
    """
    if not all(0 < value < math.inf for value in (*x, *(estimate.value for estimate in estimates))):
        return UNKNOWN_DIFFERENCE
    u = np.log(np.asarray(x, dtype=float))
    u = u - u.mean()
    logarithms = [[math.log(end) if end > 0 else -math.inf for end in estimate.ends] for estimate in estimates]
    y, low, high = np.array(logarithms).T
    total = float(np.sum(u**2))
    # A low y lowers the slope at the upper end of x and raises it at the lower one.
    below, above = np.where(u > 0, y - low, high - y), np.where(u > 0, high - y, y - low)
    value = float(np.sum(u * y)) / total
    down, up = (float(np.sqrt(np.sum((u[u != 0] * side[u != 0]) ** 2))) / total for side in (below, above))
    return Estimate(value, value - down, value + up, estimates[0].confidence)


def extrapolated(start: Estimate, slope: Estimate, distance: float) -> Estimate:
    """K*(N0) e^{slope · distance}; relative errors in quadrature. Unknown for a distance that is."""
    if not math.isfinite(distance):
        return UNKNOWN
    value = start.value * math.exp(slope.value * distance)
    if not 0 < start.low <= start.high < math.inf:
        return Estimate(value, 0.0, math.inf)
    turns = sorted(((slope.low - slope.value) * distance, (slope.high - slope.value) * distance))
    down = math.hypot(math.log(start.value / start.low), turns[0])
    up = math.hypot(math.log(start.high / start.value), turns[1])
    return Estimate(value, value * math.exp(-down), value * math.exp(min(up, 700.0)))


def pooled_means(samples: ArrayLike, confidence: float = CONFIDENCE) -> list[Estimate]:
    """Geometric mean of each row of ``samples`` (point, seed), with one spread of the logarithms for all rows.

    Few seeds measure a spread badly; the rows' variances are pooled, (seeds − 1) × points degrees of freedom. A row
    with a time that is not finite is not pooled and stands as :func:`geometric_mean` leaves it.
    """
    x = np.asarray(samples, dtype=float)
    finite = np.asarray(np.isfinite(x).all(1))
    logs = np.log(x[finite])
    freedom = logs.size - len(logs)
    half = math.inf
    if freedom > 0:
        variance = float(np.sum((logs - logs.mean(1, keepdims=True)) ** 2)) / freedom
        half = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * math.sqrt(variance / x.shape[1])
    means = []
    for row, usable in zip(x, finite, strict=True):
        if usable:
            mean = float(np.log(row).mean())
            low, high = math.exp(mean - half), math.exp(min(mean + half, 700.0))
            means.append(Estimate(math.exp(mean), low, high, confidence))
        else:
            means.append(geometric_mean(row[~np.isnan(row)], confidence) if not np.isnan(row).all() else UNKNOWN)
    return means


def fraction(outcome: ArrayLike, confidence: float = CONFIDENCE, *, exact: bool = False) -> Estimate:
    """Share of true outcomes with Wilson's binomial interval, or the exact one (Clopper and Pearson).

    Nothing is known of none: 1/2 between 0 and 1.
    """
    hits = np.asarray(outcome, dtype=bool).ravel()
    if hits.size == 0:
        return Estimate(0.5, 0.0, 1.0)
    test = stats.binomtest(int(hits.sum()), hits.size)
    interval = test.proportion_ci(confidence, method="exact" if exact else "wilson")
    value = float(hits.mean())
    # At 0 and 1 Wilson's end may miss the value by rounding.
    return Estimate(value, min(float(interval.low), value), max(float(interval.high), value), confidence)
