"""t_ICL of the transformer against context length at K → ∞, and what its rough first attention predicts (figure 6b)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import acquisition_times, geometric_mean, measure_power_law
from ..predict import Prediction, addresses
from ..survival import compare_tails, fit_log_normal, observation_times
from .protocol import Jobs, Results, compare, networks_in
from .transformer_clocks import seeded
from .transformer_scores import initial_score_std, rough_acquisition_time

#: Networks whose untrained weights give σ_s.
SCORE_NETWORKS = 8


@dataclass(frozen=True)
class TransformerAcquisition:
    """The exponent of t_ICL in N, t_ICL(N) from one calibrated point, and its tail.

    The prediction is the minimal model with every score given a Gaussian term of the width σ_s measured on untrained
    weights, β0 = w0 = 0; without that term it is the theory with flat attention (t_ICL ∝ N). One point:
    t_ICL(N) = t_ICL(N0) t_rough(N)/t_rough(N0), with t_ICL(N0) from seeds of its own (the run's plus 1000).

    Parameters
    ----------
    runs : K → ∞ runs by label, in increasing N; they differ in N and in how long and how often is looked
    seeds : networks by label
    point : label of N0
    tail : label of the runs whose distribution is described; "" for none
    slope_bar : difference within which the exponent must be predicted
    bar : factor within which t_ICL must be
    rough : whether the networks have one layer, so that σ_s can be read off their untrained weights
    """

    runs: Mapping[str, Run]
    seeds: Mapping[str, int]
    point: str
    slope_bar: float
    bar: float
    tail: str = ""
    rough: bool = True
    name: str = "transformer_acquisition"

    def _calibration(self) -> list[Run]:
        run = self.runs[self.point]
        return seeded(run.with_(seed=run.seed + 1000), self.seeds[self.point])

    def calibration(self) -> Mapping[str, Jobs]:
        return {"point": self._calibration()}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        start = geometric_mean(acquisition_times(networks_in(calibrated["point"])).values)
        source = f"measured t_ICL at N = {self._length(self.point)} of {addresses(self._calibration())}"
        said = self._family("flat", Estimate.exact(0.0), ("flat attention",), start, source)
        if self.rough:
            run = self.runs[self.point]
            width = initial_score_std(seeded(run.with_(seed=run.seed + 1000), SCORE_NETWORKS))
            label = f"σ_s = {width.value:.3f} of {SCORE_NETWORKS} untrained transformers"
            said |= self._family("rough", width, (label,), start, source)
        return said

    def _family(
        self, kind: str, width: Estimate, inputs: tuple[str, ...], start: Estimate, source: str
    ) -> dict[str, Prediction]:
        """Exponent and times of the minimal model with scores of the given width."""
        ends = (width.value, width.low, width.high)
        tables = [{label: self._theory(run, score_std) for label, run in self.runs.items()} for score_std in ends]
        lengths = [self._length(label) for label in self.runs]
        slopes = [measure_power_law(lengths, list(table.values()))[1].value for table in tables]
        said = {
            f"slope_{kind}": Prediction(
                f"exponent of t_ICL in N, {self.name}, {kind} attention",
                Estimate(slopes[0], min(slopes), max(slopes)), ("averaged field", *inputs),
            )
        }  # fmt: skip
        for label in self.runs:
            if label != self.point:
                factors = [table[label] / table[self.point] for table in tables]
                low, high = start.low * min(factors), start.high * max(factors)
                quantity = f"t_ICL, {self.name}, N = {self._length(label)}, {kind} attention and one point"
                estimate = Estimate(start.value * factors[0], low, high)
                said[f"{kind}_{label}"] = Prediction(quantity, estimate, ("averaged field", *inputs, source))
        return said

    @staticmethod
    def _theory(run: Run, score_std: float) -> float:
        return rough_acquisition_time(replace(run.task, task_diversity=math.inf, score_std=score_std))

    def _length(self, label: str) -> int:
        return self.runs[label].task.context_length

    def networks(self) -> Mapping[str, Jobs]:
        return {label: seeded(run, self.seeds[label]) for label, run in self.runs.items()}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        times = {label: acquisition_times(networks_in(trained[label])).values for label in self.runs}
        seen = [(self._length(label), t) for label, values in times.items() for t in values if math.isfinite(t)]
        slope = Estimate(0.0, -math.inf, math.inf)  # nothing is said unless two N or more acquire
        if len({n for n, _ in seen}) >= 2 and len(seen) >= 3:
            _, slope = measure_power_law([n for n, _ in seen], [t for _, t in seen])
        rows = []
        for name, prediction in predictions.items():
            kind, label = name.split("_", 1)
            if kind == "slope":
                rows.append(compare(prediction, slope, self.slope_bar, min(self.seeds.values()), scale="difference"))
            else:
                rows.append(compare(prediction, geometric_mean(times[label]), self.bar, self.seeds[label]))
        return rows + (self._describe_tail(networks_in(trained[self.tail])) if self.tail else [])

    def _describe_tail(self, runs: xr.Dataset) -> list[Comparison]:
        """Width of ln t_ICL, and which law its tail follows; the theory gives the transformer no width."""
        times, ended = acquisition_times(runs).values, observation_times(runs).values
        if np.unique(times[np.isfinite(times)]).size < 3:
            return []
        width, tail = fit_log_normal(times, ended).width, compare_tails(times, ended)
        found = f"{times.size} networks; tail {tail.verdict}, p = {tail.p_value:.2g}"
        label = f"sd of ln t_ICL, {self.name}, N = {self._length(self.tail)} ({found})"
        return [Comparison(label, None, width, self.bar, (), times.size)]


@dataclass(frozen=True)
class AttentionControl:
    """t_ICL with W_Q and W_K scaled at the start, over t_ICL without, at every N: the smaller σ_s predicts the ratio.

    Parameters
    ----------
    runs : K → ∞ runs by label
    seeds : networks of each kind
    scale : factor on W_Q and W_K
    bar : factor within which the ratio must be predicted
    """

    runs: Mapping[str, Run]
    seeds: int
    scale: float
    bar: float
    name: str = "attention_control"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        said = {}
        for label, run in self.runs.items():
            width = initial_score_std(seeded(run.with_(seed=run.seed + 1000), SCORE_NETWORKS))
            smaller = self.scale**2 * width.value
            plain, scaled = (
                rough_acquisition_time(replace(run.task, task_diversity=math.inf, score_std=score_std))
                for score_std in (width.value, smaller)
            )
            quantity = f"t_ICL with W_Q, W_K × {self.scale:g} over t_ICL, transformer, N = {run.task.context_length}"
            inputs = (f"averaged field, σ_s = {smaller:.2f} against {width.value:.2f}, untrained transformers",)
            said[label] = Prediction(quantity, Estimate.exact(scaled / plain), inputs)
        return said

    def networks(self) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {}
        for label, run in self.runs.items():
            jobs[f"plain_{label}"] = seeded(run, self.seeds)
            jobs[f"scaled_{label}"] = seeded(run.with_(attention_scale=self.scale), self.seeds)
        return jobs

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        rows = []
        for label, prediction in predictions.items():
            plain, scaled = (
                geometric_mean(acquisition_times(networks_in(trained[f"{kind}_{label}"])).values)
                for kind in ("plain", "scaled")
            )
            rows.append(compare(prediction, ratio_of(scaled, plain), self.bar, self.seeds))
        return rows


def ratio_of(a: Estimate, b: Estimate) -> Estimate:
    """a/b of two independent positive estimates; relative errors in quadrature."""
    if min(a.low, b.low) <= 0 or math.isinf(max(a.high, b.high)):
        return Estimate(a.value / b.value if 0 < b.value < math.inf else math.inf, 0.0, math.inf)
    value = a.value / b.value
    down = math.hypot(math.log(a.value / a.low), math.log(b.high / b.value))
    up = math.hypot(math.log(a.high / a.value), math.log(b.value / b.low))
    return Estimate(value, value * math.exp(-down), value * math.exp(up))
