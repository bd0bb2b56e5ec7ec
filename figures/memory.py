"""The memory alone: c1, c2, c3, its clock, its law over K, and its end by depth (paper, figures 5, A2, A3)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..validate.experiments.depth import GAIN
from ..validate.values import Value
from . import picture, style
from .catalogue import FIGURES
from .picture import Picture
from .results import Results, setting

_COLOURS = {"c1": style.ICL, "c2": style.IWL, "c3": style.MEASURED}
_VARIABLES = ("clock", "clock_at_budget", "c1", "c2", "c3", "elapsed", "fraction")


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
        ends = f"K = {shown[0][0]:g} (faint) to {shown[-1][0]:g} (full)"
        style.legend_above(ax, ends if len(shown) > 1 else f"K = {shown[0][0]:g}", 3)
    return ax


def draw_clock(alone: xr.Dataset, ax: Axes | None = None) -> Axes:
    """I_K(t), one line a perceptron, coloured by K; dotted: t/2, nothing memorised."""
    with style.axes(ax) as ax:
        shown = _shown(alone)
        for (k, rows), colour in zip(shown, style.shades(shown), strict=True):
            for i, row in enumerate(rows):
                curve = alone.isel(run=row)
                ax.plot(curve.elapsed[1:], curve.clock * curve.fraction[1:], color=colour, linewidth=0.9,
                        label=f"K = {k:g}" if i == 0 else None)  # fmt: skip
        t = np.array([float(alone.elapsed[:, 1].min()), float(alone.clock.max())])
        ax.plot(t, t / 2, color=style.THEORY, linestyle=":", label="$t/2$")
        ax.set(xscale="log", yscale="log", xlabel="gradient-flow time $t$", ylabel="clock $I_K(t)$ (time)")
        ax.legend(ncols=2)
    return ax


def draw_law(alone: xr.Dataset, exponent: Value | None, ax: Axes | None = None, title: str = "") -> Axes:
    """I_K at the end of training and continued to the budget, over K; line and band: K^ν through the points' middle.

    The line by least squares of slope ν goes through the mean of ln I_K at the mean of ln K.
    """
    with style.axes(ax) as ax:
        k = alone.task_diversity.values
        ax.plot(k, alone.clock, "o", color=style.MEASURED, markerfacecolor="none", label="end of training")
        ax.plot(k, alone.clock_at_budget, "x", color=style.OTHER, label="continued to the budget")
        line = np.geomspace(k.min(), k.max(), 50)
        middle, level = np.exp(np.log(k).mean()), np.exp(np.log(alone.clock.values).mean())
        for nu, low, high in style.known([exponent]):
            value, lower, upper = (level * (line / middle) ** slope for slope in (nu, low, high))
            label = rf"$K^\nu$, $\nu$ = {nu:.2f} [{low:.2f}, {high:.2f}]"
            ax.plot(line, value, color=style.THEORY, label=label)
            ax.fill_between(line, np.minimum(lower, upper), np.maximum(lower, upper), color=style.THEORY, alpha=0.12,
                            linewidth=0)  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel="task diversity $K$", ylabel="clock $I_K$ (time)")
        style.label_ticks(ax, np.unique(k))
        style.plain_ticks(ax.yaxis)
        ax.legend(title=title or None, title_fontsize=8)
    return ax


def draw_depth(alone: Mapping[int, xr.Dataset], ax: Axes | None = None) -> Axes:
    """I_K against the margin ln(1/c1 − 1), one line a perceptron, coloured by its number of layers."""
    with style.axes(ax) as ax:
        for (layers, curves), colour in zip(alone.items(), style.SERIES, strict=False):
            for i in range(curves.sizes["run"]):
                curve = curves.isel(run=i)
                margin = np.log(1 / np.clip(curve.c1, 1e-12, 1 - 1e-12) - 1)
                ax.plot(margin, curve.clock * curve.fraction, color=colour, linewidth=0.9,
                        label=f"L = {layers}" if i == 0 else None)  # fmt: skip
        ax.set(xlabel=r"margin $\ln(1/c_1 - 1)$", ylabel="clock $I_K$ (time)", xlim=(0, None), ylim=(0, None))
        ax.legend()
    return ax


def prepare_curves(results: Results) -> Picture:
    experiments = FIGURES["memory_curves"].experiments
    datasets = [alone for name in experiments for alone in results.datasets(name, needs=_VARIABLES)]
    if not datasets:
        raise results.missing(*experiments)
    alone = datasets[0]
    caption = (
        f"The memory circuit by itself: {picture.memories(alone)}. Above: c1 = ⟨σ(−φ)⟩, c2 = 1 − ⟨σ(−φ)²⟩/c1 and "
        "c3 = ⟨e^−φ⟩ against the clock, means over seeds, small K pale, large K dark. Below: the clock I_K(t) = ∫c1 dt."
    )
    return Picture(caption, [partial(draw_averages, alone), partial(draw_clock, alone)])


def prepare_law(results: Results) -> Picture:
    panels, captions = [], []
    for claim in results.select(experiment=list(FIGURES["memory_law"].experiments), quantity="ν"):
        tokens = claim.at.get("memory")
        title = "" if tokens is None else f"{tokens} items, L = {claim.at['layers']}"
        for alone in results.behind(claim, needs=_VARIABLES):
            panels.append(partial(draw_law, alone, claim.measured, title=title))
            captions.append(picture.memories(alone))
    if not panels:
        raise results.missing(*FIGURES["memory_law"].experiments)
    caption = (
        f"Memorisation law: {'; '.join(captions)}. Line: A K^ν through the clocks at the end of training, "
        "ν and its 95 % interval from regression with robust errors; crosses: each clock continued to the budget."
    )
    return Picture(caption, panels)


def prepare_depth(results: Results) -> Picture:
    datasets = results.behind(
        results.select(experiment="memory_depth", quantity=GAIN), needs=["c1", "clock", "fraction"]
    )
    if not datasets:
        raise results.missing("memory_depth")
    alone = {setting(curves)["layers"]: curves for curves in datasets}
    caption = (
        "The clock of perceptrons with two and three layers as they go on memorising: the homogeneous law has it end "
        "at a finite I_K(∞) for L = 3 and grow as the logarithm of the margin for L = 2. "
        f"{'; '.join(picture.memories(curves) for curves in datasets)}."
    )
    return Picture(caption, [partial(draw_depth, dict(sorted(alone.items())))])
