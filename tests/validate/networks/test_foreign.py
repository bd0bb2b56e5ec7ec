"""Networks of the user's own train like the package's: alone, stacked and resumed; optimisers are PyTorch's."""

import linecache
import math
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from iclrace.theory import Task
from iclrace.validate import Run, RunStore, register_network, train
from iclrace.validate.data.seeds import Purpose, derive_seed
from iclrace.validate.data.sequences import Sequences
from iclrace.validate.networks import foreign
from iclrace.validate.networks.computation import Differentiated
from iclrace.validate.networks.foreign import ForeignEnsemble
from iclrace.validate.networks.modules import Transformer
from iclrace.validate.networks.stacked import sequence_tokens
from iclrace.validate.training.config import content_key
from iclrace.validate.training.trainer import EnsembleTrainer

TASK = Task(5, 16, 7)
SETTINGS = {"width": 8, "learning_rate": 0.2, "batch_size": 16, "budget": 2.0, "evaluate_every": 1.0, "test_size": 40}


def as_the_paper(run):
    """The package's own transformer, handed in as if it were foreign."""
    return Transformer(int(run.task.dimension), run.width)


class TwoHeads(nn.Module):
    """Two attention layers of two heads, GELU, LayerNorm before each."""

    def __init__(self, size, width):
        super().__init__()
        self.embed = nn.Linear(size, width)
        self.layers = nn.ModuleList(nn.ModuleList([nn.LayerNorm(width), nn.Linear(width, 3 * width)]) for _ in range(2))
        self.read = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.register_buffer("scale", torch.tensor(0.5))

    def forward(self, tokens):
        x = self.embed(tokens)
        for norm, project in self.layers:
            q, k, v = (part.unflatten(-1, (2, -1)).transpose(-2, -3) for part in project(norm(x)).chunk(3, -1))
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.scale * attended.transpose(-2, -3).flatten(-2)
        return self.read(x[..., -1, :]).squeeze(-1)


def two_heads(run):
    return TwoHeads(int(run.task.dimension) + 2, run.width)


