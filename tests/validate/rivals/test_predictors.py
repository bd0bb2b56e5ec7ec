"""What each predictor says, against closed forms, references of scipy and its source's own numbers."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from iclrace.simulate.coopetition import memory_size_threshold
from iclrace.theory import Estimate, Task
from iclrace.validate.data.sequences import Sequences
from iclrace.validate.frozen import ProtocolError
from iclrace.validate.rivals import (
    RIVALS,
    Condition,
    Coopetition,
    Crossing,
    Known,
    PowerLaw,
    compare,
    predictors,
    rival_named,
)

from .conftest import GRID, conditions, networks

TIME = np.linspace(0.0, 400.0, 4001)
FREE = PowerLaw("free", dict.fromkeys(("context_length", "dimension", "width", "rate_ratio")))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=4, max_size=4), st.floats(0.1, 100.0))
def test_a_fit_without_noise_is_the_law_that_it_is_fitted_to(exponents, constant):
    names = list(FREE.exponents)

    def law(at):
        return constant * math.prod(at[name] ** e for name, e in zip(names, exponents, strict=True))

    first, *rest = conditions(law)
    found = FREE.predict(first.condition, rest)
    # least squares loses at most the condition number of the design, below 10³, on the doubles' 2e-16
    assert found.value == pytest.approx(law(first.condition.at), rel=1e-10)
    assert found.high / found.low == pytest.approx(1.0, abs=1e-9)


def test_the_interval_is_that_of_a_new_observation():
    """Against the textbook's formula on scipy's line."""
    known = conditions(lambda at: 3.0 * at["context_length"], noise=0.3, seed=1)
    x, y = (np.log([f(one) for one in known]) for f in
            (lambda one: one.condition.at["context_length"], lambda one: one.measured.value))  # fmt: skip
    line, n, new = stats.linregress(x, y), len(x), math.log(40.0)
    s = math.sqrt(np.sum((y - line.intercept - line.slope * x) ** 2) / (n - 2))
    half = stats.t.ppf(0.975, n - 2) * s * math.sqrt(1 + 1 / n + (new - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    middle = line.intercept + line.slope * new
    found = PowerLaw("line", {"context_length": None}).predict(Condition({"context_length": 40}), known)
    assert np.log([found.value, found.low, found.high]) == pytest.approx([middle, middle - half, middle + half])


def test_a_law_says_nothing_where_the_others_do_not_determine_it():
    at = [{"context_length": n, "width": 128} for n in (7, 15, 31, 63)]
    known = [Known(Condition(one), Estimate.exact(100.0)) for one in at]
    law = PowerLaw("two", {"context_length": None, "width": None})
    assert law.predict(Condition({"context_length": 20, "width": 128}), known) is not None
    assert law.predict(Condition({"context_length": 20, "width": 64}), known) is None
    assert law.predict(Condition({"context_length": 20}), known) is None
    assert law.predict(Condition(at[0]), known[:2]) is None


def test_sparse_attention_halves_its_time_with_every_doubling_of_the_copies():
    """Zucchet et al. give t(m)/t(1) = 1/2 and 1/4 at m = 2 and 4 copies."""
    (law,) = (one for one in RIVALS["t_ICL"] if one.name == "sparse attention")
    at = {"context_length": 32, "dimension": 31.0}
    known = [Known(Condition({**at, "copies": 1}), Estimate.exact(200.0))] * 2
    ratios = [law.predict(Condition({**at, "copies": m}), known).value / 200.0 for m in (1, 2, 4)]
    assert ratios == pytest.approx([1.0, 0.50, 0.25])
    longer = law.predict(Condition({"context_length": 64, "dimension": 124.0, "copies": 1}), known).value
    assert longer / 200.0 == pytest.approx(2.0 * 2.0)  # t ∝ √d T


def test_a_perceptron_holds_its_parameters_in_bits():
    (law,) = (one for one in RIVALS["K*"] if one.name == "capacity, bits")
    assert law.fitted == 0
    assert law.predict(Condition({"parameters": 20737}), []).value == pytest.approx(2.16 * 20737)


def crossed(runs, **at):
    """A condition with stored calibration runs."""
    return Condition({"context_length": 15, "dimension": 31, "copies": 1, **at}, {}, runs.get)


def stored(endless, amplitude, slope):
    """Networks with T_mem = A K^s and the given t_ICL(K → ∞)."""
    k = [128.0, 256.0, 512.0, 1024.0]
    silent = networks(TIME, lambda k, s: amplitude * k**slope, "iwl_accuracy", {"task_diversity": k, "seed": [0, 1]})
    return {"scrambled": silent, "endless": networks(TIME, lambda s: endless, "icl_accuracy", {"seed": [0, 1, 2]})}


def test_the_crossing_is_where_the_two_times_are_equal():
    """T_mem = 2 K^0.6 = 80.25 at K = (80.25/2)^{1/0.6}; the curves are straight, so that no time is off by a step."""
    here = crossed(stored(80.25, 2.0, 0.6))
    found = compare([Known(here, Estimate.exact(470.0))] * 3, [Crossing("crossing")]).predicted[0][0]
    assert found.value == pytest.approx((80.25 / 2.0) ** (1 / 0.6), rel=1e-3)
    assert found.low == pytest.approx(found.high, rel=1e-3)  # no seed differs from another
    lost = crossed({"scrambled": stored(80.0, 2.0, 0.6)["scrambled"]})
    unknown = compare([Known(lost, Estimate.exact(470.0))] * 3, [Crossing("crossing")])
    assert unknown.predicted[0] == [None] * 3


def test_sparse_attention_crosses_at_the_time_that_it_predicts_from_the_others():
    """t_ICL = √D N/m in every condition, so that its crossing is the one that was measured there."""
    known = []
    for n, d, m in ((10, 16, 1), (20, 16, 2), (10, 64, 1), (15, 31, 1)):
        time = math.sqrt(d) * n / m
        known.append(
            Known(crossed(stored(time, 2.0, 0.6), context_length=n, dimension=d, copies=m), Estimate.exact(99))
        )
    rivals = [Crossing("measured"), next(one for one in RIVALS["K*"] if one.name == "sparse attention")]
    measured, said = compare(known, rivals).predicted
    assert [one.value for one in said] == pytest.approx([one.value for one in measured], rel=1e-3)


@dataclass
class Spy:
    """Notes what it is given."""

    name: str = "spy"
    sees: tuple = ()
    fitted: int = 0

    def predict(self, here, others):
        self.here, self.others = here, others
        return Estimate.exact(100.0)


def test_a_predictor_gets_what_it_lists_and_nothing_else(power_law):
    known, spy = conditions(power_law), Spy()
    compare(known, [spy])
    assert spy.others == []  # it fits nothing
    with pytest.raises(ProtocolError, match="asks for 'endless'"):
        spy.here.calibration("endless")
    spy = Spy(fitted=1, sees=("endless",))
    compare(known, [spy])
    assert len(spy.others) == len(known) - 1 and spy.here not in [one.condition for one in spy.others]
    assert spy.here.calibration("endless") is None  # listed, and not stored
    assert not hasattr(spy.here, "measured")


@pytest.mark.parametrize("i", [0, 7])
def test_no_prediction_depends_on_what_was_measured_there(i, power_law):
    known = conditions(power_law, noise=0.2, claimed=lambda at: Estimate.exact(300.0))
    before = compare(known, predictors(known)).predicted
    changed = [*known]
    changed[i] = Known(known[i].condition, known[i].measured.scaled(7.0))
    after = compare(changed, predictors(known)).predicted
    assert [row[i] for row in after] == [row[i] for row in before]
    names = [one.name for one in predictors(known)]
    assert after[names.index("regression")] != before[names.index("regression")]  # the others' predictions do change


def test_a_rival_that_cannot_be_found_is_named():
    for name in ("nothing", "math:", "math:nothing", "nowhere:thing"):
        with pytest.raises(ValueError, match="Argument 'with' must be a rival"):
            rival_named(name)
    with pytest.raises(ValueError, match="have name, sees, fitted, predict"):
        rival_named("math:pi")
    assert len(GRID) >= 16


def test_coopetitions_toy_is_fitted_by_its_two_scales():
    """K* made by the toy with η and δ of its own is said of a condition left out, within the grid of η (2 %)."""
    law = lambda n, r: 7.0 * r * memory_size_threshold(20 / 15 * 1.5 * n)  # noqa: E731
    known = [
        Known(Condition({"context_length": n, "rate_ratio": r}), Estimate.exact(law(n, r)))
        for n, r in ((7, 1.0), (15, 1.0), (31, 1.0), (15, 2.0), (31, 0.5))
    ]
    said = Coopetition().predict(Condition({"context_length": 20, "rate_ratio": 2.0}), known)
    assert said is not None and said.value == pytest.approx(law(20, 2.0), rel=0.03)
    assert Coopetition().predict(known[0].condition, known[:2]) is None


def test_memorising_and_generalising_have_no_loss_to_choose_between():
    """So the rational predictor's odds do not change with training: its evidence is n ΔL, and ΔL = 0 on every sequence.

    A memory of all K labels, and copying from the context, both answer every training target rightly.
    """
    batch = Sequences(Task(15, dimension=31), [64, 256], [0, 1], 500).batch(3)
    known = batch.table.labels
    memorised = batch.table.rows(known, batch.target)  # the label of the item, whatever the context
    alike = batch.context == batch.target[..., None]
    copied = (batch.context_labels * alike).sum(-1) / alike.sum(-1)  # that of its copies
    assert torch.equal(memorised, batch.target_labels) and torch.equal(copied, batch.target_labels)


def test_the_rational_predictors_memory_takes_a_time_that_grows_faster_than_its_items():
    """T ∝ K^{β/(1 − α)}, superlinear for β > 1 − α as its source finds: made so, it is said of another budget."""
    law = lambda budget: (3.0 * budget) ** (1 / 1.7)  # noqa: E731  (β/(1 − α) = 1.7)
    known = [Known(Condition({"budget": t}), Estimate.exact(law(t))) for t in (100.0, 200.0, 400.0, 800.0)]
    (rival,) = (one for one in RIVALS["K*"] if one.name == "rational predictor")
    said = rival.predict(Condition({"budget": 1600.0}), known)
    assert said is not None and said.value == pytest.approx(law(1600.0))
