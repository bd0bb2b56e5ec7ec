"""Threshold of the paper's transformer, calibrated at one point (paper, section 5, figures 2b, 6a and 6c)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import measure_threshold, outcome_spread
from ..memory import MemoryTraining
from ..predict import Prediction, predict_threshold, predict_transformer_clock
from ..training import final
from .protocol import Jobs, Results, compare, memories_in, networks_in


@dataclass(frozen=True)
class TransformerThreshold:
    """K* of the transformer from layer-normed memories alone and its own t_ICL at K → ∞; the outcomes' spread at K*.

    Parameters
    ----------
    memory : perceptrons trained alone on layer-normed tokens, over K
    run : the transformer, at any K
    task_diversity : the scan of K
    seeds : networks at each K, and at K → ∞
    bar : factor within which K* must be predicted
    """

    memory: Sequence[MemoryTraining]
    run: Run
    task_diversity: Sequence[float]
    seeds: int
    bar: float
    name: str = "transformer_threshold"

    def with_scan(self, task_diversity: Sequence[float]) -> TransformerThreshold:
        return replace(self, task_diversity=task_diversity)

    def _over(self, task_diversity: Sequence[float]) -> list[Run]:
        return [
            self.run.with_(task_diversity=k, seed=self.run.seed + s) for k in task_diversity for s in range(self.seeds)
        ]

    def calibration(self) -> Mapping[str, Jobs]:
        return {"memory": self.memory, "endless": self._over([math.inf])}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        memory = memories_in(calibrated["memory"])
        clock = predict_transformer_clock(self._over([math.inf]), networks_in(calibrated["endless"]))
        return {
            "clock": clock,
            "threshold": predict_threshold(
                "K*, transformer", clock, memory.trainings, memory.curves, self.run.budget
            ),
        }  # fmt: skip

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": self._over(self.task_diversity)}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        runs = networks_in(trained["networks"])
        accuracy = final(runs)
        threshold = measure_threshold(runs.task_diversity, accuracy)
        k, outcomes = outcome_spread(runs.task_diversity.values, accuracy, threshold.value)
        spread = Estimate(float(np.median(outcomes)), float(outcomes[0]), float(outcomes[-1]))
        label = f"final ICL accuracy at K = {k:g}, transformer: median, least, greatest"
        return [
            compare(predictions["threshold"], threshold, self.bar, self.seeds),
            Comparison(label, None, spread, self.bar, (), self.seeds),
        ]
