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

from ..theory._arguments import ArgumentError
from ..validate import PRESETS, Claim, Claims, StoreError, Summary, read_summary, schema
from ..validate.store import read_dataset


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
        self.summary: Summary = read_summary(directory)
        self.preset, self.claims = self.summary.preset, self.summary.claims
        self.experiments = self.summary.experiments

    def select(self, **fields: Any) -> Claims:
        """Claims by their fields and coordinates: :meth:`iclrace.validate.Claims.select`."""
        return self.claims.select(**fields)

    def datasets(self, *, needs: Sequence[str] = (), **fields: str) -> dict[str, xr.Dataset]:
        """The stored datasets of these fields (``experiment``, ``stage``, ``label``), by name, where they are there.

        ``stage`` is "networks" for those that claims were measured on, "calibration" for those that predictions saw.
        """
        chosen = [one for one in self.summary.datasets if all(getattr(one, k) == v for k, v in fields.items())]
        there = [one.name for one in chosen if (self.directory / f"{one.name}.nc").exists()]
        return {name: self._read(name, needs) for name in there}

    def behind(self, claim: Claim, *, needs: Sequence[str] = ()) -> list[xr.Dataset]:
        """The networks that a claim was measured on.

        Raises
        ------
        MissingResults
            If one is not there.
        """
        for name in claim.datasets:
            if not (self.directory / f"{name}.nc").exists():
                raise MissingResults(
                    f"Argument 'results' must hold {name}.nc, but {self.directory} does not; make it with "
                    f"`{self.command([name])}`."
                )
        return [self._read(name, needs) for name in claim.datasets]

    @cached_property
    def names(self) -> list[str]:
        """The datasets that the summary speaks of; a file of an earlier call may lie beside them."""
        return sorted(one.name for one in self.summary.datasets if (self.directory / f"{one.name}.nc").exists())

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


def setting(dataset: xr.Dataset) -> dict[str, Any]:
    """What all runs of a dataset have in common: the fields of Run and Task, or of MemoryTraining."""
    fields: dict[str, Any] = json.loads(dataset.attrs["setting"])
    return {name: float(value) if value in ("inf", "-inf") else value for name, value in fields.items()}
