"""The toy of strategy coopetition solved: its course, and the size of its memory above which it learns in context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..theory.common.arguments import number
from ..theory.coopetition import COMPETITION, LEFT_IN_CONTEXT, LEFT_IN_WEIGHTS, SIZES, coopetition_flow

if TYPE_CHECKING:
    import xarray as xr

#: Entries start as N(0, σ²): q = σ, and p = σ/√n, the mean of n of them, on the target's side.
START = 0.1
_LONG = 1e6
_PRECISION = 5e-3
#: In-context learning counts as acquired where a⊗b⊗c is on average this much of its target.
HALF = 0.5


def solve_coopetition(
    times: Sequence[float],
    sizes: Sequence[float] = SIZES,
    competition: float = COMPETITION,
    left: tuple[float, float] = (LEFT_IN_CONTEXT, LEFT_IN_WEIGHTS),
    start: float = START,
    together: bool = True,
) -> xr.Dataset:
    """``context`` = p_a p_b p_c and ``weights`` = p_d p_b p_c, and both losses, over ``time``.

    Parameters
    ----------
    times : increasing, from 0
    sizes, competition, left : as for :func:`iclrace.theory.coopetition.coopetition_flow`
    start : float > 0, σ of the entries
    together : bool
        Without, the memory's d stays at 0: in-context learning by itself, at its loss's rate L_dbc + μ₂ = 1/2 + μ₂.

    Returns
    -------
    xarray.Dataset
    """
    import xarray as xr
    from scipy.integrate import solve_ivp

    state = _start(sizes, number("start", start, minimum=0.0, exclusive=True))
    state[:, 3] *= together

    def field(_: float, flat: np.ndarray) -> np.ndarray:
        change = coopetition_flow(flat.reshape(2, 4), sizes, competition, left)
        change[:, 3] *= together
        return change.ravel()

    solved = solve_ivp(field, (0.0, times[-1]), state.ravel(), "LSODA", t_eval=list(times), rtol=1e-8, atol=1e-10)
    p, q = solved.y.reshape(2, 4, -1)
    s = p**2 + q**2
    columns = {}
    for name, members in (("context", [0, 1, 2]), ("weights", [3, 1, 2])):
        columns[name] = p[members].prod(0)
        columns[f"{name}_loss"] = 0.5 * (s[members].prod(0) - 2 * p[members].prod(0) + 1)
    return xr.Dataset({name: ("time", column) for name, column in columns.items()}, {"time": list(times)})


def _start(sizes: Sequence[float], start: float) -> np.ndarray:
    return np.array([start / np.sqrt(np.asarray(sizes, float)), np.full(4, start)])


def _most_context(sizes: Sequence[float]) -> float:
    """The greatest p_a p_b p_c of the course, up to where it is half its target, at the source's α, μ₁, μ₂."""
    from scipy.integrate import solve_ivp

    def reached(_: float, flat: np.ndarray) -> float:
        return float(flat[:3].prod()) - HALF

    reached.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    field = lambda _, flat: coopetition_flow(flat.reshape(2, 4), sizes).ravel()  # noqa: E731
    solved = solve_ivp(field, (0.0, _LONG), _start(sizes, START).ravel(), "LSODA", events=reached, rtol=1e-7, atol=1e-9)
    return float(solved.y[:3].prod(0).max())


@cache
def memory_size_threshold(context_size: float) -> float:
    """n_d above which a⊗b⊗c reaches half its target, for n_a = ``context_size``; b and c as in the source.

    Memory that is done sooner takes away the loss that in-context learning is driven by. To 0.5 %.
    """
    number("context_size", context_size, minimum=0.0, exclusive=True)
    lacking = lambda u: _most_context((context_size, *SIZES[1:3], math.exp(u))) - HALF + 1e-9  # noqa: E731
    low, high = (math.log(context_size) + shift for shift in (-1.0, 1.0))
    while lacking(high) < 0:
        low, high = high, high + 1.0
    while lacking(low) >= 0:
        low, high = low - 1.0, low
    while high - low > _PRECISION:  # a step: bisection alone finds it
        middle = 0.5 * (low + high)
        low, high = (middle, high) if lacking(middle) < 0 else (low, middle)
    return math.exp(0.5 * (low + high))
