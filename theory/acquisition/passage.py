"""When a trajectory of (w, β, …) has acquired ICL, for fields without a closed form."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..contexts.attention import ContextNodes, attended_label
from ..task import Task

Array = NDArray[np.float64]

#: Relative and absolute tolerance of the integration: the time is good to some 1e-6.
RTOL, ATOL = 1e-8, 1e-10


def rates(state: Array, task: Task, context: ContextNodes) -> tuple[float, float, float]:
    """E[σ(−u) (a, w ∂a/∂β, 1)] at one state (w, β) or (w, β, φ): what ``field.flow`` gives, without its checks."""
    attended = attended_label(np.asarray(state[1:2]), task, context)
    residual = expit(-((state[2] if len(state) > 2 else 0.0) + state[0] * attended.value[0])) * context.weight
    turn = float(state[0] * (residual @ attended.slope[0]))
    return float(residual @ attended.value[0]), turn, float(residual.sum())


class Passage(NamedTuple):
    """The time of acquisition and the state then; ``inf`` and the last state where ICL is not acquired."""

    time: float
    state: Array


def passage(field: Callable[[Array], Sequence[float]], start: Sequence[float], level: float, last: float) -> Passage:
    """When a state (w, β, …) that moves by ``field`` first has w > 0 and β >= ``level``.

    It is given up at ``last``, or as soon as w and β both fall. More w makes β grow faster and the other way round, and
    a growing margin slows both: once both fall they go on falling.
    """
    from scipy.integrate import solve_ivp  # imported late: it is slow to load and not always needed

    if start[1] >= level and start[0] > 0.0:
        return Passage(0.0, np.asarray(start, dtype=np.float64))

    def acquired(_: float, state: Array) -> float:
        return float(state[1] - level) if state[0] > 0.0 else -1.0

    def falling(_: float, state: Array) -> float:
        rates = field(state)
        return float(max(rates[0], rates[1]))

    acquired.terminal = falling.terminal = True  # pyright: ignore[reportFunctionMemberAccess]  # scipy's way
    falling.direction = -1.0  # pyright: ignore[reportFunctionMemberAccess]
    solved = solve_ivp(
        lambda _, state: field(state), (0.0, last), start, method="LSODA", rtol=RTOL, atol=ATOL,
        events=[acquired, falling],
    )  # fmt: skip
    reached = solved.t_events[0]
    return Passage(float(reached[0]) if reached.size else math.inf, solved.y[:, -1])
