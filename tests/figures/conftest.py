"""Results folders for the figures' tests: the reference results, and synthetic ones whose every number is known."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from iclrace.figures import Results
from iclrace.validate.config import json_text
from iclrace.validate.run import FORMAT, described
from iclrace.validate.store import write_dataset

REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "laptop"


@pytest.fixture(scope="session")
def reference():
    return Results(REFERENCE)


class Folder:
    """A results folder written by hand: datasets of networks with chosen curves, and chosen predictions."""

    def __init__(self, path):
        self.path = path
        self.experiments = {}

    def networks(self, experiment, label, runs, axes, curves):
        """``curves(run, t)`` gives the variables of one network over its time."""
        self.predict(experiment)
        values = {axis: sorted({_value(run, axis) for run in runs}) for axis in axes}
        time = np.linspace(0, runs[0].budget, 41)
        shape = [len(one) for one in values.values()]
        data = {}
        for run in runs:
            at = tuple(values[axis].index(_value(run, axis)) for axis in axes)
            for variable, curve in curves(run, time).items():
                data.setdefault(variable, np.full([*shape, time.size], np.nan))[at] = curve
        variables = {variable: ((*axes, "time"), array) for variable, array in data.items()}
        dataset = xr.Dataset(variables, {**values, "time": time})
        dataset["ending"] = (tuple(axes), np.ones(shape))
        write_dataset(self.path / f"{experiment}_{label}.nc", described(dataset, runs))
        return dataset

    def predict(self, experiment, **estimates):
        self.experiments.setdefault(experiment, {"predictions": {}, "comparisons": []})
        for name, one in estimates.items():
            said = {"quantity": name, **one, "inputs": ["<chosen & known>"]}
            self.experiments[experiment]["predictions"][name] = said

    def compare(self, experiment, **row):
        self.predict(experiment)
        self.experiments[experiment]["comparisons"].append(row)

    def results(self, **changes):
        summary = {"format": FORMAT, "preset": "workstation", "description": "chosen", "experiments": self.experiments}
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "summary.json").write_text(json_text(summary | {"provenance": {"versions": {}}} | changes))
        json.loads((self.path / "summary.json").read_text())
        return Results(self.path)


def _value(run, axis):
    return getattr(run, axis) if hasattr(run, axis) else getattr(run.task, axis)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "results")
