"""Events of a trajectory, and where they happen: roots on the dense output of one step."""

from ._layout import (
    ACQUIRED,
    BLOCK,
    DENSE,
    DENSE_AT,
    LEVEL_ACQUIRED,
    LEVEL_LOST,
    LEVEL_MEMORISED,
    LOST,
    MEMORISED,
    NEW_Y,
    Y,
)
from ._simd import WIDTH, compiled, never_inline


@compiled()
def _value(work, lane, event, w, beta, memory):
    """Positive once ICL accuracy exceeds its level (β above the level's and w > 0), or memory its own."""
    if event == MEMORISED:
        return memory - work[LEVEL_MEMORISED * WIDTH + lane]
    row = LEVEL_ACQUIRED if event == ACQUIRED else LEVEL_LOST
    return min(beta - work[row * WIDTH + lane], w)


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
def locate(work, lane, event):
    """Fraction of the step at which the event's function changes sign: the Illinois variant of false position."""
    never_inline()
    left, right = 0.0, 1.0
    at_left, at_right = event_value(work, Y, lane, event), event_value(work, NEW_Y, lane, event)
    if event == LOST and at_left == 0.0:  # acquired at the start as w rises from 0: β alone says how far the level is
        at_left = work[Y + WIDTH + lane] - work[LEVEL_LOST * WIDTH + lane]
    if at_left == 0.0 or (at_left > 0.0) == (at_right > 0.0):  # it holds from the start of the step
        return 0.0
    side = 0
    for _ in range(100):
        share = (left * at_right - right * at_left) / (at_right - at_left)
        w, beta, memory = (
            interpolate(work, lane, 0, share),
            interpolate(work, lane, 1, share),
            interpolate(work, lane, 2, share),
        )
        value = _value(work, lane, event, w, beta, memory)
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
