"""The perceptrons of a forecast, and the forecast itself at sizes that take seconds."""

import json
import math
import sys

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap

import iclrace
from iclrace.cli import main
from iclrace.validate import RunStore
from iclrace.validate.networks import modules
from iclrace.validate.networks.stacked import stack
from iclrace.validate.predict.forecast import _noise, crossing
from iclrace.validate.training.coupling import (
    CouplingTraining,
    _Probes,
    _self_kernel,
    measured_coupling,
    train_coupling,
    train_couplings,
)
from iclrace.validate.training.perceptrons import squared_gradient

SMALL = CouplingTraining(32, 0, dimension=7, width=16, learning_rate=0.2, until=0.1)
SETTINGS = {"width": 16, "learning_rate": 0.2, "members": 2, "calibration_seeds": 1, "draws": 40, "progress": False}


@pytest.fixture(scope="module")
def readings():
    return train_coupling(SMALL)


def test_the_clock_is_the_integral_of_c1(readings):
    """Readings are apart by many steps of first order; the trapezium between them errs by its curvature."""
    assert readings.clock[0] == 0 and np.all(np.diff(readings.clock) > 0)
    assert readings.clock[-1] == pytest.approx(np.trapezoid(readings.c1, readings.time), rel=0.03)
    assert readings.c1[-1] < SMALL.until < readings.c1[-2]


def test_couplings_grow_while_the_perceptron_memorises(readings):
    for name in ("gain", "mean_gradient", "novel_std", "slope_square", "self_kernel"):
        assert readings[name][-1] > 5 * readings[name][0], name


def test_the_same_training_gives_the_same_readings_and_is_stored_once(tmp_path, readings):
    store = RunStore(tmp_path)
    (first,) = train_couplings([SMALL], store, progress=False)
    assert first.equals(readings)
    changed = (store.directory(SMALL) / "metrics.nc").stat().st_mtime_ns
    train_couplings([SMALL], store, progress=False)
    assert (store.directory(SMALL) / "metrics.nc").stat().st_mtime_ns == changed
    assert measured_coupling([SMALL], [first]).runs[0].total == first.clock[-1]


def test_kernels_are_those_of_every_gradient_by_itself():
    """Θ and k against autograd one item at a time, on a perceptron with weights of order one."""
    torch.manual_seed(0)
    net = modules.perceptron(9, 16, 1, 3).double()
    with torch.no_grad():
        for value in net.parameters():
            value.mul_(2.0)
    items = torch.randn(12, 9, dtype=torch.double)
    parameters = stack([net])
    whole = {name: value.detach() for name, value in net.named_parameters()}
    one = vmap(grad(lambda p, x: functional_call(net, p, x).squeeze()), in_dims=(None, 0))(whole, items)
    rows = torch.cat([value.reshape(12, -1) for value in one.values()], 1)
    expected = (rows - rows.mean(0)).square().sum(1).mean()
    assert _self_kernel(parameters, items) == pytest.approx(float(expected), rel=1e-9)

    v = torch.nn.functional.normalize(torch.randn(9, dtype=torch.double), dim=0)
    slope = grad(lambda p: grad(lambda x: functional_call(net, p, x).sum())(items).mean(0) @ v)(whole)
    expected = sum(float(value.square().sum()) for value in slope.values())
    for value in parameters.values():
        value.requires_grad_(True)
    at = items[None].clone().requires_grad_(True)
    from iclrace.validate.networks.stacked import perceptron

    (slopes,) = torch.autograd.grad(perceptron(parameters, "", at).sum(), at, create_graph=True)
    assert squared_gradient(slopes[0].mean(0) @ v, list(parameters.values())) == pytest.approx(expected, rel=1e-9)


def test_probes_do_not_depend_on_the_items_order():
    items = torch.randn(1, 32, 9)
    labels = 1.0 - 2.0 * (torch.arange(32) % 2)
    parameters = stack([modules.perceptron(9, 16, 1, 3)])
    for value in parameters.values():
        value.requires_grad_(True)
    margins = torch.linspace(-1, 1, 32)
    order = torch.randperm(32)
    first = _Probes(SMALL, items, labels).read(parameters, margins)
    second = _Probes(SMALL, items[:, order], labels[order]).read(parameters, margins[order])
    for name in first:
        assert second[name] == pytest.approx(first[name], rel=1e-3), name


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    return iclrace.predict(7, 7, budget=100.0, store=store, **SETTINGS), store


def test_a_forecast_says_where_icl_begins(forecast):
    found, _ = forecast
    assert found.threshold.low <= found.threshold.value <= found.threshold.high
    below, above = (found.curve.icl_accuracy.values[i] for i in (0, -1))
    assert below < 0.75 < above
    assert found.curve.phase.values[-1] == "in context"
    assert 0 < found.endless_time.low < 100
    assert found.assumptions and "perceptrons alone, seed 0" in found.inputs[0]


