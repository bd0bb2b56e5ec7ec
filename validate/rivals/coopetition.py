"""K* from the toy of strategy coopetition (Singh et al., 2503.05631), its two scales fitted to other conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...simulate.coopetition import memory_size_threshold
from ...theory import Estimate
from ...theory.coopetition import SIZES
from .conditions import Condition, Known
from .laws import of_logarithm

#: n_a at which the toy is solved, and η in units of n_a/N = 20/15 that are tried.
_SOLVED = (5.0, 20.0, 80.0)
_SCALES = np.geomspace(1 / 8, 8, 97)


@dataclass(frozen=True)
class Coopetition:
    """K* = δ r n_d*(η N): the memory's size above which a⊗b⊗c, in-context learning, reaches half its target.

    The toy has sizes where networks have conditions. What ICL has to find is as large as the context (n_a = η N), what
    memory has to store as the items are many (n_d = K/δ), and a faster memory is a smaller one (n_d/r). α, μ₁, μ₂, the
    shared sizes and the start are the source's; η and δ are fitted to the other conditions, by least squares in ln K*.
    D, width and scales of attention it does not know. The interval is Student's for a new condition.
    """

    name: str = "coopetition's toy"
    sees: Sequence[str] = ()
    fitted: int = 2

    def predict(self, here: Condition, others: Sequence[Known]) -> Estimate | None:
        at = np.array([[place.value(x) for x in ("context_length", "rate_ratio")] for place in _all(here, others)])
        freedom = len(others) - self.fitted
        if freedom < 1 or not (np.isfinite(at).all() and (at > 0).all()):
            return None
        measured = np.log([other.measured.value for other in others])
        predicted = _log_size(_SCALES[:, None] * at[:, 0]) + np.log(at[:, 1])  # (scale, condition), before δ
        shift = (measured - predicted[:, 1:]).mean(1)
        squares = np.sum((measured - predicted[:, 1:] - shift[:, None]) ** 2, 1)
        best = int(np.argmin(squares))
        middle = float(predicted[best, 0] + shift[best])
        spread = math.sqrt(float(squares[best]) / freedom * (1 + 1 / len(others)))
        return of_logarithm(middle, spread, freedom)


def _all(here: Condition, others: Sequence[Known]) -> list[Condition]:
    return [here, *(other.condition for other in others)]


@cache
def _table() -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(np.log(_SOLVED)), tuple(np.log([memory_size_threshold(n) for n in _SOLVED]))


def _log_size(context_length: np.ndarray) -> np.ndarray:
    """ln n_d* at n_a = 20/15 N, between the sizes solved and along their end slopes beyond."""
    u, v = map(np.array, _table())
    x = np.log(SIZES[0] / 15 * context_length)
    slopes = np.diff(v) / np.diff(u)
    below, above = np.minimum(x - u[0], 0) * slopes[0], np.maximum(x - u[-1], 0) * slopes[-1]
    return np.interp(x, u, v) + below + above
