"""Measurements on trained networks, each with its interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import expit

from ...theory import Estimate
from ...theory.accuracy import ACQUIRED
from ...theory.common.arguments import choice, instance, integer, named, number, numbers, probability, real, require
from ...theory.estimate import CONFIDENCE

Array = NDArray[np.float64]

_BOOTSTRAP_DRAWS = 300


def by_position(argument: str, value: Any) -> Array:
    """Numbers, of an array with named dimensions in the order in which it has them."""
    return numbers(argument, value.values if named(value) else value)


def first_crossing(time: ArrayLike, values: ArrayLike, level: float = ACQUIRED) -> float:
    """The time at which ``values`` first rises above ``level``, linear between evaluations; infinite if it never does.

    The paper takes the first evaluation above the level, which is later by half an evaluation interval on average.
    """
    t, v = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    t, v = t[~np.isnan(v)], v[~np.isnan(v)]  # runs of unequal rates are evaluated at times of their own
    above = np.flatnonzero(v > level)
    if not above.size:
        return math.inf
    i = int(above[0])
    if i == 0:
        return float(t[0])
    return float(t[i - 1] + (level - v[i - 1]) / (v[i] - v[i - 1]) * (t[i] - t[i - 1]))


def measured(runs: xr.Dataset, accuracy: str) -> xr.DataArray:
    """The named accuracy of runs, along ``time``."""
    instance("runs", runs, xr.Dataset)
    timed = "time" in runs.dims and "time" in runs.coords
    require(timed, "runs", "have times along a dimension 'time'", dict(runs.sizes))
    choice("accuracy", accuracy, map(str, runs.data_vars))
    return runs[accuracy]


def acquisition_times(runs: xr.Dataset, accuracy: str = "icl_accuracy", level: float = ACQUIRED) -> xr.DataArray:
    """t_ICL of every run of ``runs``: :func:`first_crossing` of the named accuracy along ``time``.

    ``icl_accuracy`` is the whole network's; ``circuit_accuracy`` is that of the minimal model's ICL sub-circuit alone,
    of which the reduced theory speaks. Infinite where a run ended without, NaN where it diverged before.

    Examples
    --------
    >>> accuracy = xr.DataArray([[0.5, 0.5, 1.0], [0.5, 0.6, 0.7]], dims=("seed", "time"))
    >>> acquisition_times(xr.Dataset({"icl_accuracy": accuracy}, {"time": [0.0, 10.0, 20.0]})).values
    array([19., inf])
    """
    level = number("level", level, minimum=0.0, maximum=1.0)
    times = xr.apply_ufunc(
        lambda values: first_crossing(runs.time, values, level),
        measured(runs, accuracy),
        input_core_dims=[["time"]],
        vectorize=True,
    )
    if "ending" in runs:
        times = times.where(np.isfinite(times) | (runs.ending != runs.ending.attrs.get("diverged", -1)))
    return times.assign_attrs(units="gradient-flow time")


def geometric_mean(samples: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Geometric mean of positive samples with Student's interval in the logarithm.

    With an infinite sample (an event not seen before the end) the estimate is the median between the extremes, which
    is all that censored samples this few allow.

    Examples
    --------
    >>> mean = geometric_mean([90.0, 100.0, 111.0])
    >>> print(f"{mean.value:.0f} [{mean.low:.0f}, {mean.high:.0f}]")
    100 [77, 130]
    """
    confidence = probability("confidence", confidence)
    x = by_position("samples", samples).ravel()
    require(x.size >= 1 and bool(np.all(x > 0)), "samples", "be positive and not empty", samples)
    if np.isinf(x).any():
        middle = np.sort(x)[(x.size - 1) // 2]  # the least t with S(t) <= 1/2, as Kaplan and Meier have it
        return Estimate(float(middle), float(x.min()), float(x.max()), confidence)
    mean, spread = np.log(x).mean(), np.log(x).std(ddof=1) if x.size > 1 else math.inf
    half = stats.t.ppf(0.5 + confidence / 2, x.size - 1) * spread / math.sqrt(x.size) if x.size > 1 else math.inf
    return Estimate(float(np.exp(mean)), float(np.exp(mean - half)), float(np.exp(min(mean + half, 700))), confidence)


def measure_power_law(
    x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None, *, confidence: float = CONFIDENCE
) -> tuple[Estimate, Estimate]:
    """(A, ν) of y = A x^ν by weighted least squares in the logarithms, with heteroscedastic-robust intervals.

        V = (XᵀWX)⁻¹ XᵀW diag(e_i²/(1 − h_i)²) WX (XᵀWX)⁻¹        (HC3),   half-width = t_{n−2} √V

    e_i are the residuals and h_i the leverages, so that points may scatter differently. With fewer than ten points
    the interval errs on the wide side.

    Parameters
    ----------
    x, y : array (point,), > 0
        One point a run or a mean; three or more, not all at one x.
    weights : array (point,), > 0, optional
        Of the squared residuals, 1/variance of ln y up to a factor; equal by default.
    confidence : float in (0, 1)

    Returns
    -------
    amplitude, exponent : Estimate

    Raises
    ------
    ValueError
        For points that are too few, not positive or all at one x.

    Source: MacKinnon and White, J. Econometrics 29 (1985) 305; paper, figures 5 and 6a.

    Examples
    --------
    >>> amplitude, exponent = measure_power_law([50, 100, 200, 400], [101, 195, 410, 790])
    >>> round(exponent.value, 2), exponent.contains(1.0)
    (1.0, True)
    """
    confidence = probability("confidence", confidence)
    u, v = (np.log(real(name, value, minimum=0.0, exclusive=True)) for name, value in (("x", x), ("y", y)))
    require(u.ndim == 1 and u.size >= 3 and u.shape == v.shape, "x", "have three or more points, as many as y", u.shape)
    require(np.ptp(u) > 0, "x", "have two different values or more", x)
    w = real("weights", np.ones(u.size) if weights is None else weights, minimum=0.0, exclusive=True)
    require(w.shape == u.shape, "weights", f"have shape {u.shape}", w.shape)
    design = np.column_stack([np.ones(u.size), u])
    smoother = np.linalg.solve((design.T * w) @ design, design.T * w)
    fit = smoother @ v
    leverage = np.sum(design.T * smoother, 0)
    # A point alone at its end of x may hold the line wholly (h = 1): its residual, zero, means nothing.
    robust = (v - design @ fit) / np.maximum(1 - leverage, 1e-9)
    half = stats.t.ppf(0.5 + confidence / 2, u.size - 2) * np.sqrt(np.sum((smoother * robust) ** 2, 1))
    low, high = fit - half, fit + half
    value, least, most = np.exp(np.clip([fit[0], low[0], high[0]], -700, 700)).tolist()
    return Estimate(value, least, most, confidence), Estimate(float(fit[1]), float(low[1]), float(high[1]), confidence)


def measure_threshold(
    task_diversity: ArrayLike,
    accuracy: ArrayLike,
    *,
    paired: bool = False,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Estimate:
    """K*: midpoint of a sigmoid in ln K fitted to the ICL accuracy reached within a budget.

        accuracy(K) = 1/2 + (1/2)/(1 + exp(−(ln K − ln K*)/s))

    Parameters
    ----------
    task_diversity : array (K,), increasing
    accuracy : array (K, seed)
        ICL accuracies at the budget (:func:`accuracy_at`); chance is 1/2. K* falls as the budget grows. NaN is a run
        that is missing (or diverged) and is left out: of its K, or where ``paired`` its seed of every K.
    paired : bool
        Whether a seed's runs at different K share what decides their outcome, such as a drawn β0: whole seeds are then
        resampled. Otherwise every K resamples its own.
    confidence : float in (0, 1)
    seed : int
        Of the bootstrap.

    Returns
    -------
    Estimate
        ln K* ± t s: s is the bootstrap's standard deviation over seeds, times √(n/(n−1)) for n seeds, and t Student's
        quantile; a plain percentile interval of few seeds covers 85-90 % instead of 95 %. Never narrower than
        the scan's resolution: the two values of K between which the fit lies. Half open if the scan does not cross 3/4.

    Raises
    ------
    ValueError
        For fewer than three K, K not increasing, shapes that do not match, or a K without any run.

    Source: paper, figure 6a.

    Examples
    --------
    >>> measure_threshold([100, 200, 400, 800], [[0.5, 0.5], [0.52, 0.5], [0.98, 1.0], [1.0, 1.0]]).low
    200.0
    """
    confidence, seed = probability("confidence", confidence), integer("seed", seed, minimum=0)
    require(isinstance(paired, bool | np.bool_), "paired", "be True or False", paired)
    k, y = over_diversities(task_diversity, np.atleast_2d(by_position("accuracy", accuracy)))
    if paired:
        y = y[:, ~np.isnan(y).any(axis=0)]
    y = np.sort(y, axis=1) if np.isnan(y).any() else y  # what is missing goes to the end
    present = ~np.isnan(y)
    counts = present.sum(axis=1)
    require(bool(np.all(counts > 0)), "accuracy", "hold a run at every task diversity", counts.tolist())
    seeds = int(counts.min())
    rng = np.random.default_rng(seed)
    each = y.shape[1] if present.all() else counts[:, None]
    chosen = rng.integers(each, size=(_BOOTSTRAP_DRAWS, 1 if paired else k.size, y.shape[1]))
    drawn = np.take_along_axis(y[None], np.broadcast_to(chosen, (_BOOTSTRAP_DRAWS, *y.shape)), 2)
    resampled = np.mean(drawn, 2, where=present)
    midpoint, *draws = _sigmoid_midpoints(k, np.vstack([np.mean(y, 1, where=present), resampled]))
    if np.isnan(midpoint):
        return (
            Estimate(k[-1], k[0], math.inf, confidence)
            if np.mean(y, where=present) < 0.75
            else Estimate(k[0], 0.0, k[-1], confidence)
        )
    logs = np.log([draw for draw in draws if np.isfinite(draw)])
    half = 0.0
    if seeds > 1 and logs.size > 1:
        freedom = seeds - 1 if paired else (seeds - 1) * _effective_number(np.var(y, 1, where=present))
        half = stats.t.ppf(0.5 + confidence / 2, freedom) * logs.std(ddof=1) * math.sqrt(seeds / (seeds - 1))
    i = int(np.clip(np.searchsorted(k, midpoint), 1, k.size - 1))
    low, high = midpoint * math.exp(-half), midpoint * math.exp(min(half, 700.0))
    return Estimate(float(midpoint), float(min(low, k[i - 1])), float(max(high, k[i])), confidence)


def over_diversities(task_diversity: ArrayLike, accuracy: ArrayLike) -> tuple[Array, Array]:
    """K, three or more in increasing order, and accuracies (K, seed)."""
    k, y = by_position("task_diversity", task_diversity), by_position("accuracy", accuracy)
    increasing = k.ndim == 1 and k.size >= 3 and bool(np.all(np.diff(k) > 0))
    require(increasing, "task_diversity", "be three or more increasing values", k)
    require(y.ndim == 2 and y.shape[0] == k.size, "accuracy", f"have shape ({k.size}, seed)", y.shape)
    return k, y


def _effective_number(variances: Array) -> float:
    """Welch and Satterthwaite's number of independent variances in their sum; 1 if all vanish."""
    total = float(variances.sum())
    return total**2 / float(np.sum(variances**2)) if total > 0 else 1.0


def _sigmoid_midpoints(k: Array, accuracy: Array) -> Array:
    """K* of the least-squares sigmoid for each row of ``accuracy`` (row, K); NaN where a row does not cross 3/4.

    All rows are fitted at once on a grid of widths and of midpoints, with a parabola through the best three midpoints.
    """
    u = np.log(k)
    middles = np.linspace(u[0], u[-1], 121)
    # A width far below the spacing would leave the midpoint undetermined between two K.
    widths = np.geomspace(np.diff(u).min() / 8, u[-1] - u[0], 10)
    curves = 0.5 + 0.5 * expit((u - middles[:, None, None]) / widths[:, None])
    flat = curves.reshape(-1, k.size)
    misfit = (np.sum(flat**2, axis=1) - 2 * accuracy @ flat.T).reshape(len(accuracy), *curves.shape[:2]).min(2)
    best = misfit.argmin(1)
    inner = np.clip(best, 1, middles.size - 2)
    left, centre, right = np.take_along_axis(misfit, inner[:, None] + np.array([-1, 0, 1]), 1).T
    bend = left - 2 * centre + right
    smooth = (bend > 0) & (best == inner)
    shift = np.where(smooth, (left - right) / np.where(smooth, 2 * bend, 1.0), 0.0)
    midpoints = np.exp(middles[best] + shift * (middles[1] - middles[0]))
    return np.where((accuracy.max(1) >= 0.75) & (accuracy.min(1) <= 0.75), midpoints, np.nan)
