"""One trajectory: adaptive steps, events, dense output."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..theory.common.arguments import choice, instance, integer, real, require
from ..theory.common.rehearsal import computing_begins
from .calls.run import EVENT_NAMES, REASONS, Kernel, blank_rows, check_levels, check_span, check_stop, check_tolerances
from .kernel import layout as at
from .model import CoupledModel, EventLevels
from .trajectory import Trajectory

Array = NDArray[np.float64]

#: Steps recorded before the kernel pauses for a larger record.
RECORD_STEPS = 512


def check_state(model: CoupledModel, y0: ArrayLike) -> Array:
    """States (..., 2 or 3) without NaN, the memory within its law's domain."""
    instance("model", model, CoupledModel)
    state = real("y0", y0)
    sizes = (2,) if model.memory is None else (2, 3)
    right = state.ndim >= 1 and state.shape[-1] in sizes
    require(
        right, "y0", f"have {' or '.join(map(str, sizes))} components last: w, β[, memory]", f"of shape {state.shape}"
    )
    if state.shape[-1] == 3:
        lowest = -getattr(model.memory, "margin_scale", 0.0)
        require(bool(np.all(state[..., 2] >= lowest)), "y0", f"have a memory state >= {lowest:g}", state[..., 2].min())
    return state


def check_method(method: str) -> str:
    choice("method", method, ("auto", "explicit", "implicit"))
    return method


def solve(
    model: CoupledModel,
    y0: ArrayLike,
    t_span: tuple[float, float],
    rtol: float = 1e-6,
    atol: float = 1e-9,
    *,
    times: ArrayLike | None = None,
    levels: EventLevels | None = None,
    stop: str | None = None,
    method: str = "auto",
    max_steps: int = 100_000,
) -> Trajectory:
    """Integrate one trajectory of the coupled model.

    Dormand-Prince 8(5,3) with dense output of order 7; where stability rather than accuracy limits its steps, the
    L-stable Rosenbrock method Rodas5P of order 5 takes over. A step is accepted when its estimated error is below
    atol + rtol max(|y|, |y'|) in the Euclidean norm over the components.

    Parameters
    ----------
    model : CoupledModel
    y0 : array_like, shape (2,) or (3,)
        w, β and, with a memory, its state (0 if left out).
    t_span : (float, float)
        Start and end in gradient-flow time.
    rtol, atol : float
        Relative and absolute tolerance, rtol >= 2.2e-15.
    times : array_like (time,), ascending, optional
        Where the solution is returned, from the dense output; the accepted steps if not given. Spacing is free:
        ``numpy.geomspace`` gives logarithmic output.
    levels : EventLevels, optional
        Levels of the events; every event is located whether it stops the integration or not, also one that starts and
        ends within a single step (at an extremum of the dense output). What differs from a level by less than 1e-6 or
        10 ``atol`` is no event: a state that decays to 0 crosses nothing there but rounding noise.
    stop : "acquired", "lost" or "memorised", optional
        Event that ends the integration.
    method : "auto", "explicit" or "implicit"
        "auto" switches where the trajectory turns stiff.
    max_steps : int
        Attempted steps, 1 or more, after which a trajectory counts as failed.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError
        For a reversed or empty time span, a state that is not finite or of the wrong shape, a tolerance below machine
        precision, times outside the span or out of order.

    Source: E. Hairer, S. P. Nørsett, G. Wanner, *Solving Ordinary Differential Equations I*, section II.5.

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> run = solve(CoupledModel(Task(context_length=25, dimension=63)), y0=(0.0, 0.0), t_span=(0.0, 200.0))
    >>> round(run.events["acquired"], 1), round(run.clock_at["acquired"], 1)
    (72.8, 36.4)
    """
    check_tolerances(rtol, atol)
    span = check_span(t_span)
    levels = check_levels(levels)
    max_steps = integer("max_steps", max_steps, minimum=1)
    state = check_state(model, y0)
    require(state.ndim == 1, "y0", "be a single state here (solve_ensemble takes many)", f"of shape {state.shape}")
    wanted = None if times is None else real("times", times, minimum=span[0], maximum=span[1])
    if wanted is not None:
        require(wanted.ndim == 1 and bool(np.all(np.diff(wanted) > 0)), "times", "ascend along one dimension", times)
    stopped, method = check_stop(stop, model), check_method(method)
    computing_begins()
    parameters, tables = model.parameter_rows({}, 1, levels)
    rows, marks = blank_rows(state[None, :], span, parameters)
    kernel = Kernel(model, levels, rtol, atol, stopped, max_steps, method)
    record = _run_recorded(kernel, rows, marks, tables, np.zeros(0) if wanted is None else wanted)
    return _trajectory(model, levels, rows[0], marks[0], record, wanted, span[0])


def _run_recorded(kernel: Kernel, rows: Array, marks: NDArray[np.int64], tables: Array, times: Array) -> Array:
    """Run to the end, however many steps it takes; the record of all of them.

    The kernel is told of the output times because it is more careful inside the steps that hold one.
    """
    parts: list[Array] = []
    samples = np.zeros((1, len(times), at.COMPONENTS))
    while not parts or marks[0, at.STATUS] == at.PAUSED:
        marks[0, at.STATUS] = at.RUNNING
        record = np.zeros((RECORD_STEPS, at.RECORD))
        count = kernel.run(rows, marks, tables, times, samples, record)
        parts.append(record[:count])
    return np.concatenate(parts)


def _trajectory(
    model: CoupledModel,
    levels: EventLevels,
    row: Array,
    mark: NDArray[np.int64],
    record: Array,
    wanted: Array | None,
    start: float,
) -> Trajectory:
    events = {name: float(row[at.ROW_EVENTS + k]) for k, name in enumerate(EVENT_NAMES)}
    states = row[at.ROW_EVENT_STATES : at.ROW_PARAMETERS].reshape(at.EVENTS, at.COMPONENTS)
    status = int(mark[at.STATUS])
    last = row[at.ROW_TIME]
    if model.memory is None:
        clocks = {name: 0.5 * (time - start) for name, time in events.items()}
        row[at.CLOCK] = 0.5 * (last - start)
    else:
        clocks = {name: float(states[k, at.CLOCK]) for k, name in enumerate(EVENT_NAMES)}
    shell = Trajectory(
        model, levels, *([np.zeros(0)] * 5), events=events, clock_at=clocks, status=REASONS[status],
        success=status in (at.COMPLETED, at.STOPPED), evaluations=int(mark[at.EVALUATIONS]),
        steps=int(mark[at.ACCEPTED_STEPS]), rejected=int(mark[at.REJECTED_STEPS]),
        reached=float(last), record=record,
    )  # fmt: skip
    if wanted is None:
        t = np.append(record[:, 0], last)
        y = np.vstack([record[:, 2 : 2 + at.COMPONENTS], row[: at.COMPONENTS]])
        if model.memory is None:
            y[:, at.CLOCK] = 0.5 * (t - start)
    else:
        t = wanted[wanted <= last]
        y = shell.at(t) if len(record) else np.tile(row[: at.COMPONENTS], (t.size, 1))
    for name, value in zip(("t", "w", "beta", "memory", "clock"), (t, *y.T), strict=True):
        object.__setattr__(shell, name, value)
    return shell
