"""Censored times of known truth: medians, log-normal laws, tails, and the loss of ICL."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import optimize, stats

from iclrace.validate import (
    acquisition_times,
    compare_tails,
    fit_log_normal,
    geometric_mean,
    loss_times,
    measure_acquisition_time,
)
from iclrace.validate.experiments.transience_tools import durations
from iclrace.validate.measure.survival import PAPER_LOST_LEVEL, observation_times
from iclrace.validate.measure.tails import fit_censored_power_law
from iclrace.validate.measure.times import measure_power_law

REPEATS = 1000
# 95 % of 1000 repeats: the binomial's standard deviation is √(0.95 · 0.05/1000) = 0.7 %, and four of them are 2.8 %.
# The band is 92 to 98 %.
LEAST, MOST = 0.92, 0.98
MEDIAN, WIDTH = 150.0, 1.0


def samples(rng, size, end):
    times = MEDIAN * np.exp(WIDTH * rng.standard_normal(size))
    return np.where(times > end, math.inf, times)


@pytest.mark.parametrize(("size", "end"), [(20, 1e9), (30, 300.0), (60, 250.0)])
def test_intervals_cover_the_truth_of_censored_times(size, end):
    rng = np.random.default_rng(size)
    hits, controls = [], []
    for _ in range(REPEATS):
        times = samples(rng, size, end)
        median, fit = measure_acquisition_time(times, end), fit_log_normal(times, end)
        hits.append((median.contains(MEDIAN), fit.median.contains(MEDIAN), fit.width.contains(WIDTH)))
        controls.append((median.contains(3 * MEDIAN), fit.median.contains(3 * MEDIAN), fit.width.contains(3 * WIDTH)))
    coverage = np.mean(hits, 0)
    assert np.all((coverage > LEAST) & (coverage < MOST)), coverage
    assert np.all(np.mean(controls, 0) < 0.25)


def test_dropping_the_censored_runs_misses_the_truth():
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(200):
        times = samples(rng, 30, 250.0)
        hits.append(fit_log_normal(times[np.isfinite(times)], 250.0).median.contains(MEDIAN))
    assert np.mean(hits) < 0.5


def test_the_fit_is_scipys_maximum_and_exact_without_censoring():
    rng = np.random.default_rng(1)
    times = samples(rng, 50, 250.0)
    seen = np.isfinite(times)
    data = stats.CensoredData(uncensored=np.log(times[seen]), right=np.full((~seen).sum(), math.log(250.0)))
    mean, _ = stats.norm.fit(data)
    # scipy stops its simplex at 1e-4 of the likelihood's parameters.
    assert math.log(fit_log_normal(times, 250.0).median.value) == pytest.approx(mean, abs=1e-3)
    whole = np.log(samples(rng, 12, 1e9))
    fit = fit_log_normal(np.exp(whole), 1e9)
    low, high = stats.t.interval(0.95, 11, whole.mean(), stats.sem(whole))
    # BFGS stops at a gradient of 1e-5.
    assert np.log([fit.median.low, fit.median.high]) == pytest.approx([low, high], rel=1e-4)
    assert fit.width.value == pytest.approx(whole.std(ddof=1), rel=1e-4)
    assert fit.width.low == pytest.approx(whole.std(ddof=1) * math.sqrt(11 / stats.chi2.isf(0.025, 11)), rel=1e-4)


LENGTHS = np.repeat([7.0, 15.0, 31.0], 8)


def times_over_lengths(rng, power, end):
    times = 3.0 * LENGTHS**power * np.exp(0.4 * rng.standard_normal(LENGTHS.size))
    return np.where(times > end, math.inf, times)


def test_the_exponent_of_censored_times_covers_the_truth_and_the_acquired_alone_do_not():
    rng = np.random.default_rng(4)
    hits, dropped = [], []
    for _ in range(400):
        times = times_over_lengths(rng, 1.0, 90.0)  # half of the longest contexts' are not seen
        hits.append(fit_censored_power_law(LENGTHS, times, 90.0).contains(1.0))
        seen = np.isfinite(times)
        dropped.append(measure_power_law(LENGTHS[seen], times[seen])[1].contains(1.0))
    assert 0.906 < np.mean(hits) < 0.994  # four of the binomial's standard deviations, 1.1 %
    assert np.mean(dropped) < 0.8


def test_the_exponent_is_least_squares_without_censoring_and_the_maximum_with_it():
    rng = np.random.default_rng(5)
    whole = times_over_lengths(rng, 0.9, math.inf)
    reference = stats.linregress(np.log(LENGTHS), np.log(whole))
    fit = fit_censored_power_law(LENGTHS, whole, 1e9)
    assert fit.value == pytest.approx(reference.slope, rel=1e-4)  # BFGS stops at a gradient of 1e-5
    half = stats.t.isf(0.025, LENGTHS.size - 2) * reference.stderr
    assert fit.high - fit.value == pytest.approx(half, rel=1e-4)

    times = np.where(whole > 60.0, math.inf, whole)
    seen, x = np.isfinite(times), np.log(LENGTHS)

    def loss(parameters):
        mean, width = parameters[0] + parameters[1] * x, math.exp(parameters[2])
        ends = stats.norm.logsf(math.log(60.0), mean, width)
        return -np.where(seen, stats.norm.logpdf(np.log(np.minimum(times, 60.0)), mean, width), ends).sum()

    best = optimize.minimize(loss, [1.0, 1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert fit_censored_power_law(LENGTHS, times, 60.0).value == pytest.approx(best.x[1], rel=1e-4)


@pytest.mark.parametrize("x", [[7.0] * 24, [7.0] * 3, [0.0] * 24])
def test_an_exponent_needs_events_at_two_lengths(x):
    with pytest.raises(ValueError, match="Argument 'x' must"):
        fit_censored_power_law(x, np.linspace(1.0, 2.0, 24), 5.0)


def test_a_long_tail_is_told_from_a_short_one():
    rng = np.random.default_rng(2)
    verdicts = {"log-normal": [], "normal": []}
    for _ in range(200):
        verdicts["log-normal"].append(compare_tails(samples(rng, 100, 600.0), 600.0).verdict)
        short = np.maximum(rng.normal(MEDIAN, 50.0, 100), 1.0)
        verdicts["normal"].append(compare_tails(np.where(short > 250, math.inf, short), 250.0).verdict)
    assert verdicts["log-normal"].count("log-normal") > 180
    assert verdicts["log-normal"].count("normal") == 0
    # The control: on a short tail the test never claims the long one. Two-sided at 5 %, so 2.5 % of 200 and four
    # standard deviations of 1.1 % are at most 14.
    assert verdicts["normal"].count("log-normal") <= 14
    few = [compare_tails(samples(rng, 5, 1e9), 1e9).verdict for _ in range(50)]
    assert few.count("undecided") > 25


def test_a_median_that_no_run_reaches_is_beyond_the_data():
    estimate = measure_acquisition_time([3.0, *[math.inf] * 29], 40.0)
    assert estimate.value == estimate.high == math.inf and estimate.low == 40.0
    assert measure_acquisition_time([3.0, 5.0, 50.0], 40.0) == measure_acquisition_time([3.0, 5.0, math.inf], 40.0)


@pytest.mark.parametrize("bad", [{"times": []}, {"times": [math.nan]}, {"ended": math.inf}, {"confidence": 1.0}])
def test_bad_samples_are_refused(bad):
    with pytest.raises(ValueError, match="Argument"):
        measure_acquisition_time(**{"times": [1.0, math.inf], "ended": 5.0, **bad})
    with pytest.raises(ValueError, match="three events"):
        fit_log_normal([1.0, 2.0, math.inf], 5.0)


def transient_runs(rng, seeds, end=100.0):
    """ICL is acquired at 10 and lost after a log-normal time of median 40; every tenth run never acquires it."""
    time = np.arange(0.0, end + 0.5)
    lost = 10 + 40 * np.exp(0.5 * rng.standard_normal(seeds))[:, None]
    icl = np.where((time >= 10) & (time < lost), 1.0, 0.5)
    icl[::10] = 0.5
    return xr.Dataset({"icl_accuracy": (("seed", "time"), icl)}, coords={"time": time})


def test_transience_is_the_first_loss_after_acquisition():
    icl = [[0.5, 1.0, 0.8, 1.0, 0.5, 1.0], [0.5, 0.5, 0.9, 0.5, 0.5, 0.5], [0.5, 1.0, 1.0, 1.0, np.nan, np.nan]]
    runs = xr.Dataset({"icl_accuracy": (("seed", "time"), icl)}, coords={"time": np.arange(6.0)})
    assert loss_times(runs).values == pytest.approx([3.5, math.nan, math.inf], nan_ok=True)
    # As the paper counts: already below 0.9, but not before the time from which it looks.
    assert loss_times(runs, lost_level=PAPER_LOST_LEVEL).values[0] == 1.5
    assert loss_times(runs, lost_level=PAPER_LOST_LEVEL, after=3.0).values[0] == pytest.approx(3.2)
    assert observation_times(runs).values.tolist() == [5.0, 5.0, 3.0]


def test_the_transience_time_covers_the_truth():
    rng = np.random.default_rng(3)
    # Both crossings are read to about one evaluation, 1 in 40: shift the truth by half an interval on either side.
    estimates = []
    for runs in (transient_runs(rng, 40) for _ in range(100)):
        acquired, lasting = acquisition_times(runs).values, durations(runs, "icl_accuracy").values
        known = np.isfinite(acquired)
        watched = np.maximum(observation_times(runs).values - acquired, np.finfo(float).tiny)
        estimates.append(measure_acquisition_time(lasting[known], watched[known]))
    hits = [estimate.low - 1 <= 40.0 <= estimate.high + 1 for estimate in estimates]
    # 100 repeats: the binomial's standard deviation is 2.2 %, three of them below 95 %.
    assert np.mean(hits) >= 0.88
    assert np.mean([estimate.contains(80.0) for estimate in estimates]) < 0.05


def test_the_median_at_exactly_one_half():
    """S(12) = 12/24, a product of fractions that comes out a little above 1/2 in floating point."""
    assert measure_acquisition_time([*range(1, 24), math.inf], ended=100.0).value == 12.0
    # where half of the samples are censored the median is the last time seen, in every room by the same convention
    assert geometric_mean([1.0, 2.0, math.inf, math.inf]).value == 2.0
    assert measure_acquisition_time([1.0, 2.0, math.inf, math.inf], ended=9.0).value == 2.0


def test_the_tails_verdict_is_seldom_the_other_law():
    """Nominal 5 % of wrong verdicts, three binomial deviations of 300 sets above it; right ones are no rarity."""
    rng, most = np.random.default_rng(7), 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    laws = {
        "log-normal": lambda: MEDIAN * np.exp(0.25 * rng.standard_normal(40)),
        "normal": lambda: MEDIAN * (1 + 0.25 * rng.standard_normal(40)),
    }
    for name, draw in laws.items():
        verdicts = [compare_tails(np.abs(draw()), 1e9).verdict for _ in range(300)]
        wrong = sum(one not in (name, "undecided") for one in verdicts) / 300
        assert wrong < most < verdicts.count(name) / 300, (name, wrong)
