"""Transience of the paper's transformer: phases and time of loss against weight decay (paper, figures 2e and A6)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ...theory import Estimate, Task, acquisition_time, critical_decay
from ..compare import Comparison
from ..config import Run
from ..measure import acquisition_times
from ..predict import Prediction, addresses
from ..survival import PAPER_LOST_LEVEL, loss_times
from .protocol import Jobs, Results, compare, networks_in, slope
from .transience_tools import (
    LASTING,
    NEVER,
    NO_ICL,
    TRANSIENT,
    by_axis,
    durations,
    fraction,
    phases,
    pooled_means,
    varied,
)


@dataclass(frozen=True)
class TransformerTransience:
    """Phase and t_loss of transformers over λ, from two one-point calibrations at other seeds.

    The theory has no absolute times for the transformer, only laws:

    - t_loss ∝ 1/λ, scaled by the t_loss of calibration networks at one λ;
    - ICL is never acquired beyond λ_c = C/t_ICL, with t_ICL that of calibration networks without decay and C the
      minimal model's product of both, :func:`critical_product`;
    - hence a phase for every λ: no ICL, transient or lasting within the budget.

    Parameters
    ----------
    run : the transformer, at any λ; decay acts on LayerNorm, q, k and v alone
    decay : the scan of λ, over all three phases
    calibration_decay : λ of the first calibration, from which no network of the scan takes its seed
    seeds, first_calibration_seed : networks at each λ, and as many in each calibration, from that seed on
    bar, critical_bar : factors within which t_loss and λ_c must be predicted
    exponent_bar, phase_bar : differences within which the exponent and the share of right phases must be
    """

    run: Run
    decay: Sequence[float]
    calibration_decay: float
    seeds: int
    first_calibration_seed: int
    bar: float = 1.5
    critical_bar: float = 1.5
    exponent_bar: float = 0.3
    phase_bar: float = 0.2
    name: str = "transience_transformer"

    def _calibration(self, decay: float) -> list[Run]:
        settled = replace(self.run, stop_acquired=decay == 0.0)
        return varied(settled, "decay_attention", [decay], self.seeds, self.first_calibration_seed)

    def calibration(self) -> Mapping[str, Jobs]:
        return {"decayed": self._calibration(self.calibration_decay), "undecayed": self._calibration(0.0)}

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": varied(self.run, "decay_attention", self.decay, self.seeds, self.run.seed)}

    def predict(self, calibrated: Mapping[str, Results]) -> Mapping[str, Prediction]:
        decayed, undecayed = (networks_in(calibrated[label]) for label in ("decayed", "undecayed"))
        known = pooled_means(durations(decayed, "icl_accuracy").values.reshape(1, -1))[0]
        acquired = pooled_means(acquisition_times(undecayed).values.reshape(1, -1))[0]
        runs = addresses(self._calibration(self.calibration_decay))
        seen = f"t_loss = {known.value:.4g} at λ = {self.calibration_decay:g} of {runs}"
        start = f"t_ICL = {acquired.value:.4g} at λ = 0 of {addresses(self._calibration(0.0))}"
        critical = divided(critical_product(self.run.task), acquired)
        predictions = {
            "exponent": Prediction(
                "d ln t_loss/d ln λ, transformer", Estimate.exact(-1.0), ("t_loss ∝ 1/λ",)
            ),
            "critical": Prediction("λ_c, transformer", critical, (start, "C of the minimal model")),
        }  # fmt: skip
        said = []
        for decay in self.decay:
            time = scaled(self.calibration_decay / decay, known)
            phase = NO_ICL if decay > critical.value else LASTING
            if phase == LASTING and acquired.value + time.value < self.run.budget:
                phase = TRANSIENT
                predictions[f"{decay:g}"] = Prediction(f"t_loss at λ = {decay:g}, transformer", time, (seen, "t ∝ 1/λ"))
            said.append(f"λ = {decay:g}: {phase}")
        quantity = "share of transformers in the predicted phase"
        predictions["phases"] = Prediction(quantity, Estimate.exact(1.0), (seen, start, *said))
        return predictions

    def compare(self, predictions: Mapping[str, Prediction], trained: Mapping[str, Results]) -> Sequence[Comparison]:
        runs = networks_in(trained["networks"])
        lasting = by_axis(durations(runs, "icl_accuracy"), "decay_attention", self.decay)
        means = dict(zip(self.decay, pooled_means(lasting), strict=True))
        rows = [
            compare(predictions[f"{decay:g}"], mean, self.bar, self.seeds)
            for decay, mean in means.items()
            if f"{decay:g}" in predictions
        ]
        lost = [decay for decay, row in zip(self.decay, lasting, strict=True) if np.isfinite(row).all()]
        exponent = slope(lost, [means[d] for d in lost]) if len(lost) > 1 else Estimate(0.0, -math.inf, math.inf)
        rows.append(compare(predictions["exponent"], exponent, self.exponent_bar, self.seeds, scale="difference"))
        critical = critical_decay_between(self.decay, np.isfinite(lasting) | np.isinf(lasting))
        rows.append(compare(predictions["critical"], critical, self.critical_bar, self.seeds))
        said = [line.partition(": ")[2] for line in predictions["phases"].inputs[2:]]
        kinds = by_axis(phases(runs, "icl_accuracy"), "decay_attention", self.decay)
        share = fraction(kinds == np.array(said)[:, None])
        rows.append(compare(predictions["phases"], share, self.phase_bar, self.seeds, scale="difference"))
        return rows + self._as_the_paper_counts(runs)

    def _as_the_paper_counts(self, runs: xr.Dataset) -> list[Comparison]:
        """t_loss at every λ by the paper's level, from the start of training; without a prediction."""
        times = by_axis(loss_times(runs, lost_level=PAPER_LOST_LEVEL), "decay_attention", self.decay)
        label = f"time at which ICL accuracy falls below {PAPER_LOST_LEVEL:g}, transformer, λ ="
        return [
            Comparison(f"{label} {decay:g}", None, mean, self.bar, (), self.seeds)
            for decay, mean in zip(self.decay, pooled_means(times), strict=True)
        ]


def critical_product(task: Task) -> float:
    """C = λ_c t_ICL of the minimal model from w = β = 0, K → ∞: 2.9, and nearly the same for every N."""
    endless = replace(task, task_diversity=math.inf)
    return float(critical_decay(endless)) * float(acquisition_time(endless, 0.0))


def scaled(factor: float, estimate: Estimate) -> Estimate:
    """``factor`` > 0 times an estimate."""
    return Estimate(factor * estimate.value, factor * estimate.low, factor * estimate.high, estimate.confidence)


def divided(number: float, estimate: Estimate) -> Estimate:
    """``number`` > 0 over a positive estimate."""
    low, high = number / estimate.high, number / estimate.low if estimate.low > 0 else math.inf
    return Estimate(number / estimate.value, low, high, estimate.confidence)


def critical_decay_between(decay: Sequence[float], acquired: np.ndarray) -> Estimate:
    """λ_c: between the largest λ at which most of the seeds acquire ICL and the next larger one of the scan.

    The interval is that gap of the scan, the value its geometric middle. Unknown if no λ separates the two.
    """
    most = acquired.mean(1) > 0.5
    ascending = np.argsort(decay)
    ordered, most = np.asarray(decay, dtype=float)[ascending], most[ascending]
    above = int(most.sum())
    if not 0 < above < len(ordered) or not most[:above].all():
        return NEVER
    low, high = float(ordered[above - 1]), float(ordered[above])
    return Estimate(math.sqrt(low * high), low, high)
