"""The compiled reduced transformer: bound to theory's equations, its order, its error control, its draws."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.integrate import solve_ivp
from scipy.special import expit

from iclrace.simulate.kernel import adaptive, reduced_field
from iclrace.simulate.reduced_transformer import packed, reduced_course, reduced_threshold, solve_reduced, tabulated
from iclrace.theory.reduced_transformer import (
    COLUMNS,
    CORE,
    STATE,
    Contexts,
    CouplingRun,
    MeasuredCoupling,
    ReducedTransformer,
    Terms,
    draw_contexts,
    icl_accuracy,
    initial_state,
    rates,
)
from iclrace.theory.reduced_transformer.readout import readout_growth


def run_of(task_diversity):
    """A memory made by hand, smooth in the clock: I_K(∞) ∝ K^0.8, the couplings as K^(J/I_K) and beyond."""
    total = 12 * (task_diversity / 256) ** 0.8
    share = np.linspace(0, 1, 200)
    grown = (0.6 * task_diversity) ** share**2
    columns = {name: scale * grown for name, scale in zip(COLUMNS, (0.08, 0.003, 0.07, 0.002, 0.04, 0.02), strict=True)}
    margin = 5 * share**2
    return CouplingRun(
        task_diversity, total * share, expit(-margin), margin[:, None] * np.linspace(0.5, 1.5, 8), **columns
    )


COUPLING = MeasuredCoupling([run_of(k) for k in (64, 256, 1024)])
MODEL = ReducedTransformer(context_length=15, dimension=31, task_diversity=256)
DECAYING = replace(
    MODEL, decay=2e-3, copies=2, rate_ratio=0.5, attention_scale=0.7, residual_scale=1.5, clock_scale=1.2
)
BARE = replace(MODEL, terms=Terms(*[False] * 10))
MIXED = replace(MODEL, terms=CORE, fresh_share=0.3)
GROWTH = readout_growth(33, 128)


@njit
def called_rates(time, y, p, growth, total, table, contexts, out):
    """From Python, the parts of the integrator: the rates at ``y`` into ``out``, the couplings there, the accuracy."""
    work = reduced_field.workspace(table.shape[1], contexts[0].shape[1])
    reduced_field.rates(time, y, p, growth, total, table, contexts, work, out)
    accuracy = reduced_field.accuracy(time, y, p, total, table, contexts, work)
    reduced_field.read_row(table, y[7] / total, work[0])
    return work[0], accuracy


@njit
def row_read(table, share):
    row = np.empty(table.shape[1])
    reduced_field.read_row(table, share, row)
    return row


@njit
def called_step(time, h, y, p, growth, total, table, contexts, stages, new, error):
    work = reduced_field.workspace(table.shape[1], contexts[0].shape[1])
    slope = np.empty(reduced_field.SIZE)
    reduced_field.rates(time, y, p, growth, total, table, contexts, work, slope)
    adaptive.step(time, h, y, slope, p, growth, total, table, contexts, work, stages, new, error)


def compiled(model, state, contexts, time):
    total, table = tabulated(model, COUPLING)
    arrays = (contexts.labels, contexts.items, contexts.overlaps, contexts.own, contexts.common, contexts.label,
              contexts.target, contexts.slope, contexts.rank)  # fmt: skip
    out = np.empty(reduced_field.SIZE)
    row, accuracy = called_rates(time, state, packed(model), GROWTH, total, table, arrays, out)
    return out, accuracy, row


@pytest.mark.parametrize("model", [MODEL, DECAYING, BARE, MIXED, replace(MODEL, task_diversity=math.inf)])
@settings(max_examples=15, deadline=None)
@given(
    state=st.tuples(
        st.floats(-2, 30), st.floats(2, 60), st.floats(-2, 6), st.floats(-2, 0), st.floats(-9, 0), st.floats(0, 4),
        st.floats(-0.5, 1), st.floats(0, 40), st.floats(-1, 3), st.floats(-2, 2), st.floats(-2, 2),
        st.floats(-1, 0.5), st.floats(-1, 2),
    ),
    time=st.floats(0, 300),
)  # fmt: skip
def test_the_compiled_field_is_theorys(model, state, time):
    """Sums of 60 terms in another order: 1e-11 of the largest rate."""
    state = np.array(state)
    contexts = draw_contexts(model, 30, 8, seed=3)
    flow, accuracy, row = compiled(model, state, contexts, time)
    expected = rates(model, state, row, contexts, time)
    assert flow == pytest.approx(expected, rel=1e-9, abs=1e-11 * np.abs(expected).max())
    assert accuracy == pytest.approx(icl_accuracy(model, state, row, contexts, time), abs=1e-12)


@pytest.mark.parametrize("model", [MODEL, BARE])
def test_label_scores_may_vanish_altogether(model):
    """Their share falls as an exponential, below the least number there is: the rates stay those of a tiny share."""
    gone, tiny = (np.array([9.0, 20, 3, -1, left, 0, 0, 20, 0, 0, 0, 0, 0.5]) for left in (-800.0, -300.0))
    contexts = draw_contexts(model, 30, 8, seed=3)
    found, accuracy, row = compiled(model, gone, contexts, 5.0)
    assert np.isfinite(found).all() and 0.5 < accuracy <= 1
    assert found == pytest.approx(rates(model, gone, row, contexts, 5.0), rel=1e-9, abs=1e-11 * np.abs(found).max())
    assert found == pytest.approx(compiled(model, tiny, contexts, 5.0)[0], rel=1e-9)


def slow(model, contexts, budget):
    """The same equations by scipy with numpy's field, at a tolerance a thousand times finer."""
    total, table = tabulated(model, COUPLING)
    grid = np.linspace(0, total, len(table))

    def field(time, state):
        row = np.array([np.interp(state[7], grid, column) for column in table.T])
        return rates(model, state, row, contexts, time)

    return solve_ivp(field, (0, budget), initial_state(model), rtol=1e-7, atol=1e-8).y[:, -1]


