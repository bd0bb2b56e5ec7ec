"""The curve of a table that the command line prints: any column against any other, a line for each other setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from . import style

#: What a table's columns are called on an axis: those that are chosen, and those that follow from them.
SETTINGS = {
    "context_length": "context length $N$", "task_diversity": "task diversity $K$", "dimension": "item dimension $D$",
    "beta0": r"initial attention $\beta_0$", "w0": "initial readout $w_0$", "budget": "training time $T$",
    "decay": r"weight decay $\lambda$", "labels": "context labels", "quantile": "quantile",
    "copies": "copies of the target $m$", "amplitude": "amplitude $A$", "exponent": r"exponent $\nu$",
    "beta0_mean": r"mean of $\beta_0$", "beta0_std": r"standard deviation of $\beta_0$", "width": "width",
    "layers": "layers", "depth": "attention layers", "learning_rate": r"learning rate $\eta$",
    "rate_ratio": "ratio of rates $r$", "momentum": r"momentum $\mu$", "batch_size": "batch size",
    "decay_memory": r"weight decay of the memory $\lambda_\mathrm{mem}$", "attention_scale": "attention scale",
    "residual_scale": "residual scale", "frequency_exponent": r"exponent of frequencies $\alpha$",
    "noise": r"noise of tokens $\epsilon$", "fresh_share": "share of fresh sequences $f$",
    "time": r"time $t$ = learning rate $\times$ steps", "seed": "seed",
}  # fmt: skip
FOUND = {
    "acquisition_time": "time to acquire ICL", "quantile_time": "time to acquire ICL", "threshold": "threshold $K^*$",
    "probability": "P(acquire ICL)", "time_acquired": "ICL acquired", "time_lost": "ICL lost",
    "icl_accuracy": "ICL accuracy", "iwl_accuracy": "IWL accuracy", "circuit_accuracy": "accuracy of the ICL circuit",
}  # fmt: skip
#: Columns between 0 and 1, on a linear axis that shows all of that.
_SHARES = ("probability", "icl_accuracy", "iwl_accuracy", "circuit_accuracy")
_DASHES = ("-", "--", ":")


def draw_curves(
    rows: Sequence[Mapping[str, Any]], x: str, y: str | Sequence[str], ax: Axes | None = None, title: str = ""
) -> Axes:
    """Columns ``y`` against ``x``: a colour for every combination of the other settings, a dash for every column.

    Points that are not finite are left out. Where ``x`` has one value only, the first setting that varies takes its
    place. Axes are logarithmic where all that stands on them is positive and no share.
    """
    columns = [y] if isinstance(y, str) else list(y)
    varied = [name for name in SETTINGS if len({row[name] for row in rows if name in row}) > 1]
    x = x if x in varied or not varied else varied[0]
    series = [name for name in varied if name != x]
    settings = list(dict.fromkeys(tuple(row[name] for name in series) for row in rows))
    shown: list[float] = []
    with style.axes(ax) as ax:
        for colour, setting in zip(style.shades(settings), settings, strict=True):
            series_rows = [row for row in rows if tuple(row[name] for name in series) == setting]
            for dash, column in zip(_DASHES, columns, strict=False):
                at = np.array([(row[x], row[column]) for row in series_rows], dtype=float)
                at = at[np.isfinite(at).all(axis=1)]
                words = [f"{_symbol(name)} = {_text(value)}" for name, value in zip(series, setting, strict=True)]
                words += [FOUND.get(column, column)] if len(columns) > 1 else []
                if at.size:
                    ax.plot(*at.T, linestyle=dash, marker="o" if len(at) < 12 else None, markersize=2.5, color=colour,
                            label=", ".join(words))  # fmt: skip
                    shown += at[:, 1].tolist()
        _scales(ax, [float(row[x]) for row in rows], shown, columns)
        name = FOUND.get(columns[0], columns[0]) if len(columns) == 1 else _together(columns)
        ax.set(xlabel=SETTINGS.get(x, x), ylabel=name)
        style.legend_above(ax, title=_title(title, rows, [x, *series]), columns=2 if len(settings) > 3 else 1)
    return ax


def _scales(ax: Axes, x: Sequence[float], y: Sequence[float], columns: Sequence[str]) -> None:
    finite = [value for value in x if math.isfinite(value)]
    if finite and min(finite) > 0:
        ax.set_xscale("log")
        style.plain_ticks(ax.xaxis)
    elif len([value for value in finite if value > 0]) > 1 and min(finite) == 0:
        ax.set_xscale("symlog", linthresh=min(value for value in finite if value > 0))
    if all(column in _SHARES for column in columns):
        ax.set_ylim(-0.02, 1.02)
    elif y and min(y) > 0:
        ax.set_yscale("log")
        style.plain_ticks(ax.yaxis)
    elif not y:
        ax.text(0.5, 0.5, "no finite value", transform=ax.transAxes, ha="center", va="center", color="0.4")


def _together(columns: Sequence[str]) -> str:
    return "accuracy" if all(column in _SHARES for column in columns) else "time"


def _title(title: str, rows: Sequence[Mapping[str, Any]], shown: Sequence[str]) -> str:
    """The title, and the settings that neither an axis nor the legend shows."""
    fixed = [name for name in SETTINGS if name not in shown and name in rows[0] and name != "seed"]
    words = [f"{_symbol(name)} = {_text(rows[0][name])}" for name in fixed]
    return "\n".join(filter(None, [title.replace("K*", "$K^*$"), ", ".join(words)]))


def _symbol(name: str) -> str:
    """The symbol at the end of an axis's words, or the words where there is none."""
    words = SETTINGS[name]
    return words[words.rindex(" ") + 1 :] if words.endswith("$") and name != "time" else words


def _text(value: Any) -> str:
    return "∞" if value == math.inf else f"{value:g}" if isinstance(value, int | float) else str(value)
