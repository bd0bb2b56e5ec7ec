"""What context statistics do to the transformer: copies of the target, and balanced labels (paper, figure 6e)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import CONFIDENCE, acquisition_times, geometric_mean
from ..predict import Prediction
from .protocol import Jobs, Results, compare, networks_in
from .transformer_acquisition import SCORE_NETWORKS, ratio_of
from .transformer_clocks import seeded
from .transformer_scores import initial_score_std, rough_acquisition_time


@dataclass(frozen=True)
class TransformerStatistics:
    """t_ICL at K → ∞ with m copies of the target over t_ICL with one, and the fraction that acquires balanced contexts.

    The ratio is that of the minimal model with rough attention of the untrained transformers' width: N → N/m and
    κ → κ/m there. With exactly N/2 labels of each sign the minimal model has a saddle at β = 0; the transformer's first
    attention favours the copy of some targets and not of others, and the theory says nothing of it: it is reported.

    Parameters
    ----------
    run : K → ∞, one copy, i.i.d. labels; N even for balanced ones
    copies : m, each in [2, N/2]
    seeds : networks of each kind
    bar : factor within which the ratio must be predicted
    """

    run: Run
    copies: Sequence[int]
    seeds: int
    bar: float
    name: str = "transformer_statistics"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        width = initial_score_std(seeded(self.run.with_(seed=self.run.seed + 1000), SCORE_NETWORKS)).value
        task = replace(self.run.task, task_diversity=math.inf, score_std=width)
        one, said = rough_acquisition_time(task), {}
        inputs = (f"averaged field, σ_s = {width:.2f} of {SCORE_NETWORKS} untrained transformers",)
        for m in self.copies:
            ratio = rough_acquisition_time(replace(task, copies=m)) / one
            quantity = f"t_ICL with {m} copies over one, transformer, N = {task.context_length}"
            said[f"copies{m}"] = Prediction(quantity, Estimate.exact(ratio), inputs)
        return said

    def networks(self) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {f"copies{m}": seeded(self.run.with_(copies=m), self.seeds) for m in (1, *self.copies)}
        return jobs | {"balanced": seeded(self.run.with_(labels="balanced"), self.seeds)}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        times = {label: acquisition_times(networks_in(runs)).values for label, runs in trained.items()}
        one = geometric_mean(times["copies1"])
        rows = [
            compare(prediction, ratio_of(geometric_mean(times[label]), one), self.bar, self.seeds)
            for label, prediction in predictions.items()
        ]
        acquired = int(np.isfinite(times["balanced"]).sum())
        interval = stats.binomtest(acquired, self.seeds).proportion_ci(CONFIDENCE, method="wilson")
        value = acquired / self.seeds
        fraction = Estimate(value, min(value, float(interval.low)), max(value, float(interval.high)))
        label = f"fraction acquiring ICL by t = {self.run.budget:g}, transformer, balanced contexts"
        return [*rows, Comparison(label, None, fraction, self.bar, (), self.seeds)]
