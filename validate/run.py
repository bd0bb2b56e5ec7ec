"""The main job: a preset's experiments through the protocol, into a folder."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from ..theory.common.arguments import require
from .claim import Claim
from .claims import Claims
from .finished import Call
from .frozen import freeze, read_frozen
from .measure.clocks import MemoryCurves
from .plan import costs, write_plan
from .presets import PRESETS, Preset
from .presets.base import Scanned
from .presets.toml import read_preset
from .protocol import Jobs, Plan, Results, Trained, clocks_in, in_order, predict, test
from .schema import StoreError
from .summary import Dataset, Summary, provenance, read_summary
from .training.config import Run, json_text
from .training.coupling import CouplingCurves, CouplingTraining, train_couplings
from .training.deadline import OutOfTime, time_limit
from .training.devices import usable
from .training.executors import Submitter
from .training.jobs import train, train_memories
from .training.memory import MemoryTraining
from .training.store import RunStore, write_dataset


@dataclass(frozen=True)
class Report:
    """What :func:`run` found."""

    preset: Preset
    claims: Claims
    datasets: Mapping[str, xr.Dataset]

    @property
    def failed(self) -> bool:
        """Whether the theory fails in any verdict."""
        return any(claim.verdict.kind == "fails" for claim in self.claims)


@dataclass(frozen=True)
class _Trainer:
    """How runs are trained: where, by what, with or without a bar."""

    store: RunStore
    progress: bool
    device: str
    executor: str | Submitter | None

    @property
    def local(self) -> str:
        """Where perceptrons are trained, which no executor does: on the device if it is this machine's."""
        return self.device if self.executor is None else "cpu"

    def __call__(self, jobs: Mapping[str, Jobs]) -> dict[str, Results]:
        """Train, or load, every list of runs."""
        results: dict[str, Results] = {}
        for label, runs in jobs.items():
            networks = [job for job in runs if isinstance(job, Run)]
            memories = [job for job in runs if isinstance(job, MemoryTraining)]
            couplings = [job for job in runs if isinstance(job, CouplingTraining)]
            if couplings:
                results[label] = CouplingCurves(
                    couplings, train_couplings(couplings, self.store, progress=self.progress, device=self.local)
                )
            elif networks:
                results[label] = train(
                    networks, self.store.root, progress=self.progress, device=self.device, executor=self.executor,
                    description=f"{networks[0].network} model",
                )  # fmt: skip
            else:
                results[label] = MemoryCurves(
                    memories, train_memories(memories, self.store, progress=self.progress, device=self.local)
                )
        return results


def run(
    preset: str | Preset,
    out: str | os.PathLike[str],
    *,
    task_diversity: Sequence[float] | None = None,
    experiments: Sequence[str] | None = None,
    progress: bool = True,
    device: str = "cpu",
    executor: str | Submitter | None = None,
    reason: str | None = None,
    hours: float | None = None,
) -> Report:
    """Calibrate, predict, freeze, train, measure and judge; writes ``summary.json`` and the datasets to ``out``.

    Predictions and bars are written to ``predictions.json`` before the networks that they speak of are trained, and do
    not change afterwards. An interrupted run continues where it stopped, and its result equals an uninterrupted one. A
    finished one is read, unless something that it depends on has changed since.

    Parameters
    ----------
    preset : str or Preset
        A name in ``PRESETS``, a TOML file (:func:`~iclrace.validate.presets.toml.read_preset`), or one of your own.
    out : path
        A directory, made if needed.
    task_diversity : sequence of float, optional
        K of every scan, at least three, instead of the preset's.
    experiments : sequence of str, optional
        Names of the experiments to run; all by default. Results of the preset's other experiments in ``out`` stay.
    progress : bool
    device, executor
        As in :func:`train`.
    reason : str, optional
        Why predictions or bars differ from those that were frozen; the old ones are kept beside the new ones with it.
    hours : float > 0, optional
        End after so long, at the next evaluation or perceptron; the same call goes on. Not with an ``executor``.

    Raises
    ------
    ValueError
        If ``preset`` or an experiment is unknown, a K is not positive and even, no experiment scans K, or ``out`` is a
        file or cannot be written, ``hours`` is not positive, or there is no such ``device`` here. Nothing has been
        written then.
    OutOfTime
        If the hours were over before all was trained. Experiments that were finished stand in ``summary.json``.
    ProtocolError
        If a prediction saw a network, or differs from the frozen one without a reason.
    """
    preset = chosen(preset, task_diversity, experiments)
    require(hours is None or executor is None, "hours", "be left out with an executor, whose jobs do not see it", hours)
    if executor is None:
        usable(device)
    plans = [Plan.of(experiment) for experiment in preset.experiments]  # refuses what cannot be trained
    try:
        with time_limit(hours):
            directory = writable_directory(out)
            call = Call(preset, plans, directory, {"task_diversity": sorted(set(task_diversity or ()))})
            if reason is None and call.is_done():
                return _as_stored(preset, directory, call)
            trainer = _Trainer(RunStore(directory), progress, device, executor)
            report = _run(preset, plans, out, task_diversity, experiments, trainer, reason)
            call.is_now_done()
            return report
    except OutOfTime:
        raise OutOfTime(_what_is_left(preset, out, hours)) from None


def _as_stored(preset: Preset, directory: Path, call: Call) -> Report:
    """What an earlier call found, and nothing of what the folder holds of other experiments."""
    names = {experiment.name for experiment in preset.experiments}
    claims = Claims(claim for claim in read_summary(directory).claims if claim.experiment in names)
    return Report(preset, claims, call.datasets)


