"""Measurements on trained networks, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import expit

from ..theory import Estimate
from ..theory._arguments import require

Array = NDArray[np.float64]

ACQUIRED_LEVEL = 0.95
CONFIDENCE = 0.95
_BOOTSTRAP_DRAWS = 500


def first_crossing(time: ArrayLike, values: ArrayLike, level: float = ACQUIRED_LEVEL) -> float:
    """The time at which ``values`` first rises above ``level``, linear between evaluations; infinite if it never does.

    The paper takes the first evaluation above the level, which is later by half an evaluation interval on average.
    """
    t, v = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    above = np.flatnonzero(v > level)
    if not above.size:
        return math.inf
    i = int(above[0])
    if i == 0:
        return float(t[0])
    return float(t[i - 1] + (level - v[i - 1]) / (v[i] - v[i - 1]) * (t[i] - t[i - 1]))


def acquisition_times(runs: xr.Dataset, accuracy: str = "icl_accuracy", level: float = ACQUIRED_LEVEL) -> xr.DataArray:
    """t_ICL of every run of ``runs``: :func:`first_crossing` of the named accuracy along ``time``.

    ``icl_accuracy`` is the whole network's; ``circuit_accuracy`` is that of the minimal model's ICL sub-circuit alone,
    of which the reduced theory speaks.
    """
    return xr.apply_ufunc(
        lambda values: first_crossing(runs.time, values, level),
        runs[accuracy],
        input_core_dims=[["time"]],
        vectorize=True,
    ).assign_attrs(units="gradient-flow time")


def geometric_mean(samples: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Geometric mean of positive samples with Student's interval in the logarithm.

    With an infinite sample (an event not seen before the end) the estimate is the median between the extremes, which
    is all that censored samples this few allow.
    """
    x = np.asarray(samples, dtype=float).ravel()
    require(x.size >= 1 and bool(np.all(x > 0)), "samples", "be positive and not empty", samples)
    if np.isinf(x).any():
        middle = np.sort(x)[x.size // 2]
        return Estimate(float(middle), float(x.min()), float(x.max()), confidence)
    mean, spread = np.log(x).mean(), np.log(x).std(ddof=1) if x.size > 1 else math.inf
    half = stats.t.ppf(0.5 + confidence / 2, x.size - 1) * spread / math.sqrt(x.size) if x.size > 1 else math.inf
    return Estimate(float(np.exp(mean)), float(np.exp(mean - half)), float(np.exp(min(mean + half, 700))), confidence)


def measure_power_law(x: ArrayLike, y: ArrayLike, confidence: float = CONFIDENCE) -> tuple[Estimate, Estimate]:
    """(A, ν) of y = A x^ν by least squares in the logarithms, with Student's intervals."""
    u, v = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    require(u.size >= 3 and u.shape == v.shape, "x", "have three or more points, as many as y", u.shape)
    fit = stats.linregress(u, v)
    quantile = stats.t.ppf(0.5 + confidence / 2, u.size - 2)
    half_slope, half_intercept = quantile * fit.stderr, quantile * fit.intercept_stderr  # pyright: ignore[reportAttributeAccessIssue]
    slope, intercept = float(fit.slope), float(fit.intercept)  # pyright: ignore[reportAttributeAccessIssue]
    amplitude, low, high = (float(np.exp(intercept + sign * half_intercept)) for sign in (0, -1, 1))
    return Estimate(amplitude, low, high, confidence), Estimate(
        slope, slope - half_slope, slope + half_slope, confidence
    )


def measure_threshold(
    task_diversity: ArrayLike, accuracy: ArrayLike, *, confidence: float = CONFIDENCE, seed: int = 0
) -> Estimate:
    """K*: midpoint of a sigmoid in ln K fitted to the final ICL accuracy.

        accuracy(K) = 1/2 + (1/2)/(1 + exp(−(ln K − ln K*)/s))

    Parameters
    ----------
    task_diversity : array (K,), increasing
    accuracy : array (K, seed)
        Final ICL accuracies; chance is 1/2.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Estimate
        The interval is the bootstrap's over the seeds of every K, and never narrower than the scan's resolution: the
        two values of K between which the fit lies.

    Source: paper, figure 6a.
    """
    k, y = np.asarray(task_diversity, dtype=float), np.atleast_2d(np.asarray(accuracy, dtype=float))
    require(
        k.ndim == 1 and k.size >= 3 and bool(np.all(np.diff(k) > 0)),
        "task_diversity",
        "be three or more increasing values",
        k,
    )
    require(y.ndim == 2 and y.shape[0] == k.size, "accuracy", f"have shape ({k.size}, seed)", y.shape)
    rng = np.random.default_rng(seed)
    chosen = rng.integers(y.shape[1], size=(_BOOTSTRAP_DRAWS, *y.shape))
    resampled = np.take_along_axis(y[None], chosen, 2).mean(2)
    midpoint, *draws = _sigmoid_midpoints(k, np.vstack([y.mean(1), resampled]))
    if np.isnan(midpoint):
        return (
            Estimate(k[-1], k[0], math.inf, confidence) if y.mean() < 0.75 else Estimate(k[0], 0.0, k[-1], confidence)
        )
    draws = np.array(draws)[np.isfinite(draws)]
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2]) if draws.size else (midpoint, midpoint)
    i = int(np.clip(np.searchsorted(k, midpoint), 1, k.size - 1))
    return Estimate(midpoint, float(min(low, k[i - 1])), float(max(high, k[i])), confidence)


def _sigmoid_midpoints(k: Array, accuracy: Array) -> Array:
    """K* of the least-squares sigmoid for each row of ``accuracy`` (row, K); NaN where a row does not cross 3/4.

    All rows are fitted at once on a grid of midpoints, 0.25 % of the scan's logarithm apart, and of widths.
    """
    u = np.log(k)
    middles = np.linspace(u[0], u[-1], 401)
    # A width far below the spacing would leave the midpoint undetermined between two K.
    widths = np.geomspace(np.diff(u).min() / 8, u[-1] - u[0], 12)
    middle, width = (grid.ravel()[:, None] for grid in np.meshgrid(middles, widths, indexing="ij"))
    curves = 0.5 + 0.5 * expit((u - middle) / width)
    misfit = np.sum(curves**2, axis=1) - 2 * accuracy @ curves.T
    found = np.exp(middle[misfit.argmin(1), 0])
    return np.where((accuracy.max(1) >= 0.75) & (accuracy.min(1) <= 0.75), found, np.nan)


def outcome_spread(task_diversity: Sequence[float], accuracy: ArrayLike, threshold: float) -> tuple[float, Array]:
    """The K of the scan nearest the threshold, and the final accuracies of its seeds, sorted."""
    k = np.asarray(task_diversity, dtype=float)
    i = int(np.abs(np.log(k / threshold)).argmin())
    return float(k[i]), np.sort(np.asarray(accuracy, dtype=float)[i])
