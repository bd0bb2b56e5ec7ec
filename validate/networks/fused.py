"""One step of stochastic gradient descent for stacked networks, forward, backward and update in one pass (CPU).

The gradient is linear in the error at the output, so the learning rate is multiplied into that error, once, and every
matrix product of the backward pass adds straight to the weights: no gradient is stored and none is read back. Other
devices differentiate :mod:`.stacked` automatically, for the same numbers; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.batches import Batch, OverlapBatch, Table
from . import kernels
from .bfloat16 import Bfloat16Perceptron
from .stacked import LAYER_NORM_EPSILON, Parameters, perceptron, perceptron_layers

#: ``step(batch)`` changes the parameters that it was made for in place and returns the losses ⟨log(1 + e^{−ℓz})⟩ before
#: it, (S,).
Step = Callable[[Batch], Tensor]

# The overload itself: choosing it among the operation's would take longer than a small network's errors.
_rectifier_backward = torch.ops.aten.threshold_backward.grad_input


class FusedTransformer:
    """Stacked :class:`.modules.Transformer` of depth 1, its perceptron stepped by ``perceptron``."""

    def __init__(
        self, residual_scale: float = 1.0, perceptron: type[Perceptron | Bfloat16Perceptron] | None = None
    ) -> None:
        self.residual_scale, self.perceptron = residual_scale, perceptron or Perceptron

    def prepare(self, table: Table) -> None:
        """Compute what is derived from the table, once for all of its networks."""
        _prepared(table)

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits z, (S, B), twice, as :meth:`.stacked.TransformerEnsemble.forward`."""
        inputs = _AttentionLayer(parameters, self.residual_scale).read(batch).inputs
        logits = perceptron(parameters, "memory.", inputs).squeeze(-1)
        return logits, logits

    def step_of(self, parameters: Parameters, rates: Parameters, decays: Parameters) -> Step:
        """See :class:`.computation.Computation`."""
        layer, memory = _AttentionLayer(parameters, self.residual_scale), self.perceptron(parameters, rates, decays)
        decayed = _decayed(parameters, rates, decays, ("attention.", "norm."))
        ratio = (rates["norm.weight"] / rates["memory.0.bias"])[:, None]

        def step(batch: Batch) -> Tensor:
            reading = layer.read(batch)
            loss, error = memory.step(reading.inputs, None, reading.labels)
            layer.update(reading, error * ratio, decayed)
            return loss

        return step


class _Reading(NamedTuple):
    """What the attention layer made of a batch; ``inputs`` (S, B, D + 2) is what the perceptron reads."""

    inputs: Tensor
    labels: Tensor
    attention: _Attention
    own: Tensor
    normed: Tensor
    query: Tensor
    key: Tensor
    average: Tensor
    read: Tensor


