"""The networks as plain modules: what is trained, in its most readable form (paper, section 2 and appendix A).

The ensembles of :mod:`.stacked` compute the same functions for many networks at once; a parity test holds them to it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def perceptron(inputs: int, width: int, outputs: int, layers: int) -> nn.Sequential:
    """``layers`` linear maps with ReLU between them (three in the paper), PyTorch's default initialisation."""
    sizes = [inputs, *[width] * (layers - 1), outputs]
    modules: list[nn.Module] = []
    for i in range(layers):
        modules.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < layers - 1:
            modules.append(nn.ReLU())
    return nn.Sequential(*modules)


class MinimalModel(nn.Module):
    """z = φ(x_T) + w Σ_j softmax_j(β x_T·x_j) ℓ_j.

    φ is a perceptron on the target alone (the memory sub-circuit); (w, β) are two scalars (the ICL sub-circuit), at
    the start w = w0 and β = β0. With ``target_in_softmax`` the target also takes part, with label 0.
    """

    def __init__(
        self,
        dimension: int,
        width: int = 512,
        layers: int = 3,
        *,
        w0: float = 0.0,
        beta0: float = 0.0,
        target_in_softmax: bool = False,
    ) -> None:
        super().__init__()
        self.memory = perceptron(dimension, width, 1, layers)
        self.w = nn.Parameter(torch.tensor(float(w0)))
        self.beta = nn.Parameter(torch.tensor(float(beta0)))
        self.target_in_softmax = target_in_softmax

    def forward(self, context: Tensor, labels: Tensor, target: Tensor) -> Tensor:
        """Logits (B,) from context items (B, N, D), their labels (B, N) and targets (B, D)."""
        scores = self.beta * (context @ target[:, :, None]).squeeze(-1)
        if self.target_in_softmax:
            scores = torch.cat([scores, self.beta * target.square().sum(-1, keepdim=True)], -1)
            labels = torch.cat([labels, torch.zeros_like(labels[:, :1])], -1)
        return self.memory(target).squeeze(-1) + self.w * (scores.softmax(-1) * labels).sum(-1)


class CausalAttention(nn.Module):
    """Single-head causal attention, no biases and no 1/√d: Σ_{j ≤ i} softmax_j(k_j·q_i) v_j at every token i."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, size, bias=False)
        self.key = nn.Linear(size, size, bias=False)
        self.value = nn.Linear(size, size, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        scores = self.query(tokens) @ self.key(tokens).transpose(-1, -2)
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        return scores.masked_fill(future, -torch.inf).softmax(-1) @ self.value(tokens)


class Block(nn.Module):
    """A layer before the last: causal attention with a residual, then a perceptron on every token without one."""

    def __init__(self, size: int, width: int, layers: int) -> None:
        super().__init__()
        self.attention = CausalAttention(size)
        self.perceptron = perceptron(size, width, size, layers)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.perceptron(tokens + self.attention(tokens))


class Transformer(nn.Module):
    """The paper's transformer: z = f(s x_T + attention(x)_T) with x = LayerNorm(tokens), f a perceptron.

    Tokens are (item, one-hot label), D + 2 numbers; the target's label slot is zero. No positional encoding. They are
    normed once, with gain and shift, and everything after reads the normed tokens, the residual too: f sees a target
    of length √(D + 2). ``residual_scale`` s is 1 in the paper; another s changes how fast f memorises and leaves the
    attention as it is. With ``depth`` > 1 (two in the paper's figure A5) blocks of attention, residual and perceptron
    come before; nothing is normed again.
    """

    def __init__(
        self, dimension: int, width: int = 512, layers: int = 3, depth: int = 1, residual_scale: float = 1.0
    ) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.norm = nn.LayerNorm(dimension + 2)
        self.blocks = nn.Sequential(*[Block(dimension + 2, width, layers) for _ in range(depth - 1)])
        self.attention = CausalAttention(dimension + 2)
        self.memory = perceptron(dimension + 2, width, 1, layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B,) from tokens (B, N + 1, D + 2), the target last."""
        x = self.blocks(self.norm(tokens))
        return self.memory(self.residual_scale * x[:, -1] + self.attention(x)[:, -1]).squeeze(-1)


def context_tokens(items: Tensor, labels: Tensor) -> Tensor:
    """Tokens (..., D + 2) of items (..., D) with labels (...) in {-1, +1}."""
    return torch.cat([items, (labels > 0).to(items.dtype)[..., None], (labels < 0).to(items.dtype)[..., None]], -1)


def target_tokens(items: Tensor) -> Tensor:
    """Tokens (..., D + 2) of targets (..., D): the label slot is zero."""
    return torch.cat([items, items.new_zeros(*items.shape[:-1], 2)], -1)