def test_the_batch_size_changes_no_number_and_says_whether_its_noise_was_tested(forecast):
    """Gradient flow has no batches: with smaller ones only the words change."""
    found, store = forecast
    loud = iclrace.predict(7, 7, budget=100.0, batch_size=4, store=store, **SETTINGS)
    assert loud.threshold == found.threshold
    assert loud.curve.equals(found.curve)
    assert any("rate over batch size is 0.05, above" in line for line in loud.assumptions)
    quiet = _noise(0.05, 128)
    assert "0.00039, where halving it moved" in quiet and "above" in _noise(0.05, 127)


def test_faster_memory_raises_the_threshold_and_shared_gain_lowers_it(forecast):
    found, store = forecast
    faster = iclrace.predict(7, 7, budget=100.0, rate_ratio=2.0, store=store, **SETTINGS)
    assert faster.threshold.value > found.threshold.value
    apart = iclrace.predict(7, 7, budget=100.0, independent=True, store=store, **SETTINGS)
    assert apart.threshold.value > found.threshold.value


def test_scrambled_clocks_that_are_shorter_raise_the_threshold(forecast):
    found, store = forecast
    alone = measured_coupling([r := CouplingTraining(128, 0, dimension=7, width=16, learning_rate=0.2)],
                              [RunStore(store).load(r)])  # fmt: skip
    half = {128.0: alone.total_clock(128) / 2}
    shorter = iclrace.predict(7, 7, budget=100.0, scrambled_clock=half, store=store, **SETTINGS)
    assert shorter.threshold.value > found.threshold.value


@pytest.fixture
def command(monkeypatch, capfd):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["iclrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capfd.readouterr()

    return run


def test_the_command_prints_what_python_returns(forecast, command):
    found, store = forecast
    small = ("-N", 7, "-D", 7, "--width", 16, "--learning-rate", 0.2, "--members", 2, "--calibration-seeds", 1,
             "--draws", 40, "--budget", 100, "--store", store)  # fmt: skip
    code, printed, error = command("predict", *small, "--json")
    assert code == 0, error
    rows = json.loads(printed)
    assert [row["icl_accuracy"] for row in rows] == found.curve.icl_accuracy.values.tolist()
    assert rows[0]["threshold"] == found.threshold.value and rows[0]["budget"] == 100
    code, printed, _ = command("predict", *small, "-K", "64,inf", "--csv", store / "t.csv", "--plot", store / "t.svg")
    assert (store / "t.csv").read_text().startswith("context_length,task_diversity,icl_accuracy") and (
        store / "t.svg"
    ).exists()
    assert code == 0 and "K* = " in printed and "at t = 100" in printed and "assumed:" in printed


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [("-N", 1, "context_length"), ("-K", "a,b", "-K"), ("-K", "1", "task_diversity"), ("--budget", 0, "budget"),
     ("--rate-ratio", -1, "rate_ratio"), ("--copies", 31, "copies"), ("--draws", 0, "draws"), ("--decay", -1, "decay"),
     ("--members", 0, "members"), ("--batch-size", 0, "batch_size"), ("--learning-rate", 0, "learning_rate")],
)  # fmt: skip
def test_bad_input_is_refused_by_name_before_anything_is_trained(command, tmp_path, option, value, named):
    code, _, error = command("predict", option, value, "--store", tmp_path / "store")
    assert code == 2 and named in error, error
    assert not list((tmp_path / "store").glob("runs/*"))


def test_the_minimal_models_network_needs_more_items_than_its_circuit(tmp_path, command):
    """Memory is noise on novel items: K* of the whole network lies above the circuit's."""
    small = ("--network", "minimal", "-N", 25, "-D", 15, "--width", 32, "--learning-rate", 0.3, "--budget", 400,
             "--calibration-seeds", 1, "--store", tmp_path)  # fmt: skip
    code, printed, error = command("predict", *small, "--json")
    assert code == 0, error
    rows = json.loads(printed)
    assert 16 < rows[0]["circuit_threshold"] < rows[0]["threshold"] < 2 * rows[0]["circuit_threshold"]
    assert all(row["icl_accuracy"] <= row["circuit_accuracy"] + 0.01 for row in rows)
    code, _, error = command("predict", *small, "--attention-scale", 2)
    assert code == 2 and "--attention-scale" in error
    assert command("predict", "--network", "other")[0] == 2


def test_no_threshold_is_found_where_none_is():
    assert math.isinf(crossing(np.array([1.0, 2.0]), np.array([0.5, 0.6])))
