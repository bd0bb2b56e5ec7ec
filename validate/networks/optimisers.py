"""How parameters follow their gradients: plain SGD, SGD with momentum, and Adam, for stacked networks.

    plain       θ ← θ − η g
    momentum    v ← μ v + g,   θ ← θ − η v             (a step lasts η/(1 − μ) of gradient-flow time)
    Adam        m ← β₁ m + (1 − β₁) g,   s ← β₂ s + (1 − β₂) g²,   θ ← θ − η m̂/(√ŝ + ε)

as in PyTorch, with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and hats for the division by 1 − β^step. Weight decay adds λθ to g.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .stacked import Parameters

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Optimiser(Protocol):
    """``memory`` holds what it remembers, each with the leading axis S of the networks."""

    memory: Parameters

    def advance(self, name: str, value: Tensor, gradient: Tensor, rate: Tensor) -> None:
        """Change ``value`` in place, with ``rate`` minus the learning rate."""
        ...


class Plain:
    """Remembers nothing."""

    def __init__(self) -> None:
        self.memory: Parameters = {}

    def advance(self, name: str, value: Tensor, gradient: Tensor, rate: Tensor) -> None:
        value.addcmul_(gradient, rate)


class Momentum:
    """SGD with momentum μ."""

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.memory: Parameters = {}

    def advance(self, name: str, value: Tensor, gradient: Tensor, rate: Tensor) -> None:
        velocity = self.memory.setdefault(f"velocity/{name}", torch.zeros_like(value))
        velocity.mul_(self.momentum).add_(gradient)
        value.addcmul_(velocity, rate)


class Adam:
    """Adam with PyTorch's constants."""

    def __init__(self) -> None:
        self.memory: Parameters = {}

    def advance(self, name: str, value: Tensor, gradient: Tensor, rate: Tensor) -> None:
        mean = self.memory.setdefault(f"mean/{name}", torch.zeros_like(value))
        square = self.memory.setdefault(f"square/{name}", torch.zeros_like(value))
        shape = (-1, *[1] * (value.ndim - 1))
        step = self.memory.setdefault(f"step/{name}", value.new_zeros(len(value), dtype=torch.float64))
        step.add_(1)
        mean.lerp_(gradient, 1 - _BETA1)
        square.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
        unbiased = (1 / (1 - _BETA1**step)).to(value.dtype).view(shape)
        root = (square * (1 / (1 - _BETA2**step)).to(value.dtype).view(shape)).sqrt_().add_(_EPSILON)
        value.addcmul_(mean * unbiased / root, rate)


def optimiser_of(name: str, momentum: float) -> Optimiser:
    """``name`` is "sgd" or "adam"."""
    if name == "adam":
        return Adam()
    return Momentum(momentum) if momentum else Plain()
