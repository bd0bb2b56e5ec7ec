"""K → ∞: training batches of items and labels that no other sequence has, drawn anew at every step.

On a CPU the numbers come from :mod:`.philox`; elsewhere :mod:`.counted` draws the same ones, but for their rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...theory import Task
from ..networks.kernels import padded_width
from . import counted
from .batches import Batch, OverlapBatch, Table
from .philox import normals
from .seeds import Purpose, derive_seed

_ITEMS, _LABELS, _OVERLAPS = 0, 1, 2


@dataclass(frozen=True)
class Endless:
    """Training batches of the networks with ``seeds`` (length S); a batch is a pure function of (seed, step).

    With ``overlaps_alone`` a batch holds targets and overlaps instead of all items; then ``noise`` (ε) has its part in
    their law, otherwise it is added by the caller. ``portable`` as in :class:`.sequences.Sequences`.
    """

    task: Task
    seeds: list[int]
    batch_size: int
    noise: float
    overlaps_alone: bool
    device: torch.device
    dtype: torch.dtype
    portable: bool

    def select(self, seeds: list[int]) -> Endless:
        """The batches of these networks alone."""
        return replace(self, seeds=seeds)

    def batch(self, step: int | Tensor) -> Batch:
        """The training batch at ``step``; a tensor on the device if portable."""
        return self._overlap_batch(step) if self.overlaps_alone else self._item_batch(step)

    def _item_batch(self, step: int | Tensor) -> Batch:
        """Rows are padded as the compiled kernels read them."""
        (networks, size, length), dimension = self._shape, int(self.task.dimension)
        width = padded_width(dimension)
        rows = self._draw(step, _ITEMS, length * width, dimension**-0.5).view(networks, size * length, width)
        table = Table(rows[..., :dimension], self._labels(step).view(networks, -1), {"padded": rows})
        return Batch(table, *self._places)

    def _overlap_batch(self, step: int | Tensor) -> OverlapBatch:
        """Given x_T, its overlap with a fresh item is N(0, |x_T|²/D), and with its own copy |x_T|².

        With noise, tokens of x_T's class are x_j = ρ x_T + √(1 − ρ) (√ρ g + g_j), ρ = 1/(1 + ε²): g, g_j have the law
        of items, and the class shares g.
        """
        (networks, size, length), copies, dimension = self._shape, self.task.copies, int(self.task.dimension)
        targets = self._draw(step, _ITEMS, dimension, dimension**-0.5)
        square = targets.square().sum(-1, keepdim=True)
        draws = self._draw(step, _OVERLAPS, length + 1) * (square / dimension).sqrt()
        overlaps, labels, rho = draws[..., :-1], self._labels(step), 1 / (1 + self.noise**2)
        own = overlaps[..., :copies] + rho**0.5 * draws[..., -1:]
        overlaps[..., :copies] = rho * square + (1 - rho) ** 0.5 * own
        labels[..., 1:copies] = labels[..., :1]
        target = torch.arange(size, device=self.device).expand(networks, -1)
        nothing = target.new_empty(networks, size, 0)
        return OverlapBatch(Table(targets, labels[..., 0]), nothing, target, overlaps, labels)

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor]:
        """Context and target, the same at every step: a sequence's items stand one below the other."""
        networks, size, length = self._shape
        context = torch.arange(size * length, device=self.device).view(1, size, length).expand(networks, -1, -1)
        return with_copies(context, self.task.copies)

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        return np.array([derive_seed(seed, Purpose.BATCH) for seed in self.seeds], np.uint64)

    @cached_property
    def _keys_there(self) -> Tensor:
        return counted.keys_on(self._keys, self.device)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return len(self.seeds), self.batch_size, self.task.context_length

    def _labels(self, step: int | Tensor) -> Tensor:
        coins = self._draw(step, _LABELS, self.task.context_length).lt_(0)
        return balanced(coins.mul_(-2.0).add_(1.0), self.task)

    def _draw(self, step: int | Tensor, stream: int, count: int, std: float = 1.0) -> Tensor:
        """Numbers N(0, std²), (S, B, count)."""
        if self.portable:
            draws = counted.normals(self._keys_there, step, stream, self.batch_size, count, std)
        else:
            draws = torch.from_numpy(normals(self._keys, int(step), stream, self.batch_size, count, std))
        return draws.to(self.dtype)


def balanced(labels: Tensor, task: Task) -> Tensor:
    """Labels (S, B, N); of a balanced task half of every context's labels have the first one's sign."""
    if task.labels == "balanced":
        half = task.context_length // 2
        labels[..., 1:half] = labels[..., :1]
        labels[..., half : 2 * half] = -labels[..., :1]
    return labels


def with_copies(context: Tensor, copies: int) -> tuple[Tensor, Tensor]:
    """Context and target: the target is the first context item, which then stands ``copies`` times.

    Attention has no positional encoding, so the place of the copy does not matter.
    """
    if copies > 1:
        context = context.clone()
        context[..., 1:copies] = context[..., :1]
    return context, context[..., 0]
