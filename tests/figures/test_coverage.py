"""What a preset trains is drawn: every dataset of every preset is read by a figure."""

import itertools

import numpy as np
import pytest
import xarray as xr
from iclrace.figures import FIGURES, MissingResults, Results
from iclrace.validate import PRESETS, Run
from iclrace.validate.config import json_text
from iclrace.validate.experiments import MemoryCurves
from iclrace.validate.memory import QUANTILES
from iclrace.validate.run import FORMAT, described
from iclrace.validate.training import _flat

TIMES = np.linspace(0.0, 1.0, 6)


#: Networks that the table speaks of and no figure draws, with what stands there instead. Names start so.
IN_THE_TABLE_ALONE = {
    "memory_depth_raw_": "a slope for each kind of perceptron",
    "memory_depth_layer-normed_": "a slope for each kind of perceptron",
    "transformer_statistics_": "ratios of acquisition times",
    "transience_transformer_": "a time of loss, or that there is none",
    "transience_half_rate_": "the times of transience_decay again, at half the learning rate",
    "toy_": "experiments at a size that runs the code and shows nothing",
}


def networks(runs):
    """The dataset of runs that acquire ICL half-way and hold it, memorising slowly."""
    fields = [_flat(run) for run in runs]
    axes = {name: sorted({one[name] for one in fields}) for name in fields[0] if len({one[name] for one in fields}) > 1}
    axes = axes or {"seed": [fields[0]["seed"]]}
    time = TIMES * max(run.budget for run in runs)
    acquired = np.where(TIMES > 0.5, 1.0, 0.5)
    curves = dict.fromkeys(("icl_accuracy", "circuit_accuracy"), acquired) | {
        "iwl_accuracy": 0.5 + 0.4 * TIMES, "icl_loss": 1.0 - 0.9 * TIMES, "iwl_loss": 1.0 - 0.5 * TIMES,
        "train_loss": 0.7 - 0.5 * TIMES, "c1": 0.5 - 0.4 * TIMES, "c2": 0.5 + 0.3 * TIMES, "c3": 1.0 - 0.5 * TIMES,
        "clock": 0.3 * time, "w": 1.0 + TIMES, "beta": 4.0 * TIMES,
    }  # fmt: skip
    shape = tuple(map(len, axes.values()))
    over = {name: ((*axes, "time"), np.broadcast_to(one, (*shape, TIMES.size))) for name, one in curves.items()}
    return xr.Dataset(over | {"ending": (tuple(axes), np.ones(shape))}, {**axes, "time": time})


def perceptron(training):
    """Clock, c1, c2, c3 and margins of a perceptron that memorises at the paper's pace."""
    total = 3.9 * training.task_diversity**0.7
    share = 1.0 - np.exp(-4.0 * TIMES)
    c1 = 0.5 * np.exp(-4.0 * TIMES)
    margins = np.log(1.0 / c1 - 1.0)[:, None] * np.linspace(0.8, 1.2, len(QUANTILES))
    return xr.Dataset(
        {"clock": ("time", total * share), "c1": ("time", c1), "c2": ("time", 1.0 - c1), "c3": ("time", c1),
         "margins": (("time", "quantile"), margins)},
        {"time": 20.0 * total * TIMES, "quantile": list(QUANTILES)},
    )  # fmt: skip


def dataset(jobs):
    if isinstance(jobs[0], Run):
        return described(networks(jobs), jobs)
    return described(MemoryCurves(jobs, [perceptron(one) for one in jobs]), jobs)


class Watched(Results):
    """A folder that notes which of its datasets are read."""

    def __init__(self, directory, datasets):
        super().__init__(directory)
        self.datasets, self.read = datasets, set()

    @property
    def names(self):
        return sorted(self.datasets)

    def _read(self, name, needs):
        self.read.add(name)
        assert not [one for one in needs if one not in self.datasets[name].variables]
        return self.datasets[name]


def written(preset, path):
    """A preset's folder without its numbers: every experiment, and the datasets that it would have."""
    datasets = {
        f"{one.name}_{label}": dataset(list(jobs))
        for one in preset.experiments
        for label, jobs in itertools.chain(one.calibration().items(), one.networks().items())
    }
    nothing = {"predictions": {}, "comparisons": []}
    experiments = {one.name: nothing for one in preset.experiments}
    summary = {"format": FORMAT, "preset": preset.name, "experiments": experiments}
    (path / "summary.json").write_text(json_text(summary), "utf-8")
    return Watched(path, datasets)


@pytest.mark.parametrize("name", PRESETS)
def test_every_dataset_reaches_a_figure(name, tmp_path, monkeypatch):
    """What a prediction saw is not drawn; what the networks did is, or it is known why not."""
    monkeypatch.setattr("iclrace.figures.accuracy.coupled_accuracy", lambda *_: None)  # seconds for a line
    results = written(PRESETS[name], tmp_path)
    for figure in FIGURES.values():
        try:
            figure.picture(results) if figure.experiments else None
        except MissingResults:
            continue
    trained = {f"{one.name}_{label}" for one in PRESETS[name].experiments for label in one.networks()}
    left = {one for one in trained - results.read if not one.startswith(tuple(IN_THE_TABLE_ALONE))}
    assert not left
