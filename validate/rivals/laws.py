"""Predictors that need no runs of their own: a power law of the coordinates, and a method's stored prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from ...theory import Estimate
from .conditions import Condition, Known

_CONFIDENCE = 0.95
#: Coordinates that a claim names only where they are not the usual ones.
_PLAIN = {"residual_scale": 1.0}


def of_logarithm(middle: float, spread: float, freedom: int) -> Estimate:
    """What has this logarithm, with Student's interval."""
    half = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, freedom)) * spread
    value, low, high = np.exp(np.clip([middle, middle - half, middle + half], -700, 700)).tolist()
    return Estimate(value, low, high, _CONFIDENCE)


@dataclass(frozen=True)
class Stated:
    """What a method of the experiments predicted before the networks were trained.

    ``theory``: whether it is the theory's own.
    """

    name: str
    sees: Sequence[str] = ()
    fitted: int = 0
    theory: bool = False

    def predict(self, here: Condition, others: Sequence[Known]) -> Estimate | None:
        return here.predictions.get(self.name)


@dataclass(frozen=True)
class PowerLaw:
    """y = C Π x^e, what is not given fitted to the other conditions by least squares in the logarithms.

        ln y = Xb ± t_{n−p} s √(1 + xᵀ(XᵀX)⁺x),    s² = Σ residual²/(n − p)

    The interval is Student's for a new condition; of a law that fits nothing it is the value itself. A law says nothing
    where the others do not determine it: fewer of them than parameters, or a coordinate that varies only here.

    Parameters
    ----------
    name : str
    exponents : mapping from a coordinate to its exponent, or to None where it is fitted
    constant : float, optional
        C; fitted by default.

    Examples
    --------
    >>> known = [Known(Condition({"context_length": n}), Estimate.exact(3.0 * n**2)) for n in (10, 20, 40, 80)]
    >>> law = PowerLaw("square", {"context_length": None})
    >>> law.fitted, round(law.predict(Condition({"context_length": 30}), known).value)
    (2, 2700)
    """

    name: str
    exponents: Mapping[str, float | None] = field(default_factory=dict)
    constant: float | None = None
    sees: Sequence[str] = ()

    @property
    def fitted(self) -> int:
        return (self.constant is None) + len(self._free)

    @property
    def _free(self) -> list[str]:
        return [name for name, exponent in self.exponents.items() if exponent is None]

    def predict(self, here: Condition, others: Sequence[Known]) -> Estimate | None:
        at = np.array([self._row(here), *(self._row(other.condition) for other in others)])
        fixed = np.array([self._fixed(here), *(self._fixed(other.condition) for other in others)])
        if not (np.isfinite(at).all() and np.isfinite(fixed).all()):
            return None
        if self.fitted == 0:
            return Estimate.exact(math.exp(fixed[0]))
        design, y = at[1:], np.log([other.measured.value for other in others]) - fixed[1:]
        rank = int(np.linalg.matrix_rank(design)) if len(design) else 0
        if len(design) <= rank or rank == 0:
            return None
        inverse = np.linalg.pinv(design)
        if np.abs(at[0] @ inverse @ design - at[0]).max() > 1e-6:  # a direction in which the others do not differ
            return None
        fit = inverse @ y
        variance = float(np.sum((y - design @ fit) ** 2)) / (len(design) - rank)
        spread = math.sqrt(variance * (1.0 + float(np.sum((at[0] @ inverse) ** 2))))
        return of_logarithm(float(at[0] @ fit) + fixed[0], spread, len(design) - rank)

    def _row(self, condition: Condition) -> list[float]:
        return ([1.0] if self.constant is None else []) + [_log(condition, name) for name in self._free]

    def _fixed(self, condition: Condition) -> float:
        given = {name: exponent for name, exponent in self.exponents.items() if exponent is not None}
        constant = 0.0 if self.constant is None else math.log(self.constant)
        return constant + sum(exponent * _log(condition, name) for name, exponent in given.items())


def _log(condition: Condition, name: str) -> float:
    value = condition.value(name, _PLAIN.get(name, math.nan))
    return math.log(value) if value > 0 else math.nan
