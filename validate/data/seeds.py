"""Every random number of a run is a pure function of (seed, purpose, step)."""

from enum import IntEnum
from functools import lru_cache

import numpy as np

# Constants of numpy.random.SeedSequence, whose results are promised to stay (NEP 19).
_LOW = 0xFFFFFFFF
_INIT_A, _MULT_A, _INIT_B, _MULT_B = 0x43B0D7E5, 0x931E8875, 0x8B51F9DD, 0x58F38DED
_MIX_L, _MIX_R, _POOL = 0xCA01F9DD, 0x4973F715, 4


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
    """A 63-bit seed for ``purpose`` at ``step`` of the run with ``seed`` (``numpy.random.SeedSequence`` spawning).

    It is wanted at every step, and a ``SeedSequence`` takes as long as some matrix products of a small network: so the
    pool of (seed, purpose) is kept, and the last word, the step, is mixed into it here.
    """
    if step > _LOW:
        state = np.random.SeedSequence(seed, spawn_key=(int(purpose), step)).generate_state(1, np.uint64)[0]
        return int(state) >> 1
    pool, constant = _pool(seed, int(purpose))
    low, constant = _mixed(pool[0], step, constant)
    high, _ = _mixed(pool[1], step, constant)
    return (_drawn(high, _INIT_B * _MULT_B & _LOW) << 32 | _drawn(low, _INIT_B)) >> 1


@lru_cache(maxsize=4096)
def _pool(seed: int, purpose: int) -> tuple[list[int], int]:
    """The words that (seed, purpose) leave, and the constant that the next word is hashed with."""
    words = max(_POOL, -(-seed.bit_length() // 32)) + 1
    hashed = _POOL * words  # every word once into each of the pool's, but for the first four and their crossings
    constant = _INIT_A * pow(_MULT_A, hashed, 2**32) & _LOW
    return [int(word) for word in np.random.SeedSequence(seed, spawn_key=(purpose,)).pool], constant


def _mixed(word: int, entropy: int, constant: int) -> tuple[int, int]:
    """A word of the pool after one of the entropy, and the next constant."""
    following = constant * _MULT_A & _LOW
    hashed = (entropy ^ constant) * following & _LOW
    hashed ^= hashed >> 16
    mixed = (_MIX_L * word - _MIX_R * hashed) & _LOW
    return mixed ^ mixed >> 16, following


def _drawn(word: int, constant: int) -> int:
    """A word of the state."""
    value = (word ^ constant) * (constant * _MULT_B & _LOW) & _LOW
    return value ^ value >> 16
