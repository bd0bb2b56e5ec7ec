"""Memory's noise on novel items: limits, and sampled contexts."""

import numpy as np
import pytest

from iclrace.theory import Task
from iclrace.theory.interference import interfered_accuracy


def test_no_gain_is_chance_and_no_memory_leaves_the_circuit():
    task = Task(context_length=50, dimension=63)
    assert interfered_accuracy(0.0, 2.0, [0.0, 1.0], task) == pytest.approx(0.5)
    strong = interfered_accuracy(1e6, 3.0, [0.0, 1.0], task)
    assert strong[1] == pytest.approx(strong[0], abs=0.02)  # 80 nodes: a step between two of them
    falling = interfered_accuracy(3.0, 3.0, [0.1, 0.5, 1.0, 3.0, 10.0], task)
    assert np.all(np.diff(falling) < 0) and falling[-1] > 0.5


def test_it_is_the_accuracy_of_sampled_contexts():
    """40,000 contexts of N = 50, D = 63: five standard errors of 0.0025, and 0.01 for the mean-field denominator."""
    task, random = Task(context_length=50, dimension=63), np.random.default_rng(0)
    w, beta, spread = 3.0, 2.5, 1.0
    overlaps = random.normal(size=(40_000, 50)) / np.sqrt(63)
    overlaps[:, 0] = 1.0
    labels = random.choice([-1.0, 1.0], overlaps.shape)
    labels[:, 0] = 1.0
    weights = np.exp(beta * overlaps)
    logit = w * (weights * labels).sum(1) / weights.sum(1) + spread * random.normal(size=40_000)
    assert interfered_accuracy(w, beta, spread, task) == pytest.approx((logit > 0).mean(), abs=0.0225)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="Argument 'spread' must"):
        interfered_accuracy(1.0, 1.0, -1.0, Task(context_length=50))
