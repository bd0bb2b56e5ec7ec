"""Looks that are fixed in advance: their error rates, in closed form and by simulation, and the power of a claim."""

import math

import numpy as np
import pytest
from scipy import stats

from iclrace.theory import Estimate
from iclrace.validate import Claim, Looks, geometric_mean, power, seeds_for, spread_for
from iclrace.validate.sequential import THREE

BAR, SPREAD, MOST = 1.2, 0.15, 24


def test_equal_looks_have_pococks_bounds():
    """Pocock's constant for three equal looks is 2.289; the spending function reaches it to 1 %."""
    found = stats.norm.ppf(0.5 + np.array(Looks((1 / 3, 2 / 3, 1.0)).confidences) / 2)
    assert found == pytest.approx(2.289, rel=0.01)
    assert Looks().confidences == (0.95,)


def test_the_errors_of_all_looks_add_up_to_five_per_cent():
    """Brownian motion at the looks: the share of paths outside at any of them, to three deviations."""
    rng, draws = np.random.default_rng(0), 40_000
    steps = np.diff([0.0, *THREE])
    z = np.cumsum(rng.standard_normal((draws, 3)) * np.sqrt(steps), 1) / np.sqrt(THREE)
    bounds = stats.norm.ppf(0.5 + np.array(Looks(THREE).confidences) / 2)
    error = 3 * math.sqrt(0.05 * 0.95 / draws)
    assert abs(np.mean((np.abs(z) > bounds).any(1)) - 0.05) < error
    peeking = np.mean((np.abs(z) > 1.96).any(1))  # 95 % at every look
    assert peeking > 0.05 + 10 * error


def decide(rng, off, looks):
    """The verdict of a claim whose truth is ``off`` times the prediction, and the networks that it took."""
    times = off * np.exp(SPREAD * rng.standard_normal(MOST))
    verdict, n = "", 0
    for n, confidence in zip(looks.seeds(MOST), looks.confidences, strict=True):
        measured = geometric_mean(times[:n], confidence)
        verdict = Claim("t_ICL", "minimal", Estimate.exact(1.0), BAR, measured=measured, seeds=n).verdict.kind
        if verdict != "undecided":
            break
    return verdict, n


@pytest.mark.parametrize(
    ("off", "wrong"),
    [(1.0, "fails"), (BAR, "fails"), (BAR, "holds"), (BAR**2, "holds"), (2 * BAR, "holds")],
    ids=["true", "true, at the bar", "false, at the bar", "twice the bar in ln", "twice the bar"],
)
def test_a_wrong_verdict_is_rare(off, wrong):
    """At most 2.5 % on either side, at the worst place, the bar itself; 2,000 claims, three deviations."""
    rng, looks = np.random.default_rng(1), Looks(THREE)
    share = np.mean([decide(rng, off, looks)[0] == wrong for _ in range(2000)])
    assert share < 0.025 + 3 * math.sqrt(0.025 * 0.975 / 2000) <= 0.05


def test_clear_claims_end_early_and_most_are_decided():
    rng = np.random.default_rng(2)
    for off, right in ((1.0, "holds"), (BAR**2, "fails")):
        found = [decide(rng, off, Looks(THREE)) for _ in range(300)]
        assert np.mean([verdict == right for verdict, _ in found]) > 0.95
        assert np.mean([n for _, n in found]) < 0.7 * MOST


def test_power_is_that_of_simulated_claims_and_seeds_follow_from_it():
    rng = np.random.default_rng(3)
    for seeds, off in ((6, 1.0), (12, 1.05)):
        held = [
            Claim("t_ICL", "minimal", Estimate.exact(1.0), BAR, seeds=seeds,
                  measured=geometric_mean(off * np.exp(SPREAD * rng.standard_normal(seeds)))).verdict.kind == "holds"
            for _ in range(2000)
        ]  # fmt: skip
        assert np.mean(held) == pytest.approx(power(seeds, BAR, SPREAD, off=off), abs=3 * math.sqrt(0.25 / 2000))
    seeds = seeds_for(BAR, SPREAD)
    assert power(seeds - 1, BAR, SPREAD) < 0.9 <= power(seeds, BAR, SPREAD)
    assert seeds_for(BAR, SPREAD, looks=Looks(THREE)) > seeds
    with pytest.raises(ValueError, match="'off'"):
        seeds_for(BAR, SPREAD, off=BAR)


def test_the_spread_that_seeds_can_bear_is_the_inverse():
    for seeds in (2, 6, 24):
        spread = spread_for(BAR, seeds)
        assert power(seeds, BAR, spread) == pytest.approx(0.9, abs=1e-6)
        assert power(seeds, BAR, 1.01 * spread) < 0.9
    assert spread_for(BAR, 6, looks=Looks(THREE)) < spread_for(BAR, 6)


@pytest.mark.parametrize("shares", [(), (0.5,), (0.5, 0.5, 1.0), (0.0, 1.0), (0.5, 1.5)])
def test_looks_rise_to_the_whole(shares):
    with pytest.raises(ValueError, match="'shares'"):
        Looks(shares)
