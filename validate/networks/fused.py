"""One step of stochastic gradient descent for stacked networks, forward, backward and update in one pass (CPU).

The gradient is linear in the error at the output, so the learning rate is multiplied into that error, once, and every
matrix product of the backward pass adds straight to the weights: no gradient is stored and none is read back. Other
devices differentiate :mod:`.stacked` automatically, for the same numbers; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.batches import Batch, OverlapBatch, Table
from . import kernels
from .modules import target_tokens
from .stacked import LAYER_NORM_EPSILON, Parameters, perceptron, perceptron_layers

#: ``step(parameters, rates, decays, batch)`` changes the parameters (name -> (S, ...)) in place and returns the losses
#: ⟨log(1 + e^{−ℓz})⟩ before it, (S,). ``rates`` holds minus the learning rates (S, 1, ...), one for the perceptron and
#: one for all else; ``decays`` the weight decays λ in the same shape, or nothing: the gradient gains λ θ.
Step = Callable[[Parameters, Parameters, Parameters, Batch], Tensor]


class FusedTransformer:
    """Stacked :class:`.modules.Transformer` of depth 1."""

    def __init__(self, residual_scale: float = 1.0) -> None:
        self.residual_scale = residual_scale

    def prepare(self, table: Table) -> None:
        """Compute what is derived from the table, once for all of its networks."""
        _prepared(table)

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits z, (S, B), twice, as :meth:`.stacked.TransformerEnsemble.forward`."""
        inputs = _AttentionPass(parameters, batch, self.residual_scale).inputs
        logits = perceptron(parameters, "memory.", inputs).squeeze(-1)
        return logits, logits

    def step(self, parameters: Parameters, rates: Parameters, decays: Parameters, batch: Batch) -> Tensor:
        """See :data:`Step`."""
        attention = _AttentionPass(parameters, batch, self.residual_scale)
        loss, error = _perceptron_step(parameters, rates, decays, attention.inputs, None, batch.target_labels)
        error = error * (rates["norm.weight"] / rates["memory.0.bias"])[:, None]
        attention.update(rates, decays, error)
        return loss


class _AttentionPass:
    """LayerNorm, attention and residual at the target: ``inputs`` (S, B, D + 2) is what the perceptron reads."""

    def __init__(self, parameters: Parameters, batch: Batch, residual_scale: float) -> None:
        p = self.parameters = {
            name.removeprefix("attention."): value
            for name, value in parameters.items()
            if name.startswith(("attention.", "norm."))
        }
        self.residual_scale = residual_scale
        self.gain, shift = p["norm.weight"][:, None], p["norm.bias"][:, None]
        raw = target_tokens(batch.table.rows(batch.table.items, batch.target))
        self.own = F.layer_norm(raw, raw.shape[-1:], eps=LAYER_NORM_EPSILON)
        self.normed = torch.addcmul(shift, self.own, self.gain)
        self.query = torch.bmm(self.normed, p["query.weight"].transpose(1, 2))
        self.key = torch.bmm(self.query, p["key.weight"])
        self.attention = _Attention(batch, self.own)
        self.average = self.attention.forward(self.key * self.gain)
        self.read = torch.addcmul(shift, self.average, self.gain)
        self.inputs = torch.baddbmm(self.normed, self.read, p["value.weight"].transpose(1, 2), beta=residual_scale)

    def update(self, rates: Parameters, decays: Parameters, error: Tensor) -> None:
        """Step all parameters, given dL/d(inputs) times minus their learning rate."""
        p = self.parameters
        to_read = torch.bmm(error, p["value.weight"])
        to_direction = self.attention.backward(to_read * self.gain)
        to_key = to_direction * self.gain
        to_query = torch.bmm(to_key, p["key.weight"].transpose(1, 2))
        # The normed target is read twice: by the query and by the residual.
        to_normed = torch.baddbmm(error, to_query, p["query.weight"], beta=self.residual_scale)
        to_gain = to_read * self.average
        to_gain.addcmul_(to_direction, self.key).addcmul_(to_normed, self.own)
        for name in decays:
            if name.startswith(("attention.", "norm.")):
                _decay(p[name.removeprefix("attention.")], rates[name], decays[name])
        p["norm.weight"].add_(to_gain.sum(1))
        p["norm.bias"].add_(to_read.add_(to_normed).sum(1))
        p["value.weight"].baddbmm_(error.transpose(1, 2), self.read)
        p["key.weight"].baddbmm_(self.query.transpose(1, 2), to_key)
        p["query.weight"].baddbmm_(to_query.transpose(1, 2), self.normed)


