"""Ways to predict the transformer's K*: from the clock of a memory, and from one point (paper, section 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from ...theory import Estimate
from ...theory.estimate import CONFIDENCE
from ..measure.clocks import clock_of_acquisition, clocks_of_networks, clocks_of_perceptrons
from ..measure.intervals import extrapolated
from ..measure.times import geometric_mean, measure_power_law
from ..predict.threshold import Prediction, predict_transformer_clock
from ..protocol import Jobs, Trained, memories_in, networks_in
from ..training.config import Run, addresses
from ..values import log_over
from .runs import grid
from .scan import Scan, memory_label
from .threshold import measured_threshold

Array = NDArray[np.float64]

#: The frozen networks' attention learns this much slower than their perceptron.
FREEZING = 1000.0
#: How far beyond the K of a memory's runs its clock is continued, in ln K.
_CONTINUED = math.log(2.0)
_NETWORKS = ("frozen", "scrambled")


def _at_calibration(scan: Scan) -> Run:
    return scan.run.with_(seed=scan.run.seed + 1000)


def endless(scan: Scan, seeds: int, longer: float = 1.0) -> list[Run]:
    """The scan's network at K → ∞, with calibration seeds, trained for so many times the scan's budget."""
    run = _at_calibration(scan)
    return grid(run if longer == 1 else run.with_(budget=longer * run.budget), seeds, task_diversity=[math.inf])


def scrambled(scan: Scan, seeds: int) -> list[Run]:
    """Transformers whose context labels are coins, trained to the end of the budget."""
    silent = _at_calibration(scan).with_(
        task_diversity=scan.scrambled[0], scrambled=True, stop_acquired=False, stop_memorised=0.0
    )
    return grid(silent, seeds, task_diversity=scan.scrambled)


def frozen(scan: Scan, seeds: int) -> list[Run]:
    """The same with the attention held where it starts: the runs' times are the attention's, their clock is not."""
    return [
        run.with_(
            learning_rate=run.learning_rate / FREEZING, rate_ratio=run.rate_ratio * FREEZING,
            budget=run.budget / FREEZING, evaluate_every=run.evaluate_every / FREEZING,
        )
        for run in scrambled(scan, seeds)
    ]  # fmt: skip


@dataclass(frozen=True)
class EndlessClock:
    """I* = r t_ICL(K → ∞)/2, with t_ICL measured on networks of other seeds.

    Parameters
    ----------
    seeds : networks
    longer : their budget over the scan's, where many networks of the scan's budget would not acquire ICL in time
    """

    seeds: int
    name: str = "t_ICL(K → ∞)/2"
    longer: float = 1.0

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        return {f"endless_{label}": endless(scan, self.seeds, self.longer)}

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        half = predict_transformer_clock(
            endless(scan, self.seeds, self.longer), networks_in(calibrated[f"endless_{label}"])
        )
        return {"I*": Prediction(half.estimate.scaled(scan.run.rate_ratio), half.inputs)}


@dataclass(frozen=True)
class LargeClock:
    """I* read off the clock of networks that acquire ICL at a large finite K, where they memorise meanwhile."""

    seeds: int
    task_diversity: float

    @property
    def name(self) -> str:
        return f"I* at K = {self.task_diversity:g}"

    def _runs(self, scan: Scan) -> list[Run]:
        return grid(_at_calibration(scan), self.seeds, task_diversity=[self.task_diversity])

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        return {f"large_{label}": self._runs(scan)}

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        large = networks_in(calibrated[f"large_{label}"]).expand_dims(task_diversity=[self.task_diversity])
        inputs = (f"measured clock at acquisition, K = {self.task_diversity:g}, of {addresses(self._runs(scan))}",)
        return {"I*": Prediction(clock_of_acquisition(large, 0.0), inputs)}


@dataclass(frozen=True)
class ClockOf:
    """K*: where a memory's clock at the end of the budget reads I*.

    Parameters
    ----------
    memory : a kind of the scan's perceptrons ("layer-normed", "raw"), or "scrambled" or "frozen" transformers
    clock : what says I*
    seeds : networks of the memory at each K, where they are transformers
    reference : K at which the memory's clock at the budget is claimed, too; in the scan and in the memory, below K*
    noun : what those networks are called
    """

    memory: str
    clock: EndlessClock | LargeClock
    seeds: int = 0
    reference: float | None = None
    noun: str = "transformers"

    @property
    def name(self) -> str:
        large = f", {self.clock.name}" if isinstance(self.clock, LargeClock) else ""
        return f"{self.memory} {self.noun if self.memory in _NETWORKS else 'perceptrons'}{large}"

    def _runs(self, scan: Scan) -> list[Run]:
        return (frozen if self.memory == "frozen" else scrambled)(scan, self.seeds)

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        clock = self.clock.calibration(label, scan)
        if self.memory in _NETWORKS:
            return {**clock, f"{self.memory}_{label}": self._runs(scan)}
        return {**clock, memory_label(self.memory, label): scan.memory[self.memory]}

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        clock = self.clock.predict(label, scan, calibrated)["I*"]
        if self.memory in _NETWORKS:
            networks = networks_in(calibrated[f"{self.memory}_{label}"])
            end = math.inf if scan.budget is None else scan.budget
            memory = clocks_of_networks(
                self._runs(scan), networks, end / (FREEZING if self.memory == "frozen" else 1.0)
            )
        else:
            alone = memories_in(calibrated[memory_label(self.memory, label)])
            memory = clocks_of_perceptrons(alone, scan.read.budget)
        predictions = {"K*": predict_threshold_at(clock, memory)}
        if self.reference is not None:
            readings = memory.clock.values[memory.task_diversity.values == self.reference]
            predictions["I_K"] = Prediction(geometric_mean(readings), (f"I_K of {memory.attrs['runs']}",))
        return predictions


@dataclass(frozen=True)
class OnePoint:
    """K* = K*(x0) (x/x0)^{1/ν}: the memory's clock must reach I* ∝ x, of which it passes A K^ν.

    Parameters
    ----------
    point : the scan at x0, which networks of other seeds are trained on
    variable : x: "context_length" (t_ICL ∝ N), "rate_ratio" (as if the perceptron had no part in ICL), or "clock"
    memory : whose ν: a kind of the point's perceptrons, or "scrambled" transformers
    seeds : scrambled networks at each K
    clock : what says I*, for x = "clock"
    """

    point: Scan
    variable: str
    memory: str
    seeds: int = 0
    clock: EndlessClock | None = None

    @property
    def name(self) -> str:
        return f"one point and 1/ν, x = {self.variable.replace('_', ' ')}"

    def _runs(self) -> list[Run]:
        return grid(_at_calibration(self.point), self.point.seeds, task_diversity=self.point.task_diversity)

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {"point": self._runs()}
        if self.memory == "scrambled":
            jobs["scrambled_point"] = scrambled(self.point, self.seeds)
        else:
            jobs[memory_label(self.memory, "point")] = self.point.memory[self.memory]
        if self.clock is not None:
            jobs |= {**self.clock.calibration(label, scan), **self.clock.calibration("point", self.point)}
        return jobs

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        """Nothing for the point's own scan."""
        if scan.run == self.point.run:
            return {}
        inverse = self.inverse_exponent(calibrated)
        runs = networks_in(calibrated["point"])
        start = measured_threshold(runs, self.point, "whole", CONFIDENCE)
        if self.clock is None:
            x, x0 = (float(at.place()[self.variable]) for at in (scan, self.point))
            seen: Sequence[str] = ("t_ICL ∝ N",) if self.variable == "context_length" else ()
        else:
            here, there = (
                self.clock.predict(name, at, calibrated)["I*"] for name, at in ((label, scan), ("point", self.point))
            )
            x, x0, seen = here.estimate.value, there.estimate.value, here.inputs
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite or nan where no network acquires
            distance = float(np.log(np.divide(x, x0)))
        estimate = extrapolated(start, inverse.estimate, distance)
        return {"K*": Prediction(estimate, (*inverse.inputs, f"K* of {addresses(self._runs())}", *seen))}

    def inverse_exponent(self, calibrated: Trained) -> Prediction:
        """1/ν of the memory."""
        if self.memory == "scrambled":
            memory = clocks_of_networks(scrambled(self.point, self.seeds), networks_in(calibrated["scrambled_point"]))
        else:
            memory = memories_in(calibrated[memory_label(self.memory, "point")]).clocks()
        _, exponent = measure_power_law(memory.task_diversity.values, memory.clock.values)
        return Prediction(exponent.inverse(), (f"ν of {memory.attrs['runs']}",))


