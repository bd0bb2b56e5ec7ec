"""Predict the minimal model before it is trained, its circuit and the whole network."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ...simulate import CoupledModel, solve_ensemble
from ...theory import Estimate, MeasuredMemory, MemoryRun, Task, icl_accuracy
from ...theory.common.arguments import integer, number
from ...theory.common.rehearsal import computing_begins
from ...theory.interference import interfered_accuracy
from ...theory.reduced_transformer import MeasuredCoupling
from ..training.coupling import CouplingTraining
from ..training.store import RunStore
from .forecast import Calibrations, threshold_of

ASSUMPTIONS = (
    "the memory's margins and its noise on novel items follow its clock as they do alone",
    "mean-field attention at finite D",
    "contexts without repeats; no noise of stochastic gradients",
)


@dataclass(frozen=True, eq=False)
class MinimalForecast:
    """The result of :func:`predict_minimal`.

    Parameters
    ----------
    threshold, circuit_threshold : Estimate
        K* of the whole network and of its circuit at the budget; intervals are the range over calibration seeds.
    curve : xarray.Dataset
        Over ``task_diversity``: mean final ``icl_accuracy`` of the network, ``circuit_accuracy``, ``time_acquired``.
    budget : float
    assumptions, inputs : sequences of str
    """

    threshold: Estimate
    circuit_threshold: Estimate
    curve: xr.Dataset
    budget: float
    assumptions: tuple[str, ...]
    inputs: list[str]


def predict_minimal(
    context_length: int,
    dimension: int = 63,
    width: int = 512,
    *,
    learning_rate: float = 0.3,
    rate_ratio: float = 1.0,
    decay: float = 0.0,
    beta0: float = 0.0,
    w0: float = 0.0,
    budget: float = 1000.0,
    calibration_seeds: int = 1,
    store: str | os.PathLike[str] = "results/runs",
    progress: bool = True,
) -> MinimalForecast:
    """K* of the minimal model, of the ICL circuit alone and of the whole network, whose memory is noise on novel items.

    (w, β) with the measured memory to the budget (:class:`iclrace.simulate.CoupledModel`), then the accuracy with the
    spread s_φ of the memory's logit at the clock's last reading
    (:func:`iclrace.theory.interference.interfered_accuracy`).

    Parameters
    ----------
    context_length, dimension, width : int
    learning_rate : float
        Of the perceptrons trained alone.
    rate_ratio, decay : float
        Of the memory over the attention; weight decay of (w, β).
    beta0, w0 : float
        Start.
    budget : float
    calibration_seeds : int
    store : path
    progress : bool

    Raises
    ------
    ValueError
        For an argument out of its range.

    Source: docs/reduced_transformer.md.
    """
    task = Task(integer("context_length", context_length, minimum=2), math.inf, dimension)
    budget = number("budget", budget, minimum=0.0, maximum=math.inf, exclusive=True)
    integer("calibration_seeds", calibration_seeds, minimum=1)
    number("rate_ratio", rate_ratio, minimum=0.0, exclusive=True)
    number("decay", decay, minimum=0.0)
    number("beta0", beta0)
    number("w0", w0)
    training = CouplingTraining(2, 0, dimension=dimension, width=width, learning_rate=learning_rate, layer_norm=False)
    known = Calibrations(training, calibration_seeds, RunStore(store), progress, first=(32, 64, 128))

    def solve(coupling: MeasuredCoupling, grid: np.ndarray) -> xr.Dataset:
        return _ends(task, coupling, grid, rate_ratio, decay, (w0, beta0), budget)

    replace(training, task_diversity=32).check_memory(calibration_seeds)
    computing_begins()
    known.bracket(lambda coupling, k: float(solve(coupling, np.array([k])).icl_accuracy[0]))
    grid = np.geomspace(known.low, known.high, 4 * round(math.log2(known.high / known.low)) + 1)
    scans = [solve(known.coupling(seed), grid) for seed in range(calibration_seeds)]
    names = ("icl_accuracy", "circuit_accuracy")
    whole, circuit = (threshold_of(grid, np.array([scan[name].values for scan in scans])) for name in names)
    curve = sum(scans[1:], scans[0]) / len(scans)
    return MinimalForecast(whole, circuit, curve, budget, ASSUMPTIONS, known.inputs())


def _ends(
    task: Task, coupling: MeasuredCoupling, grid: np.ndarray, rate_ratio: float, decay: float,
    start: tuple[float, float], budget: float,
) -> xr.Dataset:  # fmt: skip
    """Accuracies at the budget over K."""
    runs = [MemoryRun(run.task_diversity, run.clock, run.c1, *_moments(run.margins), margins=run.margins)
            for run in coupling.runs]  # fmt: skip
    model = CoupledModel(task, MeasuredMemory(runs), decay_w=decay, decay_beta=decay)
    solved = solve_ensemble(
        model, np.broadcast_to((*start, 0.0), (grid.size, 3)), (0.0, budget), dims=["task_diversity"],
        parameters={"task_diversity": grid, "rate_ratio": rate_ratio},
    )  # fmt: skip
    w, beta, clock = (solved.y[..., i] for i in range(3))
    spread = []
    for k, reading in zip(grid, clock, strict=True):
        total, table = coupling.table(float(k))
        spread.append(np.interp(reading, np.linspace(0.0, total, len(table)), table[:, 2]))
    columns = {
        "icl_accuracy": interfered_accuracy(w, beta, np.array(spread), task),
        "circuit_accuracy": icl_accuracy(w, beta, replace(task, task_diversity=math.inf)),
        "time_acquired": np.nan_to_num(solved.events["acquired"], nan=math.inf),
    }
    return xr.Dataset(
        {name: ("task_diversity", np.asarray(values)) for name, values in columns.items()},
        coords={"task_diversity": grid},
    )


def _moments(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """c2 and c3 from the margins' quantiles."""
    wrong = 1.0 / (1.0 + np.exp(margins))
    return 1.0 - (wrong**2).mean(1) / wrong.mean(1), np.exp(-margins).mean(1)
