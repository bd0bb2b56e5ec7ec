"""Theory alone: crossover of the exponents, loss landscape, phase diagrams (paper, 4, 6a, A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ..simulate import PHASES, CoupledModel, Trajectory, coupled_acquisition_time, phase_diagram, solve, transience
from ..theory import (
    PowerLawMemory,
    Task,
    critical_decay,
    crossover_regimes,
    crossover_slope,
    early_drag,
    fixed_points,
    fold,
    population_loss,
    threshold,
)
from . import style
from .picture import Picture

_MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
_BUDGET = 1e5
_DRAWS = 64
_PHASE_COLOURS = ("#DDDDDD", "#E69F00", style.ICL)
#: Of the landscape.
_TASK = Task(context_length=100)
_DECAY = 1e-3
_MARGINS = (0.0, 2.0, 3.5, 5.0)
_DIVERSITIES = (350, 3000)
#: N and the step in β0 of the crossover.
_CROSSOVER, _STEP = (100, 1600), 0.05


def draw_crossover(solved: dict[int, tuple[ArrayLike, ArrayLike]], ax: Axes | None = None) -> Axes:
    """Line: the universal crossover function's slope; points: slopes of the integrated equations.

    ``solved[N]`` holds b = β0 − ln κ and the slope there.

    Dotted lines bound the regimes where the slope is within 5 % of −2 and −1.
    """
    b = np.linspace(-4, 4, 200)
    with style.axes(ax) as ax:
        ax.plot(b, crossover_slope(b), color=style.THEORY, label="closed form, $N → ∞$")
        for i, (length, (at, slope)) in enumerate(solved.items()):
            ax.plot(at, slope, style.MARKERS[i], color=style.SERIES[i], markerfacecolor="none",
                    label=f"integrated, $N$ = {length}")  # fmt: skip
        for edge, label in zip(crossover_regimes(), ("5 % from −2 and −1", None), strict=True):
            ax.axvline(edge, color="0.6", linestyle=":", linewidth=0.8, label=label)
        ax.set(
            xlabel=r"initial attention less that of the crossover, $b = \beta_0 - \ln\kappa$",
            ylabel=r"$d \ln t_{ICL}/d\beta_0$",
            ylim=(-2.15, -0.75),
        )
        ax.text(-3.9, -0.85, "drag", color="0.4")
        ax.text(3.9, -0.85, "no drag", color="0.4", ha="right")
        style.legend_above(ax)
    return ax


def prepare_crossover(_: None = None) -> Picture:
    solved = {}
    for length in _CROSSOVER:
        task = Task(length)
        b = np.linspace(-3.5, 3.5, 15)
        beta0 = b + float(np.log(early_drag(task)))
        ends = np.stack([beta0 - _STEP, beta0 + _STEP])
        times = coupled_acquisition_time(CoupledModel(task), ends, budget=1e12, rtol=1e-9, atol=1e-12)
        late = np.all(times > 0, axis=0)  # from a larger β0 the accuracy is there at once
        solved[length] = (b[late], np.diff(np.log(times[:, late]), axis=0)[0] / (2 * _STEP))
    low, high = crossover_regimes()
    caption = (
        "Local exponent of the acquisition time in e^{β0}, K → ∞, D → ∞, w0 = 0: "
        f"−2 within 5 % for b < {low:.2f}, −1 for b > {high:.2f} (dotted). Points: exact averaged field, integrated to "
        "95 % ICL accuracy; they leave the line on the right where β0 alone nearly reaches that accuracy. Theory alone."
    )
    return Picture(caption, [partial(draw_crossover, solved)])


def draw_landscape(
    task: Task,
    decay: float,
    margin: float,
    trajectories: Sequence[Trajectory] = (),
    ax: Axes | None = None,
    key: bool = False,
) -> Axes:
    """Filled contours: ln of L(w, β; φ) + λ (w² + β²)/2, L the population loss with the memory margin φ held fixed.

    Full circles: stable fixed points; open ones: saddles. A line is a trajectory as far as its own margin is below φ,
    and its square is where it then is.

    Parameters
    ----------
    task : Task
    decay : float, λ > 0
    margin : float, φ
    trajectories : sequence of Trajectory
        Of a memory law whose state is the margin.
    key : bool
        Whether the panel explains lines and circles.
    """
    w, beta = np.linspace(-0.6, 8.0, 120), np.linspace(-0.8, 7.2, 120)
    grid_w, grid_beta = np.meshgrid(w, beta)
    loss = population_loss(grid_w, grid_beta, task, margin) + 0.5 * decay * (grid_w**2 + grid_beta**2)
    with style.axes(ax) as ax:
        filled = ax.contourf(w, beta, np.log(loss), levels=18, cmap="cividis_r", alpha=0.85)
        ax.contour(w, beta, np.log(loss), levels=18, colors="white", linewidths=0.3, linestyles="solid")
        for path, colour in zip(trajectories, (style.IWL, style.ICL), strict=False):
            end = max(int(np.searchsorted(path.memory, margin)), 1)
            ax.plot(path.w[:end], path.beta[:end], color="white", linewidth=2.4)
            ax.plot(path.w[:end], path.beta[:end], color=colour, label=f"K = {path.model.task.task_diversity:g}")
            ax.plot(path.w[end - 1], path.beta[end - 1], "s", color=colour, markeredgecolor="white", markersize=5)
        labelled: set[str] = set()
        for point in fixed_points(task, decay, margin):
            fill, kind = ("black", "stable") if point.stable else ("white", "saddle")
            ax.plot(point.w, point.beta, "o", markerfacecolor=fill, markeredgecolor="black", markersize=4.5,
                    linestyle="", label=None if kind in labelled else kind)  # fmt: skip
            labelled.add(kind)
        if key:
            ax.plot([], [], "s", color="0.5", markersize=4, label="where it is")
            ax.legend(loc="lower right", fontsize=5, frameon=True, framealpha=0.8, handlelength=1.0)
        bar = ax.figure.colorbar(filled, ax=ax, ticks=MaxNLocator(4), pad=0.02)
        bar.set_label("ln loss", fontsize=6)
        bar.ax.tick_params(labelsize=5)
        ax.set(xlim=(w[0], w[-1]), ylim=(beta[0], beta[-1]), title=rf"memory margin $\varphi$ = {margin:g}")
        ax.set(xlabel="readout weight $w$", ylabel=r"attention strength $\beta$")
        ax.label_outer()
    return ax


def prepare_landscape(_: None = None) -> Picture:
    paths = []
    for k in _DIVERSITIES:
        task = Task(_TASK.context_length, task_diversity=k)
        model = CoupledModel(task, _MEMORY, decay_w=_DECAY, decay_beta=_DECAY)
        paths.append(solve(model, [0.0, 0.0, 0.0], (0.0, _BUDGET)))
    end = fold(_TASK, _DECAY)
    assert end is not None
    caption = (
        f"Loss landscape of the ICL circuit, N = {_TASK.context_length}, D → ∞, weight decay λ = {_DECAY:g}, at four "
        f"memory margins φ. Blue: K = {_DIVERSITIES[1]}, which acquires ICL and then tracks its valley until that "
        f"ends at φ = {end.margin:.2f} (fold); orange: K = {_DIVERSITIES[0]}, which memorises first. Full circles: "
        f"stable fixed points, open: saddles. I_K(∞) = {_MEMORY.amplitude:g} K^{_MEMORY.exponent:g}, w0 = β0 = 0. "
        "Theory alone."
    )
    return Picture(
        caption,
        [partial(draw_landscape, _TASK, _DECAY, margin, paths, key=margin == 3.5) for margin in _MARGINS],
        height=1.9, columns=2,
    )  # fmt: skip


def draw_probability(
    diagram: xr.Dataset, lines: Mapping[str, ArrayLike] | None = None, ax: Axes | None = None, title: str = ""
) -> Axes:
    """P(acquire) as shades over (context_length, task_diversity); ``lines``: K* over the same N, by label."""
    with style.axes(ax) as ax:
        values = diagram.probability.transpose("task_diversity", "context_length")
        mesh = ax.pcolormesh(
            diagram.context_length, diagram.task_diversity, values, cmap="cividis", vmin=0, vmax=1, rasterized=True
        )  # fmt: skip
        for (label, diversities), dashes in zip((lines or {}).items(), ("--", ":"), strict=False):
            ax.plot(diagram.context_length, diversities, color="white", linestyle=dashes, label=label)
        ax.legend(loc="lower right", labelcolor="white")
        limits = (float(diagram.task_diversity.min()), float(diagram.task_diversity.max()))
        ax.set(xscale="log", yscale="log", xlabel="context length $N$", ylabel="task diversity $K$", ylim=limits)
        shortest, longest = int(diagram.context_length.min()), int(diagram.context_length.max())
        style.label_ticks(ax, [n for n in (12, 25, 50, 100, 200, 400) if shortest <= n <= longest], 6)
        bar = ax.figure.colorbar(mesh, ax=ax)
        bar.set_label("P(acquire ICL)")
        ax.set_title(title)
    return ax


def draw_phases(diagram: xr.Dataset, critical: float | None = None, ax: Axes | None = None, title: str = "") -> Axes:
    """The phase of each (decay, task_diversity) as one of three colours; ``critical``: above it none acquires."""
    with style.axes(ax) as ax:
        norm = BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3)
        mesh = ax.pcolormesh(
            diagram.decay, diagram.task_diversity, diagram.phase.transpose("task_diversity", "decay"), norm=norm,
            cmap=ListedColormap(_PHASE_COLOURS), rasterized=True,
        )  # fmt: skip
        if critical is not None:
            ax.axvline(critical, color=style.THEORY, linestyle="--")
            ax.annotate(r"critical $\lambda$", (critical, float(diagram.task_diversity[0]) * 1.1), xytext=(-2, 0),
                        textcoords="offset points", rotation=90, ha="right", va="bottom")  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel=r"weight decay $\lambda$ (1/time)", ylabel="task diversity $K$")
        bar = ax.figure.colorbar(mesh, ax=ax, ticks=[0, 1, 2])
        bar.ax.set_yticklabels(PHASES)
        ax.set_title(title)
    return ax


def prepare_probability(_: None = None) -> Picture:
    lengths, diversities = np.geomspace(12, 400, 16).astype(int), np.geomspace(10, 1e4, 24)
    task = Task(int(lengths[0]))
    diagram = phase_diagram(task, _MEMORY, lengths, diversities, budget=_BUDGET, draws=_DRAWS)
    tasks = [Task(int(n)) for n in lengths]
    lines = {
        r"$K^*$ after an infinite time": [threshold(task, _MEMORY, 0.0).value for task in tasks],
        r"$K^*$ by $T$, $\beta_0$ = 0": [threshold(task, _MEMORY, 0.0, budget=_BUDGET).value for task in tasks],
    }
    caption = (
        f"P(acquire ICL) by t = {_BUDGET:g} for β0 ~ N(0, 1) ({_DRAWS} quantiles), coupled equations, D → ∞, "
        f"I_K(∞) = {_MEMORY.amplitude:g} K^{_MEMORY.exponent:g}, N = {lengths[0]}–{lengths[-1]}, "
        f"K = {diversities[0]:g}–{diversities[-1]:g}. Lines: closed forms of K* at β0 = 0, for the memory alone "
        "with all the time and by t. Theory alone."
    )
    title = rf"by $T$ = {_BUDGET:g}, $\beta_0 \sim N(0, 1)$"
    return Picture(caption, [partial(draw_probability, diagram, lines, title=title)])


def prepare_phases(_: None = None) -> Picture:
    task = Task(context_length=100)
    decays, diversities = np.geomspace(3e-5, 1e-2, 40), np.geomspace(100, 3e4, 40)
    diagram = transience(task, _MEMORY, decays, diversities, budget=_BUDGET)
    caption = (
        f"How training with weight decay λ on (w, β) has ended by t = {_BUDGET:g}: coupled equations, "
        f"N = {task.context_length}, D → ∞, β0 = w0 = 0, I_K(∞) = {_MEMORY.amplitude:g} K^{_MEMORY.exponent:g}. "
        "Dashed: the decay above which w = 0 stays stable while nothing is memorised. Theory alone."
    )
    title = f"$N$ = {task.context_length}, by $T$ = {_BUDGET:g}"
    return Picture(caption, [partial(draw_phases, diagram, float(critical_decay(task)), title=title)])
