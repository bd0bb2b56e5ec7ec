"""Transformers with a coupling of their two circuits taken out, and one whose perceptron is made simpler.

They are what the transformer of :mod:`.modules` is compared with: a claim about shared circuits is one about what
changes when nothing is shared. Each is a module from tokens (B, N + 1, D + 2) to logits (B,), registered under a name.
With x̂ a token after LayerNorm, T the target and a = softmax_j(x̂_jᵀ W_Kᵀ W_Q x̂_T):

    "separate circuits"   z = f₁(x̂_T) + f₂(V Σ_{j≠T} a_j x̂_j)        two perceptrons, the target no token of its own
    "held gain"           z = f₁(x̂_T) + G·V Σ_{j≠T} a_j x̂_j          the label gain's kernel stays k
    "linear readout"      z = G·(x̂_T + V Σ_j a_j x̂_j)                no perceptron: G moves k times as fast
    "held gates"          z = f(x̂_T + V Σ_j a_j x̂_j; x̂_T)            f's ReLUs open as the target says, for ever

The first two share not even LayerNorm, which has no parameters there. G = √k g with g learnt like every other
parameter, so that G moves at the rate k: that of an untrained perceptron of the same sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...theory.reduced_transformer.readout import initial_kernel, initial_slope_square
from .foreign import register_network
from .modules import perceptron

if TYPE_CHECKING:
    from ..training.config import Run

#: Of the weights that open the gates of "held gates": the same for every network.
_GATES_SEED = 20


class TargetAttention(nn.Module):
    """V Σ_j softmax_j(x̂_jᵀ W_Kᵀ W_Q x̂_T) x̂_j, over the context alone or with the target itself."""

    def __init__(self, size: int, own: bool) -> None:
        super().__init__()
        self.query = nn.Linear(size, size, bias=False)
        self.key = nn.Linear(size, size, bias=False)
        self.value = nn.Linear(size, size, bias=False)
        self.own = own

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, d) from normed tokens (B, N + 1, d), the target last."""
        seen = tokens if self.own else tokens[:, :-1]
        direction = self.query(tokens[:, -1]) @ self.key.weight
        weights = (seen @ direction[:, :, None]).squeeze(-1).softmax(-1)
        return self.value((weights[:, None] @ seen).squeeze(1))


class LinearReadout(nn.Module):
    """G·h with G = √k g, |G|² that of an untrained perceptron's mean slope."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.root = math.sqrt(initial_kernel(size, width))
        bound = math.sqrt(3 * initial_slope_square() / size) / self.root
        self.weight = nn.Parameter(torch.empty(size).uniform_(-bound, bound))

    def forward(self, read: Tensor) -> Tensor:
        return self.root * (read @ self.weight)


class HeldGates(nn.Module):
    """A perceptron of three layers whose hidden units open where those of one with fixed weights do at the target."""

    gate0: Tensor
    gate1: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(size, width), nn.Linear(width, width), nn.Linear(width, 1)])
        generator = torch.Generator().manual_seed(_GATES_SEED)
        for i, (rows, columns) in enumerate(((width, size), (width, width))):
            drawn = (2 * torch.rand(rows, columns + 1, generator=generator) - 1) / math.sqrt(columns)
            self.register_buffer(f"gate{i}", drawn)  # weights, and the bias last

    def gates(self, target: Tensor) -> list[Tensor]:
        """Which units of both hidden layers are open, 0 or 1, (B, width) each."""
        open_gates, at = [], target
        for gate in (self.gate0, self.gate1):
            at = F.linear(at, gate[:, :-1], gate[:, -1])
            open_gates.append((at > 0).to(at.dtype))
            at = F.relu(at)
        return open_gates

    def forward(self, read: Tensor, target: Tensor) -> Tensor:
        first, second = self.gates(target)
        into, across, out = self.layers
        return out(second * across(first * into(read))).squeeze(-1)


class SeparateCircuits(nn.Module):
    """z = f₁(x̂_T) + f₂(V Σ_{j≠T} a_j x̂_j), or f₂ linear: circuits that share nothing."""

    def __init__(self, dimension: int, width: int, layers: int, linear: bool) -> None:
        super().__init__()
        size = dimension + 2
        self.norm = nn.LayerNorm(size, elementwise_affine=False)
        self.attention = TargetAttention(size, own=False)
        self.memory = perceptron(size, width, 1, layers)
        self.readout = LinearReadout(size, width) if linear else perceptron(size, width, 1, layers)

    def read(self, tokens: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """What reads the attention is given (B, d), and the function to logits (B,) that reads it."""
        return self.attention(self.norm(tokens)), lambda given: self.readout(given).reshape(len(given))

    def forward(self, tokens: Tensor) -> Tensor:
        given, readout = self.read(tokens)
        return self.memory(self.norm(tokens[:, -1])).squeeze(-1) + readout(given)


class SimplerReadout(nn.Module):
    """The transformer with its perceptron replaced: by a linear map, or by one whose gates are held."""

    def __init__(self, dimension: int, width: int, linear: bool) -> None:
        super().__init__()
        size = dimension + 2
        self.norm = nn.LayerNorm(size)
        self.attention = TargetAttention(size, own=True)
        self.linear = linear
        self.memory = LinearReadout(size, width) if linear else HeldGates(size, width)

    def read(self, tokens: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """As that of :class:`SeparateCircuits`."""
        x = self.norm(tokens)
        target = x[:, -1]
        return target + self.attention(x), self.memory if self.linear else lambda given: self.memory(given, target)

    def forward(self, tokens: Tensor) -> Tensor:
        given, readout = self.read(tokens)
        return readout(given)


def separate_circuits(run: Run) -> nn.Module:
    return SeparateCircuits(int(run.task.dimension), run.width, run.layers, linear=False)


def held_gain(run: Run) -> nn.Module:
    return SeparateCircuits(int(run.task.dimension), run.width, run.layers, linear=True)


def linear_readout(run: Run) -> nn.Module:
    return SimplerReadout(int(run.task.dimension), run.width, linear=True)


def held_gates(run: Run) -> nn.Module:
    return SimplerReadout(int(run.task.dimension), run.width, linear=False)


def in_memory(name: str) -> bool:
    """Whether a parameter learns at the rate r of the memory: the first perceptron's, and not the readout's."""
    return name.startswith("memory.")


_FACTORIES: dict[str, Callable[[Run], nn.Module]] = {
    "separate circuits": separate_circuits, "held gain": held_gain, "linear readout": linear_readout,
    "held gates": held_gates,
}  # fmt: skip
#: Names of the networks above.
CONTROLS = tuple(register_network(name, factory, memory=in_memory) for name, factory in _FACTORIES.items())
