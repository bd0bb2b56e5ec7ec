"""The random numbers of S networks, each from its own seed, whatever is trained beside it.

They come from PyTorch's generator on the CPU, seeded anew for every purpose and step. What a network is trained on at
a step may instead be drawn where it is needed, from a counter (:mod:`.counted`): a device's own generator would have to
be seeded by the host for every network, and could not stand in a recorded CUDA graph. Items and test sets, which are
drawn once, come from the CPU in any case: they are the same on every device.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

from . import counted
from .seeds import Purpose, derive_seed

#: What is drawn at every step.
_STEPPED = (Purpose.BATCH, Purpose.FRESH)


class Draws:
    """Numbers on ``device``, with the leading axis S of ``seeds``; from counters at every step if ``portable``."""

    def __init__(self, seeds: Sequence[int], device: torch.device, dtype: torch.dtype, portable: bool) -> None:
        self.seeds, self.device, self.dtype, self.portable = list(seeds), device, dtype, portable
        self.generator = torch.Generator()
        self.workers = ThreadPoolExecutor(os.cpu_count()) if len(self.seeds) > 1 else None
        self._keys = cache(self._drawn_keys)

    def _drawn_keys(self, purpose: Purpose) -> Tensor:
        keys = np.array([derive_seed(seed, purpose) for seed in self.seeds], np.uint64)
        return counted.keys_on(keys, self.device)

    def _counts(self, purpose: Purpose) -> bool:
        return self.portable and purpose in _STEPPED

    def generator_at(self, s: int, purpose: Purpose, step: int = 0, stream: int = 0) -> torch.Generator:
        """The CPU's generator, seeded for network ``s``."""
        return self.generator.manual_seed(derive_seed(self.seeds[s], purpose, step) ^ stream)

    def items(self, s: int, rows: int, dimension: int) -> Tensor:
        """The training items of network ``s``, (rows, D)."""
        draws = torch.randn((rows, dimension), generator=self.generator_at(s, Purpose.ITEMS), dtype=self.dtype)
        return draws.mul_(dimension**-0.5).to(self.device)

    def order(self, s: int, rows: int) -> Tensor:
        """A random order of ``rows`` items, that of network ``s``."""
        return torch.randperm(rows, generator=self.generator_at(s, Purpose.ITEMS)).to(self.device)

    def normals(self, purpose: Purpose, step: int | Tensor, rows: int, dimension: int, stream: int = 0) -> Tensor:
        """Novel items (S, rows, D): entries N(0, 1/D); on a CPU the networks draw side by side."""
        networks, std = len(self.seeds), dimension**-0.5
        if self._counts(purpose):
            draws = counted.normals(self._keys(purpose), step, stream, 1, rows * dimension, std)
            return draws.view(networks, rows, dimension).to(self.dtype)
        draws = torch.empty(networks, rows, dimension, dtype=self.dtype)

        def draw(s: int) -> None:
            generator = torch.Generator().manual_seed(derive_seed(self.seeds[s], purpose, int(step)) ^ stream)
            draws[s] = torch.randn((rows, dimension), generator=generator, dtype=self.dtype).mul_(std)

        list((map if self.workers is None else self.workers.map)(draw, range(networks)))
        return draws.to(self.device)

    def uniforms(self, purpose: Purpose, step: int | Tensor, shape: tuple[int, ...], stream: int = 0) -> Tensor:
        """Float64 numbers in [0, 1), (S, ``shape``)."""
        if self._counts(purpose):
            draws = counted.uniforms(self._keys(purpose), step, stream, 1, math.prod(shape))
            return draws.view(len(self.seeds), *shape)
        draws = torch.empty(len(self.seeds), *shape, dtype=torch.float64)
        for s in range(len(self.seeds)):
            torch.rand(shape, generator=self.generator_at(s, purpose, int(step), stream), out=draws[s])
        return draws.to(self.device)

    def coins(self, purpose: Purpose, step: int | Tensor, shape: tuple[int, ...], stream: int) -> Tensor:
        """±1 at even chances, (S, ``shape``)."""
        if self._counts(purpose):
            heads = self.uniforms(purpose, step, shape, stream) < 0.5
        else:
            heads = torch.empty(len(self.seeds), *shape, dtype=torch.bool)
            for s in range(len(self.seeds)):
                heads[s] = torch.rand(shape, generator=self.generator_at(s, purpose, int(step), stream)) < 0.5
        return 1.0 - 2.0 * heads.to(self.device, self.dtype)
