"""Train lists of runs through the store: what is already there is loaded, what is missing is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ...theory.common.arguments import require
from .config import Run
from .deadline import check
from .devices import multiplies, usable
from .executors import Submitter, split, train_jobs
from .groups import train_group
from .memory import MemoryTraining, train_memory
from .perceptrons import train_missing
from .progress import Bar
from .store import RunStore
from .trainer import Status

#: Relative distance below which two evaluations count as simultaneous: times are products of a rate and a step.
_SAME_TIME = 1e-9

ENDINGS = {status.name.lower(): int(status) for status in Status}


def train(
    runs: Run | Sequence[Run],
    out: str | os.PathLike[str] = "results/runs",
    *,
    progress: bool = True,
    device: str = "cpu",
    description: str = "training",
    executor: str | Submitter | None = None,
    networks_per_job: int | None = None,
) -> xr.Dataset:
    """Train networks and return their metrics; a run that is already in ``out`` is not trained again.

    Parameters
    ----------
    runs : Run or sequence of Run
        Runs that differ only in seed, K, w0, β0, λ and the rate ratio train together as one ensemble.
    out : path
        Run store. An interrupted call continues where it stopped and gives the same result.
    progress : bool
        Show a bar with loss, ICL and IWL accuracy.
    device : str
        Where to train, "cpu" or "cuda".
    executor : str or object with ``submit``, optional
        Trains groups as independent jobs: "dask", "tcp://…", "slurm", "local" or any ``concurrent.futures`` executor
        (:func:`open_executor`). In this process by default.
    networks_per_job : int >= 1, optional
        Split groups into jobs of at most so many networks (:func:`split`). Part of what decides the last digits.

    Returns
    -------
    xarray.Dataset
        The metrics (see :func:`collect`).

    Raises
    ------
    ValueError
        For an empty list, a device that is not there, a precision that it lacks, or an executor that is not known.
    ImportError
        If the executor needs the extra ``cluster`` and it is not installed.
    StoreError
        If a file cannot be written or a stored one is damaged.
    KeyboardInterrupt, OutOfTime
        After the state has been saved.

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> from iclrace.validate import Run, train
    >>> metrics = train(Run("transformer", Task(31, 1024, 31), seed=0, width=128, learning_rate=0.1))  # doctest: +SKIP
    """
    runs = [runs] if isinstance(runs, Run) else list(runs)
    require(len(runs) > 0, "runs", "hold at least one run", runs)
    store = RunStore(out)
    if executor is None:  # an executor's workers know what they have
        usable(device)
        for run in runs:
            if run not in store:
                multiplies(run.precision, device)
    else:
        with Bar(f"{description} ({len(runs)} networks)", show=progress) as bar:
            train_jobs(runs, out, executor, networks_per_job=networks_per_job, device=device, bar=bar)
        return collect(runs, store)
    for members in split(runs, networks_per_job):
        if any(run not in store for run in members):
            check()
            with Bar(f"{description} ({len(members)} networks)", show=progress) as bar:
                train_group(members, store, bar=bar, device=device)
    return collect(runs, store)


def train_memories(
    trainings: Sequence[MemoryTraining],
    store: RunStore,
    *,
    progress: bool = True,
    device: str = "cpu",
    description: str = "memory alone",
) -> list[xr.Dataset]:
    """The curves of every training, from the store or trained now; ``ValueError`` if one of them diverged."""
    train_one = partial(train_memory, device=device)
    curves = train_missing(trainings, store, train_one, 1.7, progress=progress, description=description)
    for training, data in zip(trainings, curves, strict=True):
        diverged = data.attrs.get("status") == "diverged"
        where = f"let the perceptron at K = {training.task_diversity}, seed {training.seed} train without diverging"
        require(not diverged, "learning_rate", where, training.learning_rate)
    return curves


def collect(runs: Sequence[Run], store: RunStore) -> xr.Dataset:
    """One dataset of all runs: a dimension for every field in which they differ, and ``time``.

    ``time`` holds every time at which any run was evaluated; a run is NaN where it was not, as after an early end.
    ``ending`` holds why each run ended, as a number whose meaning is in the variable's attributes. A curve that a run
    lacks, such as order parameters of transformers stored before these were read, is left out.
    """
    loaded = [store.load(run) for run in runs]
    shared = set.intersection(*(set(dataset.data_vars) for dataset in loaded))
    loaded = [dataset[[name for name in dataset.data_vars if name in shared]] for dataset in loaded]
    fields = [_flat(run) for run in runs]
    varying = [name for name in fields[0] if len({entry[name] for entry in fields}) > 1] or ["seed"]
    every = _times([dataset.time.values for dataset in loaded])
    padded = [
        dataset.reindex(time=every, method="nearest", tolerance=_SAME_TIME * every).assign(
            ending=ENDINGS[dataset.attrs["status"]]
        )
        for dataset in loaded
    ]
    stacked = xr.concat(padded, dim="run", combine_attrs="drop", coords="minimal", compat="override", join="override")
    stacked = stacked.assign_coords({name: ("run", [entry[name] for entry in fields]) for name in varying})
    stacked = stacked.set_index(run=varying)
    stacked = stacked.unstack("run") if len(varying) > 1 else stacked.rename(run=varying[0])
    stacked["ending"].attrs = {**ENDINGS}
    stacked["time"].attrs = {"units": runs[0].time_unit}
    return stacked.transpose(..., "time")


def _times(grids: Sequence[np.ndarray]) -> np.ndarray:
    """All the times, each once: those of equal runs are equal, those of unequal rates may differ by rounding."""
    grids = list({grid.tobytes(): grid for grid in grids}.values())
    every = np.unique(np.concatenate(grids))
    longest = max(grids, key=len)
    kept = np.append(True, np.diff(every) > _SAME_TIME * every[1:])
    # one grid that holds all the others stays as it is, to the last digit
    return longest if kept.sum() == len(longest) else every[kept]


def final(runs: xr.Dataset, name: str = "icl_accuracy") -> np.ndarray:
    """Variable ``name`` (K, seed) at the end of each run."""
    ends = xr.apply_ufunc(
        lambda values: values[np.isfinite(values)][-1], runs[name], input_core_dims=[["time"]], vectorize=True
    )
    return ends.transpose("task_diversity", "seed").values


def _flat(run: Run) -> dict[str, Any]:
    fields = asdict(run)
    return {**fields.pop("task"), **fields}
