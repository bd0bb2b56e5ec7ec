"""The one answer type: theory and measurement both return a value with its interval."""

from dataclasses import dataclass

from ._arguments import number, require


@dataclass(frozen=True)
class Estimate:
    """A value and the interval that holds it: ``low <= value <= high`` with probability ``confidence``.

    An exact result has ``low == value == high``. An infinite ``value`` says that the event never happens (a threshold
    that no task diversity reaches, a transience time without decay).

    Parameters
    ----------
    value, low, high : float
        The estimate and the two ends of its interval, in the unit of the quantity. Infinities are allowed, NaN is not.
    confidence : float in (0, 1]
        Coverage of the interval.

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

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number(name, getattr(self, name), finite=False)
        require(self.low <= self.value, "low", f"be at most the value {self.value!r}", self.low)
        require(self.high >= self.value, "high", f"be at least the value {self.value!r}", self.high)
        number("confidence", self.confidence, minimum=0.0, maximum=1.0)
        require(self.confidence > 0, "confidence", "be positive", self.confidence)

    @classmethod
    def exact(cls, value: float) -> "Estimate":
        """The estimate whose interval is the value itself."""
        return cls(float(value), float(value), float(value))

    def contains(self, other: float) -> bool:
        """Whether ``other`` lies in the interval, the ends included."""
        return self.low <= other <= self.high
