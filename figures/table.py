"""The verdict table as text: one wording for the terminal, the report and the documentation."""

from __future__ import annotations

import math
from collections import Counter

from ..validate import Answer, Claim, Claims, PValue
from ..validate.values import Value, ends

COLUMNS = ("quantity", "predicted", "measured", "measured / predicted", "holds within", "verdict")


def cells(name: str, claim: Claim) -> tuple[str, ...]:
    """One row of the table, in the order of ``COLUMNS``; ``name`` is the claim in words (:attr:`Claims.names`)."""
    ratio, compared = claim.scale == "ratio", claim.compared
    against = "–" if compared is None else interval(compared) if ratio else f"difference {interval(compared)}"
    bar = "–" if claim.bar is None else f"p < {claim.bar:g}" if isinstance(claim.predicted, Answer) else None
    bar = f"{'×' if ratio else '±'} {claim.bar:g}" if bar is None else bar
    return name, interval(claim.predicted), interval(claim.measured), against, bar, str(claim.verdict)


def interval(value: Value | None) -> str:
    """Value and interval; the value alone where it is exact; an answer or a p-value in words."""
    if isinstance(value, Answer):
        word = {True: "yes", False: "no", None: "no answer"}[value.yes]
        return word if value.p is None else f"{word}, p = {value.p:.2g}"
    if isinstance(value, PValue):
        return f"p = {value.p:.2g}"
    found = None if value is None else ends(value)
    if found is None:
        return "–"
    middle, low, high = found
    return number(middle, 4) if low == middle == high else f"{number(middle)} [{number(low)}, {number(high)}]"


def number(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent where five places say it."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.0f}" if 1000 <= abs(rounded) < 1e5 else f"{rounded:g}"


def count(claims: Claims) -> str:
    """How many predictions hold, fail and are undecided, in words."""
    counted = Counter(claim.verdict.kind for claim in claims)
    judged = sum(counted[name] for name in ("holds", "fails", "undecided"))
    text = f"{judged} predictions: {counted['holds']} hold, {counted['fails']} fail, {counted['undecided']} undecided"
    return f"{text}; {counted['reported']} without a prediction or a bar" if counted["reported"] else text
