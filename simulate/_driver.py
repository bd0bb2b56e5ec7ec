"""The loop around the step: lanes are refilled as trajectories end, each keeps its own step size, events and output.

A lane never reads another lane, so the result of a trajectory is the same to the last bit in any company.
"""

import math

from . import _layout as at
from ._dop853 import STAGES
from ._events import event_value, interpolate, locate
from ._explicit import ALL_STAGES, explicit_dense, explicit_step, inverse_eighth_root
from ._field import BETA_MAX, MARGIN_MAX, field
from ._implicit import inverse_fifth_root, rosenbrock_step
from ._layout import ACQUIRED, BLOCK, COMPLETED, EVENTS, LOST, MEMORISED, NO_MEMORY, RUNNING, STOPPED
from ._rodas5p import STAGES as ROSENBROCK_STAGES
from ._simd import WIDTH, compiled, drop_stale_cache, load, never_inline, store

drop_stale_cache()

#: |w| beyond which the field's clips would show.
WEIGHT_MAX = 250.0
#: Bounds on the change of a step size, and the safety factor (Hairer, Nørsett, Wanner, section II.4).
SHRINK_MIN, GROWTH_MAX, SAFETY = 0.2, 10.0, 0.9
#: Steps in a row at the edge of the stability region before a trajectory counts as stiff, and the edge of the region.
STIFF_STEPS, STABILITY_EDGE = 15, 6.1
#: Fewer remaining steps than this are taken explicitly, stiff or not.
STIFF_WORTH = 40.0


@compiled()
def _load_lane(setup, rows, work, lane_state, lane, i):
    """Put trajectory ``i`` into ``lane``; events that hold from the start happen at the start."""
    never_inline()
    for component in range(at.COMPONENTS):
        work[at.Y + component * WIDTH + lane] = rows[i, component]
    for parameter in range(at.PARAMETERS):
        work[parameter * WIDTH + lane] = rows[i, at.ROW_PARAMETERS + parameter]
    work[at.TIME + lane], work[at.PROPOSAL + lane] = rows[i, at.ROW_TIME], rows[i, at.ROW_STEP]
    for flag in range(1, 7):
        lane_state[flag * WIDTH + lane] = 0
    lane_state[at.INDEX + lane], lane_state[at.FRESH + lane] = i, 1
    for event in range(EVENTS):
        happens = event == ACQUIRED or (event == MEMORISED and setup[at.KIND] != NO_MEMORY)
        if happens and math.isnan(rows[i, at.ROW_EVENTS + event]) and event_value(work, at.Y, lane, event) > 0.0:
            rows[i, at.ROW_EVENTS + event] = rows[i, at.ROW_TIME]
            for component in range(at.COMPONENTS):
                rows[i, at.ROW_EVENT_STATES + event * at.COMPONENTS + component] = rows[i, component]


@compiled()
def _unload_lane(rows, marks, work, lane_state, lane, status):
    """Write the lane back and leave it idle: a step of size 0 from where it stands."""
    never_inline()
    i = lane_state[at.INDEX + lane]
    for component in range(at.COMPONENTS):
        rows[i, component] = work[at.Y + component * WIDTH + lane]
    rows[i, at.ROW_TIME], rows[i, at.ROW_STEP] = work[at.TIME + lane], work[at.PROPOSAL + lane]
    marks[i, at.STATUS] = status
    lane_state[at.INDEX + lane], work[at.H + lane] = -1, 0.0


@compiled()
def _first_steps(setup, quadrature, tables, marks, work, lane_state):
    """Rates at the start of fresh lanes, and their first step: tol^{1/8} times the time in which the state moves by 1.

    The pace is the larger of |f| and √|f′ f|, the latter from a probe 1e-3 away; the clock is no part of the state.
    """
    never_inline()
    for probe in range(2):
        source, target = (at.Y, at.RATES) if probe == 0 else (at.STAGE_Y, at.RATES + BLOCK)
        if probe == 1:
            for lane in range(WIDTH):
                speed = max(abs(work[at.RATES + lane]), abs(work[at.RATES + WIDTH + lane]), 1e-300)
                work[at.ERROR + lane] = 1e-3 / speed
                for component in range(at.COMPONENTS):
                    k = component * WIDTH + lane
                    move = work[at.ERROR + lane] * work[at.RATES + k] if component < 2 else 0.0
                    work[at.STAGE_Y + k] = work[at.Y + k] + move
        field(setup, quadrature, tables, work, source, target)
    for lane in range(WIDTH):
        if lane_state[at.FRESH + lane] == 0:
            continue
        lane_state[at.FRESH + lane] = 0
        marks[lane_state[at.INDEX + lane], at.EVALUATIONS] += 2
        if work[at.PROPOSAL + lane] > 0.0:
            continue
        turn = 0.0
        for component in range(2):
            k = at.RATES + component * WIDTH + lane
            turn = max(turn, abs(work[k + BLOCK] - work[k]) / work[at.ERROR + lane])
        pace = max(1e-3 / work[at.ERROR + lane], math.sqrt(turn), 1e-12)
        work[at.PROPOSAL + lane] = max(work[at.RTOL + lane], work[at.ATOL + lane]) ** 0.125 / pace


