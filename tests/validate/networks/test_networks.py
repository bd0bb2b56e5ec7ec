"""The ensembles compute the plain modules' logits and gradients; their initialisation is PyTorch's."""

import math
import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from iclrace.theory import Task
from iclrace.validate import Run
from iclrace.validate.data.seeds import Purpose, derive_seed
from iclrace.validate.data.sequences import Batch, Sequences
from iclrace.validate.networks.computation import Differentiated, computation_of
from iclrace.validate.networks.modules import MinimalModel, Transformer, context_tokens, target_tokens
from iclrace.validate.networks.stacked import MinimalEnsemble, TransformerEnsemble
from iclrace.validate.training.trainer import EnsembleTrainer

CONFIGURATIONS = range(20)
# Relative error of a sum of a few hundred products: about sqrt(300) units in the last place, with a margin of 5.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def configuration(i):
    rng = np.random.default_rng(i)
    task = Task(int(rng.integers(3, 20)), dimension=int(rng.integers(3, 20)), target_in_softmax=bool(i % 3 == 0))
    k = [float(2 * rng.integers(3, 30)) for _ in range(3)] if i % 4 else [math.inf] * 3
    return task, k, int(rng.integers(4, 24)), [int(s) for s in rng.integers(0, 1000, 3)]


def moved_norms(parameters, seed):
    """LayerNorm's gain and shift away from (1, 0), where parts of the gradient would drop out."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + 0.3 * torch.randn(value.shape, generator=generator) if name.startswith("norm.") else value
        for name, value in parameters.items()
    }


def plain_logits(model, batch: Batch, s: int, dtype):
    items, labels = batch.table.items[s].to(dtype), batch.table.labels[s].to(dtype)
    context, target = batch.context[s], batch.target[s]
    if isinstance(model, MinimalModel):
        return model(items[context], labels[context], items[target])
    tokens = torch.cat([context_tokens(items[context], labels[context]), target_tokens(items[target])[:, None]], 1)
    return model(tokens)


def relative(a, b):
    return float((a - b).detach().norm() / (b.detach().norm() + 1e-30))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["minimal", "transformer", "deep"])
@pytest.mark.parametrize("i", CONFIGURATIONS)
def test_logits_and_gradients_equal_the_plain_modules(kind, i, dtype):
    task, k, width, seeds = configuration(i)
    batch = Sequences(task, k, seeds, 16, noise=0.5 * (i % 5 == 0), shuffled=kind == "deep", dtype=dtype).batch(0)
    if kind == "minimal":
        ensemble = MinimalEnsemble(task.target_in_softmax)
        w0, beta0 = [0.3, -0.2, 1.0], [0.5, -1.0, 2.0]
        parameters = ensemble.initialise(seeds, int(task.dimension), width, 3, w0, beta0)
        models = [
            MinimalModel(int(task.dimension), width, w0=w, beta0=b, target_in_softmax=task.target_in_softmax)
            for w, b in zip(w0, beta0, strict=True)
        ]
    else:
        depth = 1 if kind == "transformer" else 2 + i % 2
        scale = 1.0 if kind == "deep" else (1.0, 0.5, 2.0)[i % 3]
        ensemble = TransformerEnsemble(depth, scale)
        parameters = moved_norms(ensemble.initialise(seeds, int(task.dimension), width, 3), i)
        models = [Transformer(int(task.dimension), width, depth=depth, residual_scale=scale) for _ in seeds]
    parameters = {name: value.to(dtype).requires_grad_(True) for name, value in parameters.items()}
    logits, _ = ensemble.forward(parameters, batch)
    F.softplus(-logits * batch.target_labels).mean(1).sum().backward()
    for s, model in enumerate(models):
        model.to(dtype).load_state_dict({name: value[s].detach() for name, value in parameters.items()})
        plain = plain_logits(model, batch, s, dtype)
        F.softplus(-plain * batch.target_labels[s]).mean().backward()
        assert relative(logits[s], plain) < TOLERANCE[dtype]
        gradients = dict(model.named_parameters())
        largest = max(float(value.grad.norm()) for value in gradients.values() if value.grad is not None)
        for name, value in gradients.items():
            assert value.grad is not None
            ours = parameters[name].grad
            assert ours is not None
            # Against the largest gradient: some are zero but for rounding (a shift common to all scores).
            assert float((ours[s] - value.grad).norm()) < TOLERANCE[dtype] * largest


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["minimal", "transformer"])
@pytest.mark.parametrize("i", CONFIGURATIONS)
def test_the_hand_written_step_is_the_differentiated_one(kind, i, dtype):
    task, k, width, seeds = configuration(i)
    changes = {}
    if kind == "transformer":
        task, changes = Task(task.context_length, dimension=task.dimension), {"residual_scale": (1.0, 0.5, 2.0)[i % 3]}
    run = Run(
        kind, task, 0, width=width, learning_rate=0.2, rate_ratio=0.5, batch_size=16, budget=1, w0=0.3,
        beta0=None if kind == "minimal" else 0.5, decay_attention=0.05 * (i % 2),
        decay_memory=0.01 * (i % 2), noise=0.5 * (i % 5 == 0), test_size=10, **changes,
    )  # fmt: skip
    runs = [run.with_(task_diversity=size, seed=seed) for size, seed in zip(k, seeds, strict=True)]
    ours, reference = EnsembleTrainer(runs, dtype=dtype), EnsembleTrainer(runs, dtype=dtype)
    reference.computation = Differentiated(computation_reference(run))
    assert not isinstance(ours.computation, Differentiated)
    if kind == "transformer":
        for trainer in (ours, reference):
            trainer.parameters = moved_norms(trainer.parameters, i)
    outputs = [t.computation.forward(t.parameters, t.icl_test) for t in (ours, reference)]
    for mine, theirs in zip(*outputs, strict=True):
        assert relative(mine, theirs) < TOLERANCE[dtype]
    start = {name: value.clone() for name, value in ours.parameters.items()}
    for trainer in (ours, reference):
        trainer._train_step()
    largest = max(float((value - start[name]).norm()) for name, value in reference.parameters.items())
    for name, value in reference.parameters.items():
        # A weight of order 1 keeps a change to half a unit in its last place, whatever the step.
        rounding = torch.finfo(dtype).eps * float(value.norm())
        assert float((ours.parameters[name] - value).norm()) < TOLERANCE[dtype] * largest + rounding
    assert relative(ours.loss_sum, reference.loss_sum) < TOLERANCE[dtype]


def computation_reference(run):
    if run.network == "minimal":
        return MinimalEnsemble(run.task.target_in_softmax)
    return TransformerEnsemble(residual_scale=run.residual_scale)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling for a CPU needs a C++ compiler")
@pytest.mark.parametrize(("kind", "depth", "size"), [("minimal", 1, 64), ("transformer", 2, math.inf)])
def test_the_compiled_step_is_the_differentiated_one(kind, depth, size):
    """What other devices run, here on a CPU; one network leaves after the first step."""
    run = Run(kind, Task(5, size, 7), 0, width=8, depth=depth, learning_rate=0.2, batch_size=16, budget=1, test_size=10)
    trainers = [EnsembleTrainer([run, run.with_(seed=1)], dtype=torch.float64) for _ in range(2)]
    for trainer, compiled in zip(trainers, (False, True), strict=True):
        trainer.computation = Differentiated(trainer.computation.ensemble if depth > 1 else MinimalEnsemble(), compiled)
        trainer._train_step()
        trainer.active = [1]
        trainer.parameters = {name: value[1:] for name, value in trainer.parameters.items()}
        trainer._prepare()
        trainer._train_step()
    for name, value in trainers[0].parameters.items():
        assert relative(trainers[1].parameters[name], value) < TOLERANCE[torch.float64]


def test_other_devices_and_depths_are_differentiated():
    run = Run("transformer", Task(6, dimension=5), 0)
    assert isinstance(computation_of(run, portable=True), Differentiated)
    assert isinstance(computation_of(run.with_(depth=2)), Differentiated)


@pytest.mark.parametrize("kind", ["minimal", "transformer", "deep"])
def test_initialisation_is_pytorchs_for_the_same_seed(kind):
    seeds = [3, 11]
    if kind == "minimal":
        parameters = MinimalEnsemble().initialise(seeds, 9, 8, 3, [0.0, 0.0], [0.0, 0.0])
    else:
        depth = 1 if kind == "transformer" else 2
        parameters = TransformerEnsemble(depth).initialise(seeds, 9, 8, 3)
    for s, seed in enumerate(seeds):
        torch.manual_seed(derive_seed(seed, Purpose.INITIALISATION))
        model = MinimalModel(9, 8) if kind == "minimal" else Transformer(9, 8, depth=depth)
        for name, value in model.named_parameters():
            assert torch.equal(parameters[name][s], value)


def test_initialisation_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    TransformerEnsemble().initialise([1], 5, 4, 3)
    assert torch.equal(before, torch.get_rng_state())
