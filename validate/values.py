"""What a claim predicts or measures. Each type has its own measure of certainty, and none can be taken for another.

Estimate   a number and its interval at a confidence; more networks narrow it
Range      a number and the ends between which it lies for certain, or over which it varies; no network narrows it
Extremes   the median, the least and the greatest of a sample
Answer     yes, no, or None where nothing can be said
PValue     of a named test; small where the test's null hypothesis does not fit
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scipy import stats

from ..theory import Estimate
from ..theory.common.arguments import number, require


@dataclass(frozen=True)
class Range:
    """``low <= value <= high``: the gap of a scan in which the value lies, or what several settings spread over."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number(name, getattr(self, name), finite=False)
        require(self.low <= self.value <= self.high, "value", f"lie in [{self.low}, {self.high}]", self.value)


@dataclass(frozen=True)
class Extremes:
    """Median, least and greatest of a sample of networks."""

    median: float
    least: float
    greatest: float

    def __post_init__(self) -> None:
        for name in ("median", "least", "greatest"):
            number(name, getattr(self, name), finite=False)
        require(self.least <= self.median <= self.greatest, "median", "lie between the extremes", self.median)


@dataclass(frozen=True)
class Answer:
    """Yes or no; None where the data do not decide. ``test`` names the test, ``p`` its p-value."""

    yes: bool | None
    test: str = ""
    p: float | None = None


@dataclass(frozen=True)
class PValue:
    """p of ``test``, in [0, 1], and the statistic that it is of."""

    p: float
    test: str
    statistic: float | None = None

    def __post_init__(self) -> None:
        number("p", self.p, minimum=0.0, maximum=1.0)
        if self.statistic is not None:
            number("statistic", self.statistic, finite=False)


Value = Estimate | Range | Extremes | Answer | PValue
_TYPES: dict[str, type] = {
    "interval": Estimate, "range": Range, "extremes": Extremes, "answer": Answer, "p-value": PValue
}  # fmt: skip
#: Nothing is known: no event was seen, or no fit exists.
UNKNOWN = Estimate(math.inf, 0.0, math.inf)
UNKNOWN_DIFFERENCE = Estimate(0.0, -math.inf, math.inf)


def ends(value: Value) -> tuple[float, float, float] | None:
    """(value, low, high) of a number; None of an answer or a p-value."""
    if isinstance(value, Estimate | Range):
        return value.value, value.low, value.high
    return (value.median, value.least, value.greatest) if isinstance(value, Extremes) else None


def at_confidence(value: Value, confidence: float, *, logarithmic: bool) -> Value:
    """An interval widened or narrowed to another confidence by the quantiles of the normal law; others as they are."""
    if not isinstance(value, Estimate) or value.confidence in (confidence, 1.0) or value.low == value.high:
        return value  # an interval of confidence 1 is a bound at any
    quantile_ratio = float(stats.norm.ppf(0.5 + confidence / 2) / stats.norm.ppf(0.5 + value.confidence / 2))
    centre, low, high = value.value, value.low, value.high
    if not logarithmic:
        return Estimate(
            centre, centre - quantile_ratio * (centre - low), centre + quantile_ratio * (high - centre), confidence
        )
    if not 0 < centre < math.inf:
        return value
    down = centre * (low / centre) ** quantile_ratio if low > 0 else 0.0
    return Estimate(centre, down, centre * (high / centre) ** quantile_ratio if high < math.inf else high, confidence)


def value_json(value: Value | None) -> dict[str, Any] | None:
    """As a JSON object that names its type."""
    if value is None:
        return None
    fields = asdict(value)
    if not fields.get("extrapolated", True):
        del fields["extrapolated"]
    return {"type": next(name for name, kind in _TYPES.items() if isinstance(value, kind)), **fields}


def value_from_json(entry: Mapping[str, Any] | None) -> Value | None:
    """The value of a JSON object; ``ValueError`` where it is none."""
    if entry is None:
        return None
    fields = dict(entry)
    kind = _TYPES.get(fields.pop("type", ""))
    if kind is None:
        raise ValueError(f"no value has the type {entry.get('type')!r}")
    if fields.get("extrapolated", True) is not True:
        raise ValueError(f"extrapolated must be true or absent, but it is {fields['extrapolated']!r}")
    for name, field in fields.items():
        if field in ("inf", "-inf"):
            fields[name] = float(field)
        elif name not in ("yes", "test", "extrapolated") and not (field is None or type(field) in (int, float)):
            raise ValueError(f"{name} must be a number, but it is {field!r}")
    if kind is Answer and fields.get("yes") not in (True, False, None):
        raise ValueError(f"yes must be true, false or null, but it is {fields.get('yes')!r}")
    try:
        return kind(**fields)
    except TypeError as error:  # a field too many, too few, or null
        raise ValueError(str(error)) from error


Ends = tuple[float, float, float]


def ratio(p: Ends, m: Ends, confidence: float) -> Estimate:
    """Measured over predicted; the two intervals' widths add in quadrature in the logarithm."""
    if not (0 < p[0] < math.inf and 0 < m[0] < math.inf):
        both = 1.0 if m[0] == p[0] else math.inf  # neither event happens: inf/inf
        return Estimate(m[0] / p[0] if 0 < p[0] < math.inf else both, 0.0, math.inf, confidence)
    down = math.hypot(log_over(m[0], m[1]), log_over(p[2], p[0]))
    up = math.hypot(log_over(m[2], m[0]), log_over(p[0], p[1]))
    value = m[0] / p[0]
    return Estimate(value, value * math.exp(-down), value * math.exp(min(up, 600.0)), confidence)


def difference(p: Ends, m: Ends, confidence: float) -> Estimate:
    """Measured minus predicted; the two intervals' widths add in quadrature."""
    if not (math.isfinite(p[0]) and math.isfinite(m[0])):
        return Estimate(0.0 if p[0] == m[0] else m[0] - p[0], -math.inf, math.inf, confidence)
    value, down, up = m[0] - p[0], math.hypot(m[0] - m[1], p[2] - p[0]), math.hypot(m[2] - m[0], p[0] - p[1])
    return Estimate(value, value - down, value + up, confidence)


def log_over(value: float, over: float = 1.0) -> float:
    """ln(value/over), with the ends of the line where one of them is 0 or infinite."""
    if value <= 0 or math.isinf(over):
        return -math.inf
    return math.inf if over <= 0 or math.isinf(value) else math.log(value / over)
