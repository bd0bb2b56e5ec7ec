"""The control networks are what their formulas say, share nothing where they should, and take their own rates."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from iclrace.theory import Task
from iclrace.theory.reduced_transformer.readout import gate_of, initial_kernel, initial_slope_square
from iclrace.validate import Run
from iclrace.validate.networks.controls import CONTROLS
from iclrace.validate.networks.foreign import ForeignEnsemble, network_named
from iclrace.validate.training.trainer import EnsembleTrainer

TASK = Task(5, 16, 7)
SETTINGS = {"width": 8, "learning_rate": 0.2, "batch_size": 16, "budget": 2.0, "evaluate_every": 1.0, "test_size": 40}


def build(name, seed=0, width=8):
    torch.manual_seed(seed)
    return network_named(name).factory(Run(name, TASK, 0, **{**SETTINGS, "width": width})).double()


def perceptron(layers, x, gates=None):
    """Linear maps with a ReLU, or with given gates, between them."""
    for i, layer in enumerate(layers):
        x = x @ layer.weight.T + layer.bias
        if i < len(layers) - 1:
            x = x.clamp(min=0) if gates is None else x * gates[i]
    return x[..., 0]


def reference(name, net, tokens):
    """The same logits, one sequence and one token at a time."""
    found = []
    affine = (net.norm.weight, net.norm.bias)
    for sequence in tokens:
        x = [F.layer_norm(token, token.shape, *affine) for token in sequence]
        seen = x if name in ("linear readout", "held gates") else x[:-1]
        w_q, w_k, w_v = (getattr(net.attention, part).weight for part in ("query", "key", "value"))
        weights = torch.stack([(w_k @ one) @ (w_q @ x[-1]) for one in seen]).exp()
        attended = w_v @ sum(a * one for a, one in zip(weights / weights.sum(), seen, strict=True))
        if name == "separate circuits":
            z = perceptron(net.memory[::2], x[-1]) + perceptron(net.readout[::2], attended)
        elif name == "held gain":
            z = perceptron(net.memory[::2], x[-1]) + net.readout.root * (net.readout.weight @ attended)
        elif name == "linear readout":
            z = net.memory.root * (net.memory.weight @ (x[-1] + attended))
        else:
            gates, at = [], x[-1]
            for gate in (net.memory.gate0, net.memory.gate1):
                at = gate[:, :-1] @ at + gate[:, -1]
                gates.append((at > 0).double())
                at = at.clamp(min=0)
            z = perceptron(net.memory.layers, x[-1] + attended, gates)
        found.append(z)
    return torch.stack(found)


@pytest.mark.parametrize("name", CONTROLS)
def test_logits_and_gradients_are_those_of_a_plain_reference(name):
    net = build(name)
    tokens = torch.randn(4, 6, 9, dtype=torch.double)
    found, expected = net(tokens), reference(name, net, tokens)
    assert torch.allclose(found, expected, atol=1e-12)
    weights = list(net.parameters())
    for a, b in zip(
        torch.autograd.grad(found.sum(), weights), torch.autograd.grad(expected.sum(), weights), strict=True
    ):
        assert torch.allclose(a, b, atol=1e-11)


@pytest.mark.parametrize("name", CONTROLS)
def test_stacked_they_are_computed_together(name):
    run = Run(name, TASK, 0, **SETTINGS)
    assert ForeignEnsemble(run).together
    trainer = EnsembleTrainer([run, run.with_(seed=1)])
    trainer.advance()
    assert all(bool(torch.isfinite(value).all()) for value in trainer.parameters.values())


@pytest.mark.parametrize("name", ["separate circuits", "held gain"])
def test_circuits_share_nothing(name):
    """∂²z/∂θ∂ϑ between the memory and the rest vanishes: z is a sum. The readout's context is without the target."""
    net = build(name)
    tokens = torch.randn(3, 6, 9, dtype=torch.double)
    for inside in net.memory.parameters():
        (slope,) = torch.autograd.grad(net(tokens).sum(), inside, create_graph=True)
        rest = [value for key, value in net.named_parameters() if not key.startswith("memory.")]
        if slope.requires_grad:
            mixed = torch.autograd.grad(slope.sum(), rest, allow_unused=True)
            assert all(one is None or float(one.abs().max()) == 0.0 for one in mixed)
    given, _ = net.read(tokens)
    alone = [net.attention.value.weight @ net.norm(token) for token in tokens[0, :-1]]
    basis = torch.stack(alone).T
    weights = torch.linalg.lstsq(basis, given[0]).solution
    assert float(weights.sum().detach()) == pytest.approx(1.0, abs=1e-9)  # a mean of the context alone


