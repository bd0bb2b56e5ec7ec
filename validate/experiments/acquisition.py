"""Acquisition time of the minimal model at K → ∞: no fit, no calibration (paper, section 5, figure 6b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..compare import Comparison
from ..config import Run
from ..measure import acquisition_times, geometric_mean
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
    """

    settings: Mapping[str, Run]
    seeds: int
    bar: float
    name: str = "acquisition_time"

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        return {label: predict_acquisition(run) for label, run in self.settings.items()}

    def networks(self) -> Mapping[str, Jobs]:
        return {
            label: [run.with_(seed=run.seed + s) for s in range(self.seeds)] for label, run in self.settings.items()
        }

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        return [
            compare(
                predictions[label],
                geometric_mean(acquisition_times(networks_in(trained[label]), "circuit_accuracy").values),
                self.bar,
                self.seeds,
            )
            for label in self.settings
        ]
