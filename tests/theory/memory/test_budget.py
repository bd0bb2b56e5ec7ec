"""K* at a budget for many values at once: the integral that it inverts, its limits, what it costs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iclrace.theory import PowerLawMemory, Task, clock_at_acquisition, threshold, threshold_values, time_of_clock
from iclrace.theory.memory import budget as at_budget
from iclrace.theory.memory.budget import diversity_at_budget

LAW = PowerLawMemory(amplitude=3.9, exponent=0.7)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.3, 2.0), st.floats(0.2, 5.0), st.integers(3, 12), st.floats(1.0, 500.0), st.floats(1e-3, 25.0),
)  # fmt: skip
def test_the_memory_of_that_diversity_reads_the_clock_at_that_time(exponent, scale, depth, clock, excess):
    """Against the integral over the margin that :func:`time_of_clock` does, to what K* near 2 I* lets it know.

    T/2I* − 1 carries a relative rounding of 1e-16/excess, the integral the same: hence the tolerance.
    """
    memory = PowerLawMemory(1e-3, exponent, margin_scale=scale, depth=depth)  # slow enough that K* > 1
    time = 2.0 * clock * math.exp(excess)
    found = float(diversity_at_budget(memory, np.array(clock), np.array(time)))
    assert found > 1.0
    assert math.log(time_of_clock(memory, clock, found) / (2.0 * clock)) == pytest.approx(excess, rel=1e-10, abs=1e-12)


def test_arrays_hold_what_single_values_are():
    task, beta0 = Task(context_length=100, dimension=63), np.linspace(-1.5, 2.0, 8)[:, None]
    budgets = np.append(np.geomspace(30.0, 1e8, 9), math.inf)
    values = threshold_values(task, LAW, beta0, budget=budgets)
    assert values.shape == (8, 10) and 0 < np.isinf(values).sum() < 40
    single = [[threshold(task, LAW, float(b), budget=float(t)).value for t in budgets] for b in beta0[:, 0]]
    np.testing.assert_allclose(values, single, rtol=1e-12)


def test_clocks_of_several_tasks_stand_beside_budgets():
    lengths = [25, 50, 100]
    clocks = np.array([clock_at_acquisition(Task(n), 0.0) for n in lengths])
    values = threshold_values(Task(2), LAW, clock=clocks[:, None], budget=[1e3, 1e5])
    expected = [[threshold(Task(n), LAW, 0.0, budget=t).value for t in (1e3, 1e5)] for n in lengths]
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_it_tends_to_the_threshold_of_infinite_time_and_to_the_first_order_near_twice_the_clock():
    """T → ∞: e^φ ∝ T up to powers of φ, so that I_K(∞) → I* as (ln T)^{1−q}.

    T → 2 I*: p I*/(4 (q − 1) I_K(∞)) = T/2I* − 1, to first order in it.
    """
    clock = np.array(70.0)
    for time in (1e20, 1e100, 1e200):
        excess = math.log(time / 140.0)
        found = float(diversity_at_budget(LAW, clock, np.array(time)))
        ends = [float(LAW.clock(margin, 1e4) / LAW.total_clock(1e4)) for margin in (excess, 1.2 * excess + 10.0)]
        most, least = (float(LAW.critical_diversity(clock / share)) for share in ends)
        assert float(LAW.critical_diversity(clock)) < least < found < most
    for excess in (1e-4, 1e-6, 1e-8):
        found = diversity_at_budget(LAW, clock, 2.0 * clock * (1.0 + excess))
        total = LAW.margin_scale * clock / (4.0 * (LAW.growth_exponent - 1.0) * excess)
        assert LAW.total_clock(found) == pytest.approx(float(total), rel=10.0 * excess + 1e-15 / excess)
    assert np.isinf(diversity_at_budget(LAW, clock, 2.0 * clock)) and np.isinf(diversity_at_budget(LAW, clock, clock))


def test_no_diversity_is_below_one():
    fast = PowerLawMemory(amplitude=1e3, exponent=0.7)
    assert diversity_at_budget(fast, np.array(2.0), np.array(1e6)) == 1.0


def test_a_grid_costs_few_integrals(monkeypatch):
    """A hundred thousand budgets and a grid of 200 × 200 are read from a table: fewer integrals than values."""
    asked, log_time = [], at_budget._log_time

    def counted(memory, margin):
        asked.append(np.size(margin))
        return log_time(memory, margin)

    task, budgets = Task(context_length=100, dimension=63), np.geomspace(150.0, 1e6, 100_000)
    exact = threshold_values(task, LAW, 0.0, budget=budgets[::5000])
    monkeypatch.setattr(at_budget, "_log_time", counted)
    many = threshold_values(task, LAW, 0.0, budget=budgets)
    np.testing.assert_allclose(many[::5000], exact, rtol=2e-6)
    grid = threshold_values(task, LAW, np.linspace(-2.0, 2.0, 200)[:, None], budget=budgets[::500])
    assert grid.shape == (200, 200) and 0 < sum(asked) < 40_000


@pytest.mark.parametrize("wrong", [{"budget": -1.0}, {"budget": [1.0, math.nan]}, {"clock": -1.0}])
def test_what_is_out_of_range_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        threshold_values(Task(50), LAW, 0.0, **wrong)
    with pytest.raises(ValueError, match="memory"):
        threshold_values(Task(50), "none", 0.0)
