"""How ICL and IWL loss are tied after acquisition, under weight decay (paper, section 5; the tracking law)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...theory import Estimate, Task, fixed_points, fold, loss_product, population_loss
from ..claim import Claim
from ..measure.intervals import pooled_means
from ..measure.survival import loss_times
from ..measure.times import acquisition_times, first_crossing, geometric_mean
from ..networks.cointegration import cointegrated
from ..place import UNKNOWN_PLACE, place
from ..protocol import Jobs, Trained, networks_in
from ..training.config import Run, addresses
from ..values import UNKNOWN, Value
from .runs import grid

#: L_ICL is read as the geometric mean of this many evaluations about the one at which L_IWL passes its level.
_READINGS = 5


@dataclass(frozen=True)
class LossRelation:
    """L_ICL of the minimal model when L_IWL has fallen to a given level, at every λ: ICL tracks the memory.

    The level, one for each λ, is set by the co-integrations: their L_IWL half-way from acquisition to loss. Predicted:

    - co-integration: its own L_ICL there;
    - fixed point: L_ICL on the stable branch of (w, β) at the margin φ with log(1 + e^{−φ}) = L_IWL;
    - asymptotic law: L_ICL · L_IWL = λ w/a, with w and a on the branch at that φ, for φ ≫ 1.

    The last two are pooled over λ, as geometric means of measured over predicted.

    Parameters
    ----------
    run : the minimal model, at any λ
    decay : values of λ at which ICL is transient
    seeds, first_calibration_seed : networks at each λ, and as many co-integrations, from that seed on
    bar, asymptotic_bar : factors within which L_ICL must be predicted, by the first two and by the last
    """

    run: Run
    decay: Sequence[float]
    seeds: int
    first_calibration_seed: int
    bar: float = 1.25
    asymptotic_bar: float = 1.5
    name: str = "transience_losses"

    def _averaged(self) -> list[Run]:
        averaged = cointegrated(self.run)
        return grid(averaged, self.seeds, self.first_calibration_seed, decay_attention=self.decay)

    def calibration(self) -> Mapping[str, Jobs]:
        return {"cointegration": self._averaged()}

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": grid(self.run, self.seeds, decay_attention=self.decay)}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        averaged = networks_in(calibrated["cointegration"])
        levels = tuple(halfway(averaged.sel(decay_attention=decay)) for decay in self.decay)
        losses = pooled_means([_read(averaged, d, level) for d, level in zip(self.decay, levels, strict=True)])
        seen = (f"co-integration of {addresses(self._averaged())}",)
        claims = []
        for decay, loss in zip(self.decay, losses, strict=True):
            at = place(self.run, decay=decay, iwl_loss=levels)
            claims.append(Claim("L_ICL", "minimal", loss, self.bar, "whole", "co-integration", at, inputs=seen))
        at = place(self.run, decay=tuple(self.decay), iwl_loss=levels)
        for law, (_, bar) in self._laws.items():
            inputs, right = (f"{law} at the same L_IWL",), Estimate.exact(1.0)
            claims.append(
                Claim(f"L_ICL over that of the {law}", "minimal", right, bar, "whole", law, at, inputs=inputs)
            )
        return claims

    @property
    def _laws(self) -> dict[str, tuple[Callable[[Task, float, float], float], float]]:
        return {"fixed point": (tracked_loss, self.bar), "asymptotic law": (asymptotic_loss, self.asymptotic_bar)}

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        """At the levels of L_IWL that stand in the claim, one for each λ."""
        runs, levels = networks_in(trained["networks"]), claim.at["iwl_loss"]
        known = [math.nan if level == UNKNOWN_PLACE else float(level) for level in levels]
        points = list(zip(self.decay, known, strict=True))
        losses = np.array([_read(runs, *point) for point in points])
        if claim.quantity == "L_ICL":
            return pooled_means(losses, confidence)[list(self.decay).index(claim.at["decay"])]
        law, _ = self._laws[claim.method]
        ratios = losses / np.array([law(self.run.task, *point) for point in points])[:, None]
        usable = ratios[np.isfinite(ratios).all(1)]
        # One number a seed, so that the interval is that of the seeds and not of the law's misfit between λ.
        return geometric_mean(np.exp(np.mean(np.log(usable), 0)), confidence) if len(usable) else UNKNOWN


def halfway(runs: xr.Dataset) -> float:
    """L_IWL half-way from acquisition to loss (or to the end of the run), geometric mean over the seeds."""
    acquired, lost = acquisition_times(runs), loss_times(runs)
    ends = runs.time.where(runs.icl_accuracy.notnull()).max("time")
    middle = 0.5 * (acquired + lost.where(np.isfinite(lost), ends))
    readings = [
        float(np.interp(middle.sel(seed=s), runs.time, runs.iwl_loss.sel(seed=s)))
        for s in runs.seed.values
        if math.isfinite(float(middle.sel(seed=s)))
    ]
    return float(np.exp(np.mean(np.log(readings)))) if readings else math.nan


def _read(runs: xr.Dataset, decay: float, level: float) -> np.ndarray:
    """L_ICL of every seed when L_IWL first falls to ``level`` after acquisition; infinite if it does not."""
    at_decay = runs.sel(decay_attention=decay)
    acquired = acquisition_times(at_decay)
    readings = []
    for s in at_decay.seed.values:
        curve = at_decay.sel(seed=s)
        curve = curve.isel(time=np.flatnonzero((curve.time >= float(acquired.sel(seed=s))) & curve.icl_loss.notnull()))
        when = first_crossing(curve.time, -curve.iwl_loss.values, -level) if curve.sizes["time"] else math.inf
        if not math.isfinite(when):
            readings.append(math.inf)
            continue
        nearest = np.argsort(np.abs(curve.time.values - when))[:_READINGS]
        readings.append(float(np.exp(np.mean(np.log(curve.icl_loss.values[nearest])))))
    return np.array(readings)


def tracked_loss(task: Task, decay: float, level: float) -> float:
    """L_ICL on the stable ICL branch at the margin φ of L_IWL = log(1 + e^{−φ}); NaN beyond the fold."""
    if math.isnan(level):
        return math.nan
    margin = -math.log(math.expm1(level))
    end = fold(task, decay)
    if end is None or margin >= end.margin:
        return math.nan
    point = max((point for point in fixed_points(task, decay, margin) if point.stable), key=lambda point: point.beta)
    return float(population_loss(point.w, point.beta, task))


def asymptotic_loss(task: Task, decay: float, level: float) -> float:
    """L_ICL = λ (w/a)/L_IWL at the margin φ of L_IWL = log(1 + e^{−φ}); NaN for no L_IWL and beyond the fold."""
    return math.nan if math.isnan(level) else float(loss_product(task, decay, -math.log(math.expm1(level)))) / level
