"""Co-integration: a real perceptron and (w, β), trained on a loss that is averaged over contexts, without sequences.

    L = ⟨E_n log(1 + e^{−φ_k − w a(β, n)})⟩ over items k
    θ ← θ − η r (∂L/∂θ + λ_θ θ),   w ← w − η (∂L/∂w + λ w),   β ← β − η (∂L/∂β + λ β)

One rung of the ladder between the reduced equations, whose memory is a law with a single coordinate, and the minimal
model, whose contexts are drawn: the memory is the network's own, with all its margins, and the contexts are the
theory's average. A memory law breaks down after acquisition, where w ≫ 1 makes the perceptron work on its worst items
first; co-integration does not.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ...theory import Task, loss_gradient, population_loss
from ...theory.common.arguments import require
from ..data.batches import Batch
from ..training.config import Run
from .fused import Step
from .stacked import MinimalEnsemble, Parameters, in_memory_group, perceptron

#: Hermite nodes of the average over contexts, as many as :class:`iclrace.simulate.CoupledModel` takes.
NODES = 16


def cointegrated(run: Run) -> Run:
    """The co-integration of a minimal model: same items, same initial perceptron, same targets, averaged contexts.

    Parameters
    ----------
    run : Run
        A minimal model with finite K, without within-class noise.

    Returns
    -------
    Run
        Trained, stored and measured (on sequences) like any other.

    Raises
    ------
    ValueError
        If ``run`` is another network, has K → ∞ or noise.

    Source: docs/derivation.md, "memory law" and "transience".

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> from iclrace.validate import Run
    >>> cointegrated(Run("minimal", Task(25, 500, 63), seed=0, decay_attention=1e-2)).network
    'cointegration'
    """
    require(run.network == "minimal", "run", "be a minimal model", run.network)
    return replace(run, network="cointegration")


class Cointegration:
    """Steps of stacked co-integrated networks; the contract is :class:`.computation.Computation`.

    A batch's targets are the items of the step, its contexts are not read. A batch as large as K stands for all items,
    each once (full-batch gradient descent).
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.ensemble = MinimalEnsemble(task.target_in_softmax)

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits z and memory φ, each (S, B): on sequences, as the minimal model's."""
        return self.ensemble.forward(parameters, batch)

    def step_of(self, parameters: Parameters, rates: Parameters, decays: Parameters) -> Step:
        """The step of these parameters, which returns L before it, (S,)."""
        return partial(self._step, parameters, rates, decays)

    def _step(self, parameters: Parameters, rates: Parameters, decays: Parameters, batch: Batch) -> Tensor:
        items, labels, weight = items_of(batch)
        memory = {n: p.detach().requires_grad_(True) for n, p in parameters.items() if in_memory_group(n)}
        with torch.enable_grad():
            margins = perceptron(memory, "memory.", items).squeeze(-1) * labels
        loss, slopes = self._averaged(parameters["w"], parameters["beta"], margins.detach())
        to_w, to_beta, to_margin = (weight[..., None] * slopes).unbind(-1)
        of_memory = torch.autograd.grad(margins, list(memory.values()), to_margin.to(margins))
        gradients = {**dict(zip(memory, of_memory, strict=True)), "w": to_w.sum(1), "beta": to_beta.sum(1)}
        for name, value in parameters.items():
            gradient = gradients[name].to(value)
            if decays:
                gradient = gradient + decays[name] * value
            value.addcmul_(gradient, rates[name])
        return (weight * loss).sum(1)

    def _averaged(self, w: Tensor, beta: Tensor, margins: Tensor) -> tuple[Tensor, Tensor]:
        """L (S, B) and its gradient in (w, β, φ), (S, B, 3), at every margin."""
        point = [value.detach().cpu().double().numpy() for value in (w[:, None], beta[:, None], margins)]
        loss = population_loss(point[0], point[1], self.task, point[2], nodes=NODES)
        slopes = loss_gradient(point[0], point[1], self.task, point[2], nodes=NODES)
        return torch.from_numpy(loss).to(margins.device), torch.from_numpy(slopes).to(margins.device)


def items_of(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Items (S, B, D), labels (S, B) and weights (S, B), of sum 1, over which a step averages."""
    table, (networks, size) = batch.table, batch.target.shape
    if size < table.items.shape[1]:
        even = torch.full((networks, size), 1 / size, dtype=torch.float64, device=batch.target.device)
        return table.rows(table.items, batch.target), batch.target_labels, even
    present = (table.items != 0).any(-1).double()  # the tables of smaller K are filled up with zeros
    return table.items, table.labels, present / present.sum(1, keepdim=True)
