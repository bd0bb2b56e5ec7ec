"""When ICL is acquired, for fields that the compiled solver does not know: rough attention, repeated items."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp


def passage_time(
    field: Callable[[NDArray[np.float64]], Any],
    start: Sequence[float],
    level: float,
    last: float,
    rtol: float,
    atol: float,
) -> float:
    """The time at which a state (w, β, …) that moves by ``field`` first has w > 0, β ≥ ``level``; ∞ beyond ``last``."""

    def acquired(_: float, state: NDArray[np.float64]) -> float:
        return float(state[1] - level) if state[0] > 0 else -1.0

    acquired.terminal = True  # pyright: ignore[reportFunctionMemberAccess]  # scipy's way of saying so
    solved = solve_ivp(
        lambda _, state: field(state), (0.0, last), start, method="LSODA", rtol=rtol, atol=atol, events=acquired
    )
    return float(solved.t_events[0][0]) if solved.t_events[0].size else math.inf
