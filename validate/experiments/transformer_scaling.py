"""K* of the transformer against context length: three memories, the slope, one calibrated point (paper, figure 6a)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import measure_power_law, measure_threshold
from ..memory import MemoryTraining
from ..predict import Prediction, predict_transformer_clock
from ..training import final
from .protocol import Jobs, Results, compare, memories_in, networks_in, slope
from .transformer_clocks import (
    clock_of_acquisition,
    clocks_of_networks,
    clocks_of_perceptrons,
    predict_threshold_at,
    seeded,
)


@dataclass(frozen=True)
class Scan:
    """One context length.

    Parameters
    ----------
    run : the transformer, at any K; calibration runs start at its seed plus 1000
    task_diversity : the scan of K for K*
    memory_diversity : K at which scrambled transformers are trained
    """

    run: Run
    task_diversity: Sequence[float]
    memory_diversity: Sequence[float]

    @property
    def calibration(self) -> Run:
        return self.run.with_(seed=self.run.seed + 1000)

    def endless(self, seeds: int) -> list[Run]:
        return seeded(self.calibration, seeds, [math.inf])

    def scrambled(self, seeds: int) -> list[Run]:
        """Transformers whose context labels are coins, trained to the end of the budget."""
        silent = self.calibration.with_(
            task_diversity=self.memory_diversity[0], scrambled=True, stop_acquired=False, stop_memorised=0.0
        )
        return seeded(silent, seeds, self.memory_diversity)


@dataclass(frozen=True)
class TransformerScaling:
    """K*(N) from I* = t_ICL(K → ∞)/2 at each N and a memory's clock, for every memory; and from one point.

    Memories: perceptrons alone, of every kind in ``memory``, and the transformer itself with scrambled context labels.
    One point: K*(N) = K*(N0) (N/N0)^{1/ν}, K*(N0) from seeds of its own and ν from the first memory.

    Parameters
    ----------
    memory : perceptrons trained alone, by the kind of their input
    scans : by label, in increasing N
    point : label of the scan at N0
    seeds, memory_seeds, endless_seeds : networks at each K of a scan, scrambled ones, and at K → ∞
    bar : factor within which K* must be predicted
    slope_bar : difference within which its exponent in N must be
    """

    memory: Mapping[str, Sequence[MemoryTraining]]
    scans: Mapping[str, Scan]
    point: str
    seeds: int
    memory_seeds: int
    endless_seeds: int
    bar: float
    slope_bar: float
    name: str = "transformer_scaling"

    def calibration(self) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {f"memory_{kind}": trainings for kind, trainings in self.memory.items()}
        for label, scan in self.scans.items():
            jobs[f"endless_{label}"] = scan.endless(self.endless_seeds)
            jobs[f"scrambled_{label}"] = scan.scrambled(self.memory_seeds)
        first = self.scans[self.point]
        return jobs | {"point": seeded(first.calibration, self.seeds, first.task_diversity)}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        said: dict[str, Prediction] = {}
        for label, scan in self.scans.items():
            clock = predict_transformer_clock(
                scan.endless(self.endless_seeds), networks_in(calibrated[f"endless_{label}"])
            )
            place = f"N = {scan.run.task.context_length}"
            said[f"clock_{label}"] = replace(clock, quantity=f"{clock.quantity}, {place}")
            for kind in self.memory:
                memory = clocks_of_perceptrons(memories_in(calibrated[f"memory_{kind}"]), scan.run.budget)
                quantity = f"K*, transformer, {place}, from {kind} perceptrons"
                said[f"{kind}_{label}"] = predict_threshold_at(quantity, clock, memory)
            scrambled = networks_in(calibrated[f"scrambled_{label}"])
            memory = clocks_of_networks(scan.scrambled(self.memory_seeds), scrambled)
            quantity = f"K*, transformer, {place}, from scrambled transformers"
            said[f"scrambled_{label}"] = predict_threshold_at(quantity, clock, memory)
        return said | self._slopes(said) | self._from_point(calibrated)

    def _slopes(self, said: Mapping[str, Prediction]) -> dict[str, Prediction]:
        """The exponent of every memory's K* in N."""
        slopes = {}
        for kind in (*self.memory, "scrambled"):
            points = [said[f"{kind}_{label}"] for label in self.scans]
            found = slope(self._lengths(), [point.estimate for point in points])
            inputs = tuple(dict.fromkeys(entry for point in points for entry in point.inputs))
            slopes[f"slope_{kind}"] = Prediction(f"exponent of K* in N, transformer, {kind} memory", found, inputs)
        return slopes

    def _from_point(self, calibrated: Mapping[str, Results]) -> dict[str, Prediction]:
        """1/ν of the first memory, and K* at every other N from K*(N0)."""
        kind = next(iter(self.memory))
        clocks, point = memories_in(calibrated[f"memory_{kind}"]).clocks(), networks_in(calibrated["point"])
        _, exponent = measure_power_law(clocks.task_diversity.values, clocks.clock.values)
        inverse = Estimate(1 / exponent.value, 1 / exponent.high, 1 / max(exponent.low, 1e-300))
        start = measure_threshold(point.task_diversity, final(point))
        inputs = (f"ν of {clocks.attrs['runs']}", "t_ICL ∝ N")
        said = {"slope_law": Prediction(f"exponent of K* in N, transformer: 1/ν, {kind} perceptrons", inverse, inputs)}
        n0 = self.scans[self.point].run.task.context_length
        for label, scan in self.scans.items():
            if label != self.point:
                n = scan.run.task.context_length
                quantity = f"K*, transformer, N = {n}, from K* at N = {n0} and 1/ν"
                said[f"point_{label}"] = Prediction(
                    quantity, carried(start, inverse, math.log(n / n0)), (*inputs, f"K* at N = {n0}, other seeds")
                )
        return said

    def networks(self) -> Mapping[str, Jobs]:
        return {label: seeded(scan.run, self.seeds, scan.task_diversity) for label, scan in self.scans.items()}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        measured: dict[str, Estimate] = {}
        rows: list[Comparison] = []
        for label in self.scans:
            runs = networks_in(trained[label])
            measured[label] = measure_threshold(runs.task_diversity, final(runs))
            for kind in (*self.memory, "scrambled", "point"):
                if f"{kind}_{label}" in predictions:
                    rows.append(compare(predictions[f"{kind}_{label}"], measured[label], self.bar, self.seeds))
            reading = clock_of_acquisition(runs, measured[label].value)
            rows.append(compare(predictions[f"clock_{label}"], reading, self.bar, self.seeds, ", K above K*"))
        found = slope(self._lengths(), list(measured.values()))
        for name, prediction in predictions.items():
            if name.startswith("slope_"):
                rows.append(compare(prediction, found, self.slope_bar, self.seeds, scale="difference"))
        return rows

    def _lengths(self) -> list[int]:
        return [scan.run.task.context_length for scan in self.scans.values()]


def carried(start: Estimate, slope: Estimate, distance: float) -> Estimate:
    """K*(N0) e^{slope · distance}; relative errors in quadrature. Unknown for a distance that is."""
    if not math.isfinite(distance):
        return Estimate(math.inf, 0.0, math.inf)
    value = start.value * math.exp(slope.value * distance)
    if not 0 < start.low <= start.high < math.inf:
        return Estimate(value, 0.0, math.inf)
    turns = sorted(((slope.low - slope.value) * distance, (slope.high - slope.value) * distance))
    down = math.hypot(math.log(start.value / start.low), turns[0])
    up = math.hypot(math.log(start.high / start.value), turns[1])
    return Estimate(value, value * math.exp(-down), value * math.exp(min(up, 700.0)))
