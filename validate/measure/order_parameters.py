"""The order parameters of transformers, to be compared with the reduced one's term by term."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...theory.common.arguments import require
from ..networks.modules import Transformer
from ..networks.stacked import LAYER_NORM_EPSILON, Parameters, perceptron, stack

#: What is read, in the order in which it is stored.
ORDER = (
    "w", "w_spread", "value", "beta", "item_roughness", "stored", "label_std", "own_attention", "copy_attention",
    "attended", "gain",
)  # fmt: skip
#: Evaluations at which a run's order parameters are read, at most, and sequences that they are read on.
READINGS, SEQUENCES = 32, 64


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
    require(len(network.blocks) == 0, "network", "have one attention layer", 1 + len(network.blocks))
    require(
        labels.shape == tokens[:, :-1, 0].shape, "labels", f"have shape {tuple(tokens[:, :-1, 0].shape)}", labels.shape
    )
    require(
        target_labels.shape == labels[:, 0].shape, "target_labels", f"have {len(labels)} entries", target_labels.shape
    )
    stacked = stacked_order_parameters(
        stack([network]), tokens[None], labels[None], target_labels[None], network.residual_scale
    )
    return {name: float(value) for name, value in stacked.items()}


def stacked_order_parameters(
    parameters: Parameters, tokens: Tensor, labels: Tensor, target_labels: Tensor, residual_scale: float = 1.0
) -> dict[str, Tensor]:
    """:func:`order_parameters` of S transformers at once, each (S,), on tokens (S, B, N + 1, D + 2)."""
    d = tokens.shape[-1]
    weights = {name: value.detach() for name, value in parameters.items()}
    key, query, value = (weights[f"attention.{name}.weight"] for name in ("key", "query", "value"))
    scale, shift = weights["norm.weight"], weights["norm.bias"]
    normed = torch.nn.functional.layer_norm(tokens, (d,), eps=LAYER_NORM_EPSILON)
    normed = normed * scale[:, None, None] + shift[:, None, None]
    along = torch.zeros_like(scale)
    along[:, -2], along[:, -1] = 1.0, -1.0
    along = along * scale * math.sqrt(d) / 2.0 / math.sqrt(2.0)  # s γ ê
    queries = torch.einsum("sbd,sed->sbe", normed[:, :, -1], query)
    attention = torch.softmax(torch.einsum("sbnd,sed,sbe->sbn", normed, key, queries), -1)
    copies = (tokens[:, :, :-1, :-2] == tokens[:, :, -1:, :-2]).all(-1)
    matrix = (scale[:, :, None] * (key.mT @ query) * scale[:, None])[:, :-2, :-2]
    off = matrix[:, ~torch.eye(d - 2, dtype=torch.bool, device=matrix.device)]
    label_score = torch.einsum("sbe,sed,sd->sb", queries, key, along) * target_labels
    v = torch.einsum("sed,sd->se", value, along)
    attended = torch.einsum("sbn,sbnd,sed->sbe", attention, normed, value)
    gains, kernel = _gains(weights, residual_scale * normed[:, :, -1] + attended, v)
    read = (attention[..., :-1] * labels).sum(-1) * target_labels
    return {
        "w": gains.mean(1), "w_spread": gains.std(1), "value": v.square().sum(1),
        "beta": d / math.sqrt(2.0) * matrix.diagonal(dim1=1, dim2=2).mean(1),
        "item_roughness": off.square().mean(1).sqrt() * 3.0 * math.sqrt(d),
        "stored": label_score.mean(1), "label_std": label_score.std(1), "own_attention": attention[..., -1].mean(1),
        "copy_attention": (attention[..., :-1] * copies).sum(-1).mean(1), "attended": read.mean(1),
        "gain": kernel / v.square().sum(1).clamp(min=1e-30),
    }  # fmt: skip


def _gains(weights: Parameters, read: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """∇f·v at every target, (S, B), and Σ_θ |∂_θ ⟨∇f·v⟩|², (S,)."""
    memory = {
        name: weight.clone().requires_grad_(True) for name, weight in weights.items() if name.startswith("memory.")
    }
    with torch.enable_grad():
        read = read.detach().requires_grad_(True)
        (slopes,) = torch.autograd.grad(perceptron(memory, "memory.", read).sum(), read, create_graph=True)
        gains = torch.einsum("sbd,sd->sb", slopes, v)
        # networks share no weight, so that the sum's gradient holds each one's own
        parts = torch.autograd.grad(gains.mean(1).sum(), list(memory.values()), allow_unused=True)
    kernel = sum(part.square().flatten(1).sum(1) for part in parts if part is not None)
    assert isinstance(kernel, Tensor)
    return gains.detach(), kernel
