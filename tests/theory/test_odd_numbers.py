"""Numbers that are odd but valid have right values, and those that are too large are refused by name, everywhere."""

import math
import warnings
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from iclrace import theory
from iclrace.benchmarks.forms import FORMS, MEMORY
from iclrace.theory import (
    Task,
    acquired_beta,
    acquisition_clock,
    clock_at_acquisition,
    delayed_time,
    early_drag,
    finite_accuracy,
    free_regime,
    icl_accuracy,
    icl_field,
    loss_hessian,
    momentum_delay,
    threshold_values,
    time_of_clock,
)

AVERAGES = ("icl_field", "mean_residual", "population_loss", "loss_gradient", "loss_hessian")


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def shapes(result):
    """The shapes of a result's arrays, by their place in it."""
    if isinstance(result, dict):
        return {name: shapes(part) for name, part in result.items()}
    if is_dataclass(result):
        return type(result), {field.name: shapes(getattr(result, field.name)) for field in fields(result)}
    return [shapes(part) for part in result] if isinstance(result, tuple) else np.shape(result)


@pytest.mark.parametrize(
    "form",
    # there is no saying how many fixed points there would be; margins have weights without an axis for the state
    [form for form in FORMS if form.name != "fixed_points" and not form.name.endswith(".margins")],
    ids=lambda form: form.label,
)
def test_of_no_numbers_there_are_no_values_of_the_same_kind(form):
    name = form.arguments[0]
    one, none = (shapes(form(**{name: form.column(name, 2)[:size]})) for size in (1, 0))
    assert str(one).replace("(1,", "(0,") == str(none).replace("(0, )", "(0,)")


def test_an_array_of_no_axes_is_the_number_in_it():
    task = Task(np.array(100), np.array(1000.0), np.array(63), label_std=np.array(1.0), copies=np.array(2))
    same = Task(100, 1000.0, 63, copies=2)
    assert task == same and hash(task) == hash(same) and type(task.context_length) is int
    assert np.array_equal(icl_field(1.0, 1.0, task), icl_field(1.0, 1.0, same))
    assert free_regime(np.array(100), np.array(0.05)) == free_regime(100)


@pytest.mark.parametrize("name", ["context_length", "task_diversity", "dimension", "copies", "label_std", "score_std"])
@pytest.mark.parametrize("size", [2**53, 2**70, 10**400])
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_that_no_float_holds_exactly_are_floats_or_refused_by_name(name, size, sign):
    value = sign * size
    if sign > 0 and size < 10**400 and name in ("task_diversity", "dimension", "label_std"):
        kept = getattr(Task(**{"context_length": 100, name: value}), name)
        assert kept == value and isinstance(kept, float)
        return
    with pytest.raises(ValueError, match=f"Argument '{name}'") as refusal:
        Task(**{"context_length": 100, name: value})
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("task", "over"),
    [
        (Task(10**9), {"average": "binomial"}),
        (Task(10**5, score_std=1.0), {}),
        (Task(2**53 - 1, 1000), {"repeats": True}),
    ],
)
def test_a_sum_that_no_memory_holds_is_refused_by_name(task, over):
    """Its arrays would take 8 GB, 3 GB and 70 TB."""
    with pytest.raises(ValueError, match="Argument 'context_length' must leave a sum of at most"):
        icl_field(1.0, 1.0, task, **over)


def test_clocks_with_repeats_are_refused_where_the_numbers_of_copies_are_too_many():
    with pytest.raises(ValueError, match="'context_length'"):
        clock_at_acquisition(Task(2**53 - 1, 1000), 0.0, repeats=True)


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("w", [1e308, -1e308])
def test_averages_at_the_edge_of_a_float_are_those_at_a_lesser_edge(name, w):
    """A residual is 0 or 1 from |w| of a thousand on, and what grows in proportion to w still does."""
    for task in (Task(100), Task(100, score_std=1.0), Task(50, labels="balanced")):
        edge, lesser = (np.asarray(getattr(theory, name)(x, 1.0, task)) for x in (w, w * 1e-8))
        assert not np.isnan(edge).any()
        grown = np.isinf(edge) | (np.abs(edge) > 1e290)
        assert edge[~grown] == pytest.approx(lesser[~grown], rel=1e-9, abs=1e-12)
        assert edge[grown & np.isfinite(edge)] == pytest.approx(1e8 * lesser[grown & np.isfinite(edge)], rel=1e-9)


