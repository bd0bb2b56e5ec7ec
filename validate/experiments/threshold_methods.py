"""Ways to predict the minimal model's K*, each from perceptrons trained alone (docs/derivation.md, threshold)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...theory import threshold
from ..measure.clocks import measured_memory
from ..measure.times import geometric_mean, measure_power_law
from ..predict.threshold import Prediction, predict_clock, predict_coupled, predict_repeats, predict_threshold
from ..protocol import Jobs, Results, Trained, memories_in
from ..training.config import addresses
from .scan import Scan, memory_label


@dataclass(frozen=True)
class _FromPerceptrons:
    kind: str = "raw"

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        return {memory_label(self.kind, label): scan.memory[self.kind]}


@dataclass(frozen=True)
class MemoryAlone(_FromPerceptrons):
    """I_K(T) = I*: the memory alone, trained for the budget, advances its clock to t_ICL(K → ∞)/2."""

    name: str = "memory alone"
    whole: bool = True

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        memory, run = memories_in(calibrated[memory_label(self.kind, label)]), scan.read
        clock = predict_clock(run)
        diversity = predict_threshold(clock, memory.trainings, memory.curves, run.rate_ratio * run.budget)
        return {"I*": clock, "K*": diversity}


@dataclass(frozen=True)
class CoupledEquations(_FromPerceptrons):
    """(w, β) with the measured memory: follows c2 as it rises, which makes the drag grow while the memory forms."""

    name: str = "coupled equations"

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        memory = memories_in(calibrated[memory_label(self.kind, label)])
        threshold, time = predict_coupled(scan.read, memory.trainings, memory.curves, max(scan.task_diversity))
        return {"K*": threshold, "t_ICL": time}


@dataclass(frozen=True)
class RepeatedItems(_FromPerceptrons):
    """The coupled equations for contexts that hold items repeatedly, as N draws from K items do.

    Added when t_ICL at K = 900, N = 50 had been seen 5 % below the coupled equations (laptop preset, other seeds); its
    own t_ICL is reported, and no bar was set for it.
    """

    name: str = "repeated items"
    times: bool = False

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        memory = memories_in(calibrated[memory_label(self.kind, label)])
        threshold, time = predict_repeats(scan.read, memory.trainings, memory.curves, max(scan.task_diversity))
        return {"K*": threshold} if scan.budget is not None else {"K*": threshold, "t_ICL": time}


@dataclass(frozen=True)
class EachSeed(_FromPerceptrons):
    """I_K(T) = I* by the perceptrons of each seed that every K has: geometric mean of their K*, and its interval."""

    name: str = "memory alone"

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        memory, run = memories_in(calibrated[memory_label(self.kind, label)]), scan.run
        by_diversity: dict[int, set[int]] = {}
        for training in memory.trainings:
            by_diversity.setdefault(training.task_diversity, set()).add(training.seed)
        values = []
        for seed in sorted(set.intersection(*by_diversity.values())):
            chosen = [i for i, training in enumerate(memory.trainings) if training.seed == seed]
            trainings, curves = [memory.trainings[i] for i in chosen], [memory.curves[i] for i in chosen]
            law = measured_memory(trainings, curves, run.budget)
            values.append(threshold(run.task, law, run.beta0 or 0.0, run.w0, budget=scan.read.budget).value)
        inputs = (f"I_K(T) = I*, I_K(t) of {addresses(memory.trainings)}",)
        return {"K*": Prediction(geometric_mean(values), inputs)}


def inverse_exponent(memories: Sequence[Results]) -> Prediction:
    """1/ν of I_K = A K^ν over all perceptrons, each counted once."""
    clocks = {
        training: float(curves.clock[-1])
        for memory in map(memories_in, memories)
        for training, curves in zip(memory.trainings, memory.curves, strict=True)
    }
    _, exponent = measure_power_law([training.task_diversity for training in clocks], list(clocks.values()))
    known = sorted({training.task_diversity for training in clocks})
    inputs = (f"I_K = A K^ν over {len(clocks)} perceptrons alone, K = {known[0]} … {known[-1]}",)
    return Prediction(exponent.inverse(), inputs)
