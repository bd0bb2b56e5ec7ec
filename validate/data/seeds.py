"""Every random number of a run is a pure function of (seed, purpose, step)."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream of random numbers is for; streams of different purposes are independent."""

    ITEMS = 0
    INITIALISATION = 1
    BATCH = 2
    ICL_TEST = 3
    IWL_TEST = 4
    BOOTSTRAP = 5
    FRESH = 6


def derive_seed(seed: int, purpose: Purpose, step: int = 0) -> int:
    """A 63-bit seed for ``purpose`` at ``step`` of the run with ``seed`` (``numpy.random.SeedSequence`` spawning)."""
    state = np.random.SeedSequence(seed, spawn_key=(int(purpose), step)).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))