def test_between_one_and_two_items_all_others_have_the_other_label():
    for k in (1.0 + 2**-52, 1.5, 2.0 - 2**-52):
        drive, turn = icl_field(0.0, 0.0, Task(100, k), repeats=True)
        assert np.isfinite(drive) and turn == 0.0  # which is w times something
        assert np.isfinite(clock_at_acquisition(Task(100, k), 5.0, repeats=True))
    near, two = (np.array(icl_field(1.0, 1.0, Task(100, k), repeats=True)) for k in (2.0 - 1e-9, 2))
    assert near == pytest.approx(two, rel=1e-6)


def test_extreme_deviations_dimensions_and_clocks():
    assert icl_accuracy(1.0, 1.0, Task(100, label_std=5e-324)) == 1.0
    endless = float(finite_accuracy(1.0, 2.0, Task(100), 0.3))
    for dimension in (1e11, 1e13, 1e20, 1e308):
        assert float(finite_accuracy(1.0, 2.0, Task(100, dimension=dimension), 0.3)) == pytest.approx(endless, abs=1e-9)
    assert time_of_clock(MEMORY, 1e308, math.inf) == delayed_time(MEMORY, 1e308, 1e4) == math.inf
    assert threshold_values(Task(100), MEMORY, clock=1e308, budget=1e5) == math.inf


@pytest.mark.parametrize("score_std", [0.5, 20.0])
def test_rough_scores_reach_an_accuracy_at_any_deviation_of_labels(score_std):
    for label_std in (1e-300, 1.0, 1e21):
        task = Task(100, label_std=label_std, score_std=score_std)
        level = acquired_beta(task)
        if abs(level) < 300.0:  # beyond, attention is the same
            assert float(icl_accuracy(1.0, level, task)) == pytest.approx(0.95, abs=1e-9)
        assert level - math.log(label_std) == pytest.approx(acquired_beta(Task(100, score_std=score_std)), abs=1e-9)
    assert acquired_beta(Task(100, label_std=0.0, score_std=score_std)) == -math.inf


@pytest.mark.parametrize("label_std", [1.0, 1e-2])
def test_where_w_follows_beta_momentum_delays_by_two_for_each_unit_of_it(label_std):
    """There dβ/dτ = e^{2β}/κ and τ* = κ e^{−2β}/2: −∇τ*·dg/dτ dτ is 2 dβ but for the square of e^β/κ."""
    task = Task(100, label_std=label_std)
    bottom = math.log(float(early_drag(task)))
    delay = momentum_delay(task, bottom - np.array([200.0, 30.0, 10.0, 7.001, 6.999, 5.0]))
    assert -np.diff(delay) == pytest.approx([340.0, 40.0, 5.998, 0.004, 3.998], abs=2.0 * math.exp(-5.0) ** 2 + 1e-4)
    start = bottom - np.array([7.001, 6.999])
    assert np.diff(momentum_delay(task, start, 5.0)) == pytest.approx(-0.004, abs=1e-4)
    for name, value in (("beta0", 301.0), ("w0", -5.1), ("w0", 10.0)):
        with pytest.raises(ValueError, match=f"Argument '{name}'"):
            momentum_delay(task, **{"beta0": 0.0, name: value})
    assert momentum_delay(task, 300.0, 5.0) == 1.0


@pytest.mark.parametrize("value", [{}, {1.0}, [[1], [1, 2]], "0.05", None, 1j])
def test_what_is_no_number_is_refused_by_name_wherever_results_are_kept(value):
    for name, call in (
        ("context_length", lambda: free_regime(value)),
        ("tolerance", lambda: free_regime(100, value)),
        ("drag", lambda: acquisition_clock(0.0, 0.0, value)),
        ("w", lambda: loss_hessian(value, 0.0, Task(100))),
    ):
        with pytest.raises(ValueError, match=f"Argument '{name}'"):
            call()