class _AttentionLayer:
    """LayerNorm, attention and residual at the target; views of its parameters are made once, not at every step."""

    def __init__(self, parameters: Parameters, residual_scale: float) -> None:
        self.residual_scale = residual_scale
        self.gain, self.shift = parameters["norm.weight"], parameters["norm.bias"]
        self.gains, self.shifts = self.gain[:, None], self.shift[:, None]
        self.query, self.key, self.value = (
            parameters[f"attention.{name}.weight"] for name in ("query", "key", "value")
        )
        self.turned_query, self.turned_key, self.turned_value = (
            weight.transpose(1, 2) for weight in (self.query, self.key, self.value)
        )

    def read(self, batch: Batch) -> _Reading:
        attention = _Attention(batch)
        raw, labels = attention.targets()
        own = torch.layer_norm(raw, raw.shape[-1:], eps=LAYER_NORM_EPSILON)
        normed = torch.addcmul(self.shifts, own, self.gains)
        query = torch.bmm(normed, self.turned_query)
        key = torch.bmm(query, self.key)
        average = attention.forward(own, key * self.gains)
        read = torch.addcmul(self.shifts, average, self.gains)
        inputs = torch.baddbmm(normed, read, self.turned_value, beta=self.residual_scale)
        return _Reading(inputs, labels, attention, own, normed, query, key, average, read)

    def update(self, seen: _Reading, error: Tensor, decayed: Decays) -> None:
        """Step all parameters, given dL/d(inputs) times minus their learning rate."""
        to_read = torch.bmm(error, self.value)
        to_direction = seen.attention.backward(to_read * self.gains)
        to_key = to_direction * self.gains
        to_query = torch.bmm(to_key, self.turned_key)
        # The normed target is read twice: by the query and by the residual.
        to_normed = torch.baddbmm(error, to_query, self.query, beta=self.residual_scale)
        to_gain = to_read * seen.average
        to_gain.addcmul_(to_direction, seen.key).addcmul_(to_normed, seen.own)
        _decay(decayed)
        self.gain.add_(to_gain.sum(1))
        self.shift.add_(to_read.add_(to_normed).sum(1))
        self.value.baddbmm_(error.transpose(1, 2), seen.read)
        self.key.baddbmm_(seen.query.transpose(1, 2), to_key)
        self.query.baddbmm_(to_query.transpose(1, 2), seen.normed)


class FusedMinimal:
    """Stacked :class:`.modules.MinimalModel`, its perceptron stepped by ``perceptron``."""

    def __init__(
        self, target_in_softmax: bool = False, perceptron: type[Perceptron | Bfloat16Perceptron] | None = None
    ) -> None:
        self.target_in_softmax, self.perceptron = target_in_softmax, perceptron or Perceptron

    def prepare(self, table: Table) -> None:
        """Nothing is derived from the table."""

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits z and memory φ, each (S, B)."""
        targets = batch.table.rows(batch.table.items, batch.target)
        memory = perceptron(parameters, "memory.", targets).squeeze(-1)
        return memory + parameters["w"][:, None] * self._attend(parameters["beta"], batch)[0], memory

    def step_of(self, parameters: Parameters, rates: Parameters, decays: Parameters) -> Step:
        """See :class:`.computation.Computation`."""
        w, beta, memory = (
            parameters["w"],
            parameters["beta"],
            self.perceptron(parameters, rates, decays, wanted="output"),
        )
        decayed = _decayed(parameters, rates, decays, ("w", "beta"))
        ratio = (rates["w"] / rates["memory.0.bias"].view(-1))[:, None]

        def step(batch: Batch) -> Tensor:
            answer, slope = self._attend(beta, batch)
            loss, error = memory.step(batch.targets, w[:, None] * answer, batch.target_labels)
            error = error * ratio
            to_w, to_beta = (error * answer).sum(1), (error * slope).sum(1) * w
            _decay(decayed)
            w.add_(to_w)
            beta.add_(to_beta)
            return loss

        return step

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

    def __init__(self, batch: Batch) -> None:
        table, self.batch = batch.table, batch
        kernels.set_threads_for(batch.context.numel() * (table.items.shape[-1] + 2))
        drawn = table.derived.get("padded")
        if drawn is None:
            self.rows, moments = (_flat(prepared).numpy() for prepared in _prepared(table))
        else:  # rows of one batch alone, sequence by sequence
            self.rows = _flat(drawn).numpy()
            moments = np.empty((len(self.rows), 2), self.rows.dtype)
        self.epsilon = 0.0 if drawn is None else LAYER_NORM_EPSILON
        self.labels = table.labels.reshape(-1).numpy()
        self.held = (self.rows, self.labels, moments, _flat(table.offset(batch.context)).numpy())

    def targets(self) -> tuple[Tensor, Tensor]:
        """Their tokens (S, B, D + 2), not yet normalised, and labels (S, B)."""
        table, target = self.batch.table, self.batch.target
        index = table.offset(target).reshape(-1).numpy()
        tokens, labels = kernels.target_tokens(self.rows, self.labels, index, table.items.shape[-1])
        return torch.from_numpy(tokens).view(*target.shape, -1), torch.from_numpy(labels).view(target.shape)

    def forward(self, own: Tensor, direction: Tensor) -> Tensor:
        """Averages (S, B, D + 2) of the normalised tokens; ``own`` are the targets'."""
        self.own = _flat(own).numpy()
        self.average, self.weights = kernels.attend_forward(
            *self.held, self.own, _flat(direction).numpy(), self.epsilon
        )
        return torch.from_numpy(self.average).view_as(direction)

    def backward(self, error: Tensor) -> Tensor:
        out = kernels.attend_backward(*self.held, self.own, self.weights, self.average, _flat(error).numpy())
        return torch.from_numpy(out).view_as(error)


