"""t_ICL over runs: its predictions, exponent in N, ratios, spread and tail (paper, section 5, figures 6b and 6e)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ..claim import Claim
from ..measure.intervals import fraction
from ..measure.survival import observation_times
from ..measure.tails import TailComparison, compare_tails, fit_censored_power_law, fit_log_normal
from ..measure.times import acquisition_times, geometric_mean, measure_power_law
from ..place import place
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run
from ..values import UNKNOWN_DIFFERENCE, Answer, Value
from .acquisition_methods import EXPONENT, RATIO, SPREAD, AveragedField, PredictedTime, TimeMethod
from .runs import ACCURACY, grid, part_of

TAIL = "ln t_ICL nearer to normal than t_ICL"
ACQUIRING = "fraction acquiring ICL"


@dataclass(frozen=True)
class AcquisitionTime:
    """t_ICL of networks, of the minimal model's its ICL circuit's, by every method.

    Parameters
    ----------
    runs : by label, which becomes part of a file name
    seeds : networks of each, or by label
    bar : factor within which t_ICL, and ratios, must be predicted
    methods : ways to predict t_ICL
    exponents : labels of three runs or more that differ in N, by a word for them
        d ln t_ICL/d ln N over these, beside the slope of the predicted times themselves: 1 for N → ∞ alone.
    exponent_bar : difference within which it must be predicted
    ratios : label of a run, by the label of the one whose t_ICL is divided by it: W_Q and W_K scaled at the start
        (σ_s scales with the square), or m copies of the target (N → N/m, κ → κ/m)
    spread_bar : factor within which the standard deviation of ln t_ICL must be predicted; None judges none
    tail : label of the runs whose distribution is described; "" for none
    fractions : labels of runs of which the fraction that acquires ICL is predicted. With exactly N/2 labels of each
        sign the minimal model has a saddle at β = 0; the transformer's first attention favours the copy of some targets
        and not of others, and the theory makes no prediction.

    Raises
    ------
    ValueError
        If a method has no meaning for the runs.
    """

    runs: Mapping[str, Run]
    seeds: int | Mapping[str, int]
    bar: float
    methods: Sequence[TimeMethod] = (AveragedField(),)
    exponents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exponent_bar: float = 0.03
    ratios: Mapping[str, str] = field(default_factory=dict)
    spread_bar: float | None = None
    tail: str = ""
    fractions: Sequence[str] = ()
    name: str = "acquisition_time"

    def __post_init__(self) -> None:
        for method in self.methods:
            method.check(self.runs)

    def calibration(self) -> Mapping[str, Jobs]:
        return {label: jobs for method in self.methods for label, jobs in method.calibration(self.runs).items()}

    def networks(self) -> Mapping[str, Jobs]:
        seeds = {label: self.seeds if isinstance(self.seeds, int) else self.seeds[label] for label in self.runs}
        return {label: grid(run, seeds[label]) for label, run in self.runs.items()}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        claims = [self._claim(predicted) for method in self.methods for predicted in method.predict(self, calibrated)]
        quantities = [(quantity, self.tail) for quantity in (SPREAD, TAIL) if self.tail]
        for quantity, label in (*quantities, *((ACQUIRING, label) for label in self.fractions)):
            run = self.runs[label]
            claims.append(Claim(quantity, run.network, None, None, part_of(run), at=place(run), data=(label,)))
        return claims

    def _claim(self, time: PredictedTime) -> Claim:
        run, bar = self.runs[time.data[0]], {EXPONENT: self.exponent_bar, SPREAD: self.spread_bar}
        at, scale = place(run), "ratio"
        if time.quantity == EXPONENT:
            at = place(run, context_length=tuple(self.lengths(time.data)), budget=None)
            scale = "difference"
        return time.prediction.claim(
            time.quantity, run.network, bar.get(time.quantity, self.bar), part=part_of(run), method=time.method, at=at,
            scale=scale, data=tuple(time.data),
        )  # fmt: skip

    def lengths(self, labels: Sequence[str]) -> list[int]:
        """N of runs."""
        return [self.runs[label].task.context_length for label in labels]

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value | None:
        runs = [networks_in(trained[label]) for label in claim.data]
        times = [acquisition_times(run, ACCURACY[claim.part]).values for run in runs]
        if claim.quantity == "t_ICL":
            return geometric_mean(times[0], confidence)
        if claim.quantity == RATIO:
            return geometric_mean(times[0], confidence).over(geometric_mean(times[1], confidence))
        if claim.quantity == ACQUIRING:
            return fraction(np.isfinite(times[0]), confidence)
        if claim.quantity == EXPONENT:
            return self._exponent(claim, runs, times, confidence)
        return described(claim.quantity, times[0], observation_times(runs[0]), confidence)

    def _exponent(
        self, claim: Claim, runs: Sequence[xr.Dataset], times: Sequence[np.ndarray], confidence: float
    ) -> Value:
        """Least squares where every network acquires ICL, as the minimal model's circuit must; else with censoring."""
        lengths, every = np.repeat(self.lengths(claim.data), [values.size for values in times]), np.concatenate(times)
        acquired = np.isfinite(every)
        if acquired.all() and acquired.size >= 3:
            return measure_power_law(lengths, every, confidence=confidence)[1]
        if claim.part == "circuit" or np.unique(lengths[acquired]).size < 2 or acquired.sum() < 3:
            return UNKNOWN_DIFFERENCE
        ended = np.concatenate(
            [np.broadcast_to(observation_times(run), values.shape) for run, values in zip(runs, times, strict=True)]
        )
        return fit_censored_power_law(lengths, every, ended, confidence=confidence)


def described(quantity: str, times: np.ndarray, ended: xr.DataArray, confidence: float) -> Value | None:
    """Spread or tail of times, infinite where training ``ended`` before; None of fewer than three finite ones."""
    if np.unique(times[np.isfinite(times)]).size < 3:
        return None
    if quantity == TAIL:
        return answer(compare_tails(times, ended.values, confidence=confidence))
    return fit_log_normal(times, ended.values, confidence=confidence).width


def answer(tail: TailComparison) -> Answer:
    """Whether the logarithms are nearer to normal than the times themselves; None where the test does not decide."""
    return Answer(None if tail.verdict == "undecided" else tail.verdict == "log-normal", "Vuong's test", tail.p_value)
