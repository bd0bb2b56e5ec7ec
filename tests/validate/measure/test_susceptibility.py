"""The K of the largest variance and Binder's cumulant, on accuracies whose answers are known in closed form."""

import math

import numpy as np
import pytest

from iclrace.theory import Estimate
from iclrace.validate.measure.binder import binder_cumulant, crossing
from iclrace.validate.measure.susceptibility import susceptibility

K = np.geomspace(100, 3200, 7)
MIDDLE = K[3]


def share(k, middle=MIDDLE, width=0.3):
    """P(acquire) as a logistic in ln K."""
    return 1 / (1 + np.exp(-(np.log(k / middle)) / width))


def two_states(rng, p, seeds, k=K):
    """Accuracy 1 for a part p of the seeds, and chance otherwise."""
    return 0.5 + 0.5 * (rng.random((k.size, seeds)) < np.broadcast_to(p, k.shape)[:, None])


def test_the_variance_of_a_mixture_peaks_where_half_acquire():
    accuracy = two_states(np.random.default_rng(0), share(K), 400)
    measured = susceptibility(K, accuracy)
    p = share(K)
    # the variance of n draws of a two-state variable has relative deviation below √(3/n) at these p, but for rare ones
    assert measured.variance[2:5] == pytest.approx(0.25 * (p * (1 - p))[2:5], rel=5 * math.sqrt(3 / 400))
    assert (measured.peak.value, measured.peak.low, measured.peak.high) == (K[3], K[2], K[4]) and measured.claimed


def test_a_claimed_interval_holds_the_middle_as_often_as_it_says():
    rng = np.random.default_rng(1)
    measured = [susceptibility(K, two_states(rng, share(K, 600.0), 12) + 0.01 * rng.standard_normal((7, 12)))
             for _ in range(60)]  # fmt: skip
    claimed = [one.peak for one in measured if one.claimed]
    # binomial of 0.95: three standard deviations of 50 are 0.09
    assert len(claimed) > 40 and np.mean([one.contains(600.0) for one in claimed]) > 0.86


@pytest.mark.parametrize("kind", ["two states", "rarely not acquired", "Gaussian", "only the mean moves"])
def test_no_peak_is_claimed_where_there_is_none(kind):
    """5 % of false peaks at most: of 80 that is 4, and three standard deviations more are 10."""
    rng = np.random.default_rng(2)
    draw = {
        "two states": lambda: two_states(rng, 0.5, 6),
        "rarely not acquired": lambda: two_states(rng, 0.9, 6),
        "Gaussian": lambda: 0.7 + 0.1 * rng.standard_normal((7, 6)),
        "only the mean moves": lambda: 0.5 + 0.5 * share(K)[:, None] + 0.02 * rng.standard_normal((7, 6)),
    }[kind]
    measured = [susceptibility(K, draw()) for _ in range(80)]
    assert sum(one.claimed for one in measured) <= 10
    assert all((one.peak.low, one.peak.high) == (0.0, math.inf) for one in measured if not one.claimed)


def test_too_few_seeds_say_nothing():
    accuracy = np.full((7, 3), 0.5)
    accuracy[3] = [0.5, 1.0, 1.0]
    peak = susceptibility(K, accuracy).peak
    assert (peak.value, peak.low, peak.high) == (K[3], 0.0, math.inf)
    assert not susceptibility(K, np.full((7, 6), 0.5)).claimed  # nothing varies


def test_a_peak_at_the_end_of_the_scan_is_open_there_and_missing_runs_are_left_out():
    rng = np.random.default_rng(3)
    k = K[:4]
    accuracy = np.where(np.arange(4)[:, None] < 3, 0.5 + 0.001 * rng.standard_normal((4, 20)), 1.0)
    accuracy[3, ::2] = 0.5
    accuracy[0, 15:] = np.nan
    measured = susceptibility(k, accuracy)
    assert (measured.peak.value, measured.peak.low, measured.peak.high) == (k[3], k[2], math.inf)
    assert measured.variance[0] == pytest.approx(np.var(accuracy[0, :15], ddof=1))


