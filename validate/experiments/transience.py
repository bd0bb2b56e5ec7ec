"""How long the minimal model keeps ICL under weight decay, against λ or K (paper, section 5, figures 2e and A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...theory import Estimate
from ..claim import Claim
from ..measure.intervals import pooled_means, slope
from ..networks.cointegration import cointegrated
from ..place import SYMBOLS, At, place
from ..protocol import Jobs, Results, Trained, memories_in, networks_in
from ..training.config import Run, addresses
from ..training.memory import MemoryTraining
from ..values import Value
from .runs import ACCURACY, grid
from .transience_tools import by_axis, coupled, durations, laws

#: Name of the coordinate that an axis is.
COORDINATE = {"decay_attention": "decay", "task_diversity": "task_diversity"}


@dataclass(frozen=True)
class TransienceTime:
    """t_loss, from acquisition to loss, at every value of λ or K, and its exponent.

    Two predictions, neither of which sees a network trained on sequences:

    - co-integration at other seeds (whole network: its perceptron answers novel items, too);
    - the coupled equations with the homogeneous law fitted to perceptrons trained alone (ICL circuit).

    Parameters
    ----------
    run : the minimal model, at any λ and K; decay acts on (w, β) alone
    axis, values : what is scanned
    memory : perceptrons trained alone, at every K of the scan; they share no seed with the networks
    seeds, first_calibration_seed : networks at each value, and as many co-integrations, from that seed on
    bar : factor within which each t_loss must be predicted
    calibration_rate : learning rate of the co-integrations, where it is not the networks' own
    exponent_bar, asymptotic_bar : differences from the rungs' exponents, and from −1, within which it must be
    """

    run: Run
    axis: Literal["decay_attention", "task_diversity"]
    values: Sequence[float]
    memory: Sequence[MemoryTraining]
    seeds: int
    first_calibration_seed: int
    bar: float = 1.25
    exponent_bar: float = 0.1
    asymptotic_bar: float = 0.2
    calibration_rate: float | None = None
    name: str = "transience_decay"

    def _averaged(self) -> list[Run]:
        averaged = cointegrated(replace(self.run, learning_rate=self.calibration_rate or self.run.learning_rate))
        return grid(averaged, self.seeds, self.first_calibration_seed, **{self.axis: self.values})

    def calibration(self) -> Mapping[str, Jobs]:
        return {"cointegration": self._averaged(), "memory": self.memory}

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": grid(self.run, self.seeds, None, **{self.axis: self.values})}

    def _coupled(self, memory: Results) -> np.ndarray:
        """Durations (value, perceptron) of the coupled equations."""
        known = laws(memories_in(memory))
        if self.axis == "decay_attention":
            assert self.run.task.task_diversity in known
            own_laws = known[int(self.run.task.task_diversity)]
            return np.stack([coupled(self.run, law, self.values)[0] for law in own_laws], 1)
        runs = [self.run.with_(task_diversity=k) for k in self.values]
        decay = [self.run.decay_attention]
        return np.array(
            [[coupled(run, law, decay)[0][0] for law in known[int(run.task.task_diversity)]] for run in runs]
        )

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        averaged = durations(networks_in(calibrated["cointegration"]), "icl_accuracy")
        rungs = {
            "co-integration": ("whole", by_axis(averaged, self.axis, self.values), addresses(self._averaged())),
            "coupled equations": ("circuit", self._coupled(calibrated["memory"]), addresses(self.memory)),
        }
        times: list[Claim] = []
        exponents: list[Claim] = []
        for rung, (part, lasting, seen) in rungs.items():
            inputs, means = (f"{rung} with perceptrons of {seen}",), pooled_means(lasting)
            for value, mean in zip(self.values, means, strict=True):
                at = self._place(value)
                times.append(Claim("t_loss", "minimal", mean, self.bar, part, rung, at, inputs=inputs))
            exponents.append(self._exponent(slope(self.values, means), self.exponent_bar, part, rung, inputs))
        if self.axis == "decay_attention":
            inputs, law = ("t_loss ∝ 1/λ for λ → 0 and nothing memorised before acquisition",), Estimate.exact(-1.0)
            exponents.append(self._exponent(law, self.asymptotic_bar, "circuit", "asymptotic law", inputs))
        return times + exponents

    def _place(self, value: At) -> dict[str, At]:
        return place(self.run, **{COORDINATE[self.axis]: value})

    def _exponent(self, value: Estimate, bar: float, part: str, method: str, inputs: Sequence[str]) -> Claim:
        quantity = f"d ln t_loss/d ln {SYMBOLS[COORDINATE[self.axis]]}"
        return Claim(
            quantity, "minimal", value, bar, part, method, self._place(tuple(self.values)), "difference", inputs
        )

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        lasting = durations(networks_in(trained["networks"]), ACCURACY[claim.part])
        means = pooled_means(by_axis(lasting, self.axis, self.values), confidence)
        if claim.quantity != "t_loss":
            return slope(self.values, means)
        return dict(zip(self.values, means, strict=True))[claim.at[COORDINATE[self.axis]]]
