"""Where the kernel keeps its numbers: flat arrays, which numba compiles several times faster than records.

``work`` (float64, one a thread) holds blocks of lanes; ``rows`` (float64) and ``marks`` (int64) hold a line for each
trajectory, read and written in place, so that a call can take up where another left off.
"""

import numpy as np

from .simd import WIDTH

#: Components of the state: w, β, memory (margin φ or clock J), clock I_K. Without a memory only the first two are used.
W, BETA, MEMORY, CLOCK = range(4)
COMPONENTS = 4
#: Distance between two blocks that hold a state.
BLOCK = COMPONENTS * WIDTH

#: Parameters of a trajectory.
COPIES, OTHERS, PRESENT, HALF_INVERSE_DIMENSION, LABEL_MEAN, LABEL_DEVIATION = range(6)
DECAY_W, DECAY_BETA, MEMORY_RATE, INVERSE_MARGIN_SCALE, GROWTH_EXPONENT, TABLE = range(6, 12)
LEVEL_ACQUIRED, LEVEL_LOST, LEVEL_MEMORISED = range(12, 15)
PARAMETERS = 15

#: Stages that a step may use (Dormand-Prince 8(5,3) with its dense output), and coefficients of the dense output.
STAGES_MAX, DENSE = 16, 7

# Offsets into ``work``.
Y = PARAMETERS * WIDTH
STAGE_Y, NEW_Y, RATES = Y + BLOCK, Y + 2 * BLOCK, Y + 3 * BLOCK
#: Rates at the end of a step, from ``RATES``.
END_RATES = 12 * BLOCK
DENSE_AT = RATES + STAGES_MAX * BLOCK
JACOBIAN = DENSE_AT + DENSE * BLOCK
SCALARS = JACOBIAN + COMPONENTS * BLOCK
H, TIME, END, UNTIL, PROPOSAL, ERROR, STIFFNESS, RTOL, ATOL = (SCALARS + k * WIDTH for k in range(9))
# Masks (0 or 1): the lane has a trajectory; its step is accepted, read inside, read inside for nothing but an event
# that surely happens, refused; it stops at an event inside the step, is out of range, ends for any reason.
ACTIVE, ACCEPTED, DENSELY, CERTAIN, REFUSED, STOPPING, OUTSIDE, ENDING = (SCALARS + k * WIDTH for k in range(9, 17))
# Counts since the lane was loaded, and what they may reach.
TAKEN, TRIED, STEPS_LEFT = (SCALARS + k * WIDTH for k in range(17, 20))
# What an event's function must exceed to happen now (0, or inf for one that cannot), and the next output time.
WATCH, NEXT_SAMPLE = SCALARS + 20 * WIDTH, SCALARS + 23 * WIDTH
#: The size at which the last accepted step would have met the tolerance; 0 before there was one.
IDEAL = SCALARS + 24 * WIDTH
#: Of each component the inverse of the unit that its error is measured in.
INVERSE_SCALE = SCALARS + 25 * WIDTH
SCRATCH = INVERSE_SCALE + BLOCK

# Columns of ``rows``.
ROW_TIME, ROW_END, ROW_STEP = COMPONENTS, COMPONENTS + 1, COMPONENTS + 2
ROW_EVENTS = COMPONENTS + 3
EVENTS = 3
ROW_EVENT_STATES = ROW_EVENTS + EVENTS
ROW_PARAMETERS = ROW_EVENT_STATES + EVENTS * COMPONENTS
ROW_RATES = ROW_PARAMETERS + PARAMETERS
ROW_IDEAL = ROW_RATES + COMPONENTS
ROW = ROW_IDEAL + 1

# Columns of ``marks``.
STATUS, EVALUATIONS, ACCEPTED_STEPS, REJECTED_STEPS, SAMPLED = range(5)
MARKS = 5

# ``setup`` (int64), what all trajectories of a call share, and ``control`` (int64).
KIND, USED, METHOD, STOP, MAX_STEPS, SWITCH = range(6)
CANCEL, RECORDED, WAITING, ASIDE = range(4)
CONTROLS = 4
#: Columns of a recorded step: time, size, state, dense output.
RECORD = 2 + COMPONENTS + DENSE * COMPONENTS

#: What the memory component is.
NO_MEMORY, POWER_LAW, MEASURED = range(3)
EXPLICIT, ROSENBROCK = range(2)

#: Events.
ACQUIRED, LOST, MEMORISED = range(3)

#: What became of a trajectory.
RUNNING, COMPLETED, STOPPED, STIFF, STEP_UNDERFLOW, TOO_MANY_STEPS, NOT_FINITE, OUT_OF_RANGE, PAUSED = range(9)


def workspace(quantiles: int, rtol: float, atol: float) -> tuple[np.ndarray, np.ndarray]:
    """``work`` of one thread with harmless numbers in every lane, and the trajectory of each lane (int64, −1: none)."""
    work = np.zeros(SCRATCH + 2 * (quantiles + 1) * WIDTH)
    for row in (COPIES, OTHERS, PRESENT):
        work[row * WIDTH : (row + 1) * WIDTH] = 1.0
    work[RTOL : RTOL + WIDTH], work[ATOL : ATOL + WIDTH] = rtol, atol
    return work, np.full(WIDTH, -1)
