"""How far K* moves when one knob is turned: kinetics predicts a number for each, a fixed capacity none at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...theory import Estimate
from ...theory.common.arguments import choice
from ..claim import Claim
from ..measure.intervals import slope
from ..measure.times import geometric_mean
from ..place import At
from ..predict.threshold import Prediction
from ..protocol import Trained, networks_in
from ..values import UNKNOWN_DIFFERENCE, Answer, Value
from .threshold import ThresholdScan, excludes, measured_threshold

SHIFT = "ln K*/K*(base)"
KNOBS = ("residual_scale", "beta0", "rate_ratio")


@dataclass(frozen=True)
class ThresholdShifts(ThresholdScan):
    """ln K* of every scan over that of the base, which differs from it in one knob, by every method and its rivals.

    A method that predicts K* for each calibration seed is compared seed by seed: what they have in common drops out.
    The intervals of others, and of what is measured, add in quadrature.

    Parameters
    ----------
    base : label of the scan that the others are held against
    shift_bar : largest difference of the predicted and the measured shift
    rivals : mapping from another explanation, in words, to the shift it predicts, whatever the knob
    """

    base: str = ""
    shift_bar: float = 0.25
    rivals: Mapping[str, float] = field(default_factory=dict)
    name: str = "threshold_shifts"

    def __post_init__(self) -> None:
        choice("base", self.base, self.scans)

    def knob(self, label: str) -> str:
        """Name of what the scan turns."""
        run, base = self.scans[label].run, self.scans[self.base].run
        return next(name for name in KNOBS if getattr(run, name) != getattr(base, name))

    def predict(self, calibrated: Trained) -> list[Claim]:
        """K* by every method, as :class:`ThresholdScan`'s; then the shifts."""
        predicted = self.predictions(calibrated)
        claims = self.claims_of(predicted, calibrated)
        for label, own in predicted.items():
            if label != self.base:
                made = {
                    name: shifted(own[name]["K*"], start["K*"])
                    for name, start in predicted[self.base].items()
                    if "K*" in start and "K*" in own[name]
                }
                claims += self._claims(label, made)
        return claims

    def _claims(self, label: str, predictions: Mapping[str, Prediction]) -> list[Claim]:
        at: dict[str, At] = {**self.scans[label].place(), "knob": self.knob(label)}
        at.setdefault(self.knob(label), getattr(self.scans[label].run, self.knob(label)))
        network, data = self.scans[label].run.network, (label, self.base)
        claims = [
            prediction.claim(SHIFT, network, self.shift_bar, method=name, scale="difference", at=at, data=data)
            for name, prediction in predictions.items()
        ]
        against = tuple(
            prediction.estimate.value for prediction in predictions.values() if math.isfinite(prediction.estimate.value)
        )
        return claims + [
            Claim(
                f"{SHIFT} is not the rival's", network, Answer(True), None, method=rival, data=data,
                at={**at, "rival": value, "against": against}, inputs=("the measured shift's interval",),
            )
            for rival, value in self.rivals.items()
        ]  # fmt: skip

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value | None:
        if not claim.quantity.startswith(SHIFT):
            return super().measure(claim, trained, confidence)
        here, base = (
            measured_threshold(networks_in(trained[label]), self.scans[label], claim.part, confidence)
            for label in claim.data
        )
        measured = shift(here, base)
        return excludes(measured, claim) if "rival" in claim.at else measured


def shifted(threshold: Prediction, base: Prediction) -> Prediction:
    """ln K* − ln K*(base): of seeds that both have the mean, with Student's interval, otherwise as :func:`shift`."""
    inputs = tuple(dict.fromkeys((*threshold.inputs, *base.inputs)))
    if not threshold.by_seed or len(threshold.by_seed) != len(base.by_seed):
        return Prediction(shift(threshold.estimate, base.estimate), inputs)
    if not np.isfinite([*threshold.by_seed, *base.by_seed]).all():
        return Prediction(UNKNOWN_DIFFERENCE, inputs)
    ratio = geometric_mean(np.divide(threshold.by_seed, base.by_seed))
    low, high = (math.log(end) if end > 0 else -math.inf for end in (ratio.low, ratio.high))
    return Prediction(Estimate(math.log(ratio.value), low, high, ratio.confidence), inputs)


def shift(threshold: Estimate, base: Estimate) -> Estimate:
    """ln K* − ln K*(base) of two independent estimates: half-widths in quadrature, each side by itself.

    Examples
    --------
    >>> round(shift(Estimate(200.0, 200.0, 200.0), Estimate(100.0, 100.0, 100.0)).value, 4)
    0.6931
    """
    return slope((math.e, 1.0), (threshold, base))
