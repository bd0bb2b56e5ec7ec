"""Networks and items that the theory was not made for, as examples of a user's own.

    iclrace validate --preset mine --network iclrace.validate.examples:two_heads -N 15 -D 15

A factory is a function of the :class:`~iclrace.validate.Run`; it returns a module from tokens (B, N + 1, D + 2), the
target last, to logits (B,).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from . import Run


class Attention(nn.Module):
    """Softmax attention of several heads with scores q·k/√(head width) and an output matrix, biases everywhere."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """What the queries (B, Q, width) read off the tokens (B, T, width)."""
        shape = (self.heads, queries.shape[-1] // self.heads)
        q = self.query(queries).unflatten(-1, shape).transpose(-2, -3)
        k, v = (layer(tokens).unflatten(-1, shape).transpose(-2, -3) for layer in (self.key, self.value))
        weights = torch.softmax(q @ k.transpose(-1, -2) / shape[1] ** 0.5, -1)
        return self.out((weights @ v).transpose(-2, -3).flatten(-2))


def perceptron(width: int, outputs: int, activation: type[nn.Module]) -> nn.Sequential:
    """Width → width → outputs."""
    return nn.Sequential(nn.Linear(width, width), activation(), nn.Linear(width, outputs))


class TwoHeads(nn.Module):
    """One layer of two heads on normed embeddings, added to the target's, and a ReLU perceptron of three layers."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.embed, self.norm = nn.Linear(size, width), nn.LayerNorm(width)
        self.attention = Attention(width, heads=2)
        self.read = nn.Sequential(nn.Linear(width, width), nn.ReLU(), *perceptron(width, 1, nn.ReLU))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.embed(tokens))
        target = x[..., -1:, :]
        return self.read(target + self.attention(target, x)).flatten(-2).squeeze(-1)


class Block(nn.Module):
    """Attention of one head and a perceptron, each added to what it reads; with LayerNorm before both, or none."""

    def __init__(self, width: int, activation: type[nn.Module], norm: bool) -> None:
        super().__init__()
        self.before, self.between = (nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2))
        self.attention = Attention(width, heads=1)
        self.perceptron = perceptron(width, width, activation)

    def forward(self, tokens: Tensor, target_only: bool) -> Tensor:
        """The block's tokens, or the target's alone where no other is read."""
        x = self.before(tokens)
        read = slice(-1, None) if target_only else slice(None)
        y = tokens[..., read, :] + self.attention(x[..., read, :], x)
        return y + self.perceptron(self.between(y))


class Blocks(nn.Module):
    """Embedding, ``depth`` blocks, and a readout of the target. LayerNorm is in every block, or after the embedding."""

    def __init__(self, size: int, width: int, depth: int, activation: type[nn.Module], norm: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(size, width) if norm else nn.Sequential(nn.Linear(size, width), nn.LayerNorm(width))
        self.blocks = nn.ModuleList(Block(width, activation, norm) for _ in range(depth))
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.read = nn.Linear(width, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        for i, block in enumerate(self.blocks):
            x = block(x, target_only=i == len(self.blocks) - 1)
        return self.read(self.norm(x)).flatten(-2).squeeze(-1)


def two_heads(run: Run) -> nn.Module:
    """One attention layer of two heads under a perceptron of three layers."""
    return TwoHeads(int(run.task.dimension) + 2, run.width)


def pre_norm(run: Run) -> nn.Module:
    """One block as in GPT-2: LayerNorm before attention and before a GELU perceptron, both with residuals."""
    return Blocks(int(run.task.dimension) + 2, run.width, 1, nn.GELU, norm=True)


def two_blocks(run: Run) -> nn.Module:
    """Two blocks of attention and a ReLU perceptron, both with residuals, on embeddings normed once."""
    return Blocks(int(run.task.dimension) + 2, run.width, 2, nn.ReLU, norm=False)


def digits() -> NDArray[np.float64]:
    """The 1,797 handwritten digits of scikit-learn, (1797, 64): without their mean image, |x|² = 1 on average.

    Needs the extra ``items``.
    """
    from sklearn.datasets import load_digits  # pyright: ignore[reportMissingImports]

    pixels = np.asarray(load_digits().data, dtype=np.float64)  # pyright: ignore[reportAttributeAccessIssue]
    pixels -= pixels.mean(0)
    return pixels / np.sqrt(np.mean(np.sum(pixels**2, axis=1)))
