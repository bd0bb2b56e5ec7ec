"""Verdicts: a prediction against a measurement, from their intervals and a bar set beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

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
    bar : float > 1
        The prediction holds within this factor; fixed before the measurement.
    inputs : sequence of str
        What the prediction has seen.
    seeds : int
        Networks behind each point of the measurement.
    """

    quantity: str
    predicted: Estimate | None
    measured: Estimate
    bar: float
    inputs: Sequence[str]
    seeds: int

    def __post_init__(self) -> None:
        require(self.bar > 1, "bar", "be a factor > 1", self.bar)

    @property
    def ratio(self) -> Estimate | None:
        """Measured over predicted; the two intervals' widths add in quadrature in the logarithm."""
        p, m = self.predicted, self.measured
        if p is None:
            return None
        if not (0 < p.value < math.inf and 0 < m.value < math.inf):
            return Estimate(m.value / p.value if p.value else math.inf, 0.0, math.inf)
        down = math.hypot(_log(m.value, m.low), _log(p.high, p.value))
        up = math.hypot(_log(m.high, m.value), _log(p.value, p.low))
        ratio = m.value / p.value
        return Estimate(ratio, ratio * math.exp(-down), ratio * math.exp(min(up, 600.0)))

    @property
    def verdict(self) -> str:
        """``holds``, ``fails by factor x``, ``undecided (needs n seeds)``, or ``reported`` without a prediction.

        Holds: the ratio's whole interval lies within the bar. Fails: none of it does; the factor is the ratio's
        distance from 1. Otherwise undecided: the seeds that would narrow the interval, as 1/√n, to within the bar or
        out of it.
        """
        ratio = self.ratio
        if ratio is None:
            return "reported"
        edge, low, high = math.log(self.bar), _log(ratio.low), _log(ratio.high)
        if -edge <= low and high <= edge:
            return "holds"
        if low > edge or high < -edge:
            return f"fails by factor {max(ratio.value, 1 / ratio.value):.2g}"
        distance = abs(abs(_log(ratio.value)) - edge)
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
