"""Crossover of the exponents: the slope of ln t_ICL in β0 from −2 (drag) to −1 (no drag) (new)."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..simulate import CoupledModel, acquisition_time
from ..theory import Task, crossover_regimes, crossover_slope, early_drag
from . import style
from .entry import Figure, Picture

_LENGTHS = (100, 1600)
_STEP = 0.05


def draw(solved: dict[int, tuple[ArrayLike, ArrayLike]], ax: Axes | None = None) -> Axes:
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
        for edge in crossover_regimes():
            ax.axvline(edge, color="0.6", linestyle=":", linewidth=0.8)
        ax.set(xlabel=r"$b = \beta_0 - \ln\kappa$", ylabel=r"$d \ln t_{ICL}/d\beta_0$", ylim=(-2.15, -0.75))
        ax.text(-3.9, -0.85, "drag", color="0.4")
        ax.text(3.9, -0.85, "no drag", color="0.4", ha="right")
        ax.legend(loc="lower right")
    return ax


def prepare(_: None = None) -> Picture:
    solved = {}
    for length in _LENGTHS:
        task = Task(length)
        b = np.linspace(-3.5, 3.5, 15)
        beta0 = b + float(np.log(early_drag(task)))
        ends = np.stack([beta0 - _STEP, beta0 + _STEP])
        times = acquisition_time(CoupledModel(task), ends, budget=1e12, rtol=1e-9, atol=1e-12)
        late = np.all(times > 0, axis=0)  # from a larger β0 the accuracy is there at once
        solved[length] = (b[late], np.diff(np.log(times[:, late]), axis=0)[0] / (2 * _STEP))
    low, high = crossover_regimes()
    caption = (
        "Local exponent of the acquisition time in e^{β0}, K → ∞, D → ∞, w0 = 0: "
        f"−2 within 5 % for b < {low:.2f}, −1 for b > {high:.2f} (dotted). Points: exact averaged field, integrated to "
        "95 % ICL accuracy; they leave the line on the right where β0 alone nearly reaches that accuracy. Theory alone."
    )
    return Picture(caption, [partial(draw, solved)])


FIGURE = Figure("exponent_crossover", "Crossover of the exponent of t_ICL in β0", prepare)
