"""K* of the transformer as a function of when training stops, from the same networks truncated (paper, figure 2b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..compare import Comparison
from ..measure import measure_threshold
from ..outcomes import accuracy_at
from ..predict import Prediction, predict_transformer_clock
from .protocol import Jobs, Results, compare, networks_in
from .transformer_clocks import clocks_of_networks, predict_threshold_at, seeded
from .transformer_scaling import Scan


@dataclass(frozen=True)
class TransformerBudget:
    """K*(T): where the clock of scrambled transformers reads I* = t_ICL(K → ∞)/2 at the time T, for several T.

    Parameters
    ----------
    scan : the transformer and its K
    seeds, memory_seeds, endless_seeds : networks at each K of the scan, scrambled ones, and at K → ∞
    budgets : T, gradient-flow time, at most the run's own
    bar : factor within which K*(T) must be predicted
    """

    scan: Scan
    seeds: int
    memory_seeds: int
    endless_seeds: int
    budgets: Sequence[float]
    bar: float
    name: str = "transformer_budget"

    def calibration(self) -> Mapping[str, Jobs]:
        return {"endless": self.scan.endless(self.endless_seeds), "scrambled": self.scan.scrambled(self.memory_seeds)}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        clock = predict_transformer_clock(self.scan.endless(self.endless_seeds), networks_in(calibrated["endless"]))
        networks, scrambled = self.scan.scrambled(self.memory_seeds), networks_in(calibrated["scrambled"])
        return {
            f"t{budget:g}": predict_threshold_at(
                f"K*, transformer, training ends at t = {budget:g}",
                clock, clocks_of_networks(networks, scrambled, budget),
            )
            for budget in self.budgets
        }  # fmt: skip

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": seeded(self.scan.run, self.seeds, self.scan.task_diversity)}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        runs, rows = networks_in(trained["networks"]), []
        for budget in self.budgets:
            accuracy = accuracy_at(runs, budget).transpose("task_diversity", "seed")
            threshold = measure_threshold(runs.task_diversity, accuracy)
            rows.append(compare(predictions[f"t{budget:g}"], threshold, self.bar, self.seeds))
        return rows
