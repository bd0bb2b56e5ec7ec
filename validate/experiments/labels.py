"""Balanced against i.i.d. context labels: the fraction of initialisations that acquires ICL (paper, figures 6e, A8)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ...theory import Estimate, acquisition_time
from ..compare import Comparison
from ..config import Run
from ..measure import CONFIDENCE, acquisition_times
from ..predict import Prediction
from ..trainer import initial_beta
from .protocol import Jobs, Results, compare, networks_in


@dataclass(frozen=True)
class ContextLabels:
    """Fraction of minimal models with β0 ~ N(0, 1) that acquire ICL within the budget, K → ∞.

    With exactly N/2 labels of each sign there is a saddle at β = 0: β0 > 0 acquires, β0 < 0 never does. The prediction
    is the theory's t_ICL(β0) < budget for the very β0 that the networks start from; it reads no trained network.
    """

    run: Run
    seeds: int
    bar: float
    name: str = "context_labels"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def networks(self) -> Mapping[str, Sequence[Run]]:
        return {
            labels: [self.run.with_(labels=labels, seed=s, beta0=None) for s in range(self.seeds)]
            for labels in ("iid", "balanced")
        }

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        predictions = {}
        for labels, runs in self.networks().items():
            beta0 = np.array([initial_beta(run) for run in runs])
            times = acquisition_time(runs[0].task, beta0, runs[0].w0)
            fraction = float(np.mean(times < self.run.budget))
            inputs = (f"exact field, {labels} labels, N = {self.run.task.context_length}, the networks' own β0",)
            predictions[labels] = Prediction(
                f"fraction acquiring ICL by t = {self.run.budget:g}, {labels}", Estimate.exact(fraction), inputs
            )
        return predictions

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        rows = []
        for labels, prediction in predictions.items():
            times = acquisition_times(networks_in(trained[labels]), "circuit_accuracy").values
            acquired = int(np.isfinite(times).sum())
            interval = stats.binomtest(acquired, times.size).proportion_ci(CONFIDENCE)
            low, high = (min(max(end, 0.0), math.inf) for end in (interval.low, interval.high))
            rows.append(compare(prediction, Estimate(acquired / times.size, low, high), self.bar, self.seeds))
        return rows