@compiled()
def _crosses(setup, rows, work, lane, i, event):
    """Whether ``event`` happens within the step just accepted."""
    if not math.isnan(rows[i, at.ROW_EVENTS + event]) or (event == MEMORISED and setup[at.KIND] == NO_MEMORY):
        return False
    after = event_value(work, at.NEW_Y, lane, event)
    if event == LOST:
        return not math.isnan(rows[i, at.ROW_EVENTS + ACQUIRED]) and after < 0.0
    return after > 0.0


@compiled()
def _judge(setup, sample_times, rows, marks, work, lane_state, lane):
    """Accept or reject the step of one lane; a status other than RUNNING ends the trajectory here."""
    never_inline()
    i = lane_state[at.INDEX + lane]
    step, error = work[at.H + lane], work[at.ERROR + lane]
    # the implicit step differentiates by central differences in each of its variables
    explicit = setup[at.METHOD] == at.EXPLICIT
    marks[i, at.EVALUATIONS] += STAGES if explicit else ROSENBROCK_STAGES + 2 * min(setup[at.USED], 3)
    lane_state[at.DENSELY + lane] = 0
    if error <= 1.0:
        lane_state[at.ACCEPTED + lane] = 1
        marks[i, at.ACCEPTED_STEPS] += 1
        sample = marks[i, at.SAMPLED]
        if sample < len(sample_times) and sample_times[sample] <= work[at.TIME + lane] + step * (1.0 + 1e-14):
            lane_state[at.DENSELY + lane] = 1
        for event in range(EVENTS):
            if _crosses(setup, rows, work, lane, i, event):
                lane_state[at.DENSELY + lane] = 1
        return RUNNING
    lane_state[at.ACCEPTED + lane] = 0
    lane_state[at.REJECTED + lane] = 1
    marks[i, at.REJECTED_STEPS] += 1
    finite = math.isfinite(error)
    work[at.PROPOSAL + lane] = step * (max(SHRINK_MIN, SAFETY * work[at.FACTOR + lane]) if finite else 0.1)
    if work[at.PROPOSAL + lane] <= 4e-16 * abs(work[at.TIME + lane]) or work[at.PROPOSAL + lane] < 1e-290:
        return at.STEP_UNDERFLOW if finite else at.NOT_FINITE
    if marks[i, at.ACCEPTED_STEPS] + marks[i, at.REJECTED_STEPS] >= setup[at.MAX_STEPS]:
        return at.TOO_MANY_STEPS
    return RUNNING


@compiled()
def _mark_events(setup, rows, work, lane_state, lane):
    """Time and state of the events within the step; the fraction of the step at which the trajectory stops."""
    never_inline()
    i = lane_state[at.INDEX + lane]
    stop = 2.0
    for event in range(EVENTS):
        if _crosses(setup, rows, work, lane, i, event):
            share = locate(work, lane, event)
            rows[i, at.ROW_EVENTS + event] = work[at.TIME + lane] + share * work[at.H + lane]
            for component in range(at.COMPONENTS):
                column = at.ROW_EVENT_STATES + event * at.COMPONENTS + component
                rows[i, column] = interpolate(work, lane, component, share)
            if event == setup[at.STOP]:
                stop = share
    return stop


