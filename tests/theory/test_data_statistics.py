"""Burstiness as the data draw it, and skewed item frequencies."""

import numpy as np
import pytest
from iclrace.theory import (
    PowerLawMemory,
    Task,
    acquisition_clock,
    bursty_clock,
    bursty_field,
    copies_distribution,
    icl_field,
    item_frequencies,
    skewed_clock,
)
from scipy.integrate import solve_ivp
from scipy.stats import binom

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)


def test_distribution_of_copies():
    copies, probability = copies_distribution(Task(100, task_diversity=50))
    np.testing.assert_allclose(probability, binom.pmf(copies - 1, 99, 1 / 50), rtol=1e-10)
    assert probability @ copies == pytest.approx(1 + 99 / 50, rel=1e-9)
    assert [array.tolist() for array in copies_distribution(Task(100))] == [[1], [1.0]]


@pytest.mark.parametrize("labels", ["iid", "balanced"])
def test_bursty_field_against_sampled_contexts(labels):
    """K → ∞ is the field of one copy; at finite K it is the mean over m."""
    one = icl_field(1.0, 1.0, Task(50, labels=labels))
    np.testing.assert_allclose(bursty_field(1.0, 1.0, Task(50, labels=labels)), one, rtol=1e-12)
    task = Task(50, task_diversity=20, labels=labels)
    draws = 1 + np.random.default_rng(0).binomial(49, 1 / 20, size=4000)
    draws = draws[draws <= 25]  # a balanced context has no room for more
    fields = {m: np.array(icl_field(1.0, 1.0, Task(50, labels=labels, copies=int(m)))) for m in np.unique(draws)}
    samples = np.array([fields[m] for m in draws])
    error = samples.std(0) / np.sqrt(len(draws))
    assert (np.abs(np.array(bursty_field(1.0, 1.0, task)) - samples.mean(0)) < 5 * error).all()


def test_early_copies_act_through_their_mean():
    # 2 % of N = 1e4 are far from the end of the race: first order in w, corrections of order ⟨m⟩/N and e^β/N
    task, beta, w = Task(10_000, task_diversity=5_000), 0.4, 1e-3
    mean = 1 + 9_999 / 5_000
    scale = 2 * 10_000 / mean
    (bare, _), (pushed, turned) = bursty_field(0.0, beta, task), bursty_field(w, beta, task)
    assert scale * bare == pytest.approx(np.exp(beta), rel=1e-3)
    assert scale * (bare - pushed) / w == pytest.approx(0.5 / mean, rel=1e-2)
    assert scale * turned / w == pytest.approx(np.exp(beta), rel=2e-3)
    expected = 10_000 / mean * acquisition_clock(beta, 0.0, 0.5 / mean)
    assert bursty_clock(task, beta) == pytest.approx(float(expected), rel=1e-14)


def test_item_frequencies():
    assert item_frequencies(7, 0.0).tolist() == [1 / 7] * 7
    skewed = item_frequencies(1000, 1.2)
    assert skewed.sum() == pytest.approx(1.0, rel=1e-13)
    assert skewed[0] / skewed[9] == pytest.approx(10**1.2, rel=1e-12)


@pytest.mark.parametrize("skew", [0.0, 1.0])
def test_skewed_clock_against_integration(skew):
    share = item_frequencies(30, skew)

    def rates(_, state):
        margins = state[:-1]
        residual = 1.0 / (1.0 + np.exp(margins))
        return [*(30 * share * MEMORY.field(margins, residual, 30.0)), share @ residual]

    times = [10.0, 100.0, 2000.0]
    solution = solve_ivp(rates, (0, 2000), np.zeros(31), t_eval=times, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(skewed_clock(MEMORY, 30, skew, times), solution.y[-1], rtol=1e-5)


def test_skew_leaves_the_total_clock():
    # at φ ~ 500 a share (1 + φ)^{−1/3} = 13 % of the clock is still to come, the same for any skew
    late = [float(skewed_clock(MEMORY, 50, skew, 1e200)) for skew in (0.0, 0.5, 1.0, 2.0)]
    np.testing.assert_allclose(late, late[0], rtol=5e-3)
    assert late[0] == pytest.approx(float(MEMORY.total_clock(50)), rel=0.15)
    assert skewed_clock(MEMORY, 50, 1.0, 0.0) == 0.0
    assert skewed_clock(MEMORY, 50, 1.0, 1e-3) == pytest.approx(0.5e-3, rel=1e-3)  # c1 = 1/2 at the start


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: copies_distribution(Task(10, task_diversity=1.0)), "task"),
        (lambda: bursty_clock(Task(10, labels="balanced"), 0.0), "task"),
        (lambda: item_frequencies(0, 1.0), "task_diversity"),
        (lambda: item_frequencies(10, -1.0), "skew"),
        (lambda: skewed_clock(MEMORY, 10, 1.0, -1.0), "time"),
    ],
)
def test_invalid_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=rf"Argument '{name}' must .*but"):
        call()
