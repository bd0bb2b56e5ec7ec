"""K* as a function of when training stops, from networks trained once (what the paper's readers asked for)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...theory import Estimate, threshold
from ..compare import Comparison
from ..measure import geometric_mean
from ..memory import measured_memory
from ..predict import Prediction, addresses, predict_repeats
from .protocol import Jobs, MemoryCurves, Results, compare, memories_in, networks_in
from .threshold import Threshold, circuit_threshold


@dataclass(frozen=True)
class Budget:
    """K*(T) of the ICL circuit for several T, read from the same networks: those that acquired ICL by T.

        I_K(T) = I*        (docs/derivation.md, "threshold at a budget")

    Parameters
    ----------
    threshold : the scan of K; its perceptrons have seeds in common, and the networks are trained beyond every T
    budgets : gradient-flow times, above t_ICL(K → ∞)
    bar : float > 1
    """

    threshold: Threshold
    budgets: Sequence[float]
    bar: float
    name: str = "budget"

    def calibration(self) -> Mapping[str, Jobs]:
        return self.threshold.calibration()

    def networks(self) -> Mapping[str, Jobs]:
        return self.threshold.networks()

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        memory, run = memories_in(calibrated["memory"]), self.threshold.run
        predictions = {}
        for budget in self.budgets:
            shorter, largest = run.with_(budget=budget), max(self.threshold.task_diversity)
            repeats, _ = predict_repeats(shorter, memory.trainings, memory.curves, largest)
            inputs = (f"I_K(T) = I*, I_K(t) of {addresses(memory.trainings)}",)
            alone = self._alone(memory, budget)
            predictions[f"alone_{budget:g}"] = Prediction(f"K*(T = {budget:g}), memory alone", alone, inputs)
            predictions[f"repeats_{budget:g}"] = Prediction(
                f"K*(T = {budget:g}), coupled equations, repeated items", repeats.estimate, repeats.inputs
            )
        return predictions

    def _alone(self, memory: MemoryCurves, budget: float) -> Estimate:
        """K*(T) from the perceptrons of each seed that every K has; their geometric mean and its interval."""
        run = self.threshold.run
        by_diversity: dict[int, set[int]] = {}
        for one in memory.trainings:
            by_diversity.setdefault(one.task_diversity, set()).add(one.seed)
        values = []
        for seed in sorted(set.intersection(*by_diversity.values())):
            chosen = [i for i, one in enumerate(memory.trainings) if one.seed == seed]
            law = measured_memory(
                [memory.trainings[i] for i in chosen], [memory.curves[i] for i in chosen], run.budget
            )  # fmt: skip
            values.append(threshold(run.task, law, run.beta0 or 0.0, run.w0, budget=budget).value)
        return geometric_mean(values)

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        runs = networks_in(trained["networks"])
        found = {budget: circuit_threshold(runs, budget) for budget in self.budgets}
        return [
            compare(predictions[f"{kind}_{budget:g}"], measured, self.bar, self.threshold.seeds)
            for budget, measured in found.items()
            for kind in ("alone", "repeats")
        ]
