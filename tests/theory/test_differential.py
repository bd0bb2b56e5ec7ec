"""Threshold, fold, time of loss, critical decay and phase against integrations of their own, for drawn arguments.

The reference writes the averaged field as it stands, over 80 Hermite nodes, and asks scipy for its roots and flows.
"""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import fsolve, minimize_scalar
from scipy.special import expit

from iclrace.simulate import PHASES, transience
from iclrace.theory import (
    PowerLawMemory,
    Task,
    clock_at_acquisition,
    critical_decay,
    fold,
    phase,
    threshold,
    transience_time,
)

MEMORY = PowerLawMemory(3.9, 0.7)
POINTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
DRAWN = settings(max_examples=25, derandomize=True, deadline=None)

tasks = st.builds(
    lambda n, m, s, d: Task(n, copies=min(m, n - 1), label_std=s, dimension=d),
    st.integers(12, 10_000),
    st.integers(1, 4),
    st.floats(0.0, 3.0),
    st.sampled_from([math.inf, 15.0, 63.0]),
)


def field(w, beta, phi, task, decay):
    """d(w, β)/dt − λ(w, β) at the margin φ, for i.i.d. labels."""
    m, rest = task.copies, task.context_length - task.copies
    match, others = m * math.exp(beta), rest * math.exp(0.5 * beta * beta / task.dimension)
    n = task.label_std * math.sqrt(rest) * POINTS
    z = match + others
    a = (match + n) / z
    slope = match / z - a * (match + beta / task.dimension * others) / z
    wrong = expit(-phi - w * a)
    return np.array([(WEIGHTS * wrong * a).sum() - decay * w, (WEIGHTS * wrong * w * slope).sum() - decay * beta])


def roots_near(point, phi, task, decay):
    """Fixed points that Newton finds from both sides of a fold's (w, β)."""
    found = set()
    for shift in (-0.3, -0.1, 0.1, 0.3):
        start = np.array([point.w * (1 + 0.3 * shift), point.beta + shift])
        x, _, flag, _ = fsolve(
            lambda y: field(y[0], y[1], phi, task, decay) / decay, start, full_output=True, xtol=1e-13
        )
        if (
            flag == 1
            and np.abs(field(x[0], x[1], phi, task, decay)).max() < 1e-9 * decay
            and abs(x[1] - point.beta) < 1
        ):
            found.add((round(float(x[0]), 5), round(float(x[1]), 5)))
    return found


@DRAWN
@given(tasks, st.floats(-16.0, -5.0))
def test_a_fold_is_where_two_fixed_points_meet_and_beyond_it_there_is_none(task, log_decay):
    decay = math.exp(log_decay)
    found = fold(task, decay)
    assume(found is not None)
    here = field(found.w, found.beta, found.margin, task, decay)
    # β is good to 1e-5 and the field turns there in second order: the rest is that of w, along which it does not.
    assert np.abs(here).max() < 1e-4 * decay * max(found.w, found.beta)
    assert len(roots_near(found, found.margin - 0.02, task, decay)) == 2
    assert not roots_near(found, found.margin + 0.02, task, decay)


@DRAWN
@given(tasks, st.floats(0.01, 0.5), st.floats(0.0, 1.0))
def test_the_critical_decay_is_that_of_the_early_systems_last_fixed_point(task, c1, c2):
    """λ′(κ + λ′) = min_β e^{2β}/β by a numerical minimum, λ′ = λ N/(m c1), κ = s² c2/m."""
    least = minimize_scalar(
        lambda beta: math.exp(2 * beta) / beta, bounds=(0.01, 3.0), method="bounded", options={"xatol": 1e-12}
    ).fun
    scaled = float(critical_decay(task, c1, c2)) * task.context_length / (task.copies * c1)
    drag = task.label_std**2 * c2 / task.copies
    assert scaled * (drag + scaled) == pytest.approx(least, rel=1e-8)


def clock_at(memory, diversity, budget):
    """I_K(T) of the homogeneous law by scipy."""
    rate = float(memory.rate(diversity))
    q = 2 - 2 / memory.depth

    def flow(_, y):
        wrong = expit(-y[0])
        return [rate * (1 + y[0] / memory.margin_scale) ** q * wrong, wrong]

    return solve_ivp(flow, (0, budget), [0.0, 0.0], "LSODA", rtol=1e-10, atol=1e-12).y[1, -1]


