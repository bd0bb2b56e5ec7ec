"""Balanced against i.i.d. context labels: the fraction of initialisations that acquires ICL (paper, figures 6e, A8)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...theory import Estimate, clock_at_acquisition
from ..compare import Comparison
from ..config import Run
from ..measure import acquisition_times
from ..memory import MemoryTraining
from ..outcomes import accuracy_at, measure_plateau
from ..predict import Prediction, addresses
from ..trainer import initial_beta
from .protocol import Jobs, Results, compare, memories_in, networks_in

LABELS = ("iid", "balanced")


@dataclass(frozen=True)
class ContextLabels:
    """Fraction of minimal models with β0 ~ N(0, 1) that acquire ICL within the budget, over K.

    With exactly N/2 labels of each sign there is a saddle at β = 0: β0 > 0 acquires, β0 < 0 never does, whatever K.
    A network is predicted to acquire if the memory's clock, measured on perceptrons alone, reaches the reading that
    the very β0 it starts from asks for, I_K(T) > I*(β0); no trained network is read. Of those with β0 < 0 and balanced
    labels, the fraction that ends with w < 0 and β < 0 is predicted to be 1: attention turns away from the copy.

    Parameters
    ----------
    run : the network
    seeds : networks of each K and label statistics
    bar : largest difference of a fraction; at one K
    task_diversity : K, infinity among them
    memory : perceptrons alone, over K; not needed for K → ∞
    pooled_bar : largest difference of the fraction over all finite K
    """

    run: Run
    seeds: int
    bar: float
    task_diversity: Sequence[float] = (math.inf,)
    memory: Sequence[MemoryTraining] = ()
    pooled_bar: float = 0.15
    name: str = "context_labels"

    def calibration(self) -> Mapping[str, Jobs]:
        return {"memory": self.memory} if self.memory else {}

    def _runs(self, labels: str, k: float) -> list[Run]:
        return [
            self.run.with_(labels=labels, task_diversity=k, seed=self.run.seed + s, beta0=None)
            for s in range(self.seeds)
        ]

    @property
    def _finite(self) -> list[float]:
        return [k for k in self.task_diversity if math.isfinite(k)]

    def networks(self) -> Mapping[str, Jobs]:
        endless = {labels: self._runs(labels, math.inf) for labels in LABELS if math.inf in self.task_diversity}
        finite = {
            f"{labels}_finite": [run for k in self._finite for run in self._runs(labels, k)]
            for labels in LABELS
            if self._finite
        }
        return endless | finite

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        predictions: dict[str, Prediction] = {}
        memory = memories_in(calibrated["memory"]) if self.memory else None
        for labels in LABELS:
            runs = self._runs(labels, math.inf)
            asked = clock_at_acquisition(runs[0].task, np.array([initial_beta(run) for run in runs]), self.run.w0)
            inputs = (f"exact field, {labels} labels, N = {self.run.task.context_length}, the networks' own β0",)
            fractions: list[float] = []
            for k in self.task_diversity:
                endless = math.isinf(k)
                assert endless or memory is not None
                reached = self.run.budget / 2 if memory is None else memory.clock_reached(k, self.run.budget)
                fractions.append(float(np.mean(asked < reached)))
                text = f"fraction acquiring ICL by t = {self.run.budget:g}, {labels}"
                seen = inputs if endless else (*inputs, f"I_K(T) of {addresses(self.memory)}")
                name = labels if endless else f"{labels}_{k:g}"
                where = "" if endless else f", K = {k:g}"
                predictions[name] = Prediction(text + where, Estimate.exact(fractions[-1]), seen)
            if self._finite:
                pooled = float(
                    np.mean([f for f, k in zip(fractions, self.task_diversity, strict=True) if k < math.inf])
                )
                inputs = predictions[f"{labels}_{self._finite[0]:g}"].inputs
                text = f"fraction acquiring ICL, {labels}, over {len(self._finite)} finite K"
                predictions[f"{labels}_pooled"] = Prediction(text, Estimate.exact(pooled), inputs)
        turned = "fraction of β0 < 0 that ends with w < 0 and β < 0, balanced"
        predictions["turned_away"] = Prediction(turned, Estimate.exact(1.0), ("saddle at β = 0 (balanced labels)",))
        return predictions

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        rows = []
        for labels in LABELS:
            pooled: list[np.ndarray] = []
            for k in self.task_diversity:
                runs = networks_in(trained[labels if math.isinf(k) else f"{labels}_finite"])
                one = runs.sel(task_diversity=k) if "task_diversity" in runs.dims else runs
                acquired = np.isfinite(acquisition_times(one, "circuit_accuracy").values)
                if math.isfinite(k):
                    pooled.append(acquired)
                name = labels if math.isinf(k) else f"{labels}_{k:g}"
                rows.append(compare(predictions[name], fraction(acquired), self.bar, self.seeds, scale="difference"))
            if pooled:
                measured = fraction(np.concatenate(pooled))
                one = predictions[f"{labels}_pooled"]
                rows.append(compare(one, measured, self.pooled_bar, self.seeds, scale="difference"))
        if math.inf in self.task_diversity:
            measured = fraction(self._turned_away(networks_in(trained["balanced"])))
            rows.append(compare(predictions["turned_away"], measured, self.bar, self.seeds, scale="difference"))
        return rows

    def _turned_away(self, runs: xr.Dataset) -> np.ndarray:
        """Of networks with β0 < 0, whether their last evaluation has w < 0 and β < 0."""
        w, beta = (accuracy_at(runs, self.run.budget, name).values for name in ("w", "beta"))
        return ((w < 0) & (beta < 0))[runs.beta.isel(time=0).values < 0]


def fraction(outcome: np.ndarray) -> Estimate:
    """Fraction of outcomes that are true, with Wilson's interval; nothing is known of none."""
    if outcome.size == 0:
        return Estimate(0.5, 0.0, 1.0)
    return measure_plateau(np.ones(outcome.size), outcome).fraction
