"""Two kinds of outcome near the threshold: final ICL accuracies of networks alike but for their seed (figure 6c)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..compare import Comparison
from ..config import Run
from ..outcomes import accuracy_at, measure_bimodality
from ..predict import Prediction
from .protocol import Jobs, Results, answer, networks_in

#: Hartigan's p-value below which outcomes count as of two kinds, as in the paper's question.
LEVEL = 0.01


@dataclass(frozen=True)
class Bimodality:
    """Hartigan's dip of the final ICL accuracies, at K near K* and far above it; none is stopped before the budget.

    That K is near K* is said by the theory before: ``near`` is fixed in the preset from perceptrons alone.

    Parameters
    ----------
    run : the network, β0 drawn
    near, far : K
    seeds : int
    """

    run: Run
    near: int
    far: int
    seeds: int
    name: str = "bimodality"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        return {}

    def networks(self) -> Mapping[str, Jobs]:
        return {
            label: [self.run.with_(task_diversity=k, seed=self.run.seed + s, beta0=None) for s in range(self.seeds)]
            for label, k in (("near", self.near), ("far", self.far))
        }

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        rows = []
        for label, k, expected in (("near", self.near, True), ("far", self.far, False)):
            for accuracy, words in (("circuit_accuracy", "ICL circuit"), ("icl_accuracy", "whole network")):
                final = accuracy_at(networks_in(trained[label]), self.run.budget, accuracy).values.ravel()
                found = measure_bimodality(final, confidence=1 - LEVEL)
                text = (
                    f"final accuracy of two kinds at K = {k}, {words}: dip {found.dip:.3f}, p = {found.p_value:.2g}, "
                    f"{found.upper.value:.0%} in the upper kind"
                )
                rows.append(answer(text, found.bimodal, self.seeds, ("K near K*: two kinds; far: one",), expected))
        return rows
