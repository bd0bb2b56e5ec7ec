"""Which code computes a group's networks and their steps: one contract, two implementations held together by a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.batches import Batch
from ..training.config import Run
from .bfloat16 import Bfloat16Perceptron
from .cointegration import Cointegration
from .foreign import ForeignEnsemble, network_named
from .fused import FusedMinimal, FusedTransformer, Perceptron, Step
from .kernels import launch
from .optimisers import Optimiser, Plain, optimiser_of
from .stacked import MinimalEnsemble, Parameters, TransformerEnsemble, in_memory_group

#: Stacked networks of one kind.
Ensemble = MinimalEnsemble | TransformerEnsemble | ForeignEnsemble

# Products per step below which one core does all: threads that wait for each other cost more than they save.
_WORK_WORTH_THREADS = 2**22


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """Inside, matrix products use one core if a step has little ``work``, in products."""
    launch()  # the kernels' threads, once: that would undo what follows
    before = torch.get_num_threads()
    if work < _WORK_WORTH_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Computation(Protocol):
    """Forward pass and steps of stacked networks.

    ``step_of`` gives the step of these parameters (name -> (S, ...)), in place: tensors of these very dictionaries.
    ``rates`` holds minus the learning rates (S, 1, ...), one for the perceptron and one for all else; ``decays`` the
    weight decays λ in the same shape, or nothing: the gradient gains λ θ.
    """

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]: ...

    def step_of(self, parameters: Parameters, rates: Parameters, decays: Parameters) -> Step: ...


class Differentiated:
    """Steps of an ensemble by automatic differentiation: any depth, device, module and optimiser.

    ``compiled`` has PyTorch fuse forward and backward pass, for half a minute before the first step of every number of
    networks. Training does without: a recorded step launches nothing either.
    """

    def __init__(self, ensemble: Ensemble, compiled: bool = False, optimiser: Optimiser | None = None) -> None:
        self.ensemble = ensemble
        self.optimiser = optimiser or Plain()
        self._loss = torch.compile(self._losses) if compiled else self._losses

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.ensemble.forward(parameters, batch)

    def step_of(self, parameters: Parameters, rates: Parameters, decays: Parameters) -> Step:
        return partial(self._step, parameters, rates, decays)

    def _step(self, parameters: Parameters, rates: Parameters, decays: Parameters, batch: Batch) -> Tensor:
        followed = {name: value.detach().requires_grad_(True) for name, value in parameters.items()}
        with torch.enable_grad():
            loss = self._loss(followed, batch)
            gradients = torch.autograd.grad(loss.sum(), list(followed.values()))
        for (name, value), gradient in zip(parameters.items(), gradients, strict=True):
            if decays:
                gradient = gradient + decays[name] * value
            self.optimiser.advance(name, value, gradient, rates[name])
        return loss.detach()

    def _losses(self, parameters: Parameters, batch: Batch) -> Tensor:
        """Mean loss of every network, (S,)."""
        logits, _ = self.ensemble.forward(parameters, batch)
        return F.softplus(-logits * batch.target_labels).mean(1)


def ensemble_of(run: Run) -> Ensemble:
    """The stacked networks of runs like ``run``."""
    if run.foreign:
        return ForeignEnsemble(run)
    if run.network != "transformer":
        return MinimalEnsemble(run.task.target_in_softmax)
    return TransformerEnsemble(run.depth, run.residual_scale)


def computation_of(run: Run, portable: bool = False) -> Computation:
    """Hand-written, for a CPU, at depth 1; differentiated if it shall be ``portable`` to any device.

    Co-integration has its own, on any device; networks of the user's own, momentum and Adam are differentiated.
    """
    if run.network == "cointegration":
        return Cointegration(run.task)
    if portable or run.depth > 1 or run.foreign or not run.plain:
        return Differentiated(ensemble_of(run), optimiser=optimiser_of(run.optimiser, run.momentum))
    memory = Perceptron if run.precision == "float32" else Bfloat16Perceptron
    if run.network == "minimal":
        return FusedMinimal(run.task.target_in_softmax, memory)
    return FusedTransformer(run.residual_scale, memory)


def rates_and_decays(
    runs: list[Run], parameters: Parameters, device: str | torch.device, dtype: torch.dtype
) -> tuple[Parameters, Parameters]:
    """Minus the learning rates and the weight decays, each (S, 1, ...) per parameter; no decays if all are zero."""
    rates: Parameters = {}
    decays: Parameters = {}
    network = network_named(runs[0].network) if runs[0].foreign else None
    belongs = in_memory_group if network is None else network.memory or (lambda _: False)
    for name, value in parameters.items():
        memory = belongs(name)
        shape = (-1, *[1] * (value.ndim - 1))
        rate = [-run.learning_rate * (run.rate_ratio if memory else 1.0) for run in runs]
        decay = [run.decay_memory if memory else run.decay_attention for run in runs]
        rates[name] = torch.tensor(rate, dtype=dtype, device=device).view(shape)
        decays[name] = torch.tensor(decay, dtype=dtype, device=device).view(shape)
    return rates, decays if any(bool(decay.any()) for decay in decays.values()) else {}