@compiled()
def _write_samples(sample_times, samples, marks, work, lane_state, lane, until):
    """States at the output times within the step."""
    never_inline()
    i = lane_state[at.INDEX + lane]
    sample, start, step = marks[i, at.SAMPLED], work[at.TIME + lane], work[at.H + lane]
    while sample < len(sample_times) and sample_times[sample] <= until:
        share = min(max((sample_times[sample] - start) / step, 0.0), 1.0)
        for component in range(at.COMPONENTS):
            samples[i, sample, component] = interpolate(work, lane, component, share)
        sample += 1
    marks[i, at.SAMPLED] = sample


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
def _finish(setup, sample_times, rows, marks, samples, record, control, work, lane_state, lane):
    """Events, output and the next step size of an accepted step; the status it leaves the trajectory in."""
    never_inline()
    i = lane_state[at.INDEX + lane]
    end = rows[i, at.ROW_END]
    until = work[at.TIME + lane] + work[at.H + lane]
    if until >= end * (1.0 - 1e-15):
        until = end
    stop = 2.0
    if lane_state[at.DENSELY + lane] == 1:
        stop = _mark_events(setup, rows, work, lane_state, lane)
        marks[i, at.EVALUATIONS] += ALL_STAGES - STAGES - 1 if setup[at.METHOD] == at.EXPLICIT else 0
        if stop <= 1.0:
            until = work[at.TIME + lane] + stop * work[at.H + lane]
        _write_samples(sample_times, samples, marks, work, lane_state, lane, until)
    if len(record) > 0:
        _write_record(record, control, work, lane)
    if stop <= 1.0:
        for component in range(at.COMPONENTS):
            work[at.NEW_Y + component * WIDTH + lane] = interpolate(work, lane, component, stop)
    _commit(work, lane_state, lane)
    work[at.TIME + lane] = until
    if stop <= 1.0:
        return STOPPED
    if until >= end:
        return COMPLETED
    if 0 < len(record) == control[at.RECORDED]:
        return at.PAUSED
    return _sanity(setup, rows, marks, work, lane_state, lane)


@compiled()
def _commit(work, lane_state, lane):
    """The end of the step becomes the start of the next, its rates included; the step size follows the error."""
    never_inline()
    for component in range(at.COMPONENTS):
        k = component * WIDTH + lane
        work[at.Y + k] = work[at.NEW_Y + k]
        work[at.RATES + k] = work[at.RATES + STAGES * BLOCK + k]
    growth = min(GROWTH_MAX, max(SHRINK_MIN, SAFETY * work[at.FACTOR + lane]))
    if lane_state[at.REJECTED + lane] == 1:  # do not grow straight after a rejection
        growth = min(growth, 1.0)
    lane_state[at.REJECTED + lane] = 0
    work[at.PROPOSAL + lane] = work[at.H + lane] * growth


@compiled()
def _sanity(setup, rows, marks, work, lane_state, lane):
    """Reasons to end a trajectory after an accepted step."""
    never_inline()
    i = lane_state[at.INDEX + lane]
    if marks[i, at.ACCEPTED_STEPS] + marks[i, at.REJECTED_STEPS] >= setup[at.MAX_STEPS]:
        return at.TOO_MANY_STEPS
    if not (abs(work[at.Y + lane]) <= WEIGHT_MAX and abs(work[at.Y + WIDTH + lane]) <= BETA_MAX):
        return at.OUT_OF_RANGE
    if setup[at.KIND] == at.POWER_LAW and not (work[at.Y + 2 * WIDTH + lane] <= MARGIN_MAX):
        return at.OUT_OF_RANGE
    if setup[at.METHOD] != at.EXPLICIT or setup[at.SWITCH] == 0:
        return RUNNING
    if work[at.STIFFNESS + lane] <= STABILITY_EDGE**2:
        lane_state[at.SMOOTH_COUNT + lane] += 1
        if lane_state[at.SMOOTH_COUNT + lane] >= 6:
            lane_state[at.STIFF_COUNT + lane] = 0
        return RUNNING
    lane_state[at.STIFF_COUNT + lane] += 1
    lane_state[at.SMOOTH_COUNT + lane] = 0
    left = rows[i, at.ROW_END] - work[at.TIME + lane]
    if lane_state[at.STIFF_COUNT + lane] >= STIFF_STEPS and left > STIFF_WORTH * work[at.H + lane]:
        return at.STIFF
    return RUNNING


