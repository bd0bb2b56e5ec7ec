"""Load trajectories into lanes and write them back. This happens once a trajectory, so it is done lane by lane."""

import math
from functools import lru_cache
from typing import Any

from ...theory.numerics.rodas5p import STAGES as ROSENBROCK_STAGES
from . import layout as at
from .dop853 import STAGES
from .events import event_value
from .layout import ACQUIRED, BLOCK, EVENTS, LOST, MEMORISED, NO_MEMORY, RUNNING, STOPPED
from .simd import (
    WIDTH,
    compiled,
    compiled_for,
    greater,
    larger,
    less,
    load,
    magnitude,
    never_inline,
    select,
    splat,
    square_root,
    store,
    whole,
)

#: What an event's function must exceed to happen, at least, and in units of the absolute tolerance: a state near 0 is
#: known no better, and a millionth in w or β is nothing that could be measured.
RESOLUTION, NOISE = 1e-6, 10.0


@compiled()
def arm(setup, rows, work, lane, i):
    """Have the lane watch for the events that may happen next: each once, a loss only after an acquisition.

    An event's function has to exceed what the tolerance leaves of a state near 0, lest it happen in rounding noise. At
    a level of −∞ nothing is ever lost; there w, whose rate at 0 is positive, could fall below 0 by rounding alone.
    """
    never_inline()
    noise = greater(RESOLUTION, NOISE * work[at.ATOL + lane])
    for event in range(EVENTS):
        open_ = math.isnan(rows[i, at.ROW_EVENTS + event])
        if event == LOST:
            open_ = open_ and not math.isnan(rows[i, at.ROW_EVENTS + ACQUIRED])
            open_ = open_ and work[at.LEVEL_LOST * WIDTH + lane] > -math.inf
        if event == MEMORISED:
            open_ = open_ and setup[at.KIND] != NO_MEMORY
        work[at.WATCH + event * WIDTH + lane] = noise if open_ else math.inf


@compiled()
def _fetch(rows, work, lane, i):
    """State and parameters of trajectory ``i`` into ``lane``."""
    never_inline()
    for component in range(at.COMPONENTS):
        work[at.Y + component * WIDTH + lane] = rows[i, component]
    for parameter in range(at.PARAMETERS):
        work[parameter * WIDTH + lane] = rows[i, at.ROW_PARAMETERS + parameter]
    work[at.PROPOSAL + lane], work[at.IDEAL + lane] = rows[i, at.ROW_STEP], rows[i, at.ROW_IDEAL]


@compiled()
def _holds_from_start(work, lane, event):
    """Whether an event's condition holds at the start or, where w starts at 0 and rises, right after it."""
    if event_value(work, at.Y, lane, event) > 0.0:
        return True
    above = work[at.Y + WIDTH + lane] > work[at.LEVEL_ACQUIRED * WIDTH + lane]
    return event == ACQUIRED and above and work[at.Y + lane] == 0.0 and work[at.RATES + lane] > 0.0


@compiled()
def _load_lane(setup, sample_times, rows, marks, work, held, lane, i):
    """Put trajectory ``i`` into ``lane``; events that hold from the start happen at the start."""
    never_inline()
    held[lane] = i
    _fetch(rows, work, lane, i)
    for cleared in range(at.ACTIVE, at.WATCH, WIDTH):
        work[cleared + lane] = 0.0
    for component in range(at.COMPONENTS):
        work[at.RATES + component * WIDTH + lane] = rows[i, at.ROW_RATES + component]
    work[at.TIME + lane], work[at.END + lane], work[at.ACTIVE + lane] = rows[i, at.ROW_TIME], rows[i, at.ROW_END], 1.0
    work[at.STEPS_LEFT + lane] = setup[at.MAX_STEPS] - marks[i, at.ACCEPTED_STEPS] - marks[i, at.REJECTED_STEPS]
    sample = marks[i, at.SAMPLED]
    work[at.NEXT_SAMPLE + lane] = sample_times[sample] if sample < len(sample_times) else math.inf
    arm(setup, rows, work, lane, i)
    fresh = marks[i, at.ACCEPTED_STEPS] == 0  # one that goes on after a change of method has been watched all along
    for event in range(EVENTS):
        watched = fresh and event != LOST and work[at.WATCH + event * WIDTH + lane] < math.inf
        if watched and _holds_from_start(work, lane, event):
            rows[i, at.ROW_EVENTS + event] = rows[i, at.ROW_TIME]
            for component in range(at.COMPONENTS):
                rows[i, at.ROW_EVENT_STATES + event * at.COMPONENTS + component] = rows[i, component]
    arm(setup, rows, work, lane, i)


