"""The whole distribution of acquisition times at K → ∞: the long tail (paper, section 5, figure 6b)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...theory import AcquisitionDistribution, Estimate, acquisition_distribution
from ...theory.estimate import CONFIDENCE
from ..claim import Claim, Scale
from ..measure.survival import measure_acquisition_time
from ..measure.tails import compare_tails, fit_log_normal
from ..measure.times import acquisition_times
from ..place import place
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run
from ..values import Answer, Value
from .acquisition import TAIL, answer
from .acquisition_methods import SPREAD
from .runs import grid

#: Quantiles of the predicted law, censored as the networks are, that its log-normal width is read from.
_QUANTILES = 2000


@dataclass(frozen=True)
class AcquisitionSpread:
    """t_ICL of minimal models with β0 ~ N(0, 1), against the theory's law of t_ICL = T(β0), censored at the budget.

    The law knows the distribution of β0, not the networks' own draws.

    Parameters
    ----------
    run : the network, K → ∞ and β0 drawn
    seeds : int
    bar : factor for the median and for the width of ln t
    distance_bar : largest distance of the two distribution functions
    """

    run: Run
    seeds: int
    bar: float
    distance_bar: float
    name: str = "acquisition_spread"

    @property
    def _law(self) -> AcquisitionDistribution:
        return acquisition_distribution(self.run.task, 0.0, 1.0, self.run.w0)

    def calibration(self) -> Mapping[str, Jobs]:
        return {}

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": grid(self.run.with_(task_diversity=math.inf, beta0=None), self.seeds)}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        law, budget = self._law, self.run.budget
        every = self._as_seen(law.ppf((np.arange(_QUANTILES) + 0.5) / _QUANTILES))
        inputs = (f"law of T(β0), β0 ~ N(0, 1), N = {self.run.task.context_length}, D = {self.run.task.dimension:g}",)
        at = place(self.run.with_(task_diversity=math.inf, beta0=None))
        predicted: list[tuple[str, Value, float | None, Scale]] = [
            ("median t_ICL", Estimate.exact(law.median), self.bar, "ratio"),
            (SPREAD, Estimate.exact(fit_log_normal(every, budget).width.value), self.bar, "ratio"),
            ("distance of the laws of t_ICL", Estimate.exact(0.0), self.distance_bar, "difference"),
            (TAIL, Answer(True), None, "ratio"),
        ]
        return [
            Claim(quantity, "minimal", value, bar, "circuit", "law of t_ICL", at, scale=scale, inputs=inputs)
            for quantity, value, bar, scale in predicted
        ]

    def _as_seen(self, times: np.ndarray) -> np.ndarray:
        """Times as evaluations show them: none before the first (large β0 acquires at once), none after the last."""
        return np.where(times <= self.run.budget, np.maximum(times, self.run.evaluate_every), np.inf)

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        budget = self.run.budget
        times = self._as_seen(acquisition_times(networks_in(trained["networks"]), "circuit_accuracy").values.ravel())
        if claim.quantity == "median t_ICL":
            return measure_acquisition_time(times, budget, confidence=confidence)
        if claim.quantity == SPREAD:
            return fit_log_normal(times, budget, confidence=confidence).width
        if claim.scale == "difference":
            return distance(times, self._law, budget, confidence)
        return answer(compare_tails(times, budget, confidence=confidence))


def distance(
    times: np.ndarray, law: AcquisitionDistribution, budget: float, confidence: float = CONFIDENCE
) -> Estimate:
    """Kolmogorov and Smirnov's distance up to the budget, ± the radius of the band that holds the true function.

    D = sup_{t <= T} |F_n(t) − F(t)|,   P(sup |F_n − F_true| > ε) <= 2 e^{−2nε²}
    """
    seen = np.sort(times[np.isfinite(times)])
    steps, predicted = np.arange(seen.size + 1) / times.size, law.cdf(seen)
    end = abs(seen.size / times.size - float(law.cdf(budget)))
    greatest = max([end, *np.abs(steps[1:] - predicted), *np.abs(steps[:-1] - predicted)])
    radius = float(np.sqrt(np.log(2 / (1 - confidence)) / (2 * times.size)))
    return Estimate(float(greatest), max(0.0, float(greatest) - radius), float(greatest) + radius, confidence)
