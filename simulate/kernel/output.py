"""What a step leaves behind: the events and output times inside it, and its record.

The dense output of the explicit method costs three evaluations of the field in all lanes, and most steps in which an
event happens are alone among their neighbours. Where nothing of the trajectory depends on when it happened, the step is
set aside until there is a vector of such steps.
"""

import math
from functools import lru_cache
from typing import Any

from . import layout as at
from .dop853 import STAGES
from .events import event_value, interpolate, locate, passing
from .explicit import ALL_STAGES
from .lanes import arm
from .layout import ACQUIRED, BLOCK, EVENTS, LOST
from .simd import WIDTH, compiled, compiled_for, greater, lesser, never_inline


@compiled()
def _mark(setup, rows, work, lane, i, event, share):
    """Time and state of one event; the fraction of the step if the trajectory stops there, else 2."""
    never_inline()
    rows[i, at.ROW_EVENTS + event] = work[at.TIME + lane] + share * work[at.H + lane]
    for component in range(at.COMPONENTS):
        column = at.ROW_EVENT_STATES + event * at.COMPONENTS + component
        rows[i, column] = interpolate(work, lane, component, share)
    return greater(share, 0.0) if event == setup[at.STOP] else 2.0


@compiled()
def _mark_events(setup, rows, work, lane, i):
    """Time and state of the events within the step; the fraction of the step at which the trajectory stops, or 2."""
    never_inline()
    stop = 2.0
    for event in range(EVENTS):
        if work[at.WATCH + event * WIDTH + lane] == math.inf:
            continue
        value = event_value(work, at.NEW_Y, lane, event)
        if (-value if event == LOST else value) > work[at.WATCH + event * WIDTH + lane]:
            stop = lesser(stop, _mark(setup, rows, work, lane, i, event, locate(work, lane, event, 0.0, 1.0)))
            continue
        top = passing(work, lane, event)
        if top < 0.0:
            continue
        stop = lesser(stop, _mark(setup, rows, work, lane, i, event, locate(work, lane, event, 0.0, top)))
        ended = -event_value(work, at.NEW_Y, lane, LOST)
        if event == ACQUIRED and math.isnan(rows[i, at.ROW_EVENTS + LOST]) and ended > 0.0:  # acquired and lost in one
            stop = lesser(stop, _mark(setup, rows, work, lane, i, LOST, locate(work, lane, LOST, top, 1.0)))
    return stop


@compiled()
def _write_samples(sample_times, samples, marks, work, lane, i):
    """States at the output times within the step."""
    never_inline()
    sample, start, step = marks[i, at.SAMPLED], work[at.TIME + lane], work[at.H + lane]
    while sample < len(sample_times) and sample_times[sample] <= work[at.UNTIL + lane]:
        share = lesser(greater((sample_times[sample] - start) / step, 0.0), 1.0)
        for component in range(at.COMPONENTS):
            samples[i, sample, component] = interpolate(work, lane, component, share)
        sample += 1
    marks[i, at.SAMPLED] = sample
    work[at.NEXT_SAMPLE + lane] = sample_times[sample] if sample < len(sample_times) else math.inf


@compiled()
def _write_record(record, control, work, lane):
    row = control[at.RECORDED]
    record[row, 0], record[row, 1] = work[at.TIME + lane], work[at.H + lane]
    for component in range(at.COMPONENTS):
        k = component * WIDTH + lane
        record[row, 2 + component] = work[at.Y + k]
        for power in range(at.DENSE):
            record[row, 2 + (1 + power) * at.COMPONENTS + component] = work[at.DENSE_AT + power * BLOCK + k]
    control[at.RECORDED] = row + 1


