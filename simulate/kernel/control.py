"""What follows every step, for all lanes at once: accept or refuse, the next step size, reasons to stop.

A lane never reads another lane, so the result of a trajectory is the same to the last bit in any company.
"""

import math

from . import layout as at
from .elementary import exp, log
from .field import BETA_MAX
from .layout import ACQUIRED, LOST, MEMORISED
from .memory import MARGIN_MAX
from .simd import (
    WIDTH,
    at_most,
    compiled,
    larger,
    less,
    load,
    magnitude,
    never_inline,
    select,
    smaller,
    some,
    splat,
    square_root,
    store,
)

#: |w| beyond which the field's clips would show.
WEIGHT_MAX = 250.0
#: Bounds on the change of a step size, and the safety factor (Hairer, Nørsett, Wanner, section II.4).
SHRINK_MIN, GROWTH_MAX, SAFETY = 0.2, 10.0, 0.9
#: Bound on growth after the first step, when nothing is known yet of where sizes go.
GROWTH_FIRST = 2.0
#: |h λ| from which on a step counts as limited by stability rather than accuracy. The stability interval ends at 6.1;
#: where stability limits the steps, the error estimate refuses a quarter of them and holds |h λ| between 3.2 and 5.6.
STABILITY_EDGE = 3.2
#: Fewer remaining steps than this are taken explicitly, stiff or not.
STIFF_WORTH = 8.0
#: A step in which w or β moves by more than this is short for the sake of accuracy, whatever |h λ|: the field changes
#: by orders of magnitude on the scale of 1.
STIFF_MOVE = 1.0
#: What the estimate must stay below (1 otherwise) in a step that is read inside, for an event or an output time: the
#: dense output is of one order less than the solution.
INTERIOR = 0.1


@compiled()
def choose_steps(work):
    """The proposed step, or what is left; a last step a little longer than proposed rather than a tiny one after it."""
    never_inline()
    left, proposal = load(work, at.END) - load(work, at.TIME), load(work, at.PROPOSAL)
    store(work, at.H, load(work, at.ACTIVE) * select(at_most(left, proposal * 1.01), left, proposal))


@compiled()
def _read_inside(work):
    """Masks of lanes in whose step an event happens for certain, and in which one may pass or an output time lies."""
    w, beta, memory = load(work, at.NEW_Y), load(work, at.NEW_Y + WIDTH), load(work, at.NEW_Y + 2 * WIDTH)
    above = smaller(beta - load(work, at.LEVEL_ACQUIRED * WIDTH), w)
    below = smaller(beta - load(work, at.LEVEL_LOST * WIDTH), w) * -1.0
    acquired = less(load(work, at.WATCH + ACQUIRED * WIDTH), above)
    lost = less(load(work, at.WATCH + LOST * WIDTH), below)
    memorised = less(load(work, at.WATCH + MEMORISED * WIDTH), memory - load(work, at.LEVEL_MEMORISED * WIDTH))
    sampled = at_most(load(work, at.NEXT_SAMPLE), load(work, at.UNTIL))
    passed = larger(_passed(work, ACQUIRED, at.LEVEL_ACQUIRED, 1.0), _passed(work, LOST, at.LEVEL_LOST, -1.0))
    return larger(larger(acquired, lost), memorised), larger(passed, sampled)


@compiled()
def _passed(work, event, level, sign):
    """Mask of lanes in which an event may begin and end within the step: see :func:`passing` in ``_events``."""
    beta = _may_pass(work, WIDTH, load(work, level * WIDTH), sign)
    either = larger(beta, _may_pass(work, 0, splat(0.0), sign))
    return smaller(either, less(load(work, at.WATCH + event * WIDTH), splat(math.inf)))


@compiled()
def _may_pass(work, base, level, sign):
    """Mask of lanes whose component is beyond a level at neither end of the step, but drawn there by both rates."""
    step = load(work, at.H) * sign
    start, end = (load(work, at.Y + base) - level) * sign, (load(work, at.NEW_Y + base) - level) * sign
    ahead = start + step * load(work, at.RATES + base)
    behind = end - step * load(work, at.RATES + at.END_RATES + base)
    return smaller(at_most(larger(start, end), splat(0.0)), less(splat(0.0), smaller(ahead, behind)))


