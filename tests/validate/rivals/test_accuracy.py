"""Final accuracy that follows from a predicted K*, and its score over the K of a condition."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from iclrace.theory import Estimate
from iclrace.validate.experiments import ReducedEquations, ReducedTimes
from iclrace.validate.experiments.reduced_methods import METHODS
from iclrace.validate.presets.rivals import RIVALS
from iclrace.validate.rivals import (
    Condition,
    Known,
    Stated,
    accuracy_from,
    compare,
    compare_accuracy,
    final_accuracies,
    predictors,
)
from iclrace.validate.rivals import (
    conditions as stored,
)

EXACT = Estimate.exact
REDUCED = "reduced transformer"
#: K of a scan over K*.
FACTORS = (1 / 8, 1 / 3, 1 / 1.5, 1.5, 3, 8)


def stepped(threshold, seeds=4, above=1.0):
    """Networks at chance below K*, and at ``above`` from there on."""
    k = threshold * np.array(FACTORS)
    end = np.where(k > threshold, above, 0.5)
    curves = np.broadcast_to(np.stack([np.full_like(end, 0.5), end], -1)[:, None], (len(k), seeds, 2))
    return xr.Dataset(
        {"icl_accuracy": (("task_diversity", "seed", "time"), curves.copy())},
        {"task_diversity": k, "time": [0.0, 90.0]},
    )


def conditions(**said):
    """Four conditions with K* = 30 N, whose networks do as a step at K* does."""
    return [
        Known(
            Condition({"context_length": n}, {name: one(30.0 * n) for name, one in said.items()}),
            Estimate(30.0 * n, 29.0 * n, 31.0 * n),
            partial(stepped, 30.0 * n),
        )
        for n in (7, 15, 31, 63)
    ]


@pytest.mark.parametrize("k", [60.0, 90.0, 100.0, 130.0, 190.0])
def test_between_the_ends_the_value_is_the_mean_over_a_normal_threshold(k):
    said = Estimate(100.0, 50.0, 200.0)
    deviation = math.log(2) / stats.norm.ppf(0.975)
    thresholds = 100 * np.exp(deviation * stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000))
    predicted = accuracy_from(said, k)
    assert predicted.value == pytest.approx(np.where(k > thresholds, 1.0, 0.5).mean(), abs=1 / 20_000)
    assert (predicted.low, predicted.high) == (0.5, 1.0)


def test_beyond_the_ends_networks_end_at_chance_or_right():
    said = Estimate(100.0, 50.0, 200.0)
    assert accuracy_from(said, 49.0) == EXACT(0.5) and accuracy_from(said, 201.0) == EXACT(1.0)
    narrow = Estimate(100.0, 80.0, 125.0, 0.68)  # at 95 % from 64 to 155
    assert accuracy_from(narrow, 70.0).high == 1.0 and accuracy_from(narrow, 60.0) == EXACT(0.5)
    assert accuracy_from(EXACT(100.0), 99.0) == EXACT(0.5) and accuracy_from(EXACT(100.0), 101.0) == EXACT(1.0)
    assert accuracy_from(EXACT(100.0), 100.0).value == 0.75
    never = Estimate(math.inf, 300.0, math.inf)
    assert accuracy_from(never, 299.0) == EXACT(0.5)
    assert accuracy_from(never, 1e9).value == 0.5 and accuracy_from(never, 1e9).high == 1.0
    opened = accuracy_from(Estimate(100.0, 0.0, 200.0), 1.0)
    assert (opened.low, opened.high) == (0.5, 1.0)
    assert (accuracy_from(None, 10.0).low, accuracy_from(None, 10.0).high) == (0.0, 1.0)


def test_accuracy_rises_with_k():
    for said in (Estimate(100.0, 30.0, 110.0), Estimate(100.0, 0.0, 200.0), Estimate(100.0, 60.0, math.inf)):
        values = [accuracy_from(said, k).value for k in np.geomspace(5, 2000, 60)]
        assert values == sorted(values)


def test_measured_accuracies_are_students_and_a_network_that_is_stopped_may_end_at_one():
    runs = stepped(100.0, seeds=4, above=0.96)
    runs.icl_accuracy[0, :, 1] = [0.5, 0.6, 0.7, np.nan]
    runs.icl_accuracy[0, 3, 0] = np.nan  # diverged
    final = final_accuracies(runs, 100.0)
    first, *_, last = final.values()
    reference = stats.ttest_1samp([0.5, 0.6, 0.7], 0).confidence_interval(0.95)
    assert first.value == pytest.approx(0.6)
    assert (first.low, first.high) == pytest.approx((reference.low, reference.high))
    assert (last.value, last.low, last.high) == pytest.approx((0.96, 0.96, 1.0))
    early = list(final_accuracies(stepped(100.0), 50.0).values())
    assert all(one.value == 0.5 for one in early)  # read before the last evaluation


def test_a_perfect_threshold_is_at_the_floor_and_one_off_by_four_is_punished():
    known = conditions(right=EXACT, off=lambda k: EXACT(4 * k), wide=lambda k: Estimate(k, k / 9, 9 * k))
    scores = compare_accuracy(known, [Stated("right"), Stated("off"), Stated("wide"), Stated("nobody")])
    rows = {row["predictor"]: row for row in scores.rows()}
    assert rows["right"]["score"] == 0.0 and rows["right"]["covered"] == rows["right"]["points"] == 4 * len(FACTORS)
    # K = 1.5 and 3 K* are said to end at chance: off by 1/2, 40 times
    assert rows["off"]["score"] == pytest.approx(40 / 2 * 2 / len(FACTORS))
    assert rows["off"]["off by"] == pytest.approx(1 / 6) and rows["off"]["covered"] == 4 * 4
    assert rows["wide"]["score"] == pytest.approx(0.5)
    assert rows["nobody"]["score"] == 1.0 and rows["nobody"]["says"] == 0 and math.isnan(rows["nobody"]["off by"])
    assert [row["predictor"] for row in scores.rows()] == ["right", "wide", "nobody", "off"]
    told = scores.by_condition()
    assert len(told) == 4 * 4 * len(FACTORS)
    assert np.mean([row["score"] for row in told if row["predictor"] == "off"]) == pytest.approx(rows["off"]["score"])


def test_predictors_are_not_shown_the_networks():
    class Spy:
        name, sees, fitted = "spy", (), 1

        def predict(self, here, others):
            assert not hasattr(here, "networks") and all(one.networks() is None for one in others)

    assert compare_accuracy(conditions(), [Spy()]).rows()[0]["says"] == 0


def test_conditions_without_networks_are_refused():
    known = [Known(one.condition, one.measured) for one in conditions()]
    with pytest.raises(ValueError, match="Argument 'conditions' must store their networks"):
        compare_accuracy(known, [Stated("nobody")])


def test_the_theory_is_what_the_others_are_tested_against():
    known = conditions(**{"starvation": EXACT, REDUCED: EXACT})
    scores = compare(known, predictors(known, "t_ICL"))
    assert scores.rivals[scores.against].name == REDUCED and scores.rivals[0].name == "starvation"
    assert compare(known, [Stated("a"), Stated("b", theory=True)], "a").against == 0
    assert compare(known, [Stated("a"), Stated("b")]).against == 0


def test_the_names_of_the_theorys_methods_are_those_of_the_methods():
    fresh: Any = RIVALS.only(["rivals_fresh"]).experiments[0]
    assert REDUCED in METHODS and any(REDUCED in getattr(method, "terms", ()) for method in fresh.methods)
    said = {ReducedEquations().name, ReducedEquations("scrambled", 3).name, *ReducedTimes({}).terms}
    assert said <= METHODS and "starvation" not in METHODS


def test_what_the_rule_itself_costs_on_the_stored_networks():
    """As docs/rivals.md says: [1/2, 1] at every K, the measured K*, and that with its interval."""
    known = stored(Path(__file__).parents[3] / "results" / "reference" / "coupling")
    found = compare_accuracy(known, [Stated("anywhere"), Stated("exactly"), Stated("measured")])
    measured = [one.measured for one in found.known]
    predicted = [[Estimate(300.0, 0.0, math.inf)] * 16, [EXACT(one.value) for one in measured], measured]
    scores = replace(found, predicted=predicted).scores.mean(1)
    assert [round(score, 2) for score in scores.tolist()] == [0.51, 1.03, 0.38]
    assert sum(map(len, found.accuracies)) == 109
