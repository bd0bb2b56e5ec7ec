"""t_ICL where a share of the training sequences is fresh: what the race says, and what starvation says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ...theory import Estimate
from ...theory._arguments import require
from ...theory._numerics.roots import root
from ...theory.reduced_transformer import CORE
from ..claim import Claim
from ..measure.clocks import clock_at
from ..measure.times import acquisition_times, geometric_mean
from ..place import place
from ..predict.reduced import members_of, model_of, solved
from ..predict.threshold import Prediction, predict_clock, predict_transformer_clock
from ..protocol import Jobs, Trained, couplings_in, memories_in, networks_in
from ..training.config import Run, addresses
from ..training.coupling import CouplingTraining
from ..training.memory import MemoryTraining
from ..values import Value
from .runs import grid

_ENDLESS, _SILENT, _ALONE = "endless", "scrambled", "memory"
STARVATION, RACE, REDUCED = "starvation", "race at a share of fresh items", "reduced transformer"


@dataclass(frozen=True)
class FreshShare:
    """t_ICL at a finite K below K*, with a share f of fresh sequences in training.

    - "starvation": t_ICL = t_ICL(K → ∞)/f: what is memorised teaches nothing in context (Musat et al., 2607.11875);
    - "race at a share of fresh items": J((1 − f) t) + f t/2 = I*, J the clock of the memory alone
      (docs/derivation.md, "share of fresh items"), r times as fast where it is;
    - "reduced transformer": the equations with margins s_φ ξ at a share f of the targets, and with couplings of
      perceptrons of which fresh items have the same share.

    Parameters
    ----------
    runs : by label, each with its K and ``fresh_share``
    seeds : networks of each
    bar : factor within which t_ICL must be predicted
    endless : for transformers, the run at K → ∞ whose t_ICL is measured with calibration seeds
    endless_seeds : networks of it
    scrambled : for transformers, the run whose memory is measured with scrambled labels, at the K of ``runs``
    scrambled_seeds : networks of it at each K
    memory : for minimal models, perceptrons trained alone
    coupling : for transformers, perceptrons trained alone with the share of fresh items, by label
    members, draws : starts and sampled contexts of the reduced transformer, for every calibration seed
    """

    runs: Mapping[str, Run]
    seeds: int
    bar: float
    endless: Run | None = None
    endless_seeds: int = 6
    scrambled: Run | None = None
    scrambled_seeds: int = 2
    memory: Sequence[MemoryTraining] = ()
    coupling: Mapping[str, Sequence[CouplingTraining]] = field(default_factory=dict)
    members: int = 6
    draws: int = 1000
    name: str = "fresh_share"

    def __post_init__(self) -> None:
        for run in self.runs.values():
            require(run.fresh_share > 0, "runs", "have a share of fresh sequences", run.fresh_share)
            equal = self.scrambled is not None or run.rate_ratio == 1
            require(equal, "runs", "have a rate ratio of 1 where perceptrons alone are the memory", run.rate_ratio)

    def calibration(self) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {f"coupling_{label}": trainings for label, trainings in self.coupling.items()}
        if self.endless is not None:
            jobs[_ENDLESS] = grid(self.endless, self.endless_seeds)
        if self.scrambled is not None:
            jobs[_SILENT] = self._silent(self.scrambled)
        if self.memory:
            jobs[_ALONE] = self.memory
        return jobs

    def _silent(self, run: Run) -> list[Run]:
        diversities = sorted({one.task.task_diversity for one in self.runs.values()})
        return grid(run.with_(task_diversity=diversities[0]), self.scrambled_seeds, task_diversity=diversities)

    def networks(self) -> Mapping[str, Jobs]:
        return {label: grid(run, self.seeds) for label, run in self.runs.items()}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        claims: list[Claim] = []
        for label, run in self.runs.items():
            clock, ratio = self._clock(run, calibrated), run.rate_ratio
            said = {
                STARVATION: Prediction(clock.estimate.scaled(2 / ratio / run.fresh_share), clock.inputs),
                RACE: self._race(run, clock, calibrated),
            }
            if label in self.coupling:
                said[REDUCED] = self._reduced(label, run, calibrated)
            part = "circuit" if run.network == "minimal" else "whole"
            claims += [
                one.claim("t_ICL", run.network, self.bar, part=part, method=method, at=place(run), data=(label,))
                for method, one in said.items()
            ]
        return claims

    def _clock(self, run: Run, calibrated: Trained) -> Prediction:
        """I* = r t_ICL(K → ∞)/2."""
        if self.endless is None:
            return predict_clock(run)
        half = predict_transformer_clock(grid(self.endless, self.endless_seeds), networks_in(calibrated[_ENDLESS]))
        return Prediction(half.estimate.scaled(run.rate_ratio), half.inputs)

    def _race(self, run: Run, clock: Prediction, calibrated: Trained) -> Prediction:
        k = run.task.task_diversity
        if self.scrambled is not None:
            trained = networks_in(calibrated[_SILENT])
            trained = trained.sel(task_diversity=k) if "task_diversity" in trained.dims else trained
            curves = [trained.sel(seed=s).dropna("time", subset=["clock"]) for s in trained.seed.values]
            source = addresses(self._silent(self.scrambled))
        else:
            alone = memories_in(calibrated[_ALONE])
            pairs = zip(alone.trainings, alone.curves, strict=True)
            curves = [one for training, one in pairs if training.task_diversity == k]
            source = addresses(self.memory)
        at = clock.estimate
        value, low, high = (
            geometric_mean([race_time(one, run.fresh_share, reading, run.rate_ratio) for one in curves])
            for reading in (at.value, at.low, at.high)
        )
        if math.isinf(high.value):  # calibration networks at K → ∞ that do not acquire ICL
            return Prediction(Estimate(value.value, low.value, math.inf, value.confidence), clock.inputs)
        down = math.hypot(math.log(value.value / value.low), math.log(value.value / low.value))
        up = math.hypot(math.log(value.high / value.value), math.log(high.value / value.value))
        estimate = Estimate(value.value, value.value * math.exp(-down), value.value * math.exp(up), value.confidence)
        return Prediction(estimate, (*clock.inputs, f"J(t) of {source}"))

    def _reduced(self, label: str, run: Run, calibrated: Trained) -> Prediction:
        curves = couplings_in(calibrated[f"coupling_{label}"])
        model, k = model_of(run, CORE), np.array([run.task.task_diversity])
        times = [
            float(solved(model, member, k, run.budget, self.draws, {}, stop_acquired=True).time_acquired.item())
            for i, coupling in enumerate(curves.tables())
            for member in members_of(model, [coupling], self.members, i * self.members)
        ]
        inputs = (f"couplings of perceptrons alone with fresh items, {addresses(curves.trainings)}",)
        return Prediction(geometric_mean(times), inputs)

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value | None:
        accuracy = "circuit_accuracy" if claim.part == "circuit" else "icl_accuracy"
        return geometric_mean(acquisition_times(networks_in(trained[claim.data[0]]), accuracy).values, confidence)


def race_time(memory: xr.Dataset, share: float, reading: float, rate_ratio: float = 1.0) -> float:
    """t: J((1 − f) t) + r f t/2 = I*, J the clock of a memory alone, whose curves hold its rate ratio r already."""
    if math.isinf(reading):
        return math.inf
    last = 2.0 * reading / (rate_ratio * share)
    lacking = lambda t: clock_at(memory, (1.0 - share) * t) + 0.5 * rate_ratio * share * t - reading  # noqa: E731
    return root(lacking, 0.0, last)
