"""The loop around the step: lanes are refilled as trajectories end, each keeps its own step size, events and output.

The field is an argument: a compiled function ``field(setup, quadrature, tables, work, source, target)`` that writes the
rates at the states in block ``source`` of ``work`` into block ``target``.
"""

import math
from functools import lru_cache
from typing import Any

from . import layout as at
from .control import choose_steps, commit, judge
from .explicit import explicit_of
from .implicit import rosenbrock_step_of
from .lanes import prepare_of, refill, unload_lane
from .layout import COMPLETED, RUNNING, STOPPED
from .output import outputs_of
from .simd import WIDTH, compiled, compiled_for, never_inline


@compiled()
def _verdict(work, lane):
    """What ends the trajectory in the lane."""
    if work[at.STOPPING + lane] != 0.0:
        return STOPPED
    if work[at.TIME + lane] >= work[at.END + lane]:
        return COMPLETED
    if work[at.TRIED + lane] >= work[at.STEPS_LEFT + lane]:
        return at.TOO_MANY_STEPS
    if work[at.REFUSED + lane] != 0.0:
        return at.STEP_UNDERFLOW if math.isfinite(work[at.ERROR + lane]) else at.NOT_FINITE
    if work[at.OUTSIDE + lane] != 0.0:
        return at.OUT_OF_RANGE
    return at.STIFF


@compiled()
def _retire(setup, sample_times, rows, marks, record, control, work, held):
    """Write back the trajectories that end and give their lanes the next; the number of lanes that have one."""
    never_inline()
    full = 0 < len(record) == control[at.RECORDED]
    for lane in range(WIDTH):
        if held[lane] >= 0 and (full or work[at.ENDING + lane] != 0.0):
            status = _verdict(work, lane) if work[at.ENDING + lane] != 0.0 else at.PAUSED
            unload_lane(setup, rows, marks, work, held, lane, status)
    return refill(setup, sample_times, rows, marks, control, work, held)


@compiled()
def _release(setup, rows, marks, work, held):
    """Write back what an interruption leaves under way."""
    never_inline()
    for lane in range(WIDTH):
        if held[lane] >= 0:
            unload_lane(setup, rows, marks, work, held, lane, RUNNING)


@lru_cache
def advance_of(field: Any, method: int) -> Any:
    """The compiled loop for one field and one method, compiled when it is first called.

    It advances every trajectory that is RUNNING until it has another status; ``control[CANCEL]`` ends the call.
    """
    explicit = method == at.EXPLICIT
    step, dense = explicit_of(field) if explicit else (rosenbrock_step_of(field), None)
    write, write_rest = outputs_of(field, dense)
    prepare = prepare_of(field)

    def advance(
        setup, quadrature, tables, sample_times, rows, marks, samples, record, control, work, held, aside, kept
    ):  # fmt: skip
        control[at.WAITING] = control[at.ASIDE] = 0
        prepare(setup, quadrature, tables, rows, marks, work, held)
        active = refill(setup, sample_times, rows, marks, control, work, held)
        while active > 0 and control[at.CANCEL] == 0:
            choose_steps(work)
            step(setup, quadrature, tables, work)
            if judge(setup, work) or len(record) > 0:
                write(
                    setup, quadrature, tables, sample_times, rows, marks,
                    samples, record, control, work, held, aside, kept,
                )  # fmt: skip
            if commit(setup, work) or 0 < len(record) == control[at.RECORDED]:
                active = _retire(setup, sample_times, rows, marks, record, control, work, held)
        _release(setup, rows, marks, work, held)
        write_rest(setup, quadrature, tables, rows, marks, control, aside, kept)

    advance.__name__ = "advance_explicit" if explicit else "advance_implicit"
    return compiled_for(field, entry=True, nogil=True)(advance)
