"""Training on a device that is not the CPU, without one: every tensor is where it belongs, and no step waits."""

import math
import sys
from pathlib import Path

import pytest
import torch

from iclrace.theory import Task
from iclrace.validate import Run, run, train
from iclrace.validate.training import devices, evaluation
from iclrace.validate.training.coupling import CouplingTraining, train_coupling
from iclrace.validate.training.memory import MemoryTraining, train_memory
from iclrace.validate.training.trainer import EnsembleTrainer

sys.path.insert(0, str(Path(__file__).parent))
from elsewhere import DEVICE, elsewhere

SETTINGS = {"width": 8, "learning_rate": 0.1, "batch_size": 8, "budget": 0.9, "evaluate_every": 0.3, "test_size": 20}
RUN = Run("transformer", Task(6, 8, 5), 0, **SETTINGS)
MINIMAL = Run("minimal", Task(6, 8, 5), 0, **SETTINGS)
ITEMS = torch.randn(30, 5, generator=torch.Generator().manual_seed(0)).double().numpy() / 5**0.5


def bag(run):
    size = (run.task.context_length + 1) * (int(run.task.dimension) + 2)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, 1), torch.nn.Flatten(0))


RUNS = {
    "transformer": RUN,
    "transformer, K → ∞": RUN.with_(task_diversity=math.inf),
    "minimal": MINIMAL,
    "minimal, K → ∞": MINIMAL.with_(task_diversity=math.inf, labels="balanced"),
    "minimal, target inside": MINIMAL.with_(target_in_softmax=True, decay_memory=0.1),
    "co-integration": MINIMAL.with_(network="cointegration"),
    "depth 2": RUN.with_(depth=2),
    "noise and copies": RUN.with_(noise=0.5, copies=2),
    "noise, K → ∞": MINIMAL.with_(task_diversity=math.inf, noise=0.5),
    "frequencies": RUN.with_(frequency_exponent=1.0),
    "scrambled": RUN.with_(scrambled=True),
    "fresh share": RUN.with_(fresh_share=0.3),
    "adam": RUN.with_(optimiser="adam", budget=9.0, evaluate_every=3.0),
    "momentum": RUN.with_(momentum=0.5),
    "own items": RUN.with_(items=ITEMS),
    "own items, K → ∞": RUN.with_(items=ITEMS, task_diversity=math.inf),
    "own network": RUN.with_(network=bag),
}
RECORDED = [name for name in RUNS if name not in ("co-integration", "fresh share", "own network")]


def trained(runs, device):
    """A trainer at its end, interrupted and continued after the first stretch."""
    first = EnsembleTrainer(runs, device, portable=True)
    first.advance()
    state = {name: value.clone() for name, value in first.state().items()}
    trainer = EnsembleTrainer(runs, device, portable=True)
    trainer.restore(state)
    while trainer.active:
        trainer.advance()
    return trainer


@pytest.mark.parametrize("name", RUNS)
def test_training_elsewhere_is_training_here(name):
    """Bit for bit, for the same operations are done; on the device any of the CPU's tensors among them would raise."""
    runs = [RUNS[name].with_(seed=seed) for seed in range(2)]
    here = trained(runs, "cpu")
    with elsewhere():
        there = trained(runs, DEVICE)
    for s in range(2):
        assert there.dataset(s).drop_attrs().identical(here.dataset(s).drop_attrs())
        for parameter, value in here.finished[s].items():
            assert type(there.finished[s][parameter]) is torch.Tensor
            assert torch.equal(there.finished[s][parameter], value)
    assert there.dataset(0).attrs["device"] == DEVICE


@pytest.mark.parametrize("name", RECORDED)
def test_a_step_that_can_be_recorded_waits_for_nothing(name):
    with elsewhere() as waits:
        trainer = EnsembleTrainer([RUNS[name].with_(seed=seed) for seed in range(2)], DEVICE)
        addresses = None
        for _ in range(3):
            del waits[:]
            trainer._train_step()
            held = [value.held.data_ptr() for value in trainer.parameters.values()]
            assert addresses in (None, held), "a recorded step would go on changing the tensors of the first"
            addresses = held
    assert not waits


def test_the_stand_in_sees_what_a_device_would_refuse():
    with elsewhere() as waits:
        there, here = torch.ones(3, device=DEVICE), torch.ones(3)
        with pytest.raises(RuntimeError, match="same device"):
            there + here
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        assert not waits
        for wait in (lambda: float(there.sum()), lambda: there[[0, 1]], lambda: here.to(DEVICE), lambda: there.cpu()):
            del waits[:]
            wait()
            assert waits


@pytest.mark.parametrize(
    ("train_one", "training"),
    [
        (train_memory, MemoryTraining(16, 1, dimension=7, width=8, budget=3.0)),
        (train_memory, MemoryTraining(16, 1, dimension=7, width=8, budget=3.0, frequency_exponent=1.0)),
        (train_coupling, CouplingTraining(16, 1, dimension=7, width=8, budget=1.0)),
        (train_coupling, CouplingTraining(16, 1, dimension=7, width=8, budget=1.0, fresh_share=0.2)),
    ],
)
def test_perceptrons_alone_are_trained_there_as_here(train_one, training):
    here = train_one(training)
    with elsewhere():
        there = train_one(training, device=DEVICE)
    assert there.identical(here)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:0", "", "meta"])
def test_a_word_that_is_no_device_is_refused(device):
    with pytest.raises(ValueError, match="must be cpu, cuda, or"):
        devices.usable(device)


def test_a_device_that_is_not_there_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    for call in (
        lambda: train(RUN, tmp_path / "out", device="cuda"),
        lambda: run("smoke", tmp_path / "out", device="cuda"),
    ):
        with pytest.raises(ValueError, match="was built without CUDA, but it is 'cuda'"):
            call()
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert devices.usable("cuda") == "cuda"
    with pytest.raises(ValueError, match="below cuda:1 here, for PyTorch finds 1 GPU, but it is 'cuda:1'"):
        devices.usable("cuda:1")
    assert not (tmp_path / "out").exists()


def test_a_device_evaluates_as_many_networks_at_once_as_it_has_memory_for(monkeypatch):
    runs = [RUN.with_(seed=seed) for seed in range(3)]
    with elsewhere():
        trainer = EnsembleTrainer(runs, DEVICE)
        tests, found = (trainer.icl_test, trainer.iwl_test), []
        for most in (2**28, 2 * 20 * 6 * 7, 1):  # all three, two and one, one by one
            monkeypatch.setattr(evaluation, "_TOKENS_AT_ONCE", most)
            assert evaluation._networks_at_once(tests[0]) == min(max(most // (20 * 6 * 7), 1), 2**28 // (20 * 6 * 7))
            found.append(evaluation.evaluate(trainer.computation, trainer.parameters, *tests))
        for name, whole in found[0].items():
            for parts in found[1:]:  # other shapes of products, other orders of their sums
                assert torch.allclose(parts[name].cpu(), whole.cpu(), rtol=1e-5, atol=1e-6)
