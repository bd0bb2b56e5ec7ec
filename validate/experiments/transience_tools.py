"""What the experiments on transience share: how long ICL lasts in runs, and in the coupled equations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...simulate import CoupledModel, EventLevels, sweep
from ...theory import PowerLawMemory
from ...theory.decay.phases import LASTING, NO_ICL, TRANSIENT
from ..measure.clocks import MemoryCurves
from ..measure.survival import LOST_LEVEL, loss_times
from ..measure.times import acquisition_times
from ..training.config import Run

Array = NDArray[np.float64]

#: Margin scales p tried for the homogeneous law; below the first the law no longer depends on p.
_SCALES = np.geomspace(1e-3, 1e2, 201)
#: The law is fitted at this many margins, evenly spaced from 0 to the end of training.
_FIT_POINTS = 100


def durations(runs: xr.Dataset, accuracy: str) -> xr.DataArray:
    """Time from acquisition (0.95) to loss (0.75); infinite if ICL lasts to the end, NaN if it is never acquired."""
    return loss_times(runs, accuracy) - acquisition_times(runs, accuracy)


def phases(runs: xr.Dataset, accuracy: str, within: float = math.inf) -> xr.DataArray:
    """Of every run, up to the time ``within``: "no ICL", "transient" (acquired and lost) or "lasting"."""
    runs = runs.isel(time=np.flatnonzero(runs.time.values <= within))
    lasting = durations(runs, accuracy)
    kinds = np.where(lasting.isnull(), NO_ICL, np.where(np.isinf(lasting), LASTING, TRANSIENT))
    return xr.DataArray(kinds, coords=lasting.coords, dims=lasting.dims)


def homogeneous_memory(curves: xr.Dataset, task_diversity: float, depth: int = 3) -> PowerLawMemory:
    """The homogeneous law of one perceptron trained alone: I_K = I_K(∞) [1 − (1 + φ/p)^{1−q}], φ = ln(1/c1 − 1).

    Least squares in (I_K(∞), p) at margins evenly spaced over the whole run, so that what is memorised before
    acquisition counts as well as the tail. K is that of the run; the exponent ν plays no part at a single K.
    """
    margin = np.log(1 / curves.c1.values - 1)
    rising = np.maximum.accumulate(margin)
    grid = np.linspace(0.0, float(rising[-1]), _FIT_POINTS + 1)[1:]
    clock = np.interp(grid, rising, curves.clock.values)
    exponent = 1.0 - 2.0 / depth
    shapes = 1 - (1 + grid / _SCALES[:, None]) ** -exponent
    totals = shapes @ clock / np.sum(shapes**2, 1)
    best = int(np.argmin(np.sum((totals[:, None] * shapes - clock) ** 2, 1)))
    nu = 0.7
    return PowerLawMemory(float(totals[best]) / task_diversity**nu, nu, margin_scale=float(_SCALES[best]), depth=depth)


def laws(memory: MemoryCurves) -> dict[int, list[PowerLawMemory]]:
    """The homogeneous laws of every perceptron, by K."""
    by_diversity: dict[int, list[PowerLawMemory]] = {}
    for training, curves in zip(memory.trainings, memory.curves, strict=True):
        law = homogeneous_memory(curves, training.task_diversity, training.layers)
        by_diversity.setdefault(training.task_diversity, []).append(law)
    return by_diversity


def coupled(run: Run, law: PowerLawMemory, decay: Sequence[float]) -> tuple[Array, list[str]]:
    """Durations of ICL in the coupled equations at each λ (NaN: never acquired, inf: lasting), and phases."""
    assert run.beta0 is not None
    axes = {"decay": list(decay), "beta0": [run.beta0], "w0": [run.w0]}
    levels = EventLevels(lost=LOST_LEVEL)
    solution = sweep(CoupledModel(run.task, law), axes, (0.0, run.budget), levels=levels)
    acquired, lost = (solution[f"time_{event}"].values.reshape(-1) for event in ("acquired", "lost"))
    lasting = np.where(np.isnan(acquired), np.nan, np.where(np.isnan(lost), np.inf, lost - acquired))
    kinds = np.where(np.isnan(acquired), NO_ICL, np.where(np.isnan(lost), LASTING, TRANSIENT))
    return lasting, kinds.tolist()


def by_axis(values: xr.DataArray, axis: str, order: Sequence[float]) -> Array:
    """``values`` as (point, seed), its points in the given order along ``axis``."""
    return values.sel({axis: list(order)}).transpose(axis, "seed").values
