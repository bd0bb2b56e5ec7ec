"""The numbers of :mod:`.philox` in PyTorch's own operations: on any device, and inside a recorded CUDA graph.

The words of a counter are the same integers everywhere, so a network is shown the same normals on every device but for
the rounding of logarithm, sine and cosine. A step may be a tensor on the device: then nothing is read back by the host,
and one recorded graph serves every step.

Eagerly the rounds are some 120 small kernels; on CUDA ``torch.compile`` makes one of them, where it can.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .philox import COUNTERS_AT_ONCE

# As in :mod:`.philox`. Words are kept in int64, whose products wrap as those of uint64 do.
_M0, _M1, _W0, _W1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85
_ROUNDS, _LOW = 10, 0xFFFFFFFF
#: Counters in a row that need no compiling: a few thousand cost the launches of the kernels, whoever wrote them.
_WORTH_COMPILING = 2**16


def keys_on(keys: NDArray[np.uint64], device: torch.device) -> Tensor:
    """Keys of 64 bits as int64 (S,), bit for bit."""
    return torch.from_numpy(keys.view(np.int64).copy()).to(device)


def words(keys: Tensor, step: int | Tensor, stream: int, size: int, counters: int) -> list[Tensor]:
    """The four words, each int64 (S, size, counters), of the counters (i, sequence, ``stream``, ``step``)."""
    shape = (len(keys), size, counters)
    a = torch.arange(counters, device=keys.device).view(1, 1, -1).expand(shape)
    b = torch.arange(size, device=keys.device).view(1, -1, 1).expand(shape)
    c = torch.full((1, 1, 1), stream, dtype=torch.int64, device=keys.device).expand(shape)
    d = torch.zeros((1, 1, 1), dtype=torch.int64, device=keys.device).add(step).expand(shape)
    low, high = (part.view(-1, 1, 1) for part in (keys & _LOW, (keys >> 32) & _LOW))
    for i in range(_ROUNDS):
        p, q = a * _M0, c * _M1
        # an arithmetic shift copies the sign, which the mask takes away
        a, c = ((q >> 32) & _LOW) ^ b ^ ((low + i * _W0) & _LOW), ((p >> 32) & _LOW) ^ d ^ ((high + i * _W1) & _LOW)
        b, d = q & _LOW, p & _LOW
    return [a, b, c, d]


def _uniforms(keys: Tensor, step: int | Tensor, stream: int, size: int, count: int) -> Tensor:
    drawn = torch.stack(words(keys, step, stream, size, -(-count // 4)), -1).flatten(2)[..., :count]
    return drawn.double().add(0.5).mul(2.0**-32)


def _normals(keys: Tensor, step: int | Tensor, stream: int, size: int, count: int) -> Tensor:
    blocks = -(-count // (4 * COUNTERS_AT_ONCE))
    a, b, c, d = words(keys, step, stream, size, blocks * COUNTERS_AT_ONCE)
    drawn = [number.unflatten(-1, (blocks, -1)) for pair in ((a, b), (c, d)) for number in _box_muller(*pair)]
    return torch.stack(drawn, -2).flatten(2)[..., :count]


def _box_muller(radial: Tensor, angular: Tensor) -> tuple[Tensor, Tensor]:
    """Two normals, float32: r² = −2 ln u from one word, the angle from the other."""
    u = radial.float().add(0.5).mul(2.0**-32)
    # the lowest bit turns the angle by π, all of them place it in [−π/2, π/2)
    radius = (-2.0 * u.log()).sqrt() * (2 * (angular & 1) - 1)
    angle = (angular - ((angular >> 31) << 32)).float() * (math.pi / 2**32)
    return radius * angle.cos(), radius * angle.sin()


def uniforms(keys: Tensor, step: int | Tensor, stream: int, size: int, count: int) -> Tensor:
    """Float64 numbers in (0, 1), (S, size, count), in steps of 2⁻³²; arguments as those of :func:`normals`."""
    return _fitting(_uniforms, keys, size * count)(keys, step, stream, size, count)


def normals(keys: Tensor, step: int | Tensor, stream: int, size: int, count: int, scale: float = 1.0) -> Tensor:
    """Float32 numbers N(0, scale²), (S, size, count): those of :func:`.philox.normals`, up to rounding.

    ``keys`` is int64 (S,) on the device that shall hold them, ``step`` a number or an int64 tensor without axes there.
    """
    return _fitting(_normals, keys, size * count)(keys, step, stream, size, count).mul(scale).contiguous()


def _fitting(function: Callable[..., Tensor], keys: Tensor, count: int) -> Callable[..., Tensor]:
    """The function, or where it pays its compiled form."""
    large = len(keys) * count >= 4 * _WORTH_COMPILING
    return _compiled(function) if keys.device.type == "cuda" and large else function


@cache
def _compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The compiled function; where PyTorch finds no compiler, the function itself, with one warning."""
    chosen: list[Callable[..., Tensor]] = [torch.compile(function, dynamic=True)]

    def call(*arguments: Any) -> Tensor:
        try:
            return chosen[0](*arguments)
        except Exception as error:  # a compiler fails in ways of its own: Triton, the C compiler, their caches
            if chosen[0] is function or torch.cuda.is_current_stream_capturing():
                raise
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            warnings.warn(f"random numbers are drawn uncompiled, which is slower: {first}", stacklevel=2)
            chosen[0] = function
            return function(*arguments)

    return call
