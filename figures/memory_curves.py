"""The memory alone: c1, c2, c3 against its clock, the clock against time, and its end against K (paper, 5, A2, A3)."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..theory import Estimate
from ..validate import measure_power_law
from . import describe, style
from .entry import Figure, Picture
from .results import Results

_COLOURS = {"c1": style.ICL, "c2": style.IWL, "c3": style.MEASURED}


def _shown(alone: xr.Dataset, most: int = 6) -> list[tuple[float, list[int]]]:
    """At most ``most`` task diversities, and the runs at each."""
    diversities = np.unique(alone.task_diversity.values)
    kept = diversities[np.unique(np.linspace(0, diversities.size - 1, most).round().astype(int))]
    return [(float(k), np.flatnonzero(alone.task_diversity.values == k).tolist()) for k in kept]


def draw_averages(alone: xr.Dataset, ax: Axes | None = None) -> Axes:
    """c1, c2 and c3 against I_K/I_K(end), K from dark to light: curves of perceptrons alone over (run, fraction)."""
    with style.axes(ax) as ax:
        shown = _shown(alone)
        for i, (_, rows) in enumerate(shown):
            for name, colour in _COLOURS.items():
                label = f"${name[0]}_{name[1]}$" if i == 0 else None
                ax.plot(alone.fraction, alone[name][rows].mean("run"), color=colour, label=label, linewidth=0.9,
                        alpha=0.35 + 0.65 * i / max(len(shown) - 1, 1))  # fmt: skip
        ax.set(xlabel=r"clock $I_K(t)/I_K(t_{end})$", ylabel="average over items", ylim=(0, 1.05))
        ax.legend(loc="center left")
    return ax


def draw_clock(alone: xr.Dataset, ax: Axes | None = None) -> Axes:
    """I_K(t), one line a perceptron, coloured by K; dotted: t/2, nothing memorised."""
    with style.axes(ax) as ax:
        shown = _shown(alone)
        for (k, rows), colour in zip(shown, style.shades(shown), strict=True):
            for i, row in enumerate(rows):
                one = alone.isel(run=row)
                ax.plot(one.elapsed[1:], one.clock * one.fraction[1:], color=colour, linewidth=0.9,
                        label=f"K = {k:g}" if i == 0 else None)  # fmt: skip
        t = np.array([float(alone.elapsed[:, 1].min()), float(alone.clock.max())])
        ax.plot(t, t / 2, color=style.THEORY, linestyle=":", label="$t/2$")
        ax.set(xscale="log", yscale="log", xlabel="gradient-flow time $t$", ylabel="clock $I_K(t)$ (time)")
        ax.legend(ncols=2)
    return ax


def draw_law(alone: xr.Dataset, amplitude: Estimate, exponent: Estimate, ax: Axes | None = None) -> Axes:
    """I_K at the end of training and continued to the budget, over K; line and band: A K^ν."""
    with style.axes(ax) as ax:
        k = alone.task_diversity.values
        ax.plot(k, alone.clock, "o", color=style.MEASURED, markerfacecolor="none", label="end of training")
        ax.plot(k, alone.clock_at_budget, "x", color=style.OTHER, label="continued to the budget")
        line = np.geomspace(k.min(), k.max(), 50)
        middle = np.exp(np.log(k).mean())
        level = amplitude.value * middle**exponent.value
        low, high = (level * (line / middle) ** end for end in (exponent.low, exponent.high))
        ax.plot(line, amplitude.value * line**exponent.value, color=style.THEORY,
                label=rf"$K^\nu$, $\nu$ = {exponent.value:.2f} [{exponent.low:.2f}, {exponent.high:.2f}]")  # fmt: skip
        ax.fill_between(line, np.minimum(low, high), np.maximum(low, high), color=style.THEORY, alpha=0.12, linewidth=0)
        ax.set(xscale="log", yscale="log", xlabel="task diversity $K$", ylabel="clock $I_K$ (time)")
        style.label_ticks(ax, np.unique(k))
        style.plain_ticks(ax.yaxis)
        ax.legend()
    return ax


_VARIABLES = ("clock", "clock_at_budget", "c1", "c2", "c3", "elapsed", "fraction")


def prepare_curves(results: Results) -> Picture:
    alone = results.one_of("memory_law_memory", needs=_VARIABLES)
    caption = (
        f"The memory circuit by itself: {describe.memories(alone)}. Above: c1 = ⟨σ(−φ)⟩, c2 = 1 − ⟨σ(−φ)²⟩/c1 and "
        "c3 = ⟨e^−φ⟩ against the clock, means over seeds, small K pale, large K dark. Below: the clock I_K(t) = ∫c1 dt."
    )
    return Picture(caption, [partial(draw_averages, alone), partial(draw_clock, alone)])


def prepare_law(results: Results) -> Picture:
    alone = results.one_of("memory_law_memory", needs=_VARIABLES)
    amplitude, exponent = measure_power_law(alone.task_diversity.values, alone.clock.values)
    caption = (
        f"Memorisation law: {describe.memories(alone)}. Line: A K^ν through the clocks at the end of training, "
        "ν and its 95 % interval from regression with robust errors; crosses: each clock continued to the budget."
    )
    return Picture(caption, [partial(draw_law, alone, amplitude, exponent)])


CURVES = Figure(
    "memory_curves", "c1, c2, c3 and I_K(t) of the memory alone", prepare_curves, ("5", "A2", "A3"), ("memory_law",)
)
LAW = Figure("memory_law", "Memorisation law I_K = A K^ν", prepare_law, ("5", "A3"), ("memory_law",))
