"""Networks trained side by side: each core of a CPU takes some of them from one evaluation to the next.

In step, all cores share every matrix product, wait for each other at its end, and stand still while one of them draws,
adds and calls. Side by side they meet at evaluations alone. A product of several stacked matrices has the same bits
whichever cores compute them; one of a single matrix has not, so that every part holds two networks at least.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..data.sequences import Sequences
from ..networks.computation import Computation
from ..networks.fused import FusedMinimal, FusedTransformer, Step
from ..networks.kernels import can_be_shared, on_one_core
from ..networks.stacked import Parameters

_FEWEST_NETWORKS = 2


@dataclass(frozen=True)
class Part:
    """Neighbouring networks of a group: all that a step of theirs reads and changes.

    ``places`` (S,) are theirs in ``loss_sum``, which parts share, each its own numbers.
    """

    computation: Computation
    parameters: Parameters
    rates: Parameters
    decays: Parameters
    sequences: Sequences
    places: Tensor
    loss_sum: Tensor

    @cached_property
    def _step(self) -> Step:
        return self.computation.step_of(self.parameters, self.rates, self.decays)

    @torch.no_grad()
    def take(self, step: int | Tensor) -> None:
        """Take one step and add its losses to the sum."""
        loss = self._step(self.sequences.batch(step))
        self.loss_sum.index_add_(0, self.places, loss.double())

    def split(self, count: int) -> Iterator[Part]:
        """As ``count`` parts, whose parameters are views of these."""
        networks = len(self.places)
        ends = [networks * i // count for i in range(count + 1)]
        for first, end in itertools.pairwise(ends):
            own = slice(first, end)
            parameters, rates, decays = (
                {name: value[own] for name, value in values.items()}
                for values in (self.parameters, self.rates, self.decays)
            )
            places = self.places[own]
            yield Part(self.computation, parameters, rates, decays, self.sequences.part(own), places, self.loss_sum)


def divided(whole: Part) -> Sequence[Part]:
    """A part for every core that PyTorch uses; none where there are too few networks, or a step of their own kind."""
    cores = torch.get_num_threads()
    if not isinstance(whole.computation, FusedMinimal | FusedTransformer) or not can_be_shared():
        return ()
    if cores == 1 or len(whole.places) < _FEWEST_NETWORKS * cores:
        return ()
    if not whole.sequences.fresh:
        whole.computation.prepare(whole.sequences.table)
    return list(whole.split(cores))


def take_side_by_side(parts: Sequence[Part], steps: range) -> None:
    """Take the steps of all parts, each on a core of its own."""

    def take(part: Part) -> None:
        torch.set_num_threads(1)  # of this thread
        with on_one_core():
            for step in steps:
                part.take(step)

    cores = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(take, parts))
    finally:
        torch.set_num_threads(cores)  # what threads that begin later start from is not kept by thread
