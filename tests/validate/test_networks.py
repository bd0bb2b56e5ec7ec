"""The ensembles compute the plain modules' logits and gradients; their initialisation is PyTorch's."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from iclrace.theory import Task
from iclrace.validate.ensemble import MinimalEnsemble, TransformerEnsemble
from iclrace.validate.networks import MinimalModel, Transformer, context_tokens, target_tokens
from iclrace.validate.seeds import Purpose, derive_seed
from iclrace.validate.sequences import Batch, Sequences

CONFIGURATIONS = range(20)
# Relative error of a sum of a few hundred products: about sqrt(300) units in the last place, with a margin of 5.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def configuration(i):
    rng = np.random.default_rng(i)
    task = Task(int(rng.integers(3, 20)), dimension=int(rng.integers(3, 20)), target_in_softmax=bool(i % 3 == 0))
    k = [float(2 * rng.integers(3, 30)) for _ in range(3)] if i % 4 else [math.inf] * 3
    return task, k, int(rng.integers(4, 24)), [int(s) for s in rng.integers(0, 1000, 3)]


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
@pytest.mark.parametrize("kind", ["minimal", "transformer"])
@pytest.mark.parametrize("i", CONFIGURATIONS)
def test_logits_and_gradients_equal_the_plain_modules(kind, i, dtype):
    task, k, width, seeds = configuration(i)
    batch = Sequences(task, k, seeds, 16, dtype=dtype).batch(0)
    if kind == "minimal":
        ensemble = MinimalEnsemble(task.target_in_softmax)
        w0, beta0 = [0.3, -0.2, 1.0], [0.5, -1.0, 2.0]
        parameters = ensemble.initialise(seeds, int(task.dimension), width, 3, w0, beta0)
        models = [
            MinimalModel(int(task.dimension), width, w0=w, beta0=b, target_in_softmax=task.target_in_softmax)
            for w, b in zip(w0, beta0, strict=True)
        ]
    else:
        ensemble = TransformerEnsemble()
        parameters = ensemble.initialise(seeds, int(task.dimension), width, 3)
        generator = torch.Generator().manual_seed(i)
        for name in ("attention.norm.weight", "attention.norm.bias"):  # away from (1, 0), where parts would drop out
            parameters[name] = parameters[name] + 0.3 * torch.randn(parameters[name].shape, generator=generator)
        models = [Transformer(int(task.dimension), width) for _ in seeds]
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


@pytest.mark.parametrize("kind", ["minimal", "transformer"])
def test_initialisation_is_pytorchs_for_the_same_seed(kind):
    seeds = [3, 11]
    if kind == "minimal":
        parameters = MinimalEnsemble().initialise(seeds, 9, 8, 3, [0.0, 0.0], [0.0, 0.0])
    else:
        parameters = TransformerEnsemble().initialise(seeds, 9, 8, 3)
    for s, seed in enumerate(seeds):
        torch.manual_seed(derive_seed(seed, Purpose.INITIALISATION))
        model = MinimalModel(9, 8) if kind == "minimal" else Transformer(9, 8)
        for name, value in model.named_parameters():
            assert torch.equal(parameters[name][s], value)


def test_initialisation_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    TransformerEnsemble().initialise([1], 5, 4, 3)
    assert torch.equal(before, torch.get_rng_state())
