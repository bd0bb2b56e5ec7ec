"""The memory's clock, measured on the perceptron alone (paper, section 4; docs/derivation.md, memory laws).

    θ ← θ − η ∇ ⟨log(1 + e^{−φ_k})⟩,   c1 = ⟨σ(−φ)⟩,   c2 = 1 − ⟨σ(−φ)²⟩/c1,   c3 = ⟨e^{−φ}⟩,   I_K(t) = ∫ c1 dt

with φ_k = ℓ_k φ(x_k) the margins of the K items and averages over the items' frequencies p_k ∝ k^(−α). Full-batch
gradient descent at the learning rate η of the networks it speaks for, so that what the finite step does to the clock is
the same on both sides of a comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr

from ...theory import item_frequencies
from ...theory.common.arguments import number, python_number
from ..networks.computation import threads_for
from ..networks.stacked import Parameters
from .perceptrons import check_alone, content, dataset_of, descend, items_of, labels_of, show, start, tracked_margins
from .progress import Bar

QUANTILES = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
_STEPS_BETWEEN_SAMPLES = 5


@dataclass(frozen=True)
class MemoryTraining:
    """One perceptron trained alone on K items.

    Parameters
    ----------
    task_diversity : int, K even
    seed : int
    dimension : int, D
    width, layers : int
    layer_norm : bool
        Items are tokens of D + 2 numbers normalised to length √(D + 2), as the transformer's perceptron reads them;
        otherwise raw items of length about 1.
    learning_rate : float
        η; gradient-flow time is t = η × step.
    until : float
        Stop when c1 falls below this.
    budget : float
        Stop at this t at the latest.
    frequency_exponent : float, α >= 0
        Items are met with frequency p_k ∝ k^(−α).
    input_scale : float
        Factor s on the inputs: the perceptron of a transformer whose residual is scaled by s reads s·x̂.
    """

    task_diversity: int
    seed: int
    dimension: int = 63
    width: int = 512
    layers: int = 3
    layer_norm: bool = False
    learning_rate: float = 0.3
    until: float = 0.01
    budget: float = 3000.0
    frequency_exponent: float = 0.0
    input_scale: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, python_number(getattr(self, field.name)))
        check_alone(self, 1, "input_scale")
        number("frequency_exponent", self.frequency_exponent, minimum=0.0)

    def as_json(self) -> dict[str, Any]:
        return content(self, "memory", {"frequency_exponent": 0.0, "input_scale": 1.0})


def train_memory(run: MemoryTraining, bar: Bar | None = None, device: str = "cpu") -> xr.Dataset:
    """The curves of ``run``: clock, c1, c2, c3 over ``time`` and the margins' quantiles over (time, quantile).

    Where the perceptron diverged they end before it, and the attribute ``status`` says so.
    """
    items = items_of(run, run.task_diversity, run.input_scale).to(device)
    labels, parameters = labels_of(run.task_diversity).to(device), start(run, items)
    with threads_for(run.task_diversity * sum(value.numel() for value in parameters.values())):
        return _descend(run, parameters, items, labels, bar)


def _descend(
    run: MemoryTraining, parameters: Parameters, items: torch.Tensor, labels: torch.Tensor, bar: Bar | None
) -> xr.Dataset:
    weights = _weights(run, items.device)
    samples: list[dict[str, Any]] = []
    clock, step = 0.0, 0
    while True:
        margins = tracked_margins(parameters, items, labels)
        gradients = torch.autograd.grad(_average(F.softplus(-margins), weights), list(parameters.values()))
        margins = margins.detach()[0].double()
        wrong = torch.sigmoid(-margins)
        c1 = float(_average(wrong, weights))
        if not np.isfinite(c1):
            return dataset_of(samples, quantile=list(QUANTILES)).assign_attrs(status="diverged")
        done = c1 < run.until or step * run.learning_rate >= run.budget
        if done or step % _STEPS_BETWEEN_SAMPLES == 0:
            samples.append(_sample(margins, wrong, weights, clock, step * run.learning_rate))
            show(bar, run, c1)
        if done:
            return dataset_of(samples, quantile=list(QUANTILES))
        descend(parameters, gradients, run.learning_rate)
        clock, step = clock + run.learning_rate * c1, step + 1


def _weights(run: MemoryTraining, device: torch.device) -> torch.Tensor | None:
    """p_k, float64 (K,); None where all are equal."""
    if not run.frequency_exponent:
        return None
    return torch.from_numpy(item_frequencies(run.task_diversity, run.frequency_exponent)).to(device)


def _average(values: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Σ_k p_k v_k, over the last axis."""
    return values.mean() if weights is None else (values * weights.to(values.dtype)).sum()


def _sample(
    margins: torch.Tensor, wrong: torch.Tensor, weights: torch.Tensor | None, clock: float, time: float
) -> dict[str, Any]:
    c1 = _average(wrong, weights)
    return {
        "time": time,
        "clock": clock,
        "c1": float(c1),
        "c2": float(1 - _average(wrong.square(), weights) / c1),
        "c3": float(_average(torch.exp(-margins), weights)),
        "margins": _quantiles(margins, weights),
    }


def _quantiles(margins: torch.Tensor, weights: torch.Tensor | None) -> np.ndarray:
    """Quantiles of the margin a sequence meets: linear between items, each at the middle of its own probability."""
    if weights is None:
        return torch.quantile(margins.cpu(), torch.tensor(QUANTILES, dtype=margins.dtype)).numpy()
    order = margins.argsort()
    p = weights[order].cpu().numpy()
    return np.interp(QUANTILES, np.cumsum(p) - p / 2, margins[order].cpu().numpy())
