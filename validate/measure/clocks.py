"""Clocks I_K: of perceptrons alone, continued beyond their training and averaged; and of whole networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ...theory import Estimate, MeasuredMemory
from ...theory.common.arguments import require
from ...theory.estimate import CONFIDENCE
from ..training.config import Run, addresses
from ..training.memory import QUANTILES, MemoryTraining
from ..values import UNKNOWN
from .times import acquisition_times, geometric_mean

#: Fractions of its clock at which a perceptron's curves are kept.
FRACTIONS = np.linspace(0.0, 1.0, 101)
# The tail's slope is read where c1 is within this factor of its last value: the last part of the run, many steps long.
_TAIL_FACTOR = 10.0


@dataclass(frozen=True)
class MemoryCurves:
    """Perceptrons trained alone: what was trained, and the curves of each."""

    trainings: Sequence[MemoryTraining]
    curves: Sequence[xr.Dataset]

    def clocks(self) -> xr.Dataset:
        """I_K over ``run``: as far as each perceptron was trained, and continued to its budget.

        ``elapsed``, c1, c2, c3 and the margins stand over (run, fraction), at equal fractions of each run's own clock.
        """
        pairs = list(zip(self.trainings, self.curves, strict=True))
        tables = [at_fractions(curves, FRACTIONS) for curves in self.curves]
        return xr.concat(tables, dim="run").assign_coords(quantile=list(QUANTILES)).assign(
            {
                "clock": ("run", [float(curves.clock[-1]) for _, curves in pairs]),
                "clock_at_budget": ("run", [clock_at(curves, training.budget) for training, curves in pairs]),
            }
        ).assign_coords(
            task_diversity=("run", [training.task_diversity for training in self.trainings]),
            seed=("run", [training.seed for training in self.trainings]),
        ).assign_attrs(runs=addresses(self.trainings), units="gradient-flow time")  # fmt: skip

    def clock_reached(self, task_diversity: float, time: float) -> float:
        """I_K(time), mean over seeds: a power law of K between and beyond those trained; for K → ∞ it is time/2."""
        if math.isinf(task_diversity):
            return time / 2
        readings: dict[int, list[float]] = {}
        for training, curves in zip(self.trainings, self.curves, strict=True):
            readings.setdefault(training.task_diversity, []).append(clock_at(curves, time))
        known = sorted(readings)
        u, v = np.log(known), np.log([np.mean(readings[k]) for k in known])
        at = math.log(task_diversity)
        i = int(np.clip(np.searchsorted(u, at) - 1, 0, len(u) - 2))
        continued = v[i] + (v[i + 1] - v[i]) / (u[i + 1] - u[i]) * (at - u[i])
        return float(min(np.exp(continued), time / 2))


def clock_at(curves: xr.Dataset, time: float) -> float:
    """I_K(t), continued beyond the last reading.

    Late in training ln c1 falls almost linearly in the clock, dc1/dI = −g c1, so that dI/dt = c1 gives

        I(t) = I_e + ln(1 + g c1_e (t − t_e))/g

    with g fitted where c1 is within a factor 10 of its last value c1_e.
    """
    t, clock, c1 = (curves[name].values for name in ("time", "clock", "c1"))
    if time <= t[-1]:
        return float(np.interp(time, t, clock))
    late = c1 < _TAIL_FACTOR * c1[-1]
    slope = float(np.polyfit(clock[late], np.log(c1[late]), 1)[0]) if late.sum() > 2 else 0.0
    rate = max(-slope, 1e-9)
    return float(clock[-1] + np.log1p(rate * c1[-1] * (time - t[-1])) / rate)


def ended_at(curves: xr.Dataset, time: float) -> xr.Dataset:
    """The curves of a run up to ``time``, interpolated there; all of them if the run ended before."""
    times = curves.time.values
    return curves if time >= times[-1] else curves.interp(time=np.append(times[times < time], time))


def at_fractions(curves: xr.Dataset, fraction: np.ndarray) -> xr.Dataset:
    """The curves over ``fraction`` of the whole clock, with the time ``elapsed``: linear between readings."""
    clock = fraction * float(curves.clock[-1])
    columns = {name: curves[name].values for name in ("c1", "c2", "c3")} | {"elapsed": curves.time.values}
    table = {name: ("fraction", np.interp(clock, curves.clock, values)) for name, values in columns.items()}
    margins = np.stack([np.interp(clock, curves.clock, margin) for margin in curves.margins.values.T], axis=-1)
    return xr.Dataset(table | {"margins": (("fraction", "quantile"), margins)}, coords={"fraction": fraction})


def measured_memory(runs: Sequence[MemoryTraining], curves: Sequence[xr.Dataset], time: float) -> MeasuredMemory:
    """The theory's memory law from runs of the perceptron alone, its total clock being the one reached at ``time``.

    Runs that differ only in their seed are averaged at equal fractions of their clock. A run that was trained for
    longer than ``time`` counts to its end: dynamics may need its curves there. See :func:`ended_at`.
    """
    grouped: dict[int, list[xr.Dataset]] = {}
    for run, dataset in zip(runs, curves, strict=True):
        grouped.setdefault(run.task_diversity, []).append(dataset)
    fraction = np.linspace(0.0, 1.0, 200)
    table: dict[str, Any] = {name: [] for name in ("clock", "c1", "c2", "c3", "margins", "total")}
    for datasets in grouped.values():
        by_fraction = [at_fractions(d, fraction) for d in datasets]
        for name in ("c1", "c2", "c3", "margins"):
            table[name].append(np.mean([d[name].values for d in by_fraction], 0))
        table["clock"].append(fraction * np.mean([float(d.clock[-1]) for d in datasets]))
        table["total"].append(float(np.mean([max(clock_at(d, time), float(d.clock[-1])) for d in datasets])))
    return MeasuredMemory.from_runs(list(grouped), **table)


def stored_memory(alone: xr.Dataset) -> MeasuredMemory:
    """:func:`measured_memory` from a stored dataset of perceptrons: curves over (run, fraction) and their clocks.

    ``ValueError`` for a dataset of anything else, such as networks.
    """
    needed = ("c1", "c2", "c3", "margins", "clock", "clock_at_budget", "task_diversity", "fraction")
    lacking = [name for name in needed if name not in alone.variables or ("run" not in alone.dims)]
    require(not lacking, "memory", "hold perceptrons trained alone, over runs and fractions", dict(alone.sizes))
    diversities = np.unique(alone.task_diversity.values)
    table: dict[str, Any] = {name: [] for name in ("clock", "c1", "c2", "c3", "margins", "total")}
    for k in diversities:
        at = alone.isel(run=np.flatnonzero(alone.task_diversity.values == k))
        for name in ("c1", "c2", "c3", "margins"):
            table[name].append(at[name].mean("run").values)
        table["clock"].append(at.fraction.values * float(at.clock.mean()))
        table["total"].append(float(np.maximum(at.clock_at_budget, at.clock).mean()))
    return MeasuredMemory.from_runs(diversities.tolist(), **table)


def final_clock(runs: xr.Dataset) -> xr.DataArray:
    """I_K at the end of every run."""
    return runs.clock.max("time")


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


def clock_of_acquisition(runs: xr.Dataset, beyond: float, confidence: float = CONFIDENCE) -> Estimate:
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
    return geometric_mean(readings, confidence) if readings else UNKNOWN
