"""Results folders for the figures' tests: the reference results, and synthetic ones whose every number is known."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from iclrace.figures import Results
from iclrace.theory import Estimate
from iclrace.validate import Claim, Claims, Summary
from iclrace.validate.run import described
from iclrace.validate.summary import Dataset
from iclrace.validate.training.config import json_text
from iclrace.validate.training.store import write_dataset

REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "laptop"


@pytest.fixture(scope="session")
def reference():
    return Results(REFERENCE)


class Folder:
    """A results folder written by hand: datasets of networks with chosen curves, and chosen claims."""

    def __init__(self, path):
        self.path, self.claims, self.datasets = path, [], []

    def networks(self, experiment, label, runs, axes, curves, stage="networks"):
        """``curves(run, t)`` gives the variables of one network over its time."""
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
        name = f"{experiment}_{label}"
        write_dataset(self.path / f"{name}.nc", described(dataset, runs))
        self.datasets.append(Dataset(name, experiment, stage, label))
        return dataset

    def claim(self, experiment, quantity, predicted=None, measured=None, network="minimal", **fields):
        """Numbers stand for themselves, exactly; a bar of 1.25 unless another is given."""
        fields = {"part": "circuit" if network == "minimal" else "whole", "inputs": ("<chosen & known>",)} | fields
        bar = fields.pop("bar", 1.25 if predicted is not None else None)
        values = [Estimate.exact(one) if isinstance(one, float | int) else one for one in (predicted, measured)]
        self.claims.append(
            Claim(quantity, network, values[0], bar, experiment=experiment, measured=values[1], seeds=3, **fields)
        )

    def results(self, **changes):
        summary = Summary(
            "workstation", "chosen", Claims(self.claims), self.datasets,
            experiments={claim.experiment: {} for claim in self.claims}, provenance={"versions": {}},
        )  # fmt: skip
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "summary.json").write_text(json_text(summary.as_json() | changes), "utf-8")
        return Results(self.path)


def _value(run, axis):
    return getattr(run, axis) if hasattr(run, axis) else getattr(run.task, axis)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "results")


def line(ax, label):
    """x and y of the line or the points of one label."""
    found = [one for one in ax.get_lines() if one.get_label() == label]
    assert len(found) == 1, [one.get_label() for one in ax.get_lines()]
    return np.asarray(found[0].get_xdata(), float), np.asarray(found[0].get_ydata(), float)


def points(ax, label="measured"):
    """Values and intervals of a set of points with error bars."""
    (bars,) = (one for one in ax.containers if one.get_label() == label)
    (segments,) = (one.get_segments() for one in bars.lines[2])
    return bars.lines[0].get_ydata(), [(s[0][1], s[1][1]) for s in segments]
