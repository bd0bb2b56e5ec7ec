"""The figures of one results folder, drawn from the files that ``iclrace validate`` wrote there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import xarray as xr
from matplotlib.axes import Axes

from ..theory import Estimate
from ..theory._arguments import require
from ..validate import PRESETS
from ..validate.experiments import Threshold, TransformerThreshold
from ..validate.store import StoreError, read_dataset
from . import accuracy, collapse, style

Kind = TypeVar("Kind")


class Results:
    """A results folder: its summary and its datasets, read when asked for."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        path = self.directory / "summary.json"
        made_by = f"be a folder made by `iclrace validate --out {directory}`"
        require(path.is_file(), "results", made_by, str(directory))
        try:
            self.summary = json.loads(path.read_text())
            self.preset = PRESETS[self.summary["preset"]]
        except (ValueError, KeyError) as error:
            raise StoreError(f"{path} is damaged or from another version ({error!r})") from error

    def dataset(self, name: str) -> xr.Dataset:
        return read_dataset(self.directory / f"{name}.nc")

    def predicted(self, experiment: str, name: str) -> Estimate:
        entry = self.summary["experiments"][experiment]["predictions"][name]
        return Estimate(*(float(entry[field]) for field in ("value", "low", "high", "confidence")))

    def experiment(self, kind: type[Kind]) -> Kind:
        """The preset's experiment of one kind."""
        found = [one for one in self.preset.experiments if isinstance(one, kind)]
        require(len(found) == 1, "results", f"hold one experiment {kind.__name__}", str(self.directory))
        return found[0]


def _minimal_accuracy(results: Results, ax: Axes | None) -> Axes:
    title = f"minimal model, N = {results.experiment(Threshold).run.task.context_length}"
    runs, predicted = results.dataset("threshold_networks"), results.predicted("threshold", "threshold")
    return accuracy.draw(runs, predicted, ax, title)


def _transformer_accuracy(results: Results, ax: Axes | None) -> Axes:
    title = f"transformer, N = {results.experiment(TransformerThreshold).run.task.context_length}"
    runs = results.dataset("transformer_threshold_networks")
    return accuracy.draw(runs, results.predicted("transformer_threshold", "threshold"), ax, title)


def _clock_collapse(results: Results, ax: Axes | None) -> Axes:
    length = results.experiment(Threshold).run.task.context_length
    runs, predicted = results.dataset("threshold_networks"), results.predicted("threshold", "clock")
    return collapse.draw(runs, length, predicted, ax, title="minimal model")


FIGURES: dict[str, Callable[[Results, Axes | None], Axes]] = {
    "accuracy_minimal": _minimal_accuracy,
    "accuracy_transformer": _transformer_accuracy,
    "clock_collapse": _clock_collapse,
}


def draw(name: str, results: Results, ax: Axes | None = None) -> Axes:
    """Figure ``name`` of a results folder; ``ValueError`` for a name that is not in ``FIGURES``."""
    require(name in FIGURES, "name", f"be one of {', '.join(FIGURES)}", name)
    return FIGURES[name](results, ax)


def save_all(results: Results, out: str | os.PathLike[str]) -> list[Path]:
    """Every figure of a results folder, as PNG files in ``out``."""
    return [style.save(draw(name, results), Path(out) / f"{name}.png") for name in FIGURES]
