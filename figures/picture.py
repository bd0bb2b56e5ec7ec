"""What a figure is: its name, the figures of the paper that it stands for, how it is prepared, and its caption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..theory._arguments import require
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
        Panels side by side; they then share their axes, unless ``shared`` says no.
    """

    caption: str
    panels: Sequence[Callable[..., Any]]
    height: float = 2.4
    columns: int = 1
    shared: bool = True

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
            for panel, one in zip(self.panels, axes, strict=True):
                panel(ax=one)
        canvas = axes[0].get_figure(root=True)
        assert canvas is not None
        return canvas

    def _axes(self) -> list[Axes]:
        count, columns = len(self.panels), self.columns
        rows = -(-count // columns)
        canvas, axes = style.subplots(rows, columns, self.height * rows, share=columns > 1 and self.shared)
        found = list(np.ravel(axes))
        for extra in found[count:]:
            canvas.delaxes(extra)
        return found[:count]


# The words of a caption, from the data's own setting.


def span(values: Any) -> str:
    """One value, or the least and the greatest of several."""
    found = np.unique(np.asarray(values, dtype=float))
    found = found[np.isfinite(found)]
    if not found.size:
        return "∞"
    return f"{found[0]:g}" if found.size == 1 else f"{found[0]:g}–{found[-1]:g}"


def networks(runs: xr.Dataset) -> str:
    """Architecture, N, K, D, labels, decay, seeds and budget of a dataset of networks."""
    fixed = setting(runs)

    def values(name: str) -> Any:
        return runs[name].values if name in runs.coords else fixed[name]

    count = int(np.isfinite(runs.ending.values.astype(float)).sum())  # those that were trained have an ending
    layers = "" if fixed.get("depth", 1) == 1 else f"{fixed['depth']}-layer "
    kind = f"{layers}{_several(fixed['network'])}"
    parts = [f"{count} {kind}", f"N = {span(values('context_length'))}", f"K = {span(values('task_diversity'))}",
             f"D = {span(values('dimension'))}", f"width {span(values('width'))}"]  # fmt: skip
    if fixed.get("labels", "iid") == "balanced":
        parts.append("balanced labels")
    if np.any(np.asarray(values("decay_attention")) > 0):
        parts.append(f"λ = {span(values('decay_attention'))}")
    if "seed" in runs.sizes:
        parts.append(f"{runs.sizes['seed']} seeds each")
    rate = fixed.get("learning_rate")
    steps = f" ({float(np.max(values('budget'))) / rate:,.0f} steps at learning rate {rate:g})" if rate else ""
    parts.append(f"t up to {span(values('budget'))}{steps}")
    return ", ".join(parts)


def _several(network: str) -> str:
    """Networks of a kind, in words."""
    return f"{NETWORKS[network]}s" if network in NETWORKS else f"networks {network_words(network)}"


def behind(results: Results, claims: Iterable[Claim]) -> str:
    """The networks that claims are measured on: in the words of their datasets, or where those are not there, few."""
    asked = list(claims)
    if found := results.behind(asked):
        return "; ".join(networks(runs) for runs in found)
    kinds = " and ".join(dict.fromkeys(_several(claim.network) for claim in asked))
    where = [
        f"{SYMBOLS[name]} = {span([claim.at[name] for claim in asked])}"
        for name in ("context_length", "dimension", "width", "budget")
        if all(isinstance(claim.at.get(name), int | float) for claim in asked)
    ]
    return ", ".join([kinds, *where, f"{span([claim.seeds for claim in asked])} seeds each"])


def memories(alone: xr.Dataset) -> str:
    """Architecture, K, D and seeds of a dataset of perceptrons trained alone."""
    fixed = setting(alone)
    tokens = "layer-normed tokens" if fixed.get("layer_norm") else "raw items"
    return (
        f"{alone.sizes['run']} perceptrons alone on {tokens}, D = {fixed.get('dimension', '?')}, width "
        f"{fixed.get('width', '?')}, {fixed.get('layers', '?')} layers, K = {span(alone.task_diversity)}, until c1 < "
        f"{fixed.get('until', '?')}"
    )
