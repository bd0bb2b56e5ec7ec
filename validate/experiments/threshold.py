"""Threshold and clock collapse of the minimal model, from the memory alone (paper, section 5, figures 3 and 6a)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import acquisition_times, geometric_mean, measure_threshold
from ..memory import MemoryTraining
from ..predict import Prediction, predict_clock, predict_coupled, predict_threshold
from ..training import final
from .protocol import Jobs, Results, compare, memories_in, networks_in


@dataclass(frozen=True)
class Threshold:
    """K* of the ICL circuit and of the whole network, and the clock's reading at acquisition for every K above it.

    Parameters
    ----------
    memory : perceptrons trained alone, over K; they share no seed with the networks
    run : the network, at any K
    task_diversity : the scan of K
    seeds : networks at each K
    bar, clock_bar, time_bar : factors within which K*, the clock and t_ICL at the largest K must be predicted
    """

    memory: Sequence[MemoryTraining]
    run: Run
    task_diversity: Sequence[float]
    seeds: int
    bar: float
    clock_bar: float
    time_bar: float
    name: str = "threshold"

    def with_scan(self, task_diversity: Sequence[float]) -> Threshold:
        return replace(self, task_diversity=task_diversity)

    def calibration(self) -> Mapping[str, Jobs]:
        return {"memory": self.memory}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        memory = memories_in(calibrated["memory"])
        clock = _memory_clock(predict_clock(self.run), self.run.rate_ratio)
        threshold = predict_threshold(
            "K*, minimal model", clock, memory.trainings, memory.curves, self.run.rate_ratio * self.run.budget
        )  # fmt: skip
        largest = max(self.task_diversity)
        coupled, time = predict_coupled(self.run, memory.trainings, memory.curves, largest)
        return {"clock": clock, "threshold": threshold, "coupled_threshold": coupled, "coupled_time": time}

    def networks(self) -> Mapping[str, Jobs]:
        return {
            "networks": [
                self.run.with_(task_diversity=k, seed=self.run.seed + s)
                for k in self.task_diversity
                for s in range(self.seeds)
            ]
        }

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        runs = networks_in(trained["networks"])
        circuit = acquisition_times(runs, "circuit_accuracy").transpose("task_diversity", "seed")
        threshold = circuit_threshold(runs, self.run.budget)
        whole = measure_threshold(runs.task_diversity, final(runs))
        predicted = predictions["threshold"]
        return [
            compare(predicted, threshold, self.bar, self.seeds, ", ICL circuit"),
            compare(predicted, whole, self.bar, self.seeds, ", whole network"),
            compare(predictions["coupled_threshold"], threshold, self.bar, self.seeds, ", ICL circuit"),
            compare(
                predictions["coupled_time"], geometric_mean(circuit.sel(task_diversity=max(self.task_diversity))),
                self.time_bar, self.seeds, ", ICL circuit",
            ),
            compare(
                predictions["clock"], clock_at_acquisition(runs, threshold.value), self.clock_bar, self.seeds
            ),
        ]  # fmt: skip


def circuit_threshold(runs: xr.Dataset, budget: float) -> Estimate:
    """K* of the ICL circuit: the theory's is where the circuit reaches 95 %, so the outcome is whether it did in time.

    As an accuracy: 1, or chance.
    """
    times = acquisition_times(runs, "circuit_accuracy").transpose("task_diversity", "seed")
    return measure_threshold(runs.task_diversity, np.where(times.values <= budget, 1.0, 0.5))


def _memory_clock(clock: Prediction, rate_ratio: float) -> Prediction:
    """The reading of the memory's own clock when ICL is acquired: r I*, the memory running r times as fast."""
    if rate_ratio == 1.0:
        return clock
    at = clock.estimate
    scaled = Estimate(at.value * rate_ratio, at.low * rate_ratio, at.high * rate_ratio)
    return replace(clock, estimate=scaled, inputs=(*clock.inputs, f"rate ratio {rate_ratio:g}"))


def clock_at_acquisition(runs: xr.Dataset, threshold: float) -> Estimate:
    """I_K when the ICL circuit acquires: the mean over the K above the threshold at which every seed does.

    The interval runs from the least to the greatest of the K's own geometric means: clock collapse is the statement
    that they agree.
    """
    times = acquisition_times(runs, "circuit_accuracy")
    readings = []
    for k in runs.task_diversity.values:
        at = times.sel(task_diversity=k)
        if k > threshold and bool(np.isfinite(at).all()):
            curves = runs.clock.sel(task_diversity=k)
            clocks = [np.interp(at.sel(seed=s), runs.time, curves.sel(seed=s)) for s in runs.seed.values]
            readings.append(geometric_mean(clocks).value)
    if not readings:
        return Estimate(math.inf, 0.0, math.inf)
    mean = float(np.exp(np.mean(np.log(readings))))
    return Estimate(mean, min(mean, *readings), max(mean, *readings))  # equal readings may differ from it by rounding
