"""t_ICL where a share of the training sequences is fresh, by the race between circuits and by starvation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

from ...theory import Estimate
from ...theory.common.arguments import require
from ...theory.numerics.roots import root
from ..measure.clocks import clock_at
from ..measure.times import geometric_mean
from ..predict.threshold import Prediction, predict_clock, predict_transformer_clock
from ..protocol import Jobs, Trained, memories_in, networks_in
from ..training.config import Run, addresses
from ..training.memory import MemoryTraining
from .acquisition_methods import PredictedTime, TimeMethod, Times
from .runs import grid

_ENDLESS, _SILENT, _ALONE = "endless", "scrambled", "memory"
STARVATION, RACE = "starvation", "race at a share of fresh items"


@dataclass(frozen=True)
class Starvation(TimeMethod):
    """t_ICL at a share f of fresh sequences is t_ICL(K → ∞)/f: what is memorised teaches nothing in context.

    Parameters
    ----------
    endless : for transformers, the run at K → ∞ whose t_ICL is measured with calibration seeds
    endless_seeds : networks of it

    Source: Musat et al., 2607.11875.
    """

    endless: Run | None = None
    endless_seeds: int = 6

    def check(self, runs: Mapping[str, Run]) -> None:
        for run in runs.values():
            require(run.fresh_share > 0, "runs", "have a share of fresh sequences", run.fresh_share)

    def calibration(self, runs: Mapping[str, Run]) -> Mapping[str, Jobs]:
        return {} if self.endless is None else {_ENDLESS: grid(self.endless, self.endless_seeds)}

    def predict(self, settings: Times, calibrated: Trained) -> Iterator[PredictedTime]:
        for label, run in settings.runs.items():
            clock = self._clock(run, calibrated)
            time = clock.estimate.scaled(2 / run.rate_ratio / run.fresh_share)
            yield PredictedTime("t_ICL", (label,), STARVATION, Prediction(time, clock.inputs))

    def _clock(self, run: Run, calibrated: Trained) -> Prediction:
        """I* = r t_ICL(K → ∞)/2."""
        if self.endless is None:
            return predict_clock(run)
        half = predict_transformer_clock(grid(self.endless, self.endless_seeds), networks_in(calibrated[_ENDLESS]))
        return Prediction(half.estimate.scaled(run.rate_ratio), half.inputs)


@dataclass(frozen=True)
class FreshRace(Starvation):
    """J((1 − f) t) + r f t/2 = I*, J the clock of the memory alone (docs/derivation.md, "share of fresh items").

    Parameters
    ----------
    scrambled : for transformers, the run whose memory is measured with scrambled labels, at the K of the runs
    scrambled_seeds : networks of it at each K
    memory : for minimal models, perceptrons trained alone
    """

    scrambled: Run | None = None
    scrambled_seeds: int = 2
    memory: Sequence[MemoryTraining] = ()

    def check(self, runs: Mapping[str, Run]) -> None:
        super().check(runs)
        for run in runs.values():
            equal = self.scrambled is not None or run.rate_ratio == 1
            require(equal, "runs", "have a rate ratio of 1 where perceptrons alone are the memory", run.rate_ratio)

    def calibration(self, runs: Mapping[str, Run]) -> Mapping[str, Jobs]:
        silent = {} if self.scrambled is None else {_SILENT: self._silent(self.scrambled, runs)}
        return {**super().calibration(runs), **silent, **({_ALONE: self.memory} if self.memory else {})}

    def _silent(self, scrambled: Run, runs: Mapping[str, Run]) -> list[Run]:
        diversities = sorted({run.task.task_diversity for run in runs.values()})
        return grid(scrambled.with_(task_diversity=diversities[0]), self.scrambled_seeds, task_diversity=diversities)

    def predict(self, settings: Times, calibrated: Trained) -> Iterator[PredictedTime]:
        for label, run in settings.runs.items():
            clock = self._clock(run, calibrated)
            curves, source = self._memory(settings.runs, run.task.task_diversity, calibrated)
            value, low, high = (
                geometric_mean([race_time(curve, run.fresh_share, reading, run.rate_ratio) for curve in curves])
                for reading in clock.estimate.ends
            )
            if math.isinf(high.value):  # calibration networks at K → ∞ that do not acquire ICL
                prediction = Prediction(Estimate(value.value, low.value, math.inf, value.confidence), clock.inputs)
            else:
                down = math.hypot(math.log(value.value / value.low), math.log(value.value / low.value))
                up = math.hypot(math.log(value.high / value.value), math.log(high.value / value.value))
                ends = value.value * math.exp(-down), value.value * math.exp(up)
                time = Estimate(value.value, *ends, value.confidence)
                prediction = Prediction(time, (*clock.inputs, f"J(t) of {source}"))
            yield PredictedTime("t_ICL", (label,), RACE, prediction)

    def _memory(self, runs: Mapping[str, Run], k: float, calibrated: Trained) -> tuple[Sequence[xr.Dataset], str]:
        """The memory's curves at K, and their addresses."""
        if self.scrambled is not None:
            trained = networks_in(calibrated[_SILENT])
            trained = trained.sel(task_diversity=k) if "task_diversity" in trained.dims else trained
            curves = [trained.sel(seed=s).dropna("time", subset=["clock"]) for s in trained.seed.values]
            return curves, addresses(self._silent(self.scrambled, runs))
        alone = memories_in(calibrated[_ALONE])
        pairs = zip(alone.trainings, alone.curves, strict=True)
        return [curve for training, curve in pairs if training.task_diversity == k], addresses(self.memory)


def race_time(memory: xr.Dataset, share: float, reading: float, rate_ratio: float = 1.0) -> float:
    """t: J((1 − f) t) + r f t/2 = I*, J the clock of a memory alone, whose curves hold its rate ratio r already."""
    if math.isinf(reading):
        return math.inf
    last = 2.0 * reading / (rate_ratio * share)
    lacking = lambda t: clock_at(memory, (1.0 - share) * t) + 0.5 * rate_ratio * share * t - reading  # noqa: E731
    return root(lacking, 0.0, last)
