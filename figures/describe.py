"""The words of a caption, from the data's own setting."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..theory._arguments import require
from .results import setting


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

    kind = "minimal models" if fixed["network"] == "minimal" else f"{_layers(fixed)}transformers"
    parts = [f"{_count(runs)} {kind}", f"N = {span(values('context_length'))}", f"K = {span(values('task_diversity'))}",
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


def memories(alone: xr.Dataset) -> str:
    """Architecture, K, D and seeds of a dataset of perceptrons trained alone."""
    fixed = setting(alone)
    tokens = "layer-normed tokens" if fixed.get("layer_norm") else "raw items"
    return (
        f"{alone.sizes['run']} perceptrons alone on {tokens}, D = {fixed.get('dimension', '?')}, width "
        f"{fixed.get('width', '?')}, {fixed.get('layers', '?')} layers, K = {span(alone.task_diversity)}, until c1 < "
        f"{fixed.get('until', '?')}"
    )


def _count(runs: xr.Dataset) -> int:
    """Networks that were trained: those that have an ending."""
    return int(np.isfinite(runs.ending.values.astype(float)).sum())


def _layers(fixed: dict[str, Any]) -> str:
    depth = fixed.get("depth", 1)
    return "" if depth == 1 else f"{depth}-layer "


def only(runs: xr.Dataset, *kept: str) -> xr.Dataset:
    """The dataset, refused where it has dimensions beyond ``kept``."""
    extra = [str(name) for name in runs.sizes if name not in kept]
    require(not extra, "runs", f"have the dimensions {', '.join(kept)}", ", ".join(map(str, runs.sizes)))
    return runs
