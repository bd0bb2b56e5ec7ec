"""One results folder, as ``iclrace validate`` wrote it: read when asked for, named when missing or damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from ..theory import Estimate
from ..theory._arguments import ArgumentError, require
from ..validate import PRESETS, schema
from ..validate.store import StoreError, read_dataset


class MissingResults(ArgumentError):
    """A figure's results are not in the folder; the message says which command makes them."""


class Results:
    """A results folder: its summary, and its datasets.

    Parameters
    ----------
    directory : path
        Made by ``iclrace validate --out directory``.

    Raises
    ------
    ValueError
        If there is no ``summary.json`` in it.
    StoreError
        If that file is damaged or from another version; the message names it.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        path = self.directory / "summary.json"
        require(path.is_file(), "results", f"be a folder made by `iclrace validate --out {directory}`", str(directory))
        self.summary: dict[str, Any] = schema.read(path, schema.SUMMARY)
        self.preset: str = self.summary["preset"]
        self.experiments: dict[str, Any] = self.summary["experiments"]
        self.rows: list[dict[str, Any]] = [row for one in self.experiments.values() for row in one["comparisons"]]
        for row in self.rows:
            row.setdefault("scale", "ratio")

    @cached_property
    def names(self) -> list[str]:
        """The datasets of the experiments that the summary speaks of; a file of an earlier call may lie beside them."""
        found = sorted(path.stem for path in self.directory.glob("*.nc"))
        return [name for name in found if any(name.startswith(f"{one}_") for one in self.experiments)]

    def find(self, *patterns: str, needs: Sequence[str] = ()) -> dict[str, xr.Dataset]:
        """Every dataset whose name matches one of the patterns (with ``*``), in their order.

        Raises
        ------
        MissingResults
            If there is none.
        StoreError
            If one is damaged, or lacks one of the variables ``needs``; the message names the file.
        """
        found = [name for pattern in patterns for name in self.names if fnmatchcase(name, pattern)]
        if not found:
            raise MissingResults(
                f"Argument 'results' must hold {' or '.join(f'{p}.nc' for p in patterns)}, but {self.directory} does "
                f"not; make it with `{self.command(patterns)}`."
            )
        return {name: self._read(name, needs) for name in dict.fromkeys(found)}

    def one_of(self, *patterns: str, needs: Sequence[str] = ()) -> xr.Dataset:
        """The first dataset that matches the first pattern that any matches."""
        return next(iter(self.find(*patterns, needs=needs).values()))

    def _read(self, name: str, needs: Sequence[str]) -> xr.Dataset:
        path = self.directory / f"{name}.nc"
        dataset = read_dataset(path)
        lacking = [one for one in needs if one not in dataset.variables]
        if lacking or "setting" not in dataset.attrs:
            what = ", ".join(lacking) or "the attribute 'setting'"
            raise StoreError(f"{path} is from another version: it lacks {what}; make it anew")
        try:
            wrong = schema.problem(json.loads(dataset.attrs["setting"]), schema.SETTING, "setting")
        except (ValueError, TypeError, RecursionError) as error:
            wrong = f"its attribute 'setting' is no JSON ({error})"
        if wrong is not None:
            raise StoreError(f"{path} is damaged or from another version: {wrong}; make it anew")
        return dataset

    def command(self, patterns: Sequence[str]) -> str:
        """What makes the datasets of these names: this folder's preset if it has the experiment, else another."""
        order = (self.preset, "workstation", *PRESETS)
        for preset in (PRESETS[name] for name in order if name in PRESETS):
            for experiment in preset.experiments:
                if any(pattern.startswith(experiment.name) for pattern in patterns):
                    out = self.directory if preset.name == self.preset else f"results/{preset.name}"
                    return f"iclrace validate --preset {preset.name} -e {experiment.name} --out {out}"
        return "iclrace validate --preset workstation --out results/workstation"

    def predicted(self, experiment: str, name: str) -> Estimate | None:
        """A prediction of the summary; None where the experiment made none of that name."""
        entry = self.experiments.get(experiment, {}).get("predictions", {}).get(name)
        return None if entry is None else _estimate(entry)

    def compared(self, experiment: str) -> list[tuple[str, Estimate | None, Estimate | None]]:
        """Rows of the table of one experiment: quantity, predicted, measured."""
        rows = self.experiments.get(experiment, {}).get("comparisons", [])
        return [(row["quantity"], _estimate(row["predicted"]), _estimate(row["measured"])) for row in rows]


def _estimate(entry: dict[str, Any] | None) -> Estimate | None:
    if entry is None:
        return None
    return Estimate(*(float(entry[field]) for field in ("value", "low", "high", "confidence")))


def setting(dataset: xr.Dataset) -> dict[str, Any]:
    """What all runs of a dataset have in common: the fields of Run and Task, or of MemoryTraining."""
    fields: dict[str, Any] = json.loads(dataset.attrs["setting"])
    return {name: float(value) if value in ("inf", "-inf") else value for name, value in fields.items()}
