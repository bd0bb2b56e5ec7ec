"""Verdicts: a prediction against a measurement, from their intervals and a bar set beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..theory import Estimate
from ..theory._arguments import require


@dataclass(frozen=True)
class Comparison:
    """One row of the table.

    Parameters
    ----------
    quantity : str
        What is compared, with its symbol.
    predicted : Estimate or None
        None where the theory makes no statement: the row then only reports.
    measured : Estimate
    bar : float
        The prediction holds within this factor (> 1), or within this difference (> 0); fixed before the measurement.
    inputs : sequence of str
        What the prediction has seen.
    seeds : int
        Networks behind each point of the measurement.
    scale : "ratio" or "difference"
        Measured over predicted, or measured minus predicted: for fractions, exponents and other quantities that may
        vanish, of which a ratio says nothing.
    """

    quantity: str
    predicted: Estimate | None
    measured: Estimate
    bar: float
    inputs: Sequence[str]
    seeds: int
    scale: Literal["ratio", "difference"] = "ratio"

    def __post_init__(self) -> None:
        require(self.scale in ("ratio", "difference"), "scale", 'be "ratio" or "difference"', self.scale)
        if self.scale == "ratio":
            require(self.bar > 1, "bar", "be a factor > 1", self.bar)
        else:
            require(self.bar > 0, "bar", "be a difference > 0", self.bar)

    @property
    def ratio(self) -> Estimate | None:
        """Measured over predicted; the two intervals' widths add in quadrature in the logarithm."""
        p, m = self.predicted, self.measured
        if p is None:
            return None
        if not (0 < p.value < math.inf and 0 < m.value < math.inf):
            both = 1.0 if m.value == p.value else math.inf  # neither event happens: inf/inf
            return Estimate(m.value / p.value if 0 < p.value < math.inf else both, 0.0, math.inf)
        down = math.hypot(_log(m.value, m.low), _log(p.high, p.value))
        up = math.hypot(_log(m.high, m.value), _log(p.value, p.low))
        ratio = m.value / p.value
        return Estimate(ratio, ratio * math.exp(-down), ratio * math.exp(min(up, 600.0)))

    @property
    def difference(self) -> Estimate | None:
        """Measured minus predicted; the two intervals' widths add in quadrature."""
        p, m = self.predicted, self.measured
        if p is None:
            return None
        if not (math.isfinite(p.value) and math.isfinite(m.value)):
            same = p.value == m.value
            return Estimate(0.0 if same else m.value - p.value, -math.inf, math.inf)
        down, up = math.hypot(m.value - m.low, p.high - p.value), math.hypot(m.high - m.value, p.value - p.low)
        value = m.value - p.value
        return Estimate(value, value - down, value + up)

    @property
    def verdict(self) -> str:
        """``holds``, ``fails by …``, ``undecided (needs n seeds)``, or ``reported`` without a prediction.

        Holds: the whole interval of the ratio (of the difference) lies within the bar. Fails: none of it does; what is
        stated is the ratio's distance from 1, ``factor x``, or the difference. Otherwise undecided: the seeds that
        would narrow the interval, as 1/√n, to within the bar or out of it.
        """
        found = self.ratio if self.scale == "ratio" else self.difference
        if found is None:
            return "reported"
        if self.scale == "ratio":
            edge, value, low, high = math.log(self.bar), _log(found.value), _log(found.low), _log(found.high)
            by = f"factor {max(found.value, 1 / found.value):.3g}" if found.value > 0 else "factor inf"
        else:
            edge, value, low, high = self.bar, found.value, found.low, found.high
            by = f"{found.value:+.2g}"
        if -edge <= low and high <= edge:
            return "holds"
        if low > edge or high < -edge:
            return f"fails by {by}"
        distance = abs(abs(value) - edge)
        half_width = (high - low) / 2
        if not math.isfinite(half_width) or distance == 0 or half_width / distance > 30:
            return "undecided (needs many more seeds)"
        return f"undecided (needs {max(self.seeds + 1, math.ceil(self.seeds * (half_width / distance) ** 2))} seeds)"

    @property
    def failed(self) -> bool:
        return self.verdict.startswith("fails")

    def as_json(self) -> dict[str, Any]:
        return {
            "quantity": self.quantity,
            "predicted": _fields(self.predicted),
            "measured": _fields(self.measured),
            "ratio": _fields(self.ratio),
            "difference": _fields(self.difference),
            "scale": self.scale,
            "bar": self.bar,
            "verdict": self.verdict,
            "inputs": list(self.inputs),
            "seeds": self.seeds,
        }


def _log(value: float, over: float = 1.0) -> float:
    if value <= 0 or math.isinf(over):
        return -math.inf
    return math.inf if over <= 0 or math.isinf(value) else math.log(value / over)


def _fields(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else asdict(estimate)
