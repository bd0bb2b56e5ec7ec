"""The final accuracy that follows from a predicted K*, scored at every K at which networks were trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from ...theory import Estimate
from ...theory.accuracy import ACQUIRED
from ...theory.common.arguments import require
from ..experiments.outcomes import FINAL
from ..measure.bimodality import accuracy_at
from ..values import at_confidence
from .conditions import Known
from .predictors import Rival
from .score import CONFIDENCE, Comparison, Interval, compare, penalty, varied

CHANCE = 0.5
#: The prediction for a condition where a predictor makes none.
NOTHING = Estimate(0.5, 0.0, 1.0, CONFIDENCE)


def accuracy_from(threshold: Estimate | None, task_diversity: float) -> Estimate:
    """Final ICL accuracy at K, from K* and its 95 % interval: one rule for every predictor.

        K < K*_low:  1/2        K > K*_high:  1        between:  [1/2, 1], value (1 + Φ((ln K − ln K*)/σ))/2

    The mean between is over a K* that is normal in ln K, σ on either side that of the interval's end. Of a K* that is
    infinite, or an end that is open, no K lies above. Without a K* the accuracy lies in [0, 1].

    Examples
    --------
    >>> [accuracy_from(Estimate(100.0, 80.0, 125.0), k).value for k in (50, 100, 200)]
    [0.5, 0.75, 1.0]
    """
    if threshold is None:
        return NOTHING
    estimate = at_confidence(threshold, CONFIDENCE, logarithmic=True)
    assert isinstance(estimate, Estimate)
    if task_diversity < estimate.low:
        return Estimate.exact(CHANCE)
    if task_diversity > estimate.high:
        return Estimate.exact(1.0)
    share = 0.5
    if task_diversity != estimate.value:
        end = estimate.low if task_diversity < estimate.value else estimate.high
        away = math.log(task_diversity / estimate.value) if estimate.value < math.inf else -math.inf
        spread = abs(math.log(end / estimate.value)) if 0 < end < math.inf and estimate.value < math.inf else math.inf
        deviation = 0.0 if math.isinf(spread) else away / spread * float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
        share = 0.0 if math.isinf(estimate.value) else float(stats.norm.cdf(deviation))
    return Estimate(CHANCE + (1 - CHANCE) * share, CHANCE, 1.0, CONFIDENCE)


def final_accuracies(runs: xr.Dataset, budget: float) -> dict[float, Estimate]:
    """Mean ICL accuracy over seeds at the end of the budget by K, with Student's 95 % interval within [0, 1].

    Networks are stopped as they acquire ICL: what one of them would have had at the end lies between its last accuracy
    and 1, and the interval's upper end holds both.
    """
    ends = accuracy_at(runs, budget)
    accuracies = {}
    for k in runs.task_diversity.values.tolist():
        last = ends.sel(task_diversity=k).values.ravel()
        last = last[np.isfinite(last)]
        if last.size:
            low, _ = _student(last)
            _, high = _student(np.where(last > ACQUIRED, 1.0, last))
            value = float(last.mean())
            high = max(high, _student(last)[1], value)
            accuracies[float(k)] = Estimate(value, min(low, value), high, CONFIDENCE)
    return accuracies


def _student(samples: np.ndarray) -> tuple[float, float]:
    if samples.size == 1:
        return 0.0, 1.0
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, samples.size - 1) * samples.std(ddof=1)) / math.sqrt(samples.size)
    return max(float(samples.mean()) - half, 0.0), min(float(samples.mean()) + half, 1.0)


def accuracy_interval(estimate: Estimate, measured: Estimate) -> Interval:
    """[l, u] of a predicted accuracy, widened by the measurement in quadrature, within [0, 1]."""
    below, above = measured.high - measured.value, measured.value - measured.low
    low, high = math.hypot(estimate.value - estimate.low, below), math.hypot(estimate.high - estimate.value, above)
    return max(estimate.value - low, 0.0), min(estimate.value + high, 1.0)


@dataclass(frozen=True)
class AccuracyComparison(Comparison):
    """Predictors compared by the final accuracy that follows from their K*, at every K of the conditions.

    Scores are those of :func:`~iclrace.validate.rivals.interval_score` in accuracy instead of its logarithm, a mean
    over the K of a condition.

    Parameters
    ----------
    accuracies : by condition, the measured accuracy by K
    """

    accuracies: Sequence[Mapping[float, Estimate]] = field(default_factory=tuple)

    def _score(self, rival: int, condition: int) -> float:
        estimate = self.predicted[rival][condition]
        pairs = [(accuracy_from(estimate, k), measured) for k, measured in self.accuracies[condition].items()]
        return float(np.mean([penalty(accuracy_interval(p, measured), measured.value) for p, measured in pairs]))

    def _summary(self, rival: int) -> dict[str, Any]:
        """``off by``: the absolute difference, mean over K and then conditions. ``covered`` counts K, of ``points``."""
        errors, covered, says = [], 0, 0
        for threshold, measured in zip(self.predicted[rival], self.accuracies, strict=True):
            if threshold is None:
                continue
            says += 1
            estimate = {k: accuracy_from(threshold, k) for k in measured}
            errors.append(np.mean([abs(estimate[k].value - accuracy.value) for k, accuracy in measured.items()]))
            ends = [(accuracy_interval(estimate[k], accuracy), accuracy.value) for k, accuracy in measured.items()]
            covered += sum(low <= value <= high for (low, high), value in ends)
        return {
            "says": says, "conditions": len(self.known), "points": sum(map(len, self.accuracies)),
            "off by": float(np.mean(errors)) if errors else math.nan, "covered": covered,
        }  # fmt: skip

    def by_condition(self) -> list[dict[str, Any]]:
        """One row a condition, K and predictor."""
        rows = []
        for i, (place, measured) in enumerate(zip(varied(self.known), self.accuracies, strict=True)):
            for (k, accuracy), (rival, row) in (
                (point, pair) for point in measured.items() for pair in zip(self.rivals, self.predicted, strict=True)
            ):
                estimate = accuracy_from(row[i], k)
                rows.append(
                    {
                        **place, "task_diversity": k, "measured": accuracy.value, "predictor": rival.name,
                        "predicted": estimate.value, "low": estimate.low, "high": estimate.high,
                        "score": penalty(accuracy_interval(estimate, accuracy), accuracy.value),
                    }
                )  # fmt: skip
        return rows


def compare_accuracy(known: Sequence[Known], rivals: Sequence[Rival], against: str = "") -> AccuracyComparison:
    """:func:`~iclrace.validate.rivals.compare` by final accuracy, of conditions whose K* and networks are known.

    Raises
    ------
    ValueError
        As ``compare`` does, and where the networks of a condition are not stored.
    """
    comparison = compare(known, rivals, against)
    accuracies = []
    for scored in comparison.known:
        runs = scored.networks()
        require(runs is not None, "conditions", f"store their networks to score {FINAL}", dict(scored.condition.at))
        assert runs is not None
        accuracies.append(final_accuracies(runs, scored.condition.value("budget", math.inf)))
    return AccuracyComparison(**vars(comparison), accuracies=accuracies)
