"""The order parameters of a trained transformer, to be compared with the reduced one's term by term."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...theory._arguments import require
from ..networks.modules import Transformer


def order_parameters(network: Transformer, tokens: Tensor, labels: Tensor, target_labels: Tensor) -> dict[str, float]:
    """What the reduced transformer follows, read off a network's weights and a batch of sequences.

    With γ the gain of LayerNorm, ê = (1, −1)/√2 on the label slots and s = √d/2:

        v = s W_V (γ ê),   w = ⟨∇f⟩·v,   M = γ W_Kᵀ W_Q γ,   β = (d/√2) tr M/D over items,
        ρ = √⟨M_ij²⟩ · 3√d over pairs of different item components,   η = ℓ_T s ê·M x̂_T,   k = Σ_θ |∂_θ w|²/|v|²

    Parameters
    ----------
    network : Transformer of depth 1
    tokens : tensor (B, N + 1, D + 2)
        Not yet normed, the target last.
    labels : tensor (B, N), ±1
        Of the context.
    target_labels : tensor (B,), ±1

    Returns
    -------
    dict
        ``w`` and ``w_spread`` (standard deviation of ∇f·v over targets), ``value`` |v|², ``beta``,
        ``item_roughness`` ρ, ``stored`` and ``label_std`` (mean and standard deviation of η), ``own_attention``,
        ``copy_attention``, ``attended`` ⟨ℓ_T m⟩ and ``gain`` k.

    Raises
    ------
    ValueError
        For a deeper network, or shapes that do not match.

    Source: docs/reduced_transformer.md.
    """
    d = tokens.shape[-1]
    require(len(network.blocks) == 0, "network", "have one attention layer", 1 + len(network.blocks))
    require(
        labels.shape == tokens[:, :-1, 0].shape, "labels", f"have shape {tuple(tokens[:, :-1, 0].shape)}", labels.shape
    )
    require(
        target_labels.shape == labels[:, 0].shape, "target_labels", f"have {len(labels)} entries", target_labels.shape
    )
    normed = network.norm(tokens).detach()
    key, query, value = (getattr(network.attention, name).weight.detach() for name in ("key", "query", "value"))
    scale = network.norm.weight.detach()
    along = torch.zeros(d, dtype=tokens.dtype)
    along[-2], along[-1] = 1.0, -1.0
    along = along * scale * math.sqrt(d) / 2.0 / math.sqrt(2.0)  # s γ ê
    target = normed[:, -1]
    asked = target @ query.T
    attention = torch.softmax(torch.einsum("bnd,bd->bn", normed, asked @ key), -1)
    copies = (tokens[:, :-1, :-2] == tokens[:, -1:, :-2]).all(-1)
    matrix = (scale[:, None] * (key.T @ query) * scale)[:-2, :-2]
    off = matrix[~torch.eye(d - 2, dtype=torch.bool)]
    label_score = (asked @ (key @ along)) * target_labels
    gains = _gains(network, normed, attention, value @ along)
    read = (attention[:, :-1] * labels).sum(-1) * target_labels
    found = {
        "value": (value @ along).square().sum(),
        "beta": d / math.sqrt(2.0) * matrix.diagonal().mean(),
        "item_roughness": off.square().mean().sqrt() * 3.0 * math.sqrt(d),
        "stored": label_score.mean(),
        "label_std": label_score.std(),
        "own_attention": attention[:, -1].mean(),
        "copy_attention": (attention[:, :-1] * copies).sum(-1).mean(),
        "attended": read.mean(),
    }
    return gains | {name: float(one) for name, one in found.items()}


def _gains(network: Transformer, normed: Tensor, attention: Tensor, v: Tensor) -> dict[str, float]:
    """w, its spread over targets, and k."""
    attended = torch.einsum("bn,bnd->bd", attention, normed) @ network.attention.value.weight.detach().T
    read = (network.residual_scale * normed[:, -1] + attended).requires_grad_(True)
    (slopes,) = torch.autograd.grad(network.memory(read).sum(), read, create_graph=True)
    gains = slopes @ v
    parts = torch.autograd.grad(gains.mean(), list(network.memory.parameters()), allow_unused=True)
    kernel = sum(float(part.square().sum()) for part in parts if part is not None)
    length = max(float(v.square().sum()), 1e-300)
    return {"w": float(gains.detach().mean()), "w_spread": float(gains.detach().std()), "gain": kernel / length}
