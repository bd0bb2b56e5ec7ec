"""What an experiment is: calibration runs, a prediction that sees only them, networks, and a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr

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


def compare(prediction: Prediction, measured, bar: float, seeds: int, note: str = "") -> Comparison:
    """The row of one prediction."""
    return Comparison(prediction.quantity + note, prediction.estimate, measured, bar, prediction.inputs, seeds)
