"""Three phases under weight decay: ICL is never acquired, acquired and lost, or lasts (paper, figure A6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...theory import Estimate
from ..claim import Claim
from ..measure.intervals import fraction
from ..networks.cointegration import cointegrated
from ..place import place
from ..protocol import Jobs, Trained, memories_in, networks_in
from ..training.config import Run, addresses
from ..training.memory import MemoryTraining
from ..values import Value
from .runs import grid
from .transience_tools import by_axis, coupled, laws, phases

#: Of networks within a time, over λ; the phase predicted for each λ stands in the claim.
SHARE = "share of networks in the predicted phase"


@dataclass(frozen=True)
class TransiencePhases:
    """The phase of every network within a given time, over λ; the scan holds all three.

    A phase is predicted for every λ, by co-integration and by the coupled equations (the commonest over their seeds).
    One row each: the share of networks in the phase predicted for their λ, which should be 1.

    Parameters
    ----------
    run : the minimal model, at any λ
    decay : the scan of λ
    within : the time within which a phase is named, at most the run's budget
    memory : perceptrons trained alone at the run's K; they share no seed with the networks
    seeds, first_calibration_seed : networks at each λ, and as many co-integrations, from that seed on
    bar : difference from 1 within which the shares must be
    """

    run: Run
    decay: Sequence[float]
    within: float
    memory: Sequence[MemoryTraining]
    seeds: int
    first_calibration_seed: int
    bar: float = 0.2
    name: str = "transience_phases"

    def _averaged(self) -> list[Run]:
        averaged = cointegrated(self.run)
        return grid(averaged, self.seeds, self.first_calibration_seed, decay_attention=self.decay)

    def calibration(self) -> Mapping[str, Jobs]:
        return {"cointegration": self._averaged(), "memory": self.memory}

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": grid(self.run, self.seeds, decay_attention=self.decay)}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        kinds = phases(networks_in(calibrated["cointegration"]), "circuit_accuracy", self.within)
        own_laws = laws(memories_in(calibrated["memory"]))[int(self.run.task.task_diversity)]
        solved = np.array([coupled(replace(self.run, budget=self.within), law, self.decay)[1] for law in own_laws]).T
        rungs = {
            "co-integration": (by_axis(kinds, "decay_attention", self.decay), addresses(self._averaged())),
            "coupled equations": (solved, addresses(self.memory)),
        }
        claims = []
        for rung, (ended, perceptrons) in rungs.items():
            expected = tuple(commonest(row) for row in ended)
            at = place(self.run, decay=tuple(self.decay), phase=expected, budget=self.within)
            inputs, right = (f"{rung} with perceptrons of {perceptrons}",), Estimate.exact(1.0)
            claims.append(Claim(SHARE, "minimal", right, self.bar, "circuit", rung, at, "difference", inputs))
        return claims

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        kinds = phases(networks_in(trained["networks"]), "circuit_accuracy", self.within)
        return share_in_phase(by_axis(kinds, "decay_attention", self.decay), claim, confidence)


def share_in_phase(kinds: np.ndarray, claim: Claim, confidence: float) -> Estimate:
    """Share of the networks (λ, seed) whose phase is the one that the claim names for their λ."""
    return fraction(kinds == np.array(claim.at["phase"])[:, None], confidence, exact=True)


def commonest(kinds: Sequence[str]) -> str:
    """The commonest phase; of equally common ones the first."""
    return Counter(map(str, kinds)).most_common(1)[0][0]