def sorts(run):
    """A module whose forward pass depends on values, which vmap refuses."""

    class Loops(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = nn.Linear(int(run.task.dimension) + 2, 1)

        def forward(self, tokens):
            z = self.map(tokens[:, -1]).squeeze(-1)
            return z if float(z.detach().sum()) > 0 else 2 * z

    return Loops()


def test_the_packages_transformer_handed_in_as_a_module_is_the_packages_transformer():
    """Data, initialisation and steps are the same; the order of tokens, which one layer does not see, is not."""
    run = Run(as_the_paper, TASK, 3, **SETTINGS)
    own = Run("transformer", TASK, 3, **SETTINGS)
    foreign, reference = (EnsembleTrainer([one, one.with_(seed=4)], dtype=torch.float64) for one in (run, own))
    for trainer in (foreign, reference):
        for _ in range(3):
            trainer._train_step()
    for name, value in reference.parameters.items():
        assert torch.allclose(foreign.parameters[name], value, atol=1e-10), name


@pytest.mark.parametrize(("factory", "together"), [(two_heads, True), (sorts, False)])
def test_stacked_networks_are_the_modules_one_by_one(factory, together):
    run = Run(factory, TASK, 0, **SETTINGS)
    ensemble = ForeignEnsemble(run)
    assert ensemble.together == together
    parameters = ensemble.initialise([1, 2], 7, 8, 3)
    batch = Sequences(TASK, (16, 16), (1, 2), 12, shuffled=True).batch(0)
    logits, _ = ensemble.forward(parameters, batch)
    for s, seed in enumerate((1, 2)):
        torch.manual_seed(derive_seed(seed, Purpose.INITIALISATION))
        module = factory(run)
        for name, value in module.named_parameters():
            assert torch.equal(parameters[name][s], value)
        assert torch.allclose(module(sequence_tokens(batch)[s]), logits[s], atol=1e-6)


@pytest.mark.parametrize("optimiser", ["momentum", "adam"])
@pytest.mark.parametrize("network", ["minimal", two_heads])
def test_momentum_and_adam_are_pytorchs(network, optimiser):
    changes = {"momentum": 0.9} if optimiser == "momentum" else {"optimiser": "adam", "budget": 10, "evaluate_every": 5}
    run = Run(network, TASK, 0, decay_attention=0.01, **{**SETTINGS, **changes, "learning_rate": 0.01})
    trainer = EnsembleTrainer([run, run.with_(seed=1)], dtype=torch.float64)
    reference = {name: value.clone().requires_grad_(True) for name, value in trainer.parameters.items()}
    memory = [value for name, value in reference.items() if name.startswith("memory.") and network == "minimal"]
    rest = [value for value in reference.values() if not any(value is one for one in memory)]
    groups = [{"params": rest, "weight_decay": 0.01}, *([{"params": memory}] if memory else [])]
    if optimiser == "adam":
        torchs = torch.optim.Adam(groups, lr=0.01)
    else:
        torchs = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    computation = trainer.computation
    assert isinstance(computation, Differentiated)
    for step in range(5):
        with torch.enable_grad():
            torchs.zero_grad()
            computation._losses(reference, trainer.sequences.batch(step)).sum().backward()
            torchs.step()
        trainer._train_step()
    for name, value in reference.items():
        assert torch.allclose(trainer.parameters[name], value, atol=1e-12), name


def test_time_counts_the_effective_rate_or_steps():
    run = Run("transformer", TASK, 0, **SETTINGS)
    assert run.with_(momentum=0.9).time_step == pytest.approx(2.0)
    adam = run.with_(optimiser="adam", budget=100.0, evaluate_every=10.0)
    assert (adam.time_step, adam.steps_between_evaluations, adam.evaluations) == (1.0, 10, 11)
    assert {"optimiser", "momentum"}.isdisjoint(run.as_json())
    assert content_key(run.as_json()) != content_key(adam.as_json())


def test_runs_go_through_the_store_and_adam_has_no_clock(tmp_path):
    settings = {**SETTINGS, "budget": 20.0, "evaluate_every": 10.0}
    runs = [Run(two_heads, TASK, s, optimiser="adam", scrambled=True, **settings) for s in range(2)]
    curves = train(runs, tmp_path, progress=False)
    assert curves.time.values.tolist() == [0.0, 10.0, 20.0] and curves.time.attrs["units"] == "steps"
    assert np.isnan(curves.clock).all() and np.isfinite(curves.icl_accuracy).all()
    endless = [Run(two_heads, Task(5, math.inf, 7), s, **SETTINGS) for s in range(2)]
    curves = train(endless, tmp_path, progress=False)
    assert np.isfinite(curves.clock).all()
    assert all(run in RunStore(tmp_path) for run in [*runs, *endless])


@pytest.mark.parametrize("changes", [{"momentum": 0.5}, {"optimiser": "adam", "budget": 8.0, "evaluate_every": 2.0}])
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(changes):
    run = Run(two_heads, TASK, 0, **{**SETTINGS, **changes})
    whole, first, second = (EnsembleTrainer([run, run.with_(seed=1)]) for _ in range(3))
    for trainer, advances in ((whole, 4), (first, 2)):
        for _ in range(advances):
            trainer.advance()
    second.restore(first.state())
    for _ in range(2):
        second.advance()
    for name, value in whole.parameters.items():
        assert torch.equal(second.parameters[name], value)
    assert set(whole.memory) == set(second.memory) and whole.memory


def test_the_address_follows_the_source(tmp_path, monkeypatch):
    path = tmp_path / "mine.py"
    module = "nn.Sequential(nn.Flatten(), nn.Linear(54, 1), nn.Flatten(0))"
    text = f"from torch import nn\n\ndef build(run):\n    return {module}\n"
    monkeypatch.syspath_prepend(str(tmp_path))
    keys = []
    for tail in ("", "# another comment is another source\n"):
        path.write_text(text + tail)
        sys.modules.pop("mine", None)
        foreign._registered.pop("mine:build", None)
        linecache.clearcache()
        keys.append(content_key(Run("mine:build", TASK, 0, **SETTINGS).as_json()))
    assert keys[0] != keys[1]
    with pytest.raises(ValueError, match="rate_ratio"):
        Run("mine:build", TASK, 0, rate_ratio=2.0)


def test_the_memory_takes_its_own_rate():
    register_network("slow readout", two_heads, memory=lambda name: name.startswith("read."))
    runs = [Run("slow readout", TASK, 0, rate_ratio=r, **SETTINGS) for r in (1.0, 0.5)]
    starts = EnsembleTrainer(runs[:1]).parameters
    moved = []
    for run in runs:
        trainer = EnsembleTrainer([run])
        trainer._train_step()
        moved.append({name: value - starts[name] for name, value in trainer.parameters.items()})
    for name in starts:
        factor = 0.5 if name.startswith("read.") else 1.0
        assert torch.allclose(moved[1][name], factor * moved[0][name], atol=1e-7), name


def flat(last):
    return nn.Sequential(nn.Flatten(), nn.Linear(54, 1), last, nn.Flatten(0))


BAD = {
    "no module": (lambda run: 3, "torch.nn.Module"),
    "wrong shape": (lambda run: nn.Linear(9, 2), r"logits of shape \(B,\)"),
    "random": (lambda run: flat(nn.Dropout(0.5)), "deterministic"),
    "statistics": (lambda run: flat(nn.BatchNorm1d(1)), "buffers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_function_from_tokens_to_logits_is_refused_by_name(kind):
    factory, message = BAD[kind]
    register_network(kind, factory)
    with pytest.raises(ValueError, match=f"Argument 'network' must.*{message}"):
        ForeignEnsemble(Run(kind, TASK, 0, **SETTINGS))


@pytest.mark.parametrize("name", ["nothing", "no.such.module:build", "math:no_such", ":", "json:"])
def test_unknown_networks_are_refused_by_name(name):
    with pytest.raises(ValueError, match="Argument 'network' must"):
        Run(name, TASK, 0)


def test_names_of_the_package_are_not_given_away():
    with pytest.raises(ValueError, match="Argument 'name' must"):
        register_network("transformer", two_heads)
