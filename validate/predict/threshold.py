"""Predictions, made from calibration runs before the networks they speak of are trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ...simulate import CoupledModel, solve, solve_ensemble, sweep
from ...theory import Estimate, MeasuredMemory, Task, acquisition_time, icl_accuracy, item_frequencies
from ...theory.contexts.burstiness import repeated_nodes
from ..claim import Claim
from ..measure.clocks import ended_at, measured_memory
from ..measure.times import acquisition_times, geometric_mean
from ..training.config import Run, addresses
from ..training.memory import MemoryTraining

#: Task diversities at which the coupled equations are solved to find K*: their ratio, about 0.7 %, is far below the
#: seeds' spread. With repeated items K* is bisected, to the same precision.
_DIVERSITIES = 600
_PRECISION = 1.007
#: Hermite nodes with repeated items: t_ICL at N = 50, K = 420 moves by less than 1e-5 from 16 to 40.
_NODES = 16


@dataclass(frozen=True)
class Prediction:
    """A number made before the networks that it is about, with everything it was made from.

    ``inputs`` names the equation and the calibration runs (by their address in the run store); nothing else was seen.
    ``by_seed`` is the prediction of each calibration seed, where each gives one.
    """

    estimate: Estimate
    inputs: Sequence[str]
    by_seed: Sequence[float] = ()

    def claim(self, quantity: str, network: str, bar: float | None, **fields: Any) -> Claim:
        """The claim that ``quantity`` is this, within ``bar``; the other fields are :class:`Claim`'s."""
        return Claim(quantity, network, self.estimate, bar, inputs=tuple(self.inputs), **fields)


def predict_acquisition(run: Run) -> Prediction:
    """t_ICL for K → ∞: the averaged field at finite D integrated to 95 % accuracy. No calibration run enters."""
    assert run.beta0 is not None
    time = float(acquisition_time(replace(run.task, task_diversity=math.inf), run.beta0, run.w0))
    return Prediction(Estimate.exact(time), (f"exact field, {_describe(run)}, β0 = {run.beta0:g}",))


def predict_clock(run: Run) -> Prediction:
    """I* = r t_ICL(K → ∞)/2: the reading of the memory's own clock at acquisition, whatever K.

    c1 = 1/2 while nothing is memorised, and the memory runs r times as fast as the attention.
    """
    acquisition, ratio = predict_acquisition(run), run.rate_ratio
    rated = () if ratio == 1.0 else (f"rate ratio {ratio:g}",)
    half = Estimate.exact(acquisition.estimate.value / 2)
    return Prediction(half.scaled(ratio), (*acquisition.inputs, "c1 = 1/2", *rated))


def predict_threshold(
    clock: Prediction, trainings: Sequence[MemoryTraining], curves: Sequence[xr.Dataset], budget: float
) -> Prediction:
    """K*: where the memory alone, trained for the budget, advances its clock to I*.

        I_K(T) = I*        (paper, section 5; docs/derivation.md, threshold)

    The interval holds the uncertainty of I* and the spread of the memory's seeds.
    """
    memory = measured_memory(trainings, [ended_at(curve, budget) for curve in curves], budget)
    value, low, high = (float(memory.critical_diversity(reading)) for reading in clock.estimate.ends)
    if math.isinf(value):
        return Prediction(Estimate(value, min(low, value), math.inf), clock.inputs)
    spread = _relative_spread(trainings, curves, budget) * value
    estimate = Estimate(value, max(0.0, min(low, value) - spread), max(high, value) + spread)
    return Prediction(estimate, (*clock.inputs, f"I_K(t = {budget:g}) of {addresses(trainings)}"))


def predict_coupled(
    run: Run, trainings: Sequence[MemoryTraining], curves: Sequence[xr.Dataset], task_diversity: float
) -> tuple[Prediction, Prediction]:
    """K* and t_ICL at one K from the coupled equations: (w, β) with the measured memory, to the run's budget.

    Unlike :func:`predict_threshold` this follows c2 as it rises, which makes the drag grow while the memory forms. The
    interval of K* is the spread of the memory's seeds; t_ICL is given for the mean memory.
    """
    diversities = np.geomspace(*_scanned(trainings), _DIVERSITIES)
    every = np.append(diversities, task_diversity)
    memory = measured_memory(trainings, curves, run.rate_ratio * run.budget)
    assert run.beta0 is not None
    start = np.broadcast_to([run.w0, run.beta0], (every.size, 2))
    solved = solve_ensemble(
        CoupledModel(run.task, memory), start, (0.0, float(run.budget)), stop="acquired",
        parameters={"task_diversity": every, "rate_ratio": run.rate_ratio}, dims=["task_diversity"],
    )  # fmt: skip
    times = np.nan_to_num(solved.events["acquired"], nan=math.inf)
    acquiring = np.isfinite(times[:-1])
    value = float(diversities[acquiring][0]) if acquiring.any() else math.inf
    return _coupled_predictions(run, trainings, curves, value, float(times[-1]))


