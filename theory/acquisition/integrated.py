"""Acquisition times by integration of the averaged flow, where no closed form is shown to hold."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._arguments import ArgumentError
from .._numerics import rodas5p
from ..contexts.attention import EXPONENT_MAX
from ..contexts.labels import Average
from ..task import Task
from .planar import Flow, planar_flow, planar_rates

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Tolerance of a step, in the units of :func:`_scales`.
TOLERANCE = 1.5e-7
#: Gradient-flow time beyond which ICL counts as never acquired, times the square of the copies' share of attention at
#: the start. Times that are powers of N e^{−β0} stay 20 orders below; what is left creeps away from the copies for ever
#: (w < 0 and D of order 1, where t grows as e^{β²/2D}).
HORIZON = 1e20
STEPS_MAX = 20_000


class _Running(NamedTuple):
    """Trajectories under way: which, states (2, run), time, next step, flow at the state."""

    which: NDArray[np.intp]
    state: Array
    time: Array
    step: Array
    flow: Flow

    def kept(self, mask: Mask) -> "_Running":
        flow = Flow(*(rate[mask] for rate in self.flow))
        return _Running(self.which[mask], self.state[:, mask], self.time[mask], self.step[mask], flow)


def integrated_time(task: Task, beta0: Array, w0: Array, target: float, average: Average = "gaussian") -> Array:
    """First time at which β >= ``target`` and w > 0, for flat arrays of starts; ``inf`` where that never is.

    Rosenbrock steps of order 5 (Rodas5P), each start with its own size. Errors are measured in units of β's scale,
    1/(1 + |β|/D), and w's, |w| + min(1, e^β): the flow is followed alike at any depth of the drag-dominated branch.
    Balanced contexts end the search in the quadrant w <= 0, β <= 0, which is never left.

    Raises
    ------
    ValueError
        Where 20,000 steps do not decide.
    """
    times, state = np.full(beta0.shape, np.inf), np.array([w0, beta0], dtype=np.float64)
    last = _horizon(task, beta0)
    flow = planar_flow(state[0], state[1], task, average)
    at_once = (beta0 >= target) & ((w0 > 0.0) | ((w0 == 0.0) & (flow.dw > 0.0)))
    times[at_once] = 0.0
    run = _Running(np.arange(beta0.size), state, np.zeros(beta0.shape), _first_step(state, flow, task), flow)
    run = run.kept(~at_once & ~_lost_for_good(state, task))
    for _ in range(STEPS_MAX):
        if run.which.size == 0:
            return times
        state, stages, error = _rosenbrock(run, task, average)
        good = error <= 1.0
        arrived = good & (state[1] >= target) & (state[0] > 0.0)
        if arrived.any():
            share = _share_of_step(run.state[:, arrived], state[:, arrived], stages[:, :, arrived], target)
            times[run.which[arrived]] = run.time[arrived] + share * run.step[arrived]
        moved = np.where(good, state, run.state)
        time = run.time + np.where(good, run.step, 0.0)
        factor = np.clip(0.9 * np.maximum(error, 1e-10) ** -0.2, 0.1, np.where(good, 6.0, 1.0))
        run = run._replace(state=moved, time=time, step=run.step * np.where(np.isfinite(error), factor, 0.1))
        run = run.kept(~arrived & ~_lost_for_good(moved, task) & (time < last[run.which]))
        if run.which.size:
            run = run._replace(flow=planar_flow(run.state[0], run.state[1], task, average))
    stuck = f"w0 = {w0[run.which[0]]:g}, beta0 = {beta0[run.which[0]]:g}"
    raise ArgumentError(
        f"Argument 'beta0' must leave the flow solvable in {STEPS_MAX} steps, but from {stuck} it is not."
    )


def _horizon(task: Task, beta0: Array) -> Array:
    log_share = (
        np.log(task.copies / (task.context_length - task.copies))
        + beta0
        - np.minimum(0.5 * beta0**2 / task.dimension, EXPONENT_MAX)
    )
    return HORIZON * np.exp(np.minimum(-2.0 * np.minimum(log_share, 0.0), 600.0))


def _lost_for_good(state: Array, task: Task) -> Mask:
    """Whether w and β can only fall from here on; i.i.d. labels push w up whatever β is."""
    return (state[0] <= 0.0) & (state[1] <= 0.0) & (task.labels == "balanced")


def _scales(state: Array, task: Task) -> Array:
    w, beta = state
    weight = np.abs(w) + np.exp(np.clip(beta, -700.0, 0.0))
    return TOLERANCE * np.array([weight, 1.0 / (1.0 + np.abs(beta) / task.dimension)])


def _first_step(state: Array, flow: Flow, task: Task) -> Array:
    """A hundredth of the time in which the state moves by its scale, or its rates by themselves."""
    scale = _scales(state, task) / TOLERANCE
    pace = np.maximum.reduce(
        [np.abs(flow.dw) / scale[0], np.abs(flow.dbeta) / scale[1], np.abs(flow.ww), np.abs(flow.bb)]
    )
    return 0.01 / np.maximum(pace, 1e-290)


def _rosenbrock(run: _Running, task: Task, average: Average) -> tuple[Array, Array, Array]:
    """New state (2, run), the eight stages (stage, 2, run), and the error in units of the tolerance."""
    inverse = 1.0 / run.step
    ww, bb, wb = inverse / rodas5p.GAMMA - run.flow.ww, inverse / rodas5p.GAMMA - run.flow.bb, -run.flow.wb
    determinant = ww * bb - wb * wb
    stages = np.zeros((rodas5p.STAGES, *run.state.shape))
    at = run.state
    with np.errstate(all="ignore"):  # a step too long may leave float64: its error is then not finite
        for i in range(rodas5p.STAGES):
            if i > 0:
                at = run.state + _combined(rodas5p.A[i, :i], stages)
            rates = run.flow[:2] if i == 0 else planar_rates(at[0], at[1], task, average)
            right = np.array(rates) + _combined(rodas5p.C[i, :i], stages) * inverse
            stages[i] = np.array([bb * right[0] - wb * right[1], ww * right[1] - wb * right[0]]) / determinant
        state = at + stages[-1]
        scale = np.maximum(_scales(run.state, task), _scales(state, task))
        missed = stages[-1] / scale
        error = np.hypot(missed[0], missed[1])
    return state, stages, np.where(np.isfinite(error), error, np.inf)


def _combined(weights: Array, stages: Array) -> Array:
    """Σ_j weight_j k_j over the first stages."""
    return (weights @ stages.reshape(len(stages), -1)[: weights.size]).reshape(stages.shape[1:])


def _share_of_step(before: Array, after: Array, stages: Array, target: float) -> Array:
    """The part of the step after which β >= ``target`` and w > 0, by bisection on its dense output of order 4."""
    dense = [_combined(row, stages) for row in (rodas5p.H1, rodas5p.H2, rodas5p.H3)]
    low, high = np.zeros(before.shape[1]), np.ones(before.shape[1])
    for _ in range(50):
        x = 0.5 * (low + high)
        w, beta = before + x * (after - before + (1.0 - x) * (dense[0] + x * (dense[1] + x * dense[2])))
        there = (beta >= target) & (w > 0.0)
        low, high = np.where(there, low, x), np.where(there, x, high)
    return high
