"""Measurements on synthetic data of known truth, and verdicts from intervals alone."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from iclrace.theory import Estimate, Task
from iclrace.validate import MemoryTraining, geometric_mean, measure_power_law, measure_threshold
from iclrace.validate.measure.clocks import clock_at
from iclrace.validate.measure.times import first_crossing
from iclrace.validate.predict.threshold import Prediction, predict_clock, predict_threshold
from iclrace.validate.training.config import Run
from iclrace.validate.training.memory import train_memory

K = np.array([100, 200, 300, 400, 600, 800.0])


def test_first_crossing_interpolates():
    assert first_crossing([0, 1, 2], [0.5, 0.9, 1.0]) == pytest.approx(1.5)
    assert first_crossing([0, 1, 2], [0.5, 0.9, 0.95]) == math.inf
    assert first_crossing([0, 1, 2], [0.99, 0.9, 0.95]) == 0


def test_geometric_mean_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    repeats = [geometric_mean(np.exp(rng.normal(2.0, 0.3, 4))).contains(math.exp(2.0)) for _ in range(1000)]
    # 95 % of 1000: the binomial's standard deviation is 0.7 %, four of them on either side.
    assert 0.92 < np.mean(repeats) < 0.98
    wrong = [geometric_mean(np.exp(rng.normal(2.0, 0.3, 4))).contains(math.exp(3.0)) for _ in range(200)]
    assert np.mean(wrong) < 0.1


def test_geometric_mean_of_censored_samples_reaches_infinity():
    assert geometric_mean([100.0, 110.0, math.inf]).high == math.inf
    assert geometric_mean([100.0, math.inf, math.inf]).value == math.inf


def test_power_law_is_recovered_with_the_stated_coverage():
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(1000):
        amplitude, exponent = measure_power_law(K, 3.9 * K**0.7 * np.exp(rng.normal(0, 0.05, K.size)))
        hits.append((amplitude.contains(3.9), exponent.contains(0.7)))
    assert np.all(np.abs(np.mean(hits, 0) - 0.95) < 0.03)


def test_a_power_law_is_recovered_where_points_scatter_unequally():
    # Two x, one far out and ten times noisier: classical least squares spreads its scatter over all points.
    x = np.concatenate([np.repeat([50.0, 60.0, 70.0, 80.0], 8), np.full(8, 250.0)])
    spread = np.where(x > 100, 0.5, 0.05)
    rng = np.random.default_rng(4)
    robust, classical, weighted = [], [], []
    for _ in range(1000):
        y = 2.0 * x * np.exp(spread * rng.standard_normal(x.size))
        robust.append(measure_power_law(x, y)[1].contains(1.0))
        fit = stats.linregress(np.log(x), np.log(y))
        classical.append(abs(fit.slope - 1) < stats.t.ppf(0.975, x.size - 2) * fit.stderr)
        weighted.append(measure_power_law(x, y, 1 / spread**2)[1])
    # 95 % of 1000: the binomial's standard deviation is 0.7 %, four of them on either side.
    assert 0.92 < np.mean(robust) < 0.98
    assert 0.92 < np.mean([estimate.contains(1.0) for estimate in weighted]) < 0.98
    assert np.mean(classical) < 0.9


def test_a_power_law_needs_two_diversities():
    with pytest.raises(ValueError, match="two different"):
        measure_power_law([5, 5, 5], [1, 2, 3])
    with pytest.raises(ValueError, match="'y'"):
        measure_power_law([1, 2, 3], [1, 2, -3])


@pytest.mark.parametrize("truth", [250.0, 350.0])
def test_threshold_finds_the_step_between_two_diversities(truth):
    accuracy = np.where(K[:, None] > truth, 0.98, 0.5) * np.ones((1, 3))
    estimate = measure_threshold(K, accuracy)
    assert estimate.contains(truth)
    assert estimate.low >= K[truth > K].max() and estimate.high <= K[truth < K].min()


def bimodal_outcomes(rng, diversities, seeds, *, paired=False):
    """Final accuracies of networks whose chance to acquire is a sigmoid of ln K about 320."""
    probability = 1 / (1 + np.exp(-np.log(diversities / 320) / 0.4))
    return np.where(rng.random((1 if paired else diversities.size, seeds)) < probability[:, None], 0.98, 0.52)


def coverage(diversities, seeds, repeats, truth=320, **options):
    rng = np.random.default_rng(2)
    paired = bool(options.pop("drawn_in_pairs", False))
    outcomes = (bimodal_outcomes(rng, diversities, seeds, paired=paired) for _ in range(repeats))
    return np.mean([measure_threshold(diversities, outcome, **options).contains(truth) for outcome in outcomes])


def test_threshold_covers_the_truth_of_bimodal_outcomes():
    # 100 repeats: the binomial's standard deviation is 2.2 %, three of them below 95 %.
    assert coverage(np.geomspace(100, 1000, 8), 8, 100) > 0.88
    assert coverage(np.geomspace(100, 1000, 8), 8, 50, truth=800) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("diversities", "seeds"), [(6, 4), (8, 8), (10, 16)])
def test_threshold_covers_the_truth_as_often_as_it_says(diversities, seeds):
    # 95 % of 1000: the binomial's standard deviation is 0.7 %, four of them on either side.
    assert 0.92 < coverage(np.geomspace(100, 1000, diversities), seeds, 1000) < 0.98


@pytest.mark.slow
def test_seeds_that_share_their_luck_are_resampled_whole():
    many = np.geomspace(100, 1000, 12)
    assert coverage(many, 16, 300, paired=True, drawn_in_pairs=True) > 0.91  # three standard deviations of 1.3 %
    # The control: taken for independent, the same outcomes give intervals far too narrow.
    assert coverage(many, 16, 300, paired=False, drawn_in_pairs=True) < 0.8


def test_threshold_outside_the_scan_is_open():
    runs = [[0.5, 0.5, 0.5], [0.52, 0.5, 0.51], [0.98, 1.0, math.nan], [1.0, 1.0, 1.0]]
    for paired in (False, True):  # a run that is missing at one K: K* was 100 [0, 800]
        without = measure_threshold([100, 200, 400, 800], runs, paired=paired)
        assert (without.value, without.low, without.high) == pytest.approx((282.84, 200, 400), rel=1e-4)
    with pytest.raises(ValueError, match="Argument 'accuracy' must hold a run at every task diversity"):
        measure_threshold([100, 200, 400], [[0.5], [math.nan], [1.0]])
    assert measure_threshold(K, np.full((6, 2), 0.5)).high == math.inf
    assert measure_threshold(K, np.full((6, 2), 0.99)).low == 0


@pytest.fixture(scope="module")
def memories():
    trainings = [MemoryTraining(k, 5, dimension=15, width=64) for k in (16, 32, 64)]
    return trainings, [train_memory(training) for training in trainings]


def test_a_memory_starts_undecided_and_ends_memorised(memories):
    _, (curves, *_) = memories
    assert float(curves.c1[0]) == pytest.approx(0.5, abs=0.03)
    assert float(curves.c1[-1]) < 0.01
    assert float(curves.c2[0]) == pytest.approx(0.5, abs=0.05)
    # The clock is the integral of c1: between samples 5 steps apart the trapezoid errs by the curvature of c1 only.
    assert float(curves.clock[-1]) == pytest.approx(float(curves.c1.integrate("time")), rel=0.01)


def test_the_clock_beyond_the_last_reading_continues_a_known_law():
    clock = np.linspace(0, 20, 200)
    c1 = 0.5 * np.exp(-clock / 4)  # dI/dt = c1 gives I(t) = 4 ln(1 + t/8)
    time = 8 * np.expm1(clock / 4)
    curves = xr.Dataset({"clock": ("time", clock), "c1": ("time", c1)}, coords={"time": time})
    assert clock_at(curves, 10 * time[-1]) == pytest.approx(4 * np.log1p(10 * time[-1] / 8), rel=1e-6)


def test_predictions_name_their_inputs_and_do_not_read_the_networks(memories):
    run = Run("minimal", Task(12, dimension=15), seed=0)
    clock = predict_clock(run)
    prediction = predict_threshold(clock, *memories, budget=120.0)
    assert prediction.estimate.low <= prediction.estimate.value <= prediction.estimate.high
    assert any("3 runs" in text for text in prediction.inputs)
    assert any("exact field" in text for text in prediction.inputs)


def test_a_threshold_is_read_off_the_memory_at_the_budget_and_not_beyond(memories):
    trainings, curves = memories
    budget = float(curves[0].time[-1]) / 2  # all have gone on for longer
    clock = Prediction(Estimate.exact(clock_at(curves[1], budget)), ())
    found = predict_threshold(clock, trainings, curves, budget)
    assert found.estimate.value == pytest.approx(trainings[1].task_diversity, rel=1e-9)
    beyond = predict_threshold(clock, trainings, curves, 10 * budget)
    assert beyond.estimate.value < found.estimate.value
