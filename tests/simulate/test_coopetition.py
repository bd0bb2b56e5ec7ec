"""The toy of strategy coopetition: its flow is the loss's, and its source's own point shows what its source says."""

import numpy as np
import pytest
import torch

from iclrace.simulate.coopetition import memory_size_threshold, solve_coopetition
from iclrace.theory.coopetition import coopetition_flow


def test_the_plane_of_start_and_target_holds_the_flow_of_whole_vectors():
    """Automatic differentiation of the loss as it is written, of whole tensors: exact but for rounding."""
    random, sizes = np.random.default_rng(0), (3, 4, 5, 7)
    vectors = [torch.tensor(random.normal(size=n), requires_grad=True) for n in sizes]
    a, b, c, d = vectors
    loss_abc = 0.5 * ((torch.einsum("i,j,k->ijk", a, b, c) - 1) ** 2).mean()
    loss_dbc = 0.5 * ((torch.einsum("i,j,k->ijk", d, b, c) - 1) ** 2).mean()
    loss = (loss_abc + 0.2) * (loss_dbc + 0.05) + 0.5 * 0.3 * (torch.outer(a, d) ** 2).mean()
    loss.backward()
    means = np.array([float(x.detach().mean()) for x in vectors])
    across = np.array([float(x.detach().std(correction=0)) for x in vectors])
    moved = coopetition_flow(np.array([means, across]), sizes, 0.3, (0.2, 0.05))
    for i, x in enumerate(vectors):
        assert x.grad is not None
        off = x.detach() - x.detach().mean()
        assert moved[0, i] == pytest.approx(-float(x.grad.mean()), rel=1e-12)
        assert moved[1, i] == pytest.approx(-float((x.grad * off).mean() / off.square().mean().sqrt()), rel=1e-12)


def test_at_the_sources_point_memory_helps_in_context_learning_and_then_replaces_it():
    """α = μ₁ = 0.1, sizes 20, 20, 20, 160: it comes first and goes again; by itself it comes later."""
    time = np.concatenate([[0.0], np.geomspace(1.0, 1e6, 600)])
    both, alone = solve_coopetition(time), solve_coopetition(time, together=False)
    context, weights = both.context.values, both.weights.values
    comes, alone_comes, replaced = (time[np.argmax(one > 0.5)] for one in (context, alone.context.values, weights))
    assert comes < replaced and both.context_loss.values.min() < 0.01  # nearly perfect in between
    assert comes < 0.9 * alone_comes  # cooperation: the shared b and c
    assert abs(context[-1]) < 0.01 and weights[-1] == pytest.approx(1.0, abs=0.01)  # competition: transience
    assert alone.context.values[-1] == pytest.approx(1.0, abs=0.01)
    # without competition nothing replaces it
    assert solve_coopetition(time, competition=0.0).context.values[-1] > 0.9


def test_the_threshold_of_the_memorys_size_parts_the_two_ends():
    size = memory_size_threshold(20.0)
    time = np.concatenate([[0.0], np.geomspace(1.0, 1e6, 2000)])
    most = [float(solve_coopetition(time, (20.0, 20.0, 20.0, size * x)).context.values.max()) for x in (0.97, 1.03)]
    assert most[0] < 0.5 < most[1]
    assert memory_size_threshold(5.0) < size < 160  # the source's memory is slow enough
