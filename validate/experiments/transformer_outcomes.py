"""Two kinds of outcome near K*, one far from it: t_ICL and final accuracies of many transformers (paper, figure 6c)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import acquisition_times, measure_threshold
from ..outcomes import accuracy_at, measure_bimodality
from ..predict import Prediction, addresses
from ..training import final
from .protocol import Jobs, Results, answer, networks_in
from .transformer_clocks import seeded

#: The outcomes count as two kinds below this p-value of Hartigan's dip.
SIGNIFICANCE = 0.01


@dataclass(frozen=True)
class TransformerOutcomes:
    """Hartigan's dip of t_ICL, and of the final ICL accuracies, at K* and far from it, on both sides.

    Of t_ICL as the paper shows it: a run that never acquires ICL stands at the budget.

    K* comes from a scan with seeds of its own; of ``near``, the K nearest to it decides. Networks
    are trained to the end of the budget, whether or not they acquire ICL: stopping at acquisition would gather the
    accuracies of all that do.

    Parameters
    ----------
    run : the transformer
    scan : the same transformer as it is trained in the scan for K*: it may stop early, and starts at another seed
    task_diversity, scan_seeds : that scan
    near, far : K of the test
    seeds, far_seeds : networks at each of them
    """

    run: Run
    scan: Run
    task_diversity: Sequence[float]
    scan_seeds: int
    near: Sequence[int]
    far: Sequence[int]
    seeds: int
    far_seeds: int
    name: str = "transformer_outcomes"

    def _scan(self) -> list[Run]:
        return seeded(self.scan, self.scan_seeds, self.task_diversity)

    def calibration(self) -> Mapping[str, Jobs]:
        return {"scan": self._scan()}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        runs = networks_in(calibrated["scan"])
        threshold = measure_threshold(runs.task_diversity, final(runs))
        return {"threshold": Prediction("K* of other seeds", threshold, (f"K* of {addresses(self._scan())}",))}

    def networks(self) -> Mapping[str, Jobs]:
        jobs = {f"k{k}": seeded(self.run.with_(task_diversity=k), self.seeds) for k in self.near}
        return jobs | {f"k{k}": seeded(self.run.with_(task_diversity=k), self.far_seeds) for k in self.far}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        threshold = predictions["threshold"].estimate.value
        nearest = min(self.near, key=lambda k: abs(np.log(k / threshold)))
        rows = []
        for k in sorted((*self.near, *self.far)):
            runs = networks_in(trained[f"k{k}"])
            tested = k == nearest or k in self.far
            for name, samples in (
                ("t_ICL, the budget where never acquired", censored_times(runs, self.run.budget)),
                ("final ICL accuracies", accuracy_at(runs, self.run.budget).values),
            ):
                quantity = f"{name}, transformer, K = {k}"
                rows += _rows(quantity, samples, predictions["threshold"], k == nearest if tested else None)
        return rows


def censored_times(runs: xr.Dataset, budget: float) -> np.ndarray:
    """t_ICL of every run; one that never acquires ICL stands at the budget, as in the paper."""
    times = acquisition_times(runs).values
    return np.where(np.isfinite(times), times, budget)


def _rows(quantity: str, samples: np.ndarray, threshold: Prediction, expected: bool | None) -> list[Comparison]:
    """Whether there are two kinds (unless nothing is expected), the dip's p-value, and the modes."""
    found, size = measure_bimodality(samples), samples.size
    rows = []
    if expected is not None:
        question = f"{quantity}: two kinds (dip, p < {SIGNIFICANCE})"
        rows.append(answer(question, found.p_value < SIGNIFICANCE, size, threshold.inputs, expected=expected))
    rows.append(Comparison(f"{quantity}: p of the dip", None, Estimate.exact(found.p_value), 1.25, (), size))
    low, high = found.means
    label = f"{quantity}: fraction nearer to the upper mode (modes {low:.3g}, {high:.3g})"
    return [*rows, Comparison(label, None, found.upper, 1.25, (), size)]
