"""Ways to predict t_ICL: from the averaged field, from one measured point, from one copy (docs/derivation.md)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ...theory import Estimate, acquisition_time
from ..measure.times import acquisition_times, geometric_mean, measure_power_law
from ..predict.threshold import Prediction, predict_acquisition
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run, addresses
from .runs import grid
from .transformer_scores import initial_score_std, rough_acquisition_time

EXPONENT, RATIO, SPREAD = "d ln t_ICL/d ln N", "t_ICL ratio", "sd of ln t_ICL"
#: Networks whose untrained weights give σ_s.
SCORE_NETWORKS = 8


@dataclass(frozen=True)
class PredictedTime:
    """``quantity`` of the runs labelled ``data``, by ``method``: t_ICL, its spread, its exponent in N, or a ratio."""

    quantity: str
    data: Sequence[str]
    method: str
    prediction: Prediction


class Times(Protocol):
    """The settings of :class:`AcquisitionTime`."""

    @property
    def runs(self) -> Mapping[str, Run]: ...
    @property
    def exponents(self) -> Mapping[str, Sequence[str]]: ...
    @property
    def ratios(self) -> Mapping[str, str]: ...

    def lengths(self, labels: Sequence[str]) -> list[int]: ...


@dataclass(frozen=True)
class TimeMethod:
    """A way to predict t_ICL. Calibration runs of equal labels are trained once for all methods."""

    def check(self, runs: Mapping[str, Run]) -> None:
        """``ValueError`` for runs that the method does not cover."""

    def calibration(self, runs: Mapping[str, Run]) -> Mapping[str, Jobs]:
        return {}

    def predict(self, settings: Times, calibrated: Trained) -> Iterator[PredictedTime]:
        raise NotImplementedError


@dataclass(frozen=True)
class AveragedField(TimeMethod):
    """The averaged field at K → ∞, and the slope of its own times in N: no network, no fit."""

    name: str = "averaged field"

    def predict(self, settings: Times, calibrated: Trained) -> Iterator[PredictedTime]:
        times = {label: predict_acquisition(run) for label, run in settings.runs.items()}
        for label, prediction in times.items():
            yield PredictedTime("t_ICL", (label,), self.name, prediction)
        for labels in settings.exponents.values():
            logs = np.log([times[label].estimate.value for label in labels])
            slope = Estimate.exact(float(np.polyfit(np.log(settings.lengths(labels)), logs, 1)[0]))
            inputs = [entry for label in labels for entry in times[label].inputs]
            yield PredictedTime(EXPONENT, labels, self.name, Prediction(slope, inputs))


@dataclass(frozen=True)
class FromPoint(TimeMethod):
    """t_ICL over N at K → ∞ from one calibrated point, and its exponent: t_ICL(N) = t_ICL(N0) t(N)/t(N0).

    t(N) is that of the minimal model from w0 = β0 = 0: with flat attention (t_ICL ∝ N), or with every score given a
    Gaussian term of the width σ_s that untrained weights have. t_ICL(N0) comes from seeds of its own, the run's plus
    1000.

    Parameters
    ----------
    point : label of N0
    seeds : networks of it
    rough : whether the scores are rough; for networks of one layer, whose σ_s can be read off their weights
    """

    point: str
    seeds: int
    rough: bool = False

    def _runs(self, runs: Mapping[str, Run]) -> list[Run]:
        run = runs[self.point]
        return grid(run.with_(seed=run.seed + 1000), self.seeds)

    def calibration(self, runs: Mapping[str, Run]) -> Mapping[str, Jobs]:
        return {"point": self._runs(runs)}

    def predict(self, settings: Times, calibrated: Trained) -> Iterator[PredictedTime]:
        point, kind = settings.runs[self.point], "rough attention" if self.rough else "flat attention"
        width, source = Estimate.exact(0.0), kind
        if self.rough:
            width = score_width(point)
            source = f"σ_s = {width.value:.3f} of {SCORE_NETWORKS} untrained transformers"
        start = geometric_mean(acquisition_times(networks_in(calibrated["point"])).values)
        tables = [{label: _rough_time(run, std) for label, run in settings.runs.items()} for std in width.ends]
        for labels in settings.exponents.values():
            lengths = settings.lengths(labels)
            slopes = [measure_power_law(lengths, [table[label] for label in labels])[1].value for table in tables]
            exponent = Prediction(Estimate(slopes[0], min(slopes), max(slopes)), ("averaged field", source))
            yield PredictedTime(EXPONENT, labels, kind, exponent)
        measured = f"t_ICL at N = {point.task.context_length} of {addresses(self._runs(settings.runs))}"
        for label in settings.runs:
            if label != self.point:
                factors = [table[label] / table[self.point] for table in tables]
                time = Estimate(start.value * factors[0], start.low * min(factors), start.high * max(factors))
                prediction = Prediction(time, ("averaged field", source, measured))
                yield PredictedTime("t_ICL", (label,), f"one point, {kind}", prediction)


@dataclass(frozen=True)
class RoughRatio(TimeMethod):
    """Predicts the ratios, with scores as rough as those of untrained transformers."""

    def predict(self, settings: Times, calibrated: Trained) -> Iterator[PredictedTime]:
        for label, other in settings.ratios.items():
            run, plain = settings.runs[label], settings.runs[other]
            width = score_width(plain).value
            scaled = width * (run.attention_scale / plain.attention_scale) ** 2
            ratio = Estimate.exact(_rough_time(run, scaled) / _rough_time(plain, width))
            inputs = (f"averaged field, σ_s = {scaled:.2f} against {width:.2f}, untrained transformers",)
            yield PredictedTime(RATIO, (label, other), "rough attention", Prediction(ratio, inputs))


@dataclass(frozen=True)
class FromOneCopy(TimeMethod):
    """t_ICL with m copies of the target at K → ∞, from that with one, by two laws.

    - "sparse attention, from one copy": t(m) = t(1)/m (Zucchet et al., 2505.17863);
    - "averaged field, from one copy": t(m)/t(1) is that of the minimal model with w0 = β0 = 0, where m copies act as a
      context m times shorter with a drag m times smaller.

    Parameters
    ----------
    single : with one copy; networks with calibration seeds tell t(1)
    seeds : how many
    """

    single: Run
    seeds: int = 6

    def calibration(self, runs: Mapping[str, Run]) -> Mapping[str, Jobs]:
        return {"one_copy": grid(self.single, self.seeds)}

    def predict(self, settings: Times, calibrated: Trained) -> Iterator[PredictedTime]:
        start = geometric_mean(acquisition_times(networks_in(calibrated["one_copy"])).values)
        inputs = (f"t_ICL at one copy of {addresses(grid(self.single, self.seeds))}",)
        for label, run in settings.runs.items():
            for method, factor in (("sparse attention", 1 / run.task.copies), ("averaged field", field_ratio(run))):
                prediction = Prediction(start.scaled(factor), inputs)
                yield PredictedTime("t_ICL", (label,), f"{method}, from one copy", prediction)


def field_ratio(run: Run) -> float:
    """t_ICL(m)/t_ICL(1) of the minimal model's averaged field at the run's N and D, from w0 = β0 = 0."""
    many = replace(run.task, target_in_softmax=False)
    return float(acquisition_time(many, 0.0) / acquisition_time(replace(many, copies=1), 0.0))


def score_width(run: Run) -> Estimate:
    """σ_s of untrained transformers like ``run``."""
    return initial_score_std(grid(run.with_(seed=run.seed + 1000), SCORE_NETWORKS))


def _rough_time(run: Run, score_std: float) -> float:
    return rough_acquisition_time(replace(run.task, task_diversity=math.inf, score_std=score_std))
