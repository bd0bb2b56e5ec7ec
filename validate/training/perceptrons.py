"""What trainings of perceptrons alone share: items, readings, and the list of which the missing ones are trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr

from ...theory.common.arguments import integer, number, require
from ..data.seeds import Purpose, derive_seed
from ..networks import modules
from ..networks.stacked import Parameters, initialise, perceptron
from .deadline import check
from .progress import Bar
from .store import RunStore

if TYPE_CHECKING:
    from .coupling import CouplingTraining
    from .memory import MemoryTraining


Alone: TypeAlias = "MemoryTraining | CouplingTraining"


def content(training: Alone, kind: str, added: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a stored result's address is made of.

    ``added`` came after the first results were stored: at these values they leave those addresses alone.
    """
    settings = {"kind": kind, **asdict(training)}
    return {name: value for name, value in settings.items() if name not in added or value != added[name]}


def check_alone(training: Alone, layers: int, *positive: str) -> None:
    """``ValueError`` for what no training of a perceptron takes: one of fewer ``layers``, fields not ``positive``."""
    k = integer("task_diversity", training.task_diversity, minimum=2)
    require(k % 2 == 0, "task_diversity", "be even", k)
    for name, least in (("seed", 0), ("dimension", 1), ("width", 1), ("layers", layers)):
        integer(name, getattr(training, name), minimum=least)
    for name in ("learning_rate", "budget", *positive):
        number(name, getattr(training, name), minimum=0.0, exclusive=True)
    number("until", training.until, minimum=0.0, maximum=0.5, exclusive=True)
    require(isinstance(training.layer_norm, bool), "layer_norm", "be True or False", training.layer_norm)


def items_of(run: Alone, number: int, scale: float, purpose: Purpose = Purpose.ITEMS, step: int = 0) -> torch.Tensor:
    """Layer-normed targets (1, number, D + 2), or raw items (1, number, D), times ``scale``."""
    generator = torch.Generator().manual_seed(derive_seed(run.seed, purpose, step))
    items = torch.randn(1, number, run.dimension, generator=generator) * run.dimension**-0.5
    if not run.layer_norm:
        return scale * items
    tokens = modules.target_tokens(items)
    return scale * F.layer_norm(tokens, tokens.shape[-1:])


def start(run: Alone, items: torch.Tensor) -> Parameters:
    """The perceptron before training, beside the items that it will read."""
    parameters = initialise(lambda _: modules.perceptron(items.shape[-1], run.width, 1, run.layers), [run.seed])
    return {name: value.to(items.device) for name, value in parameters.items()}


def labels_of(number: int) -> torch.Tensor:
    """±1 in turns, (number,)."""
    return 1.0 - 2.0 * (torch.arange(number) % 2)


def tracked_margins(parameters: Parameters, items: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The margins (1, K), of which gradients can be taken."""
    for value in parameters.values():
        value.requires_grad_(True)
    return perceptron(parameters, "", items).squeeze(-1) * labels


@torch.no_grad()
def descend(parameters: Parameters, gradients: Sequence[torch.Tensor], rate: float) -> None:
    for value, gradient in zip(parameters.values(), gradients, strict=True):
        value.sub_(gradient, alpha=rate)


def squared_gradient(value: torch.Tensor, parameters: Sequence[torch.Tensor]) -> float:
    """|∂_θ value|². Biases act through the gates alone, whose derivative vanishes almost everywhere."""
    parts = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return sum(float(part.square().sum()) for part in parts if part is not None)


def show(bar: Bar | None, run: Alone, c1: float) -> None:
    """The fraction done: the margin log(1/c1) rises almost linearly in the clock."""
    if bar is not None:
        fraction = float(np.clip(np.log(0.5 / max(c1, run.until)) / np.log(0.5 / run.until), 0, 1))
        bar.update(fraction, f"K {run.task_diversity}, c1 {c1:.3f}")


def dataset_of(readings: Sequence[Mapping[str, Any]], **coords: Any) -> xr.Dataset:
    """Readings over ``time``; the margins' quantiles over (time, quantile)."""
    columns = {name: np.array([row[name] for row in readings]) for name in readings[0]}
    times, margins = columns.pop("time"), columns.pop("margins")
    variables: dict[str, Any] = {name: ("time", column) for name, column in columns.items()}
    return xr.Dataset(
        variables | {"margins": (("time", "quantile"), margins)},
        coords={"time": ("time", times, {"units": "gradient-flow time, learning rate x step"}), **coords},
        attrs={"torch": str(torch.__version__)},
    )


class Part(Bar):
    """A share of another bar."""

    def __init__(self, whole: Bar, start: float, end: float) -> None:
        self.whole, self.start, self.end = whole, start, end

    def update(self, fraction: float, note: str = "") -> None:
        self.whole.update(self.start + fraction * (self.end - self.start), note)


def train_missing(
    trainings: Sequence[Any],
    store: RunStore,
    train_one: Callable[[Any, Bar], xr.Dataset],
    growth: float,
    *,
    progress: bool = True,
    description: str,
) -> list[xr.Dataset]:
    """The readings of every training, from the store or trained now; one costs K^``growth``, items times steps."""
    costs = np.array([training.task_diversity**growth for training in trainings])
    done = np.concatenate([[0.0], np.cumsum(costs)]) / costs.sum()
    if any(training not in store for training in trainings):
        with Bar(f"{description} ({len(trainings)} perceptrons)", show=progress) as bar:
            for i, training in enumerate(trainings):
                if training not in store:
                    check()
                    started = time.perf_counter()
                    readings = train_one(training, Part(bar, done[i], done[i + 1]))
                    store.save(training, readings, seconds=time.perf_counter() - started)
    return [store.load(training) for training in trainings]
