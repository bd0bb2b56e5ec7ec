"""S networks at once: the functions and gradients of :mod:`.modules`, computed with a leading ensemble axis.

Automatic differentiation takes this form, on any device; :mod:`.fused` does one step of it by hand on a CPU.

Three exact shortcuts carry the speed. Only the target's query is read, so a score is x̂_jᵀ(W_Kᵀ W_Q x̂_T) and a
sequence costs O(N d), not O(N² d). Tokens are averaged with the attention weights before W_V acts. LayerNorm acts
token by token, so the K tokens are normalised once per table, and its affine part is folded into the query and value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.batches import Batch, OverlapBatch
from ..data.seeds import Purpose, derive_seed
from .modules import MinimalModel, Transformer, context_tokens, target_tokens

Parameters = dict[str, Tensor]

# Above this many items their K × K overlaps are computed per sequence instead of being looked up.
_LARGEST_OVERLAP_TABLE = 2048
LAYER_NORM_EPSILON = 1e-5


def stack(modules: Sequence[torch.nn.Module]) -> Parameters:
    """The modules' parameters, each stacked along a new leading axis of length S."""
    names = [name for name, _ in modules[0].named_parameters()]
    states = [dict(module.named_parameters()) for module in modules]
    return {name: torch.stack([state[name].detach() for state in states]) for name in names}


def initialise(build: Callable[[int], torch.nn.Module], seeds: Sequence[int]) -> Parameters:
    """``build(s)`` for every network under its own seed: exactly the numbers PyTorch gives a single network."""
    modules = []
    with torch.random.fork_rng(devices=[]):
        for s, seed in enumerate(seeds):
            torch.manual_seed(derive_seed(seed, Purpose.INITIALISATION))
            modules.append(build(s))
    return stack(modules)


def in_memory_group(name: str) -> bool:
    """Whether a parameter belongs to a perceptron, and not to (w, β) or to LayerNorm, q, k, v."""
    return name.startswith("memory.") or ".perceptron." in name


def perceptron_layers(parameters: Parameters, prefix: str) -> list[tuple[str, str]]:
    """Names of the weight and the bias of every layer, from the input to the output."""
    weights = [name for name in parameters if name.startswith(prefix) and name.endswith("weight")]
    weights.sort(key=lambda name: int(name.split(".")[-2]))
    return [(name, name.removesuffix("weight") + "bias") for name in weights]


def perceptron(parameters: Parameters, prefix: str, inputs: Tensor) -> Tensor:
    """Outputs (S, B, O) of stacked perceptrons on inputs (S, B, D)."""
    layers = perceptron_layers(parameters, prefix)
    for weight, bias in layers:
        inputs = torch.baddbmm(parameters[bias][:, None], inputs, parameters[weight].transpose(1, 2))
        if weight != layers[-1][0]:
            inputs = F.relu(inputs)
    return inputs


