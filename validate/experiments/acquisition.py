"""t_ICL at K → ∞: what the averaged field says of the minimal model, without a fit (paper, section 5, figure 6b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...theory import Estimate
from ..claim import Claim
from ..measure.times import acquisition_times, geometric_mean, measure_power_law
from ..place import place
from ..predict.threshold import Prediction, predict_acquisition
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run
from ..values import UNKNOWN_DIFFERENCE, Value
from .runs import grid


@dataclass(frozen=True)
class AcquisitionTime:
    """t_ICL of the ICL circuit for each of ``runs``, and its exponent in N.

    Parameters
    ----------
    runs : by label (which becomes part of a file name), with K → ∞
    seeds : networks of each
    bar : factor within which t_ICL must be predicted
    exponents : labels of three runs or more that differ in N, by a word for them
        d ln t_ICL/d ln N over these, beside the slope of the predicted times themselves: 1 for N → ∞ alone.
    exponent_bar : difference within which it must be
    """

    runs: Mapping[str, Run]
    seeds: int
    bar: float
    exponents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exponent_bar: float = 0.03
    name: str = "acquisition_time"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def networks(self) -> Mapping[str, Jobs]:
        return {label: grid(run, self.seeds) for label, run in self.runs.items()}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        predictions = {label: predict_acquisition(run) for label, run in self.runs.items()}
        claims = [
            predictions[label].claim(
                "t_ICL", "minimal", self.bar, part="circuit", method="averaged field", at=place(run), data=(label,)
            )
            for label, run in self.runs.items()
        ]
        for labels in self.exponents.values():
            lengths, made = self._lengths(labels), [predictions[label] for label in labels]
            slope = np.polyfit(np.log(lengths), np.log([one.estimate.value for one in made]), 1)[0]
            exponent = Prediction(Estimate.exact(float(slope)), [entry for one in made for entry in one.inputs])
            at = place(self.runs[labels[0]], context_length=tuple(lengths), budget=None)
            claims.append(
                exponent.claim(
                    "d ln t_ICL/d ln N", "minimal", self.exponent_bar, part="circuit", method="averaged field", at=at,
                    data=tuple(labels), scale="difference",
                )
            )  # fmt: skip
        return claims

    def _lengths(self, labels: Sequence[str]) -> list[int]:
        return [self.runs[label].task.context_length for label in labels]

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        times = [acquisition_times(networks_in(trained[label]), "circuit_accuracy").values for label in claim.data]
        if claim.quantity == "t_ICL":
            return geometric_mean(times[0], confidence)
        lengths = np.repeat(self._lengths(claim.data), [one.size for one in times])
        if not np.isfinite(np.concatenate(times)).all():
            return UNKNOWN_DIFFERENCE
        return measure_power_law(lengths, np.concatenate(times), confidence=confidence)[1]
