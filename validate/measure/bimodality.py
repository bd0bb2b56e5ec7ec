"""How runs ended: the accuracy reached within a budget, two kinds of outcome, and the fraction that acquires ICL."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ...theory import Estimate
from ...theory.common.arguments import integer, number, probability, real, require
from ...theory.estimate import CONFIDENCE
from .intervals import fraction
from .times import measured

Array = NDArray[np.float64]

#: Sequences behind an accuracy by default: those of a ``Run``.
TEST_SIZE = 2000
_EM_STEPS = 60
_NULL_DRAWS = 399
# Components narrower than this part of the whole spread cannot be distinguished from points.
_NARROWEST = 1e-3


def accuracy_at(runs: xr.Dataset, budget: float, accuracy: str = "icl_accuracy") -> xr.DataArray:
    """``accuracy`` of every run at its last evaluation up to the time ``budget``, which ``attrs["budget"]`` states.

    A run that was stopped earlier keeps its last value.

    Raises
    ------
    ValueError
        If ``runs`` has no evaluation that early.

    Examples
    --------
    >>> import xarray as xr
    >>> runs = xr.Dataset({"icl_accuracy": ("time", [0.5, 0.7, 1.0])}, coords={"time": [0.0, 5.0, 10.0]})
    >>> float(accuracy_at(runs, 8.0))
    0.7
    """
    budget = number("budget", budget, finite=False)
    within = measured(runs, accuracy).isel(time=np.flatnonzero(runs.time.values <= budget))
    require(within.sizes["time"] > 0, "budget", f"be at least {float(runs.time[0])}", budget)
    last = np.maximum(within.notnull().cumsum("time").argmax("time"), 0)
    return within.isel(time=last).drop_vars("time").assign_attrs(budget=budget)


@dataclass(frozen=True)
class Bimodality:
    """What :func:`measure_bimodality` found.

    Parameters
    ----------
    dip : float
        Hartigan's dip, the distance of the distribution from the nearest unimodal one, in [1/(2n), 1/4].
    p_value : float
        Of the dip, against the uniform law; the verdict :attr:`bimodal` rests on it.
    mixture_p_value : float
        Of one normal component against two, from the likelihood ratio's own distribution at this n.
    bic_difference : float
        BIC(one) − BIC(two).
    means : (float, float)
        Of the two components, increasing.
    width : float
        Their common standard deviation.
    upper : Estimate
        Fraction of runs nearer to the upper component.
    bimodal : bool
        Whether ``p_value`` is below 1 − confidence.
    """

    dip: float
    p_value: float
    mixture_p_value: float
    bic_difference: float
    means: tuple[float, float]
    width: float
    upper: Estimate
    bimodal: bool


def measure_bimodality(
    samples: ArrayLike, *, test_size: int | None = TEST_SIZE, confidence: float = CONFIDENCE
) -> Bimodality:
    """Whether outcomes near the threshold fall into two kinds: Hartigan's dip, and two normal components against one.

        one: N(μ, s²)      two: (1 − π) N(μ1, σ²) + π N(μ2, σ²)

    The common σ keeps the mixture's likelihood bounded. Its ratio to one component's has no χ² law, so the p-value
    comes from 399 samples of the same size: beta-binomial counts of the same mean and variance, normal for no counts.
    Of 12 or 24 counts of one law, binomial or beta-binomial, it rejects 2 to 7 % at a nominal 5 % (300 data sets each);
    conservative: 1 % of 24 counts of 200 sequences at 0.99. The dip assumes no shape and keeps its level for every
    unimodal law; the mixture also rejects a skewed or flat one, and so only describes.

    Accuracies are counts: runs that share one are spread over its width 1/``test_size`` before the dip is taken, as
    the dip of a discrete law is that of its steps. At a nominal 5 % it then rejects 0 to 3 % of 6 to 96 binomial
    accuracies, whatever their chance, and 5 % of uniform ones: it is conservative. As numbers it rejected up to 100 %.

    Parameters
    ----------
    samples : array (run,)
        Final ICL accuracies at one K, or any other outcome; four or more.
    test_size : int >= 1, or None
        Sequences that each accuracy was measured on; None for outcomes that are no counts.
    confidence : float in (0, 1)

    Raises
    ------
    ValueError
        For fewer than four samples, or NaN.

    Source: Hartigan and Hartigan, Annals of Statistics 13 (1985) 70; paper, figure 6c.

    Examples
    --------
    >>> found = measure_bimodality([0.52, 0.5, 0.55, 0.51, 0.49, 0.53, 0.98, 1.0, 0.97, 0.99, 0.98, 0.96])
    >>> found.bimodal, found.upper.value
    (True, 0.5)
    """
    import diptest  # compiled, and of use here alone

    confidence = probability("confidence", confidence)
    x = np.sort(real("samples", samples).ravel())
    require(x.size >= 4, "samples", "hold four or more", x.size)
    spread = float(x.std())
    if spread == 0:
        upper = Estimate(1.0, fraction(np.ones(x.size, dtype=bool), confidence).low, 1.0, confidence)
        return Bimodality(0.5 / x.size, 1.0, 1.0, 0.0, (float(x[0]), float(x[0])), 0.0, upper, False)
    spaced = x if test_size is None else _spread_ties(x, integer("test_size", test_size, minimum=1))
    dip, p = (float(value) for value in diptest.diptest(spaced)[:2])  # pyright: ignore[reportArgumentType, reportIndexIssue]
    (ratio,), (means,), (width,) = _mixture(((x - x.mean()) / spread)[None])
    counts = x[0] >= 0.0 and x[-1] <= 1.0
    null = _count_ratios(x, test_size) if counts and test_size is not None else _null_ratios(x.size)
    low, high = (float(x.mean() + spread * mean) for mean in means)
    upper = fraction(x > 0.5 * (low + high), confidence)
    return Bimodality(
        dip=dip,
        p_value=p,
        mixture_p_value=float((1 + np.sum(null >= ratio)) / (1 + null.size)),
        bic_difference=float(ratio - 2 * math.log(x.size)),
        means=(low, high),
        width=float(spread * width),
        upper=upper,
        bimodal=p < 1 - confidence,
    )


def _spread_ties(x: Array, test_size: int) -> Array:
    """Sorted accuracies with those of one count at the midpoints of equal parts of its width."""
    count = np.rint(x * test_size)
    _, first, size = np.unique(count, return_index=True, return_counts=True)
    rank, ties = np.arange(x.size) - np.repeat(first, size), np.repeat(size, size)
    return x + ((rank + 0.5) / ties - 0.5) / test_size


def _count_ratios(x: Array, test_size: int) -> Array:
    """Likelihood ratios for counts whose chances follow the beta law that gives them the mean and variance of ``x``."""
    rng = np.random.default_rng(0)
    mean, shape = float(x.mean()), (_NULL_DRAWS, x.size)
    noise = mean * (1.0 - mean) / test_size  # binomial variance; what is beyond it is the chances' own
    spread = max(float(x.var(ddof=1)) - noise, 0.0)
    chance = np.full(shape, mean)
    if 0.0 < spread < mean * (1.0 - mean):
        total = mean * (1.0 - mean) / spread - 1.0
        chance = rng.beta(mean * total, (1.0 - mean) * total, shape)
    drawn = np.sort(rng.binomial(test_size, chance) / test_size, axis=1)
    width = drawn.std(axis=1, keepdims=True)
    some = width[:, 0] > 0.0
    ratios = np.zeros(_NULL_DRAWS)
    ratios[some] = _mixture((drawn[some] - drawn[some].mean(1, keepdims=True)) / width[some])[0]
    return ratios


@lru_cache(maxsize=32)
def _null_ratios(size: int) -> Array:
    """Likelihood ratios of two components against one for normal samples; the ratio depends on their number alone."""
    x = np.sort(np.random.default_rng(0).standard_normal((_NULL_DRAWS, size)), axis=1)
    return _mixture((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True))[0]


def _mixture(x: Array) -> tuple[Array, Array, Array]:
    """Two components of one width by expectation and maximisation, for each sorted row of mean 0 and variance 1.

    Returns 2 ln(L_two/L_one) (row,), means (row, 2) increasing, and widths (row,).
    """
    size = x.shape[1]
    # Start from the split of the sorted row with the least variance within its two parts.
    count = np.arange(1, size)
    below = np.cumsum(x, 1)[:, :-1]
    split = np.argmax(below**2 / count + below**2 / (size - count), axis=1)[:, None]
    weight = (np.arange(size) > split).astype(float)  # of the upper component
    low = high = variance = total = np.zeros((len(x), 1))
    for _ in range(_EM_STEPS):
        upper = np.clip(weight.mean(1, keepdims=True), 1 / size**2, 1 - 1 / size**2)
        above = np.mean(weight * x, 1, keepdims=True)
        high, low = above / upper, -above / (1 - upper)
        variance = np.maximum(1 - upper * high**2 - (1 - upper) * low**2, _NARROWEST**2)
        log_high = np.log(upper) - 0.5 * (x - high) ** 2 / variance
        log_low = np.log1p(-upper) - 0.5 * (x - low) ** 2 / variance
        total = np.logaddexp(log_high, log_low)
        weight = np.exp(log_high - total)
    ratio = 2 * np.sum(total - 0.5 * np.log(variance), axis=1) + size
    return ratio, np.sort(np.hstack([low, high]), axis=1), np.sqrt(variance[:, 0])