class FusedMinimal:
    """Stacked :class:`.modules.MinimalModel`."""

    def __init__(self, target_in_softmax: bool = False) -> None:
        self.target_in_softmax = target_in_softmax

    def prepare(self, table: Table) -> None:
        """Nothing is derived from the table."""

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits z and memory φ, each (S, B)."""
        targets = batch.table.rows(batch.table.items, batch.target)
        memory = perceptron(parameters, "memory.", targets).squeeze(-1)
        return memory + parameters["w"][:, None] * self._attend(parameters["beta"], batch)[0], memory

    def step(self, parameters: Parameters, rates: Parameters, decays: Parameters, batch: Batch) -> Tensor:
        """See :data:`Step`."""
        w, beta = parameters["w"], parameters["beta"]
        answer, slope = self._attend(beta, batch)
        targets = batch.table.rows(batch.table.items, batch.target)
        loss, error = _perceptron_step(
            parameters, rates, decays, targets, w[:, None] * answer, batch.target_labels, wanted="output"
        )
        error = error * (rates["w"] / rates["memory.0.bias"].view(-1))[:, None]
        to_w, to_beta = (error * answer).sum(1), (error * slope).sum(1) * w
        for name, change in (("w", to_w), ("beta", to_beta)):
            if name in decays:
                _decay(parameters[name], rates[name], decays[name])
            parameters[name].add_(change)
        return loss

    def _attend(self, beta: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The answer Σ_j p_j ℓ_j and its derivative in β, each (S, B)."""
        repeated = beta.detach().repeat_interleave(batch.target.shape[1]).numpy()
        table = batch.table
        if isinstance(batch, OverlapBatch):
            kernels.set_threads_for(batch.overlaps.numel())
            square = batch.targets.square().sum(-1).reshape(-1).numpy()
            overlaps, labels = _flat(batch.overlaps).numpy(), _flat(batch.labels).numpy()
            answer, slope = kernels.answer_overlaps(overlaps, labels, square, repeated, self.target_in_softmax)
            return torch.from_numpy(answer).view_as(batch.target), torch.from_numpy(slope).view_as(batch.target)
        kernels.set_threads_for(batch.context.numel() * table.items.shape[-1])
        answer, slope = kernels.attend_minimal(
            _flat(table.items).numpy(),
            table.labels.reshape(-1).numpy(),
            _flat(table.offset(batch.context)).numpy(),
            table.offset(batch.target).reshape(-1).numpy(),
            repeated,
            self.target_in_softmax,
        )
        return torch.from_numpy(answer).view(batch.target.shape), torch.from_numpy(slope).view(batch.target.shape)


class _Attention:
    """The compiled attention of one batch."""

    def __init__(self, batch: Batch, own: Tensor) -> None:
        table = batch.table
        kernels.set_threads_for(batch.context.numel() * own.shape[-1])
        rows, moments = _prepared(table)
        held = (_flat(rows), table.labels.reshape(-1), _flat(moments))
        self.rows = tuple(t.numpy() for t in (*held, _flat(table.offset(batch.context)), _flat(own)))

    def forward(self, direction: Tensor) -> Tensor:
        self.average, self.weights = kernels.attend_forward(*self.rows, _flat(direction).numpy())
        return torch.from_numpy(self.average).view_as(direction)

    def backward(self, error: Tensor) -> Tensor:
        out = kernels.attend_backward(*self.rows, self.weights, self.average, _flat(error).numpy())
        return torch.from_numpy(out).view_as(error)


def _prepared(table: Table) -> tuple[Tensor, Tensor]:
    """Padded rows (S, K, P) and the moments of their tokens (S, K, 2)."""
    if "rows" not in table.derived:
        given = table.derived.get("padded")
        rows = kernels.pad_rows(_flat(table.items).numpy()) if given is None else _flat(given).numpy()
        moments = kernels.row_moments(rows, table.items.shape[-1], LAYER_NORM_EPSILON)
        shape = table.labels.shape
        table.derived["rows"] = torch.from_numpy(rows).view(*shape, -1)
        table.derived["moments"] = torch.from_numpy(moments).view(*shape, -1)
    return table.derived["rows"], table.derived["moments"]


def _flat(values: Tensor) -> Tensor:
    return values.reshape(-1, values.shape[-1])


def _perceptron_step(
    parameters: Parameters,
    rates: Parameters,
    decays: Parameters,
    inputs: Tensor,
    added: Tensor | None,
    labels: Tensor,
    wanted: str = "input",
) -> tuple[Tensor, Tensor]:
    """Step of the perceptron of z = φ(inputs) + added; the losses (S,) and an error times minus the learning rate.

    That error is dL/d(inputs), (S, B, D), or with ``wanted="output"`` dL/dz, (S, B).
    """
    layers = perceptron_layers(parameters, "memory.")
    activations = [inputs]
    for i, (weight, bias) in enumerate(layers):
        out = torch.baddbmm(parameters[bias][:, None], activations[-1], parameters[weight].transpose(1, 2))
        activations.append(out.relu_() if i < len(layers) - 1 else out)
    logits = activations.pop().squeeze(-1)
    margins = (logits if added is None else logits + added) * labels
    output = torch.sigmoid(-margins).mul_(labels).mul_(rates[layers[0][1]] * (-1.0 / labels.shape[1]))
    error = output[..., None]
    for (weight, bias), activation in zip(reversed(layers), reversed(activations), strict=True):
        first = weight == layers[0][0]
        before = torch.bmm(error, parameters[weight]) if not first or wanted == "input" else error
        if not first:
            before = torch.ops.aten.threshold_backward(before, activation, 0.0)
        for name in (weight, bias):
            if name in decays:
                _decay(parameters[name], rates[name], decays[name])
        parameters[weight].baddbmm_(error.transpose(1, 2), activation)
        parameters[bias].add_(error.sum(1))
        error = before
    return F.softplus(-margins).mean(1), output if wanted == "output" else error


def _decay(value: Tensor, rate: Tensor, decay: Tensor) -> None:
    """θ ← θ (1 − ηλ), with ``rate`` = −η."""
    value.mul_(1 + rate * decay)
