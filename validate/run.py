"""The main job: calibrate, predict, train, measure, compare."""

from __future__ import annotations

import math
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..theory import Estimate
from ..theory._arguments import require
from .compare import Comparison
from .config import json_text
from .measure import acquisition_times, geometric_mean, measure_power_law, measure_threshold, outcome_spread
from .memory import MemoryTraining, clock_at
from .predict import (
    Prediction,
    addresses,
    predict_acquisition,
    predict_clock,
    predict_threshold,
    predict_transformer_clock,
)
from .presets import PRESETS, Preset
from .store import RunStore, write_dataset, write_text
from .training import train, train_memories


@dataclass(frozen=True)
class Report:
    """What :func:`run` found: the table's rows and the datasets behind them."""

    preset: Preset
    comparisons: Sequence[Comparison]
    predictions: dict[str, Prediction]
    datasets: dict[str, xr.Dataset]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether any verdict says that the theory fails."""
        return any(comparison.failed for comparison in self.comparisons)

    def as_json(self) -> dict[str, Any]:
        return {
            "preset": self.preset.name,
            "description": self.preset.description,
            "comparisons": [comparison.as_json() for comparison in self.comparisons],
            "predictions": {name: prediction.as_json() for name, prediction in self.predictions.items()},
            "provenance": self.provenance,
        }


def run(
    preset: str,
    out: str | os.PathLike[str],
    *,
    task_diversity: Sequence[float] | None = None,
    progress: bool = True,
) -> Report:
    """Calibrate, predict, train, measure and compare; writes ``summary.json`` and the datasets to ``out``.

    Predictions are written to ``predictions.json`` before the networks that they speak of are trained. An interrupted
    run continues where it stopped, and its result equals an uninterrupted one.

    Parameters
    ----------
    preset : str
        A name in ``PRESETS``.
    out : path
        A directory, made if needed.
    task_diversity : sequence of float, optional
        K of both scans, at least three, instead of the preset's.
    progress : bool

    Raises
    ------
    ValueError
        If ``preset`` is unknown, a K is not positive and even, or
        ``out`` is a file or cannot be written. Nothing has been written then.
    """
    require(preset in PRESETS, "preset", f"be one of {', '.join(PRESETS)}", preset)
    chosen = PRESETS[preset]
    if task_diversity is not None:
        require(len(set(task_diversity)) >= 3, "task_diversity", "hold three or more values", task_diversity)
        chosen = chosen.with_scan(sorted(set(task_diversity)))
    job = _Job(chosen, writable_directory(out), progress)
    started = time.monotonic()
    job.calibrate()
    job.predict()
    job.train()
    report = Report(job.preset, job.compare(), job.predictions, job.datasets, provenance(time.monotonic() - started))
    for name, dataset in report.datasets.items():
        write_dataset(job.directory / f"{name}.nc", dataset)
    write_text(job.directory / "summary.json", json_text(report.as_json()))
    return report


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


class _Job:
    """The steps of :func:`run`, sharing what they have learnt."""

    def __init__(self, preset: Preset, directory: Path, progress: bool) -> None:
        self.preset, self.directory, self.progress = preset, directory, progress
        self.store = RunStore(directory)
        self.datasets: dict[str, xr.Dataset] = {}
        self.predictions: dict[str, Prediction] = {}

    def calibrate(self) -> None:
        preset, show = self.preset, self.progress
        self.memory = train_memories(preset.memory, self.store, progress=show, description="memory alone")
        self.token_memory = train_memories(
            preset.token_memory, self.store, progress=show, description="memory alone, tokens"
        )
        self.datasets["transformer_endless"] = self._train(preset.transformer_endless, "transformer, K → ∞")
        for name, trainings, curves in (
            ("memory", preset.memory, self.memory),
            ("token_memory", preset.token_memory, self.token_memory),
        ):
            self.datasets[name] = memory_clocks(trainings, curves)

    def predict(self) -> None:
        preset = self.preset
        endless, minimal, transformer = preset.minimal_endless[0], preset.minimal[0], preset.transformer[0]
        clock = predict_clock(endless)
        transformer_clock = predict_transformer_clock(preset.transformer_endless, self.datasets["transformer_endless"])
        self.predictions = {
            "acquisition_time": predict_acquisition(endless),
            "clock": clock,
            "threshold": predict_threshold(
                "K*, minimal model", clock, preset.memory, self.memory, minimal.budget
            ),
            "transformer_threshold": predict_threshold(
                "K*, transformer", transformer_clock, preset.token_memory, self.token_memory, transformer.budget
            ),
        }  # fmt: skip
        text = json_text({name: prediction.as_json() for name, prediction in self.predictions.items()})
        write_text(self.directory / "predictions.json", text)

    def train(self) -> None:
        preset = self.preset
        self.datasets["minimal_endless"] = self._train(preset.minimal_endless, "minimal model, K → ∞")
        self.datasets["minimal"] = self._train(preset.minimal, "minimal model")
        self.datasets["transformer"] = self._train(preset.transformer, "transformer")

    def _train(self, runs: Sequence[Any], description: str) -> xr.Dataset:
        return train(runs, self.directory, progress=self.progress, description=description)

    def compare(self) -> list[Comparison]:
        minimal, transformer = self.datasets["minimal"], self.datasets["transformer"]
        times = acquisition_times(self.datasets["minimal_endless"], "circuit_accuracy")
        memory = self.datasets["memory"]
        _, exponent = measure_power_law(memory.task_diversity.values, memory.clock.values)
        circuit = acquisition_times(minimal, "circuit_accuracy").transpose("task_diversity", "seed")
        # The theory's K* is where the circuit reaches 95 %, so the outcome is whether it did: accuracy 1, or chance.
        threshold = measure_threshold(minimal.task_diversity, np.where(np.isfinite(circuit.values), 1.0, 0.5))
        seeds = minimal.sizes["seed"]
        rows = [
            Comparison("ν, memory alone", Estimate.exact(PAPER_EXPONENT), exponent, self.preset.bars["memory_exponent"],
                       ("value reported in the paper, section 4",), memory.sizes["run"]),
            self._row("acquisition_time", geometric_mean(times.values), times.size),
            self._row("threshold", threshold, seeds, ", ICL circuit"),
            self._row("threshold", measure_threshold(minimal.task_diversity, final(minimal)), seeds, ", whole network"),
            self._row("clock", clock_at_acquisition(minimal, threshold.value), seeds),
            self._row("transformer_threshold",
                      measure_threshold(transformer.task_diversity, final(transformer)),
                      transformer.sizes["seed"]),
        ]  # fmt: skip
        return [*rows, self._spread(rows[-1].measured.value)]

    def _row(self, name: str, measured: Estimate, seeds: int, note: str = "") -> Comparison:
        p = self.predictions[name]
        return Comparison(p.quantity + note, p.estimate, measured, self.preset.bars[name], p.inputs, seeds)

    def _spread(self, threshold: float) -> Comparison:
        transformer = self.datasets["transformer"]
        accuracy = final(transformer)
        k, outcomes = outcome_spread(transformer.task_diversity.values, accuracy, threshold)
        spread = Estimate(float(np.median(outcomes)), float(outcomes[0]), float(outcomes[-1]))
        label = f"final ICL accuracy at K = {k:g}, transformer: median, least, greatest"
        return Comparison(label, None, spread, 2.0, (), accuracy.shape[1])


#: ν of the paper's setting (section 4, figure 5).
PAPER_EXPONENT = 0.7


def final(runs: xr.Dataset, name: str = "icl_accuracy") -> np.ndarray:
    """Accuracy (K, seed) at the end of each run."""
    ends = xr.apply_ufunc(
        lambda values: values[np.isfinite(values)][-1], runs[name], input_core_dims=[["time"]], vectorize=True
    )
    return ends.transpose("task_diversity", "seed").values


def clock_at_acquisition(runs: xr.Dataset, threshold: float) -> Estimate:
    """I_K when ICL is acquired: the mean over the K above the threshold at which every seed acquires.

    The interval runs from the least to the greatest of the K's own geometric means: clock collapse is the statement
    that they agree.
    """
    times = acquisition_times(runs, "circuit_accuracy")
    readings = []
    for k in runs.task_diversity.values:
        at = times.sel(task_diversity=k)
        if k > threshold and bool(np.isfinite(at).all()):
            curves = runs.clock.sel(task_diversity=k)
            clocks = [np.interp(at.sel(seed=s), runs.time, curves.sel(seed=s)) for s in runs.seed.values]
            readings.append(geometric_mean(clocks).value)
    if not readings:
        return Estimate(math.inf, 0.0, math.inf)
    return Estimate(float(np.exp(np.mean(np.log(readings)))), min(readings), max(readings))


def memory_clocks(trainings: Sequence[MemoryTraining], curves: Sequence[xr.Dataset]) -> xr.Dataset:
    """I_K of memories trained alone, over ``run``: as far as they were trained, and continued to their budget."""
    return xr.Dataset(
        {
            "clock": ("run", [float(dataset.clock[-1]) for dataset in curves]),
            "clock_at_budget": ("run", [clock_at(d, t.budget) for t, d in zip(trainings, curves, strict=True)]),
        },
        coords={
            "task_diversity": ("run", [training.task_diversity for training in trainings]),
            "seed": ("run", [training.seed for training in trainings]),
        },
        attrs={"runs": addresses(trainings), "units": "gradient-flow time"},
    )


def provenance(wall_time: float) -> dict[str, Any]:
    """Versions, hardware and the wall time of this call (a resumed call took only its own part)."""
    names = ("iclrace", "numpy", "scipy", "numba", "torch", "xarray")
    return {
        "versions": {name: version(name) for name in names} | {"python": platform.python_version()},
        "hardware": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "wall_time_seconds": round(wall_time, 1),
    }
