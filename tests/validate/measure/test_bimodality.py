"""Outcomes of known truth: accuracy at a budget, two kinds of runs."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from iclrace.validate import accuracy_at, measure_bimodality


def test_the_accuracy_is_read_at_the_stated_budget():
    icl = [[0.5, 0.7, 1.0, 0.9], [0.5, 0.98, np.nan, np.nan]]
    runs = xr.Dataset({"icl_accuracy": (("seed", "time"), icl)}, coords={"time": [0.0, 5.0, 10.0, 15.0]})
    assert accuracy_at(runs, 12.0).values.tolist() == [1.0, 0.98]
    assert accuracy_at(runs, 5.0).values.tolist() == [0.7, 0.98]
    assert accuracy_at(runs, 5.0).attrs == {"budget": 5.0}
    with pytest.raises(ValueError, match="budget"):
        accuracy_at(runs, -1.0)


DRAWS = {
    "normal": lambda rng, n: rng.normal(0.9, 0.05, n),
    "uniform": lambda rng, n: rng.uniform(0.5, 1.0, n),
    "skewed": lambda rng, n: 1 - 0.1 * rng.exponential(1.0, n),
}


@pytest.mark.parametrize("law", DRAWS)
def test_one_kind_of_outcome_is_not_called_two(law):
    rng = np.random.default_rng(1)
    measured = [measure_bimodality(DRAWS[law](rng, 24)) for _ in range(300)]
    # A level of 5 % in 300 repeats: the standard deviation is 1.3 %, three of them above.
    assert np.mean([f.bimodal for f in measured]) < 0.09
    if law == "normal":
        # The mixture's own null law: its level is exact but for the 399 samples that stand for the law (1.1 %) and
        # the repeats (1.3 %); three standard deviations of both.
        assert 0.0 < np.mean([f.mixture_p_value < 0.05 for f in measured]) < 0.10


def test_two_kinds_of_outcome_are_found_with_their_shares():
    rng = np.random.default_rng(2)
    hits = []
    for _ in range(300):
        upper = rng.random(24) < 0.4
        measured = measure_bimodality(np.where(upper, 0.97, 0.52) + 0.02 * rng.standard_normal(24))
        assert measured.mixture_p_value <= 0.01 and measured.bic_difference > 0
        assert measured.means == pytest.approx((0.52, 0.97), abs=0.05)
        hits.append((measured.bimodal, measured.upper.contains(0.4)))
    # 95 % of 300: three standard deviations of 1.3 %.
    assert np.all(np.mean(hits, 0) > 0.91)


@pytest.mark.parametrize("chance", [0.5, 0.99, 0.9999])
@pytest.mark.parametrize("size", [12, 24, 96])
def test_counts_of_one_chance_are_of_one_kind(chance, size):
    """Accuracies of 2,000 sequences. As numbers, 24 of chance 0.999 were called two kinds 94 times of 100."""
    rng = np.random.default_rng(5)
    measured = [measure_bimodality(rng.binomial(2000, chance, size) / 2000) for _ in range(60)]
    # the level is 5 %, which the dip keeps with room to spare: three standard deviations of 2.8 %
    assert np.mean([f.bimodal for f in measured]) <= 0.05
    assert np.mean([f.mixture_p_value < 0.05 for f in measured]) < 0.135
    if chance == 0.99:  # negative control: the same as numbers
        as_numbers = [measure_bimodality(rng.binomial(2000, 0.999, 96) / 2000, test_size=None) for _ in range(60)]
        assert np.mean([f.bimodal for f in as_numbers]) > 0.5


def test_neighbouring_counts_are_not_two_kinds():
    measured = measure_bimodality([1.0] * 12 + [0.9995] * 12)
    assert not measured.bimodal and measured.p_value > 0.5
    assert measure_bimodality([1.0] * 12 + [0.9] * 12).bimodal


def test_equal_outcomes_are_of_one_kind():
    measured = measure_bimodality(np.ones(10))
    assert not measured.bimodal and measured.upper.value == 1.0
    two = measure_bimodality([0.5] * 5 + [1.0] * 5)
    assert two.bimodal and two.means == pytest.approx((0.5, 1.0))
    with pytest.raises(ValueError, match="four"):
        measure_bimodality([0.5, 1.0, 1.0])


def test_the_mixture_is_the_likelihood_of_its_parameters():
    x = np.sort(np.random.default_rng(3).normal(0, 1, 30) + 3 * (np.arange(30) % 2))
    measured = measure_bimodality(x)
    part = measured.upper.value
    two = (1 - part) * stats.norm.pdf(x, measured.means[0], measured.width) + part * stats.norm.pdf(
        x, measured.means[1], measured.width
    )
    ratio = 2 * (np.log(two).sum() - stats.norm.logpdf(x, x.mean(), x.std()).sum())
    # The share of runs nearer to a component stands in for its weight, which the likelihood feels in second order.
    assert measured.bic_difference + 2 * np.log(30) == pytest.approx(ratio, abs=0.3)
