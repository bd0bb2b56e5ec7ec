"""Shared by the theory's tests: an independent integration of the averaged field."""

import pytest
from scipy.integrate import solve_ivp

from iclrace.theory import acquired_beta, icl_field


def integrated_time(task, beta0, w0=0.0, average="gaussian", until=None, rtol=1e-8):
    """Time until β passes the 95 % level with w > 0, by LSODA on ``icl_field``: no closed form involved."""
    target = acquired_beta(task) if until is None else until

    def field(_, state):
        return [float(rate) for rate in icl_field(state[0], state[1], task, average=average)]

    def acquired(_, state):
        return min(state[1] - target, state[0])

    acquired.terminal, acquired.direction = True, 1.0
    solution = solve_ivp(field, (0.0, 1e9), (w0, beta0), method="LSODA", rtol=rtol, atol=1e-11, events=acquired)
    assert solution.status == 1, "the accuracy was never reached"
    return solution.t[-1]


@pytest.fixture
def integrate():
    return integrated_time
