"""The approximation ladder: what each step from the exact field to the Mills ratio costs (new)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes

from ..simulate import CoupledModel, acquisition_time
from ..theory import Rung, Task, ladder
from ..theory.labels import Average
from . import style
from .entry import Figure, Picture

_LENGTHS = (12, 25, 50, 100, 200, 400, 800)
_DIMENSION = 63


def draw(rungs: Mapping[int, Sequence[Rung]], ax: Axes | None = None) -> Axes:
    """|t/t_above − 1| of every rung below the first against N, t_above being the rung above: ``rungs[N]``."""
    with style.axes(ax) as ax:
        lengths = list(rungs)
        for i in range(1, len(next(iter(rungs.values())))):
            errors = [abs(rungs[n][i].error) for n in lengths]
            ax.plot(lengths, errors, marker=style.MARKERS[i - 1], color=style.SERIES[i - 1], linewidth=0.9,
                    label=rungs[lengths[0]][i].name)  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel="context length $N$", ylabel="relative error added")
        style.label_ticks(ax, lengths, len(lengths))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.3), ncols=3, columnspacing=1.0)
    return ax


def integrated(task: Task, beta0: float, w0: float, average: Average) -> float:
    """t_ICL from the integrated field with a Gaussian label sum; the binomial's part, below 1e-4, by closed forms."""
    time = float(acquisition_time(CoupledModel(task, nodes=32), beta0, w0, rtol=1e-10, atol=1e-12))
    if average == "gaussian":
        return time
    binomial, gaussian = ladder(task, beta0, w0)[:2]
    return time * binomial.time / gaussian.time


def prepare(_: None = None) -> Picture:
    rungs = {n: ladder(Task(n, dimension=_DIMENSION), 0.0, integrate=integrated) for n in _LENGTHS}
    caption = (
        f"Error that each approximation adds to t_ICL (K → ∞), as |t/t_above − 1|, from the binomial label sum at "
        f"D = {_DIMENSION} down to the Mills ratio, N = {_LENGTHS[0]}–{_LENGTHS[-1]}, β0 = w0 = 0. Theory alone."
    )
    return Picture(caption, [partial(draw, rungs)])


FIGURE = Figure("approximation_ladder", "Error added at every rung of the approximation ladder", prepare)
