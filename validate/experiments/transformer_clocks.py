"""Clocks of transformers: I_K of networks whose context says nothing, and K* from any memory's clock."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from ...theory import Estimate
from ..config import Run
from ..measure import CONFIDENCE, acquisition_times, geometric_mean
from ..memory import clock_at
from ..predict import Prediction, addresses
from .protocol import MemoryCurves

Array = NDArray[np.float64]

#: How far beyond the K of a memory's runs its clock is continued, in ln K.
_CONTINUED = math.log(2.0)


def seeded(run: Run, seeds: int, task_diversity: Sequence[float] = ()) -> list[Run]:
    """``run`` with ``seeds`` consecutive seeds, at every K of ``task_diversity`` or at its own."""
    diversities = task_diversity or (run.task.task_diversity,)
    return [run.with_(task_diversity=k, seed=run.seed + s) for k in diversities for s in range(seeds)]


def final_clock(runs: xr.Dataset) -> xr.DataArray:
    """I_K at the end of every run."""
    return runs.clock.max("time")


def predict_threshold_at(quantity: str, clock: Prediction, memory: xr.Dataset) -> Prediction:
    """K*: where a memory's clock at the end of the budget reaches I*, I_K(T) = I*.

        ln K* by linear interpolation of ⟨ln I_K(T)⟩ in ln K, continued by its end slopes over a factor 2

    The interval holds that of I* and the seeds' spread, δ ln K = δ ln I_K/ν, in quadrature; it is open where the
    continuation ends.

    Parameters
    ----------
    clock : Prediction
        I*, gradient-flow time.
    memory : xarray.Dataset
        As :func:`clocks_of_networks` and :func:`clocks_of_perceptrons` return it; two or more K, some with two seeds.
    """
    k = np.unique(memory.task_diversity.values).astype(float)
    groups = [np.log(memory.clock.values[memory.task_diversity.values == diversity]) for diversity in k]
    mean = np.maximum.accumulate([group.mean() for group in groups])
    u = np.log(k)
    value, low, high = (_inverse(u, mean, math.log(x)) for x in _ends(clock.estimate))
    freedom = sum(group.size - 1 for group in groups)
    variance = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups) / max(freedom, 1)
    exponent = (mean[-1] - mean[0]) / (u[-1] - u[0])
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, freedom) if freedom else math.inf
    half = quantile * math.sqrt(variance / np.mean([group.size for group in groups])) / exponent
    down, up = math.hypot(value - low, half), math.hypot(high - value, half)
    least = 0.0 if value <= u[0] - _CONTINUED else math.exp(value - down)
    most = math.inf if value >= u[-1] + _CONTINUED else math.exp(value + up)
    inputs = (*clock.inputs, f"I_K(t = budget) of {memory.attrs['runs']}")
    return Prediction(quantity, Estimate(math.exp(value), least, most), inputs)


def clocks_of_networks(networks: Sequence[Run], trained: xr.Dataset, budget: float = math.inf) -> xr.Dataset:
    """``clock`` over ``run``: I_K at the last evaluation up to ``budget`` of networks over (task_diversity, seed)."""
    clock = final_clock(trained.sel(time=slice(None, budget))).transpose("task_diversity", "seed")
    k = np.repeat(trained.task_diversity.values, clock.sizes["seed"])
    return xr.Dataset(
        {"clock": ("run", clock.values.ravel())}, {"task_diversity": ("run", k)}, {"runs": addresses(networks)}
    )


def clocks_of_perceptrons(alone: MemoryCurves, budget: float) -> xr.Dataset:
    """``clock`` over ``run``: I_K of perceptrons alone at the time ``budget``."""
    clock = [clock_at(curves, budget) for curves in alone.curves]
    k = [training.task_diversity for training in alone.trainings]
    return xr.Dataset({"clock": ("run", clock)}, {"task_diversity": ("run", k)}, {"runs": addresses(alone.trainings)})


def _inverse(u: Array, mean: Array, reading: float) -> float:
    """ln K at which the rising ``mean`` over ``u`` passes ``reading``, at most ``_CONTINUED`` outside."""
    i = int(np.clip(np.searchsorted(mean, reading), 1, len(mean) - 1))
    rise = max(mean[i] - mean[i - 1], 1e-12)
    found = u[i - 1] + (reading - mean[i - 1]) / rise * (u[i] - u[i - 1])
    return float(np.clip(found, u[0] - _CONTINUED, u[-1] + _CONTINUED))


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def clock_of_acquisition(runs: xr.Dataset, beyond: float) -> Estimate:
    """I_K when a transformer acquires ICL: geometric mean over all that do at K > ``beyond``, with Student's interval.

    Infinite, with an open interval, if none does.
    """
    times = acquisition_times(runs).transpose("task_diversity", "seed")
    readings = [
        float(np.interp(times.sel(task_diversity=k, seed=s), runs.time, runs.clock.sel(task_diversity=k, seed=s)))
        for k in runs.task_diversity.values
        for s in runs.seed.values
        if k > beyond and np.isfinite(times.sel(task_diversity=k, seed=s))
    ]
    return geometric_mean(readings) if readings else Estimate(math.inf, 0.0, math.inf)
