"""What a network is given at a step: rows of a table of item-label pairs, or as much of them as it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Table:
    """Item-label pairs: ``items`` (S, K, D) with entries N(0, 1/D), ``labels`` (S, K) in {-1, +1}.

    ``derived`` caches what a network computes once per table (overlaps, normalised tokens).
    """

    items: Tensor
    labels: Tensor
    derived: dict[str, Tensor] = field(default_factory=dict)

    def cached(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        if name not in self.derived:
            self.derived[name] = compute()
        return self.derived[name]

    def offset(self, index: Tensor, size: int | None = None) -> Tensor:
        """Row numbers in a table whose S parts, of ``size`` (default K) rows each, stand one below the other."""
        if len(self.items) == 1:
            return index
        starts = torch.arange(len(self.items), device=index.device).mul_(size or self.items.shape[1])
        return index + starts.view(-1, *[1] * (index.ndim - 1))

    def rows(self, values: Tensor, index: Tensor) -> Tensor:
        """``values[s, index[s, ...]]`` for ``values`` of shape (S, K, ...)."""
        flat = values.reshape(-1, *values.shape[2:])
        chosen = flat.index_select(0, self.offset(index, values.shape[1]).reshape(-1))
        return chosen.view(*index.shape, *values.shape[2:])

    def select(self, networks: Tensor | slice) -> Table:
        """The table of the networks that go on (their positions along S); of neighbours a view, with what is cached."""
        derived = {name: value[networks] for name, value in self.derived.items()} if isinstance(networks, slice) else {}
        return Table(self.items[networks], self.labels[networks], derived)


@dataclass(frozen=True)
class Batch:
    """B sequences a network: ``context`` (S, B, N) and ``target`` (S, B) are rows of ``table``."""

    table: Table
    context: Tensor
    target: Tensor

    @property
    def context_labels(self) -> Tensor:
        return self.table.rows(self.table.labels, self.context)

    @property
    def target_labels(self) -> Tensor:
        return self.table.rows(self.table.labels, self.target)

    @property
    def targets(self) -> Tensor:
        """Items x_T, (S, B, D)."""
        return self.table.rows(self.table.items, self.target)

    def first(self, size: int) -> Batch:
        """The first sequences alone."""
        return replace(self, context=self.context[:, :size], target=self.target[:, :size])

    def without_cache(self) -> Batch:
        """The same batch; what is derived from its table is forgotten with it."""
        return replace(self, table=Table(self.table.items, self.table.labels))

    def select(self, networks: Tensor | slice) -> Batch:
        return Batch(self.table.select(networks), self.context[networks], self.target[networks])


@dataclass(frozen=True)
class OverlapBatch(Batch):
    """B sequences as far as the minimal model reads them: targets, and of the context overlaps and labels.

    ``table`` holds the targets alone, ``context`` (S, B, 0) nothing; ``overlaps`` x_T·x_j and ``labels`` are (S, B, N).
    """

    overlaps: Tensor
    labels: Tensor

    @property
    def context_labels(self) -> Tensor:
        return self.labels


def joined(*batches: Batch) -> Batch:
    """The sequences of several batches one after the other; the table holds the tokens that they show, each by itself.

    In each the target is the first item of its context, where :func:`.endless.with_copies` puts it.
    """
    items, labels = (
        torch.cat([batch.table.rows(getattr(batch.table, name), batch.context) for batch in batches], 1)
        for name in ("items", "labels")
    )
    networks, size, length = labels.shape
    context = torch.arange(size * length, device=labels.device).view(1, size, length).expand(networks, -1, -1)
    return Batch(Table(items.flatten(1, 2), labels.flatten(1)), context, context[..., 0])
