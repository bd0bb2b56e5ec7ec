"""One results folder, as ``iclrace validate`` wrote it: claims and datasets by their fields, named when missing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ..theory.common.arguments import ArgumentError
from ..validate import PRESETS, Claim, Claims, StoreError, Summary, read_summary, schema
from ..validate.summary import Dataset
from ..validate.training.store import read_dataset


class MissingResults(ArgumentError):
    """A figure's results are not in the folder; ``command``, which the message names, makes them."""

    def __init__(self, what: str, where: Path, command: str) -> None:
        super().__init__(f"Argument 'results' must hold {what}, but {where} does not; make them with `{command}`.")
        self.command = command


class Results:
    """A results folder: its claims, and its datasets.

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

    def datasets(
        self, experiment: str, stage: str = "networks", label: str | None = None, *, needs: Sequence[str] = ()
    ) -> list[xr.Dataset]:
        """The stored datasets of an experiment that are there, in the order of the summary.

        Parameters
        ----------
        stage : "networks", which claims are measured on, or "calibration", which predictions have seen
        label : that of one dataset; all by default
        needs : variables without which a dataset is from another version

        Raises
        ------
        StoreError
            If one is damaged, or lacks a variable; the message names the file.
        """
        listed = [
            dataset for dataset in self.summary.datasets if (dataset.experiment, dataset.stage) == (experiment, stage)
        ]
        return [
            self._read(dataset, needs)
            for dataset in listed
            if label in (None, dataset.label) and self._path(dataset).exists()
        ]

    def behind(self, claims: Claim | Iterable[Claim], *, needs: Sequence[str] = ()) -> list[xr.Dataset]:
        """The networks that claims are measured on, each dataset once, as far as they are there."""
        wanted = [claims] if isinstance(claims, Claim) else claims
        labels = dict.fromkeys((claim.experiment, label) for claim in wanted for label in claim.data)
        return [runs for name, label in labels for runs in self.datasets(name, label=label, needs=needs)]

    def missing(self, *experiments: str) -> MissingResults:
        """What to raise where the folder lacks the results of all these experiments."""
        what = f"results of {' or '.join(experiments)}"
        return MissingResults(what, self.directory, self.command(experiments))

    def command(self, experiments: Sequence[str]) -> str:
        """What makes the results of these experiments: this folder's preset if it has one of them, else another."""
        for name in (self.preset, "workstation", *PRESETS):
            for experiment in PRESETS[name].experiments if name in PRESETS else ():
                if experiment.name in experiments:
                    out = self.directory if name == self.preset else f"results/{name}"
                    return f"iclrace validate --preset {name} -e {experiment.name} --out {out}"
        return "iclrace validate --preset workstation --out results/workstation"

    def _path(self, dataset: Dataset) -> Path:
        return self.directory / f"{dataset.name}.nc"

    def _read(self, dataset: Dataset, needs: Sequence[str]) -> xr.Dataset:
        content = read_dataset(self._path(dataset))
        lacking = [name for name in needs if name not in content.variables]
        if lacking or "setting" not in content.attrs:
            what = ", ".join(lacking) or "the attribute 'setting'"
            raise StoreError(f"{self._path(dataset)} is from another version: it lacks {what}; make it anew")
        try:
            wrong = schema.problem(json.loads(content.attrs["setting"]), schema.SETTING, "setting")
        except (ValueError, TypeError, RecursionError) as error:
            wrong = f"its attribute 'setting' is no JSON ({error})"
        if wrong is not None:
            raise StoreError(f"{self._path(dataset)} is damaged or from another version: {wrong}; make it anew")
        return content


def setting(dataset: xr.Dataset) -> dict[str, Any]:
    """What all runs of a dataset have in common: the fields of Run and Task, or of MemoryTraining."""
    fields: dict[str, Any] = json.loads(dataset.attrs["setting"])
    return {name: float(value) if value in ("inf", "-inf") else value for name, value in fields.items()}
