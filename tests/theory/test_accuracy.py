"""ICL accuracy at finite D and beside a memory that answers to novel items, against sampled contexts."""

import numpy as np
import pytest
from scipy.stats import chi2, norm

from iclrace.theory import Task, acquired_beta, finite_accuracy, icl_accuracy


def sampled(beta, length, dimension, w=1.0, memory_std=0.0, draws=20_000):
    """Share of contexts whose attended label, and the memory's noise beside it, has the target's sign."""
    generator, right = np.random.default_rng(3), 0
    for _ in range(draws // 2000):
        items = generator.standard_normal((2000, length, dimension), dtype=np.float32) / np.sqrt(dimension)
        labels = generator.choice([-1.0, 1.0], (2000, length))
        score = np.exp(beta * np.einsum("ijk,ik->ij", items, items[:, 0]).astype(float))
        logit = w * (score * labels).sum(1) / score.sum(1) + memory_std * generator.standard_normal(2000)
        right += int((logit * labels[:, 0] > 0).sum())
    return right / draws


@pytest.mark.parametrize(
    ("length", "dimension", "beta", "w", "memory_std"),
    [(50, 63, 2.8, 1.0, 0.0), (50, 31, 2.0, 1.0, 0.0), (25, 63, 2.0, 1.0, 0.0), (50, 31, 2.5, 2.5, 0.5)],
)
def test_finite_dimension_against_sampling(length, dimension, beta, w, memory_std):
    """Five standard errors of 20,000 contexts are 0.008 to 0.013; D → ∞ is further off than that."""
    expected = sampled(beta, length, dimension, w, memory_std)
    error = 5.0 * np.sqrt(expected * (1.0 - expected) / 20_000)
    task = Task(length, dimension=dimension)
    assert finite_accuracy(w, beta, task, memory_std) == pytest.approx(expected, abs=error)
    assert float(icl_accuracy(w, beta, task)) > expected + error


def test_finite_dimension_is_the_average_over_the_norm():
    x = np.linspace(chi2.ppf(1e-12, 63), chi2.isf(1e-12, 63), 20_001)
    weight = chi2.pdf(x, 63)
    signal = np.exp(2.8 * x / 63 - 2.8**2 * x / 63**2) / 7.0
    direct = weight @ norm.cdf(signal) / weight.sum()
    assert finite_accuracy(1.0, 2.8, Task(50, dimension=63)) == pytest.approx(direct, abs=1e-9)


def test_limits():
    task = Task(100)
    beta = acquired_beta(task)
    assert finite_accuracy(1.0, beta, task) == pytest.approx(0.95, abs=1e-12)
    assert finite_accuracy(1.0, beta, Task(100, dimension=1e7)) == pytest.approx(0.95, abs=1e-5)
    assert finite_accuracy(0.0, beta, task, 0.3) == 0.5
    found = finite_accuracy([2.5, -2.5], beta, task, 0.3)
    assert found[0] == pytest.approx(0.8315, abs=1e-4) and found.sum() == pytest.approx(1.0, abs=1e-14)
    # a memory that answers loudly leaves nothing of ICL; large w silences it
    assert finite_accuracy(1.0, beta, task, 1e6) == pytest.approx(0.5, abs=1e-5)
    assert finite_accuracy(1e6, beta, task, 0.3) == pytest.approx(0.95, abs=1e-9)
    extremes = finite_accuracy([1e300, 1.0, -1.0, 1.0], [300.0, -300.0, 1e4, 40.0], Task(50, dimension=2), 1e-300)
    assert np.all((extremes >= 0.0) & (extremes <= 1.0))
    with pytest.raises(ValueError, match="'memory_std'"):
        finite_accuracy(1.0, 1.0, task, -1.0)
    with pytest.raises(ValueError, match="'task'"):
        finite_accuracy(1.0, 1.0, Task(10, labels="balanced"))
