"""The ladder of the transformer: on which rung between a linear readout and the whole network how much is lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from scipy import stats

from ...simulate.reduced_transformer import solve_reduced
from ...theory import Estimate
from ...theory.reduced_transformer import CORE, MeasuredCoupling, Terms
from ..claim import Claim
from ..measure.clocks import final_clock
from ..measure.times import acquisition_times, geometric_mean
from ..place import place
from ..predict.order_parameters import predict_order
from ..predict.reduced import members_of
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained, couplings_in, networks_in
from ..training.config import Run, addresses
from ..training.coupling import CouplingTraining
from ..values import Value
from .control_methods import EVERY, NO_MEMORY, clock_scale, control_model
from .runs import grid

_ALL = "reduced transformer, every term"
#: Sets of terms by the name of what they predict with.
METHODS = {_ALL: EVERY, "reduced transformer": CORE}
_RATIO = "t_ICL ratio"
#: Order parameters that are compared, by their symbols; β by its difference, for it may vanish.
TERMS = {
    "w": "w", "|v|²": "value", "β": "beta", "ρ": "item_roughness", "η": "label_std", "a_T": "own_attention",
    "a_c": "copy_attention", "k": "gain",
}  # fmt: skip
#: Shares of the predicted t_ICL at which they are.
_SHARES = (0.5, 0.75)
_DIFFERENCE = 0.25


@dataclass(frozen=True)
class TransformerLadder:
    """t_ICL of every rung, and the clock of scrambled ones, from untrained weights and perceptrons trained alone.

    Parameters
    ----------
    rungs : runs by label, from the simplest to the whole network: the networks of :mod:`..networks.controls`, then the
        transformer at K → ∞, with scrambled labels, and at a finite K
    coupling : perceptrons trained alone at the K of the finite rungs
    seeds : networks of each
    bar : factor within which t_ICL, clocks and ratios must be predicted
    terms : labels of transformers whose order parameters are predicted at one half and three quarters of their t_ICL
    ratios : label of a run, by the label of the one whose t_ICL is divided by it: what a finite K does to t_ICL
    members : starts at the quantiles of β0 and w0, for every calibration seed
    draws : contexts sampled for each start, beside their mirror images
    """

    rungs: Mapping[str, Run]
    coupling: Sequence[CouplingTraining]
    seeds: int
    bar: float
    terms: Sequence[str] = ()
    ratios: Mapping[str, str] = field(default_factory=dict)
    members: int = 4
    draws: int = 600
    name: str = "ladder"

    def calibration(self) -> Mapping[str, Jobs]:
        return {"coupling": self.coupling}

    def networks(self) -> Mapping[str, Jobs]:
        return {label: grid(run, self.seeds) for label, run in self.rungs.items()}

    def predict(self, calibrated: Trained) -> Sequence[Claim]:
        curves = couplings_in(calibrated["coupling"])
        tables, claims, times = curves.tables(), [], {}
        inputs = (f"couplings of perceptrons alone, {addresses(curves.trainings)}", "untrained weights")
        for rung, (label, run) in enumerate(self.rungs.items(), start=1):
            at = {**place(run), "rung": f"{rung} {label}"}
            for method, terms in METHODS.items():
                values = [
                    state
                    for calibration_seed, table in enumerate(tables)
                    for state in self._solved(run, table, calibration_seed, terms)
                ]
                times[method, label] = geometric_mean(values)
                claims.append(
                    Prediction(times[method, label], inputs).claim(
                        "I_K" if run.scrambled else "t_ICL", run.network, self.bar, method=method, at=at, data=(label,)
                    )
                )
        for label in self.terms:
            claims += self._terms(label, tables[0], times[_ALL, label].value, inputs)
        return claims + [self._ratio(method, *pair, times) for pair in self.ratios.items() for method in METHODS]

    def _ratio(self, method: str, label: str, other: str, times: Mapping[tuple[str, str], Estimate]) -> Claim:
        run, ratio = self.rungs[label], times[method, label].value / times[method, other].value
        prediction = Prediction(Estimate.exact(ratio), (f"t_ICL predicted for {label} and {other}",))
        return prediction.claim(_RATIO, run.network, self.bar, method=method, at=place(run), data=(label, other))

    def _terms(self, label: str, table: MeasuredCoupling, time: float, inputs: Sequence[str]) -> list[Claim]:
        """Order parameters, means and ranges over the starts of one calibration, at shares of the predicted t_ICL."""
        run, times = self.rungs[label], [share * min(time, self.rungs[label].budget) for share in _SHARES]
        model, coupling = control_model(run, table)
        model = replace(model, task_diversity=run.task.task_diversity)
        starts = members_of(model, [coupling], self.members)
        solved = [predict_order(model, coupling, member, times, self.draws) for member in starts]
        claims = []
        for symbol, name in TERMS.items():
            values = np.array([terms[name] for terms in solved])
            for i, at in enumerate(times):
                estimate = Estimate(float(values[:, i].mean()), float(values[:, i].min()), float(values[:, i].max()))
                bar, scale = (_DIFFERENCE, "difference") if symbol == "β" else (self.bar, "ratio")
                claims.append(
                    Prediction(estimate, inputs).claim(
                        symbol, run.network, bar, method=_ALL, at={**place(run), "time": at}, scale=scale,
                        data=(label,),
                    )
                )  # fmt: skip
        return claims

    def _solved(self, run: Run, table: MeasuredCoupling, calibration_seed: int, terms: Terms) -> list[float]:
        """t_ICL, or the clock at the end of the budget, of every start."""
        model, coupling = control_model(run, None if run.network in NO_MEMORY else table, terms)
        times = []
        for member in members_of(model, [coupling], self.members, calibration_seed * self.members):
            end = solve_reduced(
                replace(model, clock_scale=clock_scale(run)), coupling, budget=run.budget,
                task_diversity=run.task.task_diversity, draws=self.draws, seed=member.seed, w0=member.w0,
                beta0=member.beta0, scrambled=run.scrambled, stop_acquired=not run.scrambled,
            )  # fmt: skip
            times.append(float((end.clock if run.scrambled else end.time_acquired).item()))
        return times

    def measure(self, claim: Claim, trained: Trained, confidence: float) -> Value | None:
        runs = [networks_in(trained[label]) for label in claim.data]
        if claim.quantity in TERMS:
            return read_at(runs[0], f"order_{TERMS[claim.quantity]}", float(claim.at["time"]), confidence)
        if claim.quantity == "I_K":
            return geometric_mean(final_clock(runs[0]).values.ravel(), confidence)
        times = [geometric_mean(acquisition_times(run).values.ravel(), confidence) for run in runs]
        return times[0].over(times[1]) if claim.quantity == _RATIO else times[0]


def read_at(runs: xr.Dataset, name: str, time: float, confidence: float) -> Estimate | None:
    """The mean over networks that are still trained at ``time``, with Student's interval; None of fewer than two.

    Linear between the readings on both sides.
    """
    readings = []
    for values in runs[name].transpose("seed", "time").values:
        known = np.isfinite(values)
        if known.any() and runs.time.values[known][-1] >= time:
            readings.append(np.interp(time, runs.time.values[known], values[known]))
    if len(readings) < 2:
        return None
    half = stats.t.ppf(0.5 + confidence / 2, len(readings) - 1) * np.std(readings, ddof=1) / math.sqrt(len(readings))
    mean = float(np.mean(readings))
    return Estimate(mean, mean - float(half), mean + float(half), confidence)
