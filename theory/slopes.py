"""How K* at a budget moves with the clock at acquisition, β0, the memory's amplitude and its rate."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ._arguments import require
from .acquisition.race import clock_at_acquisition
from .memory.law import PowerLawMemory
from .task import Task
from .threshold import threshold


def threshold_slopes(
    task: Task, memory: PowerLawMemory, beta0: float, w0: float = 0.0, *, budget: float = math.inf
) -> dict[str, float]:
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
        Keys "clock", "context_length", "beta0", "amplitude" and "rate_ratio". ``nan`` where no K acquires ICL by the
        budget.

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
    star = threshold(task, memory, beta0, w0, budget=budget).value
    clock = float(clock_at_acquisition(task, beta0, w0))
    known = math.isfinite(star) and clock > 0.0
    left = 0.0
    if known and math.isfinite(budget):
        left = budget * float(memory.c1(memory.margin(clock, star))) / clock
    factor = 1.0 / (memory.exponent * (1.0 - left)) if known else math.nan
    return {
        "clock": factor,
        "context_length": factor,
        "beta0": factor * _log_slope(lambda x: float(clock_at_acquisition(task, x, w0)), float(beta0)),
        "amplitude": -1.0 / memory.exponent if known else math.nan,
        "rate_ratio": 1.0 / memory.exponent if known else math.nan,
    }


def _log_slope(function: Callable[[float], float], x: float, step: float = 1e-3) -> float:
    """d ln f/dx by central difference."""
    above, below = function(x + step), function(x - step)
    return (math.log(above) - math.log(below)) / (2.0 * step) if np.isfinite([above, below]).all() else math.nan
