"""Verdicts: the table's words, one wording for terminal, report and documentation, and every one at a glance (new)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from ..theory import Estimate
from ..validate import Answer, Claim, Claims, PValue
from ..validate.values import Value, ends
from . import style
from .catalogue import FIGURES
from .picture import Picture
from .results import Results

COLUMNS = ("quantity", "predicted", "measured", "measured / predicted", "holds within", "verdict")


def cells(name: str, claim: Claim, *, words: bool = False) -> tuple[str, ...]:
    """One row of the table, in the order of ``COLUMNS``; ``name`` is the claim in words (:attr:`Claims.names`).

    ``words`` says where an interval has no end, instead of a sign.
    """
    ratio, compared = claim.scale == "ratio", claim.compared
    written = partial(interval, words=words, ratio=ratio)
    against = "–" if compared is None else written(compared) if ratio else f"difference {written(compared)}"
    bar = "–" if claim.bar is None else f"p < {claim.bar:g}" if isinstance(claim.predicted, Answer) else None
    bar = f"{'×' if ratio else '±'} {claim.bar:g}" if bar is None else bar
    # Of a time an open end comes from networks that are not done; its middle is a prediction all the same.
    at_least = claim.quantity == "K*" and is_bound(claim.predicted)
    predicted = prediction_in_words(claim.predicted) if at_least else written(claim.predicted)
    return name, predicted, written(claim.measured), against, bar, str(claim.verdict)


def is_bound(value: Value | None) -> bool:
    """Whether a prediction ends in a lower bound, as where a clock was read no further: its value is no prediction."""
    return isinstance(value, Estimate) and 0 < value.low < value.high == math.inf


def prediction_in_words(value: Value | None) -> str:
    """A prediction in words: a lower bound alone where it is no more, otherwise as :func:`interval`.

    Examples
    --------
    >>> prediction_in_words(Estimate(8192.0, 7808.0, math.inf)), prediction_in_words(Estimate(390.0, 350.0, 430.0))
    ('at least 7,808', '390 [350, 430]')
    """
    if is_bound(value):
        assert isinstance(value, Estimate)
        return f"at least {number(value.low, 4)}"
    return interval(value)


def interval(value: Value | None, *, words: bool = False, ratio: bool = True) -> str:
    """Value and interval; the value alone where it is exact; an answer or a p-value in words.

    An end beyond 1e9 times the value is none, as no network was seen that would set it: a sign, or ``words``, which
    name a missing lower end of a ``ratio``, too.

    Examples
    --------
    >>> interval(Estimate(1.26, 1.07, 4.74e260)), interval(Estimate(63.6, 56.7, math.inf), words=True)
    ('1.26 [1.07, ∞]', '63.6 [56.7, no upper bound]')
    >>> interval(Estimate(1.2, 0.0, 1e304), words=True)
    '1.2 [no lower bound, no upper bound]'
    """
    if isinstance(value, Answer):
        word = {True: "yes", False: "no", None: "no answer"}[value.yes]
        return word if value.p is None else f"{word}, p = {value.p:.2g}"
    if isinstance(value, PValue):
        return f"p = {value.p:.2g}"
    bounds = None if value is None else ends(value)
    if bounds is None:
        return "–"
    middle, low, high = bounds
    if low == middle == high:
        return number(middle, 4)
    size = abs(middle) if math.isfinite(middle) else low or 1.0  # an infinite value is no measure of its ends
    open_below = low == -math.inf or (ratio and low < size / _NO_BOUND)
    open_above = high > max(size, 1.0) * _NO_BOUND
    least = "no lower bound" if words and open_below else number(low)
    most = ("no upper bound" if words else "∞") if open_above else number(high)
    return f"{number(middle)} [{least}, {most}]"


def number(value: float, digits: int = 3) -> str:
    """The number to so many significant digits, without an exponent where five places are enough."""
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


_NO_BOUND = 1e9
COLOURS = {"holds": style.MEASURED, "fails": style.IWL, "undecided": "0.55"}
_LEAST, _MOST = 2.5, 10.0  # the axis reaches from one over such a factor to the factor
_PITCH = 0.036  # inches from one prediction to the next


def ratios(claims: Claims) -> dict[str, list[Claim]]:
    """The judged claims that compare as a ratio, known or unknown, by experiment."""
    comparable = {
        name: [claim for claim in claims_of.select(scale="ratio", verdict=list(COLOURS)) if claim.compared is not None]
        for name, claims_of in claims.experiments().items()
    }
    return {name: claims_of for name, claims_of in comparable.items() if claims_of}


def draw(claims: Mapping[str, list[Claim]], ax: Axes | None = None) -> Axes:
    """One line a prediction, by experiment from the top: measured over predicted with its interval; triangle: beyond.

    Parameters
    ----------
    claims : by experiment; each compares as a ratio
    """
    limits = _limits(claims)
    with style.axes(ax, _height(claims)) as ax:
        y, places = 0, {}
        for name, group in claims.items():
            places[name.replace("_", " ")] = y + (len(group) - 1) / 2
            for claim in group:
                assert claim.compared is not None
                value, low, high = claim.compared.value, claim.compared.low, claim.compared.high
                colour = COLOURS[claim.verdict.kind]
                ax.plot(np.clip([low, high], *limits), [y, y], color=colour, linewidth=0.7, solid_capstyle="butt")
                marker = "o" if limits[0] <= value <= limits[1] else "<" if value < 1 else ">"
                ax.plot(np.clip(value, *limits), y, marker, color=colour, markersize=1.6)
                y += 1
            y += 1 + max(0, 3 - len(group))
        ax.axvline(1.0, color=style.THEORY, linewidth=0.8, zorder=0)
        ax.set(xscale="log", xlim=limits, ylim=(y - 0.5, -1), xlabel="measured / predicted")
        style.plain_ticks(ax.xaxis)
        ax.set_yticks(list(places.values()), list(places), fontsize=6)
        for verdict, colour in COLOURS.items():
            ax.plot([], [], "o-", color=colour, markersize=2.5, label=verdict)
        style.legend_above(ax, columns=3)
    return ax


def _limits(claims: Mapping[str, list[Claim]]) -> tuple[float, float]:
    """Wide enough for every ratio within a factor of 10, and no wider, so that a few percent can be seen."""
    ratios = [claim.compared.value for group in claims.values() for claim in group if claim.compared is not None]
    reach = max((max(r, 1 / r) for r in ratios if 1 / _MOST <= r <= _MOST), default=_LEAST)
    factor = float(np.clip(1.1 * reach, _LEAST, _MOST))
    return 1 / factor, factor


def prepare(results: Results) -> Picture:
    claims = ratios(results.claims)
    if not claims:
        raise results.missing(*FIGURES["verdicts"].experiments)
    counted = Counter(claim.verdict.kind for group in claims.values() for claim in group)
    caption = (
        f"Every prediction of the {results.preset} preset that is compared as a ratio: measured over predicted with "
        f"its 95 % interval. {counted['holds']} hold, {counted['fails']} fail, {counted['undecided']} are undecided, "
        "each by the bar fixed for it."
    )
    return Picture(caption, [partial(draw, claims)], height=_height(claims))


def _height(claims: Mapping[str, list[Claim]]) -> float:
    """Inches; a label needs the room of three rows."""
    return _PITCH * sum(max(len(group), 3) + 1 for group in claims.values()) + 0.8