def _what_is_left(preset: Preset, out: str | os.PathLike[str], hours: float | None) -> str:
    """The message when the time is up."""
    store = RunStore(out)
    jobs = {job for experiment in preset.experiments for job in Plan.of(experiment).jobs}
    done, parts = sum(job in store for job in jobs), costs(preset.experiments, store, preset.looks)
    unfinished = ", ".join(part.experiment for part in parts if part.done < part.runs)
    return (
        f"{hours:g} hours are over: {done} of {len(jobs)} runs are done, and about {sum(p.minutes for p in parts):.0f} "
        f"minutes are left{unfinished and f', of {unfinished}'}; the same command goes on."
    )


def _run(
    preset: Preset, plans: Sequence[Plan], out: str | os.PathLike[str], task_diversity: Sequence[float] | None,
    experiments: Sequence[str] | None, train_all: _Trainer, reason: str | None,
) -> Report:  # fmt: skip
    started, store, directory = time.monotonic(), train_all.store, writable_directory(out)
    write_plan(directory, preset, plans)
    record = directory / "predictions.json"
    calibrated: dict[str, dict[str, Results]] = {}
    frozen: dict[str, list[Claim]] = {}
    for group in filter(None, in_order(plans)):
        calibrated |= {plan.name: train_all(plan.calibration) for plan in group}
        predicted = {plan.name: predict(plan, calibrated[plan.name]) for plan in group}
        begun = {plan.name: any(job in store for jobs in plan.networks.values() for job in jobs) for plan in group}
        with store.alone("predictions"):
            frozen |= freeze(record, predicted, begun, reason)
    judged: dict[str, tuple[list[Claim], dict[str, Results]]] = {}
    over: OutOfTime | None = None
    try:
        for plan in plans:
            judged[plan.name] = test(plan, frozen[plan.name], store, train_all, preset.looks)
    except OutOfTime as error:  # finished experiments are reported
        over, plans = error, [plan for plan in plans if plan.name in judged]
    listed, datasets = _datasets(plans, calibrated, judged)
    claims = Claims(claim for measured, _ in judged.values() for claim in measured)
    predictions = {name: _frozen(entry) for name, entry in read_frozen(record).items() if name in judged}
    for plan in plans:
        heeded = task_diversity is not None and isinstance(plan.experiment, Scanned)
        predictions[plan.name]["options"] = {"task_diversity": sorted(set(task_diversity or ()))} if heeded else {}
    jobs = [job for plan in plans for job in plan.jobs]
    origin = provenance(time.monotonic() - started, store, jobs, train_all.device)
    summary = Summary(preset.name, preset.description, claims, listed, preset.note, predictions, origin)
    for name, dataset in datasets.items():
        write_dataset(directory / f"{name}.nc", dataset)
    if plans:
        with store.alone("summary"):  # another process may have added its experiments meanwhile
            _beside(summary, directory, experiments is not None or over is not None).write(directory)
    if over is not None:
        raise over
    return Report(preset, claims, datasets)


def _datasets(
    plans: Sequence[Plan], calibrated: Mapping[str, Trained], judged: Mapping[str, tuple[list[Claim], Trained]]
) -> tuple[list[Dataset], dict[str, xr.Dataset]]:
    """What was trained for the plans: the list of the summary, and the datasets by their names."""
    listed: list[Dataset] = []
    datasets: dict[str, xr.Dataset] = {}
    for plan in plans:
        stages = (
            ("calibration", plan.calibration, calibrated[plan.name]),
            ("networks", plan.networks, judged[plan.name][1]),
        )
        for stage, jobs, results in stages:
            for label, curves in results.items():
                entry = Dataset(f"{plan.name}_{label}", plan.name, stage, label)
                listed.append(entry)
                datasets[entry.name] = described(curves, jobs[label])
    return listed, datasets


def chosen(
    preset: str | Preset, task_diversity: Sequence[float] | None = None, experiments: Sequence[str] | None = None
) -> Preset:
    """The preset of a name or of a TOML file, with the named experiments alone and other K in its scans if given."""
    if isinstance(preset, str):
        preset = PRESETS[preset] if preset in PRESETS else read_preset(preset, PRESETS)
    if experiments is not None:
        preset = preset.only(experiments)
    if task_diversity is not None:
        require(len(set(task_diversity)) >= 3, "task_diversity", "hold three or more values", task_diversity)
        preset = preset.with_scan(sorted(set(task_diversity)))
    return preset


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a summary on how an experiment's claims were frozen."""
    revisions = [{"reason": past["reason"], "until": past["until"]} for past in entry["revisions"]]
    return {"frozen": entry["date"], "before_training": entry["before_training"], "revisions": revisions}


def _beside(summary: Summary, directory: Path, keep: bool) -> Summary:
    """The summary after what an earlier call wrote of other experiments of the same preset, where that can be read."""
    if not keep or not (directory / "summary.json").exists():
        return summary
    try:
        before = read_summary(directory)
    except StoreError:
        return summary
    if before.preset != summary.preset:
        return summary
    others = before.without([*summary.experiments])
    return replace(
        summary, claims=Claims([*others.claims, *summary.claims]), datasets=[*others.datasets, *summary.datasets],
        experiments={**others.experiments, **summary.experiments},
    )  # fmt: skip


def described(results: Results, jobs: Jobs) -> xr.Dataset:
    """The results as a dataset whose attribute ``setting`` holds, as JSON, all that its runs have in common."""
    dataset = clocks_in(results)
    fields: list[dict[str, Any]] = [asdict(job) for job in jobs]
    flat = [{**settings.pop("task", {}), **settings} for settings in fields]
    shared = {name: value for name, value in flat[0].items() if all(settings[name] == value for settings in flat)}
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
