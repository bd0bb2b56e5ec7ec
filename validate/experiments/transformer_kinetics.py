"""Kinetics or capacity, in the transformer: K* under interventions that change its rates and none of its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import measure_power_law, measure_threshold
from ..predict import Prediction, addresses, predict_transformer_clock
from ..training import final
from .protocol import Jobs, Results, answer, compare, networks_in, slope
from .transformer_clocks import clocks_of_networks, seeded
from .transformer_scaling import Scan, carried

_CAPACITY = "capacity: the same parameters hold as much at any rate"


@dataclass(frozen=True)
class TransformerKinetics:
    """K* = K*(plain) (I*/I*(plain))^{1/ν}: the memory's clock must reach I* = r t_ICL/2, of which it passes A K^ν.

    r is the learning rate of the perceptron over that of the attention. Two predictions for every intervention: with
    t_ICL(K → ∞) measured under it, and, where r is changed, with the plain t_ICL, as if the perceptron had no part in
    ICL: then K* = K*(plain) r^{1/ν}. A capacity would leave K* where it is; whether the slopes d ln K*/d ln I* and
    d ln K*/d ln r exclude 0 are rows of their own.

    Parameters
    ----------
    scans : by label; runs that differ in ``rate_ratio``, or in ``attention_scale``, with equal steps of the memory
    plain : label of the scan from which the others are predicted, with networks of other seeds
    seeds, memory_seeds, endless_seeds : networks at each K, scrambled plain ones that give ν, and at K → ∞
    bar : factor within which K* must be predicted
    slope_bar : difference within which the slopes must be
    """

    scans: Mapping[str, Scan]
    plain: str
    seeds: int
    memory_seeds: int
    endless_seeds: int
    bar: float
    slope_bar: float
    name: str = "transformer_kinetics"

    def _point(self) -> list[Run]:
        """The plain scan with seeds of its own."""
        return seeded(self.scans[self.plain].calibration, self.seeds, self.scans[self.plain].task_diversity)

    def calibration(self) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {
            f"endless_{label}": one.endless(self.endless_seeds) for label, one in self.scans.items()
        }
        return jobs | {"scrambled": self.scans[self.plain].scrambled(self.memory_seeds), "point": self._point()}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        said = {f"clock_{one}": self._clock(one, networks_in(calibrated[f"endless_{one}"])) for one in self.scans}
        scrambled, point = (networks_in(calibrated[name]) for name in ("scrambled", "point"))
        memory = clocks_of_networks(self.scans[self.plain].scrambled(self.memory_seeds), scrambled)
        _, exponent = measure_power_law(memory.task_diversity.values, memory.clock.values)
        inverse = Estimate(1 / exponent.value, 1 / exponent.high, 1 / exponent.low if exponent.low > 0 else math.inf)
        inputs = (f"ν of scrambled transformers {memory.attrs['runs']}", f"plain K* of {addresses(self._point())}")
        start = measure_threshold(point.task_diversity, final(point))
        for label, scan in self.scans.items():
            clock, ratio = said[f"clock_{label}"], scan.run.rate_ratio
            with np.errstate(divide="ignore"):  # infinite or nan where no network acquires
                gain = np.log(clock.estimate.value / said[f"clock_{self.plain}"].estimate.value)
            words = f"K*, transformer, {label}, from the plain K* and"
            there = carried(start, inverse, float(gain))
            said[f"point_{label}"] = Prediction(f"{words} I*", there, (*inputs, *clock.inputs))
            if ratio != 1.0:
                there = carried(start, inverse, math.log(ratio))
                said[f"ratio_{label}"] = Prediction(f"{words} r", there, inputs)
        for variable in ("I*", "r"):
            quantity = f"d ln K*/d ln {variable}, transformer: 1/ν"
            said[f"slope_{variable}"] = Prediction(quantity, inverse, inputs[:1])
        return said

    def _clock(self, label: str, endless: xr.Dataset) -> Prediction:
        """I* = r t_ICL/2."""
        scan = self.scans[label]
        clock, ratio = predict_transformer_clock(scan.endless(self.endless_seeds), endless), scan.run.rate_ratio
        at = clock.estimate
        scaled = Estimate(ratio * at.value, ratio * at.low, ratio * at.high, at.confidence)
        return Prediction(f"{clock.quantity}, {label}", scaled, clock.inputs)

    def networks(self) -> Mapping[str, Jobs]:
        return {label: seeded(scan.run, self.seeds, scan.task_diversity) for label, scan in self.scans.items()}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        found: dict[str, Estimate] = {}
        rows: list[Comparison] = []
        for label in self.scans:
            runs = networks_in(trained[label])
            found[label] = measure_threshold(runs.task_diversity, final(runs))
            for kind in ("point", "ratio"):
                if f"{kind}_{label}" in predictions:
                    rows.append(compare(predictions[f"{kind}_{label}"], found[label], self.bar, self.seeds))
        clocks = {label: predictions[f"clock_{label}"].estimate.value for label in self.scans}
        # Of r, only the scans in which nothing else is changed.
        ratios = {label: scan.run.rate_ratio for label, scan in self.scans.items() if f"ratio_{label}" in predictions}
        for variable, at in (("I*", clocks), ("r", ratios | {self.plain: 1.0})):
            rows += self._slope(
                variable, predictions[f"slope_{variable}"], slope(list(at.values()), [found[x] for x in at])
            )
        return rows

    def _slope(self, variable: str, predicted: Prediction, measured: Estimate) -> list[Comparison]:
        """The slope beside the predicted one, and whether it excludes that of a capacity."""
        # Its interval may be so wide that it excludes neither: then nothing is said.
        blind = measured.contains(predicted.estimate.value)
        excluded = None if measured.contains(0.0) and blind else not measured.contains(0.0)
        question = f"d ln K*/d ln {variable}, transformer, excludes 0 ({_CAPACITY})"
        return [
            compare(predicted, measured, self.slope_bar, self.seeds, scale="difference"),
            answer(question, excluded, self.seeds, ("the measured slope's interval",)),
        ]
