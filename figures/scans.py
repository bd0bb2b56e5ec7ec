"""Scans of K in a results folder: the networks, the memory that predicted them, and K* measured and predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..theory import Estimate
from ..validate import PRESETS, accuracy_at, acquisition_times, measure_threshold
from .results import MissingResults, Results, setting

#: Names of experiments: one may begin with another's.
KNOWN = {experiment.name for preset in PRESETS.values() for experiment in preset.experiments}
#: Beginnings of labels whose networks are no scan.
_OTHERS = ("memory", "scrambled", "endless", "point", "frozen", "large")
_NEEDS = ("icl_accuracy", "iwl_accuracy", "circuit_accuracy", "clock", "seed", "time")


@dataclass(frozen=True)
class Scan:
    """Networks over (task_diversity, seed) of one experiment."""

    experiment: str
    label: str
    runs: xr.Dataset
    results: Results

    @property
    def setting(self) -> dict[str, Any]:
        """What all networks have in common."""
        return setting(self.runs)

    def predicted(self, name: str) -> Estimate | None:
        """A prediction about this scan; an experiment of several scans names the scan in it."""
        for key in (f"{self.label}_{name}", f"{name}_{self.label}", name):
            if (found := self.results.predicted(self.experiment, key)) is not None:
                return found
        return None

    @property
    def memory(self) -> xr.Dataset | None:
        """The perceptrons alone that predicted it."""
        try:
            names = (f"{self.experiment}_memory_{self.label}", f"{self.experiment}_memory")
            return self.results.one_of(*names, needs=["fraction", "clock_at_budget", "margins"])
        except MissingResults:
            return None

    def threshold(self, budget: float | None = None) -> Estimate:
        """K* measured: of the minimal model's ICL circuit (95 % reached in time), or of the transformer's accuracy."""
        within = self.setting["budget"] if budget is None else budget
        if self.setting["network"] == "minimal":
            times = acquisition_times(self.runs, "circuit_accuracy").transpose("task_diversity", "seed")
            return measure_threshold(self.runs.task_diversity, np.where(times.values <= within, 1.0, 0.5))
        accuracy = accuracy_at(self.runs, within).transpose("task_diversity", "seed")
        return measure_threshold(self.runs.task_diversity, accuracy.values)


def scans(results: Results, *experiments: str) -> list[Scan]:
    """The scans of the first of the experiments that the folder holds, in increasing N.

    Raises
    ------
    MissingResults
        If it holds none of them.
    """
    for experiment in experiments:
        try:
            found = results.find(f"{experiment}_*")
        except MissingResults:
            continue
        others = tuple(f"{one}_" for one in KNOWN if one.startswith(f"{experiment}_"))
        kept = {name for name, one in found.items() if not name.startswith(others) and _is_scan(one, experiment, name)}
        if kept:
            whole = results.find(*kept, needs=_NEEDS)
            every = [
                Scan(experiment, name.removeprefix(f"{experiment}_"), runs, results) for name, runs in whole.items()
            ]
            return sorted(every, key=lambda scan: scan.setting.get("context_length", 0))
    raise MissingResults(
        f"Argument 'results' must hold a scan of K of {' or '.join(experiments)}, but {results.directory} does not; "
        f"make it with `{results.command(experiments)}`."
    )


def _is_scan(one: xr.Dataset, experiment: str, name: str) -> bool:
    label = name.removeprefix(f"{experiment}_")
    return not label.startswith(_OTHERS) and {"task_diversity", "seed", "time"} <= set(one.sizes)


def column(estimates: Sequence[Estimate | None]) -> list[Estimate]:
    """The estimates, an unknown one as an open interval that is not drawn."""
    return [Estimate(np.inf, 0.0, np.inf) if one is None else one for one in estimates]
