"""What couples a transformer's two circuits, measured on its perceptron trained alone (docs/reduced_transformer.md).

    k = Σ_θ |∂_θ ⟨∇f·v⟩|²/|v|²,   G² = |⟨∇f⟩|²,   s_φ = std of f on novel items,   g₂ = ⟨σ′(φ)|∇f|²⟩,
    Θ = ⟨|∂_θ f(x̂_k) − ⟨∂_θ f⟩|²⟩/K,   ⟨|∇f|²⟩

over the clock J = ∫⟨σ(−φ)⟩dt of a perceptron f that memorises K layer-normed items by full-batch gradient descent, with
no sequence anywhere. Averages are over the training items; k over directions v drawn once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr

from ...theory.common.arguments import number, require, within_memory
from ...theory.reduced_transformer import CouplingRun, MeasuredCoupling
from ..data.seeds import Purpose, derive_seed
from ..networks.computation import threads_for
from ..networks.stacked import Parameters, perceptron, perceptron_layers
from .config import addresses
from .perceptrons import (
    check_alone,
    content,
    dataset_of,
    descend,
    items_of,
    labels_of,
    show,
    squared_gradient,
    start,
    tracked_margins,  # fmt: skip
    train_missing,
)
from .progress import Bar
from .store import RunStore

# Equally probable quantiles of the margin: the middles of this many intervals.
QUANTILES = 16
# Clock between readings: this much, or this fraction of the clock where that is more. c1, and with it the margins,
# change by a few percent over it; linear interpolation of the readings then errs by less than a percent.
_BETWEEN_READINGS, _RELATIVE = 0.25, 0.02
_DIRECTIONS = 4
_NOVEL_ITEMS = 4096
COLUMNS = ("gain", "mean_gradient", "novel_std", "noise_cost", "self_kernel", "slope_square")
# Fresh items in a step: their loss is averaged over both labels of each.
_FRESH_ITEMS = 256
# Items over which Θ is averaged.
_KERNEL_ITEMS = 512


@dataclass(frozen=True)
class CouplingTraining:
    """One perceptron trained alone on K layer-normed items, its coupling to an attention layer recorded.

    Parameters
    ----------
    task_diversity : int, K even
    seed : int
    dimension : int, D
    width, layers : int
    learning_rate : float
        η; gradient-flow time is t = η × step.
    residual_scale : float
        Factor on the items, as the residual of the transformer carries them.
    layer_norm : bool
        Items are layer-normed tokens, as the transformer's perceptron reads them; raw ones, as the minimal model's,
        otherwise.
    until : float in (0, 1/2)
        Stop when c1 falls below this.
    budget : float
        Stop at this t at the latest.
    fresh_share : float, f in [0, 1)
        Share of the loss that is that of fresh items, with either label at even chances: (1 − f) L_K + f ⟨L₊ + L₋⟩/2.
        The clock is then ∫(1 − f) c1 dt.
    """

    task_diversity: int
    seed: int
    dimension: int = 31
    width: int = 128
    layers: int = 3
    learning_rate: float = 0.05
    residual_scale: float = 1.0
    layer_norm: bool = True
    until: float = 0.006
    budget: float = 2000.0
    fresh_share: float = 0.0

    def __post_init__(self) -> None:
        check_alone(self, 2, "residual_scale")
        require(0 <= number("fresh_share", self.fresh_share) < 1, "fresh_share", "be in [0, 1)", self.fresh_share)

    def check_memory(self, seeds: int = 1) -> None:
        """Refuse perceptrons whose first layers, or items, or readings of all seeds, are more than memory holds."""
        within_memory(4.0 * (self.dimension + self.width) * self.width, dimension=self.dimension, width=self.width)
        within_memory(4.0 * self.dimension * self.task_diversity, dimension=self.dimension)
        within_memory(1000.0 * seeds, calibration_seeds=seeds)

    def as_json(self) -> dict[str, Any]:
        return content(self, "coupling", {"fresh_share": 0.0})


def train_coupling(run: CouplingTraining, bar: Bar | None = None, device: str = "cpu") -> xr.Dataset:
    """The readings of ``run`` over ``clock``: ``time``, ``c1``, the margins' quantiles and the four couplings."""
    items = items_of(run, run.task_diversity, run.residual_scale).to(device)
    labels, parameters = labels_of(run.task_diversity).to(device), start(run, items)
    probes = _Probes(run, items, labels)
    readings: list[dict[str, Any]] = []
    clock, step = 0.0, 0
    with threads_for(run.task_diversity * sum(value.numel() for value in parameters.values())):
        while True:
            margins = tracked_margins(parameters, items, labels)
            loss = _loss(parameters, margins, run.fresh_share, _fresh(run, step, items.device))
            gradients, margins = torch.autograd.grad(loss, list(parameters.values())), margins.detach()[0]
            c1 = float(torch.sigmoid(-margins).mean())
            done = not c1 >= run.until or step * run.learning_rate >= run.budget
            if done or _due(readings, clock):
                row = {"clock": clock, "time": step * run.learning_rate, "c1": c1}
                readings.append(row | probes.read(parameters, margins))
                show(bar, run, c1)
            if done:
                return dataset_of(readings)
            descend(parameters, gradients, run.learning_rate)
            clock, step = clock + run.learning_rate * (1 - run.fresh_share) * c1, step + 1