def _prepared(table: Table) -> tuple[Tensor, Tensor]:
    """Padded rows (S, K, P) and the moments of their tokens (S, K, 2)."""
    if "rows" not in table.derived:
        rows = kernels.pad_rows(_flat(table.items).numpy())
        moments = kernels.row_moments(rows, table.items.shape[-1], LAYER_NORM_EPSILON)
        shape = table.labels.shape
        table.derived["rows"] = torch.from_numpy(rows).view(*shape, -1)
        table.derived["moments"] = torch.from_numpy(moments).view(*shape, -1)
    return table.derived["rows"], table.derived["moments"]


def _flat(values: Tensor) -> Tensor:
    return values.reshape(-1, values.shape[-1])


class Perceptron:
    """The perceptron of z = φ(inputs) + added; views of its parameters are made once, not at every step.

    ``wanted`` of a step's errors is that at the "input" or at the "output".
    """

    def __init__(
        self,
        parameters: Parameters,
        rates: Parameters,
        decays: Parameters,
        wanted: Literal["input", "output"] = "input",
    ) -> None:
        names = perceptron_layers(parameters, "memory.")
        self.layers = [(parameters[weight], parameters[bias]) for weight, bias in names]
        self.ahead = [(bias[:, None], weight.transpose(1, 2)) for weight, bias in self.layers]
        self.decayed = [_decayed(parameters, rates, decays, layer) for layer in names]
        self.rate, self.wanted = rates[names[0][1]], wanted

    def step(self, inputs: Tensor, added: Tensor | None, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The losses (S,), and minus the learning rate times dL/d(inputs), (S, B, D), or dL/dz, (S, B)."""
        activations = [inputs]
        for bias, weight in self.ahead[:-1]:
            activations.append(torch.baddbmm(bias, activations[-1], weight).relu_())
        logits = torch.baddbmm(self.ahead[-1][0], activations[-1], self.ahead[-1][1]).squeeze(-1)
        against = (logits if added is None else logits + added).mul(labels).neg_()
        output = torch.sigmoid(against).mul_(labels).mul_(self.rate * (-1.0 / labels.shape[1]))
        error = output[..., None]
        for i in range(len(self.layers) - 1, -1, -1):
            weight, bias = self.layers[i]
            before = torch.bmm(error, weight) if i or self.wanted == "input" else error
            if i:
                _rectifier_backward(before, activations[i], 0.0, grad_input=before)
            _decay(self.decayed[i])
            weight.baddbmm_(error.transpose(1, 2), activations[i])
            bias.add_(error.sum(1))
            error = before
        return F.softplus(against).mean(1), output if self.wanted == "output" else error


#: Parameters θ with their factors 1 − ηλ.
Decays = list[tuple[Tensor, Tensor]]


def _decayed(parameters: Parameters, rates: Parameters, decays: Parameters, prefixes: tuple[str, ...]) -> Decays:
    """Those of the parameters with such names; ``rates`` are −η."""
    names = [name for name in decays if name.startswith(prefixes)]
    return [(parameters[name], 1 + rates[name] * decays[name]) for name in names]


def _decay(decayed: Decays) -> None:
    """θ ← θ (1 − ηλ)."""
    for value, factor in decayed:
        value.mul_(factor)
