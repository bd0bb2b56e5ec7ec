"""How long the minimal model keeps ICL under weight decay, against λ or K (paper, section 5, figures 2e and A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...theory import Estimate
from ..cointegration import cointegrated
from ..compare import Comparison
from ..config import Run
from ..memory import MemoryTraining
from ..predict import Prediction, addresses
from .protocol import Jobs, Results, compare, memories_in, networks_in, slope
from .transience_tools import by_axis, coupled, durations, laws, pooled_means, varied

SYMBOL = {"decay_attention": "λ", "task_diversity": "K"}


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
        return varied(averaged, self.axis, self.values, self.seeds, self.first_calibration_seed)

    def calibration(self) -> Mapping[str, Jobs]:
        return {"cointegration": self._averaged(), "memory": self.memory}

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": varied(self.run, self.axis, self.values, self.seeds, self.run.seed)}

    def _coupled(self, memory: Results) -> np.ndarray:
        """Durations (value, perceptron) of the coupled equations."""
        known = laws(memories_in(memory))
        if self.axis == "decay_attention":
            assert self.run.task.task_diversity in known
            mine = known[int(self.run.task.task_diversity)]
            return np.stack([coupled(self.run, law, self.values)[0] for law in mine], 1)
        runs = [self.run.with_(task_diversity=k) for k in self.values]
        decay = [self.run.decay_attention]
        return np.array(
            [[coupled(run, law, decay)[0][0] for law in known[int(run.task.task_diversity)]] for run in runs]
        )

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        averaged = durations(networks_in(calibrated["cointegration"]), "icl_accuracy")
        rungs = {
            "co-integration": (by_axis(averaged, self.axis, self.values), addresses(self._averaged())),
            "coupled equations": (self._coupled(calibrated["memory"]), addresses(self.memory)),
        }
        predictions = {}
        for rung, (times, seen) in rungs.items():
            inputs = (f"{rung} with perceptrons of {seen}",)
            means = pooled_means(times)
            for value, mean in zip(self.values, means, strict=True):
                quantity = f"t_loss at {SYMBOL[self.axis]} = {value:g}, {rung}"
                predictions[f"{rung} {value:g}"] = Prediction(quantity, mean, inputs)
            quantity = f"d ln t_loss/d ln {SYMBOL[self.axis]}, {rung}"
            predictions[f"exponent, {rung}"] = Prediction(quantity, slope(self.values, means), inputs)
        if self.axis == "decay_attention":
            inputs = ("t_loss ∝ 1/λ for λ → 0 and nothing memorised before acquisition",)
            quantity = "d ln t_loss/d ln λ, asymptotic law"
            predictions["exponent, asymptotic law"] = Prediction(quantity, Estimate.exact(-1.0), inputs)
        return predictions

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        runs = networks_in(trained["networks"])
        measured = {
            part: pooled_means(by_axis(durations(runs, accuracy), self.axis, self.values))
            for part, accuracy in (("whole network", "icl_accuracy"), ("ICL circuit", "circuit_accuracy"))
        }
        rows = []
        for rung, part in (("co-integration", "whole network"), ("coupled equations", "ICL circuit")):
            for value, mean in zip(self.values, measured[part], strict=True):
                rows.append(compare(predictions[f"{rung} {value:g}"], mean, self.bar, self.seeds, f", {part}"))
        for name, prediction in predictions.items():
            if name.startswith("exponent"):
                part = "whole network" if "co-integration" in name else "ICL circuit"
                bar = self.asymptotic_bar if "asymptotic" in name else self.exponent_bar
                exponent = slope(self.values, measured[part])
                rows.append(compare(prediction, exponent, bar, self.seeds, f", {part}", "difference"))
        return rows
