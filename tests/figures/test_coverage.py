"""What a preset trains is drawn: every dataset of every preset is read by a figure."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from iclrace.figures import FIGURES, MissingResults, Results
from iclrace.theory import Estimate
from iclrace.theory.decay.phases import TRANSIENT
from iclrace.validate import PRESETS, Answer, Claims, MemoryCurves, Prediction, PValue, Run, Summary
from iclrace.validate.experiments.control_methods import Start
from iclrace.validate.predict.order_parameters import PREDICTED
from iclrace.validate.run import described
from iclrace.validate.summary import Dataset
from iclrace.validate.training.coupling import COLUMNS, CouplingCurves, CouplingTraining
from iclrace.validate.training.jobs import _flat
from iclrace.validate.training.memory import QUANTILES

TIMES = np.linspace(0.0, 1.0, 6)


#: Experiments at a size that runs the code and shows nothing; they answer to the names of no figure.
TOYS = "toy_"


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


def trained(jobs):
    """What training ``jobs`` might give."""
    if isinstance(jobs[0], CouplingTraining):
        return CouplingCurves(jobs, [coupled_perceptron(one) for one in jobs])
    return networks(jobs) if isinstance(jobs[0], Run) else MemoryCurves(jobs, [perceptron(one) for one in jobs])


def coupled_perceptron(training):
    """The same with couplings that grow as its clock advances."""
    grows = dict.fromkeys(COLUMNS, ("time", 0.1 * np.exp(3.0 * TIMES)))
    return perceptron(training)[["clock", "c1", "margins"]].assign(grows)


def solved(model, member, diversities, *_, **__):
    """Reduced transformers that acquire ICL above K = 300."""
    accuracy = np.where(np.atleast_1d(diversities) > 300, 1.0, 0.5)
    columns = {"icl_accuracy": accuracy, "time_acquired": 80.0 * accuracy, "status": np.zeros(accuracy.size)}
    return xr.Dataset({name: ("k", values) for name, values in columns.items()})


def course(*_, **__):
    """A reduced transformer that acquires ICL and loses it."""
    accuracy = [0.5, 1.0, 1.0, 0.5, 0.5]
    return xr.Dataset({"icl_accuracy": ("time", accuracy)}, {"time": np.linspace(0.0, 200.0, len(accuracy))})


class Watched(Results):
    """A folder that notes which of its datasets are read."""

    def __init__(self, directory, stored):
        super().__init__(directory)
        self.stored, self.read = stored, set()

    def _read(self, dataset, needs):
        self.read.add(dataset.name)
        found = self.stored[dataset.name]
        assert not [one for one in needs if one not in found.variables]
        return found


@pytest.fixture
def equations(monkeypatch):
    """Numbers in place of what takes seconds to solve: where a claim is drawn does not depend on them."""
    one = Prediction(Estimate(100.0, 90.0, 110.0), ("chosen",))
    tail = stats.lognorm(0.5, scale=100.0)
    law = SimpleNamespace(ppf=tail.ppf, cdf=tail.cdf, median=100.0)
    lasting = lambda run, law, decay: (np.full(len(decay), 50.0), [TRANSIENT] * len(decay))  # noqa: E731
    for place, put in {
        "threshold_methods.predict_threshold": lambda *_: one,
        "threshold_methods.predict_coupled": lambda *_: (one, one),
        "threshold_methods.predict_repeats": lambda *_: (one, one),
        "threshold_methods.threshold": lambda *_, **__: one.estimate,
        "transformer_methods.predict_threshold_at": lambda *_: one,
        "control_methods.predict_threshold_at": lambda *_: one,
        "control_methods.untrained": lambda run: Start(0.1, 0.003, 0.01, 0.1),
        "control_methods.solved": solved,
        "rungs.solve_reduced": lambda *_, **__: xr.Dataset({"clock": 20.0, "time_acquired": 80.0}),
        "rungs.predict_order": lambda model, coupling, member, times, draws: dict.fromkeys(PREDICTED, np.ones(2)),
        "reduced_methods.solved": solved,
        "transformer_methods.measure_power_law": lambda *_: (one.estimate, Estimate.exact(0.8)),
        "acquisition_spread.acquisition_distribution": lambda *_: law,
        "acquisition_methods.score_width": lambda run: Estimate.exact(1.0),
        "acquisition_methods._rough_time": lambda run, width: (1.0 + width) * run.task.context_length,
        "transience.coupled": lasting,
        "transience_phases.coupled": lasting,
        "transience_transformer.reduced_course": course,
        "depth.continued_clock": lambda curves, *_: float(curves.clock[-1]) + 1.0,
    }.items():
        monkeypatch.setattr(f"iclrace.validate.experiments.{place}", put)
    monkeypatch.setattr("iclrace.figures.accuracy.coupled_accuracy", lambda task, memory, k, *_: np.ones(len(k)))


def written(preset, path):
    """A preset's folder: every claim, measured as predicted, and every dataset."""
    claims, stored, listed = [], {}, []
    for experiment in preset.experiments:
        calibrated = {}
        for stage, jobs in ("calibration", experiment.calibration()), ("networks", experiment.networks()):
            for label, one in jobs.items():
                name, results = f"{experiment.name}_{label}", trained(list(one))
                listed.append(Dataset(name, experiment.name, stage, label))
                stored[name] = described(results, list(one))
                (path / f"{name}.nc").touch()
                calibrated |= {label: results} if stage == "calibration" else {}
        for claim in experiment.predict(calibrated):
            measured = PValue(0.5, "dip", 0.1) if isinstance(claim.predicted, Answer) else claim.predicted
            measured = Estimate.exact(100.0) if measured is None else measured
            claims.append(replace(claim, experiment=experiment.name, measured=measured))
    Summary(preset.name, "chosen", Claims(claims), listed).write(path)
    return Watched(path, stored)


@pytest.mark.parametrize("name", PRESETS)
def test_every_dataset_reaches_a_figure(name, tmp_path, equations):
    """What a prediction saw is not drawn; what the networks did is."""
    results = written(PRESETS[name], tmp_path)
    drawn = set()
    for figure in FIGURES.values():
        try:
            drawn |= {figure.name} if figure.experiments and figure.picture(results) else set()
        except MissingResults:
            continue
    networks = {one.name for one in results.summary.datasets if one.stage == "networks"}
    left = {one for one in networks - results.read if not one.startswith(TOYS)}
    assert not left
    if name == "workstation":  # the others leave out some questions
        assert {figure.name for figure in FIGURES.values() if figure.experiments} - drawn == {
            "work_precision",
            "coupling_threshold",
            "coupling_accuracy",
            "susceptibility",
            "coupling_acquisition",
            "controls_accuracy",
            "ladder",
            "rivals_acquisition",
            "accuracy_own",
            "threshold_paper",
            "accuracy_paper",
            "acquisition_paper",
            "threshold_transformer",
            "accuracy_transformer",
            "attention_control",
            "independence_audit",
        }


def test_a_dataset_that_no_figure_reads_is_found(tmp_path, equations):
    results = written(PRESETS["laptop"], tmp_path)
    FIGURES["verdicts"].picture(results)
    assert not results.read
