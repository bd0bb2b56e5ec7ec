"""The one answer type: theory and measurement both return a value with its interval."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .common.arguments import real, require

#: Confidence of every interval that is given without one.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value and the interval that holds it: ``low <= value <= high`` with probability ``confidence``.

    An exact result has ``low == value == high``. An infinite ``value`` says that the event never happens (a threshold
    that no task diversity reaches, a transience time without decay).

    Parameters
    ----------
    value, low, high : float, or arrays that broadcast
        The estimate and the two ends of its interval, in the unit of the quantity. Infinities are allowed, NaN is not.
    confidence : float in (0, 1]
        Coverage of the interval; 1 for bounds.
    extrapolated : bool
        Whether the value lies beyond what was measured, where the law was continued; the interval is then no more than
        the range from the last measurement on.

    Raises
    ------
    ValueError
        If the three numbers are not ordered, or ``confidence`` is out of range.

    Examples
    --------
    >>> Estimate.exact(141.0)
    Estimate(value=141.0, low=141.0, high=141.0, confidence=0.95)
    >>> Estimate(141.0, 135.0, 150.0).contains(148.0)
    True
    """

    value: Any
    low: Any
    high: Any
    confidence: Any = CONFIDENCE
    extrapolated: Any = field(default=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            real(name, getattr(self, name), finite=False)
        require(np.all(self.low <= self.value), "low", f"be at most the value {self.value!r}", self.low)
        require(np.all(self.high >= self.value), "high", f"be at least the value {self.value!r}", self.high)
        confidence = real("confidence", self.confidence, minimum=0.0, maximum=1.0)
        require(np.all(confidence > 0), "confidence", "be positive", self.confidence)

    @classmethod
    def exact(cls, value: Any) -> "Estimate":
        """The estimate whose interval is the value itself."""
        value = real("value", value, finite=False)
        value = value if value.ndim else float(value)
        return cls(value, value, value)

    @property
    def ends(self) -> tuple[Any, Any, Any]:
        """(value, low, high)."""
        return self.value, self.low, self.high

    def contains(self, other: Any) -> Any:
        """Whether ``other`` lies in the interval, the ends included."""
        return (self.low <= other) & (other <= self.high)

    def scaled(self, factor: float) -> "Estimate":
        """``factor`` >= 0 times the estimate."""
        return Estimate(factor * self.value, factor * self.low, factor * self.high, self.confidence)

    def inverse(self) -> "Estimate":
        """1/x of an estimate x > 0; its interval is open above where x's reaches 0.

        Examples
        --------
        >>> Estimate(0.5, 0.25, 1.0).inverse()
        Estimate(value=2.0, low=1.0, high=4.0, confidence=0.95)
        """
        high = 1 / self.low if self.low > 0 else math.inf
        return Estimate(1 / self.value, 1 / self.high, high, self.confidence)

    def over(self, other: "Estimate") -> "Estimate":
        """The ratio of two independent positive estimates; their relative widths add in quadrature."""
        if min(self.low, other.low) <= 0 or math.isinf(max(self.high, other.high)):
            return Estimate(self.value / other.value if 0 < other.value < math.inf else math.inf, 0.0, math.inf)
        value = self.value / other.value
        down = math.hypot(math.log(self.value / self.low), math.log(other.high / other.value))
        up = math.hypot(math.log(self.high / self.value), math.log(other.value / other.low))
        return Estimate(value, value * math.exp(-down), value * math.exp(up), self.confidence)
