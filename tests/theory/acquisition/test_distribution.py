"""Laws of t_ICL where times do not fall with β0: against counting, the solver, and quadrature over the normal law."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from iclrace.simulate import CoupledModel
from iclrace.simulate import coupled_acquisition_time as solved_time
from iclrace.theory import (
    PowerLawMemory,
    Task,
    acquisition_distribution,
    acquisition_probability,
    acquisition_time,
    clock_at_acquisition,
)
from iclrace.theory.acquisition.time import CLOSED_ERROR
from iclrace.theory.numerics.level_sets import WAVERING, level_sets

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
#: (task, w0, mean, std): times rise with β0 somewhere, or start beyond the level with the readout reversed.
TURNING = [
    (Task(30, dimension=3), -1.0, 2.0, 0.7),
    (Task(100, dimension=2), 0.0, 2.0, 0.5),
    (Task(50, dimension=3, label_std=0.0), -1.0, 1.0, 1.0),
    (Task(100), -0.5, 2.0, 1.0),
    (Task(2), -5.0, 0.0, 1.0),
    (Task(50, dimension=20, labels="balanced"), -1.0, 1.0, 1.0),
    (Task(50, dimension=20, labels="balanced"), 1.0, 0.0, 1.0),
]


def quantiles(mean, std, points):
    return mean + std * norm.ppf((np.arange(points) + 0.5) / points)


def counted(times, t):
    """Share of times up to each t."""
    return np.searchsorted(np.sort(times), t, side="right") / times.size


def levels(times):
    """Twenty of the times themselves, 0 and ∞, and what lies outside."""
    distinct = np.unique(times[np.isfinite(times) & (times > 0.0)])
    distinct = distinct[np.linspace(0, distinct.size - 1, 20).astype(int)] if distinct.size else np.array([1.0])
    return np.concatenate([[0.0, 0.5 * distinct[0]], distinct, [2.0 * distinct[-1]]])


def assert_is_law(law, times, bound=CLOSED_ERROR):
    """The share at n quantiles of β0 is P to one in n for each end of {β0: T <= t}, of which there are at most four."""
    t, allowed = levels(times), 4.0 / times.size + 1e-5
    share = counted(times, t)
    assert np.all(law.cdf(t * (1.0 - bound)) - allowed <= share)
    assert np.all(share <= law.cdf(t * (1.0 + bound)) + allowed)
    np.testing.assert_allclose(law.cdf(t) + law.sf(t), 1.0, atol=1e-12)
    assert law.cdf(math.inf) == pytest.approx(np.mean(np.isfinite(times)), abs=allowed)


@pytest.mark.parametrize(("task", "w0", "mean", "std"), TURNING)
def test_law_is_the_share_of_starts_that_acquire_in_time(task, w0, mean, std):
    law = acquisition_distribution(task, mean, std, w0)
    times = acquisition_time(task, quantiles(mean, std, 400), w0)
    assert_is_law(law, times)
    p = np.array([0.03, 0.2, 0.5, 0.77, 0.98])
    least = law.ppf(p)
    finite = np.isfinite(least) & (least > 0.0)
    assert np.all(law.cdf(least[finite] * (1.0 + CLOSED_ERROR)) >= p[finite] - 1e-5)
    assert np.all(law.cdf(least[finite] * (1.0 - CLOSED_ERROR)) <= p[finite] + 1e-5)
    assert law.median == pytest.approx(least[2], rel=1e-9)


@settings(deadline=None, max_examples=4, derandomize=True)
@given(st.integers(0, 2**31))
def test_law_over_the_whole_domain(seed):
    rng = np.random.default_rng(seed)
    length = 2 * round(math.exp(rng.uniform(0.0, math.log(5e3))))
    labels = "balanced" if rng.random() < 0.3 else "iid"
    dimension = float(rng.choice([math.inf, 1.0, math.exp(rng.uniform(0.0, 5.0))]))
    task = Task(
        length, dimension=dimension, labels=labels, label_std=1.0 if labels == "balanced" else rng.uniform(0, 3)
    )
    mean, std, w0 = rng.uniform(-3.0, 4.0), rng.uniform(0.1, 1.5), float(rng.choice([0.0, rng.uniform(-5.0, 5.0)]))
    assert_is_law(acquisition_distribution(task, mean, std, w0), acquisition_time(task, quantiles(mean, std, 400), w0))


@pytest.mark.parametrize(("task", "w0", "mean", "std"), [TURNING[0], TURNING[3], TURNING[6]])
def test_the_solver_acquires_by_the_same_law(task, w0, mean, std):
    times = solved_time(CoupledModel(task, nodes=40), quantiles(mean, std, 200), w0, budget=1e6)
    assert_is_law(acquisition_distribution(task, mean, std, w0), np.asarray(times))


def test_a_law_that_drops_the_rising_branch_is_seen():
    """Negative control: of the turning case, what a table of falling times alone would give."""
    task, w0, mean, std = TURNING[0]
    beta0 = quantiles(mean, std, 400)
    times = acquisition_time(task, beta0, w0)
    falling = np.flatnonzero(np.diff(times) < 0.0).max() + 1
    t = np.linspace(times.min(), times[-1], 50)
    alone = norm.sf((np.interp(-t, -times[:falling], beta0[:falling]) - mean) / std)
    assert np.abs(alone - counted(times, t)).max() > 0.05


def test_samples_follow_the_law_of_the_turning_case():
    task, w0, mean, std = TURNING[0]
    law = acquisition_distribution(task, mean, std, w0)
    times = law.rvs(2000, random_state=3)
    # Dvoretzky, Kiefer and Wolfowitz: the distance exceeds this with probability 1e-6
    distance = math.sqrt(math.log(2e6) / (2 * times.size))
    t = levels(times)
    assert np.all(law.cdf(t * (1.0 - CLOSED_ERROR)) - distance <= counted(times, t))
    assert np.all(counted(times, t) <= law.cdf(t * (1.0 + CLOSED_ERROR)) + distance)


@pytest.mark.parametrize("case", [0, 5])
def test_probability_of_acquiring_counts_every_start_that_is_in_time(case):
    task, w0, mean, std = TURNING[case]
    clocks = clock_at_acquisition(task, quantiles(mean, std, 400), w0)
    diversity = np.array([1.0, 3.0, 10.0, 30.0, 100.0, 1e3, 1e9])
    probability = acquisition_probability(task, MEMORY, mean, std, task_diversity=diversity, w0=w0)
    np.testing.assert_allclose(probability, counted(clocks, MEMORY.total_clock(diversity)), atol=4.0 / 400)
    assert np.any((probability > 0.05) & (probability < 0.95))


@pytest.mark.parametrize("case", ["turning", "falling"])
def test_probability_of_acquiring_is_that_of_the_law(case):
    """Many K and one; where t_ICL turns over β0 it is the law's, and where it falls another way to the same number."""
    task, w0, mean, std = TURNING[0] if case == "turning" else (Task(20, dimension=63.0), -0.2, 0.5, 0.7)
    law = acquisition_distribution(task, mean, std, w0)
    assert law._sets.falls is (case == "falling")
    diversity = np.geomspace(3.0, 1e3, 600)
    expected = law.cdf(2.0 * MEMORY.total_clock(diversity))
    probability = acquisition_probability(task, MEMORY, mean, std, task_diversity=diversity, w0=w0)
    np.testing.assert_allclose(probability, expected, atol=1.2e-5)
    alone = acquisition_probability(task, MEMORY, mean, std, task_diversity=diversity[100], w0=w0)
    assert alone == pytest.approx(expected[100], abs=1e-5) and 0.01 < alone < 0.999


