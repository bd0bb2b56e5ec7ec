"""Predictions of the reduced transformer inside the protocol."""

import math

import numpy as np
import pytest
import xarray as xr

from iclrace.theory import Estimate, Task
from iclrace.validate import Run
from iclrace.validate.experiments import AcquisitionTime, ReducedEquations, ReducedTimes, Scan, ThresholdScan
from iclrace.validate.experiments.reduced_methods import _open_ended, relative_speed
from iclrace.validate.predict.reduced import model_of
from iclrace.validate.presets import PRESETS
from iclrace.validate.presets.base import TRANSFORMER, Preset
from iclrace.validate.protocol import Plan
from iclrace.validate.run import run
from iclrace.validate.training.coupling import CouplingCurves, CouplingTraining

RUN = TRANSFORMER.with_(
    learning_rate=0.1, context_length=7, dimension=15, width=32, batch_size=32, budget=60.0, test_size=100,
    evaluate_every=10.0, stop_acquired=True,
)  # fmt: skip
COUPLING = [
    CouplingTraining(k, 1000 + s, dimension=15, width=32, learning_rate=0.2, until=0.1, budget=100.0)
    for k in (32, 128)
    for s in (0, 1)
]


def falling(speed: float, steps: int, least: float):
    """c1 = exp(−J speed)/2 over the clock J, until it is ``least``."""
    clock = np.linspace(0, math.log(0.5 / least) / speed, steps)
    return clock, 0.5 * np.exp(-speed * clock)


def network(speeds, least):
    columns = [falling(speed, 30, least) for speed in speeds]
    return xr.Dataset(
        {name: (("task_diversity", "seed", "time"), [[pair[i] for pair in columns]])
         for i, name in enumerate(("clock", "c1"))},
        {"task_diversity": [64.0], "seed": [0, 1], "time": np.arange(30.0)},
    )  # fmt: skip


@pytest.mark.parametrize("least", [0.01, 0.2])
def test_relative_speed_is_the_ratio_of_the_rates_however_far_the_networks_have_come(least):
    alone = [CouplingTraining(k, 1) for k in (64, 256)]
    curves = [xr.Dataset({name: ("time", v) for name, v in zip(("clock", "c1"), falling(0.5, 40, 0.006), strict=True)})
              for _ in alone]  # fmt: skip
    speed = relative_speed(CouplingCurves(alone, curves), network([0.8, 0.5 * 0.5 / 0.8], least))
    assert list(speed) == [64.0]  # no network at 256
    assert speed[64.0] == pytest.approx(math.sqrt(0.8 * 0.5 * 0.5 / 0.8) / 0.5, rel=1e-9)
    faster = relative_speed(CouplingCurves(alone, curves), network([0.8, 0.8], least))
    assert faster[64.0] == pytest.approx(1.6, rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"depth": 2}, "depth"),
        ({"layers": 4}, "layers"),
        ({"noise": 0.1}, "noise"),
        ({"labels": "balanced", "context_length": 8}, "labels"),
        ({"decay_memory": 0.1}, "decay_memory"),
        ({"frequency_exponent": 1.0, "task_diversity": 64}, "frequency_exponent"),
    ],
)
def test_what_the_equations_do_not_describe_is_refused(changes, named):
    with pytest.raises(ValueError, match=named):
        model_of(RUN.with_(**changes))
    with pytest.raises(ValueError, match="network"):
        model_of(Run("minimal", Task(8, 64, 15), 0))


def test_a_threshold_beyond_the_grid_has_an_open_interval():
    grid = np.array([10.0, 100.0])
    assert _open_ended(Estimate(10.0, 10.0, 10.0), grid).low == 0
    assert _open_ended(Estimate(math.inf, 50.0, math.inf), grid).high == math.inf
    assert _open_ended(Estimate(30.0, 20.0, 50.0), grid) == Estimate(30.0, 20.0, 50.0)


def test_the_preset_has_sixteen_conditions_and_its_predictions_see_none_of_their_networks():
    preset = PRESETS["coupling"]
    scans = [one for one in preset.experiments if isinstance(one, ThresholdScan)]
    conditions = {scan.run for one in scans for scan in one.scans.values()}
    assert len(conditions) >= 16
    for experiment in preset.experiments:
        plan = Plan.of(experiment)  # refuses a run that is in both parts
        seeds = {job.seed for jobs in plan.networks.values() for job in jobs}
        assert not seeds & {job.seed for jobs in plan.calibration.values() for job in jobs}


@pytest.mark.slow
def test_predictions_are_frozen_before_the_networks_are_trained_and_told_with_their_inputs(tmp_path):
    scan = Scan(RUN, [32, 64, 128], 2, scrambled=[32, 128], coupling=COUPLING)
    methods = (ReducedEquations(members=2, draws=40), ReducedEquations("scrambled", 1, members=2, draws=40))
    endless = RUN.with_(task_diversity=math.inf, seed=50, budget=400.0)
    times = ReducedTimes({"n7": COUPLING[:1]}, members=4, draws=40)
    experiment = AcquisitionTime({"n7": endless}, 3, 1.25, (times,))
    preset = Preset("toy", "", (ThresholdScan({"n7": scan}, methods, bar=1.25), experiment))
    report = run(preset, tmp_path, progress=False)
    claims = report.claims.select(quantity="K*")
    assert [claim.method for claim in claims] == ["reduced transformer", "reduced transformer, scrambled clock"]
    assert all("perceptrons alone" in claim.inputs[0] for claim in claims)
    assert "scrambled" in claims[1].inputs[1]
    assert claims[0].measured == claims[1].measured
    assert claims[0].predicted != claims[1].predicted
    claims = report.claims.select(quantity="t_ICL")
    assert {claim.method for claim in claims} == set(times.terms)
    assert all(0 < claim.predicted.low < math.inf for claim in claims)
    assert len({claim.predicted for claim in claims}) == 3 and len({claim.measured for claim in claims}) == 1
    assert "threshold_coupling_n7" in report.datasets
