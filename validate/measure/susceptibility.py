"""K* without a fitted curve: the K at which the ICL accuracy varies most between seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...theory import Estimate
from ...theory.common.arguments import require
from ...theory.estimate import CONFIDENCE
from .times import over_diversities

Array = NDArray[np.float64]

#: With fewer seeds than this at every K variances cannot be distinguished, and no peak is claimed.
FEWEST_SEEDS = 4
_DRAWS = 1000


@dataclass(frozen=True)
class Susceptibility:
    """χ(K) (K,), the K of its peak, and the p-value of there being none."""

    variance: Array
    peak: Estimate
    p_value: float

    @property
    def claimed(self) -> bool:
        """Whether the variances show a peak at all."""
        return self.p_value < 1 - self.peak.confidence


def susceptibility(
    task_diversity: ArrayLike, accuracy: ArrayLike, *, confidence: float = CONFIDENCE, seed: int = 0
) -> Susceptibility:
    """The variance over seeds of the final ICL accuracy a, and the K at which it is largest.

        χ(K) = Σ_s (a_s(K) − ā(K))²/(n − 1)

    Where a network ends either near chance or near 1, χ is p(1 − p) times the squared distance of the two, largest
    where half of the seeds acquire ICL.

    Parameters
    ----------
    task_diversity : array (K,), increasing
    accuracy : array (K, seed)
        NaN where a run is missing. Every K resamples its own seeds.
    confidence : float in (0, 1)
    seed : int
        Of the bootstrap and of the permutations.

    Returns
    -------
    Susceptibility
        ``peak`` is a K of the scan: the variance of n seeds is known to √(2/(n − 1)), 63 % for six, so that a
        parabola through three of them would follow their noise. Its interval is the bootstrap's over seeds, and never
        narrower than the two neighbours in the scan; open on a side where it reaches the scan's end. It is 0 … ∞, no
        peak is claimed, with fewer than four seeds or unless ``p_value`` < 1 − ``confidence``. That is the larger of
        two: how often the largest χ is as large a part of the sum when the accuracies are permuted between all K (had
        they nothing to do with K), and when their deviations from each K's mean are (did only the mean move).

    Raises
    ------
    ValueError
        For fewer than three K, K not increasing, shapes that do not match, or a K with fewer than two runs.

    Source: Landau and Binder, A Guide to Monte Carlo Simulations in Statistical Physics (2014), section 4.2.

    Examples
    --------
    >>> found = susceptibility([100, 200, 400], [[0.50, 0.51, 0.49, 0.5], [0.5, 1.0, 0.5, 1.0], [1.0, 0.99, 1, 0.98]])
    >>> found.peak.value
    200.0
    """
    k, y = _scan(task_diversity, accuracy)
    rng = np.random.default_rng(seed)
    variance = np.nanvar(y, axis=1, ddof=1)
    best = int(variance.argmax())
    enough = np.isfinite(y).sum(1).min() >= FEWEST_SEEDS
    p_value = max(_p_value(sample, rng) for sample in (y, y - np.nanmean(y, 1, keepdims=True))) if enough else 1.0
    if p_value >= 1 - confidence:
        return Susceptibility(variance, Estimate(float(k[best]), 0.0, math.inf, confidence), p_value)
    drawn = np.nanvar(_resampled(y, rng), axis=2).argmax(1)
    ends = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = min(math.floor(ends[0]), best - 1), max(math.ceil(ends[1]), best + 1)
    interval = (float(k[low]) if low > 0 else 0.0, float(k[high]) if high < k.size - 1 else math.inf)
    return Susceptibility(variance, Estimate(float(k[best]), *interval, confidence), p_value)


def _scan(task_diversity: ArrayLike, accuracy: ArrayLike) -> tuple[Array, Array]:
    k, y = over_diversities(task_diversity, accuracy)
    counts = np.isfinite(y).sum(1)
    require(bool(np.all(counts >= 2)), "accuracy", "hold two runs at every task diversity", counts.tolist())
    return k, y


def _p_value(values: Array, rng: np.random.Generator) -> float:
    """How often the largest part of the summed variances is as large where the values are dealt out anew between K."""
    present = np.isfinite(values)
    dealt = np.full((_DRAWS + 1, *values.shape), np.nan)
    dealt[:, present] = np.vstack([values[present], rng.permuted(np.tile(values[present], (_DRAWS, 1)), axis=1)])
    variance = np.nanvar(dealt, axis=2, ddof=1)
    with np.errstate(invalid="ignore"):
        first, *others = variance.max(1) / variance.sum(1)
    return float((1 + np.sum(~(np.array(others) < first * (1 - 1e-9)))) / (1 + _DRAWS))


def _resampled(y: Array, rng: np.random.Generator) -> Array:
    """(draw, K, seed), every K from its own runs."""
    y = np.sort(y, axis=1)  # what is missing goes to the end
    counts = np.isfinite(y).sum(1)
    chosen = rng.integers(counts[:, None], size=(_DRAWS, *y.shape))
    return np.where(np.isfinite(y), np.take_along_axis(np.broadcast_to(y, chosen.shape), chosen, 2), np.nan)
