"""The verdict table as text: one wording for the terminal, the report and the documentation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

COLUMNS = ("quantity", "predicted", "measured", "measured / predicted", "holds within", "verdict")


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """One row of the table, in the order of ``COLUMNS``, from a comparison's JSON."""
    ratio = row.get("scale", "ratio") == "ratio"
    against = interval(row["ratio"]) if ratio else f"difference {interval(row['difference'])}"
    bar = "–" if row["predicted"] is None else f"{'×' if ratio else '±'} {row['bar']:g}"
    if row["predicted"] is None:
        against = "–"
    return row["quantity"], interval(row["predicted"]), interval(row["measured"]), against, bar, row["verdict"]


def interval(estimate: dict[str, Any] | None) -> str:
    """Value and interval; the value alone where it is exact."""
    if estimate is None:
        return "–"
    value, low, high = (float(estimate[end]) for end in ("value", "low", "high"))
    if low == value == high:
        return number(value, 4)
    return f"{number(value)} [{number(low)}, {number(high)}]"


def number(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent where five places say it."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.0f}" if 1000 <= abs(rounded) < 1e5 else f"{rounded:g}"


def kind(verdict: str) -> str:
    """The first word of a verdict: holds, fails, undecided or reported."""
    return verdict.split()[0]


def count(rows: Sequence[dict[str, Any]]) -> str:
    """How many predictions hold, fail and are undecided, in words."""
    counted = Counter(kind(row["verdict"]) for row in rows)
    judged = sum(counted[name] for name in ("holds", "fails", "undecided"))
    text = f"{judged} predictions: {counted['holds']} hold, {counted['fails']} fail, {counted['undecided']} undecided"
    return f"{text}; {counted['reported']} without a prediction" if counted["reported"] else text
