"""Are the transformer's two circuits independent? Its memory's clock, from the perceptron alone to the whole network.

Each rung is a memory that says more of the network's own: its clock I_K(T), and the K* that it predicts with the same
I* = t_ICL(K → ∞)/2. What is left between the last rung and the measured K* is the coupling of the circuits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import xarray as xr

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import geometric_mean, measure_threshold
from ..memory import MemoryTraining
from ..predict import Prediction, addresses, predict_transformer_clock
from ..training import final
from .protocol import Jobs, Results, compare, memories_in, networks_in
from .transformer_clocks import (
    clock_of_acquisition,
    clocks_of_networks,
    clocks_of_perceptrons,
    final_clock,
    predict_threshold_at,
    seeded,
)
from .transformer_scaling import Scan

#: The frozen rung's attention learns this much slower than its perceptron.
FREEZING = 1000.0


@dataclass(frozen=True)
class IndependenceAudit:
    """K* and I_K of the transformer, from a ladder of memories.

    1. the perceptron alone, one rung for each kind in ``memory`` (by what it reads);
    2. "frozen": the transformer with scrambled context labels, its attention held where it starts (it learns 1000
       times slower; the runs' times are the attention's, their clock the perceptron's);
    3. "scrambled": the whole transformer with scrambled context labels;
    4. with "_large" behind its name, a perceptron's rung or the scrambled one with I* read off the clock of networks
       that acquire ICL at a large finite K, not from K → ∞: what memorising does to the ICL circuit itself.

    Parameters
    ----------
    memory : perceptrons trained alone, by the kind of their input, in the order of the ladder
    scan : the transformer and its K
    seeds, memory_seeds, endless_seeds : networks at each K, at each K of the rungs 2 and 3, and at K → ∞
    reference : K at which the clocks at the budget are compared; in the scan, in every memory, below K*
    large : K of rung 4
    frozen : whether rung 2 is trained
    bar, clock_bar : factors within which K*, and clocks, must be predicted
    """

    memory: Mapping[str, Sequence[MemoryTraining]]
    scan: Scan
    seeds: int
    memory_seeds: int
    endless_seeds: int
    reference: int
    large: int
    bar: float
    clock_bar: float
    frozen: bool = True
    name: str = "audit"

    @property
    def _rungs(self) -> tuple[str, ...]:
        """Of whole networks, in the order of the ladder."""
        return ("frozen", "scrambled") if self.frozen else ("scrambled",)

    def with_scan(self, task_diversity: Sequence[float]) -> IndependenceAudit:
        return replace(self, scan=replace(self.scan, task_diversity=task_diversity), reference=min(task_diversity))

    def _frozen(self) -> list[Run]:
        return [
            run.with_(
                learning_rate=run.learning_rate / FREEZING, rate_ratio=run.rate_ratio * FREEZING,
                budget=run.budget / FREEZING, evaluate_every=run.evaluate_every / FREEZING,
            )
            for run in self.scan.scrambled(self.memory_seeds)
        ]  # fmt: skip

    def _large(self) -> list[Run]:
        return seeded(self.scan.calibration, self.seeds, [self.large])

    def _trained(self, rung: str) -> list[Run]:
        return self._frozen() if rung == "frozen" else self.scan.scrambled(self.memory_seeds)

    def calibration(self) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {f"memory_{kind}": trainings for kind, trainings in self.memory.items()}
        jobs |= {"endless": self.scan.endless(self.endless_seeds), "large": self._large()}
        return jobs | {rung: self._trained(rung) for rung in self._rungs}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        clock = predict_transformer_clock(self.scan.endless(self.endless_seeds), networks_in(calibrated["endless"]))
        large = networks_in(calibrated["large"]).expand_dims(task_diversity=[self.large])
        inputs = (f"measured clock at acquisition, K = {self.large}, of {addresses(self._large())}",)
        said = {"clock": clock, "clock_large": Prediction(clock.quantity, clock_of_acquisition(large, 0.0), inputs)}
        for rung, memory in self._memories(calibrated).items():
            label = f"{rung} {'transformers' if rung in self._rungs else 'perceptrons'}"
            said[rung] = predict_threshold_at(f"K*, transformer, from {label}", clock, memory)
            readings = memory.clock.values[memory.task_diversity.values == self.reference]
            quantity = f"I_K at the budget, K = {self.reference}, transformer, from {label}"
            runs = (f"I_K of {memory.attrs['runs']}",)
            said[f"{rung}_reference"] = Prediction(quantity, geometric_mean(readings), runs)
            if rung != "frozen":
                quantity = f"K*, transformer, from {label}, I* at K = {self.large}"
                said[f"{rung}_large"] = predict_threshold_at(quantity, said["clock_large"], memory)
        return said

    def _memories(self, calibrated: Mapping[str, Results]) -> dict[str, xr.Dataset]:
        """I_K at the budget of every rung's memory, in the order of the ladder."""
        budget = self.scan.run.budget
        alone = {kind: memories_in(calibrated[f"memory_{kind}"]) for kind in self.memory}
        return {kind: clocks_of_perceptrons(curves, budget) for kind, curves in alone.items()} | {
            rung: clocks_of_networks(self._trained(rung), networks_in(calibrated[rung])) for rung in self._rungs
        }

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": seeded(self.scan.run, self.seeds, self.scan.task_diversity)}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        runs = networks_in(trained["networks"])
        threshold = measure_threshold(runs.task_diversity, final(runs))
        reading = geometric_mean(final_clock(runs).sel(task_diversity=self.reference).values)
        rungs = (*self.memory, *self._rungs)
        large = [f"{rung}_large" for rung in rungs if rung != "frozen"]
        rows = [compare(predictions[rung], threshold, self.bar, self.seeds) for rung in (*rungs, *large)]
        rows += [compare(predictions[f"{rung}_reference"], reading, self.clock_bar, self.seeds) for rung in rungs]
        at = clock_of_acquisition(runs, threshold.value)
        rows.append(compare(predictions["clock"], at, self.clock_bar, self.seeds, ", K above K*"))
        return rows + self._shares(predictions, threshold, rungs)

    def _shares(
        self, predictions: Mapping[str, Prediction], threshold: Estimate, rungs: Sequence[str]
    ) -> list[Comparison]:
        """Parts of ln(K* of the first rung / K* measured): what each step of the ladder removes, and what is left."""
        values = [predictions[rung].estimate for rung in rungs] + [threshold]
        steps = [f"{a} → {b}" for a, b in itertools.pairwise(rungs)] + [f"{rungs[-1]} → measured (coupling)"]
        if any(not 0 < value.value < math.inf for value in values) or values[0].value == values[-1].value:
            return []
        logs = [math.log(value.value) for value in values]
        widths = [_log_half_width(value) for value in values]
        whole = logs[0] - logs[-1]
        rows = []
        for i, step in enumerate(steps):
            share = (logs[i] - logs[i + 1]) / whole
            half = math.hypot(widths[i], widths[i + 1]) / abs(whole)
            measured = Estimate(share, share - half, share + half)
            rows.append(Comparison(f"share of the error in ln K*: {step}", None, measured, self.bar, (), self.seeds))
        return rows


def _log_half_width(value: Estimate) -> float:
    return 0.5 * math.log(value.high / value.low) if value.low > 0 and value.high < math.inf else math.inf