@compiled()
def _fill(setup, rows, marks, work, lane_state, waiting):
    """Give idle lanes the next trajectories that run; how far the batch is taken, and how many lanes are fresh."""
    never_inline()
    fresh, active = 0, 0
    for lane in range(WIDTH):
        while lane_state[at.INDEX + lane] < 0 and waiting < len(rows):
            if marks[waiting, at.STATUS] == RUNNING:
                _load_lane(setup, rows, work, lane_state, lane, waiting)
                fresh += 1
                stop = setup[at.STOP]
                if stop >= 0 and not math.isnan(rows[waiting, at.ROW_EVENTS + stop]):
                    _unload_lane(rows, marks, work, lane_state, lane, STOPPED)
            waiting += 1
        i = lane_state[at.INDEX + lane]
        if i >= 0:
            active += 1
    return waiting, fresh, active


@compiled()
def _choose_steps(rows, work, lane_state):
    """The proposed step, or what is left; a last step a little longer than proposed rather than a tiny one after it."""
    for lane in range(WIDTH):
        i = lane_state[at.INDEX + lane]
        if i >= 0:
            left = rows[i, at.ROW_END] - work[at.TIME + lane]
            proposal = work[at.PROPOSAL + lane]
            work[at.H + lane] = left if left <= 1.01 * proposal else proposal


@compiled()
def _begin(setup, quadrature, tables, rows, marks, control, work, lane_state):
    """Fill idle lanes and choose the steps; the number of lanes that have one to take."""
    never_inline()
    if control[at.CANCEL] != 0:
        return 0
    waiting, fresh, active = _fill(setup, rows, marks, work, lane_state, control[at.WAITING])
    control[at.WAITING] = waiting
    if fresh > 0:
        _first_steps(setup, quadrature, tables, marks, work, lane_state)
    _choose_steps(rows, work, lane_state)
    return active


@compiled()
def _judge_all(setup, sample_times, rows, marks, record, work, lane_state):
    """Accept or reject every lane's step; whether any wants the dense output."""
    never_inline()
    densely = len(record) > 0
    for lane in range(WIDTH):
        if lane_state[at.INDEX + lane] >= 0:
            status = _judge(setup, sample_times, rows, marks, work, lane_state, lane)
            if status != RUNNING:
                _unload_lane(rows, marks, work, lane_state, lane, status)
            elif lane_state[at.ACCEPTED + lane] == 1 and lane_state[at.DENSELY + lane] == 1:
                densely = True
    return densely


@compiled()
def _finish_all(setup, sample_times, rows, marks, samples, record, control, work, lane_state):
    """Finish every accepted step; lanes whose trajectory ended become idle."""
    never_inline()
    for lane in range(WIDTH):
        if lane_state[at.INDEX + lane] >= 0 and lane_state[at.ACCEPTED + lane] == 1:
            status = _finish(setup, sample_times, rows, marks, samples, record, control, work, lane_state, lane)
            if status != RUNNING:
                _unload_lane(rows, marks, work, lane_state, lane, status)


@compiled()
def _release(rows, marks, work, lane_state):
    """Write back what an interruption leaves under way."""
    for lane in range(WIDTH):
        if lane_state[at.INDEX + lane] >= 0:
            _unload_lane(rows, marks, work, lane_state, lane, RUNNING)


@compiled(cache=True, nogil=True)
def advance_explicit(setup, quadrature, tables, sample_times, rows, marks, samples, record, control, work, lane_state):
    """Advance every trajectory that is RUNNING until it has another status; ``control[CANCEL]`` ends the call."""
    control[at.WAITING] = 0
    while _begin(setup, quadrature, tables, rows, marks, control, work, lane_state) > 0:
        explicit_step(setup, quadrature, tables, work)
        store(work, at.FACTOR, inverse_eighth_root(load(work, at.ERROR)))
        if _judge_all(setup, sample_times, rows, marks, record, work, lane_state):
            explicit_dense(setup, quadrature, tables, work)
        _finish_all(setup, sample_times, rows, marks, samples, record, control, work, lane_state)
    _release(rows, marks, work, lane_state)


@compiled(cache=True, nogil=True)
def advance_implicit(setup, quadrature, tables, sample_times, rows, marks, samples, record, control, work, lane_state):
    """The same with the Rosenbrock method; apart, so that it is compiled only where something is stiff."""
    control[at.WAITING] = 0
    while _begin(setup, quadrature, tables, rows, marks, control, work, lane_state) > 0:
        rosenbrock_step(setup, quadrature, tables, work)
        store(work, at.FACTOR, inverse_fifth_root(load(work, at.ERROR)))
        _judge_all(setup, sample_times, rows, marks, record, work, lane_state)
        _finish_all(setup, sample_times, rows, marks, samples, record, control, work, lane_state)
    _release(rows, marks, work, lane_state)
