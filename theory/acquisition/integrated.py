"""When ICL is acquired, by integration of the averaged flow, for many starts at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.arguments import ArgumentError
from ..contexts.attention import EXPONENT_MAX, ContextNodes, attended_label
from ..contexts.labels import Average
from ..field import force
from ..loss import curvatures
from ..numerics import rodas5p
from ..task import Task
from .planar import planar_flow, planar_rates

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rates = Callable[[Array], Array]

#: Tolerance of a step, in the units of :func:`_scales`.
TOLERANCE = 1.5e-7
#: Gradient-flow time beyond which ICL counts as never acquired, times the square of the copies' share of attention at
#: the start. Times that are powers of N e^{−β0} stay 20 orders below; what is left creeps away from the copies for ever
#: (w < 0 and D of order 1, where t grows as e^{β²/2D}).
HORIZON = 1e20
STEPS_MAX = 20_000


class Equations(NamedTuple):
    """Equations of a state (w, β, …), at many points at once: states and rates have shape (component, point).

    ``linearised`` gives the rates with their Jacobian (component, component, point); ``hopeless`` says of a state and
    its rates whether ICL will never be acquired from there. ``select`` makes the equations of some of the points where
    each has its own.
    """

    rates: Rates
    linearised: Callable[[Array], tuple[Array, Array]]
    hopeless: Callable[[Array, Array], Mask]
    dimension: Array | float
    select: Callable[[NDArray[np.intp]], Equations] | None = None

    def of(self, points: NDArray[np.intp]) -> Equations:
        """Those of the points."""
        return self if self.select is None else self.select(points)


class Arrival(NamedTuple):
    """Times (point,) and states (component, point) of acquisition; ``inf`` and the last state where there is none."""

    time: Array
    state: Array


class _Running(NamedTuple):
    """Trajectories under way: which, states, time, next step, rates and Jacobian at the state."""

    which: NDArray[np.intp]
    state: Array
    time: Array
    step: Array
    rates: Array
    jacobian: Array

    def kept(self, mask: Mask) -> _Running:
        return _Running(self.which[mask], *(array[..., mask] for array in self[1:]))


def integrated_time(task: Task, beta0: Array, w0: Array, target: Array | float, average: Average = "gaussian") -> Array:
    """First time at which β >= ``target`` and w > 0 without memory, ``inf`` where never; for flat arrays."""
    start, last = np.array([w0, beta0], dtype=np.float64), _horizon(task, beta0)
    return arrival(_planar_equations(task, average), start, target, last).time


def _planar_equations(task: Task, average: Average) -> Equations:
    """The flow without memory, of one task or one for each point.

    Balanced contexts end the search in the quadrant w <= 0, β <= 0, which is never left; i.i.d. labels push w up
    whatever β is.
    """

    def linearised(state: Array) -> tuple[Array, Array]:
        flow = planar_flow(state[0], state[1], task, average)
        return np.array(flow[:2]), np.array([[flow.ww, flow.wb], [flow.wb, flow.bb]])

    return Equations(
        lambda state: np.array(planar_rates(state[0], state[1], task, average)),
        linearised,
        lambda state, _: (state[0] <= 0.0) & (state[1] <= 0.0) & (task.labels == "balanced"),
        task.dimension,
        (lambda points: _planar_equations(task.points(points), average)) if task.shape else None,
    )


def clock_equations(task: Task, contexts: ContextNodes) -> Equations:
    """The flow per unit of the clock of a memory that stays at φ = 0, c1 = 1/2, in contexts of one task or one a point.

    A start is hopeless once w and β both fall: more w makes β grow faster and the other way round, so that they go on
    falling. The Jacobian is the loss's Hessian.
    """
    along, several = task.expanded(), bool(task.shape)

    def linearised(state: Array) -> tuple[Array, Array]:
        attended = attended_label(state[1], along, contexts)
        point = state[0][:, None], attended, np.zeros(1), contexts.weight
        dw, dbeta, _ = force(*point)
        ww, wb, _, bb, _, _ = curvatures(*point)
        return 2.0 * np.array([dw, dbeta]), -2.0 * np.array([[ww, wb], [wb, bb]])

    def select(points: NDArray[np.intp]) -> Equations:
        return clock_equations(task.points(points), ContextNodes(*(field[points] for field in contexts)))

    return Equations(
        lambda state: 2.0 * context_averages(state, along, contexts)[:2],
        linearised,
        lambda _, now: (now[0] < 0.0) & (now[1] < 0.0),
        task.dimension,
        select if several else None,
    )


def context_averages(state: Array, task: Task, contexts: ContextNodes) -> Array:
    """E[σ(−u) (a, w ∂a/∂β, 1)] at states (w, β) or (w, β, φ), shape (3, point)."""
    margin = state[2][:, None] if len(state) > 2 else 0.0
    return np.array(force(state[0][:, None], attended_label(state[1], task, contexts), margin, contexts.weight))


def arrival(equations: Equations, start: Array, target: Array | float, last: Array | float) -> Arrival:
    """When trajectories from ``start`` (component, point) first have β >= ``target`` and w > 0, up to ``last``.

    Rosenbrock steps of order 5 (Rodas5P), each trajectory with its own size. Errors are measured in units of β's scale,
    1/(1 + |β|/D), and w's, |w| + min(1, e^β): the flow is followed alike at any depth of the drag-dominated branch.

    Raises
    ------
    ValueError
        Where 20,000 steps do not decide.
    """
    times, states = np.full(start.shape[1], np.inf), start.copy()
    last, target = np.broadcast_to(last, times.shape), np.broadcast_to(target, times.shape)
    rates, jacobian = equations.linearised(start)
    w, beta = start[:2]
    at_once = (beta >= target) & ((w > 0.0) | ((w == 0.0) & (rates[0] > 0.0)))
    times[at_once] = 0.0
    step = _first_step(start, rates, jacobian, equations.dimension)
    run = _Running(np.arange(times.size), start, np.zeros(times.shape), step, rates, jacobian)
    run = run.kept(~at_once & ~equations.hopeless(start, rates))
    for _ in range(STEPS_MAX):
        if run.which.size == 0:
            return Arrival(times, states)
        here = equations.of(run.which)
        state, stages, error = _rosenbrock(run, here)
        good = error <= 1.0
        level = target[run.which]
        arrived = good & (state[1] >= level) & (state[0] > 0.0)
        if arrived.any():
            share, there = _arrival_in_step(
                run.state[:, arrived], state[:, arrived], stages[:, :, arrived], level[arrived]
            )
            times[run.which[arrived]] = run.time[arrived] + share * run.step[arrived]
            states[:, run.which[arrived]] = there
        moved = np.where(good, state, run.state)
        time = run.time + np.where(good, run.step, 0.0)
        factor = np.clip(0.9 * np.maximum(error, 1e-10) ** -0.2, 0.1, np.where(good, 6.0, 1.0))
        run = run._replace(state=moved, time=time, step=run.step * np.where(np.isfinite(error), factor, 0.1))
        run = run.kept(~arrived & (time < last[run.which]))
        if run.which.size:
            here = equations.of(run.which)
            rates, jacobian = here.linearised(run.state)
            states[:, run.which] = run.state
            run = run._replace(rates=rates, jacobian=jacobian).kept(~here.hopeless(run.state, rates))
    stuck = f"w0 = {start[0, run.which[0]]:g}, beta0 = {start[1, run.which[0]]:g}"
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


def _scales(state: Array, dimension: Array | float) -> Array:
    scales = 1.0 + np.abs(state)
    scales[0] = np.abs(state[0]) + np.exp(np.clip(state[1], -700.0, 0.0))
    scales[1] = 1.0 / (1.0 + np.abs(state[1]) / dimension)
    return TOLERANCE * scales


def _first_step(state: Array, rates: Array, jacobian: Array, dimension: Array | float) -> Array:
    """A hundredth of the time in which the state moves by its scale, or its rates by themselves."""
    scale = _scales(state, dimension) / TOLERANCE
    own = np.abs(np.diagonal(jacobian)).T
    pace = np.maximum(np.abs(rates) / scale, own).max(axis=0)
    return 0.01 / np.maximum(pace, 1e-290)


def _rosenbrock(run: _Running, equations: Equations) -> tuple[Array, Array, Array]:
    """New state, the eight stages (stage, component, point), and the error in units of the tolerance."""
    inverse = 1.0 / run.step
    solve = _solver(inverse / rodas5p.GAMMA, run.jacobian)
    stages = np.zeros((rodas5p.STAGES, *run.state.shape))
    at = run.state
    with np.errstate(all="ignore"):  # a step too long may leave float64: its error is then not finite
        for i in range(rodas5p.STAGES):
            if i > 0:
                at = run.state + _combined(rodas5p.A[i, :i], stages)
            rates = run.rates if i == 0 else equations.rates(at)
            stages[i] = solve(rates + _combined(rodas5p.C[i, :i], stages) * inverse)
        state = at + stages[-1]
        scale = np.maximum(_scales(run.state, equations.dimension), _scales(state, equations.dimension))
        missed = stages[-1] / scale
        error = np.hypot(missed[0], missed[1])
        for row in missed[2:]:
            error = np.hypot(error, row)
    return state, stages, np.where(np.isfinite(error), error, np.inf)


def _solver(diagonal: Array, jacobian: Array) -> Callable[[Array], Array]:
    """Solves (diagonal − J) x = y at every point."""
    if len(jacobian) == 2:
        ww, bb, wb, bw = diagonal - jacobian[0, 0], diagonal - jacobian[1, 1], -jacobian[0, 1], -jacobian[1, 0]
        determinant = ww * bb - wb * bw
        return lambda right: np.array([bb * right[0] - wb * right[1], ww * right[1] - bw * right[0]]) / determinant
    matrix = diagonal[:, None, None] * np.eye(len(jacobian)) - np.moveaxis(jacobian, -1, 0)
    inverse = np.linalg.inv(matrix)
    return lambda right: np.einsum("pij,jp->ip", inverse, right)


def _combined(weights: Array, stages: Array) -> Array:
    """Σ_j weight_j k_j over the first stages."""
    return (weights @ stages.reshape(len(stages), -1)[: weights.size]).reshape(stages.shape[1:])


def _arrival_in_step(before: Array, after: Array, stages: Array, target: Array) -> tuple[Array, Array]:
    """The part of the step after which β >= ``target`` and w > 0, by bisection on its dense output of order 4."""
    dense = [_combined(row, stages) for row in (rodas5p.H1, rodas5p.H2, rodas5p.H3)]

    def inside(x: Array) -> Array:
        return before + x * (after - before + (1.0 - x) * (dense[0] + x * (dense[1] + x * dense[2])))

    low, high = np.zeros(before.shape[1]), np.ones(before.shape[1])
    for _ in range(50):
        x = 0.5 * (low + high)
        w, beta = inside(x)[:2]
        there = (beta >= target) & (w > 0.0)
        low, high = np.where(there, low, x), np.where(there, x, high)
    return high, inside(high)
