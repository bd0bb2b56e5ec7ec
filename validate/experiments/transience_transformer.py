"""Transience of the paper's transformer: phases and time of loss against weight decay (paper, figures 2e and A6)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from ...simulate.reduced_transformer import reduced_course
from ...theory import Estimate, Task, acquisition_time, critical_decay
from ...theory.decay.phases import LASTING, NO_ICL, TRANSIENT
from ...theory.reduced_transformer import CORE, MeasuredCoupling, Terms
from ..claim import Claim, Scale
from ..measure.intervals import pooled_means, slope
from ..measure.survival import PAPER_LOST_LEVEL, loss_times
from ..measure.times import acquisition_times, geometric_mean
from ..place import At, place
from ..predict.reduced import members_of, model_of
from ..protocol import Jobs, Trained, couplings_in, networks_in
from ..training.config import Run, addresses
from ..training.coupling import CouplingTraining
from ..values import UNKNOWN, UNKNOWN_DIFFERENCE, Range, Value
from .runs import grid
from .transience_phases import SHARE, share_in_phase
from .transience_tools import by_axis, durations, phases

_OVER = "t_loss over that of the reduced transformer"
#: By the paper's level, from the start of training; without a prediction.
_PAPER_LOSS = f"time at which ICL accuracy falls below {PAPER_LOST_LEVEL:g}"


@dataclass(frozen=True)
class TransformerTransience:
    """Phase and t_loss of transformers over λ, from two one-point calibrations at other seeds.

    Absolute times come from the reduced transformer, solved at every λ with the decay of W_Q, W_K and V, where
    ``coupling`` names perceptrons to be trained alone. Of independent circuits there are only laws:

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
    coupling : perceptrons, with their coupling to attention, for the reduced transformer; none by default
    members, draws : starts that the reduced transformer is solved from, and contexts sampled for each
    terms : what its equations keep, by the name of the method
    bar, critical_bar : factors within which t_loss and λ_c must be predicted
    exponent_bar, phase_bar : differences within which the exponent and the share of right phases must be
    """

    run: Run
    decay: Sequence[float]
    calibration_decay: float
    seeds: int
    first_calibration_seed: int
    coupling: Sequence[CouplingTraining] = ()
    members: int = 4
    draws: int = 200
    terms: Mapping[str, Terms] = field(default_factory=lambda: {"reduced transformer": CORE})
    bar: float = 1.5
    critical_bar: float = 1.5
    exponent_bar: float = 0.3
    phase_bar: float = 0.2
    name: str = "transience_transformer"

    def _calibration(self, decay: float) -> list[Run]:
        settled = replace(self.run, stop_acquired=decay == 0.0)
        return grid(settled, self.seeds, self.first_calibration_seed, decay_attention=[decay])

    def calibration(self) -> Mapping[str, Jobs]:
        alone = {"coupling": list(self.coupling)} if self.coupling else {}
        return {"decayed": self._calibration(self.calibration_decay), "undecayed": self._calibration(0.0), **alone}

    def networks(self) -> Mapping[str, Jobs]:
        return {"networks": grid(self.run, self.seeds, decay_attention=self.decay)}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        decayed, undecayed = (networks_in(calibrated[label]) for label in ("decayed", "undecayed"))
        known = pooled_means(durations(decayed, "icl_accuracy").values.reshape(1, -1))[0]
        acquired = pooled_means(acquisition_times(undecayed).values.reshape(1, -1))[0]
        runs = addresses(self._calibration(self.calibration_decay))
        seen = f"t_loss = {known.value:.4g} at λ = {self.calibration_decay:g} of {runs}"
        start = f"t_ICL = {acquired.value:.4g} at λ = 0 of {addresses(self._calibration(0.0))}"
        critical = critical_product(self.run.task)
        critical = acquired.inverse().scaled(critical) if acquired.value < math.inf else Estimate(0.0, 0.0, math.inf)
        times, expected = [], []
        for decay in self.decay:
            time = known.scaled(self.calibration_decay / decay)
            phase = NO_ICL if decay > critical.value else LASTING
            if phase == LASTING and acquired.value + time.value < self.run.budget:
                phase = TRANSIENT
            claim = self._claim("t_loss", time, self.bar, "t ∝ 1/λ", (seen, "t ∝ 1/λ"), decay)
            # Where none is predicted the time is still reported: the phase may be wrong.
            times.append(
                claim if phase == TRANSIENT else replace(claim, predicted=None, bar=None, method="", inputs=())
            )
            expected.append(phase)
        tables = couplings_in(calibrated["coupling"]).tables() if self.coupling else []
        reduced = [claim for method in self.terms if tables for claim in self._reduced(method, tables)]
        law, product, every = Estimate.exact(-1.0), "C of the minimal model", tuple(self.decay)
        slope_inputs = ("t_loss ∝ 1/λ",)
        return [
            *times,
            *reduced,
            self._claim("d ln t_loss/d ln λ", law, self.exponent_bar, "t ∝ 1/λ", slope_inputs, every, "difference"),
            self._claim("λ_c", critical, self.critical_bar, product, (start, product), every),
            *(replace(self._claim(_PAPER_LOSS, law, 1.5, "", (), d), predicted=None, bar=None) for d in self.decay),
            self._claim(
                SHARE, Estimate.exact(1.0), self.phase_bar, "two points", (seen, start), every, "difference",
                phase=tuple(expected),
            ),
        ]  # fmt: skip

    def _reduced(self, method: str, tables: Sequence[MeasuredCoupling]) -> list[Claim]:
        """t_loss of the reduced transformer at every λ, their exponent, and what networks take over it."""
        lasting = np.array([self._lasting(decay, self.terms[method], tables) for decay in self.decay])
        finite = np.isfinite(lasting).all(1)
        lost, times = tuple(np.asarray(self.decay)[finite].tolist()), pooled_means(lasting[finite])
        inputs = (addresses(self.coupling), f"{self.members} starts")
        claims = [self._claim("t_loss", t, self.bar, method, inputs, d) for d, t in zip(lost, times, strict=True)]
        if len(lost) > 1:
            known = slope(lost, times)
            claims += [
                self._claim("d ln t_loss/d ln λ", known, self.exponent_bar, method, inputs, lost, "difference"),
                self._claim(
                    _OVER, Estimate.exact(1.0), self.bar, method, inputs, lost,
                    times=tuple(time.value for time in times),
                ),
            ]  # fmt: skip
        return claims

    def _lasting(self, decay: float, terms: Terms, tables: Sequence[MeasuredCoupling]) -> list[float]:
        """How long ICL lasts at λ from every start: infinite to the budget's end, NaN if it is never acquired."""
        model = model_of(self.run.with_(decay_attention=decay), terms)
        model = replace(model, task_diversity=self.run.task.task_diversity)
        return [
            durations(
                reduced_course(
                    model, start.coupling, budget=self.run.budget, rows=2000, draws=self.draws, seed=start.seed,
                    w0=start.w0, beta0=start.beta0,
                ),
                "icl_accuracy",
            ).item()
            for start in members_of(model, tables, self.members)
        ]  # fmt: skip

    def _claim(
        self,
        quantity: str,
        value: Estimate,
        bar: float,
        method: str,
        inputs: Sequence[str],
        decay: At,
        scale: Scale = "ratio",
        **at: At,
    ) -> Claim:
        where = place(self.run, decay=decay, **at)
        return Claim(quantity, "transformer", value, bar, "whole", method, where, scale, inputs)

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value:
        runs = networks_in(trained["networks"])
        lasting = by_axis(durations(runs, "icl_accuracy"), "decay_attention", self.decay)
        if claim.quantity == SHARE:
            return share_in_phase(
                by_axis(phases(runs, "icl_accuracy"), "decay_attention", self.decay), claim, confidence
            )
        if claim.quantity == _PAPER_LOSS:
            times = by_axis(loss_times(runs, lost_level=PAPER_LOST_LEVEL), "decay_attention", self.decay)
            return dict(zip(self.decay, pooled_means(times, confidence), strict=True))[claim.at["decay"]]
        if claim.quantity == "λ_c":
            return critical_decay_between(self.decay, np.isfinite(lasting) | np.isinf(lasting))
        if claim.quantity == _OVER:
            return self._over(claim, lasting, confidence)
        means = dict(zip(self.decay, pooled_means(lasting, confidence), strict=True))
        if claim.quantity == "t_loss":
            return means[claim.at["decay"]]
        lost = [decay for decay, row in zip(self.decay, lasting, strict=True) if np.isfinite(row).all()]
        return slope(lost, [means[d] for d in lost]) if len(lost) > 1 else UNKNOWN_DIFFERENCE

    def _over(self, claim: Claim, lasting: np.ndarray, confidence: float) -> Value:
        """Measured over predicted time, each seed's geometric mean over the λ at which all seeds lose ICL."""
        predicted = dict(zip(cast(tuple, claim.at["decay"]), cast(tuple, claim.at["times"]), strict=True))
        ratios = [row / predicted[decay] for decay, row in zip(self.decay, lasting, strict=True)
                  if decay in predicted and np.isfinite(row).all()]  # fmt: skip
        return geometric_mean(np.exp(np.log(ratios).mean(0)), confidence) if ratios else UNKNOWN


def critical_product(task: Task) -> float:
    """C = λ_c t_ICL of the minimal model from w = β = 0, K → ∞: 2.9, and nearly the same for every N."""
    endless = replace(task, task_diversity=math.inf)
    return float(critical_decay(endless)) * float(acquisition_time(endless, 0.0))


def critical_decay_between(decay: Sequence[float], acquired: np.ndarray) -> Value:
    """λ_c: between the largest λ at which most of the seeds acquire ICL and the next larger one of the scan.

    The range is that gap of the scan, the value its geometric middle. Unknown if no λ separates the two.
    """
    most = acquired.mean(1) > 0.5
    ascending = np.argsort(decay)
    ordered, most = np.asarray(decay, dtype=float)[ascending], most[ascending]
    above = int(most.sum())
    if not 0 < above < len(ordered) or not most[:above].all():
        return UNKNOWN
    low, high = float(ordered[above - 1]), float(ordered[above])
    return Range(math.sqrt(low * high), low, high)
