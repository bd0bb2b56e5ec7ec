"""Where the kernel keeps its numbers: flat arrays, which numba compiles several times faster than records.

``work`` (float64, one a thread) holds blocks of lanes; ``rows`` (float64) and ``marks`` (int64) hold a line for each
trajectory, read and written in place, so that a call can take up where another left off.
"""

import numpy as np

from ._simd import WIDTH

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
DENSE_AT = RATES + STAGES_MAX * BLOCK
JACOBIAN = DENSE_AT + DENSE * BLOCK
SCALARS = JACOBIAN + COMPONENTS * BLOCK
H, TIME, PROPOSAL, ERROR, STIFFNESS, FACTOR, RTOL, ATOL = (SCALARS + k * WIDTH for k in range(8))
SCRATCH = SCALARS + 8 * WIDTH

# Columns of ``rows``.
ROW_TIME, ROW_END, ROW_STEP = COMPONENTS, COMPONENTS + 1, COMPONENTS + 2
ROW_EVENTS = COMPONENTS + 3
EVENTS = 3
ROW_EVENT_STATES = ROW_EVENTS + EVENTS
ROW_PARAMETERS = ROW_EVENT_STATES + EVENTS * COMPONENTS
ROW = ROW_PARAMETERS + PARAMETERS

# Columns of ``marks``.
STATUS, EVALUATIONS, ACCEPTED_STEPS, REJECTED_STEPS, SAMPLED = range(5)
MARKS = 5

# ``lane_state`` (int64): the trajectory of each lane, then flags.
INDEX, FRESH, ACCEPTED, REJECTED, DENSELY, STIFF_COUNT, SMOOTH_COUNT = (k * WIDTH for k in range(7))
LANE_STATE = 7 * WIDTH

# ``setup`` (int64), what all trajectories of a call share, and ``control`` (int64).
KIND, USED, METHOD, STOP, MAX_STEPS, SWITCH = range(6)
CANCEL, RECORDED, WAITING = range(3)
#: Columns of a recorded step: time, size, state, dense output.
RECORD = 2 + COMPONENTS + DENSE * COMPONENTS

#: What the memory component is.
NO_MEMORY, POWER_LAW, MEASURED = range(3)
EXPLICIT, ROSENBROCK = range(2)

#: Events.
ACQUIRED, LOST, MEMORISED = range(3)

#: What became of a trajectory.
RUNNING, COMPLETED, STOPPED, STIFF, STEP_UNDERFLOW, TOO_MANY_STEPS, NOT_FINITE, OUT_OF_RANGE, PAUSED = range(9)


#: Share of the tolerance given to one step's error. Errors add up and are amplified along the race: at a full share 2 %
#: of random models end above ten tolerances, at this one 0.2 % of fresh ones do, for 12 % more evaluations.
LOCAL_SHARE = 0.3


def workspace(quantiles: int, rtol: float, atol: float) -> tuple[np.ndarray, np.ndarray]:
    """``work`` and ``lane_state`` of one thread, with harmless numbers in every lane."""
    work = np.zeros(SCRATCH + (quantiles + 1) * WIDTH)
    for row in (COPIES, OTHERS, PRESENT):
        work[row * WIDTH : (row + 1) * WIDTH] = 1.0
    work[RTOL : RTOL + WIDTH], work[ATOL : ATOL + WIDTH] = LOCAL_SHARE * rtol, LOCAL_SHARE * atol
    lane_state = np.zeros(LANE_STATE, dtype=np.int64)
    lane_state[INDEX : INDEX + WIDTH] = -1
    return work, lane_state
