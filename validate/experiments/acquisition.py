"""Acquisition time of the minimal model at K → ∞: no fit, no calibration (paper, section 5, figure 6b)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..measure import acquisition_times, geometric_mean, measure_power_law
from ..predict import Prediction, predict_acquisition
from .protocol import Jobs, Results, compare, networks_in


@dataclass(frozen=True)
class AcquisitionTime:
    """t_ICL of the ICL circuit for each of ``settings``: one row a setting, ``seeds`` networks a row.

    Parameters
    ----------
    settings : mapping from a label (which becomes part of a file name) to a run with K → ∞
    seeds : int
    bar : float
    exponents : mapping from a name to labels of three settings or more that differ in N
        d ln t_ICL/d ln N over these, beside the theory's, as a difference.
    exponent_bar : float
    """

    settings: Mapping[str, Run]
    seeds: int
    bar: float
    exponents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exponent_bar: float = 0.03
    name: str = "acquisition_time"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        times = {label: predict_acquisition(run) for label, run in self.settings.items()}
        return times | {f"exponent_{name}": self._exponent(name, times) for name in self.exponents}

    def _lengths(self, name: str) -> list[int]:
        return [self.settings[label].task.context_length for label in self.exponents[name]]

    def _exponent(self, name: str, times: Mapping[str, Prediction]) -> Prediction:
        """The slope of the predicted times themselves: 1 for N → ∞ alone."""
        chosen = [times[label] for label in self.exponents[name]]
        slope = np.polyfit(np.log(self._lengths(name)), np.log([one.estimate.value for one in chosen]), 1)[0]
        lengths = ", ".join(map(str, self._lengths(name)))
        inputs = [entry for one in chosen for entry in one.inputs]
        return Prediction(f"d ln t_ICL/d ln N, N = {lengths}; {name}", Estimate.exact(float(slope)), inputs)

    def networks(self) -> Mapping[str, Jobs]:
        return {
            label: [run.with_(seed=run.seed + s) for s in range(self.seeds)] for label, run in self.settings.items()
        }

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        times = {
            label: acquisition_times(networks_in(trained[label]), "circuit_accuracy").values for label in self.settings
        }
        rows = [
            compare(
                predictions[label], geometric_mean(times[label]), self.bar, self.seeds,
                f", β0 = {run.beta0:g}, m = {run.task.copies}, N = {run.task.context_length}" if len(times) > 1 else "",
            )
            for label, run in self.settings.items()
        ]  # fmt: skip
        for name, labels in self.exponents.items():
            measured = _slope(
                np.repeat(self._lengths(name), self.seeds), np.concatenate([times[one] for one in labels])
            )
            rows.append(
                compare(predictions[f"exponent_{name}"], measured, self.exponent_bar, self.seeds, scale="difference")
            )
        return rows


def _slope(lengths: np.ndarray, times: np.ndarray) -> Estimate:
    """d ln t/d ln N over all networks; unknown if one of them never acquired ICL."""
    if not np.isfinite(times).all():
        return Estimate(0.0, -math.inf, math.inf)
    return measure_power_law(lengths, times)[1]
