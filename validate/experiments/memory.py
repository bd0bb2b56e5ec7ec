"""Memorisation law: I_K(∞) = A K^ν for the perceptron alone (paper, section 4, figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...theory import Estimate
from ..claim import Claim
from ..measure.times import measure_power_law
from ..protocol import Jobs, Trained, clocks_in
from ..training.memory import MemoryTraining
from ..values import Value

#: ν of the paper's setting.
PAPER_EXPONENT = 0.7


@dataclass(frozen=True)
class MemoryLaw:
    """ν of perceptrons trained alone, beside the paper's value."""

    trainings: Sequence[MemoryTraining]
    bar: float
    name: str = "memory_law"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def networks(self) -> Mapping[str, Jobs]:
        return {"memory": self.trainings}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        exponent, training = Estimate.exact(PAPER_EXPONENT), self.trainings[0]
        at = {"dimension": training.dimension, "width": training.width, "layers": training.layers}
        inputs = ("value reported in the paper, section 4",)
        return [Claim("ν", "perceptron", exponent, self.bar, "memory", "paper", at, inputs=inputs, data=("memory",))]

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        clocks = clocks_in(trained["memory"])
        return measure_power_law(clocks.task_diversity.values, clocks.clock.values, confidence=confidence)[1]
