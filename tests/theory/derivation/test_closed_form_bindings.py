"""The closed forms after acquisition, at a budget and beside the race, bound to their symbolic source to 1e-10."""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from iclrace import theory
from iclrace.theory.derivation import after, budget, data, decay, flow
from iclrace.theory.derivation import symbols as S

POINTS = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def uniform(low, high):
    return st.integers(round(low * 1000), round(high * 1000)).map(lambda i: i / 1000)


def value(expression, at):
    """At 30 digits, so that cancellation on the symbolic side cannot hide a difference."""
    symbols = list(at)
    with mpmath.workdps(30):
        return float(sp.lambdify(symbols, expression, "mpmath")(*(mpmath.mpf(at[symbol]) for symbol in symbols)))


def close(numeric, symbolic):
    assert float(numeric) == pytest.approx(symbolic, rel=1e-10, abs=1e-13)


def test_the_binding_can_fail():
    with pytest.raises(AssertionError):
        close(1.0 + 1e-9, 1.0)


@POINTS
@given(others=st.integers(20, 2000), copies=st.integers(1, 5), beta=uniform(0.1, 12), power=uniform(-9, -3))
def test_branch(others, copies, beta, power):
    task, rate = theory.Task(others + copies, copies=copies), 10.0**power
    at = {S.N: others + copies, S.m: copies, S.beta: beta, S.decay: rate}
    w, a = theory.branch_point(task, beta)
    close(w, value(after.branch_weight, at))
    close(a, value(after.share, at))
    margin = float(theory.branch_margin(task, rate, beta))
    if math.isfinite(margin):
        close(margin, value(after.branch_margin, at))


@POINTS
@given(margin=uniform(0, 20), since=uniform(0, 20), scale=uniform(0.3, 5), rate=uniform(0.001, 1))
def test_conserved_weight(margin, since, scale, rate):
    at = {S.phi: margin, after.since: since, S.p: scale, S.r: rate, S.q: 4.0 / 3.0}
    close(theory.conserved_weight(margin, rate, scale, 4.0 / 3.0, since=since), value(after.grown, at))


@POINTS
@given(w=uniform(0.1, 5), beta=uniform(-2, 6), noise=uniform(0.01, 3), length=st.integers(5, 400))
def test_accuracy_beside_the_memorys_noise(w, beta, noise, length):
    at = {S.w: w, S.beta: beta, flow.memory_noise: noise, S.N: length, S.m: 2, S.s: 1.0}
    found = theory.finite_accuracy(w, beta, theory.Task(length, copies=2), noise)
    close(found, float(ndtr(value(flow.signal_beside_noise, at))))


@POINTS
@given(share=uniform(0.001, 0.9), scale=uniform(0.3, 5), depth=st.integers(3, 6))
def test_delayed_time(share, scale, depth):
    memory = theory.PowerLawMemory(3.9, 0.7, margin_scale=scale, depth=depth)
    clock = share * float(memory.total_clock(500.0))
    at = {budget.share: share, S.p: scale, S.q: 2.0 - 2.0 / depth}
    close(theory.delayed_time(memory, clock, 500.0), clock * value(budget.delay, at))


@pytest.mark.parametrize("until", [600.0, 1e4])
@pytest.mark.parametrize(("scale", "depth"), [(1.0, 3), (4.0, 5)])
def test_slope_at_a_budget(until, scale, depth):
    task, memory = theory.Task(100), theory.PowerLawMemory(3.9, 0.6, margin_scale=scale, depth=depth)
    star, clock = theory.threshold(task, memory, 0.0, budget=until).value, float(theory.clock_at_acquisition(task, 0.0))
    c1 = float(memory.c1(memory.margin(clock, star)))
    at = {S.nu: 0.6, sp.Symbol("c_1", positive=True): c1, budget.time: until, budget.reading: clock}
    close(theory.threshold_slopes(task, memory, 0.0, budget=until)["clock"], 1.0 / value(budget.slope_at_budget, at))


@POINTS
@given(length=st.integers(3, 500), diversity=st.integers(2, 5000))
def test_repeats(length, diversity):
    task = theory.Task(length, task_diversity=float(diversity))
    close(theory.repeat_saddle(task), value(data.repeat_saddle, {S.K: diversity, S.N: length}))
    found = theory.skewed_contexts(task, 1.3)
    frequency = theory.item_frequencies(diversity, 1.3)
    lean = float(frequency @ np.where(np.arange(diversity) % 2 == 0, 1.0, -1.0))
    at = {S.N: length, data.squares: float(frequency @ frequency), data.bias: lean}
    close(found.copies, value(data.skewed_copies, at))
    close(found.label_sum, value(data.skewed_sum, at))
    close(found.label_square, value(data.skewed_square, at))


def test_the_tail_creeps_as_its_source_says():
    """d t/dβ0 = −(2N/m)/creep(β0), by a central difference of the quadrature (1e-4 leaves 1e-8)."""
    rate, step = 2e-4, 1e-4
    task = theory.Task(100, copies=2)
    later, sooner = (theory.tail_time(task, rate, -3.0 + sign * step) for sign in (-1.0, 1.0))
    speed = value(decay.creep, {S.beta: -3.0, S.kappa: 0.25, decay.per_clock: 2.0 * 100.0 / 2.0 * rate})
    assert (later - sooner) / (2.0 * step) == pytest.approx(100.0 / speed, rel=1e-6)