def _fresh(run: CouplingTraining, step: int, device: torch.device) -> torch.Tensor | None:
    """Fresh items of a step (1, item, d); None without a share of them."""
    if not run.fresh_share:
        return None
    return items_of(run, _FRESH_ITEMS, run.residual_scale, Purpose.FRESH, step).to(device)


def _due(readings: list[dict[str, Any]], clock: float) -> bool:
    return not readings or clock - readings[-1]["clock"] > max(_BETWEEN_READINGS, _RELATIVE * clock)


def _loss(parameters: Parameters, margins: torch.Tensor, share: float, fresh: torch.Tensor | None) -> torch.Tensor:
    """The mean logistic loss, a share of it that of fresh items with either label."""
    loss = F.softplus(-margins).mean()
    if fresh is None:
        return loss
    output = perceptron(parameters, "", fresh)
    return (1 - share) * loss + share * (F.softplus(output) - output / 2).mean()


class _Probes:
    """What is read off the perceptron beside its margins."""

    def __init__(self, run: CouplingTraining, items: torch.Tensor, labels: torch.Tensor) -> None:
        self.items, self.labels, self.share = items, labels, run.fresh_share
        self.novel = items_of(run, _NOVEL_ITEMS, run.residual_scale, Purpose.ICL_TEST).to(items.device)
        generator = torch.Generator().manual_seed(derive_seed(run.seed, Purpose.BATCH))
        directions = torch.randn(_DIRECTIONS, items.shape[-1], generator=generator)
        self.directions = F.normalize(directions, dim=-1).to(items.device)

    def read(self, parameters: Parameters, margins: torch.Tensor) -> dict[str, Any]:
        at = self.items.clone().requires_grad_(True)
        (slopes,) = torch.autograd.grad(perceptron(parameters, "", at).sum(), at, create_graph=True)
        mean = slopes[0].mean(0)
        with torch.no_grad():
            novel = perceptron(parameters, "", self.novel).std()
            wrong = torch.sigmoid(-margins.double())
        cost = float((wrong * (1 - wrong) * slopes.detach()[0].square().sum(-1)).mean())
        if self.share:
            cost = (1 - self.share) * cost + self.share * self._novel_cost(parameters)
        return {
            "gain": np.mean([squared_gradient(mean @ v, list(parameters.values())) for v in self.directions]),
            "mean_gradient": float(mean.detach().square().sum()),
            "novel_std": float(novel),
            "noise_cost": cost,
            "self_kernel": _self_kernel(parameters, self.items[0, :_KERNEL_ITEMS]) / self.items.shape[1],
            "slope_square": float(slopes.detach().square().sum(-1).mean()),
            "margins": np.quantile(margins.double().cpu().numpy(), (np.arange(QUANTILES) + 0.5) / QUANTILES),
        }

    def _novel_cost(self, parameters: Parameters) -> float:
        """⟨σ′(f)|∇f|²⟩ over novel items: of fresh targets, either label."""
        at = self.novel[:, :_KERNEL_ITEMS].clone().requires_grad_(True)
        output = perceptron(parameters, "", at)
        (slopes,) = torch.autograd.grad(output.sum(), at)
        wrong = torch.sigmoid(output.detach())
        return float((wrong * (1 - wrong)).squeeze(-1).mul(slopes.square().sum(-1)).mean())


