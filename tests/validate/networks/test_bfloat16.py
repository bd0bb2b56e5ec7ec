"""The perceptron's products in bfloat16: its roundings, a step against one in float64 with the same, and t_ICL."""

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from iclrace.cli import main
from iclrace.cli.app import app
from iclrace.theory import Task
from iclrace.validate import Run, RunStore, train
from iclrace.validate.networks import bfloat16
from iclrace.validate.networks.fused import Perceptron
from iclrace.validate.networks.stacked import Parameters, TransformerEnsemble, perceptron_layers
from iclrace.validate.training.config import content_key
from iclrace.validate.training.evaluation import METRICS
from iclrace.validate.training.groups import group
from iclrace.validate.training.trainer import EnsembleTrainer

RUN = Run("transformer", Task(8, 64, 7), 0, width=16, learning_rate=0.1, batch_size=32, budget=2, test_size=20)
needed = pytest.mark.skipif(not bfloat16.is_supported(), reason="this processor has no AVX-512 BF16")


def test_rounding_is_pytorchs():
    """To the nearest, ties to even, over random bits, exact ties, infinities and the largest numbers."""
    bits = np.random.default_rng(0).integers(-(2**31), 2**31, 64_000).astype(np.int32)
    bits[::2] = bits[::2] & ~0xFFFF | 0x8000
    values = np.append(bits.view(np.float32), np.float32([np.inf, -np.inf, 0.0, 3.4028235e38, 1e-45, 1.0]))
    values = values[~np.isnan(values)]
    weight, rounded = values.reshape(1, 1, -1).copy(), np.empty((1, 1, len(values)), np.int16)
    bfloat16.follow(weight, np.zeros_like(rounded), np.ones(1, np.float32), rounded)
    assert np.array_equal(weight[0, 0], values)
    assert np.array_equal(rounded[0, 0], torch.from_numpy(values).bfloat16().view(torch.int16).numpy())
    assert not np.array_equal(rounded[0, 0], (values.view(np.int32) >> 16).astype(np.int16))  # cut, not rounded


def test_what_diverged_stays_not_a_number():
    values = torch.tensor([[[math.nan, -1.0, 2.0]]]).bfloat16()
    bfloat16.rectify(values.view(torch.int16).numpy(), np.zeros((1, 3), np.float32))
    assert values.isnan().tolist() == [[[True, False, False]]]
    assert values[0, 0, 1:].tolist() == [0.0, 2.0]


def reference(start: Parameters, rates: Parameters, decays: Parameters, x, labels):
    """One step in float64, rounded to bfloat16 where the class says so: parameters, losses, the error at the inputs."""

    def half(value):
        return value.bfloat16().double()

    p = {name: value.double() for name, value in start.items()}
    *hidden, (last, bias) = perceptron_layers(start, "memory.")
    seen = [half(x)]
    for w, b in hidden:
        seen.append(half(torch.relu(half(seen[-1] @ half(start[w]).mT) + p[b][:, None])))
    margins = (seen[-1] @ p[last].mT + p[bias][:, None]).squeeze(-1) * labels
    error = (torch.sigmoid(-margins) * labels * rates["memory.0.bias"] * (-1 / x.shape[1]))[..., None]
    changes = {last: error.mT @ seen[-1], bias: error.sum(1)}
    back = half(error @ p[last])
    for (w, b), above, below in zip(reversed(hidden), reversed(seen[1:]), reversed(seen[:-1]), strict=True):
        back = back * (above > 0)
        changes |= {w: half(back.mT @ below), b: back.sum(1)}
        back = half(back @ half(start[w]))
    after = {name: p[name] * (1 + rates[name] * decays.get(name, 0.0)) + change for name, change in changes.items()}
    return after, torch.nn.functional.softplus(-margins).mean(1), back


@needed
@pytest.mark.parametrize("layers", [2, 3, 4])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_a_step_is_that_of_float64_with_the_same_roundings(layers, decay):
    """A sum that lies near a tie falls to one side in float32 and to the other in float64: of 16 bits that the sums
    have more than what they are rounded to, a few of the last differ, in one number of a thousand or so, by 2⁻⁸. That
    is 1e-4 of a norm; through the rectifier and two layers, 1e-3. Control: a step in float32 is ten times as far."""
    torch.manual_seed(layers)
    start = TransformerEnsemble().initialise([0, 1], 31, 64, layers)
    rates = {name: torch.full((2, *[1] * (value.ndim - 1)), -0.1) for name, value in start.items()}
    decays = {name: torch.full_like(rate, decay) for name, rate in rates.items()} if decay else {}
    x, labels = torch.randn(2, 48, 33), torch.randn(2, 48).sign()
    after, losses, error = reference(start, rates, decays, x, labels)

    def distances(kind):
        ours = {name: value.clone() for name, value in start.items()}
        with torch.no_grad():
            loss, back = kind(ours, rates, decays).step(x, None, labels)
        yield float((loss - losses).norm() / losses.norm())
        yield float((back - error).norm() / error.norm())
        for name, value in after.items():
            unchanged = start[name].double()
            # A weight of order 1 keeps a change to half a unit in its last place.
            rounding = torch.finfo(torch.float32).eps * float(unchanged.norm())
            yield max(0.0, float((ours[name] - value).norm()) - rounding) / float((value - unchanged).norm())

    assert max(distances(bfloat16.Bfloat16Perceptron)) < 1e-3
    assert max(distances(Perceptron)) > 1e-2


