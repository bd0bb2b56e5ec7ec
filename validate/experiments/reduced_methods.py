"""The transformer's K* and t_ICL from the reduced transformer (docs/reduced_transformer.md): no network, no fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr

from ...theory import Estimate
from ...theory.reduced_transformer import CORE, MeasuredCoupling, Terms
from ..measure.tails import fit_log_normal
from ..measure.times import geometric_mean
from ..predict.reduced import crossing, members_of, model_of, solved
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained, couplings_in, networks_in
from ..training.config import Run, addresses
from ..training.coupling import CouplingCurves, CouplingTraining
from .acquisition_methods import SPREAD, PredictedTime, TimeMethod, Times
from .scan import Scan
from .transformer_methods import scrambled

#: K* is looked for at this many K an octave, from half the scan's least K to twice its greatest.
#: At K → ∞ every target is new, so that the residual's noise stays unless the network learns to leave it out.
_TERMS = {
    "reduced transformer": CORE,
    "reduced transformer, residual kept": replace(CORE, residual=True),
    "reduced transformer, every term": Terms(),
}


def _name(terms: Terms, clock: str = "alone") -> str:
    parts = ["reduced transformer"]
    parts += [] if terms == CORE else ["every term" if terms == Terms() else "other terms"]
    return ", ".join(parts + ([] if clock == "alone" else [f"{clock} clock"]))


#: Names of the methods that solve the reduced transformer: the theory's own predictors of transformers.
METHODS = frozenset({*_TERMS, *(_name(terms, clock) for terms in (CORE, Terms()) for clock in ("alone", "scrambled"))})


@dataclass(frozen=True)
class ReducedEquations:
    """K*: where the mean accuracy of reduced transformers rises through 3/4 at the end of the budget.

    Parameters
    ----------
    clock : "alone" or "scrambled"
        What sets how fast the network memorises: the equations, with what attention adds to the perceptron's own
        speed; or networks trained on scrambled labels, whose clock then replaces that part of them.
    seeds : int
        Scrambled networks at each K.
    members : int
        Starts at the quantiles of β0 and w0, for every calibration seed.
    draws : int
        Contexts sampled for each start, beside their mirror images.
    terms : Terms
        Which parts of the equations act.
    """

    clock: str = "alone"
    seeds: int = 0
    members: int = 6
    draws: int = 1000
    terms: Terms = CORE

    @property
    def name(self) -> str:
        return _name(self.terms, self.clock)

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]:
        jobs: dict[str, Jobs] = {f"coupling_{label}": scan.coupling}
        if self.clock == "scrambled":
            jobs[f"scrambled_{label}"] = scrambled(scan, self.seeds)
        return jobs

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        curves = couplings_in(calibrated[f"coupling_{label}"])
        inputs = [f"couplings of perceptrons alone, {addresses(curves.trainings)}"]
        speed: dict[float, float] = {}
        if self.clock == "scrambled":
            runs = scrambled(scan, self.seeds)
            speed = relative_speed(curves, networks_in(calibrated[f"scrambled_{label}"]))
            inputs.append(f"clocks of scrambled transformers, {addresses(runs)}")
        grid = scan.around
        crossings = [
            crossing(grid, self._accuracy(scan.read, coupling, grid, seed * self.members, speed))
            for seed, coupling in enumerate(curves.tables())
        ]
        return {"K*": Prediction(_open_ended(geometric_mean(crossings), grid), inputs, crossings)}

    def _accuracy(
        self, run: Run, coupling: MeasuredCoupling, grid: np.ndarray, first: int, speed: Mapping[float, float]
    ) -> np.ndarray:
        """Mean final accuracy over K of one calibration seed's starts; one that could not be solved is left out."""
        model = model_of(run, self.terms)
        ends = [
            solved(model, member, grid, run.budget, self.draws, speed, run.stop_acquired)
            for member in members_of(model, [coupling], self.members, first)
        ]
        accuracy = np.array([end.icl_accuracy.values for end in ends])
        solvable = np.array([end.status.values for end in ends]) == 0
        return np.where(solvable, accuracy, 0.0).sum(0) / np.maximum(solvable.sum(0), 1)


