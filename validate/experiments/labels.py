"""Balanced against i.i.d. context labels: the fraction of initialisations that acquires ICL (paper, figures 6e, A8)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ...theory import Estimate, clock_at_acquisition
from ..claim import Claim
from ..measure.bimodality import accuracy_at
from ..measure.clocks import MemoryCurves
from ..measure.intervals import fraction
from ..measure.times import acquisition_times
from ..place import At, place
from ..protocol import Jobs, Trained, memories_in, networks_in
from ..training.config import Run, addresses
from ..training.memory import MemoryTraining
from ..training.starts import initial_beta
from ..values import Value
from .runs import grid

LABELS = ("iid", "balanced")
_ACQUIRING = "fraction acquiring ICL"
_TURNED = "fraction of β0 < 0 that ends with w < 0 and β < 0"


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
        return grid(self.run.with_(labels=labels, task_diversity=k, beta0=None), self.seeds)

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

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        memory = memories_in(calibrated["memory"]) if self.memory else None
        claims = [claim for labels in LABELS for claim in self._fractions(labels, memory)]
        if math.inf in self.task_diversity:
            at = place(self._runs("balanced", math.inf)[0])
            inputs = ("saddle at β = 0 (balanced labels)",)
            turned = Claim(
                _TURNED, "minimal", Estimate.exact(1.0), self.bar, "circuit", "saddle", at, "difference", inputs
            )
            claims.append(replace(turned, data=("balanced",)))
        return claims

    def _fractions(self, labels: str, memory: MemoryCurves | None) -> list[Claim]:
        """The fraction that acquires ICL, at every K and over all finite ones."""
        runs = self._runs(labels, math.inf)
        needed = clock_at_acquisition(runs[0].task, np.array([initial_beta(run) for run in runs]), self.run.w0)
        exact = (f"exact field, {labels} labels, N = {self.run.task.context_length}, the networks' own β0",)
        finite = (*exact, f"I_K(T) of {addresses(self.memory)}")
        fractions: dict[float, float] = {}
        for k in self.task_diversity:
            reached = self.run.budget / 2 if memory is None else memory.clock_reached(k, self.run.budget)
            fractions[k] = float(np.mean(needed < reached))
        predicted: list[tuple[At, float, float]] = [(k, value, self.bar) for k, value in fractions.items()]
        if self._finite:
            pooled = float(np.mean([fractions[k] for k in self._finite]))
            predicted.append((tuple(self._finite), pooled, self.pooled_bar))
        return [
            Claim(
                _ACQUIRING, "minimal", Estimate.exact(value), bar, "circuit", "clock of the own β0",
                place(runs[0], task_diversity=k), "difference", exact if k == math.inf else finite,
                (labels if k == math.inf else f"{labels}_finite",),
            )
            for k, value, bar in predicted
        ]  # fmt: skip

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        runs, k = networks_in(trained[claim.data[0]]), claim.at["task_diversity"]
        if claim.quantity == _TURNED:
            return fraction(self._turned_away(runs), confidence)
        if "task_diversity" in runs.dims:
            runs = runs.sel(task_diversity=list(k) if isinstance(k, tuple) else k)
        return fraction(np.isfinite(acquisition_times(runs, "circuit_accuracy").values), confidence)

    def _turned_away(self, runs: xr.Dataset) -> np.ndarray:
        """Of networks with β0 < 0, whether their last evaluation has w < 0 and β < 0."""
        w, beta = (accuracy_at(runs, self.run.budget, name).values for name in ("w", "beta"))
        return ((w < 0) & (beta < 0))[runs.beta.isel(time=0).values < 0]
