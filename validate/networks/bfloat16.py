"""The perceptron's step with its large products in bfloat16, for processors that multiply such numbers (AVX-512 BF16).

A bfloat16 is a float32 without its last 16 bits: the same range, 8 significant bits. Weights stay float32 and are
rounded after every step for the next one's products; so are activations and errors, which are kept as they are read.
Sums inside a product are float32, and its result is rounded once more. Biases, their gradients, the output layer, whose
products are none, and everything outside the perceptron are float32, and so is every evaluation.

Rounding is to the nearest, ties to even. Numbers are passed to compiled loops by their bits, as int16.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numba import prange
from numpy.typing import NDArray
from torch import Tensor

from ...simulate.kernel.cache import compiled_and_kept
from ..data import philox
from ..data.philox import bits_of, number_of
from . import kernels
from .stacked import Parameters, perceptron_layers

Array = NDArray[Any]

_SOURCES = (Path(__file__), Path(philox.__file__))
_compiled: Callable[[Any], Any] = compiled_and_kept(*_SOURCES, parallel=True, nogil=True, error_model="numpy")
_small: Callable[[Any], Any] = compiled_and_kept(*_SOURCES, error_model="numpy")
# Columns whose sums one core keeps in its first cache.
_COLUMNS_AT_ONCE = 64


def is_supported() -> bool:
    """Whether this processor multiplies bfloat16 numbers."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


@_small
def _widened(half: Any) -> Any:
    """The float32 of a bfloat16's bits."""
    return number_of(np.int32(np.int32(half) << np.int32(16)))


@_small
def _rounded(value: Any) -> Any:
    """The bits of the bfloat16 that is nearest to a float32."""
    bits = bits_of(value)
    last = np.int32(np.int32(bits >> np.int32(16)) & np.int32(1))
    return np.int16(np.int32(bits + np.int32(last + np.int32(0x7FFF))) >> np.int32(16))


@_compiled
def rectify(values: Array, bias: Array) -> None:
    """Replace ``values`` (S, B, O), int16, by max(values + ``bias``, 0), with ``bias`` (S, O)."""
    networks, size, width = values.shape
    for task in prange(networks * size):
        row, own = values[task // size, task % size], bias[task // size]
        for i in range(width):
            value = _widened(row[i]) + own[i]
            row[i] = _rounded(np.float32(0.0) if value <= np.float32(0.0) else value)


@_compiled
def mask(error: Array, activation: Array, total: Array) -> None:
    """Set ``error`` (S, B, O), int16, to zero where ``activation`` is not positive; ``total`` (S, O) gains its sum."""
    networks, size, width = error.shape
    parts = -(-width // _COLUMNS_AT_ONCE)
    for task in prange(networks * parts):
        s, first = task // parts, task % parts * _COLUMNS_AT_ONCE
        end = min(first + _COLUMNS_AT_ONCE, width)
        own = total[s, first:end]
        for q in range(size):
            row, seen = error[s, q, first:end], activation[s, q, first:end]
            for i in range(len(own)):
                row[i] = row[i] if seen[i] > 0 else np.int16(0)
                own[i] += _widened(row[i])


@_compiled
def follow(weight: Array, change: Array, factor: Array, rounded: Array) -> None:
    """θ ← ``factor`` θ + ``change`` for θ = ``weight`` (S, O, I), float32; ``rounded`` becomes θ in bfloat16.

    ``change`` and ``rounded`` (S, O, I) are int16, ``factor`` (S,) holds 1 − ηλ.
    """
    networks, outputs, inputs = weight.shape
    for task in prange(networks * outputs):
        s, o = task // outputs, task % outputs
        own, by, copy, kept = weight[s, o], change[s, o], rounded[s, o], factor[s]
        for i in range(inputs):
            value = own[i] * kept + _widened(by[i])
            own[i] = value
            copy[i] = _rounded(value)


class _Hidden:
    """A layer whose products are bfloat16: its float32 weights and their rounded copy."""

    def __init__(self, parameters: Parameters, rates: Parameters, decays: Parameters, weight: str, bias: str) -> None:
        self.bias, self.held = parameters[bias], (parameters[weight].numpy(), parameters[bias].numpy())
        self.weight = parameters[weight].bfloat16()
        self.turned, self.bits = self.weight.transpose(1, 2), _bits(self.weight)
        ones = torch.ones(len(self.weight))
        self.factor = (1 + rates[weight] * decays[weight]).view(-1).numpy() if weight in decays else ones.numpy()
        self.bias_factor = 1 + rates[bias] * decays[bias] if bias in decays else None

    def ahead(self, inputs: Tensor) -> Tensor:
        """max(W x + b, 0) for inputs x (S, B, I)."""
        out = torch.bmm(inputs, self.turned)
        rectify(_bits(out), self.held[1])
        return out

    def back(self, error: Tensor, activation: Tensor) -> Tensor:
        """The error (S, B, O) before the rectifier; its sum is added to the biases."""
        if self.bias_factor is not None:
            self.bias.mul_(self.bias_factor)
        mask(_bits(error), _bits(activation), self.held[1])
        return error

    def follow(self, error: Tensor, inputs: Tensor) -> None:
        """Step the weights."""
        follow(self.held[0], _bits(torch.bmm(error.transpose(1, 2), inputs)), self.factor, self.bits)


class Bfloat16Perceptron:
    """As :class:`.fused.Perceptron`, with the hidden layers' products in bfloat16."""

    def __init__(
        self,
        parameters: Parameters,
        rates: Parameters,
        decays: Parameters,
        wanted: Literal["input", "output"] = "input",
    ) -> None:
        *hidden, (weight, bias) = perceptron_layers(parameters, "memory.")
        self.hidden = [_Hidden(parameters, rates, decays, *names) for names in hidden]
        self.weight, self.bias = parameters[weight], parameters[bias]
        self.bias_row, self.turned = self.bias[:, None], self.weight.transpose(1, 2)
        self.decayed = [(parameters[n], 1 + rates[n] * decays[n]) for n in (weight, bias) if n in decays]
        self.rate, self.wanted = rates[hidden[0][1]], wanted

    def step(self, inputs: Tensor, added: Tensor | None, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The losses (S,), and minus the learning rate times dL/d(inputs), (S, B, D), or dL/dz, (S, B)."""
        kernels.set_threads_for(self.weight.numel() * labels.shape[1])
        activations = [inputs.bfloat16()]
        for layer in self.hidden:
            activations.append(layer.ahead(activations[-1]))
        top = activations[-1].float()
        logits = torch.baddbmm(self.bias_row, top, self.turned).squeeze(-1)
        against = (logits if added is None else logits + added).mul(labels).neg_()
        output = torch.sigmoid(against).mul_(labels).mul_(self.rate * (-1.0 / labels.shape[1]))
        error = output[..., None]
        back = torch.bmm(error, self.weight).bfloat16()
        for value, factor in self.decayed:
            value.mul_(factor)
        self.weight.baddbmm_(error.transpose(1, 2), top)
        self.bias.add_(error.sum(1))
        for i in range(len(self.hidden) - 1, -1, -1):
            layer, before = self.hidden[i], back
            before = layer.back(before, activations[i + 1])
            if i or self.wanted == "input":
                back = torch.bmm(before, layer.weight)
            layer.follow(before, activations[i])
        return F.softplus(against).mean(1), output if self.wanted == "output" else back.float()


def _bits(values: Tensor) -> Array:
    return values.view(torch.int16).numpy()
