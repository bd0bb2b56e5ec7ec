"""Memorisation law: I_K(∞) = A K^ν for the perceptron alone (paper, section 4, figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...theory import Estimate
from ..compare import Comparison
from ..measure import measure_power_law
from ..memory import MemoryTraining
from ..predict import Prediction
from .protocol import Jobs, Results, compare, memories_in

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

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        inputs = ("value reported in the paper, section 4",)
        return {"exponent": Prediction("ν, memory alone", Estimate.exact(PAPER_EXPONENT), inputs)}

    def networks(self) -> Mapping[str, Jobs]:
        return {"memory": self.trainings}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        clocks = memories_in(trained["memory"]).clocks()
        _, exponent = measure_power_law(clocks.task_diversity.values, clocks.clock.values)
        return [compare(predictions["exponent"], exponent, self.bar, clocks.sizes["run"])]