def test_probability_with_repeats_where_the_readout_starts_reversed():
    task, w0, mean, std = Task(20, task_diversity=60, dimension=2), -1.0, 1.5, 1.0
    beta0 = quantiles(mean, std, 60)
    won = clock_at_acquisition(task, beta0, w0, repeats=True) <= float(MEMORY.total_clock(60))
    probability = float(acquisition_probability(task, MEMORY, mean, std, w0=w0, repeats=True))
    assert 0.02 < probability < 0.98
    assert probability == pytest.approx(won.mean(), abs=4.0 / 60)


def test_moments_over_every_branch():
    task, w0, mean, std = TURNING[1]
    law = acquisition_distribution(task, mean, std, w0)
    z = np.linspace(-9.0, 9.0, 4001)
    values = acquisition_time(task, mean + std * z, w0) * norm.pdf(z)
    assert law.mean == pytest.approx(np.trapezoid(values, z), rel=2e-3)  # a jump at the level: one cell of 1/222
    assert math.isinf(acquisition_distribution(task, mean, 1.5, w0).mean)  # std² >= D: T outgrows the normal law
    assert law.moment(1) ** 2 < law.moment(2) < math.inf


def test_pieces_of_a_known_function():
    """T = (z² − 1)² + c on the line, 0 beyond 2.5, ∞ below −2: P(T <= t) in closed form."""

    def function(z):
        return np.where(z > 2.5, 0.0, np.where(z < -2.0, np.inf, (z**2 - 1.0) ** 2 + 0.1))

    sets = level_sets(function, -9.0, 9.0, [2.5])
    assert len(sets.pieces) == 4 and not sets.falls
    assert sets.never[0][1] == pytest.approx(-2.0, abs=1e-9)
    for t in (0.15, 0.5, 1.09, 1.2, 4.0, 30.0):
        outer = math.sqrt(1.0 + math.sqrt(t - 0.1))
        inner = math.sqrt(max(1.0 - math.sqrt(t - 0.1), 0.0))
        ends = [(max(-outer, -2.0), -inner), (inner, min(outer, 2.5)), (2.5, math.inf)]
        expected = sum(norm.cdf(b) - norm.cdf(a) for a, b in ends)
        earlier, later = (float(sets.below(np.log(t) + shift)) for shift in (-WAVERING, WAVERING))
        assert earlier - 1e-5 <= expected <= later + 1e-5
        assert float(sets.below(np.log(t)) + sets.above(np.log(t))) == pytest.approx(1.0, abs=1e-12)
        assert later - earlier < 0.02  # and so the bound says something
    p = np.array([0.001, 0.01, 0.4, 0.9, 0.99])
    least = sets.quantile(p)
    assert least[0] == 0.0 and math.isinf(least[-1])  # P(z > 2.5) = 0.006, P(z < −2) = 0.02
    np.testing.assert_allclose(sets.below(np.log(least[1:4])), p[1:4], atol=1e-9)