@DRAWN
@given(
    st.integers(2, 10_000), st.floats(-3.0, 3.0), st.floats(-1.0, 2.0), st.floats(1.05, 300.0),
    st.floats(0.3, 1.2), st.floats(0.3, 10.0), st.integers(3, 5),
)  # fmt: skip
def test_at_the_threshold_the_clock_of_the_budget_reads_what_acquisition_needs(
    n, beta0, w0, times, exponent, scale, depth
):
    task = Task(n)
    memory = PowerLawMemory(3.9, exponent, margin_scale=scale, depth=depth)
    reading = float(clock_at_acquisition(task, beta0, w0))
    assume(0 < reading < 1e6)
    budget = 2 * reading * times
    found = threshold(task, memory, beta0, w0, budget=budget).value
    assume(1.0 < found < 1e15)
    assert clock_at(memory, found, budget) == pytest.approx(reading, rel=1e-6)
    # and no diversity acquires before the clock of an empty memory does
    assert math.isinf(threshold(task, memory, beta0, w0, budget=1.999 * reading).value)


@settings(max_examples=4, derandomize=True, deadline=None)
@given(st.integers(30, 3000), st.floats(-11.0, -6.5), st.floats(0.0, 2.0))
def test_the_time_of_loss_is_the_integral_along_scipys_branch(n, log_decay, acquired):
    decay, task = math.exp(log_decay), Task(n, 2000.0)
    end = fold(task, decay)
    assume(end is not None and acquired < end.margin - 1)
    # φ = φ_c − s² makes the integrand smooth at the fold, where the branch has a square-root end.
    s, weights = np.polynomial.legendre.leggauss(48)
    width = math.sqrt(end.margin - acquired)
    s, weights = 0.5 * width * (s + 1), 0.5 * width * weights
    rate, total, before = float(MEMORY.rate(2000.0)), 0.0, []
    for one, weight in sorted(zip(s, weights, strict=True), reverse=True):  # from the lowest margin to the fold
        phi = end.margin - one**2
        if len(before) < 2:  # where the flow itself ends
            flow = solve_ivp(
                lambda _, y, at=phi: field(y[0], y[1], at, task, decay),
                (0, 300 / decay), [2 * end.w, end.beta + 1], "LSODA", rtol=1e-9, atol=1e-10,
            )  # fmt: skip
            start = flow.y[:, -1]
        else:  # along the two before, in s
            (s1, y1), (s2, y2) = before[-2:]
            start = y2 + (y2 - y1) * (one - s2) / (s2 - s1)
        state, info, _, _ = fsolve(
            lambda y, at=phi: field(y[0], y[1], at, task, decay) / decay, start, full_output=True, xtol=1e-13
        )
        assert np.abs(info["fvec"]).max() < 1e-6
        before.append((one, state))
        a = (math.exp(state[1]) + math.sqrt(n - 1) * POINTS) / (math.exp(state[1]) + n - 1)
        wrong = (WEIGHTS * expit(-phi - state[0] * a)).sum()
        total += weight * 2 * one / (rate * (1 + phi) ** (4 / 3) * wrong)
    assert float(transience_time(task, MEMORY, decay, acquired)) == pytest.approx(total, rel=1e-3)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.integers(30, 1000), st.floats(-10.0, -4.0), st.floats(5.0, 10.0), st.floats(-1.5, 1.5), st.floats(7.0, 11.0))
def test_phases_are_those_of_the_solved_equations_wherever_their_neighbours_agree(
    n, log_decay, log_k, beta0, log_budget
):
    decay, k, budget = math.exp(log_decay), math.exp(log_k), math.exp(log_budget)
    task = Task(n)

    def solved(factor_decay, factor_k, factor_budget):
        data = transience(
            Task(n, k), MEMORY, [decay * factor_decay], [k * factor_k], budget=budget * factor_budget, beta0=beta0
        )
        return PHASES[int(data["phase"].values[0, 0])]

    # The passage through the fold takes time and the rising drag delays acquisition: K, λ and T within these factors.
    around = {
        solved(*one)
        for one in [(1, 1, 1), (0.8, 1, 1), (1.25, 1, 1), (1, 0.6, 1), (1, 1.6, 1), (1, 1, 0.6), (1, 1, 1.6)]
    }
    assume(len(around) == 1)
    assert str(phase(task, MEMORY, decay, budget, beta0, task_diversity=k)) == around.pop()
