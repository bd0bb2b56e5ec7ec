"""Normal numbers from a counter: what a network sees at a step is a function of its key and the step, drawn fast (CPU).

Philox4x32-10 (Salmon, Moraes, Dror & Shaw, SC 2011) turns a counter (block, sequence, stream, step) under a key of 64
bits into four words; two words give two normals by Box and Muller's transform. No state is carried along, so cores and
vector lanes share the work and nothing depends on how. All is written so that LLVM vectorises every loop over lanes:
logarithm, sine and cosine are their Taylor series.

A radius comes from 32 bits, u = (x + 1/2)/2³², so |normal| < √(2·33·ln 2) = 6.8; beyond lies a mass of 1e-11.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from ...simulate.kernel.cache import compiled_and_kept

Array = NDArray[Any]

# Multipliers and key increments of the published generator.
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10
_WORD, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
#: Counters that are turned at once: whole vector registers, and few enough to stay in the first cache.
COUNTERS_AT_ONCE = 64

# Sums may be contracted and reordered; the generator's integers do not care.
_intrinsic: Any = intrinsic  # callers see the numba signature, not the Python one
_OPTIONS = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}}
_compiled: Callable[..., Any] = compiled_and_kept(Path(__file__), **_OPTIONS)


def _taylor(*coefficients: float) -> tuple[np.float32, ...]:
    return tuple(np.float32(c) for c in coefficients)


# ln m/x in x = (m − 1)/(m + 1), cos a and sin a/a, in powers of x² and a²: the first omitted term is below 1e-9, 1e-8
# and 4e-8 of the value's range.
_ARTANH = _taylor(*(2 / (2 * i + 1) for i in range(5)))
_COSINE = _taylor(*((-1) ** i / math.factorial(2 * i) for i in range(7)))
_SINE = _taylor(*((-1) ** i / math.factorial(2 * i + 1) for i in range(6)))
_LN2, _ANGLE, _ROOT_HALF = np.float32(math.log(2.0)), np.float32(math.pi / 2**32), np.int32(0x3F3504F3)


@_compiled
def turn(key: Any, sequence: Any, stream: Any, step: Any, first: Any, words: Array) -> None:
    """Words of the counters (first + lane, sequence, stream, step) into ``words`` (4, lanes), uint32."""
    low, high = key & _LOW, key >> _WORD
    for lane in range(words.shape[1]):
        a, b, c, d = first + np.uint64(lane), sequence, stream, step
        k0, k1 = low, high
        for _ in range(_ROUNDS):
            p, q = (a & _LOW) * _M0, (c & _LOW) * _M1
            a, b, c, d = (q >> _WORD) ^ b ^ k0, q & _LOW, (p >> _WORD) ^ d ^ k1, p & _LOW
            k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        words[0, lane], words[1, lane] = np.uint32(a), np.uint32(b)
        words[2, lane], words[3, lane] = np.uint32(c), np.uint32(d)


@_compiled
def _even(square: Any, coefficients: Any) -> Any:
    """Σ_i c_i square^i."""
    total = coefficients[-1]
    for i in range(len(coefficients) - 2, -1, -1):
        total = total * square + coefficients[i]
    return total


@_intrinsic
def bits_of(context: Any, value: Any) -> Any:
    """The float32's bits as an int32."""
    return types.int32(value), lambda _c, builder, _s, given: builder.bitcast(given[0], ir.IntType(32))


@_intrinsic
def number_of(context: Any, bits: Any) -> Any:
    """The float32 with these bits (int32)."""
    return types.float32(bits), lambda _c, builder, _s, given: builder.bitcast(given[0], ir.FloatType())


@_compiled
def _box_muller(radial: Array, angular: Array, scale: Any, first: Array, second: Array) -> None:
    """Two normals times ``scale`` from a word for the radius, r² = −2 ln u, and one for the angle."""
    unity, half = np.float32(1.0), np.float32(0.5)
    for lane in range(len(radial)):
        u = (np.float32(radial[lane]) + half) * np.float32(2.0**-32)
        # u = m 2^e with m in [√½, √2), and ln m = 2 artanh((m − 1)/(m + 1)), whose series has |x| < 0.172.
        bits = bits_of(u)
        e = np.int32(np.int32(bits - _ROOT_HALF) >> np.int32(23))
        m = number_of(np.int32(bits - np.int32(e << np.int32(23))))
        x = (m - unity) / (m + unity)
        logarithm = np.float32(e) * _LN2 + x * _even(x * x, _ARTANH)
        radius = scale * np.float32(math.sqrt(np.float32(-2.0) * logarithm))
        # The lowest bit turns the angle by π, all of them place it in [−π/2, π/2).
        radius = radius if angular[lane] & np.uint32(1) else -radius
        angle = np.float32(np.int32(angular[lane])) * _ANGLE
        first[lane] = radius * _even(angle * angle, _COSINE)
        second[lane] = radius * angle * _even(angle * angle, _SINE)


@compiled_and_kept(Path(__file__), parallel=True, nogil=True, **_OPTIONS)
def normals(keys: Array, step: int, stream: int, size: int, count: int, scale: float) -> Array:
    """Float32 numbers N(0, scale²), (S, size, count): ``count`` for each of ``size`` sequences of every network.

    A sequence's numbers depend on its network's key (uint64), its place in the batch, ``stream`` and ``step`` alone.
    """
    out = np.empty((len(keys), size, count), np.float32)
    width = np.float32(scale)
    for task in prange(len(keys) * size):
        s, q = task // size, task % size
        words = np.empty((4, COUNTERS_AT_ONCE), np.uint32)
        drawn = np.empty((4, COUNTERS_AT_ONCE), np.float32)
        flat = drawn.reshape(-1)
        for start in range(0, count, len(flat)):
            turn(keys[s], np.uint64(q), np.uint64(stream), np.uint64(step), np.uint64(start // 4), words)
            _box_muller(words[0], words[1], width, drawn[0], drawn[1])
            _box_muller(words[2], words[3], width, drawn[2], drawn[3])
            # A slice: whether out[s, q, start + i] counts from the end would be asked for every i, in no vector.
            piece = out[s, q, start : start + len(flat)]
            for i in range(len(piece)):
                piece[i] = flat[i]
    return out
