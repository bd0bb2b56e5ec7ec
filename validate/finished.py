"""Whether a folder holds already all that a call would write: the same call, made again, then computes nothing.

A finished call leaves ``finished.json``: one hash of all that its results depend on. That is the preset with every
experiment and bar, the options, the source of the rooms that compute, the versions of the libraries, and size and date
of each file that it read or wrote. If the hash is still the same, so are the results.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from . import schema
from .presets import Preset
from .protocol import Plan
from .training.config import content_key, json_text
from .training.store import RunStore, read_dataset, write_text

_NAME = "finished.json"
_PACKAGE = Path(__file__).parents[1]
#: Rooms whose source decides a result.
_COMPUTING = ("theory", "simulate", "validate")
_LIBRARIES = ("numpy", "scipy", "numba", "torch", "xarray", "h5py", "diptest")


class StoredDatasets(Mapping[str, xr.Dataset]):
    """The datasets of a folder by their names, each read when it is asked for."""

    def __init__(self, directory: Path, names: Sequence[str]) -> None:
        self._directory, self._names = directory, tuple(names)

    def __getitem__(self, name: str) -> xr.Dataset:
        if name not in self._names:
            raise KeyError(name)
        return read_dataset(self._directory / f"{name}.nc")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Call:
    """One call of :func:`iclrace.validate.run`: a preset's experiments, a folder, and the options that decide."""

    def __init__(self, preset: Preset, plans: Sequence[Plan], directory: Path, options: Mapping[str, Any]) -> None:
        self._preset, self._plans, self._directory, self._options = preset, plans, directory, options

    @property
    def datasets(self) -> StoredDatasets:
        """What the call writes beside its claims, once it is done."""
        return StoredDatasets(self._directory, self._dataset_names())

    def is_done(self) -> bool:
        """Whether the folder holds what this call would write, made from what is there now."""
        path = self._directory / _NAME
        if not path.exists() or not self._is_of_the_package():
            return False
        try:
            recorded = schema.read(path, schema.FINISHED)["depends_on"]
        except schema.StoreError:  # it is computed anew, and this file with it
            return False
        return recorded == self._depends_on()

    def is_now_done(self) -> None:
        """Remember that it is, for the next call."""
        if self._is_of_the_package():
            content = schema.sealed({"depends_on": self._depends_on()})
            write_text(self._directory / _NAME, json_text(content))

    def _is_of_the_package(self) -> bool:
        """Experiments of the user's own may change where no hash sees it: they are always measured anew."""
        package = __name__.removesuffix("finished")
        return all(type(plan.experiment).__module__.startswith(package) for plan in self._plans)

    def _depends_on(self) -> str:
        jobs = sorted({content_key(job.as_json()) for plan in self._plans for job in plan.jobs})
        store = RunStore(self._directory)
        runs = [store.root / "runs" / key / name for key in jobs for name in ("metrics.nc", "cost.json")]
        written = [self._directory / f"{name}.nc" for name in self._dataset_names()]
        files = [*runs, *written, *(self._directory / name for name in ("summary.json", "predictions.json"))]
        digest = hashlib.sha256()
        parts = (repr(self._preset), repr(sorted(self._options.items())), _machinery(), *map(_state, files))
        for part in parts:
            digest.update(part.encode() + b"\0")
        return digest.hexdigest()

    def _dataset_names(self) -> list[str]:
        return [f"{plan.name}_{label}" for plan in self._plans for label in (*plan.calibration, *plan.networks)]


def _state(path: Path) -> str:
    """Name, size and date of a file; the name alone where there is none."""
    try:
        status = path.stat()
    except OSError:
        return path.name
    return f"{path.parent.name}/{path.name} {status.st_size} {status.st_mtime_ns}"


@cache
def _machinery() -> str:
    """The source that computes, and what it computes with."""
    digest = hashlib.sha256()
    for path in sorted(path for room in _COMPUTING for path in (_PACKAGE / room).rglob("*.py")):
        digest.update(path.read_bytes() + b"\0")
    libraries = " ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{digest.hexdigest()} {libraries} {sys.version} {platform.machine()}"
