"""Events of a trajectory, and where they happen: roots on the dense output of one step."""

from .layout import (
    ACQUIRED,
    BLOCK,
    DENSE,
    DENSE_AT,
    END_RATES,
    LEVEL_ACQUIRED,
    LEVEL_LOST,
    LEVEL_MEMORISED,
    LOST,
    MEMORISED,
    NEW_Y,
    RATES,
    WATCH,
    H,
    Y,
)
from .simd import WIDTH, compiled, greater, lesser, never_inline

#: Samples of the dense output in which the extremum is looked for, and the golden section.
SAMPLES, GOLDEN = 16, 0.6180339887498949


@compiled()
def _value(work, lane, event, w, beta, memory):
    """Positive once ICL accuracy exceeds its level (β above the level's and w > 0), or memory its own."""
    if event == MEMORISED:
        return memory - work[LEVEL_MEMORISED * WIDTH + lane]
    row = LEVEL_ACQUIRED if event == ACQUIRED else LEVEL_LOST
    return lesser(beta - work[row * WIDTH + lane], w)


@compiled()
def event_value(work, block, lane, event):
    """The event's function at the lane's state in ``block``."""
    return _value(work, lane, event, work[block + lane], work[block + WIDTH + lane], work[block + 2 * WIDTH + lane])


@compiled()
def interpolate(work, lane, component, share):
    """y0 + x (F0 + (1 − x) (F1 + x (F2 + …))) at the fraction x of the step."""
    never_inline()
    at = component * WIDTH + lane
    total = 0.0
    for k in range(DENSE - 1, -1, -1):
        total = (total + work[DENSE_AT + k * BLOCK + at]) * (share if k % 2 == 0 else 1.0 - share)
    return total + work[Y + at]


@compiled()
def value_inside(work, lane, event, share):
    """The event's function at the fraction ``share`` of the step."""
    if event == MEMORISED:
        return _value(work, lane, event, 0.0, 0.0, interpolate(work, lane, 2, share))
    return _value(work, lane, event, interpolate(work, lane, 0, share), interpolate(work, lane, 1, share), 0.0)


@compiled()
def _may_pass(work, lane, component, level, sign):
    """Whether the component, below the level (times ``sign``) at both ends, is drawn above it by its rates there."""
    at = component * WIDTH + lane
    start, end = sign * (work[Y + at] - level), sign * (work[NEW_Y + at] - level)
    ahead = start + sign * work[H + lane] * work[RATES + at]
    behind = end - sign * work[H + lane] * work[RATES + END_RATES + at]
    return start <= 0.0 and end <= 0.0 and ahead > 0.0 and behind > 0.0


@compiled()
def passing(work, lane, event):
    """Fraction of the step at which an event that holds at neither end is most of all the case; −1 if it never is.

    The extremum of the dense output, where the rates at both ends point at one beyond the level: 16 samples, then
    golden sections about the best.
    """
    never_inline()
    if event == MEMORISED:  # the memory only grows
        return -1.0
    sign = -1.0 if event == LOST else 1.0
    level = work[(LEVEL_LOST if event == LOST else LEVEL_ACQUIRED) * WIDTH + lane]
    if not (_may_pass(work, lane, 1, level, sign) or _may_pass(work, lane, 0, 0.0, sign)):
        return -1.0
    best, most = 0.0, sign * value_inside(work, lane, event, 0.0)
    for k in range(1, SAMPLES + 1):
        value = sign * value_inside(work, lane, event, k / SAMPLES)
        if value > most:
            best, most = k / SAMPLES, value
    left, right = greater(best - 1.0 / SAMPLES, 0.0), lesser(best + 1.0 / SAMPLES, 1.0)
    for _ in range(40):
        lower, upper = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
        if sign * value_inside(work, lane, event, lower) > sign * value_inside(work, lane, event, upper):
            right = upper
        else:
            left = lower
    best = 0.5 * (left + right)
    return best if sign * value_inside(work, lane, event, best) > work[WATCH + event * WIDTH + lane] else -1.0


@compiled()
def _before(work, lane, event, at_start):
    """Fraction, 0 or below, at which an event began that is under way at the start of the step.

    It had not yet gone as far as counts when the step before ended. Secants follow the dense output backwards.
    """
    never_inline()
    if abs(at_start) > work[WATCH + event * WIDTH + lane]:
        return 0.0
    late, at_late, early = 0.0, at_start, -1e-3
    for _ in range(8):
        at_early = value_inside(work, lane, event, early)
        if at_early == at_late or abs(at_early) < 1e-15:
            break
        late, at_late, early = early, at_early, early - at_early * (early - late) / (at_early - at_late)
    return early if -1.0 < early < 0.0 else 0.0


@compiled()
def locate(work, lane, event, left, right):
    """Fraction of the step at which the event's function changes sign: the Illinois variant of false position.

    ``left`` and ``right`` are the fractions between which it does, 0 and 1 standing for the states themselves. What
    began before the step, too little to count by then, has a fraction below 0.
    """
    never_inline()
    at_left = event_value(work, Y, lane, event) if left == 0.0 else value_inside(work, lane, event, left)
    at_right = event_value(work, NEW_Y, lane, event) if right == 1.0 else value_inside(work, lane, event, right)
    if left == 0.0 and event == LOST and at_left == 0.0:
        # acquired at the start as w rises from 0: β alone says how far the level is
        at_left = work[Y + WIDTH + lane] - work[LEVEL_LOST * WIDTH + lane]
    if at_left == 0.0:
        return left
    if (at_left > 0.0) == (at_right > 0.0):  # it holds from the start of the step
        return _before(work, lane, event, at_left) if left == 0.0 else left
    side = 0
    for _ in range(100):
        share = (left * at_right - right * at_left) / (at_right - at_left)
        value = value_inside(work, lane, event, share)
        if (value > 0.0) == (at_right > 0.0):
            right, at_right = share, value
            at_left *= 0.5 if side == 1 else 1.0
            side = 1
        else:
            left, at_left = share, value
            at_right *= 0.5 if side == -1 else 1.0
            side = -1
        if right - left <= 4e-16 or abs(value) < 1e-15:
            return share
    return right
