"""t_ICL at K → ∞ with m copies of the target in the context, from that with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...theory import acquisition_time
from ..claim import Claim
from ..measure.times import acquisition_times, geometric_mean
from ..place import place
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run, addresses
from .reduced_methods import ReducedAcquisition
from .runs import grid

_SINGLE = "one_copy"
SPARSE, EARLY = "sparse attention, from one copy", "averaged field, from one copy"


@dataclass(frozen=True)
class CopiesAcquisition(ReducedAcquisition):
    """t_ICL at K → ∞ over the copies m: what the reduced transformer says, and two laws that start from m = 1.

    - "sparse attention, from one copy": t(m) = t(1)/m (Zucchet et al., 2505.17863);
    - "averaged field, from one copy": t(m)/t(1) is that of the minimal model with w0 = β0 = 0, where m copies act as a
      context m times shorter with a drag m times smaller.

    Parameters
    ----------
    single : with one copy; networks with calibration seeds tell t(1)
    single_seeds : how many
    """

    single: Run | None = None
    single_seeds: int = 6
    name: str = "copies_acquisition"

    def _single(self) -> list[Run]:
        assert self.single is not None
        return grid(self.single, self.single_seeds)

    def calibration(self) -> Mapping[str, Jobs]:
        return {**super().calibration(), _SINGLE: self._single()}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        known = geometric_mean(acquisition_times(networks_in(calibrated[_SINGLE])).values)
        claims, inputs = list(super().predict(calibrated)), (f"t_ICL at one copy of {addresses(self._single())}",)
        for label, run in self.runs.items():
            for method, factor in ((SPARSE, 1 / run.task.copies), (EARLY, field_ratio(run))):
                said = Prediction(known.scaled(factor), inputs)
                claims.append(said.claim("t_ICL", "transformer", self.bar, method=method, at=place(run), data=(label,)))
        return claims


def field_ratio(run: Run) -> float:
    """t_ICL(m)/t_ICL(1) of the minimal model's averaged field at the run's N and D, from w0 = β0 = 0."""
    many = replace(run.task, target_in_softmax=False)
    return float(acquisition_time(many, 0.0) / acquisition_time(replace(many, copies=1), 0.0))