def predict_threshold_at(clock: Prediction, memory: xr.Dataset) -> Prediction:
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
    value, low, high = (
        _inverse(u, mean, log_over(x)) for x in (clock.estimate.value, clock.estimate.low, clock.estimate.high)
    )
    freedom = sum(group.size - 1 for group in groups)
    variance = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups) / max(freedom, 1)
    exponent = (mean[-1] - mean[0]) / (u[-1] - u[0])
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, freedom) if freedom else math.inf
    half = quantile * math.sqrt(variance / np.mean([group.size for group in groups])) / exponent
    down, up = math.hypot(value - low, half), math.hypot(high - value, half)
    least = 0.0 if value <= u[0] - _CONTINUED else math.exp(value - down)
    most = math.inf if value >= u[-1] + _CONTINUED else math.exp(value + up)
    inputs = (*clock.inputs, f"I_K(t = budget) of {memory.attrs['runs']}")
    return Prediction(Estimate(math.exp(value), least, most), inputs)


def _inverse(u: Array, mean: Array, reading: float) -> float:
    """ln K at which the rising ``mean`` over ``u`` passes ``reading``, at most ``_CONTINUED`` outside."""
    i = int(np.clip(np.searchsorted(mean, reading), 1, len(mean) - 1))
    rise = max(mean[i] - mean[i - 1], 1e-12)
    crossing = u[i - 1] + (reading - mean[i - 1]) / rise * (u[i] - u[i - 1])
    return float(np.clip(crossing, u[0] - _CONTINUED, u[-1] + _CONTINUED))
