"""Averages over random weights that the coupling's derivation takes, each against sampled transformers."""

import math

import pytest
import torch

from iclrace.validate.networks import modules

D, WIDTH, NETWORKS = 31, 32, 40


@pytest.fixture(scope="module")
def networks():
    """Initial transformers with PyTorch's default weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [modules.Transformer(D, WIDTH).double() for _ in range(NETWORKS)]


def normed(tokens):
    return torch.nn.functional.layer_norm(tokens, tokens.shape[-1:])


def items_of(number, seed):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(number, D, generator=random, dtype=torch.double) / math.sqrt(D)


def slopes_of(network, at):
    at = at.clone().requires_grad_(True)
    return torch.autograd.grad(network.memory(at).sum(), at)[0]


def mean_and_error(ratios):
    ratios = torch.tensor(ratios)
    return float(ratios.mean()), 4 * float(ratios.std()) / math.sqrt(len(ratios))


def test_a_tokens_noise_costs_a_third_of_the_slopes_square(networks):
    """⟨(∇f·V x̂)²⟩ = |∇f|²/3 over V, for targets and for context tokens with either label; four standard errors."""
    items = items_of(60, 1)
    tokens = normed(torch.cat([modules.target_tokens(items[:20]), modules.context_tokens(items[20:40], torch.ones(20)),
                               modules.context_tokens(items[40:], -torch.ones(20))]))  # fmt: skip
    targets = normed(modules.target_tokens(items_of(60, 2)))
    ratios = []
    for network in networks:
        slopes = slopes_of(network, targets)
        read = (slopes * (tokens @ network.attention.value.weight.T)).sum(1)
        ratios.append(float(((read**2).mean() / (slopes**2).sum(1).mean()).detach()))
    mean, error = mean_and_error(ratios)
    assert mean == pytest.approx(1 / 3, abs=error + 0.01)
    assert abs(mean - 1 / 2) > error + 0.01  # a half is told from a third


def test_the_gains_scatter_over_targets_has_no_direction(networks):
    """ς² = |v|² (⟨|∇f|²⟩ − G²)/d for v = s V ê, with the finite sample's share of G² taken out."""
    targets = normed(modules.target_tokens(items_of(200, 3)))
    along = torch.zeros(D + 2, dtype=torch.double)
    along[-2], along[-1] = 1.0, -1.0
    ratios = []
    for network in networks:
        slopes = slopes_of(network, targets)
        v = network.attention.value.weight @ along
        scatter = ((slopes - slopes.mean(0)) ** 2).sum(1).mean()
        ratios.append(float(((slopes @ v).var(unbiased=False) / ((v**2).sum() * scatter / (D + 2))).detach()))
    mean, error = mean_and_error(ratios)
    assert mean == pytest.approx(1.0, abs=error)
    assert error < 0.25


def presented(network, targets, seed):
    """∂z/∂V in the item slots and ∇f, each target in a context of its own, at flat attention on five others and itself.

    LayerNorm's mean of a one-hot label stands in all item slots of all context tokens alike, and is taken out.
    """
    others = torch.stack([items_of(5, seed + i) for i in range(len(targets))])
    labels = torch.where(torch.rand(len(targets), 5, generator=torch.Generator().manual_seed(seed)) < 0.5, 1.0, -1.0)
    found = []
    for target, around, signs in zip(targets, others, labels, strict=True):
        x = normed(torch.cat([modules.context_tokens(around, signs.double()), modules.target_tokens(target[None])]))
        read = (x[-1] + network.attention.value.weight @ x.mean(0))[None]
        (value,) = torch.autograd.grad(network.memory(read).sum(), network.attention.value.weight)
        found.append((value[:, :D] - value[:, :D].mean(1, keepdim=True), slopes_of(network, read.detach())[0]))
    return found


def test_an_item_is_memorised_through_its_own_token_as_the_clock_says(networks):
    """Kernel through V between two presentations of one target, beyond that of two targets: d ∇f·∇f′ a_T².

    Ten targets of its own in each of forty networks, five standard errors.
    """
    differences, scale = [], 0.0
    for i, network in enumerate(networks):
        targets = items_of(10, 5000 + i)
        one, other = presented(network, targets, 1000 * i + 10_000), presented(network, targets, 1000 * i + 10_500)
        found = expected = 0.0
        for k in range(10):
            a, b, apart = one[k], other[k], other[(k + 1) % 10]
            found += float((a[0] * b[0]).sum() - (a[0] * apart[0]).sum())
            expected += (D + 2) * float(a[1] @ b[1]) / 36
        differences.append(found - expected)
        scale += expected / NETWORKS
    mean, error = mean_and_error(differences)
    assert mean / scale == pytest.approx(0.0, abs=1.25 * error / scale)
    assert error / scale < 0.3


def test_the_targets_own_score_learns_at_its_kernel(networks):
    """|∂s_T/∂(W_K, W_Q)|² = A d² with A = 2/3 at the start, s_T = x̂ᵀW_KᵀW_Q x̂."""
    targets = normed(modules.target_tokens(items_of(20, 6)))
    ratios = []
    for network in networks:
        weights = [network.attention.key.weight, network.attention.query.weight]
        squares = 0.0
        for x in targets:
            parts = torch.autograd.grad((weights[0] @ x) @ (weights[1] @ x), weights)
            squares += sum(float(part.square().sum()) for part in parts) / len(targets)
        ratios.append(squares / (2 / 3 * (D + 2) ** 2))
    mean, error = mean_and_error(ratios)
    assert mean == pytest.approx(1.0, abs=error + 0.01)
    assert error < 0.1
