"""Kinetics or capacity, in the transformer: K* against the learning rate of its perceptron (paper, section 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import measure_power_law, measure_threshold
from ..predict import Prediction, addresses
from ..training import final
from .protocol import Jobs, Results, answer, compare, networks_in, slope
from .transformer_clocks import clocks_of_networks, seeded
from .transformer_scaling import Scan, carried


@dataclass(frozen=True)
class TransformerKinetics:
    """K*(r) = K*(1) r^{1/ν}: the perceptron learns r times as fast as the attention, with the same parameters.

    The memory must reach r I* on its own clock, of which it passes I_K = A K^ν in all. A capacity would leave K* where
    it is: whether the measured slope d ln K*/d ln r excludes 0 is a row of its own.

    Parameters
    ----------
    scans : by r, 1 among them; runs with ``rate_ratio`` r whose memory takes equal steps
    seeds : networks at each K
    memory_seeds : scrambled transformers at each K, r = 1, that give ν
    bar : factor within which K*(r) must be predicted
    slope_bar : difference within which d ln K*/d ln r must be
    """

    scans: Mapping[float, Scan]
    seeds: int
    memory_seeds: int
    bar: float
    slope_bar: float
    name: str = "transformer_kinetics"

    def calibration(self) -> Mapping[str, Jobs]:
        return {"scrambled": self.scans[1.0].scrambled(self.memory_seeds), "point": self._point()}

    def _point(self) -> list[Run]:
        """The scan at r = 1 with seeds of its own."""
        return seeded(self.scans[1.0].calibration, self.seeds, self.scans[1.0].task_diversity)

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        even, point = self.scans[1.0], networks_in(calibrated["point"])
        memory = clocks_of_networks(even.scrambled(self.memory_seeds), networks_in(calibrated["scrambled"]))
        _, exponent = measure_power_law(memory.task_diversity.values, memory.clock.values)
        inverse = Estimate(1 / exponent.value, 1 / exponent.high, 1 / exponent.low if exponent.low > 0 else math.inf)
        inputs = (f"ν of scrambled transformers {memory.attrs['runs']}",)
        start = measure_threshold(point.task_diversity, final(point))
        said = {"slope": Prediction("d ln K*/d ln r, transformer: 1/ν", inverse, inputs)}
        for ratio in self.scans:
            if ratio != 1.0:
                said[f"{ratio:g}"] = Prediction(
                    f"K*, transformer, r = {ratio:g}, from K* at r = 1 and 1/ν",
                    carried(start, inverse, math.log(ratio)),
                    (*inputs, f"K* at r = 1 of {addresses(self._point())}"),
                )
        return said

    def networks(self) -> Mapping[str, Jobs]:
        return {f"r{ratio:g}": seeded(scan.run, self.seeds, scan.task_diversity) for ratio, scan in self.scans.items()}

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        found: list[Estimate] = []
        rows: list[Comparison] = []
        for ratio in self.scans:
            runs = networks_in(trained[f"r{ratio:g}"])
            found.append(measure_threshold(runs.task_diversity, final(runs)))
            if f"{ratio:g}" in predictions:
                rows.append(compare(predictions[f"{ratio:g}"], found[-1], self.bar, self.seeds))
            else:
                label = f"K*, transformer, r = {ratio:g}"
                rows.append(Comparison(label, None, found[-1], self.bar, (), self.seeds))
        measured = slope(list(self.scans), found)
        rows.append(compare(predictions["slope"], measured, self.slope_bar, self.seeds, scale="difference"))
        # Its interval may be so wide that it excludes neither: then nothing is said.
        blind = measured.contains(predictions["slope"].estimate.value)
        excluded = None if measured.contains(0.0) and blind else not measured.contains(0.0)
        question = "d ln K*/d ln r, transformer, excludes 0 (capacity: the same parameters hold as much at any rate)"
        return [*rows, answer(question, excluded, self.seeds, ("the measured slope's interval",))]
