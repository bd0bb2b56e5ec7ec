"""Two kinds of outcome near K*, one far from it: t_ICL and final accuracies of many networks (paper, figure 6c)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...theory import Estimate
from ..claim import Claim
from ..measure.bimodality import accuracy_at, measure_bimodality
from ..measure.times import acquisition_times
from ..place import place
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run, addresses
from ..values import Answer, PValue, Value
from .runs import ACCURACY, grid
from .scan import Scan
from .threshold import measured_threshold

#: p-value of Hartigan's dip below which outcomes count as of two kinds, as in the paper's question.
LEVEL = 0.01
TIME, FINAL = "t_ICL", "final accuracy"
KINDS, _MODES = "two kinds of outcome", ("lower mode", "upper mode")


@dataclass(frozen=True)
class Outcomes:
    """Hartigan's dip of the final ICL accuracies, at K near K* and far from it.

    Networks are trained to the end of the budget, whether or not they acquire ICL: stopping at acquisition would gather
    the accuracies of all that do. That K is near K* is known before: from perceptrons alone when the preset was
    written, or from a scan with other seeds: then only the K in ``near`` that is nearest to its K* is judged.

    Parameters
    ----------
    run : the network
    near, far : K
    seeds, far_seeds : networks at each of them
    scan : networks of other seeds that tell K*
    times : whether t_ICL is measured, too; a network that never acquires ICL counts at the budget, as in the paper
    """

    run: Run
    near: Sequence[int]
    far: Sequence[int]
    seeds: int
    far_seeds: int
    scan: Scan | None = None
    times: bool = False
    name: str = "bimodality"

    def calibration(self) -> Mapping[str, Jobs]:
        return {} if self.scan is None else {"scan": self.scan.networks}

    def networks(self) -> Mapping[str, Jobs]:
        return {
            f"k{k}": grid(self.run.with_(task_diversity=k), self.seeds if k in self.near else self.far_seeds)
            for k in (*self.near, *self.far)
        }

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        nearest, inputs, claims = self.near[0], ("K near K*: two kinds; far: one",), []
        if self.scan is not None:
            threshold = measured_threshold(networks_in(calibrated["scan"]), self.scan, "whole", 0.95)
            nearest = min(self.near, key=lambda k: abs(np.log(k / threshold.value)))
            inputs = (f"K* of {addresses(self.scan.networks)}",)
            at = place(self.run, task_diversity=None)
            data = tuple(self.networks())
            claims.append(
                Prediction(threshold, inputs).claim(
                    "K*", self.run.network, None, at=at, method="other seeds", data=data
                )
            )
        parts = ("circuit", "whole") if self.run.network == "minimal" else ("whole",)
        for k in (*self.near, *self.far):
            two_kinds = Answer(k == nearest) if k == nearest or k in self.far else None
            bar = None if two_kinds is None else LEVEL
            for part, outcome in itertools.product(parts, (TIME, FINAL) if self.times else (FINAL,)):
                at = {**place(self.run, task_diversity=k), "outcome": outcome}
                common = {"part": part, "at": at, "inputs": inputs, "data": (f"k{k}",)}
                claims.append(Claim(KINDS, self.run.network, two_kinds, bar, **common))
                quantities = ("upper fraction", *_MODES) if self.times else ("upper fraction",)
                claims += [Claim(quantity, self.run.network, None, None, **common) for quantity in quantities]
        return claims

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value | None:
        if claim.quantity == "K*":
            return None
        runs, accuracy = networks_in(trained[claim.data[0]]), ACCURACY[claim.part]
        if claim.at["outcome"] == TIME:
            times = acquisition_times(runs, accuracy).values.ravel()
            sample = np.where(np.isfinite(times), times, self.run.budget)
        else:
            sample = accuracy_at(runs, self.run.budget, accuracy).values.ravel()
        counts = None if claim.at["outcome"] == TIME else self.run.test_size
        modes = measure_bimodality(sample, test_size=counts, confidence=confidence)
        if claim.quantity == KINDS:
            return PValue(modes.p_value, "Hartigan's dip", modes.dip)
        return Estimate.exact(modes.means[_MODES.index(claim.quantity)]) if claim.quantity in _MODES else modes.upper
