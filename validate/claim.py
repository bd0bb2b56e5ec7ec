"""A claim: one number that the theory predicts for networks, with everything a table, a figure or a filter needs.

Nothing about a claim is told by its wording. Figures, reports and the command line select claims by their fields,

    claims.select(quantity="K*", network="minimal", part="circuit", method="coupled equations")
    claims.where("quantity == K* and context_length >= 25")          (see :mod:`iclrace.validate.claims`)

read x off ``claim.at`` (``claim.at["context_length"]``), y off ``claim.predicted`` and ``claim.measured``, and open the
curves of the networks behind it under the names in ``claim.datasets``. What was measured is stored in the claim and is
not measured again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..theory import Estimate
from ..theory.common.arguments import require
from .place import PARTS, SYMBOLS, UNTOLD, At, network_words, number, plain, text
from .values import (
    Answer,
    PValue,
    Value,
    at_confidence,
    difference,
    ends,
    log_over,
    ratio,
    value_from_json,
    value_json,
)

Scale = Literal["ratio", "difference"]


@dataclass(frozen=True)
class Verdict:
    """``kind``, and what follows from it.

    Parameters
    ----------
    kind : "holds", "fails", "undecided", "reported" or "pending"
        Reported: nothing was predicted, or no bar was set. Pending: nothing is measured yet.
    by : str
        How far a failing prediction is off: a factor, or a difference.
    seeds : int, optional
        Networks at each point that would decide, where more networks can.
    hours : float, optional
        What the additional ones cost at the speed of those trained.
    """

    kind: Literal["holds", "fails", "undecided", "reported", "pending"]
    by: str = ""
    seeds: int | None = None
    hours: float | None = None

    def __str__(self) -> str:
        if self.kind == "fails" and self.by:
            return f"fails by {self.by}"
        if self.kind != "undecided" or not (self.seeds or self.by):
            return self.kind
        cost = "" if self.hours is None else f", {self.hours:.2g} h"
        return f"undecided ({f'needs {self.seeds} seeds' if self.seeds else self.by}{cost})"


@dataclass(frozen=True)
class Claim:
    """One statement about networks, from its prediction to its verdict.

    Parameters
    ----------
    quantity : str
        The symbol: "K*", "t_ICL", "I*", "t_loss", "d ln K*/d ln N", …
    network : "minimal", "transformer", "perceptron", or the name of a network of the user's own
    predicted : Estimate, Range or Answer, optional
        None where the theory makes no statement: the claim then only reports.
    bar : float, optional
        Fixed before the networks are trained: the factor (> 1) or the difference (> 0) within which the prediction
        must be; of a p-value, the level below which the answer is yes. None sets no bar.
    part : "circuit", "whole" or "memory"
        Which part of the network the quantity is read off.
    method : str
        How it was predicted. Claims that differ in nothing else share one measurement.
    at : mapping from the name of a coordinate to its value
        ``context_length``, ``task_diversity``, ``decay``, … (:data:`SYMBOLS`), as numbers, words or tuples of them:
        an exponent in N lists its N.
    scale : "ratio" or "difference"
        Measured over predicted; or measured minus predicted, for what may vanish (fractions, exponents).
    inputs : sequence of str
        What the prediction has seen.
    data : sequence of str
        Labels of the networks that it is measured on; ``datasets`` are the names of their files.
    experiment : str
    measured : Estimate, Range, Extremes, Answer or PValue, optional
    seeds : int
        Networks at each point of the measurement.
    seed_hours : float, optional
        Hours that training one seed at every point took.
    """

    quantity: str
    network: str
    predicted: Value | None
    bar: float | None
    part: str = "whole"
    method: str = ""
    at: Mapping[str, At] = field(default_factory=dict)
    scale: Scale = "ratio"
    inputs: Sequence[str] = ()
    data: Sequence[str] = ("networks",)
    experiment: str = ""
    measured: Value | None = None
    seeds: int = 0
    seed_hours: float | None = None

    def __post_init__(self) -> None:
        require(self.part in PARTS, "part", f"be one of {', '.join(PARTS)}", self.part)
        require(self.scale in ("ratio", "difference"), "scale", 'be "ratio" or "difference"', self.scale)
        if self.bar is not None and not isinstance(self.predicted, Answer):
            least = 1.0 if self.scale == "ratio" else 0.0
            require(self.bar > least, "bar", f"be a {'factor' if least else 'difference'} > {least:g}", self.bar)
        object.__setattr__(self, "at", {name: plain(value) for name, value in self.at.items()})
        for name in ("inputs", "data"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def subject(self) -> tuple[Any, ...]:
        """What is measured: equal for claims that differ only in how they predict it."""
        return self.quantity, self.network, self.part, tuple(sorted(self.at.items())), self.data

    @property
    def key(self) -> tuple[Any, ...]:
        """What distinguishes this claim from the others of a folder."""
        return self.experiment, self.method, *self.subject

    @property
    def datasets(self) -> list[str]:
        """Names of the stored datasets that it was measured on."""
        return [f"{self.experiment}_{label}" for label in self.data]

    @property
    def frozen(self) -> Claim:
        """The claim as it stood before its networks were trained."""
        return replace(self, measured=None, seeds=0, seed_hours=None)

    @property
    def compared(self) -> Estimate | None:
        """Measured over predicted, or their difference; the widths add in quadrature. None where one is no number."""
        if self.predicted is None or self.measured is None:
            return None
        confidence = getattr(self.measured, "confidence", 0.95)
        predicted = at_confidence(self.predicted, confidence, logarithmic=self.scale == "ratio")
        p, m = ends(predicted), ends(self.measured)
        if p is None or m is None:
            return None
        return (ratio if self.scale == "ratio" else difference)(p, m, confidence)

    @property
    def verdict(self) -> Verdict:
        """Holds: the whole interval of the ratio (of the difference) lies within the bar. Fails: none of it does.

        Otherwise undecided. An interval states how many seeds would narrow it, as 1/√n, to within the bar or out of
        it; a range, which they do not narrow, that it is wider than the bar leaves room for. An answer holds if it is
        the one predicted, and a p-value answers yes below the bar.
        """
        answers = isinstance(self.predicted, Answer)
        if self.predicted is None or (self.bar is None and not answers):
            return Verdict("reported")
        if self.measured is None:
            return Verdict("pending")
        if isinstance(self.predicted, Answer):
            return self._answered(self.predicted)
        compared = self.compared
        if compared is None or self.bar is None:
            return Verdict("undecided", "no number was measured")
        if self.scale == "ratio":
            edge, value, low, high = (
                math.log(self.bar),
                *(log_over(x) for x in (compared.value, compared.low, compared.high)),
            )
            by = f"factor {max(compared.value, 1 / compared.value):.3g}" if compared.value > 0 else "factor inf"
        else:
            edge, value, low, high = self.bar, compared.value, compared.low, compared.high
            by = f"{compared.value:+.2g}"
        if -edge <= low and high <= edge:
            return Verdict("holds")
        if low > edge or high < -edge:
            return Verdict("fails", by)
        if not isinstance(self.measured, Estimate):
            return Verdict("undecided", "the range crosses the bar")
        return self._cost(abs(abs(value) - edge), (high - low) / 2)

    def _answered(self, predicted: Answer) -> Verdict:
        if isinstance(self.measured, PValue):
            yes = None if self.bar is None else self.measured.p < self.bar
        else:
            yes = self.measured.yes if isinstance(self.measured, Answer) else None
        return Verdict("undecided") if yes is None else Verdict("holds" if yes == predicted.yes else "fails")

    def _cost(self, distance: float, half_width: float) -> Verdict:
        if not math.isfinite(half_width) or distance == 0 or half_width / distance > 30:
            return Verdict("undecided", "needs many more seeds")
        seeds = max(self.seeds + 1, math.ceil(self.seeds * (half_width / distance) ** 2))
        hours = None if self.seed_hours is None else (seeds - self.seeds) * self.seed_hours
        return Verdict("undecided", seeds=seeds, hours=hours)

    def as_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "experiment": self.experiment, "quantity": self.quantity, "network": self.network, "part": self.part,
            "method": self.method, "at": dict(self.at), "predicted": value_json(self.predicted),
            "measured": value_json(self.measured), "bar": self.bar, "scale": self.scale, "inputs": list(self.inputs),
            "data": list(self.data), "seeds": self.seeds, "seed_hours": self.seed_hours,
            "compared": value_json(self.compared), "verdict": verdict.kind, "verdict_text": str(verdict),
        }  # fmt: skip

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Claim:
        """The claim of a JSON object; ``ValueError`` where a field is missing or of another type."""
        try:
            words = {name: entry[name] for name in ("experiment", "quantity", "network", "part", "method", "scale")}
            if not all(isinstance(value, str) for value in words.values()):
                raise ValueError("a name is no text")
            at = {str(name): number(value) for name, value in dict(entry["at"]).items()}
            values = {name: value_from_json(entry[name]) for name in ("predicted", "measured")}
            lists = {name: tuple(str(text) for text in entry[name]) for name in ("inputs", "data")}
            numbers = {name: entry[name] for name in ("bar", "seeds", "seed_hours")}
            if any(isinstance(v, bool | str) for v in numbers.values()):
                raise ValueError("a number is none")
            return cls(**words, **values, **lists, **numbers, at=at)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no claim: {error!r}") from error


def names(claims: Sequence[Claim]) -> list[str]:
    """Each claim in words, with the coordinates in which the claims of one experiment about the quantity differ."""
    named = []
    for claim in claims:
        kind = (claim.experiment, claim.quantity)
        like = [other.at for other in claims if (other.experiment, other.quantity) == kind]
        where = [
            f"{SYMBOLS.get(name, name)} = {text(value)}"
            for name, value in claim.at.items()
            if name not in UNTOLD and any(other.get(name) != value for other in like)
        ]
        words = (claim.quantity, network_words(claim.network), PARTS[claim.part], *where, claim.method)
        named.append(", ".join(word for word in words if word))
    return named
