"""Acquisition while decay is at work, and momentum: against integration of the averaged field."""

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from iclrace.theory import (
    PowerLawMemory,
    Task,
    acquired_beta,
    critical_decay,
    icl_field,
    momentum_delay,
    phase,
    tail_time,
)
from iclrace.theory.decay.phases import acquired_with_decay

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
TASK = Task(100)


def time_with_decay(beta0, decay, task=TASK):
    level = acquired_beta(task)

    def rates(_, state):
        dw, dbeta = icl_field(state[0], state[1], task)
        return [float(dw) - decay * state[0], float(dbeta) - decay * state[1]]

    def reached(_, state):
        return state[1] - level

    reached.terminal = True
    solved = solve_ivp(rates, (0, 1e6), (0.0, beta0), method="LSODA", rtol=1e-8, atol=1e-10, events=reached)
    return float(solved.t_events[0][0]) if solved.t_events[0].size else math.inf


@pytest.mark.parametrize("decay", [1e-4, 1e-3])
def test_decay_pulls_a_negative_start_up(decay):
    """Between 21260 without decay and 1/λ: the long tail is cut, and phase sees it."""
    exact = time_with_decay(-3.0, decay)
    acquired = acquired_with_decay(TASK, MEMORY, *(np.array([x]) for x in (decay, -3.0, 0.0, math.inf)))
    assert acquired.time[0] == pytest.approx(exact, rel=1e-6)
    assert exact < 21260 / 3
    assert phase(TASK, MEMORY, decay, [0.99 * exact, 1.01 * exact], -3.0).tolist() == ["no ICL", "lasting"]


def test_phase_where_decay_acquires_what_the_race_alone_would_not():
    """K = 1e4, β0 = −3, λ = 1e-3: acquired at 2898, lost at 48539 by the equations; the fold delays."""
    phases = phase(Task(100, 1e4), MEMORY, 1e-3, [2.8e3, 3.0e3, 4.5e4, 4.9e4], -3.0)
    assert phases.tolist() == ["no ICL", "lasting", "lasting", "transient"]


def test_above_the_critical_decay_only_a_start_beyond_the_saddle_acquires():
    decay = 1.05 * float(critical_decay(TASK))
    assert phase(TASK, MEMORY, decay, math.inf, [0.0, 1.5]).tolist() == ["no ICL", "lasting"]
    assert time_with_decay(1.5, decay) == pytest.approx(373.5, abs=0.1)


@pytest.mark.parametrize(("beta0", "decay", "error"), [(-4.0, 1e-5, 0.03), (-4.0, 1e-4, 0.07), (-5.0, 1e-3, 0.14)])
def test_the_tail_under_decay(beta0, decay, error):
    """Low by the time that w takes to follow, and by no more than stated."""
    law, exact = tail_time(TASK, decay, beta0), time_with_decay(beta0, decay)
    assert (1.0 - error) * exact < law < exact
    # it is the quadrature that it says it is
    per_clock = 200.0 * decay
    integral = quad(lambda b: 1.0 / (math.exp(2 * b) / (0.5 + per_clock) - per_clock * b), beta0, acquired_beta(TASK),
                    limit=300)[0]  # fmt: skip
    assert law == pytest.approx(200.0 * integral, rel=1e-6)


def test_the_tail_ends_at_a_fixed_point_above_the_critical_decay():
    critical = float(critical_decay(TASK))
    assert math.isfinite(tail_time(TASK, 0.98 * critical, -3.0)) and math.isinf(tail_time(TASK, 1.02 * critical, -3.0))
    assert tail_time(TASK, 1e-4, 3.0) == 0.0
    with pytest.raises(ValueError, match="'task'"):
        tail_time(Task(10, labels="balanced"), 1e-4, -1.0)


def heavy_ball(task, rate, momentum, beta0=0.0):
    """η·steps/(1 − μ) until 95 % accuracy, interpolated within the last step."""
    level, w, beta, push_w, push_beta, steps = acquired_beta(task), 0.0, beta0, 0.0, 0.0, 0
    before = beta
    while beta < level:
        dw, dbeta = icl_field(w, beta, task)
        push_w, push_beta = momentum * push_w + float(dw), momentum * push_beta + float(dbeta)
        before, w, beta, steps = beta, w + rate * push_w, beta + rate * push_beta, steps + 1
    return rate / (1 - momentum) * (steps - 1 + (level - before) / (beta - before))


def test_momentum_delays_by_what_the_early_system_says():
    """N = 100: at η = 0.2, μ = 1/2 the lag, against plain steps as long, is 10 % below its limit for small steps."""
    delay = float(momentum_delay(TASK, 0.0))
    lag = (heavy_ball(TASK, 0.2, 0.5) - heavy_ball(TASK, 0.4, 0.0)) / 0.4
    assert 0.85 * delay < lag < delay
    assert abs(lag - 1.0) > 3.0  # a constant gradient's lag is 1
    assert momentum_delay(TASK, 5.0) == 1.0


def test_momentum_without_drag_is_the_mills_integral():
    from iclrace.theory import mills_ratio
    from iclrace.theory.acquisition.momentum import _lag

    for w, beta in ((0.3, -0.5), (2.0, 1.0), (-0.4, 0.0)):
        lag = float(_lag(np.array(w), np.array(beta), 0.0))
        assert lag == pytest.approx(math.exp(beta) * (w + float(mills_ratio(w))), rel=1e-12)
    # and with drag it is the difference quotient of the clock's gradient along the flow
    from iclrace.theory import acquisition_clock

    w, beta, drag, h = 0.7, 0.2, 0.5, 1e-5
    flow = np.array([math.exp(beta) - drag * w, w * math.exp(beta)])

    def gradient(w, beta):
        clock = lambda w, b: float(acquisition_clock(b, w, drag))  # noqa: E731
        return np.array([clock(w + h, beta) - clock(w - h, beta), clock(w, beta + h) - clock(w, beta - h)]) / (2 * h)

    # ∇τ*·g = −1 along the flow, so −∇τ*·ġ = (d∇τ*/dτ)·g
    moved = [gradient(w + sign * 1e-3 * flow[0], beta + sign * 1e-3 * flow[1]) for sign in (1, -1)]
    assert float(_lag(np.array(w), np.array(beta), drag)) == pytest.approx(
        float((moved[0] - moved[1]) @ flow / 2e-3), rel=1e-4
    )
