"""How the minimal model's K* moves with N, with the memory's learning rate and with its width (paper, figure 6a)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...theory import Estimate
from ..compare import Comparison
from ..measure import measure_power_law
from ..predict import Prediction, predict_repeats
from .protocol import Jobs, MemoryCurves, Results, answer, compare, memories_in, networks_in, slope
from .threshold import Threshold, circuit_threshold

#: The theory's K*: the memory alone reaches I*; the coupled equations; the same, with items repeated in a context.
#: The third was added when t_ICL at K = 900, N = 50 had been seen 5 % below the second (laptop preset, other seeds).
METHODS = ("threshold", "coupled_threshold", "repeats_threshold")


@dataclass(frozen=True)
class ThresholdScaling:
    """K* of the ICL circuit at several values of one variable x, each predicted, and d ln K*/d ln x.

    Parameters
    ----------
    parts : mapping from a label (which becomes part of file names) to the scan of K at one x
    variable : str, the symbol of x
    values : mapping from the same labels to x
    bar : float > 1, for every K*
    slope_bar : float > 0, largest difference of the slopes; None asks for no slope
    rivals : mapping from another explanation, in words, to the slope it predicts
        Each is a row of its own: whether the measured slope's interval excludes it.
    reads_exponent : bool
        Whether x acts through the clock alone, x ∝ I*: the slope is then also predicted as 1/ν from I_K ∝ K^ν.
    """

    parts: Mapping[str, Threshold]
    variable: str
    values: Mapping[str, float]
    bar: float
    slope_bar: float | None
    name: str
    rivals: Mapping[str, float]
    reads_exponent: bool = True

    def calibration(self) -> Mapping[str, Jobs]:
        return {f"memory_{label}": part.memory for label, part in self.parts.items()}

    def networks(self) -> Mapping[str, Jobs]:
        return {label: part.networks()["networks"] for label, part in self.parts.items()}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        predictions: dict[str, Prediction] = {}
        for label, part in self.parts.items():
            memory = memories_in(calibrated[f"memory_{label}"])
            mine = dict(part.predict({"memory": memory}))
            mine["repeats_threshold"], mine["repeats_time"] = predict_repeats(
                part.run, memory.trainings, memory.curves, max(part.task_diversity)
            )
            at = f", {self.variable} = {self.values[label]:g}"
            for key, one in mine.items():
                predictions[f"{label}_{key}"] = replace(one, quantity=one.quantity + at)
        for method in METHODS if self.slope_bar is not None else ():
            mine = [predictions[f"{label}_{method}"] for label in self.parts]
            kind = mine[0].quantity.rpartition(",")[0].replace("K*, ", "")
            predictions[f"slope_{method}"] = Prediction(
                f"d ln K*/d ln {self.variable}, {kind}",
                slope(list(self.values.values()), [one.estimate for one in mine]),
                [entry for one in mine for entry in one.inputs],
            )
        if self.reads_exponent and self.slope_bar is not None:
            memories = [memories_in(calibrated[f"memory_{label}"]) for label in self.parts]
            predictions["slope_exponent"] = self._inverse_exponent(memories)
        return predictions

    def _inverse_exponent(self, memories: Sequence[MemoryCurves]) -> Prediction:
        """1/ν of I_K = A K^ν over all perceptrons, each counted once."""
        clocks = {
            one: float(curves.clock[-1]) for m in memories for one, curves in zip(m.trainings, m.curves, strict=True)
        }
        _, exponent = measure_power_law([one.task_diversity for one in clocks], list(clocks.values()))
        inverse = Estimate(1 / exponent.value, 1 / exponent.high, 1 / exponent.low if exponent.low > 0 else math.inf)
        inputs = (f"I_K = A K^ν over {len(clocks)} perceptrons alone, K = {_range(clocks)}",)
        return Prediction(f"d ln K*/d ln {self.variable}, 1/ν", inverse, inputs)

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        rows: list[Comparison] = []
        found: list[Estimate] = []
        for label, part in self.parts.items():
            mine = {
                key: predictions[f"{label}_{key}"]
                for key in ("clock", "threshold", "coupled_threshold", "coupled_time")
            }
            rows += part.compare(mine, {"networks": trained[label]})
            found.append(circuit_threshold(networks_in(trained[label]), part.run.budget))
            repeats = predictions[f"{label}_repeats_threshold"]
            rows.append(compare(repeats, found[-1], self.bar, part.seeds, ", ICL circuit"))
        if self.slope_bar is None:
            return rows
        measured = slope(list(self.values.values()), found)
        seeds = min(part.seeds for part in self.parts.values())
        for name, prediction in predictions.items():
            if name.startswith("slope_"):
                rows.append(compare(prediction, measured, self.slope_bar, seeds, scale="difference"))
        for rival, value in self.rivals.items():
            # Its interval may be so wide that it excludes neither: then nothing is said.
            blind = any(measured.contains(predictions[f"slope_{method}"].estimate.value) for method in METHODS)
            excluded = None if measured.contains(value) and blind else not measured.contains(value)
            question = f"d ln K*/d ln {self.variable} excludes {value:g} ({rival})"
            rows.append(answer(question, excluded, seeds, ("the measured slope's interval",)))
        return rows


def _range(trainings: Mapping) -> str:
    known = sorted({one.task_diversity for one in trainings})
    return f"{known[0]} … {known[-1]}"
