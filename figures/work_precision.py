"""Work and precision of the ODE ensembles beside their peers (new); measured by ``python -m benchmarks.ode``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes

from ..validate import schema
from . import style
from .picture import Picture
from .results import MissingResults, Results

_FILE = "ode.json"


def draw(table: Mapping[str, Sequence[Mapping[str, float]]], ax: Axes | None = None, title: str = "") -> Axes:
    """µs per trajectory against the achieved error, one line a method; ours is heavy."""
    with style.axes(ax) as ax:
        for i, (name, points) in enumerate(table.items()):
            ours = name == "iclrace"
            ax.plot([p["error"] for p in points], [p["microseconds"] for p in points], color=style.SERIES[i % 7],
                    marker=style.MARKERS[i % 7], markersize=3, linewidth=1.8 if ours else 0.8,
                    linestyle="-" if i < 7 else "--", label=name)  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel="achieved error, relative to $1 + |y|$", ylabel="µs per trajectory")
        style.plain_ticks(ax.yaxis)
        ax.invert_xaxis()
        style.legend_above(ax, title, 2)
    return ax


def prepare(results: Results) -> Picture:
    places = [folder / _FILE for folder in (results.directory, results.directory.parent)]
    path = next((place for place in places if place.is_file()), places[-1])
    if not path.is_file():
        command = f"python -m benchmarks.ode --json {path}"
        raise MissingResults(f"{_FILE}, or the folder around it", results.directory, command)
    content: dict[str, Any] = schema.read(path, schema.WORK)
    panels = [partial(draw, table, title=case) for case, table in content.items()]
    counts = {len(points) for table in content.values() for points in table.values()} or {0}
    caption = (
        f"Work against precision of ensembles of trajectories, {', '.join(content)}, N = 100: what 95 % of the final "
        f"states stay below, up to {max(counts)} tolerances, all methods in one run."
    )
    return Picture(caption, panels)
