"""t_ICL of the transformer at K → ∞, and what its rough first attention predicts (paper, figures 6b and 6e)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...theory import Estimate
from ..claim import Claim
from ..measure.intervals import fraction
from ..measure.survival import observation_times
from ..measure.tails import compare_tails, fit_log_normal
from ..measure.times import acquisition_times, geometric_mean, measure_power_law
from ..place import place
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run, addresses
from ..values import UNKNOWN_DIFFERENCE, Answer, Value
from .runs import grid
from .transformer_scores import initial_score_std, rough_acquisition_time

#: Networks whose untrained weights give σ_s.
SCORE_NETWORKS = 8
_SLOPE, _RATIO, _TAIL = "d ln t_ICL/d ln N", "t_ICL ratio", "ln t_ICL nearer to normal than t_ICL"


@dataclass(frozen=True)
class TransformerAcquisition:
    """t_ICL over N from one calibrated point, its exponent, its tail, and what changes it.

    The prediction is the minimal model with every score given a Gaussian term of the width σ_s measured on untrained
    weights, β0 = w0 = 0; without that term it is the theory with flat attention (t_ICL ∝ N). One point:
    t_ICL(N) = t_ICL(N0) t_rough(N)/t_rough(N0), with t_ICL(N0) from seeds of its own (the run's plus 1000).

    Parameters
    ----------
    runs : K → ∞ runs by label, in increasing N
    seeds : networks of each, or by label
    bar : factor within which t_ICL, and ratios, must be predicted
    point : label of N0; "" predicts no times
    slope_bar : difference within which the exponent must be predicted
    ratios : label of a run, by the label of the one whose t_ICL is divided by it: W_Q and W_K scaled at the start
        (σ_s scales with the square), or m copies of the target (N → N/m, κ → κ/m)
    tail : label of the runs whose distribution is described; "" for none
    fractions : labels of runs of which the fraction that acquires ICL is told. With exactly N/2 labels of each sign
        the minimal model has a saddle at β = 0; the transformer's first attention favours the copy of some targets and
        not of others, and the theory says nothing of it.
    rough : whether the networks have one layer, so that σ_s can be read off their untrained weights
    """

    runs: Mapping[str, Run]
    seeds: int | Mapping[str, int]
    bar: float
    point: str = ""
    slope_bar: float = 0.1
    ratios: Mapping[str, str] = field(default_factory=dict)
    tail: str = ""
    fractions: Sequence[str] = ()
    rough: bool = True
    name: str = "transformer_acquisition"

    def _seeds(self, label: str) -> int:
        return self.seeds if isinstance(self.seeds, int) else self.seeds[label]

    def _calibration(self) -> list[Run]:
        run = self.runs[self.point]
        return grid(run.with_(seed=run.seed + 1000), self._seeds(self.point))

    def calibration(self) -> Mapping[str, Jobs]:
        return {"point": self._calibration()} if self.point else {}

    def networks(self) -> Mapping[str, Jobs]:
        return {label: grid(run, self._seeds(label)) for label, run in self.runs.items()}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        claims: list[Claim] = []
        if self.point:
            start = geometric_mean(acquisition_times(networks_in(calibrated["point"])).values)
            claims += self._family("flat attention", Estimate.exact(0.0), ("flat attention",), start)
            if self.rough:
                width = _width(self.runs[self.point])
                seen = (f"σ_s = {width.value:.3f} of {SCORE_NETWORKS} untrained transformers",)
                claims += self._family("rough attention", width, seen, start)
        claims += [self._ratio(label, other) for label, other in self.ratios.items()]
        if self.tail:
            at, data = place(self.runs[self.tail]), (self.tail,)
            claims += [
                Claim(quantity, "transformer", None, None, at=at, data=data) for quantity in ("sd of ln t_ICL", _TAIL)
            ]
        for label in self.fractions:
            at = place(self.runs[label])
            claims.append(Claim("fraction acquiring ICL", "transformer", None, None, at=at, data=(label,)))
        return claims

    def _family(self, kind: str, width: Estimate, inputs: tuple[str, ...], start: Estimate) -> list[Claim]:
        """Exponent and times of the minimal model with scores of the given width."""
        ends = (width.value, width.low, width.high)
        tables = [{label: _theory(run, score_std) for label, run in self.runs.items()} for score_std in ends]
        lengths = [run.task.context_length for run in self.runs.values()]
        slopes = [measure_power_law(lengths, list(table.values()))[1].value for table in tables]
        seen = ("averaged field", *inputs)
        at = place(self.runs[self.point], context_length=tuple(lengths), budget=None)
        exponent = Prediction(Estimate(slopes[0], min(slopes), max(slopes)), seen)
        data = tuple(self.runs)
        claims = [
            exponent.claim(_SLOPE, "transformer", self.slope_bar, method=kind, at=at, scale="difference", data=data)
        ]
        source = f"t_ICL at N = {self.runs[self.point].task.context_length} of {addresses(self._calibration())}"
        for label, run in self.runs.items():
            if label != self.point:
                factors = [table[label] / table[self.point] for table in tables]
                time = Estimate(start.value * factors[0], start.low * min(factors), start.high * max(factors))
                prediction = Prediction(time, (*seen, source))
                claims.append(
                    prediction.claim(
                        "t_ICL", "transformer", self.bar, method=f"one point, {kind}", at=place(run), data=(label,)
                    )
                )
        return claims

    def _ratio(self, label: str, other: str) -> Claim:
        run, plain = self.runs[label], self.runs[other]
        width = _width(plain).value
        scaled = width * (run.attention_scale / plain.attention_scale) ** 2
        ratio = Estimate.exact(_theory(run, scaled) / _theory(plain, width))
        inputs = (f"averaged field, σ_s = {scaled:.2f} against {width:.2f}, untrained transformers",)
        prediction = Prediction(ratio, inputs)
        return prediction.claim(
            _RATIO, "transformer", self.bar, method="rough attention", at=place(run), data=(label, other)
        )

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value | None:
        runs = [networks_in(trained[label]) for label in claim.data]
        times = [acquisition_times(one).values for one in runs]
        if claim.quantity == _SLOPE:
            lengths = [self.runs[label].task.context_length for label in claim.data]
            seen = [(n, t) for n, found in zip(lengths, times, strict=True) for t in found if math.isfinite(t)]
            if len({n for n, _ in seen}) < 2 or len(seen) < 3:
                return UNKNOWN_DIFFERENCE  # no slope of fewer than two N
            return measure_power_law([n for n, _ in seen], [t for _, t in seen], confidence=confidence)[1]
        if claim.quantity == _RATIO:
            return geometric_mean(times[0], confidence).over(geometric_mean(times[1], confidence))
        if claim.quantity == "t_ICL":
            return geometric_mean(times[0], confidence)
        if claim.quantity.startswith("fraction"):
            return fraction(np.isfinite(times[0]), confidence)
        if np.unique(times[0][np.isfinite(times[0])]).size < 3:
            return None
        ended = observation_times(runs[0]).values
        if claim.quantity == _TAIL:
            tail = compare_tails(times[0], ended, confidence=confidence)
            yes = None if tail.verdict == "undecided" else tail.verdict == "log-normal"
            return Answer(yes, "Vuong's test", tail.p_value)
        return fit_log_normal(times[0], ended, confidence=confidence).width


def _width(run: Run) -> Estimate:
    """σ_s of untrained transformers like ``run``."""
    return initial_score_std(grid(run.with_(seed=run.seed + 1000), SCORE_NETWORKS))


def _theory(run: Run, score_std: float) -> float:
    return rough_acquisition_time(replace(run.task, task_diversity=math.inf, score_std=score_std))
