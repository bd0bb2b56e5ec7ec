"""Loss landscape over (w, β) at several levels of memorisation, with trajectories (paper, figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from ..simulate import CoupledModel, Trajectory, solve
from ..theory import PowerLawMemory, Task, fixed_points, fold, population_loss
from . import style
from .entry import Figure, Picture

_TASK = Task(context_length=100)
_MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
_DECAY = 1e-3
_MARGINS = (0.0, 2.0, 3.5, 5.0)
_DIVERSITIES = (350, 3000)
_UNTIL = 1e5


def draw(
    task: Task, decay: float, margin: float, trajectories: Sequence[Trajectory] = (), ax: Axes | None = None
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
    """
    w, beta = np.linspace(-0.6, 8.0, 120), np.linspace(-0.8, 7.2, 120)
    grid_w, grid_beta = np.meshgrid(w, beta)
    loss = population_loss(grid_w, grid_beta, task, margin) + 0.5 * decay * (grid_w**2 + grid_beta**2)
    with style.axes(ax) as ax:
        ax.contourf(w, beta, np.log(loss), levels=18, cmap="cividis_r", alpha=0.85)
        ax.contour(w, beta, np.log(loss), levels=18, colors="white", linewidths=0.3, linestyles="solid")
        for path, colour in zip(trajectories, (style.IWL, style.ICL), strict=False):
            end = max(int(np.searchsorted(path.memory, margin)), 1)
            ax.plot(path.w[:end], path.beta[:end], color="white", linewidth=2.4)
            ax.plot(path.w[:end], path.beta[:end], color=colour, label=f"K = {path.model.task.task_diversity:g}")
            ax.plot(path.w[end - 1], path.beta[end - 1], "s", color=colour, markeredgecolor="white", markersize=5)
        for point in fixed_points(task, decay, margin):
            fill = "black" if point.stable else "white"
            ax.plot(point.w, point.beta, "o", markerfacecolor=fill, markeredgecolor="black", markersize=4.5)
        ax.set(xlim=(w[0], w[-1]), ylim=(beta[0], beta[-1]), title=rf"memory margin $\varphi$ = {margin:g}")
        ax.set(xlabel="readout weight $w$", ylabel=r"attention strength $\beta$")
        ax.label_outer()
    return ax


def prepare(_: None = None) -> Picture:
    paths = []
    for k in _DIVERSITIES:
        task = Task(_TASK.context_length, task_diversity=k)
        model = CoupledModel(task, _MEMORY, decay_w=_DECAY, decay_beta=_DECAY)
        paths.append(solve(model, [0.0, 0.0, 0.0], (0.0, _UNTIL)))
    end = fold(_TASK, _DECAY)
    assert end is not None
    caption = (
        f"Loss landscape of the ICL circuit, N = {_TASK.context_length}, D → ∞, weight decay λ = {_DECAY:g}, at four "
        f"memory margins φ. Blue: K = {_DIVERSITIES[1]}, which acquires ICL and then tracks its valley until that "
        f"ends at φ = {end.margin:.2f} (fold); orange: K = {_DIVERSITIES[0]}, which memorises first. Full circles: "
        f"stable fixed points, open: saddles. I_K(∞) = {_MEMORY.amplitude:g} K^{_MEMORY.exponent:g}, w0 = β0 = 0. "
        "Theory alone."
    )
    return Picture(caption, [partial(draw, _TASK, _DECAY, margin, paths) for margin in _MARGINS], height=1.9, columns=2)


FIGURE = Figure("landscape", "Loss landscape over (w, β), with trajectories", prepare, paper=("4",))