def relative_speed(curves: CouplingCurves, trained: xr.Dataset) -> dict[float, float]:
    """How much sooner, on the memory's clock, a scrambled transformer has memorised than the perceptron alone, by K.

        J_alone(c1)/J_scrambled(c1),    c1 the least that both have reached

    Means over seeds in the logarithm, at every K at which both were trained.
    """
    speeds: dict[float, float] = {}
    known = {float(training.task_diversity) for training in curves.trainings}
    for k in sorted(known & set(trained.task_diversity.values.tolist())):
        alone = [
            data for training, data in zip(curves.trainings, curves.curves, strict=True) if training.task_diversity == k
        ]
        network = trained.sel(task_diversity=k)
        network = network if "seed" in network.dims else network.expand_dims(seed=[0])
        lowest = [float(network.c1.sel(seed=s).min()) for s in network.seed.values]
        reached = max(*lowest, *(float(data.c1.min()) for data in alone))
        of_perceptrons = [_clock_when(data.c1.values, data.clock.values, reached) for data in alone]
        of_transformers = [
            _clock_when(network.c1.sel(seed=s).values, network.clock.sel(seed=s).values, reached)
            for s in network.seed.values
        ]
        speeds[k] = math.exp(np.mean(np.log(of_perceptrons)) - np.mean(np.log(of_transformers)))
    return speeds


def _clock_when(c1: np.ndarray, clock: np.ndarray, reached: float) -> float:
    """The clock when c1 first falls to ``reached``, by linear interpolation of ln c1."""
    falls = np.minimum.accumulate(np.log(c1[np.isfinite(c1)]))
    return float(np.interp(-math.log(reached), -falls, clock[: falls.size]))


def _open_ended(estimate: Estimate, grid: np.ndarray) -> Estimate:
    """An interval without end where the equations put K* outside the K looked at."""
    low = 0.0 if estimate.low <= grid[0] * (1 + 1e-9) else estimate.low
    return replace(estimate, low=low, high=math.inf if math.isinf(estimate.value) else estimate.high)


@dataclass(frozen=True)
class ReducedTimes(TimeMethod):
    """t_ICL of the transformer and its spread over initial weights, without a calibrated point.

    Where a share f of the sequences is fresh, margins are s_φ ξ at a share f of the targets, and the couplings those of
    perceptrons of which fresh items have the same share.

    Parameters
    ----------
    coupling : perceptrons trained alone, by label; at K → ∞ nothing but their couplings at the start is read
    members : starts at the quantiles of β0 and w0, for every calibration seed
    draws : contexts sampled for each start, beside their mirror images
    terms : parts of the equations that act, by the name of the method
    spread : whether the spread is predicted, too
    """

    coupling: Mapping[str, Sequence[CouplingTraining]]
    members: int = 12
    draws: int = 1000
    terms: Mapping[str, Terms] = field(default_factory=lambda: dict(_TERMS))
    spread: bool = True

    def calibration(self, runs: Mapping[str, Run]) -> Mapping[str, Jobs]:
        return {f"coupling_{label}": self.coupling[label] for label in runs}

    def predict(self, settings: Times, calibrated: Trained) -> Iterator[PredictedTime]:
        for label, run in settings.runs.items():
            curves = couplings_in(calibrated[f"coupling_{label}"])
            words = " at their start" if math.isinf(run.task.task_diversity) else ""
            words += " with fresh items" if run.fresh_share else ""
            inputs = (f"couplings of perceptrons alone{words}, {addresses(curves.trainings)}",)
            for method, terms in self.terms.items():
                times = self._times(run, terms, curves)
                yield PredictedTime("t_ICL", (label,), method, Prediction(geometric_mean(times), inputs))
                if self.spread and np.isfinite(times).all() and np.unique(times).size >= 3:
                    width = fit_log_normal(times, np.full(times.size, run.budget)).width
                    yield PredictedTime(SPREAD, (label,), method, Prediction(width, inputs))

    def _times(self, run: Run, terms: Terms, curves: CouplingCurves) -> np.ndarray:
        """t_ICL of every start of every calibration seed."""
        model, k = model_of(run, terms), np.array([run.task.task_diversity])
        ends = [
            solved(model, member, k, run.budget, self.draws, {}, stop_acquired=True)
            for i, coupling in enumerate(curves.tables())
            for member in members_of(model, [coupling], self.members, i * self.members)
        ]
        return np.array([float(end.time_acquired.item()) for end in ends])