def predict_repeats(
    run: Run, trainings: Sequence[MemoryTraining], curves: Sequence[xr.Dataset], task_diversity: float
) -> tuple[Prediction, Prediction]:
    """:func:`predict_coupled` for contexts of N draws from K items, which hold items repeatedly.

        dw/dt = ⟨σ(−φ − w a) a⟩,    dβ/dt = ⟨σ(−φ − w a) w ∂a/∂β⟩,    dJ/dt = r ⟨σ(−φ − w a)⟩

    averaged over margins, copies and labels (:func:`iclrace.theory.icl_field` with ``repeats``). Where items have
    frequencies p_k, the context has the repeats of 1/Σ p_k² equally frequent ones. K* is bisected: ICL above one K, and
    none below.
    """
    memory = measured_memory(trainings, curves, run.rate_ratio * run.budget)
    low, high = _scanned(trainings)
    if math.isinf(_repeats_time(run, memory, high)):
        high = math.inf
    elif math.isfinite(_repeats_time(run, memory, low)):
        high = low
    while math.isfinite(high) and high > _PRECISION * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if math.isfinite(_repeats_time(run, memory, middle)) else (middle, high)
    time = _repeats_time(run, memory, task_diversity)
    return _coupled_predictions(run, trainings, curves, high, time)


def _repeats_time(run: Run, memory: MeasuredMemory, task_diversity: float) -> float:
    """t_ICL at one K with repeated items; ∞ where the budget ends first."""
    assert run.beta0 is not None
    met = task_diversity
    if run.frequency_exponent:
        met = 1.0 / float(np.sum(item_frequencies(round(task_diversity), run.frequency_exponent) ** 2))
    contexts = repeated_nodes(replace(run.task, task_diversity=met), nodes=_NODES)
    task = replace(run.task, task_diversity=task_diversity)
    model = CoupledModel(task, memory, rate_ratio=run.rate_ratio, contexts=contexts)
    solved = solve(model, (run.w0, run.beta0), (0.0, float(run.budget)), stop="acquired")
    return float(np.nan_to_num(solved.events["acquired"], nan=math.inf))


def _scanned(trainings: Sequence[MemoryTraining]) -> tuple[float, float]:
    """Where K* is looked for: from a third of the least K trained to three times the greatest."""
    known = [training.task_diversity for training in trainings]
    return max(2.0, min(known) / 3), 3.0 * max(known)


def _coupled_predictions(
    run: Run, trainings: Sequence[MemoryTraining], curves: Sequence[xr.Dataset], threshold: float, time: float
) -> tuple[Prediction, Prediction]:
    spread = 0.0
    if math.isfinite(threshold):
        spread = _relative_spread(trainings, curves, run.rate_ratio * run.budget) * threshold
    inputs = (f"coupled equations, {_describe(run)}, β0 = {run.beta0:g}", f"memory curves of {addresses(trainings)}")
    return (
        Prediction(Estimate(threshold, threshold - spread, threshold + spread), inputs),
        Prediction(Estimate.exact(time), inputs),
    )


def predict_transformer_clock(runs: Sequence[Run], endless: xr.Dataset) -> Prediction:
    """I* of the transformer by one-point calibration: half its measured acquisition time at K → ∞."""
    times = geometric_mean(acquisition_times(endless).values)
    return Prediction(times.scaled(0.5), (f"measured t_ICL(K → ∞) of {addresses(runs)}",))


def _relative_spread(trainings: Sequence[MemoryTraining], curves: Sequence[xr.Dataset], budget: float) -> float:
    """Relative 95 % half-width of K* from the spread of I_K between seeds: δ ln K* = δ ln I_K / ν."""
    curves = [ended_at(curve, budget) for curve in curves]
    clocks: dict[int, list[float]] = {}
    for training, dataset in zip(trainings, curves, strict=True):
        clocks.setdefault(training.task_diversity, []).append(float(np.log(dataset.clock[-1])))
    repeated = [np.array(values) for values in clocks.values() if len(values) > 1]
    if not repeated:
        return 0.0
    variance = float(np.mean([values.var(ddof=1) / values.size for values in repeated]))
    exponent = float(np.mean(measured_memory(trainings, curves, budget).local_exponent()))
    return 1.96 * math.sqrt(variance) / exponent


def _describe(run: Run) -> str:
    return f"N = {run.task.context_length}, D = {run.task.dimension:g}"


def coupled_accuracy(
    task: Task, memory: MeasuredMemory, task_diversity: ArrayLike, beta0: float, w0: float, budget: float
) -> NDArray[np.float64]:
    """The circuit's ICL accuracy at the end of the budget over K, from the coupled equations with a measured memory.

    Parameters
    ----------
    task : N and D; its K plays no part
    task_diversity : array (K,)
    budget : gradient-flow time

    Returns
    -------
    array (K,), in [1/2, 1]
    """
    axes = {"task_diversity": np.asarray(task_diversity, dtype=float), "beta0": [beta0], "w0": [w0]}
    end = sweep(CoupledModel(task, memory), axes, (0.0, budget)).squeeze(["beta0", "w0"], drop=True)
    return np.asarray(icl_accuracy(end.w.values, end.beta.values, replace(task, task_diversity=math.inf)))