def test_a_transformer_s_circuits_are_not_separate():
    """Negative control: in the transformer with held gates the same mixed derivative does not vanish."""
    net = build("held gates")
    tokens = torch.randn(3, 6, 9, dtype=torch.double)
    (slope,) = torch.autograd.grad(net(tokens).sum(), net.memory.layers[0].weight, create_graph=True)
    mixed = torch.autograd.grad(slope.sum(), net.attention.value.weight)[0]
    assert float(mixed.abs().max()) > 1e-6


def test_the_linear_readout_moves_at_the_rate_of_its_kernel():
    """One step of rate η moves G = √k g by −η k ∂L/∂G, where a plain G would move by −η ∂L/∂G."""
    net = build("linear readout")
    tokens, labels = torch.randn(5, 6, 9, dtype=torch.double), torch.tensor([1.0, -1, 1, 1, -1]).double()
    given = net.read(tokens)[0].detach()
    readout = net.memory
    F.softplus(-labels * readout(given)).mean().backward()
    moved = readout.root * readout.weight.grad
    weights = (readout.root * readout.weight).detach().requires_grad_(True)
    F.softplus(-labels * (given @ weights)).mean().backward()
    assert torch.allclose(moved, initial_kernel(9, 8) * weights.grad)


def test_the_memorys_rate_is_the_first_perceptrons_alone():
    run = Run("separate circuits", TASK, 0, **SETTINGS)
    start = EnsembleTrainer([run]).parameters
    moved = []
    for ratio in (1.0, 0.5):
        trainer = EnsembleTrainer([run.with_(rate_ratio=ratio)])
        trainer._train_step()
        moved.append({key: value - start[key] for key, value in trainer.parameters.items()})
    for key in start:
        assert torch.allclose(moved[1][key], (0.5 if key.startswith("memory.") else 1.0) * moved[0][key], atol=1e-7)


def test_the_kernel_and_the_slope_at_the_start_are_closed_forms():
    """k and G² of perceptrons whose hidden units are open or closed by a fair coin at every target, gates averaged.

    600 targets leave 1/600 of the square of a gate's fluctuation, below a percent of ρ = 1/4; beyond that five standard
    errors of the mean over networks. A gate of ρ = 0.33 is told apart.
    """
    d, n, found = 33, 128, []
    for seed in range(16):
        random = torch.Generator().manual_seed(seed)
        w1, w2, w3 = (
            ((2 * torch.rand(shape, generator=random) - 1) / math.sqrt(shape[1])).requires_grad_(True)
            for shape in ((n, d), (n, n), (1, n))
        )
        first, second = (torch.randint(2, (600, n), generator=random).float() for _ in range(2))
        v = F.normalize(torch.randn(d, generator=random), dim=0)
        slope = ((((second * w3) @ w2) * first) @ w1).mean(0)
        kernel = sum(float(g.square().sum()) for g in torch.autograd.grad(slope @ v, [w1, w2, w3], retain_graph=True))
        found.append((kernel, float(slope.detach().square().sum())))
    for values, closed in zip(np.array(found).T, (initial_kernel, initial_slope_square), strict=True):
        arguments = (d, n) if closed is initial_kernel else ()
        error = 5 * values.std() / 4 + 0.01 * values.mean()
        assert values.mean() == pytest.approx(closed(*arguments), abs=error)
        assert abs(values.mean() - closed(*arguments, gate=0.33)) > error
    assert gate_of(initial_kernel(d, n, 0.4), d, n) == pytest.approx(0.4)
    assert gate_of(10.0, d, n) == 0.5
