"""How K* at a budget moves with the clock at acquisition, β0, the memory's amplitude and its rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .acquisition.race import clock_at_acquisition
from .common.arguments import broadcast, real, require
from .common.elementwise import elementwise
from .memory.law import PowerLawMemory
from .task import Task
from .threshold import threshold_values

Array = NDArray[np.float64]

#: Half-width in β0 of the difference that gives d ln I*/dβ0.
STEP = 1e-3


def threshold_slopes(
    task: Task, memory: PowerLawMemory, beta0: ArrayLike, w0: ArrayLike = 0.0, *, budget: ArrayLike = math.inf
) -> dict[str, Any]:
    """Exponents of K*(T) at a finite budget: d ln K*/d ln x, and d ln K*/dβ0.

        d ln K*/d ln I* = 1/(ν [1 − c1(T) T/I*]),    c1(T) the memory's residual at the budget

    exactly, whatever p and L: 1/ν for T → ∞, and without bound as T falls to 2 I*. N and β0 act through I* alone, hence
    the same factor for d ln I*/d ln N → 1 and for d ln I*/dβ0 (taken from :func:`clock_at_acquisition`). A and the rate
    ratio r act through I_K(∞) alone, and their exponents stay −1/ν and 1/ν at any T. The transition has the width
    σ_β |d ln K*/dβ0| in ln K.

    Parameters
    ----------
    task, memory, beta0, w0, budget
        As for :func:`threshold`, with a PowerLawMemory; no repeats.

    Returns
    -------
    dict
        Of floats, or arrays of the broadcast shape. Keys "clock", "context_length", "beta0", "amplitude" and
        "rate_ratio". ``nan`` where no K acquires ICL by the budget.

    Raises
    ------
    ValueError
        As for :func:`threshold`.

    Source: docs/derivation.md, "threshold at a budget".

    Examples
    --------
    >>> task, memory = Task(context_length=100), PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> [round(threshold_slopes(task, memory, 0.0, budget=budget)["clock"], 2) for budget in (600, 1e3, 1e4, math.inf)]
    [2.08, 1.73, 1.5, 1.43]
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    clock, slope = _clock_and_slope(task, beta0, w0)
    star = threshold_values(task, memory, budget=budget, clock=clock)
    clock, slope, budget, star = broadcast(
        beta0=clock, slope=slope, budget=real("budget", budget, finite=False), star=star
    )
    known = np.isfinite(star) & (clock > 0.0)
    diversity, reading = np.where(known, star, 1.0), np.where(known, clock, 0.0)
    bounded = known & np.isfinite(budget)
    late = np.where(bounded, budget, 0.0) * memory.c1(np.where(bounded, memory.margin(reading, diversity), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(known, 1.0 / (memory.exponent * (1.0 - np.where(bounded, late / clock, 0.0))), np.nan)
    slopes = {
        "clock": factor,
        "context_length": factor,
        "beta0": factor * slope,
        "amplitude": np.where(known, -1.0 / memory.exponent, np.nan),
        "rate_ratio": np.where(known, 1.0 / memory.exponent, np.nan),
    }
    return slopes if star.ndim else {name: float(slope) for name, slope in slopes.items()}


@elementwise(
    arrays=("context_length", "dimension", "label_std", "copies", "beta0", "w0"),
    smooth=("context_length", "dimension", "label_std", "beta0", "w0"),
    ignored=("task_diversity",),
    costly=True,
)
def _clock_and_slope(task: Task, beta0: ArrayLike, w0: ArrayLike) -> tuple[Array, Array]:
    """I* and d ln I*/dβ0, by central difference; NaN where I* is infinite at either end."""
    beta0, w0, _ = broadcast(beta0=real("beta0", beta0), w0=real("w0", w0), task=np.empty(task.shape))
    below, clock, above = clock_at_acquisition(task, np.stack([beta0 - STEP, beta0, beta0 + STEP]), w0)
    known = np.isfinite(above) & np.isfinite(below)
    above, below = np.where(known, above, 1.0), np.where(known, below, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return clock, np.where(known, (np.log(above) - np.log(below)) / (2.0 * STEP), np.nan)
