"""The main job: calibrate, predict, train, measure, compare."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from ..theory._arguments import require
from . import schema
from .compare import Comparison
from .config import Run, json_text
from .experiments import Experiment, Jobs, MemoryCurves, Results
from .predict import Prediction
from .presets import PRESETS, Preset
from .presets.base import Scanned
from .schema import FORMAT, StoreError
from .store import Configured, RunStore, write_dataset, write_text
from .training import train, train_memories


@dataclass(frozen=True)
class Report:
    """What :func:`run` found, by experiment: its predictions and its rows of the table."""

    preset: Preset
    predictions: Mapping[str, Mapping[str, Prediction]]
    comparisons: Mapping[str, Sequence[Comparison]]
    datasets: Mapping[str, xr.Dataset]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def rows(self) -> list[Comparison]:
        """The whole table."""
        return [comparison for rows in self.comparisons.values() for comparison in rows]

    @property
    def failed(self) -> bool:
        """Whether any verdict says that the theory fails."""
        return any(comparison.failed for comparison in self.rows)

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "preset": self.preset.name,
            "description": self.preset.description,
            "note": self.preset.note,
            "experiments": {
                name: {
                    "predictions": predictions_json(self.predictions[name]),
                    "comparisons": [comparison.as_json() for comparison in rows],
                    "options": dict(self.options.get(name, {})),
                }
                for name, rows in self.comparisons.items()
            },
            "provenance": dict(self.provenance),
        }


def predictions_json(predictions: Mapping[str, Prediction]) -> dict[str, Any]:
    return {name: prediction.as_json() for name, prediction in predictions.items()}


def run(
    preset: str | Preset,
    out: str | os.PathLike[str],
    *,
    task_diversity: Sequence[float] | None = None,
    experiments: Sequence[str] | None = None,
    progress: bool = True,
) -> Report:
    """Calibrate, predict, train, measure and compare; writes ``summary.json`` and the datasets to ``out``.

    Predictions are written to ``predictions.json`` before the networks that they speak of are trained. An interrupted
    run continues where it stopped, and its result equals an uninterrupted one.

    Parameters
    ----------
    preset : str or Preset
        A name in ``PRESETS``, or a preset of your own.
    out : path
        A directory, made if needed.
    task_diversity : sequence of float, optional
        K of every scan, at least three, instead of the preset's.
    experiments : sequence of str, optional
        Names of the experiments to run; all by default. What ``out`` already says of others of the preset stays.
    progress : bool

    Raises
    ------
    ValueError
        If ``preset`` or an experiment is unknown, a K is not positive and even, or ``out`` is a file or cannot be
        written. Nothing has been written then.
    """
    if isinstance(preset, str):
        require(preset in PRESETS, "preset", f"be one of {', '.join(PRESETS)}", preset)
        preset = PRESETS[preset]
    if experiments is not None:
        preset = preset.only(experiments)
    if task_diversity is not None:
        require(len(set(task_diversity)) >= 3, "task_diversity", "hold three or more values", task_diversity)
        preset = preset.with_scan(sorted(set(task_diversity)))
    options = {one.name: _options(one, task_diversity) for one in preset.experiments}
    planned = {experiment.name: (experiment.calibration(), experiment.networks()) for experiment in preset.experiments}
    jobs = [job for parts in planned.values() for part in parts for runs in part.values() for job in runs]
    directory = writable_directory(out)
    started = time.monotonic()
    store = RunStore(directory)
    calibrated = {name: _train_all(calibration, store, progress) for name, (calibration, _) in planned.items()}
    predictions = {one.name: one.predict(calibrated[one.name]) for one in preset.experiments}
    others = {} if experiments is None else _others(directory / "summary.json", preset)
    said = {name: one["predictions"] for name, one in others.items()}
    said |= {name: predictions_json(mine) for name, mine in predictions.items()}
    write_text(directory / "predictions.json", json_text(said))
    trained = {name: _train_all(networks, store, progress) for name, (_, networks) in planned.items()}
    comparisons = {one.name: one.compare(predictions[one.name], trained[one.name]) for one in preset.experiments}
    datasets = {
        f"{name}_{label}": described(results, {**planned[name][0], **planned[name][1]}[label])
        for part in (calibrated, trained)
        for name, mine in part.items()
        for label, results in mine.items()
    }
    seconds = time.monotonic() - started
    report = Report(preset, predictions, comparisons, datasets, provenance(seconds, store, jobs), options)
    for name, dataset in datasets.items():
        write_dataset(directory / f"{name}.nc", dataset)
    summary = report.as_json()
    with store.alone("summary"):  # another process may have added its experiments meanwhile
        others = {} if experiments is None else _others(directory / "summary.json", preset)
        summary["experiments"] = others | summary["experiments"]
        write_text(directory / "summary.json", json_text(schema.sealed(summary)))
    return report


def _options(experiment: Experiment, task_diversity: Sequence[float] | None) -> dict[str, Any]:
    """What this call set apart from the preset, for the experiments that heed it: part of where a number comes from."""
    heeded = task_diversity is not None and isinstance(experiment, Scanned)
    return {"task_diversity": sorted(set(task_diversity or ()))} if heeded else {}


def _others(path: Path, preset: Preset) -> dict[str, Any]:
    """What an earlier call wrote about other experiments of the same preset; nothing where that cannot be read."""
    try:
        before = schema.read(path, schema.SUMMARY)
    except StoreError:
        return {}
    names = {one.name for one in preset.experiments}
    mine = before["preset"] == preset.name
    return {name: one for name, one in before["experiments"].items() if mine and name not in names}


def _train_all(jobs: Mapping[str, Jobs], store: RunStore, progress: bool) -> dict[str, Results]:
    """Train, or load, every list of runs of one part of an experiment."""
    results: dict[str, Results] = {}
    for label, runs in jobs.items():
        networks = [one for one in runs if isinstance(one, Run)]
        memories = [one for one in runs if not isinstance(one, Run)]
        if networks:
            results[label] = train(networks, store.root, progress=progress, description=f"{networks[0].network} model")
        else:
            results[label] = MemoryCurves(memories, train_memories(memories, store, progress=progress))
    return results


def described(results: Results, jobs: Jobs) -> xr.Dataset:
    """The results as a dataset whose attribute ``setting`` holds, as JSON, all that its runs have in common."""
    dataset = results.clocks() if isinstance(results, MemoryCurves) else results
    fields: list[dict[str, Any]] = [asdict(job) for job in jobs]
    flat = [{**one.pop("task", {}), **one} for one in fields]
    shared = {name: value for name, value in flat[0].items() if all(one[name] == value for one in flat)}
    return dataset.assign_attrs(setting=json_text(shared))


def writable_directory(out: str | os.PathLike[str]) -> Path:
    """``out`` as a directory that can be written; ``ValueError`` otherwise, with nothing left behind."""
    path = Path(out)
    require(not path.exists() or path.is_dir(), "out", "be a directory", str(out))
    made = [parent for parent in (path, *path.parents) if not parent.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        for parent in made:
            if parent.exists():
                parent.rmdir()
        require(False, "out", f"be a directory that can be written ({error.strerror})", str(out))
    return path


def provenance(wall_time: float, store: RunStore, jobs: Sequence[Configured]) -> dict[str, Any]:
    """Versions, hardware, the wall time of this call, and of training all its runs, in this call or an earlier one."""
    training, unrecorded = store.seconds(jobs)
    names = ("iclrace", "numpy", "scipy", "numba", "torch", "xarray")
    return {
        "versions": {name: version(name) for name in names} | {"python": platform.python_version()},
        "hardware": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "wall_time_seconds": round(wall_time, 1),
        "training_seconds": round(training, 1),
        "runs_without_training_seconds": unrecorded,
    }
