"""What an experiment is: calibration runs, a prediction that sees only them, networks, and a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import xarray as xr

from ...theory import Estimate
from ..compare import Comparison
from ..config import Run
from ..memory import QUANTILES, MemoryTraining, at_fractions, clock_at
from ..predict import Prediction, addresses

#: Fractions of its clock at which a perceptron's curves are kept.
FRACTIONS = np.linspace(0.0, 1.0, 101)

Jobs = Sequence[Run] | Sequence[MemoryTraining]


@dataclass(frozen=True)
class MemoryCurves:
    """Perceptrons trained alone: what was trained, and the curves of each."""

    trainings: Sequence[MemoryTraining]
    curves: Sequence[xr.Dataset]

    def clocks(self) -> xr.Dataset:
        """I_K over ``run``: as far as each perceptron was trained, and continued to its budget.

        ``elapsed``, c1, c2, c3 and the margins stand over (run, fraction), at equal fractions of each run's own clock.
        """
        pairs = list(zip(self.trainings, self.curves, strict=True))
        tables = [at_fractions(curves, FRACTIONS) for curves in self.curves]
        return xr.concat(tables, dim="run").assign_coords(quantile=list(QUANTILES)).assign(
            {
                "clock": ("run", [float(curves.clock[-1]) for _, curves in pairs]),
                "clock_at_budget": ("run", [clock_at(curves, training.budget) for training, curves in pairs]),
            }
        ).assign_coords(
            task_diversity=("run", [training.task_diversity for training in self.trainings]),
            seed=("run", [training.seed for training in self.trainings]),
        ).assign_attrs(runs=addresses(self.trainings), units="gradient-flow time")  # fmt: skip

    def clock_reached(self, task_diversity: float, time: float) -> float:
        """I_K(time), mean over seeds: a power law of K between and beyond those trained; for K → ∞ it is time/2."""
        if math.isinf(task_diversity):
            return time / 2
        readings: dict[int, list[float]] = {}
        for training, curves in zip(self.trainings, self.curves, strict=True):
            readings.setdefault(training.task_diversity, []).append(clock_at(curves, time))
        known = sorted(readings)
        u, v = np.log(known), np.log([np.mean(readings[k]) for k in known])
        at = math.log(task_diversity)
        i = int(np.clip(np.searchsorted(u, at) - 1, 0, len(u) - 2))
        continued = v[i] + (v[i + 1] - v[i]) / (u[i + 1] - u[i]) * (at - u[i])
        return float(min(np.exp(continued), time / 2))


#: What comes back for ``Jobs``: one dataset of networks, or the curves of perceptrons.
Results = xr.Dataset | MemoryCurves


class Experiment(Protocol):
    """One question put to trained networks. Its four methods are called in this order:

    - ``calibration()``: runs that a prediction may see, by name;
    - ``predict(calibrated)``: the predictions, by name. Nothing but the calibration runs is handed to it, and the
      predictions are on the disk before a network is trained;
    - ``networks()``: the runs that the predictions speak of, by name;
    - ``compare(predictions, trained)``: rows of the table, with bars that were set in advance.

    ``name`` is part of the file names of the results: ``<name>_<name of the runs>.nc``.
    """

    @property
    def name(self) -> str: ...

    def calibration(self) -> Mapping[str, Jobs]: ...

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]: ...

    def networks(self) -> Mapping[str, Jobs]: ...

    def compare(
        self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]
    ) -> Sequence[Comparison]: ...


def networks_in(results: Results) -> xr.Dataset:
    """``results`` where networks were trained."""
    assert isinstance(results, xr.Dataset)
    return results


def memories_in(results: Results) -> MemoryCurves:
    """``results`` where perceptrons were trained alone."""
    assert isinstance(results, MemoryCurves)
    return results


def compare(
    prediction: Prediction,
    measured: Estimate,
    bar: float,
    seeds: int,
    note: str = "",
    scale: Literal["ratio", "difference"] = "ratio",
) -> Comparison:
    """The row of one prediction."""
    return Comparison(prediction.quantity + note, prediction.estimate, measured, bar, prediction.inputs, seeds, scale)


def answer(
    question: str, measured: bool | None, seeds: int, inputs: Sequence[str], expected: bool = True
) -> Comparison:
    """The row of a question that a test of its own answers: 1 for yes, 0 for no, between them if it cannot tell."""
    quantity = f"{question} (1 yes, 0 no)"
    found = Estimate(0.5, 0.0, 1.0) if measured is None else Estimate.exact(measured)
    return Comparison(quantity, Estimate.exact(expected), found, 0.5, inputs, seeds, scale="difference")


def slope(x: Sequence[float], estimates: Sequence[Estimate]) -> Estimate:
    """d ln y/d ln x of estimates y that are independent of each other, by least squares.

        ν = Σ (u − ū) ln y/Σ (u − ū)²,   δν = √(Σ (u − ū)² δ²)/Σ (u − ū)²,   u = ln x

    with δ the half-widths of the estimates' own intervals in the logarithm, each side by itself. Nothing can be said,
    and the interval is infinite, if an x or an estimate is not positive and finite.
    """
    if not all(0 < one < math.inf for one in x):
        return Estimate(0.0, -math.inf, math.inf)
    u = np.log(np.asarray(x, dtype=float))
    u = u - u.mean()
    if not all(0 < one.value < math.inf for one in estimates):
        return Estimate(0.0, -math.inf, math.inf)
    y, low, high = (np.array([math.log(getattr(one, end)) if getattr(one, end) > 0 else -math.inf for one in estimates])
                    for end in ("value", "low", "high"))  # fmt: skip
    total = float(np.sum(u**2))
    # A low y lowers the slope at the upper end of x and raises it at the lower one.
    below, above = np.where(u > 0, y - low, high - y), np.where(u > 0, high - y, y - low)
    value = float(np.sum(u * y)) / total
    down, up = (float(np.sqrt(np.sum((u[u != 0] * side[u != 0]) ** 2))) / total for side in (below, above))
    return Estimate(value, value - down, value + up)
