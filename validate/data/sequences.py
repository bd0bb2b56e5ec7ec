"""Sequences of the synthetic task for an ensemble of networks (paper, section 2).

An ensemble is a leading axis of S networks. Network s has its own seed, its own K items and its own batches, so what
it sees does not depend on which other networks are trained beside it. A batch is a pure function of (seed, step).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...theory import Task
from ...theory.common.arguments import require
from .batches import Batch, OverlapBatch, Table, joined
from .draws import Draws
from .endless import Endless, balanced, with_copies
from .seeds import Purpose

# Streams beside a batch's first one, which has no more numbers to give without changing those it gave.
_LABELS, _NOISE, _SHUFFLE, _SCRAMBLE = 1, 2, 4, 8


class Sequences:
    """The sequences of S networks that share every statistic of the task but K.

    Parameters
    ----------
    task : Task
        Context length, dimension, label statistics and copies; its ``task_diversity`` is not read.
    task_diversity : sequence of float, length S
        K of each network: finite and even, or all infinite.
    seeds : sequence of int, length S
    batch_size : int
    frequency_exponent : float, α >= 0
        Items are drawn with probability p_k ∝ k^(−α); pairs of consecutive k have opposite labels.
    noise : float, ε >= 0
        Within-class noise: every token shows (x_k + ε ξ)/√(1 + ε²) with ξ ~ N(0, 1/D) of its own, so that the copy is
        another exemplar of the target's class (0 in the paper).
    shuffled : bool
        Give the copy a random place. One attention layer without positional encoding does not see the order; with two
        layers the causal mask does.
    scrambled : bool
        Every context label of a training batch and of the IWL test is a fair coin; needs a finite K.
    fresh_share : float, f in [0, 1)
        Share of the training sequences whose items and labels no other sequence has, at finite K: the last ones of a
        batch, floor((step + 1) f B) − floor(step f B) of them.
    overlaps_alone : bool
        The network reads of the context its labels and overlaps with the target alone (the minimal model); for K → ∞
        training batches then hold these and no items.
    items : array (R, D), optional
        Items to draw from in place of Gaussian ones (:func:`.items.register_items`).
    device, dtype
        Where the tensors live.
    portable : bool, optional
        Draw training batches with operations that any device has, for a step that may be a tensor there. By default on
        every device but the CPU, whose own way is faster. Items and test sets are the same either way.
    """

    def __init__(
        self,
        task: Task,
        task_diversity: Sequence[float],
        seeds: Sequence[int],
        batch_size: int,
        *,
        frequency_exponent: float = 0.0,
        noise: float = 0.0,
        shuffled: bool = False,
        scrambled: bool = False,
        fresh_share: float = 0.0,
        overlaps_alone: bool = False,
        items: NDArray[np.float64] | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        portable: bool | None = None,
    ) -> None:
        self.task = task
        self.seeds = list(seeds)
        self.batch_size = batch_size
        self.frequency_exponent = frequency_exponent
        self.noise, self.shuffled, self.scrambled = noise, shuffled, scrambled
        self.fresh_share = fresh_share
        self.device = torch.device(device)
        self.dtype = dtype
        self.portable = self.device.type != "cpu" if portable is None else portable
        self.draws = Draws(self.seeds, self.device, dtype, self.portable)
        self.task_diversity = list(task_diversity)
        self.fresh = math.isinf(self.task_diversity[0])
        if any(math.isinf(k) != self.fresh for k in self.task_diversity):
            raise ValueError("Argument 'task_diversity' must be finite for all networks or for none, but it is mixed.")
        if any(not self.fresh and (k % 2 or k < 2) for k in self.task_diversity):
            raise ValueError(
                f"Argument 'task_diversity' must be even (half of each label), but it is {task_diversity}."
            )
        self.pool = None if items is None else torch.as_tensor(items, device=self.device, dtype=dtype)
        if self.pool is not None:
            self.novel = self._split(self.pool)
        if self.fresh:
            self.endless = Endless(
                task, self.seeds, batch_size, noise, overlaps_alone, self.device, dtype, self.portable
            )
        else:
            self._set_training_table()

    def _set_training_table(self) -> None:
        sizes = [int(k) for k in self.task_diversity]
        largest = max(sizes)
        items = torch.zeros(len(sizes), largest, self._dimension, device=self.device, dtype=self.dtype)
        for s, size in enumerate(sizes):
            if self.pool is not None:
                items[s, :size] = self.pool[self.draws.order(s, len(self.pool))[:size]]
            else:
                items[s, :size] = self.draws.items(s, size, self._dimension)
        labels = 1.0 - 2.0 * (torch.arange(largest, device=self.device) % 2)
        labels = labels.to(self.dtype).expand(len(sizes), largest)
        if self.scrambled:  # a second copy of every item bears the other label; targets are rows of the first
            items, labels = torch.cat([items, items], 1), torch.cat([labels, -labels], 1)
        self.table = Table(items, labels.contiguous())
        self.sizes = torch.tensor(sizes, device=self.device)
        self.cumulative = None
        if self.frequency_exponent:
            weights = torch.arange(1, largest + 1, dtype=torch.float64, device=self.device) ** -self.frequency_exponent
            weights = weights * (torch.arange(largest, device=self.device) < self.sizes[:, None])
            self.cumulative = (weights / weights.sum(1, keepdim=True)).cumsum(1)

    @property
    def _dimension(self) -> int:
        return int(self.task.dimension)

    def _split(self, pool: Tensor) -> list[Tensor]:
        """Rows of the pool that are novel to each network: all for K → ∞, otherwise those it does not train on."""
        used = [0 if self.fresh else int(k) for k in self.task_diversity]
        must = f"be at most {len(pool) - 2} for {len(pool)} items: two must be left for the ICL test"
        require(max(used) <= len(pool) - 2, "task_diversity", must, max(self.task_diversity))
        return [self.draws.order(s, len(pool))[k:] for s, k in enumerate(used)]

    def _items(self, purpose: Purpose, step: int | Tensor, rows: int) -> Tensor:
        """Novel items (S, rows, D)."""
        if self.pool is None:
            return self.draws.normals(purpose, step, rows, self._dimension)
        draws = self.draws.uniforms(purpose, step, (rows,))
        chosen = [novel[(u * len(novel)).long()] for u, novel in zip(draws, self.novel, strict=True)]
        return self.pool[torch.stack(chosen)]

    def batch(self, step: int | Tensor) -> Batch:
        """The training batch at ``step``; a tensor without axes, on the device, if batches are portable."""
        if self.fresh and self.pool is not None:
            batch = self._fresh_batch(Purpose.BATCH, step, self.batch_size)
        elif self.fresh:
            batch = self.endless.batch(step)
            if isinstance(batch, OverlapBatch):
                return batch
        else:
            draws = self.draws.uniforms(Purpose.BATCH, step, (self.batch_size, self.task.context_length + 1))
            batch = self._with_coins(
                Batch(self.table, *with_copies(self._context(draws), self.task.copies)), Purpose.BATCH, step
            )
            batch = self._with_fresh(batch, step)
        return self._as_shown(batch, Purpose.BATCH, step)

    def icl_test(self, size: int) -> Batch:
        """Novel items with a copy of the target in the context."""
        return self._as_shown(self._fresh_batch(Purpose.ICL_TEST, 0, size), Purpose.ICL_TEST, 0)

    def iwl_test(self, size: int) -> Batch:
        """Training items without a copy of the target in the context; for K → ∞ novel items without a copy."""
        if self.fresh:
            batch = self._fresh_batch(Purpose.IWL_TEST, 0, size, extra=1)
            batch = replace(batch, context=batch.context[..., :-1], target=batch.context[..., -1])
        else:
            batch = self._with_coins(self._without_copy(size), Purpose.IWL_TEST, 0)
        return self._as_shown(batch, Purpose.IWL_TEST, 0)

    def _without_copy(self, size: int) -> Batch:
        draws = self.draws.uniforms(Purpose.IWL_TEST, 0, (size, self.task.context_length + 1))
        targets = self.draws.uniforms(Purpose.IWL_TEST, 1, (size, 1))
        target = self._index(targets, None)
        context = self._context(draws)
        for attempt in range(2, 1000):
            copies = context == target
            if not copies.any():
                return Batch(self.table, context, target.squeeze(-1))
            again = self._context(self.draws.uniforms(Purpose.IWL_TEST, attempt, tuple(draws.shape[1:])))
            context = torch.where(copies, again, context)
        require(False, "task_diversity", "leave items other than the target", self.task_diversity)
        raise AssertionError

    def _with_coins(self, batch: Batch, purpose: Purpose, step: int | Tensor) -> Batch:
        """The batch with every context label a fair coin, if labels are scrambled."""
        if not self.scrambled:
            return batch
        coins = self.draws.uniforms(purpose, step, tuple(batch.context.shape[1:]), stream=_SCRAMBLE) < 0.5
        return replace(batch, context=batch.context + coins * (self.table.items.shape[1] // 2))

    def _with_fresh(self, batch: Batch, step: int | Tensor) -> Batch:
        """The batch with its last sequences replaced by fresh ones."""
        if not self.fresh_share:
            return batch
        until, before = (math.floor(i * self.fresh_share * self.batch_size + 1e-9) for i in (int(step) + 1, int(step)))
        if until == before:
            return batch
        return joined(
            batch.first(self.batch_size - until + before), self._fresh_batch(Purpose.FRESH, step, until - before)
        )

    def _as_shown(self, batch: Batch, purpose: Purpose, step: int | Tensor) -> Batch:
        """The batch after shuffling and within-class noise, each from a stream of its own."""
        networks, size, length = batch.context.shape
        if self.shuffled:
            order = self.draws.uniforms(purpose, step, (size, length), stream=_SHUFFLE).argsort(-1)
            batch = replace(batch, context=batch.context.gather(-1, order))
        if not self.noise:
            return batch
        table, shown = batch.table, torch.cat([batch.context, batch.target[..., None]], -1)
        index = torch.arange(size * (length + 1), device=self.device).view(1, size, -1).expand(networks, -1, -1)
        noise = self.draws.normals(purpose, step, size * (length + 1), self._dimension, _NOISE)
        noise = noise.view(*shown.shape, -1)
        items = table.rows(table.items, shown).add_(noise, alpha=self.noise).mul_((1 + self.noise**2) ** -0.5)
        noisy = Table(items.view(networks, -1, self._dimension), table.rows(table.labels, shown).view(networks, -1))
        return Batch(noisy, index[..., :-1], index[..., -1])

    def _fresh_batch(self, purpose: Purpose, step: int | Tensor, size: int, extra: int = 0) -> Batch:
        """Items and labels that no other sequence has (K → ∞)."""
        networks, length = len(self.seeds), self.task.context_length + extra
        items = self._items(purpose, step, size * length)
        labels = self.draws.coins(purpose, step, (size, length), _LABELS)
        labels = balanced(labels, self.task)
        context = torch.arange(size * length, device=self.device).view(1, size, length).expand(networks, -1, -1)
        table = Table(items, labels.view(networks, -1))
        return (
            Batch(table, context, context[..., 0]) if extra else Batch(table, *with_copies(context, self.task.copies))
        )

    def _context(self, draws: Tensor) -> Tensor:
        """Rows of the training table from uniforms (S, B, N + 1); the last one chooses the label that comes first."""
        if self.task.labels == "iid":
            return self._index(draws[..., :-1], None)
        half = self.task.context_length // 2
        first = (draws[..., -1:] < 0.5).long()
        return self._index(draws[..., :-1], torch.cat([first.expand(-1, -1, half), 1 - first.expand(-1, -1, half)], -1))

    def _index(self, uniform: Tensor, label: Tensor | None) -> Tensor:
        """Item numbers by inversion; ``label`` (0: +1, 1: −1) restricts the draw to the items of one label."""
        sizes = self.sizes.view(-1, *[1] * (uniform.ndim - 1))
        if self.cumulative is None:
            if label is None:
                return torch.minimum((uniform * sizes).long(), sizes - 1)
            return 2 * torch.minimum((uniform * (sizes // 2)).long(), sizes // 2 - 1) + label
        flat = torch.searchsorted(self.cumulative, uniform.reshape(len(self.seeds), -1)).view(uniform.shape)
        flat = torch.minimum(flat, sizes - 1)
        # Items 2i and 2i + 1 have opposite labels: the pair is drawn by frequency, the label within it is given.
        return flat if label is None else 2 * (flat // 2) + label

    def select(self, networks: list[int]) -> None:
        """Keep only these networks."""
        self._keep(networks, torch.tensor(networks, device=self.device))

    def part(self, networks: slice) -> Sequences:
        """The sequences of neighbouring networks alone: views of the same table, and a generator of their own."""
        part = copy(self)
        part._keep(range(len(self.seeds))[networks], networks)
        part.draws.workers = None  # the other cores have networks of their own
        return part

    def _keep(self, networks: Sequence[int], index: Tensor | slice) -> None:
        """Keep these networks, in two spellings."""
        self.seeds = [self.seeds[s] for s in networks]
        self.draws = Draws(self.seeds, self.device, self.dtype, self.portable)
        self.task_diversity = [self.task_diversity[s] for s in networks]
        if self.pool is not None:
            self.novel = [self.novel[s] for s in networks]
        if self.fresh:
            self.endless = self.endless.select(self.seeds)
        else:
            self.table = self.table.select(index)
            self.sizes = self.sizes[index]
            self.cumulative = None if self.cumulative is None else self.cumulative[index]
