"""The curve of fixed points: Newton against the bisection that it replaces, its turns, and many of them at once."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iclrace.theory import (
    PowerLawMemory,
    Task,
    acquisition_fold,
    fixed_points,
    fold,
    icl_field,
    mean_residual,
    transience_time,
)
from iclrace.theory.decay import curve as curve_module
from iclrace.theory.decay.curve import MARGINS, Tasks, curve_at, curves

MEMORY = PowerLawMemory(3.9, 0.7)
#: At D = 5 the others' share of attention rises again beyond β = D, where no w balances: it runs away before.
RUNAWAY = Task(9870, 2000.0, dimension=5.0, label_std=0.5, copies=2)

tasks = st.builds(
    lambda n, m, s, d, t: Task(n, copies=min(m, n - 1), label_std=s, dimension=d, target_in_softmax=t),
    st.integers(4, 10_000),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.3, 1.0, 3.0]),
    st.sampled_from([math.inf, 15.0, 63.0]),
    st.booleans(),
)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(tasks, st.floats(-20.0, 0.0))
def test_newton_finds_what_the_bisection_finds(task, log_decay):
    decay = np.array([math.exp(log_decay)])
    # the whole range of β, few points: the bisection is slow
    beta = np.concatenate([np.geomspace(1e-6, 0.02, 5), np.linspace(0.1, math.log(task.context_length) + 2.0, 15)])[
        None
    ]
    curve = curve_at(Tasks(task, decay), beta)
    averages = curve_module._Averages(Tasks(task, decay), beta)
    _, margin = curve_module._bisected(averages, decay[:, None], beta)
    inside = (margin > MARGINS[0] + 0.1) & (margin < MARGINS[1] - 0.1)
    assume(inside.any())
    # 20 halvings of 110 leave 1e-4
    np.testing.assert_allclose(curve.margin[inside], margin[inside], atol=2e-4)
    flow = averages.at(curve.w, curve.margin)
    balance = np.maximum(np.abs(flow.drive / (decay * curve.w) - 1.0), np.abs(flow.pull / (decay * beta) - 1.0))
    assert balance[inside].max() < 1e-9


def test_the_slope_along_the_curve_is_its_difference():
    here = curves(Tasks(Task(100, dimension=63.0), np.array([1e-3])))
    middle = slice(60, 200)
    step = 1e-4
    ends = [curve_at(Tasks(Task(100, dimension=63.0), np.array([1e-3])), here.beta + s).margin for s in (-step, step)]
    # central differences of O(1) functions: step² and rounding over step
    np.testing.assert_allclose((ends[1] - ends[0])[0, middle] / (2 * step), here.slope[0, middle], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("form", [fold, acquisition_fold])
def test_many_folds_and_none_are_those_of_each(form):
    """Context lengths from 3 on, the first of which have no fold: NaN in an array, None alone."""
    lengths = np.arange(3, 400)
    values = form(Task(lengths), 1e-3)
    for index in (0, 5, 8, 20, 396):
        one = form(Task(int(lengths[index])), 1e-3)
        if one is None:
            assert all(
                math.isnan(value[index]) for value in (values.w, values.beta, values.margin, *values.eigenvalues)
            )
        else:
            assert values.margin[index] == pytest.approx(one.margin, abs=1e-6)
            assert values.beta[index] == pytest.approx(one.beta, abs=1e-5)
    assert np.isnan(values.w[0]) and np.isfinite(values.w[20:]).all()


def test_fixed_points_of_many_decays_come_and_go_at_the_folds():
    margin = 3.5
    decays = np.exp(np.random.default_rng(4).uniform(-8.0, -5.0, 3000))
    points = fixed_points(Task(100), decays, margin)
    count = np.sum([np.isfinite(point.w) for point in points], axis=0)
    ends = [form(Task(100), decays).margin for form in (acquisition_fold, fold)]
    between = (ends[0] < margin) & (margin < ends[1])
    away = np.min(np.abs(np.array(ends) - margin), axis=0) > 1e-6
    np.testing.assert_array_equal(count[away], np.where(between, 3, 1)[away])
    assert set(count.tolist()) == {1, 3}
    for index in (0, 1000, 2999):
        alone = fixed_points(Task(100), float(decays[index]), margin)
        np.testing.assert_allclose([point.w[index] for point in points][: len(alone)], [p.w for p in alone], rtol=3e-6)


def test_fixed_points_at_many_margins_are_those_of_each():
    decays, margins = np.array([[1e-4], [1e-3]]), np.array([-1.0, 0.3, 2.0, 3.5, 4.5, 6.0])
    points = fixed_points(Task(100), decays, margins)
    for i, j in np.ndindex(2, 6):
        alone = fixed_points(Task(100), float(decays[i, 0]), float(margins[j]))
        assert [point.margin for point in alone] == pytest.approx([margins[j]] * len(alone), abs=1e-9)
        for name in ("w", "beta", "margin"):
            here = [getattr(point, name)[i, j] for point in points]
            assert here[: len(alone)] == pytest.approx([getattr(point, name) for point in alone], rel=1e-9)
            assert np.isnan(here[len(alone) :]).all()


def test_the_time_of_loss_where_w_runs_away_is_the_integral_over_the_margin():
    """At w = 400 a spline over β had made it five times as long: 51,800 against 9,682."""
    decay = 1.961740973390762e-06
    end = fold(RUNAWAY, decay)
    x, weights = np.polynomial.legendre.leggauss(40)
    s = 0.5 * math.sqrt(end.margin) * (x + 1.0)  # φ = φ_c − s²: smooth at the fold
    margins = end.margin - s**2
    points = fixed_points(RUNAWAY, decay, margins)
    w, beta = (np.nanmax([getattr(point, name) for point in points], axis=0) for name in ("w", "beta"))
    residual = mean_residual(w, beta, RUNAWAY, margins)
    total = math.sqrt(end.margin) * weights @ (s / MEMORY.field(margins, residual, 2000.0))
    # 20 nodes fewer leave 1e-5 in the sum
    assert float(transience_time(RUNAWAY, MEMORY, decay)) == pytest.approx(total, rel=1e-5)


def test_no_fixed_point_where_the_curve_leaves_the_range_at_once():
    """Between β = 5.083 and the next point φ falls from −0.5 out of range; one at −2.3 was once told from the jump."""
    decay, margin = 1.961740973390762e-06, -2.303879647863247
    for point in fixed_points(RUNAWAY, decay, margin):
        rates = icl_field(point.w, point.beta, RUNAWAY, margin)
        assert np.abs(np.array(rates) / decay - [point.w, point.beta]).max() < 1e-6


@pytest.mark.parametrize("margin", [-3.0, -1.0, 0.08, 0.5])
def test_a_fixed_point_is_found_where_its_beta_has_two_margins(margin):
    """At D of a few β turns back as φ falls, at 2.998 here: points below φ = 0.3 were lost. A scan finds one each."""
    task, decay = Task(389, dimension=2.9, copies=3), 6.5e-4
    (point,) = fixed_points(task, decay, margin)
    rates = icl_field(point.w, point.beta, task, margin)
    np.testing.assert_allclose(np.array(rates) / decay, [point.w, point.beta], rtol=1e-9)
    assert point.stable
