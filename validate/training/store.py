"""The run store: results addressed by their configuration, written so that no interruption can damage one.

    <root>/runs/<key>/config.json, weights.safetensors, metrics.nc      a finished run
    <root>/runs/<key>/cost.json                                         how long its training took, here
    <root>/checkpoints/<key>.safetensors                                an unfinished group of runs
    <root>/locks/<key>.lock                                             what one process at a time works on

Every file is written under a temporary name, flushed to the disk and renamed. Nothing that is loaded can execute code.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import xarray as xr
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ...theory.common.files import netcdf, read_netcdf, written_whole
from .. import schema
from ..schema import StoreError
from .config import content_key, json_text

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class Configured(Protocol):
    """Anything with a configuration that decides its result."""

    def as_json(self) -> dict[str, Any]: ...


# Runs that may not be read now, and what to say of it.
_WITHHELD: ContextVar[tuple[frozenset[str], Exception | None]] = ContextVar("_WITHHELD", default=(frozenset(), None))


@contextmanager
def withheld(runs: Iterable[Configured], error: Exception) -> Iterator[None]:
    """While this lasts, no store gives out the results of ``runs``: asking for them raises ``error``."""
    token = _WITHHELD.set((frozenset(content_key(run.as_json()) for run in runs), error))
    try:
        yield
    finally:
        _WITHHELD.reset(token)


# Numbers in an array below which the tables of a compressed one outweigh what they save: of 257 datasets of networks,
# 35.6 MB with a limit of 4,096, 31.3 with one of 1,024 and 32.0 with one of 256.
_WORTH_COMPRESSING = 1024


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, flush it to the disk and rename it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            write(partial)
    except (OSError, SafetensorError, RuntimeError) as error:  # the three ways in which the writers report a full disk
        raise StoreError(f"{path} cannot be written: {error}") from error


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(text, "utf-8"))


def write_dataset(path: Path, dataset: xr.Dataset) -> None:
    """Write ``dataset`` as NetCDF, large arrays compressed without loss."""
    large = frozenset(
        str(name)
        for name, values in dataset.data_vars.items()
        if values.dtype.kind == "f" and values.size >= _WORTH_COMPRESSING
    )
    write_atomically(path, lambda temporary: temporary.write_bytes(netcdf(dataset, large)))


def read_dataset(path: Path) -> xr.Dataset:
    try:
        return read_netcdf(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise StoreError(f"{path} is damaged and cannot be read ({error}); delete it to compute it anew") from error


def _curves_problem(metrics: xr.Dataset) -> str | None:
    """What keeps a dataset from being curves over time with a clock; None if nothing does."""
    for name in ("time", "clock"):
        if name not in metrics.variables:
            return f"it lacks {name!r}"
        values = metrics[name]
        none = name == "clock" and values.dtype.kind == "f" and bool(np.isnan(values.values).all())  # as of Adam's runs
        finite = values.dtype.kind == "f" and bool(np.isfinite(values.values).all())
        if values.dims != ("time",) or not (finite or none):
            return f"{name!r} is no finite curve over time"
    time = metrics.time.values
    if time.size == 0 or time[0] != 0.0 or np.any(np.diff(time) <= 0):
        return "its times do not rise from 0"
    odd = [
        name for name, values in metrics.data_vars.items() if "time" not in values.dims or values.dtype.kind not in "fi"
    ]
    return f"{odd[0]!r} is no curve over time" if odd else None


class RunStore:
    """Finished runs and checkpoints below ``root``; created on the first write."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def directory(self, run: Configured) -> Path:
        return self.root / "runs" / content_key(run.as_json())

    def __contains__(self, run: Configured) -> bool:
        return (self.directory(run) / "metrics.nc").exists()

    def load(self, run: Configured) -> xr.Dataset:
        """The metrics of a finished run; ``StoreError`` names a damaged file, and one that holds something else."""
        withheld, error = _WITHHELD.get()
        if error is not None and self.directory(run).name in withheld:
            raise error
        path = self.directory(run) / "metrics.nc"
        metrics = read_dataset(path)
        problem = _curves_problem(metrics)
        if problem is not None:
            raise StoreError(f"{path} holds no curves of a run: {problem}; delete it to compute it anew")
        return metrics

    def seconds(self, runs: Iterable[Configured]) -> tuple[float, int]:
        """Wall seconds that training took over all ``runs``, and how many of them have no record of it.

        A network's share of an ensemble's time is one over the networks then training.
        """
        known, unknown = [], 0
        for key in {content_key(run.as_json()) for run in runs}:
            try:
                known.append(schema.read(self.root / "runs" / key / "cost.json", schema.COST)["seconds"])
            except StoreError:
                unknown += 1
        return math.fsum(known), unknown  # the same to the last digit in whatever order: a summary stays as it is

    def save(
        self,
        run: Configured,
        metrics: xr.Dataset,
        weights: dict[str, torch.Tensor] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Write a finished run. ``metrics.nc`` comes last: its presence says that the run is whole.

        ``seconds``, the time that it took, stands in a file of its own: it differs from one training to the next.
        """
        directory = self.directory(run)
        write_text(directory / "config.json", json_text(run.as_json(), sort_keys=True))
        if weights is not None:
            held = {name: value.contiguous() for name, value in weights.items()}
            write_atomically(directory / "weights.safetensors", lambda temporary: save_file(held, temporary))
        if seconds is not None:
            write_text(directory / "cost.json", json_text(schema.sealed({"seconds": round(seconds, 3)})))
        write_dataset(directory / "metrics.nc", metrics)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Inside, no other process that uses this folder is inside with the same ``key``; it waits here until then.

        The lock ends with its process, however that ends. Where the system has none, processes are not kept apart.
        """
        if fcntl is None:
            yield
            return
        path = self.root / "locks" / f"{key}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a")
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        with file:
            with suppress(OSError):  # a file system that knows no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _checkpoint(self, key: str, previous: bool = False) -> Path:
        return self.root / "checkpoints" / f"{key}{'.previous' if previous else ''}.safetensors"

    def save_checkpoint(self, key: str, tensors: dict[str, torch.Tensor]) -> None:
        """Write the state of an unfinished group and keep the one before it."""
        current, staged = self._checkpoint(key), self.root / "checkpoints" / f"{key}.next"
        # Whole on the disk before any older one is touched: a full disk must not cost a checkpoint that was saved.
        write_atomically(staged, lambda temporary: save_file(tensors, temporary))
        if current.exists():
            current.replace(self._checkpoint(key, previous=True))
        staged.replace(current)

    def load_checkpoint(
        self,
        key: str,
        warn: Callable[[str], object],
        wrong: Callable[[dict[str, torch.Tensor]], str | None] = lambda _: None,
    ) -> dict[str, torch.Tensor] | None:
        """The newest readable checkpoint of a group in which nothing is ``wrong``; others are named to ``warn``."""
        for path in (self._checkpoint(key), self._checkpoint(key, previous=True)):
            if path.exists():
                state: dict[str, torch.Tensor] = {}
                try:
                    state = load_file(path)
                    problem = wrong(state)
                except (SafetensorError, OSError, ValueError) as error:
                    problem = str(error)
                if problem is None:
                    return state
                warn(f"{path} is damaged ({problem}); the checkpoint before it is used")
        return None

    def delete_checkpoint(self, key: str) -> None:
        staged = self.root / "checkpoints" / f"{key}.next"
        for path in (self._checkpoint(key), self._checkpoint(key, previous=True), staged):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