@pytest.mark.parametrize("model", [MODEL, DECAYING, BARE])
def test_the_solution_is_that_of_a_slow_independent_solver(model):
    contexts = draw_contexts(model, 40, 8)
    solved = solve_reduced(model, COUPLING, budget=25.0, contexts=contexts, rtol=1e-4)
    expected = slow(model, contexts, 25.0)
    for name, value in zip(STATE, expected, strict=True):
        assert solved[name].item() == pytest.approx(value, rel=2e-3, abs=2e-3), name


def test_halving_the_step_divides_the_error_by_eight():
    """Order 3, on a table without kinks inside the interval: the slope over four step sizes."""
    contexts = draw_contexts(BARE, 20, 8)
    total, table = tabulated(BARE, COUPLING)
    table = np.linspace(table[0], table[0] + 0.5, len(table))  # linear in the clock: no jump of its slope
    arrays = (contexts.labels, contexts.items, contexts.overlaps, contexts.own, contexts.common, contexts.label,
              contexts.target, contexts.slope, contexts.rank)  # fmt: skip

    def at(steps):
        y = initial_state(BARE, 0.5, 1.0)
        new, error, stages = np.empty_like(y), np.empty_like(y), np.empty((4, y.size))
        for _ in range(steps):
            called_step(0.0, 4.0 / steps, y, packed(BARE), GROWTH, total, table, arrays, stages, new, error)
            y = new.copy()
        return y

    exact = at(1024)
    errors = [np.abs(at(steps) - exact).max() for steps in (16, 32, 64, 128)]
    assert -np.polyfit(np.log([16, 32, 64, 128]), np.log(errors), 1)[0] == pytest.approx(3.0, abs=0.25)


def test_the_error_follows_the_tolerance():
    """A hundred times finer, and at least ten times closer (order 3 of a pair: error ∝ tolerance)."""
    contexts = draw_contexts(MODEL, 40, 8)

    def solve(rtol):
        return solve_reduced(MODEL, COUPLING, budget=25.0, contexts=contexts, rtol=rtol)

    def error(found):
        return max(abs(found[name].item() - exact[name].item()) / (1 + abs(exact[name].item())) for name in STATE)

    exact, coarse, fine = solve(1e-7), solve(1e-2), solve(1e-4)
    assert error(coarse) < 0.1
    assert error(fine) < error(coarse) / 10
    assert coarse.steps.item() < fine.steps.item()


def test_more_draws_change_less_and_less():
    """The scatter over seeds falls as the square root of the draws: by 4, known to a fifth from 12 seeds each."""

    def scatter(draws):
        ends = [solve_reduced(MODEL, COUPLING, budget=60.0, draws=draws, seed=s).w.item() for s in range(12)]
        return np.std(ends) / np.mean(ends)

    few, many = scatter(60), scatter(960)
    assert many < few / 2


def test_one_k_gives_the_same_in_any_company():
    together = solve_reduced(MODEL, COUPLING, budget=30.0, task_diversity=[100, 256, 700, np.inf], draws=50)
    alone = solve_reduced(MODEL, COUPLING, budget=30.0, task_diversity=256, draws=50)
    for name in STATE:
        assert alone[name].item() == together[name].sel(task_diversity=256).item()


