"""Weight decay: tracking, fixed points and folds, the critical decay, transience and the three phases."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

from iclrace.theory import (
    PowerLawMemory,
    Task,
    acquisition_fold,
    clock_at_acquisition,
    conserved_weight,
    critical_decay,
    fixed_points,
    fold,
    icl_field,
    loss_gradient,
    loss_hessian,
    mean_residual,
    phase,
    population_loss,
    tracking_weight,
    transience_time,
)

TASK = Task(100)
MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)


def drift(point, decay, task=TASK):
    rates = icl_field(point.w, point.beta, task, point.margin)
    return np.array([float(rates[0]) - decay * point.w, float(rates[1]) - decay * point.beta])


def growth_rates(point, decay, task=TASK):
    """Eigenvalues of the flow's Jacobian, from the loss's Hessian."""
    return np.linalg.eigvalsh(-loss_hessian(point.w, point.beta, task, point.margin)[:2, :2] - decay * np.eye(2))


@pytest.mark.parametrize(("decay", "margin"), [(1e-4, 6.52), (3e-4, 5.42), (1e-3, 4.20), (2e-3, 3.50), (5e-3, 2.56)])
def test_reference_folds(decay, margin):
    """The references were approached by continuation from below, and stop up to 0.015 short of the fold itself."""
    point = fold(TASK, decay)
    assert margin <= point.margin < margin + 0.02
    assert point.margin == pytest.approx(np.log(1.0 / decay) - 2.7, abs=0.05)
    # it is a fixed point, and its Jacobian is singular: β good to 1e-5 leaves the slow rate 1e-5 of the fast one
    assert np.abs(drift(point, decay)).max() < 1e-9 * decay
    fast, slow = growth_rates(point, decay)
    assert abs(slow) < 1e-5 * abs(fast)
    assert point.eigenvalues == (pytest.approx(fast, rel=1e-5), 0.0) and not point.stable
    # at the reference itself w and β are near the quoted 2.15–2.20 and 3.6
    upper = fixed_points(TASK, decay, margin)[-1]
    assert upper.w == pytest.approx(2.17, abs=0.08) and upper.beta == pytest.approx(3.6, abs=0.1)


def test_fold_moves_with_the_logarithm_of_the_decay():
    decays = np.array([1e-8, 1e-7, 1e-6])
    constant = [fold(TASK, float(decay)).margin + np.log(decay) for decay in decays]
    # corrections are of order e^{−φ_c} ~ 15 λ
    assert np.ptp(constant) < 1e-4


@pytest.mark.parametrize(("length", "decay"), [(100, 1.0), (1000, 0.5)])
def test_a_branch_that_vanishes_has_no_fold(length, decay):
    """Balanced contexts with a < λ w at every β > 0: rounding once made folds at margins of 1e5."""
    task = Task(length, labels="balanced")
    assert fold(task, decay) is None and acquisition_fold(task, decay) is None


def test_fixed_points_are_fixed_and_stable_as_said():
    points = fixed_points(TASK, 1e-3, 3.5)
    assert [point.stable for point in points] == [True, False, True]
    for point in points:
        assert np.abs(drift(point, 1e-3)).max() < 1e-9
        np.testing.assert_allclose(point.eigenvalues, growth_rates(point, 1e-3), rtol=1e-9)

        # a small push decays or grows as the eigenvalues say
        def rates(_, state, margin=point.margin):
            dw, dbeta = icl_field(state[0], state[1], TASK, margin)
            return [float(dw) - 1e-3 * state[0], float(dbeta) - 1e-3 * state[1]]

        start = np.array([point.w, point.beta]) + 1e-3
        end = solve_ivp(rates, (0, 5e3), start, rtol=1e-9, atol=1e-12).y[:, -1]
        assert (np.abs(end - [point.w, point.beta]).max() < 1e-3) == point.stable


def test_beyond_the_fold_there_is_no_icl_branch():
    end = fold(TASK, 1e-3).margin
    assert len(fixed_points(TASK, 1e-3, end + 0.01)) == 1
    assert len(fixed_points(TASK, 1e-3, end - 0.01)) == 3
    start = acquisition_fold(TASK, 1e-3).margin
    assert [p.stable for p in fixed_points(TASK, 1e-3, start - 0.01)] == [True]
    assert fixed_points(TASK, 1e-3, start - 0.01)[0].beta > 3.0


def test_critical_decay_is_where_the_trap_reaches_the_start():
    # exact folds at N = 10⁴ against the early system, whose corrections are of order e^{1/2}/√N ~ 2 %
    task = Task(10_000)
    critical = critical_decay(task)
    assert acquisition_fold(task, critical * 0.98).margin > 0.0 > acquisition_fold(task, critical * 1.02).margin
    assert critical_decay(Task(100, label_std=0.0)) == pytest.approx(0.5 / 100 * np.sqrt(2 * np.e), rel=1e-14)


@pytest.mark.parametrize("decay", [1e-4, 1e-3, 1e-2])
def test_fold_of_balanced_contexts(decay):
    """One label sum: w² = β a/a′ and σ(−u) = λ w/a give φ(β) in closed form, whose maximum is the fold.

    Rounding at β = 1e-9 was taken for one: φ = 4.595 at λ = 1e-4, and none at 1e-2.
    """
    length = 100

    def margin(beta):
        total = np.exp(beta) + length - 1
        a = np.expm1(beta) / total
        w = np.sqrt(beta * a / (np.exp(beta) * (1.0 - a) / total))
        return np.log(a / (decay * w) - 1.0) - w * a

    best = minimize_scalar(lambda beta: -margin(beta), bounds=(0.05, 8.0), method="bounded", options={"xatol": 1e-10})
    found = fold(Task(length, labels="balanced"), decay)
    assert found.margin == pytest.approx(-best.fun, abs=1e-9)
    assert found.beta == pytest.approx(best.x, abs=1e-5)
    assert growth_rates(found, decay, Task(length, labels="balanced"))[1] == pytest.approx(0.0, abs=1e-5 * decay)
    assert found.eigenvalues[1] == 0.0 and found.eigenvalues[0] < -decay
    assert acquisition_fold(Task(length, labels="balanced"), decay) is None
    if decay < 1.0 / length:  # the branch leaves (0, 0) where the saddle's rate σ(−φ)/N is the decay
        assert margin(1e-6) == pytest.approx(np.log(1.0 / (decay * length) - 1.0), abs=1e-5)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_critical_decay_decides_acquisition(factor):
    task = Task(1600)
    decay = factor * critical_decay(task)

    def rates(_, state):
        dw, dbeta = icl_field(state[0], state[1], task)
        return [float(dw) - decay * state[0], float(dbeta) - decay * state[1]]

    end = solve_ivp(rates, (0, 3e6), (0.0, 0.0), method="LSODA", rtol=1e-8, atol=1e-10).y[:, -1]
    assert (end[1] > 3.0) == (factor < 1.0)


def test_tracking_weight():
    c3 = np.geomspace(1e-6, 5, 30)[:, None]
    decay = np.geomspace(1e-8, 1e-1, 20)
    w = tracking_weight(c3, decay)
    np.testing.assert_allclose(c3 * np.exp(-w), decay * w, rtol=1e-12)
    assert np.isinf(tracking_weight(1.0, 0.0)) and tracking_weight(0.0, 0.0) == 0.0
    assert np.isinf(tracking_weight(1e300, 1e-300))  # the ratio itself is beyond float64


@pytest.mark.parametrize(("decay", "length"), [(1e-6, 100), (1e-9, 100), (1e-9, 4)])
def test_tracking_weight_is_the_stable_branch_far_from_the_fold(decay, length):
    point = fixed_points(Task(length), decay, 3.0)[-1]
    assert point.stable
    # the decay of β keeps 1 − a at β/w², which raises w by w (1 − a) w/(1 + w) = β/(1 + w) to first order; the second
    # order is (1 − a) of that plus e^{−u}, together below 15 %
    above = point.w - float(tracking_weight(np.exp(-3.0), decay))
    assert above == pytest.approx(point.beta / (1.0 + point.w), rel=0.15)


def test_conserved_weight_without_decay():
    """w and φ integrated together with a = 1: w follows the memory's clock whatever z does."""

    def rates(_, state):
        residual = 1.0 / (1.0 + np.exp(state[0] + state[1]))
        return [residual, float(MEMORY.field(state[1], residual, 1000.0))]

    w, margin = solve_ivp(rates, (0, 1e6), (0.5, 0.0), method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    assert w - 0.5 == pytest.approx(float(conserved_weight(margin, MEMORY.rate(1000.0))), rel=1e-7)


@pytest.mark.parametrize(("decay", "constant"), [(1e-4, 0.196), (1e-3, 0.194), (5e-3, 0.170)])
def test_reference_transience_times(decay, constant):
    for diversity in (1000.0, 8000.0):
        time = transience_time(Task(100, task_diversity=diversity), MEMORY, decay)
        assert decay * float(MEMORY.rate(diversity)) * time == pytest.approx(constant, abs=5e-4)  # its three digits


def test_transience_time_against_the_quasi_static_flow():
    """(w, β, φ) integrated together, memory slow (K = 1e7): the time until ICL is lost."""
    decay, diversity = 2e-3, 1e7
    task = Task(100, task_diversity=diversity)
    start = fixed_points(task, decay, 0.0)[-1]

    def rates(_, state):
        w, beta, margin = state
        dw, dbeta = icl_field(w, beta, task, margin)
        residual = float(mean_residual(w, beta, task, margin))
        memory = float(MEMORY.field(margin, min(residual, 1.0), diversity))
        return [float(dw) - decay * w, float(dbeta) - decay * beta, memory]

    def lost(_, state):
        return state[1] - 2.0

    lost.terminal = True
    solution = solve_ivp(rates, (0, 1e9), (start.w, start.beta, 0.0), method="LSODA", rtol=1e-7, atol=1e-9, events=lost)
    # the passage through the fold is delayed by its slowing down, ∝ (r_K/λ)^{2/3}: here 1 %
    assert transience_time(task, MEMORY, decay) == pytest.approx(solution.t[-1], rel=0.02)


def test_transience_limits():
    task = Task(100, task_diversity=1000.0)
    assert transience_time(task, MEMORY, 0.0) == np.inf
    assert transience_time(TASK, MEMORY, 1e-3) == np.inf  # K → ∞: nothing is memorised
    assert transience_time(task, MEMORY, 1e-3, acquired_margin=50.0) == 0.0
    later = transience_time(task, MEMORY, 1e-3, acquired_margin=2.0)
    assert 0.0 < later < transience_time(task, MEMORY, 1e-3)
    ratio = transience_time(Task(100, task_diversity=8000.0), MEMORY, 1e-3) / transience_time(task, MEMORY, 1e-3)
    assert ratio == pytest.approx(8.0**0.7, rel=1e-9)


@pytest.mark.parametrize(
    ("diversity", "decay", "early", "late"),
    [
        # (K, λ, phase while a budget T is short, phase at the T by which the coupled flow has been seen to end)
        (1000, 0.0, ("lasting", 1e4), ("lasting", 1e5)),
        (1000, 3e-4, ("lasting", 3e4), ("transient", 1e5)),
        (1000, 1e-3, ("lasting", 3e3), ("transient", 3e4)),
        (1000, 3e-3, ("no ICL", 1e3), ("no ICL", 1e5)),
        (3000, 3e-3, ("lasting", 1e4), ("transient", 3e4)),
    ],
)
def test_reference_phases(diversity, decay, early, late):
    task = Task(100, task_diversity=diversity)
    for expected, budget in (early, late):
        assert phase(task, MEMORY, decay, budget) == expected


def test_phase_without_icl():
    assert phase(Task(100, task_diversity=100.0), MEMORY, 0.0, 1e9) == "no ICL"  # K < K*
    assert phase(Task(100, task_diversity=1e6), MEMORY, 0.0, 100.0) == "no ICL"  # the budget ends before
    assert phase(Task(100, task_diversity=1e6), MEMORY, 0.05, np.inf) == "no ICL"  # decay beyond critical
    assert phase(TASK, MEMORY, 1e-3, np.inf) == "lasting"  # K → ∞
    assert clock_at_acquisition(TASK, 0.0) < MEMORY.total_clock(1000.0)


@pytest.mark.parametrize(
    "task", [Task(30, dimension=20, copies=2), Task(30, labels="balanced"), Task(30, score_std=0.5)]
)
def test_gradient_and_hessian_against_differences(task):
    at, step = np.array([1.1, 0.6, 0.4]), 1e-5
    loss = lambda x: float(population_loss(x[0], x[1], task, x[2]))  # noqa: E731
    gradient = lambda x: loss_gradient(x[0], x[1], task, x[2])  # noqa: E731
    for i, direction in enumerate(np.eye(3) * step):
        # central differences: truncation step² ~ 1e-10, rounding 1e-16/step ~ 1e-11
        slope = (loss(at + direction) - loss(at - direction)) / (2 * step)
        assert gradient(at)[i] == pytest.approx(slope, abs=1e-9)
        row = (gradient(at + direction) - gradient(at - direction)) / (2 * step)
        np.testing.assert_allclose(loss_hessian(*at[:2], task, at[2])[i], row, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: fold(TASK, 0.0), "decay"),
        (lambda: fold(TASK, -1.0), "decay"),
        (lambda: fixed_points(TASK, 1e-3, np.nan), "margin"),
        (lambda: critical_decay(Task(10, labels="balanced")), "task"),
        (lambda: critical_decay(TASK, c1=1.5), "c1"),
        (lambda: tracking_weight(-1.0, 1e-3), "c3"),
        (lambda: conserved_weight(1.0, 0.0), "rate"),
        (lambda: transience_time(TASK, "memory", 1e-3), "memory"),
        (lambda: transience_time(TASK, MEMORY, -1e-3), "decay"),
        (lambda: phase(TASK, MEMORY, 1e-3, 0.0), "budget"),
    ],
)
def test_invalid_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=rf"Argument '{name}' must .*but"):
        call()
