"""Predictions, made from calibration runs before the networks they speak of are trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..simulate import CoupledModel, solve_ensemble
from ..theory import Estimate, acquisition_time, item_frequencies
from .config import Run, content_key
from .measure import acquisition_times, geometric_mean
from .memory import MemoryTraining, ended_at, measured_memory

#: Where the coupled equations are solved to find K*, from a third of the least K trained to three times the greatest:
#: their ratio, about 0.7 %, is far below the seeds' spread.
_DIVERSITIES = 600


@dataclass(frozen=True)
class Prediction:
    """A number said beforehand, with everything it was made from.

    ``inputs`` names the equation and the calibration runs (by their address in the run store); nothing else was seen.
    """

    quantity: str
    estimate: Estimate
    inputs: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        return {"quantity": self.quantity, **asdict(self.estimate), "inputs": list(self.inputs)}


def predict_acquisition(run: Run) -> Prediction:
    """t_ICL for K → ∞: the averaged field at finite D integrated to 95 % accuracy. No calibration run enters."""
    assert run.beta0 is not None
    time = float(acquisition_time(replace(run.task, task_diversity=math.inf), run.beta0, run.w0))
    return Prediction(
        "t_ICL (K → ∞), minimal model", Estimate.exact(time), (f"exact field, {_describe(run)}, β0 = {run.beta0:g}",)
    )


def predict_clock(run: Run) -> Prediction:
    """I* = t_ICL(K → ∞)/2: the clock's reading at acquisition, whatever K (c1 = 1/2 while nothing is memorised)."""
    acquisition = predict_acquisition(run)
    return Prediction(
        "clock at acquisition I*", Estimate.exact(acquisition.estimate.value / 2), (*acquisition.inputs, "c1 = 1/2")
    )


def predict_threshold(
    quantity: str, clock: Prediction, trainings: Sequence[MemoryTraining], curves: Sequence[xr.Dataset], budget: float
) -> Prediction:
    """K*: where the memory alone, trained for the budget, advances its clock to I*.

        I_K(T) = I*        (paper, section 5; docs/derivation.md, threshold)

    The interval holds the uncertainty of I* and the spread of the memory's seeds.
    """
    memory = measured_memory(trainings, [ended_at(one, budget) for one in curves], budget)
    value, low, high = (float(memory.critical_diversity(reading)) for reading in _ends(clock.estimate))
    if math.isinf(value):
        return Prediction(quantity, Estimate(value, min(low, value), math.inf), clock.inputs)
    spread = _relative_spread(trainings, curves, budget) * value
    estimate = Estimate(value, max(0.0, min(low, value) - spread), max(high, value) + spread)
    return Prediction(quantity, estimate, (*clock.inputs, f"I_K(t = {budget:g}) of {addresses(trainings)}"))


def predict_coupled(
    run: Run,
    trainings: Sequence[MemoryTraining],
    curves: Sequence[xr.Dataset],
    task_diversity: float,
    repeats: bool = False,
) -> tuple[Prediction, Prediction]:
    """K* and t_ICL at one K from the coupled equations: (w, β) with the measured memory, to the run's budget.

    Unlike :func:`predict_threshold` this follows c2 as it rises, which makes the drag grow while the memory forms. The
    interval of K* is the spread of the memory's seeds; t_ICL is given for the mean memory.

    With ``repeats``, contexts of N draws from K items hold items more than once. Early, drive ⟨Σ_j a_j ℓ_j⟩ and drag
    ⟨(Σ_j a_j ℓ_j)²⟩ both grow by g = 1 + (N − m) Σ_k p_k²/m, with Σ_k p_k² = 1/K for equal frequencies p_k. So (w, β)
    run g times faster against the same memory: the equations at the learning-rate ratio r/g, in the time g t.
    """
    assert run.beta0 is not None
    known = [training.task_diversity for training in trainings]
    diversities = np.geomspace(max(2.0, min(known) / 3), 3 * max(known), _DIVERSITIES)
    every = np.append(diversities, task_diversity)
    task = run.task
    gain = 1 + repeats * (task.context_length - task.copies) / task.copies * _meeting(every, run.frequency_exponent)
    memory = measured_memory(trainings, curves, run.rate_ratio * run.budget)
    start = np.broadcast_to([run.w0, run.beta0], (every.size, 2))
    solved = solve_ensemble(
        CoupledModel(task, memory), start, (0.0, float(run.budget * gain.max())), stop="acquired",
        parameters={"task_diversity": every, "rate_ratio": run.rate_ratio / gain}, dims=["task_diversity"],
    )  # fmt: skip
    times = solved.events["acquired"] / gain
    times = np.where(times <= run.budget, times, math.inf)
    acquiring = np.isfinite(times[:-1])
    value = float(diversities[acquiring][0]) if acquiring.any() else math.inf
    spread = _relative_spread(trainings, curves, run.rate_ratio * run.budget) * value if acquiring.any() else 0.0
    inputs = (f"coupled equations, {_describe(run)}, β0 = {run.beta0:g}", f"memory curves of {addresses(trainings)}")
    kind = "coupled equations, repeated items" if repeats else "coupled equations"
    return (
        Prediction(f"K*, minimal model, {kind}", Estimate(value, value - spread, value + spread), inputs),
        Prediction(f"t_ICL at K = {task_diversity:g}, {kind}", Estimate.exact(float(times[-1])), inputs),
    )


def _meeting(task_diversity: NDArray[np.float64], frequency_exponent: float) -> NDArray[np.float64]:
    """Σ_k p_k², the probability that two draws meet in one item."""
    if not frequency_exponent:
        return 1 / task_diversity
    return np.array([np.sum(item_frequencies(round(k), frequency_exponent) ** 2) for k in task_diversity])


def predict_transformer_clock(runs: Sequence[Run], endless: xr.Dataset) -> Prediction:
    """I* of the transformer by one-point calibration: half its measured acquisition time at K → ∞."""
    times = geometric_mean(acquisition_times(endless).values)
    half = Estimate(times.value / 2, times.low / 2, times.high / 2)
    return Prediction("clock at acquisition I*, transformer", half, (f"measured t_ICL(K → ∞) of {addresses(runs)}",))


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _relative_spread(trainings: Sequence[MemoryTraining], curves: Sequence[xr.Dataset], budget: float) -> float:
    """Relative 95 % half-width of K* from the spread of I_K between seeds: δ ln K* = δ ln I_K / ν."""
    curves = [ended_at(one, budget) for one in curves]
    clocks: dict[int, list[float]] = {}
    for training, dataset in zip(trainings, curves, strict=True):
        clocks.setdefault(training.task_diversity, []).append(float(np.log(dataset.clock[-1])))
    repeated = [np.array(values) for values in clocks.values() if len(values) > 1]
    if not repeated:
        return 0.0
    variance = float(np.mean([values.var(ddof=1) / values.size for values in repeated]))
    exponent = float(np.mean(measured_memory(trainings, curves, budget).local_exponent()))
    return 1.96 * math.sqrt(variance) / exponent


def addresses(runs: Sequence[Any]) -> str:
    """Where the calibration runs stand in the run store."""
    keys = [content_key(run.as_json()) for run in runs]
    return f"{len(keys)} runs ({', '.join(key[:8] for key in keys)})"


def _describe(run: Run) -> str:
    return f"N = {run.task.context_length}, D = {run.task.dimension:g}"
