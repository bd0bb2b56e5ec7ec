"""t_ICL at a share of fresh items against the flow of (w, β, φ), and its limits."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from iclrace.theory import (
    PowerLawMemory,
    Task,
    acquired_beta,
    acquisition_clock,
    clock_at_acquisition,
    early_drag,
    fresh_share_time,
    icl_field,
    mean_residual,
    threshold,
    time_of_clock,
)

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)


def flow_time(task, beta0, diversity, share):
    """The averaged flow of the loss (1 − f) L_K + f L_∞, by LSODA."""
    target = float(acquired_beta(task))

    def field(_, state):
        w, beta, margin = state[0], state[1], max(state[2], 0.0)
        known, fresh = (np.array(icl_field(w, beta, task, one)) for one in (margin, 0.0))
        residual = (1 - share) * float(mean_residual(w, beta, task, margin))
        return [*((1 - share) * known + share * fresh), float(MEMORY.field(margin, residual, diversity))]

    def acquired(_, state):
        return state[1] - target

    acquired.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    solved = solve_ivp(field, (0, 1e6), [0.0, beta0, 0.0], "LSODA", events=acquired, rtol=1e-7, atol=1e-9)
    return float(solved.t_events[0][0])


@pytest.mark.parametrize(("length", "beta0"), [(100, 0.0), (100, 1.0)])
@pytest.mark.parametrize("share", [0.1, 0.4])
@pytest.mark.parametrize("part", [0.05, 0.6])
def test_the_race_is_the_flows_within_the_bracket_of_the_drag(length, beta0, share, part):
    """c2 rises from 1/2 to at most 1 meanwhile: not sooner than with the first drag, nor later than with the second."""
    task = Task(length)
    reading = float(clock_at_acquisition(task, beta0))
    diversity = part * float(MEMORY.critical_diversity(reading))
    most, least = (float(acquisition_clock(beta0, 0.0, early_drag(task, c2))) for c2 in (1.0, 0.5))
    said, late = (fresh_share_time(MEMORY, one, diversity, share) for one in (reading, reading * most / least))
    found = flow_time(task, beta0, diversity, share)
    assert said * 0.999 < found < late
    assert found < 0.97 * 2 * reading / share  # starvation's is later by the head start


def test_limits_of_the_share():
    reading = 139.0
    star = threshold(Task(100), MEMORY, 0.0, clock=reading).value
    for share in (0.01, 0.3, 0.9):
        assert fresh_share_time(MEMORY, reading, 1e12, share) == pytest.approx(2 * reading, rel=1e-3)
        # nothing memorised counts: starvation
        quick = PowerLawMemory(amplitude=1e-6, exponent=0.7)
        assert fresh_share_time(quick, reading, 10.0, share) == pytest.approx(2 * reading / share, rel=1e-6)
    assert fresh_share_time(MEMORY, reading, 0.9 * star, 0.0) == math.inf
    assert fresh_share_time(MEMORY, reading, 3 * star, 0.0) == time_of_clock(MEMORY, reading, 3 * star)
    assert fresh_share_time(MEMORY, reading, 3 * star, 1e-9) == pytest.approx(
        time_of_clock(MEMORY, reading, 3 * star), rel=1e-4
    )


def test_the_time_solves_its_equation_and_falls_with_share_and_diversity():
    shares = np.linspace(0.05, 0.95, 10)
    times = [[fresh_share_time(MEMORY, 80.0, k, f) for f in shares] for k in (10, 50, 200)]
    assert (np.diff(times, axis=1) < 0).all() and (np.diff(times, axis=0) < 0).all()
    for f, t in zip(shares, times[1], strict=True):
        passed = 80.0 - f * t / 2
        assert time_of_clock(MEMORY, passed, 50) == pytest.approx((1 - f) * t, rel=1e-6)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match="fresh_share"):
        fresh_share_time(MEMORY, 80.0, 50, share)
