"""Every prediction of a results folder at a glance: measured over predicted, and the verdict (new)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from . import style
from .entry import Figure, Picture
from .results import MissingResults, Results
from .table import kind

COLOURS = {"holds": style.MEASURED, "fails": style.IWL, "undecided": "0.55"}
_LIMITS = (0.1, 10.0)
_PITCH = 0.036  # inches from one prediction to the next


def ratios(results: Results) -> dict[str, list[dict[str, Any]]]:
    """The rows that compare as a ratio, known or unknown, by experiment."""
    found = {
        name: [row for row in one["comparisons"] if row["predicted"] is not None and row["scale"] == "ratio"]
        for name, one in results.experiments.items()
    }
    return {name: rows for name, rows in found.items() if rows}


def draw(rows: Mapping[str, Sequence[Mapping[str, Any]]], ax: Axes | None = None) -> Axes:
    """One line a prediction, by experiment from the top: measured over predicted with its interval; triangle: beyond.

    Parameters
    ----------
    rows : by experiment, comparisons as in ``summary.json``
    """
    with style.axes(ax, _height(rows)) as ax:
        y, places = 0, {}
        for name, group in rows.items():
            places[name.replace("_", " ")] = y + (len(group) - 1) / 2
            for row in group:
                value, low, high = (float(row["ratio"][end]) for end in ("value", "low", "high"))
                colour = COLOURS[kind(row["verdict"])]
                ax.plot(np.clip([low, high], *_LIMITS), [y, y], color=colour, linewidth=0.7, solid_capstyle="butt")
                marker = "o" if _LIMITS[0] <= value <= _LIMITS[1] else "<" if value < 1 else ">"
                ax.plot(np.clip(value, *_LIMITS), y, marker, color=colour, markersize=1.6)
                y += 1
            y += 1 + max(0, 3 - len(group))
        ax.axvline(1.0, color=style.THEORY, linewidth=0.8, zorder=0)
        ax.set(xscale="log", xlim=_LIMITS, ylim=(y - 0.5, -1), xlabel="measured / predicted")
        style.plain_ticks(ax.xaxis)
        ax.set_yticks(list(places.values()), list(places), fontsize=6)
        for verdict, colour in COLOURS.items():
            ax.plot([], [], "o-", color=colour, markersize=2.5, label=verdict)
        style.legend_above(ax, columns=3)
    return ax


def prepare(results: Results) -> Picture:
    rows = ratios(results)
    if not rows:
        raise MissingResults(
            f"Argument 'results' must hold comparisons, but {results.directory} does not; make them with "
            f"`{results.command(())}`."
        )
    every = [row for group in rows.values() for row in group]
    counted = Counter(kind(row["verdict"]) for row in every)
    caption = (
        f"Every prediction of the {results.preset} preset that is compared as a ratio: measured over predicted with "
        f"its 95 % interval. {counted['holds']} hold, {counted['fails']} fail, {counted['undecided']} are undecided, "
        "each by the bar fixed for it."
    )
    return Picture(caption, [partial(draw, rows)], height=_height(rows))


def _height(rows: Mapping[str, Sequence[Any]]) -> float:
    """Inches; a label needs the room of three rows."""
    return _PITCH * sum(max(len(group), 3) + 1 for group in rows.values()) + 0.8


FIGURE = Figure("verdicts", "Every prediction at a glance", prepare, (), ("any experiment",))
