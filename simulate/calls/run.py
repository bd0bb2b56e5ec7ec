"""From checked arrays to the kernel and back: one chunk of trajectories in one thread."""

import numpy as np
from numpy.typing import NDArray

from ...theory.common.arguments import instance, number, real, require
from ..kernel import layout as at
from ..kernel.driver import advance_of
from ..model import CoupledModel, EventLevels

Array = NDArray[np.float64]

#: A tolerance below this asks for less than the rounding of one step.
TOLERANCE_MIN = 10.0 * float(np.finfo(np.float64).eps)
EVENT_NAMES = ("acquired", "lost", "memorised")

#: Why a trajectory ended; those from ``STEP_UNDERFLOW`` on have failed.
REASONS = {
    at.RUNNING: "interrupted",
    at.COMPLETED: "completed",
    at.STOPPED: "stopped at an event",
    at.STEP_UNDERFLOW: "the step size fell below the rounding of time",
    at.TOO_MANY_STEPS: "more than max_steps steps",
    at.NOT_FINITE: "the state is not finite",
    at.OUT_OF_RANGE: "the state left the range in which the field is represented",
}


def check_tolerances(rtol: float, atol: float) -> None:
    """Refuse tolerances below machine precision."""
    require(number("rtol", rtol) >= TOLERANCE_MIN, "rtol", f"be at least {TOLERANCE_MIN:.2g}", rtol)
    require(number("atol", atol) > 0.0, "atol", "be positive", atol)


def check_span(t_span: tuple[float, float]) -> tuple[float, float]:
    """A time span that runs forward."""
    span = real("t_span", t_span)
    require(span.shape == (2,), "t_span", "be a pair (start, end)", t_span)
    start, end = span.tolist()
    require(end > start, "t_span", "end after it starts", t_span)
    return start, end


def check_levels(levels: EventLevels | None) -> EventLevels:
    """The levels that are given, or else the usual ones."""
    if levels is not None:
        instance("levels", levels, EventLevels, "an")
    return levels or EventLevels()


def check_stop(stop: str | None, model: CoupledModel) -> int:
    """Index of the event that ends a trajectory, −1 for none."""
    if stop is None:
        return -1
    require(isinstance(stop, str) and stop in EVENT_NAMES, "stop", f"be None or one of {', '.join(EVENT_NAMES)}", stop)
    require(stop != "memorised" or model.memory is not None, "stop", "not be 'memorised' without a memory", stop)
    return EVENT_NAMES.index(stop)


def blank_rows(y0: Array, span: tuple[float, float], parameters: Array) -> tuple[Array, NDArray[np.int64]]:
    """Rows and marks of trajectories that have yet to start."""
    rows = np.zeros((len(y0), at.ROW))
    rows[:, : y0.shape[1]] = y0
    rows[:, at.ROW_TIME], rows[:, at.ROW_END] = span
    rows[:, at.ROW_EVENTS : at.ROW_PARAMETERS] = np.nan
    rows[:, at.ROW_PARAMETERS : at.ROW_RATES] = parameters
    return rows, np.zeros((len(y0), at.MARKS), dtype=np.int64)


class Kernel:
    """The kernel with everything that the chunks of one call share."""

    def __init__(
        self, model: CoupledModel, levels: EventLevels, rtol: float, atol: float, stop: int, max_steps: int, method: str
    ) -> None:
        self.model, self.levels, self.rtol, self.atol = model, levels, rtol, atol
        self.field, self.quadrature = model.field, model.quadrature()
        used = at.COMPONENTS if model.memory is not None else 2
        self.setup = np.array([model.kind, used, at.EXPLICIT, stop, max_steps, method == "auto"], dtype=np.int64)
        self.first = at.ROSENBROCK if method == "implicit" else at.EXPLICIT
        self.cancelled = False
        self._controls: list[NDArray[np.int64]] = []

    def cancel(self) -> None:
        """Make every running chunk return within one step."""
        self.cancelled = True
        for control in self._controls:
            control[at.CANCEL] = 1

    def run(
        self, rows: Array, marks: NDArray[np.int64], tables: Array, sample_times: Array, samples: Array, record: Array
    ) -> int:
        """Advance the rows, explicitly first; those found stiff go on with the implicit method.

        Returns the number of recorded steps.
        """
        work, held = at.workspace(tables.shape[2] - 2, self.rtol, self.atol)
        aside, kept = at.workspace(tables.shape[2] - 2, self.rtol, self.atol)
        control = np.zeros(at.CONTROLS, dtype=np.int64)
        self._controls.append(control)
        control[at.CANCEL] = self.cancelled
        shared = (self.quadrature, tables, sample_times, rows, marks, samples, record, control, work, held, aside, kept)
        for method in range(self.first, at.ROSENBROCK + 1):
            setup = self.setup.copy()
            setup[at.METHOD] = method
            advance_of(self.field, method)(setup, *shared)
            stiff = marks[:, at.STATUS] == at.STIFF
            if not stiff.any():
                break
            marks[stiff, at.STATUS] = at.RUNNING
            if len(record):  # a recorded trajectory that pauses for room goes on as it was
                self.first = at.ROSENBROCK
        return int(control[at.RECORDED])
