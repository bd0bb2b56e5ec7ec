"""IWL without a copy in the context: against sampled contexts, limits, bounds, refusals."""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.special import ndtr

from iclrace.theory import Task, iwl_accuracy, iwl_loss
from iclrace.theory.derivation import flow
from iclrace.theory.derivation import symbols as S


def sampled(task, beta, size=20_000):
    """Attended labels a of sampled contexts without a copy; overlaps N(0, 1/D), as the derivation assumes."""
    rng = np.random.default_rng(5)
    labels = task.label_std * rng.choice([-1.0, 1.0], size=(size, task.context_length))
    weight = np.exp(beta * rng.normal(size=labels.shape) / math.sqrt(task.dimension))
    present = math.exp(beta) if task.target_in_softmax else 0.0
    return (weight * labels).sum(1) / (weight.sum(1) + present)


@pytest.mark.parametrize("task", [Task(100, dimension=63), Task(60, dimension=31, target_in_softmax=True), Task(50)])
@pytest.mark.parametrize("beta", [0.0, 2.5])
def test_sampled_contexts(task, beta):
    a, w = sampled(task, beta), 2.0
    margin = w * a.std()
    # 4 standard errors of 20,000 draws, and the law's own next order in 1/N: Z fluctuates by e^{β²/2D}/√N
    allowed = 4 * 0.5 / math.sqrt(a.size) + 1.0 / task.context_length
    right = np.mean(margin + w * a > 0)
    assert float(iwl_accuracy(w, beta, task, margin)) == pytest.approx(right, abs=allowed)
    loss = np.logaddexp(0.0, -(margin + w * a))
    assert float(iwl_loss(w, beta, task, margin)) == pytest.approx(
        loss.mean(), abs=4 * loss.std() / math.sqrt(a.size) + allowed
    )
    # negative control: half the spread would be seen
    assert abs(float(iwl_accuracy(0.5 * w, beta, task, margin)) - right) > 3 * allowed


def test_the_spread_is_the_derivations():
    rng = np.random.default_rng(6)
    names = (S.beta, S.N, S.D, S.T, S.s)
    source = sp.lambdify(names, flow.spread_without_copy, modules="mpmath")
    for _ in range(200):
        n, d, inside = int(rng.integers(2, 300)), float(rng.integers(40, 200)), bool(rng.integers(2))
        beta, s, w, margin = rng.uniform(-3, 3), rng.uniform(0.1, 1), rng.uniform(-4, 4), rng.uniform(-3, 3)
        task = Task(n, dimension=d, target_in_softmax=inside, label_std=s)
        spread = source(mpmath.mpf(beta), n, d, int(inside), mpmath.mpf(s))
        expected = mpmath.ncdf(margin / (abs(w) * spread))
        assert float(iwl_accuracy(w, beta, task, margin)) == pytest.approx(float(expected), rel=1e-10, abs=1e-12)


def test_limits():
    task = Task(100)
    # nothing memorised: chance; no readout: the sign of the margin; no label noise: the same
    assert float(iwl_accuracy(3.0, 1.0, task)) == 0.5
    assert iwl_accuracy(0.0, 1.0, task, [-1.0, 0.0, 1.0]).tolist() == [0.0, 0.5, 1.0]
    assert float(iwl_accuracy(3.0, 1.0, Task(100, label_std=0.0), 0.1)) == 1.0
    assert float(iwl_loss(0.0, 1.0, task, 2.0)) == pytest.approx(math.log1p(math.exp(-2.0)), rel=1e-14)
    # D → ∞: N equal shares
    assert float(iwl_accuracy(2.0, 4.0, task, 0.3)) == pytest.approx(ndtr(0.3 / 0.2), rel=1e-14)
    # attention on the target itself leaves nothing of the context
    assert float(iwl_accuracy(2.0, 30.0, Task(100, target_in_softmax=True), 1e-3)) == 1.0
    # small fluctuations: E ln(1 + e^{−φ−wa}) = ln(1 + e^{−φ}) + σσ′ w²δ²/2, the next order being (wδ)⁴/8
    second = math.log1p(math.exp(-1.0)) + 0.5 * 0.1**2 / (4 * math.cosh(0.5) ** 2)
    assert float(iwl_loss(1.0, 0.0, task, 1.0)) == pytest.approx(second, abs=0.1**4 / 8)
    assert np.all(np.isfinite(iwl_loss(1e300, [-1e5, 1e5], Task(100, dimension=2), 1.0)))


@pytest.mark.parametrize("function", [iwl_accuracy, iwl_loss])
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((np.nan, 0.0, Task(10)), "w"),
        ((0.0, np.inf, Task(10)), "beta"),
        ((0.0, 0.0, Task(10), np.nan), "margin"),
        (([0.0, 1.0], 0.0, Task(10), [0.0, 1.0, 2.0]), "margin"),
        ((0.0, 0.0, Task(10, score_std=1.0)), "task"),
    ],
)
def test_bad_input_is_named(function, arguments, name):
    with pytest.raises(ValueError, match=rf"Argument '{name}' must .*but"):
        function(*arguments)
