"""The loop around the step: lanes are refilled as trajectories end, each keeps its own step size, events and output."""

import math

from . import layout as at
from .control import choose_steps, commit, judge
from .explicit import explicit_dense, explicit_step
from .implicit import rosenbrock_step
from .lanes import prepare, refill, unload_lane
from .layout import COMPLETED, RUNNING, STOPPED
from .output import write_output
from .simd import WIDTH, compiled, never_inline


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


@compiled(entry=True, nogil=True)
def advance_explicit(setup, quadrature, tables, sample_times, rows, marks, samples, record, control, work, held):
    """Advance every trajectory that is RUNNING until it has another status; ``control[CANCEL]`` ends the call."""
    control[at.WAITING] = 0
    prepare(setup, quadrature, tables, rows, marks, work, held)
    active = refill(setup, sample_times, rows, marks, control, work, held)
    while active > 0 and control[at.CANCEL] == 0:
        choose_steps(work)
        explicit_step(setup, quadrature, tables, work)
        if judge(setup, work) or len(record) > 0:
            explicit_dense(setup, quadrature, tables, work)
            write_output(setup, sample_times, rows, marks, samples, record, control, work, held)
        if commit(setup, work) or 0 < len(record) == control[at.RECORDED]:
            active = _retire(setup, sample_times, rows, marks, record, control, work, held)
    _release(setup, rows, marks, work, held)


@compiled(entry=True, nogil=True)
def advance_implicit(setup, quadrature, tables, sample_times, rows, marks, samples, record, control, work, held):
    """The same with the Rosenbrock method; apart, so that it is compiled only where something is stiff."""
    control[at.WAITING] = 0
    prepare(setup, quadrature, tables, rows, marks, work, held)
    active = refill(setup, sample_times, rows, marks, control, work, held)
    while active > 0 and control[at.CANCEL] == 0:
        choose_steps(work)
        rosenbrock_step(setup, quadrature, tables, work)
        if judge(setup, work) or len(record) > 0:
            write_output(setup, sample_times, rows, marks, samples, record, control, work, held)
        if commit(setup, work) or 0 < len(record) == control[at.RECORDED]:
            active = _retire(setup, sample_times, rows, marks, record, control, work, held)
    _release(setup, rows, marks, work, held)