@pytest.mark.parametrize(
    ("k", "accuracy", "name"),
    [
        ([1, 2], np.ones((2, 4)), "task_diversity"),
        ([1, 3, 2], np.ones((3, 4)), "task_diversity"),
        ([1, 2, 3], np.ones((2, 4)), "accuracy"),
        ([1, 2, 3], np.full((3, 4), np.nan), "accuracy"),
    ],
)
def test_bad_scans_are_named(k, accuracy, name):
    with pytest.raises(ValueError, match=name):
        susceptibility(k, accuracy)


def test_the_cumulants_of_known_distributions():
    rng = np.random.default_rng(4)
    gauss = binder_cumulant(0.5 + 0.05 * rng.standard_normal(4000))
    assert gauss.contains(0.0) and gauss.high - gauss.low < 0.2
    # moments about 0 of N(μ, σ²): μ² + σ² and μ⁴ + 6 μ² σ² + 3 σ⁴
    shifted = binder_cumulant(0.5 + 0.05 * (1 + rng.standard_normal(4000)))
    assert shifted.contains(1 - 10 / 12)
    for m in (0.8, -0.8, 0.8 * rng.choice([-1, 1], 6)):
        exact = binder_cumulant(0.5 + np.broadcast_to(m, 6) / 2)
        assert (exact.value, exact.low, exact.high) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    p = 0.5
    assert binder_cumulant(two_states(rng, p, 1000)[0]).contains(1 - 1 / (3 * p))


def test_few_gaussian_seeds_are_above_zero_by_what_is_said():
    """⟨m⁴⟩/⟨m²⟩² of n Gaussian m is independent of their scale, so that its mean is 3n/(n + 2) exactly."""
    draws = 0.5 + np.random.default_rng(5).standard_normal((500, 6)) / 10
    values = np.array([binder_cumulant(one).value for one in draws])
    assert values.mean() == pytest.approx(2 / 8, abs=4 * values.std() / math.sqrt(500))


def test_what_says_nothing_is_open_below():
    for accuracy in ([0.9], [0.5, 0.5, 0.5]):
        cumulant = binder_cumulant(accuracy)
        assert (cumulant.low, cumulant.high) == (-math.inf, pytest.approx(2 / 3))
    with pytest.raises(ValueError, match="accuracy"):
        binder_cumulant([np.nan])


def curve(rng, seeds, **how):
    return K, [binder_cumulant(row) for row in two_states(rng, share(K, **how), seeds)]


def test_curves_of_two_widths_cross_where_half_acquire():
    rng = np.random.default_rng(6)
    steep, wide = ({"width": one, "middle": 550.0} for one in (0.3, 0.9))
    crossed = crossing(curve(rng, 1000, **steep), curve(rng, 1000, **wide))
    assert crossed is not None and crossed.contains(550.0) and K[2] <= crossed.low < crossed.high <= K[4]
    back = crossing(curve(rng, 1000, **wide), curve(rng, 1000, **steep))
    assert back is not None and back.contains(550.0)


def test_shifted_curves_and_few_seeds_do_not_cross():
    rng = np.random.default_rng(7)
    assert crossing(curve(rng, 1000, middle=400.0), curve(rng, 1000, middle=900.0)) is None
    assert crossing(curve(rng, 6, width=0.3), curve(rng, 6, width=0.9)) is None


def test_curves_without_common_k_do_not_cross():
    flat = [Estimate.exact(0.1), Estimate.exact(0.5)]
    assert crossing(([1.0, 2.0], flat), ([3.0, 4.0], flat)) is None
    crossed = crossing(([1.0, 4.0], flat), ([1.0, 4.0], flat[::-1]))
    assert crossed is not None and crossed.value == pytest.approx(2.0)  # half-way in ln K
