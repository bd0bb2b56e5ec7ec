"""Scans of K: final accuracies, the race of the two circuits, and its collapse on one clock (paper, 2b, 2c, 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..validate import Claim, Claims, acquisition_times
from ..validate.claim import SYMBOLS, network_words
from ..validate.experiments.scan import memory_label
from ..validate.values import Value
from . import picture, style
from .picture import Picture
from .results import Results

Curve = tuple[Sequence[float], Sequence[float]]

_NEEDS = ("icl_accuracy", "iwl_accuracy", "circuit_accuracy", "clock", "seed", "time")
#: What a scan may differ in from one with the plain task and rates.
_PLAIN = {"copies": 1, "frequency_exponent": 0.0, "rate_ratio": 1.0}


@dataclass(frozen=True)
class Scan:
    """Networks over (task_diversity, seed), and the claims that are measured on them."""

    claims: Claims
    runs: xr.Dataset

    @property
    def at(self) -> dict[str, Any]:
        """The coordinates of its K*."""
        return dict(self.claims.select(quantity="K*")[0].at)

    @property
    def title(self) -> str:
        """Network, N and the time at which training ends, and what is not plain."""
        where = [f"{SYMBOLS[name]} = {self.at[name]:g}" for name, plain in _PLAIN.items() if self.at[name] != plain]
        network = network_words(self.claims[0].network).replace("_", " ")
        where += [f"T = {self.at['budget']:g}"] if isinstance(self.at.get("budget"), int | float) else []
        return ", ".join([network, f"N = {self.at['context_length']}", *where])

    def predicted(self, quantity: str, **fields: Any) -> Value | None:
        """The prediction of the first claim about the quantity with these fields; None if there is none."""
        matching = self.claims.select(quantity=quantity, **fields)
        return matching[0].predicted if matching else None

    def memory(self, results: Results) -> xr.Dataset | None:
        """The perceptrons alone that predict it."""
        first: Claim = self.claims[0]
        datasets = results.datasets(
            first.experiment, "calibration", memory_label("raw", first.data[0]), needs=["clock_at_budget", "margins"]
        )
        return datasets[0] if datasets else None


def scans(results: Results, *experiments: str) -> list[Scan]:
    """The scans of the first of the experiments that the folder holds, in increasing N.

    Raises
    ------
    MissingResults
        If it holds none of them.
    """
    for experiment in experiments:
        collected = []
        for data in dict.fromkeys(claim.data for claim in results.select(experiment=experiment, quantity="K*")):
            claims = Claims(claim for claim in results.select(experiment=experiment) if claim.data == data)
            collected += [Scan(claims, runs) for runs in results.behind(claims, needs=_NEEDS)]
        if collected:
            return sorted(collected, key=lambda scan: scan.at["context_length"])
    raise results.missing(*experiments)


def draw_accuracy(
    runs: xr.Dataset,
    predicted: Value | None = None,
    ax: Axes | None = None,
    title: str = "",
    theory: Curve | None = None,
) -> Axes:
    """Circles: final accuracies of single networks; lines: their means; vertical line and band: predicted K*.

    Parameters
    ----------
    runs : Dataset with ``icl_accuracy`` and ``iwl_accuracy`` over (task_diversity, seed, time)
    predicted : Estimate, optional
        K* and its interval; not drawn where infinite.
    theory : (K, accuracy), optional
        ICL accuracy of the circuit that the coupled equations end with; ``circuit_accuracy`` is then drawn as crosses.
    """
    with style.axes(ax) as ax:
        k = runs.task_diversity.values
        for name, label, colour in (("icl_accuracy", "ICL", style.ICL), ("iwl_accuracy", "IWL", style.IWL)):
            ends = last(runs[name])
            ax.plot(k, ends.mean("seed"), color=colour, label=label, alpha=0.6)
            _each(ax, ends, "o", color=colour, markerfacecolor="none")
        if theory is not None:
            ax.plot(*theory, color=style.THEORY, linewidth=1.0, label="ICL circuit, coupled equations")
            _each(ax, last(runs.circuit_accuracy), "x", color=style.MEASURED, label="ICL circuit alone")
        for value, *_ in style.known([predicted]):
            style.mark(ax, predicted, f"predicted $K^*$ = {value:.0f}")
        ax.set(xscale="log", xlabel="task diversity $K$", ylabel="accuracy", ylim=(0.4, 1.03))
        style.label_ticks(ax, k)
        style.legend_above(ax, title)
    return ax


def _each(ax: Axes, ends: xr.DataArray, marker: str, **options: Any) -> None:
    """One point a network over its K."""
    values = ends.transpose("task_diversity", "seed")
    ax.plot(np.repeat(ends.task_diversity.values, ends.sizes["seed"]), values.values.ravel(), marker, **options)


def last(values: xr.DataArray) -> xr.DataArray:
    """The last finite value along ``time``; NaN where there is none."""

    def end(values: np.ndarray) -> float:
        finite = values[np.isfinite(values)]
        return float(finite[-1]) if finite.size else np.nan

    return xr.apply_ufunc(end, values, input_core_dims=[["time"]], vectorize=True)


def draw_race(runs: xr.Dataset, predicted: Value | None = None, ax: Axes | None = None, title: str = "") -> Axes:
    """I_K(t), one line a network, coloured by K; a dot where its circuit reaches 95 %, a cross where it ends without.

    Parameters
    ----------
    runs : Dataset with ``clock`` and ``circuit_accuracy`` over (task_diversity, seed, time)
    predicted : Estimate, optional
        I*, in gradient-flow time: the dashed line.
    """
    times = acquisition_times(runs, "circuit_accuracy")
    with style.axes(ax) as ax:
        for at, colour, label in _networks(runs):
            clock = runs.clock.sel(at).dropna("time")
            ax.plot(clock.time, clock, color=colour, linewidth=0.9, label=label)
            acquired = float(times.sel(at))
            if np.isfinite(acquired):
                ax.plot(acquired, np.interp(acquired, clock.time, clock), "o", color=colour, zorder=3)
            elif clock.size:
                ax.plot(clock.time[-1], clock[-1], "x", color=colour, zorder=3)
        for value, *_ in style.known([predicted]):
            ax.axhline(value, color=style.THEORY, linestyle="--", label="predicted $I^*$")
        t = np.array([0.0, 2 * float(runs.clock.max())])
        ax.plot([], [], "o", color="0.4", label="ICL acquired")
        ax.plot([], [], "x", color="0.4", label="ended without")
        ax.plot(t, t / 2, color=style.THEORY, linestyle=":", linewidth=0.9, label="$t/2$ ($K → ∞$)")
        ax.set(xlabel="gradient-flow time $t$", ylabel="memory's clock $I_K(t)$ (time)")
        style.legend_above(ax, title, 3)
    return ax


def draw_collapse(
    runs: xr.Dataset,
    context_length: int,
    predicted: Value | None = None,
    ax: Axes | None = None,
    accuracy: str = "circuit_accuracy",
    title: str = "",
) -> Axes:
    """One line a network, coloured by K; vertical line: the predicted reading I*/N at acquisition.

    Parameters
    ----------
    runs : Dataset with ``clock`` and the named accuracy over (task_diversity, seed, time)
    context_length : int, N
    predicted : Estimate, optional
        I*, in gradient-flow time.
    """
    with style.axes(ax) as ax:
        for at, colour, label in _networks(runs):
            curve = runs.sel(at)
            ax.plot(curve.clock / context_length, curve[accuracy], color=colour, linewidth=0.9, label=label)
        for value, *_ in style.known([predicted]):
            ax.axvline(value / context_length, color=style.THEORY, linestyle="--", label="predicted $I^*/N$")
        ax.axhline(0.95, color="0.7", linewidth=0.6, label="counts as acquired")
        ax.set(xlabel="clock $I_K(t)/N$", ylabel="ICL accuracy", ylim=(0.45, 1.03))
        style.legend_above(ax, title, 3)
    return ax


def _networks(runs: xr.Dataset) -> list[tuple[dict[str, Any], Any, str | None]]:
    """Where each network is, its colour by K, and a label for the first one of each of five K."""
    diversities = runs.task_diversity.values
    named = set(diversities[:: -(-len(diversities) // 5)])  # enough to see which colours are small and large K
    return [
        ({"task_diversity": k, "seed": seed}, colour, f"K = {k:g}" if i == 0 and k in named else None)
        for k, colour in zip(diversities, style.shades(diversities), strict=True)
        for i, seed in enumerate(runs.seed.values)
    ]


def _captions(scanned: Sequence[Scan]) -> str:
    return picture.networks(*(scan.runs for scan in scanned))


def prepare_race(results: Results) -> Picture:
    scanned = scans(results, "threshold")
    panels = [partial(draw_race, scan.runs, scan.predicted("I*"), title=scan.title) for scan in scanned]
    caption = (
        "The race: the memory's clock runs at half the speed of time until the items are memorised, and stops. A "
        "network whose clock reaches I* has acquired ICL (dot: its circuit reaches 95 %); one whose clock stops below "
        "ends with memory alone (cross). Dashed: I* predicted for K → ∞ without a fit. "
        f"{_captions(scanned)}."
    )
    return Picture(caption, panels, height=2.8)


def prepare_collapse(results: Results) -> Picture:
    scanned = scans(results, "threshold")
    panels = [
        partial(draw_collapse, scan.runs, scan.at["context_length"], scan.predicted("I*"), title=scan.title)
        for scan in scanned
    ]
    caption = (
        "Clock collapse: ICL accuracy of the circuit against the memory's clock, one line a network, coloured by K. "
        "Networks that acquire ICL do so at one reading, whatever K; dashed: the reading predicted for K → ∞ without a "
        f"fit. {_captions(scanned)}."
    )
    return Picture(caption, panels)