class MinimalEnsemble:
    """Stacked :class:`.modules.MinimalModel`."""

    memory_prefix = "memory."

    def __init__(self, target_in_softmax: bool = False) -> None:
        self.target_in_softmax = target_in_softmax

    def initialise(
        self, seeds: Sequence[int], dimension: int, width: int, layers: int, w0: Sequence[float], beta0: Sequence[float]
    ) -> Parameters:
        return initialise(lambda s: MinimalModel(dimension, width, layers, w0=w0[s], beta0=beta0[s]), seeds)

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits z and memory φ, each (S, B)."""
        targets = batch.targets
        memory = perceptron(parameters, self.memory_prefix, targets).squeeze(-1)
        labels, overlaps = batch.context_labels, _overlaps(batch, targets)
        if self.target_in_softmax:
            overlaps = torch.cat([overlaps, targets.square().sum(-1, keepdim=True)], -1)
            labels = torch.cat([labels, torch.zeros_like(labels[..., :1])], -1)
        attention = torch.softmax(parameters["beta"][:, None, None] * overlaps, -1)
        return memory + parameters["w"][:, None] * (attention * labels).sum(-1), memory


def _overlaps(batch: Batch, targets: Tensor) -> Tensor:
    """x_T·x_j, (S, B, N)."""
    if isinstance(batch, OverlapBatch):
        return batch.overlaps
    table = batch.table
    size = table.items.shape[1]
    if size > _LARGEST_OVERLAP_TABLE:
        context = table.rows(table.items, batch.context)
        return torch.einsum("sbnd,sbd->sbn", context, targets)
    overlaps = table.cached("overlaps", lambda: table.items @ table.items.transpose(1, 2))
    flat = overlaps.view(len(overlaps), -1)
    return table.rows(flat, batch.target[..., None] * size + batch.context)


class TransformerEnsemble:
    """Stacked :class:`.modules.Transformer` of any depth."""

    memory_prefix = "memory."

    def __init__(self, depth: int = 1, residual_scale: float = 1.0) -> None:
        self.depth, self.residual_scale = depth, residual_scale

    def initialise(self, seeds: Sequence[int], dimension: int, width: int, layers: int) -> Parameters:
        return initialise(lambda s: Transformer(dimension, width, layers, self.depth), seeds)

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits z, (S, B), twice: the transformer has no separate memory output."""
        table = batch.table
        gain, shift = parameters["norm.weight"][:, None], parameters["norm.bias"][:, None]
        if self.depth == 1:
            own = _normalised(target_tokens(table.rows(table.items, batch.target)))
            context = table.rows(
                table.cached("context", lambda: _normalised(context_tokens(table.items, table.labels))), batch.context
            )
        else:
            tokens = torch.addcmul(shift[:, None], _normalised(sequence_tokens(batch)), gain[:, None])
            for i in range(self.depth - 1):
                tokens = _block(parameters, f"blocks.{i}.", tokens)
            own, context = tokens[..., -1, :], tokens[..., :-1, :]
            gain, shift = torch.ones_like(gain), torch.zeros_like(shift)  # what the blocks return is read as it is
        inputs = _inputs(parameters, context, own, gain, shift, self.residual_scale)
        logits = perceptron(parameters, self.memory_prefix, inputs).squeeze(-1)
        return logits, logits


def sequence_tokens(batch: Batch) -> Tensor:
    """Tokens (S, B, N + 1, D + 2), the target last."""
    table = batch.table
    context = table.rows(table.cached("tokens", lambda: context_tokens(table.items, table.labels)), batch.context)
    target = target_tokens(table.rows(table.items, batch.target))
    return torch.cat([context, target[..., None, :]], -2)


def _block(parameters: Parameters, prefix: str, tokens: Tensor) -> Tensor:
    """Stacked :class:`.modules.Block` on tokens (S, B, T, d): every token is a query here."""
    networks, size, length, width = tokens.shape
    p = {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}
    flat = tokens.reshape(networks, size * length, width)
    query, key, value = (
        torch.bmm(flat, p[f"attention.{name}.weight"].transpose(1, 2)).view(networks, size, length, width)
        for name in ("query", "key", "value")
    )
    attended = F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=1.0)
    return perceptron(p, "perceptron.", flat + attended.reshape_as(flat)).view_as(tokens)


def _inputs(
    parameters: Parameters, context: Tensor, own: Tensor, gain: Tensor, shift: Tensor, residual_scale: float
) -> Tensor:
    """What the perceptron reads, s x_T + attention(x)_T, for tokens x = gain·x̂ + shift.

    ``context`` (S, B, N, d) and ``own`` (S, B, d) hold x̂; ``gain`` and ``shift`` are (S, 1, d).
    """
    target = torch.addcmul(shift, own, gain)
    query = torch.bmm(target, parameters["attention.query.weight"].transpose(1, 2))
    # The shift adds the same number to every score of a sequence, so the softmax does not see it.
    direction = torch.bmm(query, parameters["attention.key.weight"]) * gain
    average = torch.addcmul(shift, attend(context, own, direction), gain)
    return torch.baddbmm(target, average, parameters["attention.value.weight"].transpose(1, 2), beta=residual_scale)


def attend(context: Tensor, target: Tensor, direction: Tensor) -> Tensor:
    """Σ_j softmax_j(x̂_j·u) x̂_j over the context (S, B, N, d) and the target (S, B, d), with u (S, B, d)."""
    networks, size, length, width = context.shape
    flat = context.reshape(networks * size, length, width)
    scores = torch.bmm(flat, direction.reshape(-1, width, 1)).view(networks, size, length)
    own = (target * direction).sum(-1, keepdim=True)
    weights = torch.softmax(torch.cat([scores, own], -1), -1)
    average = torch.bmm(weights[..., :-1].reshape(-1, 1, length), flat).view(networks, size, width)
    return average + weights[..., -1:] * target


def _normalised(tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, tokens.shape[-1:], eps=LAYER_NORM_EPSILON)