@torch.no_grad()
def _self_kernel(parameters: Parameters, items: torch.Tensor) -> float:
    """⟨|∂_θ f(x) − ⟨∂_θ f⟩|²⟩ over the items (item, d).

    The gradient of a layer's weights is δ hᵀ and that of its bias δ, so that products of gradients are those of δ
    times one plus those of h.
    """
    layers = [(parameters[weight][0], parameters[bias][0]) for weight, bias in perceptron_layers(parameters, "")]
    activations = [items]
    for weight, bias in layers[:-1]:
        activations.append(F.relu(F.linear(activations[-1], weight, bias)))
    error, products = items.new_ones(len(items), 1), items.new_zeros(len(items), len(items))
    for i in range(len(layers) - 1, -1, -1):
        products += (error @ error.T) * (activations[i] @ activations[i].T + 1)
        error = (error @ layers[i][0]) * (activations[i] > 0)
    return float(products.diag().mean() - products.mean())


def train_couplings(
    trainings: Sequence[CouplingTraining],
    store: RunStore,
    *,
    progress: bool = True,
    device: str = "cpu",
    description: str = "calibration",
) -> list[xr.Dataset]:
    """The readings of every training, from the store or trained now."""
    train_one = partial(train_coupling, device=device)
    return train_missing(trainings, store, train_one, 1.8, progress=progress, description=description)


@dataclass(frozen=True)
class CouplingCurves:
    """Perceptrons trained alone with their couplings: what was trained, and the readings of each."""

    trainings: Sequence[CouplingTraining]
    curves: Sequence[xr.Dataset]

    def tables(self) -> list[MeasuredCoupling]:
        """The theory's table of every calibration seed."""
        pairs = list(zip(self.trainings, self.curves, strict=True))
        tables = []
        for seed in sorted({training.seed for training in self.trainings}):
            of_seed = [(training, data) for training, data in pairs if training.seed == seed]
            tables.append(measured_coupling([training for training, _ in of_seed], [data for _, data in of_seed]))
        return tables

    def clocks(self) -> xr.Dataset:
        """I_K(∞) and the couplings at the start and at the end over ``run``."""
        ends = {f"{name}_{when}": [float(data[name][i]) for data in self.curves]
                for name in COLUMNS for when, i in (("first", 0), ("last", -1))}  # fmt: skip
        columns = {"clock": [float(data.clock[-1]) for data in self.curves], **ends}
        return xr.Dataset(
            {name: ("run", values) for name, values in columns.items()},
            {"task_diversity": ("run", [training.task_diversity for training in self.trainings]),
             "seed": ("run", [training.seed for training in self.trainings])},
            {"runs": addresses(self.trainings)},
        )  # fmt: skip


def measured_coupling(trainings: Sequence[CouplingTraining], readings: Sequence[xr.Dataset]) -> MeasuredCoupling:
    """The theory's table from stored readings of one seed, one task diversity each."""
    names = ("clock", "c1", "margins", *COLUMNS)
    return MeasuredCoupling(
        [
            CouplingRun(training.task_diversity, **{name: data[name].values for name in names})
            for training, data in zip(trainings, readings, strict=True)
        ]
    )
