"""How good predictors are on the same conditions: a score that punishes misses and wide intervals alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...theory import Estimate
from ...theory.common.arguments import choice, require
from ..values import at_confidence
from .conditions import FEWEST, Known
from .predictors import Rival

Array = NDArray[np.float64]
Interval = tuple[float, float]

CONFIDENCE = 0.95
#: A quantity lies between these in any case: the ends of an open interval, or of no prediction.
LEAST, MOST = 1.0, 1e6
_RESAMPLES = 10_000
_EXACT = 16  # conditions up to which all 2^n signs are tried


def interval_score(predicted: Estimate | None, measured: Estimate) -> float:
    """Interval score of a prediction in the logarithm: the width, and 2/α times by how much it misses.

        S = (u − l) + (2/α) max(l − x, x − u, 0),    x = ln measured,  α = 0.05

    [l, u] is the predicted 95 % interval, widened on either side by that of the measurement in quadrature, because a
    perfect prediction, too, is off by what few networks leave unknown. Open ends, and those of no statement at all,
    stand at 1 and 10⁶.

    Source: Gneiting and Raftery, J. Am. Stat. Assoc. 102 (2007) 359, eq. 43.

    Examples
    --------
    >>> sure = Estimate(100.0, 95.0, 105.0)
    >>> [round(interval_score(sure, Estimate.exact(x)), 2) for x in (100.0, 120.0)]
    [0.1, 5.44]
    """
    return penalty(_interval(predicted, measured), math.log(measured.value))


def penalty(interval: Interval, x: float) -> float:
    """(u − l) + (2/α) max(l − x, x − u, 0)."""
    low, high = interval
    return (high - low) + 2 / (1 - CONFIDENCE) * max(low - x, x - high, 0.0)


def _interval(predicted: Estimate | None, measured: Estimate) -> Interval:
    ends = math.log(LEAST), math.log(MOST)
    if predicted is None:
        return ends
    prediction, measurement = (
        at_confidence(estimate, CONFIDENCE, logarithmic=True) for estimate in (predicted, measured)
    )
    assert isinstance(prediction, Estimate) and isinstance(measurement, Estimate)
    value, low, high = (math.log(min(max(end, LEAST), MOST)) for end in prediction.ends)
    below, above = math.log(measurement.high / measurement.value), math.log(measurement.value / measurement.low)
    return max(value - math.hypot(value - low, below), ends[0]), min(value + math.hypot(high - value, above), ends[1])


@dataclass(frozen=True)
class Comparison:
    """Predictors on the same conditions.

    Parameters
    ----------
    known : the conditions, with what was measured
    rivals : the predictors; tests compare each with ``rivals[against]``
    predicted : by rival, then by condition
    left_out : conditions whose measurement has an open end
    """

    known: Sequence[Known]
    rivals: Sequence[Rival]
    predicted: Sequence[Sequence[Estimate | None]]
    against: int = 0
    left_out: int = 0

    @property
    def scores(self) -> Array:
        """Interval score over (rival, condition); lower is better."""
        return np.array([[self._score(i, j) for j in range(len(self.known))] for i in range(len(self.rivals))])

    def _score(self, rival: int, condition: int) -> float:
        return interval_score(self.predicted[rival][condition], self.known[condition].measured)

    def _summary(self, rival: int) -> dict[str, Any]:
        """Of what a predictor speaks, by how much it is off, and how many of its intervals hold what was measured."""
        both = zip(self.predicted[rival], self.known, strict=True)
        pairs = [(predicted, k.measured) for predicted, k in both if predicted is not None]
        errors = [abs(math.log(min(max(s.value, LEAST), MOST) / m.value)) for s, m in pairs]
        return {
            "says": len(pairs), "conditions": len(self.known),
            "off by": math.exp(float(np.mean(errors))) if errors else math.nan,
            "covered": sum(_covers(s, m) for s, m in pairs),
        }  # fmt: skip

    @property
    def p_values(self) -> list[float]:
        """By rival: :func:`sign_flip` of its scores against ``rivals[against]``, by :func:`holm`; NaN for that one."""
        gaps = self.scores - self.scores[self.against]
        corrected = holm([sign_flip(gap) for i, gap in enumerate(gaps) if i != self.against])
        return [*corrected[: self.against], math.nan, *corrected[self.against :]]

    def rows(self, seed: int = 0) -> list[dict[str, Any]]:
        """One row a predictor, best score first.

        ``off by``: the factor between measured and predicted, mean in the logarithm over what it speaks of.
        ``covered``: how many of its intervals hold what was measured. ``score``: mean interval score with the
        percentiles of the bootstrap over conditions. ``difference``: of the score, to the one it is compared with;
        ``p``: of that difference by flipping its sign at every condition, by Holm's correction for all of them.
        """
        scores = self.scores
        drawn = np.random.default_rng(seed).integers(scores.shape[1], size=(_RESAMPLES, scores.shape[1]))
        gaps = scores - scores[self.against]
        rows = []
        for i, (rival, score, gap, p) in enumerate(zip(self.rivals, scores, gaps, self.p_values, strict=True)):
            low, high = np.percentile(score[drawn].mean(1), [2.5, 97.5])
            least, most = np.percentile(gap[drawn].mean(1), [2.5, 97.5])
            rows.append(
                {
                    "predictor": rival.name, "fitted": rival.fitted, "sees": ", ".join(rival.sees),
                    **self._summary(i), "score": float(score.mean()), "low": float(low), "high": float(high),
                    "difference": float(gap.mean()), "least": float(least), "most": float(most), "p": p,
                }
            )  # fmt: skip
        return sorted(rows, key=lambda row: row["score"])

    def by_condition(self) -> list[dict[str, Any]]:
        """One row a condition and predictor: where, what was predicted and measured, and the score."""
        rows = []
        columns = zip(*self.predicted, strict=True)
        for point, place, column, scores in zip(self.known, varied(self.known), columns, self.scores.T, strict=True):
            for rival, prediction, score in zip(self.rivals, column, scores, strict=True):
                ends = dict(zip(("predicted", "low", "high"), prediction.ends if prediction else (), strict=False))
                rows.append(
                    {**place, "measured": point.measured.value, "predictor": rival.name, **ends, "score": float(score)}
                )
        return rows


def varied(known: Sequence[Known]) -> list[dict[str, Any]]:
    """The coordinates in which conditions differ, of each of them."""
    names = dict.fromkeys(name for point in known for name in point.condition.at)
    varying = [name for name in names if len({point.condition.at.get(name) for point in known}) > 1]
    return [{name: point.condition.at.get(name) for name in varying} for point in known]


def compare(known: Sequence[Known], rivals: Sequence[Rival], against: str = "") -> Comparison:
    """Every rival at every condition, which is left out of what it is fitted to.

    Parameters
    ----------
    known : three or more conditions whose measurement has two ends; the others are left out
    rivals : predictors, of different names
    against : name of the one that the others are tested against; by default the first of the theory's, which is what is
        tested, and the first where there is none

    Raises
    ------
    ValueError
        For too few conditions or rivals, or a name that none has.
    """
    closed = [point for point in known if point.closed]
    must = f"be {FEWEST} or more whose measurement has two ends"
    require(len(closed) >= FEWEST, "conditions", must, f"{len(closed)} of {len(known)}")
    names = [rival.name for rival in rivals]
    require(len(rivals) > 0 and len(set(names)) == len(names), "rivals", "be one or more of different names", names)
    theory = next((rival.name for rival in rivals if getattr(rival, "theory", False)), names[0])
    against = against or theory
    choice("against", against, names)
    predicted = []
    for rival in rivals:
        seen = [point.seen_by(rival.sees) for point in closed]
        others = [[*seen[:i], *seen[i + 1 :]] if rival.fitted else [] for i in range(len(seen))]
        predicted.append([rival.predict(point.condition, rest) for point, rest in zip(seen, others, strict=True)])
    return Comparison(closed, rivals, predicted, names.index(against), len(known) - len(closed))


def sign_flip(differences: Array, seed: int = 0) -> float:
    """p of the hypothesis that paired differences are as likely of either sign: their mean under flipped signs.

    All 2^n signs for up to 16 conditions; 2^16 random ones beyond.
    """
    n = differences.size
    if n <= _EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(2**_EXACT, n))
        signs[0] = 1.0
    means, observed = np.abs(signs @ differences), abs(float(differences.sum()))
    return float(np.mean(means >= observed * (1 - 1e-9)))


def holm(p: Sequence[float]) -> list[float]:
    """p-values of several tests, raised so that none of the true hypotheses is rejected in 1 − α of all cases.

    Source: Holm, Scand. J. Stat. 6 (1979) 65.
    """
    order = np.argsort(p)
    raised = np.maximum.accumulate([(len(p) - rank) * p[i] for rank, i in enumerate(order)])
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(raised, 1.0)
    return corrected.tolist()


def _covers(predicted: Estimate, measured: Estimate) -> bool:
    low, high = _interval(predicted, measured)
    return low <= math.log(measured.value) <= high
