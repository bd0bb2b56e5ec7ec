"""What a figure is: its name, the figures of the paper that it stands for, how it is prepared, and its caption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..theory.common.arguments import require
from ..validate import Claim
from ..validate.claim import SYMBOLS, network_words
from ..validate.place import NETWORKS
from . import style
from .results import Results, setting


@dataclass(frozen=True)
class Picture:
    """A figure ready to be drawn.

    Parameters
    ----------
    caption : str
        What is drawn, with the N, K, D, seeds and budget of the data themselves.
    panels : sequence of callables
        Each draws one panel on the axes it is given as ``ax``.
    height : float, inches
        Of a panel.
    columns : int
        Panels side by side; they share their axes unless ``shared`` is False.
    width : float
        Of all columns together, in columns of a paper.
    """

    caption: str
    panels: Sequence[Callable[..., Any]]
    height: float = 2.4
    columns: int = 1
    shared: bool = True
    width: float = 1.0

    def draw(self, ax: Axes | Sequence[Axes] | None = None) -> Canvas:
        """Draw on ``ax`` (one for each panel), or on new axes of a column's width.

        Raises
        ------
        ValueError
            If ``ax`` does not hold one axes for each panel.
        """
        with style.look():
            axes = self._axes() if ax is None else [ax] if isinstance(ax, Axes) else list(ax)
            require(len(axes) == len(self.panels), "ax", f"hold {len(self.panels)} axes, one a panel", len(axes))
            for panel, axis in zip(self.panels, axes, strict=True):
                panel(ax=axis)
            if ax is None and self.columns > 1 and self.shared:
                self._name_outer(axes)
        canvas = axes[0].get_figure(root=True)
        assert canvas is not None
        return canvas

    def _axes(self) -> list[Axes]:
        count, columns = len(self.panels), self.columns
        rows = -(-count // columns)
        canvas, axes = style.subplots(rows, columns, self.height * rows, columns > 1 and self.shared, self.width)
        flat = list(np.ravel(axes))
        for extra in flat[count:]:
            canvas.delaxes(extra)
        for lowest in flat[max(0, count - columns) : count]:  # of each column, also where the last row is not full
            lowest.tick_params(axis="x", which="both", labelbottom=True)
        return flat[:count]

    def _name_outer(self, axes: Sequence[Axes]) -> None:
        """What an axis is stands where its numbers do: below the lowest panels, and left of the first column."""
        for i, ax in enumerate(axes):
            if i + self.columns < len(axes):
                ax.set_xlabel("")
            if i % self.columns:
                ax.set_ylabel("")


# The words of a caption, from the data's own setting.


def span(values: Any) -> str:
    """One value, or the least and the greatest of several."""
    distinct = np.unique(np.asarray(values, dtype=float))
    distinct = distinct[np.isfinite(distinct)]
    if not distinct.size:
        return "∞"
    return f"{distinct[0]:g}" if distinct.size == 1 else f"{distinct[0]:g}–{distinct[-1]:g}"


def networks(*datasets: xr.Dataset) -> str:
    """Architecture, N, K, D, labels, decay, seeds and budget of datasets of networks; similar ones share one phrase."""
    alike: dict[tuple[str, int, str, float | None, str, int | None], list[xr.Dataset]] = {}
    for runs in datasets:
        fixed = setting(runs)
        key = (fixed["network"], fixed.get("depth", 1), fixed.get("labels", "iid"), fixed.get("learning_rate"),
               span(_values(runs, "width")), runs.sizes.get("seed"))  # fmt: skip
        alike.setdefault(key, []).append(runs)
    return "; ".join(_together(*key, together) for key, together in alike.items())


def _values(runs: xr.Dataset, name: str) -> np.ndarray:
    """A setting of every network of a dataset."""
    values = runs[name].values if name in runs.coords else setting(runs)[name]
    return np.ravel(np.asarray(values, dtype=float))


def _together(
    network: str, depth: int, labels: str, rate: float | None, width: str, seeds: int | None, alike: list[xr.Dataset]
) -> str:
    """Networks that differ in N, K, D, decay and budget at most."""

    def values(name: str) -> np.ndarray:
        return np.concatenate([_values(runs, name) for runs in alike])

    # those that were trained have an ending
    count = sum(int(np.isfinite(runs.ending.values.astype(float)).sum()) for runs in alike)
    parts = [f"{count} {'' if depth == 1 else f'{depth}-layer '}{_several(network)}"]
    parts += [f"{SYMBOLS[name]} = {span(values(name))}" for name in ("context_length", "task_diversity", "dimension")]
    parts.append(f"width {width}")
    if labels == "balanced":
        parts.append("balanced labels")
    if np.any(values("decay_attention") > 0):
        parts.append(f"λ = {span(values('decay_attention'))}")
    if seeds is not None:
        parts.append(f"{seeds} seeds each")
    budget = values("budget")
    ends = dict.fromkeys(f"{t / rate:,.0f}" for t in (budget.min(), budget.max())) if rate else ()
    steps = f" ({'–'.join(ends)} steps at learning rate {rate:g})" if rate else ""
    return ", ".join([*parts, f"t up to {span(budget)}{steps}"])


def _several(network: str) -> str:
    """Networks of a kind, in words."""
    return f"{NETWORKS[network]}s" if network in NETWORKS else f"networks {network_words(network)}"


def behind(results: Results, claims: Iterable[Claim]) -> str:
    """The networks that claims are measured on: in the words of their datasets, or where those are not there, few."""
    every = list(claims)
    if datasets := results.behind(every):
        return networks(*datasets)
    kinds = " and ".join(dict.fromkeys(_several(claim.network) for claim in every))
    where = [
        f"{SYMBOLS[name]} = {span([claim.at[name] for claim in every])}"
        for name in ("context_length", "dimension", "width", "budget")
        if all(isinstance(claim.at.get(name), int | float) for claim in every)
    ]
    return ", ".join([kinds, *where, f"{span([claim.seeds for claim in every])} seeds each"])


def memories(alone: xr.Dataset) -> str:
    """Architecture, K, D and seeds of a dataset of perceptrons trained alone."""
    fixed = setting(alone)
    tokens = "layer-normed tokens" if fixed.get("layer_norm") else "raw items"
    return (
        f"{alone.sizes['run']} perceptrons alone on {tokens}, D = {fixed.get('dimension', '?')}, width "
        f"{fixed.get('width', '?')}, {fixed.get('layers', '?')} layers, K = {span(alone.task_diversity)}, until c1 < "
        f"{fixed.get('until', '?')}"
    )
