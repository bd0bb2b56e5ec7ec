"""Phase diagrams: P(acquire ICL) over (N, K), and the phases of training over (λ, K) (paper, figures 6a, A6)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from numpy.typing import ArrayLike

from ..simulate import PHASES, phase_diagram, transience
from ..theory import PowerLawMemory, Task, critical_decay, threshold
from . import style
from .entry import Figure, Picture

_MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
_DRAWS = 64
_BUDGET = 1e5
_PHASE_COLOURS = ("#DDDDDD", "#E69F00", style.ICL)


def draw_probability(found: xr.Dataset, lines: Mapping[str, ArrayLike] | None = None, ax: Axes | None = None) -> Axes:
    """P(acquire) as shades over (context_length, task_diversity); ``lines``: K* over the same N, by label."""
    with style.axes(ax) as ax:
        values = found.probability.transpose("task_diversity", "context_length")
        mesh = ax.pcolormesh(
            found.context_length, found.task_diversity, values, cmap="cividis", vmin=0, vmax=1, rasterized=True
        )  # fmt: skip
        for (label, diversities), dashes in zip((lines or {}).items(), ("--", ":"), strict=False):
            ax.plot(found.context_length, diversities, color="white", linestyle=dashes, label=label)
        ax.legend(loc="lower right", labelcolor="white")
        limits = (float(found.task_diversity.min()), float(found.task_diversity.max()))
        ax.set(xscale="log", yscale="log", xlabel="context length $N$", ylabel="task diversity $K$", ylim=limits)
        shortest, longest = int(found.context_length.min()), int(found.context_length.max())
        style.label_ticks(ax, [n for n in (12, 25, 50, 100, 200, 400) if shortest <= n <= longest], 6)
        bar = ax.figure.colorbar(mesh, ax=ax)
        bar.set_label("P(acquire ICL)")
    return ax


def draw_phases(found: xr.Dataset, critical: float | None = None, ax: Axes | None = None) -> Axes:
    """The phase of each (decay, task_diversity) as one of three colours; ``critical``: above it none acquires."""
    with style.axes(ax) as ax:
        norm = BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3)
        mesh = ax.pcolormesh(
            found.decay, found.task_diversity, found.phase.transpose("task_diversity", "decay"), norm=norm,
            cmap=ListedColormap(_PHASE_COLOURS), rasterized=True,
        )  # fmt: skip
        if critical is not None:
            ax.axvline(critical, color=style.THEORY, linestyle="--")
            ax.annotate(r"critical $\lambda$", (critical, float(found.task_diversity[0]) * 1.1), xytext=(-2, 0),
                        textcoords="offset points", rotation=90, ha="right", va="bottom")  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel=r"weight decay $\lambda$ (1/time)", ylabel="task diversity $K$")
        bar = ax.figure.colorbar(mesh, ax=ax, ticks=[0, 1, 2])
        bar.ax.set_yticklabels(PHASES)
    return ax


def prepare_probability(_: None = None) -> Picture:
    lengths, diversities = np.geomspace(12, 400, 16).astype(int), np.geomspace(10, 1e4, 24)
    task = Task(int(lengths[0]))
    found = phase_diagram(task, _MEMORY, lengths, diversities, budget=_BUDGET, draws=_DRAWS)
    tasks = [Task(int(n)) for n in lengths]
    lines = {
        r"$I_K(\infty) = I^*$": [threshold(one, _MEMORY, 0.0).value for one in tasks],
        r"$I_K(T) = I^*$": [threshold(one, _MEMORY, 0.0, budget=_BUDGET).value for one in tasks],
    }
    caption = (
        f"P(acquire ICL) by t = {_BUDGET:g} for β0 ~ N(0, 1) ({_DRAWS} quantiles), coupled equations, D → ∞, "
        f"I_K(∞) = {_MEMORY.amplitude:g} K^{_MEMORY.exponent:g}, N = {lengths[0]}–{lengths[-1]}, "
        f"K = {diversities[0]:g}–{diversities[-1]:g}. Lines: closed forms of K* at β0 = 0, for the memory alone "
        "with all the time and by t. Theory alone."
    )
    return Picture(caption, [partial(draw_probability, found, lines)])


def prepare_phases(_: None = None) -> Picture:
    task = Task(context_length=100)
    decays, diversities = np.geomspace(3e-5, 1e-2, 40), np.geomspace(100, 3e4, 40)
    found = transience(task, _MEMORY, decays, diversities, budget=_BUDGET)
    caption = (
        f"How training with weight decay λ on (w, β) has ended by t = {_BUDGET:g}: coupled equations, "
        f"N = {task.context_length}, D → ∞, β0 = w0 = 0, I_K(∞) = {_MEMORY.amplitude:g} K^{_MEMORY.exponent:g}. "
        "Dashed: the decay above which w = 0 stays stable while nothing is memorised. Theory alone."
    )
    return Picture(caption, [partial(draw_phases, found, float(critical_decay(task)))])


PROBABILITY = Figure("phase_diagram", "P(acquire ICL) over N and K", prepare_probability, paper=("6a",))
PHASES_OF_DECAY = Figure("phases_decay", "Phases of training over λ and K", prepare_phases, paper=("A6",))