def test_acquisition_is_where_the_course_crosses():
    settings = {"budget": 300.0, "draws": 100}
    model = replace(MODEL, task_diversity=1e4)
    solved = solve_reduced(model, COUPLING, **settings)
    course = reduced_course(model, COUPLING, **settings)
    above = course.time.values[course.icl_accuracy.values > 0.95][0]
    below = course.time.values[course.icl_accuracy.values <= 0.95]
    assert below[below < above][-1] <= solved.time_acquired.item() <= above
    stopped = solve_reduced(model, COUPLING, stop_acquired=True, **settings)
    assert stopped.time_acquired.item() == solved.time_acquired.item()
    assert stopped.steps.item() <= solved.steps.item()


def test_fresh_sequences_run_no_clock_and_drive_what_they_drive_alone():
    """Averages over the draws are (1 − f) those of items and f those of fresh targets, each taken alone."""
    contexts, state = draw_contexts(MIXED, 200, 8, seed=1), initial_state(MIXED, 0.7, 0.4)
    state[7] = 9.0
    fresh = contexts.rank >= 8
    assert fresh.mean() == pytest.approx(0.3)
    total, table = tabulated(MIXED, COUPLING)
    row = row_read(table, state[7] / total)
    assert row[15:].std() > 0.3 * row[2] and row[15:].mean() == pytest.approx(0, abs=1e-12)
    whole = rates(MIXED, state, row, contexts)
    parts = []
    for chosen in (~fresh, fresh):
        one = Contexts(*[getattr(contexts, name)[chosen] for name in Contexts.__dataclass_fields__])
        parts.append(rates(MIXED, state, row, one))
    assert whole[:7] == pytest.approx(0.7 * parts[0][:7] + 0.3 * parts[1][:7], rel=1e-12)
    # β's own attention term multiplies the memory's speed, which averages over all draws: with it held the clock is
    # that of the items alone
    held = replace(MIXED, clock_scale=1.1)
    assert rates(held, state, row, contexts)[7] == pytest.approx(0.7 * rates(held, state, row, Contexts(
        *[getattr(contexts, name)[~fresh] for name in Contexts.__dataclass_fields__]))[7], rel=1e-12)  # fmt: skip
    assert rates(held, state, row, Contexts(
        *[getattr(contexts, name)[fresh] for name in Contexts.__dataclass_fields__]))[7] == 0.0  # fmt: skip


def test_a_share_of_fresh_sequences_teaches_in_context_below_the_threshold():
    """At K where memory wins the race by far, ICL is acquired all the same, and sooner with more fresh sequences."""
    times = [
        float(solve_reduced(replace(MODEL, terms=CORE, fresh_share=f, task_diversity=64), COUPLING, budget=400.0,
                            draws=100).time_acquired.item())
        for f in (0.0, 0.1, 0.4)
    ]  # fmt: skip
    assert times[0] == math.inf and math.inf > times[1] > times[2]


def test_the_threshold_is_where_the_curve_crosses():
    settings = {"budget": 100.0, "draws": 60}
    k_star = reduced_threshold(MODEL, COUPLING, **settings)
    sides = solve_reduced(
        MODEL, COUPLING, task_diversity=[k_star / 1.15, k_star * 1.15], **settings
    ).icl_accuracy.values
    assert 32 < k_star < 2048
    assert sides[0] < 0.75 < sides[1]


def test_scrambled_labels_teach_nothing_in_context():
    solved = solve_reduced(MODEL, COUPLING, budget=60.0, draws=100, scrambled=True)
    assert abs(solved.w.item()) < 1e-12
    assert solved.icl_accuracy.item() == pytest.approx(0.5, abs=1e-9)


def test_circuits_that_share_nothing_race_as_before():
    """k and G² held: at K → ∞ nothing changes, at finite K the memory only starves."""
    settings = {"budget": 400.0, "draws": 100, "task_diversity": [512.0, np.inf]}
    shared = solve_reduced(MODEL, COUPLING, **settings)
    apart = solve_reduced(replace(MODEL, terms=Terms(shared_gain=False)), COUPLING, **settings)
    assert apart.time_acquired[1].item() == shared.time_acquired[1].item() < math.inf
    assert apart.w[0].item() < shared.w[0].item()


@pytest.mark.parametrize(
    ("argument", "value"),
    [("budget", 0), ("rtol", 0), ("draws", 0), ("seed", -1), ("task_diversity", 1), ("w0", np.nan)],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=f"Argument '{argument}' must"):
        solve_reduced(MODEL, COUPLING, **{"budget": 1.0, argument: value})
