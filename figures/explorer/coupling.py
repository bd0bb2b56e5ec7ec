"""What the explorer's transformer reads of perceptrons trained alone: a small stored table, and what it is made of."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...theory.reduced_transformer import CouplingRun, MeasuredCoupling
from ...theory.reduced_transformer.measured import COLUMNS

PATH = Path(__file__).parent / "coupling.json"
#: Readings of each perceptron, evenly over its clock.
READINGS = 33
#: The perceptrons: as in ``iclrace predict``, whose defaults these are.
DIMENSION, WIDTH, LEARNING_RATE, SEED = 31, 128, 0.05, 0


@cache
def stored() -> dict[str, Any]:
    """The table as the page reads it."""
    return json.loads(PATH.read_text("utf-8"))


def coupling() -> MeasuredCoupling:
    """The same table for :func:`iclrace.simulate.solve_reduced`."""
    return MeasuredCoupling([_run(run) for run in stored()["runs"]])


def thinned(coupling: MeasuredCoupling, settings: dict[str, Any]) -> dict[str, Any]:
    """A measured coupling at :data:`READINGS` even readings of every clock, to five digits."""
    return {
        "settings": settings,
        "quantiles": coupling.runs[0].margins.shape[1],
        "runs": [
            {"task_diversity": float(run.task_diversity), "total": _short(run.total)}
            | {name: _short(np.exp(_even(run, np.log(getattr(run, name))))) for name in COLUMNS}
            | {"c1": _short(_even(run, run.c1)), "margins": [_short(margins) for margins in _even_rows(run)]}
            for run in coupling.runs
        ],
    }


def _even(run: CouplingRun, values: np.ndarray) -> np.ndarray:
    return np.interp(np.linspace(0.0, run.total, READINGS), run.clock, values)


def _even_rows(run: CouplingRun) -> np.ndarray:
    return np.stack([_even(run, margins) for margins in run.margins.T], -1)


def _short(values: Any) -> Any:
    rounded = [float(f"{value:.5g}") for value in np.atleast_1d(values)]
    return rounded if np.ndim(values) else rounded[0]


def _run(stored_run: dict[str, Any]) -> CouplingRun:
    columns: dict[str, np.ndarray] = {name: np.array(stored_run[name]) for name in (*COLUMNS, "c1", "margins")}
    return CouplingRun(stored_run["task_diversity"], np.linspace(0.0, stored_run["total"], READINGS), **columns)