@compiled()
def judge(setup, work):
    """Accept or refuse every lane's step and propose the next; whether an accepted one is read inside."""
    never_inline()
    step, end, error = load(work, at.H), load(work, at.END), load(work, at.ERROR)
    until = load(work, at.TIME) + step
    store(work, at.UNTIL, select(less(until, end - magnitude(end) * 1e-15), until, end))
    certain, perhaps = _read_inside(work)
    inside = larger(certain, perhaps)
    limit = select(inside, splat(INTERIOR * INTERIOR), splat(1.0))
    accepted = smaller(at_most(error, limit), load(work, at.ACTIVE))
    excess = smaller(larger(select(accepted, error, error / limit), splat(1e-30)), splat(1e30))
    excess = select(at_most(error, splat(1e30)), excess, splat(1e30))  # an error that is not a number is no small one
    if setup[at.METHOD] == at.EXPLICIT:
        factor = SAFETY / square_root(square_root(square_root(square_root(excess))))
    else:
        factor = SAFETY * exp(log(excess) * -0.1)
    ideal, last = step * factor, load(work, at.IDEAL)
    known = less(splat(0.0), last)
    trend = smaller(select(smaller(accepted, known), ideal / last, splat(1.0)), splat(1.0))
    most = select(known, splat(GROWTH_MAX), splat(GROWTH_FIRST))
    most = select(load(work, at.REFUSED), splat(SAFETY), most)
    store(work, at.IDEAL, select(accepted, ideal, last))
    store(work, at.PROPOSAL, step * smaller(larger(factor * trend, splat(SHRINK_MIN)), most))
    store(work, at.ACCEPTED, accepted)
    store(work, at.REFUSED, load(work, at.ACTIVE) - accepted)
    inside = smaller(inside, accepted)
    store(work, at.DENSELY, inside)
    store(work, at.CERTAIN, inside - smaller(inside, perhaps))
    return some(inside)


@compiled()
def commit(setup, work):
    """The end of an accepted step becomes the start of the next, its rates included; whether any trajectory ends."""
    never_inline()
    accepted, refused, active = load(work, at.ACCEPTED), load(work, at.REFUSED), load(work, at.ACTIVE)
    for base in range(0, setup[at.USED] * WIDTH, WIDTH):
        store(work, at.Y + base, select(accepted, load(work, at.NEW_Y + base), load(work, at.Y + base)))
        rates = load(work, at.RATES + at.END_RATES + base)
        store(work, at.RATES + base, select(accepted, rates, load(work, at.RATES + base)))
    time, proposal = select(accepted, load(work, at.UNTIL), load(work, at.TIME)), load(work, at.PROPOSAL)
    tried = load(work, at.TRIED) + active
    store(work, at.TIME, time)
    store(work, at.TRIED, tried)
    store(work, at.TAKEN, load(work, at.TAKEN) + accepted)
    tiny = at_most(proposal, larger(magnitude(time) * 4e-16, splat(1e-290)))
    ends = larger(at_most(load(work, at.END), time), load(work, at.STOPPING))
    outside = 1.0 - _in_range(setup, work)
    store(work, at.OUTSIDE, outside)
    ends = larger(ends, larger(outside, at_most(load(work, at.STEPS_LEFT), tried)))
    ends = larger(ends, larger(smaller(tiny, refused), _turns_stiff(setup, work, time)))
    ends = smaller(ends, active)
    store(work, at.ENDING, ends)
    return some(ends)


@compiled()
def _in_range(setup, work):
    """Mask of lanes whose state is one that the field represents."""
    w, beta, memory = magnitude(load(work, at.Y)), magnitude(load(work, at.Y + WIDTH)), load(work, at.Y + 2 * WIDTH)
    inside = smaller(at_most(w, splat(WEIGHT_MAX)), at_most(beta, splat(BETA_MAX)))
    if setup[at.KIND] == at.POWER_LAW:
        inside = smaller(inside, at_most(memory, splat(MARGIN_MAX)))
    return inside


@compiled()
def _turns_stiff(setup, work, time):
    """Mask of lanes whose accepted step was at the edge of stability, with many more to go."""
    if setup[at.METHOD] != at.EXPLICIT or setup[at.SWITCH] == 0:
        return splat(0.0)
    at_edge = less(splat(STABILITY_EDGE * STABILITY_EDGE), load(work, at.STIFFNESS))
    step = load(work, at.H)
    worth = less(step * STIFF_WORTH, load(work, at.END) - time)
    pace = larger(magnitude(load(work, at.RATES)), magnitude(load(work, at.RATES + WIDTH)))
    slow = less(step * pace, splat(STIFF_MOVE))
    return smaller(smaller(at_edge, smaller(worth, slow)), load(work, at.ACCEPTED))