@compiled()
def unload_lane(setup, rows, marks, work, held, lane, status):
    """Write the lane back and leave it idle: steps of size 0 from where it stands, which nobody looks at."""
    never_inline()
    i = held[lane]
    for component in range(at.COMPONENTS):
        rows[i, component] = work[at.Y + component * WIDTH + lane]
    rows[i, at.ROW_TIME], rows[i, at.ROW_STEP] = work[at.TIME + lane], work[at.PROPOSAL + lane]
    rows[i, at.ROW_IDEAL] = work[at.IDEAL + lane]
    tried, taken = whole(work[at.TRIED + lane]), whole(work[at.TAKEN + lane])
    marks[i, at.STATUS] = status
    marks[i, at.ACCEPTED_STEPS] += taken
    marks[i, at.REJECTED_STEPS] += tried - taken
    # the implicit step differentiates once, which costs about as much as an evaluation
    marks[i, at.EVALUATIONS] += tried * (STAGES if setup[at.METHOD] == at.EXPLICIT else ROSENBROCK_STAGES + 1)
    held[lane] = -1
    work[at.ACTIVE + lane], work[at.H + lane] = 0.0, 0.0


@compiled()
def refill(setup, sample_times, rows, marks, control, work, held):
    """Give idle lanes the next trajectories that run; the number of lanes that have one."""
    never_inline()
    waiting, active = control[at.WAITING], 0
    for lane in range(WIDTH):
        while held[lane] < 0 and waiting < len(rows):
            if marks[waiting, at.STATUS] == RUNNING:
                _load_lane(setup, sample_times, rows, marks, work, held, lane, waiting)
                stop = setup[at.STOP]
                if stop >= 0 and not math.isnan(rows[waiting, at.ROW_EVENTS + stop]):
                    unload_lane(setup, rows, marks, work, held, lane, STOPPED)
            waiting += 1
        if held[lane] >= 0:
            active += 1
    control[at.WAITING] = waiting
    return active


@lru_cache
def prepare_of(field: Any) -> Any:
    """What starts trajectories along ``field``."""
    first_steps = _first_steps_of(field)

    @compiled_for(field)
    def prepare(setup, quadrature, tables, rows, marks, work, held):
        """Rates and first steps of all trajectories that run, a vector of them at a time."""
        never_inline()
        lane = 0
        for i in range(len(rows)):
            if marks[i, at.STATUS] == RUNNING:
                _fetch(rows, work, lane, i)
                held[lane] = i
                lane += 1
            if lane == WIDTH or (lane > 0 and i == len(rows) - 1):
                first_steps(setup, quadrature, tables, work)
                for other in range(lane):
                    row = held[other]
                    rows[row, at.ROW_STEP] = work[at.PROPOSAL + other]
                    for component in range(at.COMPONENTS):
                        rows[row, at.ROW_RATES + component] = work[at.RATES + component * WIDTH + other]
                    marks[row, at.EVALUATIONS] += 2
                    held[other] = -1
                lane = 0

    return prepare


@lru_cache
def _first_steps_of(field: Any) -> Any:
    """First rates and steps along ``field``."""

    @compiled_for(field)
    def first_steps(setup, quadrature, tables, work):
        """Rates in every lane, and a first step: tol^{1/8} times the time in which the state moves by 1.

        The pace is the larger of |f| and √|f′ f|, the latter from a probe 1e-3 away; the clock is no part of the state.
        A trajectory that goes on where another call left it has its step already.
        """
        never_inline()
        field(setup, quadrature, tables, work, at.Y, at.RATES)
        rate_w, rate_beta = load(work, at.RATES), load(work, at.RATES + WIDTH)
        speed = larger(larger(magnitude(rate_w), magnitude(rate_beta)), splat(1e-300))
        probe = 1e-3 / speed
        store(work, at.STAGE_Y, load(work, at.Y) + probe * rate_w)
        store(work, at.STAGE_Y + WIDTH, load(work, at.Y + WIDTH) + probe * rate_beta)
        for base in range(2 * WIDTH, BLOCK, WIDTH):
            store(work, at.STAGE_Y + base, load(work, at.Y + base))
        field(setup, quadrature, tables, work, at.STAGE_Y, at.RATES + BLOCK)
        turn_w = magnitude(load(work, at.RATES + BLOCK) - rate_w)
        turn_beta = magnitude(load(work, at.RATES + BLOCK + WIDTH) - rate_beta)
        pace = larger(larger(speed, square_root(larger(turn_w, turn_beta) / probe)), splat(1e-12))
        root = square_root(square_root(square_root(larger(load(work, at.RTOL), load(work, at.ATOL)))))
        proposal = load(work, at.PROPOSAL)
        store(work, at.PROPOSAL, select(less(splat(0.0), proposal), proposal, root / pace))

    return first_steps