def test_what_cannot_have_it_is_refused():
    assert replace(RUN, network="minimal", precision="bf16").precision == "bf16"
    for changes in (
        {"depth": 2},
        {"optimiser": "adam"},
        {"momentum": 0.5},
        {"network": "cointegration"},
        {"layers": 1},
    ):
        with pytest.raises(ValueError, match="'precision' must be float32 but for"):
            replace(RUN, precision="bf16", **changes)
    with pytest.raises(ValueError, match="'precision' must be float32 or bf16, but it is 'float16'"):
        replace(RUN, precision="float16")


def test_runs_of_two_precisions_have_two_addresses_and_are_trained_apart():
    half = replace(RUN, precision="bf16")
    assert "precision" not in RUN.as_json()
    assert half.as_json() == RUN.as_json() | {"precision": "bf16"}
    assert content_key(half.as_json()) != content_key(RUN.as_json())
    assert group([RUN, half, replace(RUN, seed=1)]) == [[RUN, replace(RUN, seed=1)], [half]]


def test_another_processor_trains_none_and_reads_what_is_stored(tmp_path, monkeypatch, capsys):
    half = replace(RUN, precision="bf16")
    if bfloat16.is_supported():
        train(half, tmp_path / "here", progress=False)
    monkeypatch.setattr("iclrace.validate.training.devices.is_supported", lambda: False)
    with pytest.raises(ValueError, match="'precision' must be float32 here, for this processor has no AVX-512 BF16"):
        train(half, tmp_path / "there", progress=False)
    assert half not in RunStore(tmp_path / "there")
    if half in RunStore(tmp_path / "here"):
        assert train(half, tmp_path / "here", progress=False).sizes["time"] > 1
    words = ["train", "-N", "8", "-K", "64", "-D", "7", "--budget", "1", "--precision", "bf16"]
    monkeypatch.setattr(sys, "argv", ["iclrace", *words, "--out", str(tmp_path / "there")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "'precision' must be float32 here" in " ".join(capsys.readouterr().err.split())


@needed
def test_the_command_trains_in_it_and_the_store_says_so(tmp_path):
    size = ["-N", "8", "-K", "64", "-D", "7", "--width", "16", "--budget", "1", "--test-size", "20"]
    said = CliRunner().invoke(app, ["train", *size, "--precision", "bf16", "--out", str(tmp_path)])
    assert said.exit_code == 0, said.output
    stored = [json.loads(path.read_text("utf-8")) for path in tmp_path.rglob("config.json")]
    assert [entry["precision"] for entry in stored] == ["bf16"]


@needed
@pytest.mark.slow
def test_times_of_acquisition_are_those_of_float32(monkeypatch):
    """The ratio of geometric means of t_ICL over the same seeds: 1 within four standard errors, which are below 2 %.

    Control: with errors cut to one or two bits, towards zero, the perceptron's gradients are too small, and it shows.
    """
    run = Run(
        "transformer", Task(8, math.inf, 15), 0, width=32, learning_rate=0.1, batch_size=64, budget=150,
        evaluate_every=2.0, test_size=300, stop_acquired=True,
    )  # fmt: skip

    def times(precision):
        trainer = EnsembleTrainer([replace(run, seed=seed, precision=precision) for seed in range(12)])
        while trainer.active:
            trainer.advance()
        acquired = trainer.metrics[:, METRICS.index("icl_accuracy")] > 0.95
        assert acquired.any(0).all()
        return acquired.argmax(0)

    def ratio(of, to):
        logarithms = np.log(of / to)
        return logarithms.mean(), 4 * logarithms.std(ddof=1) / math.sqrt(len(logarithms))

    exact = times("float32")
    mean, bound = ratio(times("bf16"), exact)
    assert abs(mean) < bound < 0.02
    mask = bfloat16.mask

    def cutting(error, activation, total):
        np.bitwise_and(error, -64, out=error)
        mask(error, activation, total)

    monkeypatch.setattr(bfloat16, "mask", cutting)
    mean, bound = ratio(times("bf16"), exact)
    assert mean > bound
    assert mean > 0.1
