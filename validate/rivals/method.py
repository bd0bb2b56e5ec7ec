"""A rival that fits nothing, as one of the methods that predict K* before networks are trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..experiments.scan import Scan
from ..experiments.transformer_methods import endless, scrambled
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run, addresses
from .conditions import Condition
from .predictors import Rival

_RUNS: Mapping[str, Callable[[Scan, int], list[Run]]] = {"endless": endless, "scrambled": scrambled}


@dataclass(frozen=True)
class RivalMethod:
    """K* of a scan from a rival, frozen with the theory's.

    Parameters
    ----------
    rival : one that fits nothing and sees no other runs than "scrambled" and "endless" ones
    seeds : networks of each kind that it sees; scrambled ones at each K
    """

    rival: Rival
    seeds: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.rival.name

    def _jobs(self, scan: Scan) -> dict[str, list[Run]]:
        return {kind: _RUNS[kind](scan, self.seeds[kind]) for kind in self.rival.sees}

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        return {f"{kind}_{label}": runs for kind, runs in self._jobs(scan).items()}

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        """K* by the rival; empty where it makes no prediction."""
        here = Condition(
            scan.place(), {}, lambda kind: networks_in(calibrated[f"{kind}_{label}"]), tuple(self.rival.sees)
        )
        estimate = self.rival.predict(here, [])
        inputs = [f"{kind} networks, {addresses(runs)}" for kind, runs in self._jobs(scan).items()]
        return {} if estimate is None else {"K*": Prediction(estimate, inputs)}
