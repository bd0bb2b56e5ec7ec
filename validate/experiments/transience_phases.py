"""Three phases under weight decay: ICL is never acquired, acquired and lost, or lasts (paper, figure A6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...theory import Estimate
from ..cointegration import cointegrated
from ..compare import Comparison
from ..config import Run
from ..memory import MemoryTraining
from ..predict import Prediction, addresses
from .protocol import Jobs, Results, compare, memories_in, networks_in
from .transience_tools import by_axis, coupled, fraction, laws, phases, varied


@dataclass(frozen=True)
class TransiencePhases:
    """The phase of every network within a given time, over λ; the scan holds all three.

    A phase is predicted for every λ, by co-integration and by the coupled equations (the commonest over their seeds).
    One row each: the share of networks in the phase predicted for their λ, said to be 1.

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
        return varied(averaged, "decay_attention", self.decay, self.seeds, self.first_calibration_seed)

    def calibration(self) -> Mapping[str, Jobs]:
        return {"cointegration": self._averaged(), "memory": self.memory}

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": varied(self.run, "decay_attention", self.decay, self.seeds, self.run.seed)}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        kinds = phases(networks_in(calibrated["cointegration"]), "circuit_accuracy", self.within)
        mine = laws(memories_in(calibrated["memory"]))[int(self.run.task.task_diversity)]
        solved = np.array([coupled(replace(self.run, budget=self.within), law, self.decay)[1] for law in mine]).T
        rungs = {
            "co-integration": (by_axis(kinds, "decay_attention", self.decay), addresses(self._averaged())),
            "coupled equations": (solved, addresses(self.memory)),
        }
        predictions = {}
        for rung, (found, seen) in rungs.items():
            said = [f"λ = {decay:g}: {commonest(row)}" for decay, row in zip(self.decay, found, strict=True)]
            quantity = f"share of networks in the phase at t = {self.within:g} predicted by {rung}"
            inputs = (f"{rung} with perceptrons of {seen}", *said)
            predictions[rung] = Prediction(quantity, Estimate.exact(1.0), inputs)
        return predictions

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        kinds = phases(networks_in(trained["networks"]), "circuit_accuracy", self.within)
        measured = by_axis(kinds, "decay_attention", self.decay)
        rows = []
        for prediction in predictions.values():
            said = np.array([line.partition(": ")[2] for line in prediction.inputs[1:]])
            share = fraction(measured == said[:, None])
            rows.append(compare(prediction, share, self.bar, self.seeds, scale="difference"))
        return rows


def commonest(kinds: Sequence[str]) -> str:
    """The commonest phase; of equally common ones the first."""
    return Counter(map(str, kinds)).most_common(1)[0][0]