@compiled()
def write_output(setup, sample_times, rows, marks, samples, record, control, work, held):
    """Events, output and record of the accepted steps; a trajectory that stops inside its step ends there."""
    never_inline()
    for lane in range(WIDTH):
        i = held[lane]
        if i < 0 or work[at.ACCEPTED + lane] == 0.0:
            continue
        stop = 2.0
        if work[at.DENSELY + lane] != 0.0:
            stop = _mark_events(setup, rows, work, lane, i)
            arm(setup, rows, work, lane, i)
            marks[i, at.EVALUATIONS] += ALL_STAGES - STAGES - 1 if setup[at.METHOD] == at.EXPLICIT else 0
            if stop <= 1.0:
                work[at.UNTIL + lane], work[at.STOPPING + lane] = work[at.TIME + lane] + stop * work[at.H + lane], 1.0
            _write_samples(sample_times, samples, marks, work, lane, i)
        if len(record) > 0:
            _write_record(record, control, work, lane)
        if stop <= 1.0:
            for component in range(at.COMPONENTS):
                work[at.NEW_Y + component * WIDTH + lane] = interpolate(work, lane, component, stop)


@compiled()
def _write_now(setup, quadrature, tables, sample_times, rows, marks, samples, record, control, work, held, aside, kept):
    """The Rosenbrock step leaves its dense output behind."""
    write_output(setup, sample_times, rows, marks, samples, record, control, work, held)


@compiled()
def _no_rest(setup, quadrature, tables, rows, marks, control, aside, kept):
    """Nothing is set aside."""


@lru_cache
def outputs_of(field: Any, dense: Any) -> tuple[Any, Any]:
    """What writes the output of a step along ``field``, and what is left of it when all trajectories have ended.

    ``dense`` makes the dense output; without it, it is there already.
    """
    if dense is None:
        return _write_now, _no_rest

    @compiled_for(field)
    def write_aside(setup, quadrature, tables, rows, marks, control, aside, kept):
        """Events of the steps set aside, and the ends of the trajectories that stop there."""
        never_inline()
        if control[at.ASIDE] > 0:
            dense(setup, quadrature, tables, aside)
        for slot in range(control[at.ASIDE]):
            i = kept[slot]
            marks[i, at.EVALUATIONS] += ALL_STAGES - STAGES - 1
            stop = _mark_events(setup, rows, aside, slot, i)
            if stop <= 1.0:
                rows[i, at.ROW_TIME] = aside[at.TIME + slot] + stop * aside[at.H + slot]
                for component in range(at.COMPONENTS):
                    rows[i, component] = interpolate(aside, slot, component, stop)
        control[at.ASIDE] = 0

    @compiled_for(field)
    def write(setup, quadrature, tables, sample_times, rows, marks, samples, record, control, work, held, aside, kept):
        """Set aside what can be, and write the output of what is left.

        The event of a step set aside is over for its lane, which ends if it stops there.
        """
        certain, now = 0.0, 0.0
        for lane in range(WIDTH):
            certain += work[at.CERTAIN + lane]
            now += work[at.DENSELY + lane] - work[at.CERTAIN + lane]
        if control[at.ASIDE] + certain > WIDTH:  # all there are of earlier steps, their trajectories written back
            write_aside(setup, quadrature, tables, rows, marks, control, aside, kept)
        for lane in range(WIDTH):
            if work[at.CERTAIN + lane] == 0.0 or len(record) > 0:
                continue
            i, slot = held[lane], control[at.ASIDE]
            kept[slot] = i
            control[at.ASIDE] = slot + 1
            for start, end in ((0, at.RATES + (STAGES + 1) * BLOCK), (at.SCALARS, at.SCRATCH)):
                for row in range(start, end, WIDTH):
                    aside[row + slot] = work[row + lane]
            for event in range(EVENTS):
                value = event_value(work, at.NEW_Y, lane, event)
                if (-value if event == LOST else value) > work[at.WATCH + event * WIDTH + lane]:
                    rows[i, at.ROW_EVENTS + event] = work[at.TIME + lane]  # until it is known better
                    if event == setup[at.STOP]:
                        work[at.STOPPING + lane] = 1.0
            work[at.DENSELY + lane] = 0.0
            arm(setup, rows, work, lane, i)
        if now > 0.0 or len(record) > 0:
            dense(setup, quadrature, tables, work)
            write_output(setup, sample_times, rows, marks, samples, record, control, work, held)

    return write, write_aside
