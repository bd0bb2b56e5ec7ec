"""What an experiment will cost before it is run, and how far a folder has come."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..theory.common.arguments import require
from . import schema
from .presets import Preset
from .protocol import Experiment, Plan
from .sequential import Looks, spread_for
from .training.config import Run, content_key, json_text
from .training.coupling import CouplingTraining
from .training.memory import MemoryTraining
from .training.store import RunStore, write_text

#: Multiplications per second of training on two cores, as if every run went to its budget: the laptop preset's took
#: 409 s at 1.3e11, the minimal model's of the workstation preset 6,568 s at 0.8e11, early ends and overheads included.
#: Runs that are in the store show how fast this machine is.
SPEED = 1e11
#: What a number of a transformer's context costs, in products: six of them, and seventeen times as long each as those
#: of a perceptron, since contexts are drawn anew at every step. So a step took 0.33 ms at N = 15, D = 31, width 128,
#: and 3.9 ms at N = 99, D = 63, width 512, on two cores.
_TOKEN = 6 * 17
#: About when a perceptron alone has memorised K items, over K^0.7: at t = 51 for K = 40 (D = 63, width 512, to
#: c1 = 0.01). Layer-normed ones took 0.2 s for K = 64 and 16 s for K = 2,048, at the same speed 0.06 s and 10 s.
_MEMORISED = 4.0
#: Bytes of a network's metrics at one evaluation.
_BYTES = 8 * 16


@dataclass(frozen=True)
class Cost:
    """Of an experiment: its runs, those that are there already, about what the others cost, and what they can decide.

    ``spread`` is the greatest standard deviation of a logarithm from network to network (of t_ICL, say) at which a true
    claim about a mean of ``seeds`` networks holds its bar with a power of 90 %; None where there is no factor to hold.
    """

    experiment: str
    runs: int
    done: int
    minutes: float
    megabytes: float
    seeds: int | None = None
    bar: float | None = None
    spread: float | None = None


def work(job: Run | MemoryTraining | CouplingTraining) -> float:
    """Multiplications of a training: of networks to the budget, of perceptrons until they have memorised."""
    if not isinstance(job, Run):
        sizes = [job.dimension, *[job.width] * (job.layers - 1), 1]
        time = min(job.budget, _MEMORISED * job.task_diversity**0.7) if job.until else job.budget
        steps, sequences, other = time / job.learning_rate, job.task_diversity, 0.0
    else:
        sizes = [int(job.task.dimension), *[job.width] * (job.layers - 1), 1]
        steps, sequences = job.budget / job.learning_rate, job.batch_size
        other = job.task.context_length * job.task.dimension * (_TOKEN if job.network == "transformer" else 2)
        # Every block before the last has a perceptron for every token.
        block = (sizes[0] + 2) * job.width * 2 + job.width**2 * max(job.layers - 2, 0)
        other += (job.depth - 1) * (job.task.context_length + 1) * block
    weights = sum(a * b for a, b in pairwise(sizes))
    return steps * sequences * 3 * (weights + other)


def _bytes(job: Run | MemoryTraining | CouplingTraining) -> float:
    if not isinstance(job, Run):
        return 4e4
    return job.evaluations * _BYTES + 4 * job.parameters + 2e4


def costs(experiments: Sequence[Experiment], store: RunStore | None = None, looks: Looks | None = None) -> list[Cost]:
    """The cost of every experiment; a run that several share is counted with the first.

    Minutes are those at the pace of runs that end early as often as the stored ones: a factor of two either way.
    """
    plans = [Plan.of(experiment) for experiment in experiments]
    every = {content_key(job.as_json()): job for plan in plans for job in plan.jobs}
    done = {key for key, job in every.items() if store is not None and job in store}
    seen: set[str] = set()
    parts = []
    speed = _speed([every[key] for key in done], store)
    for plan in plans:
        own_jobs = {content_key(job.as_json()): job for job in plan.jobs}
        missing = [job for key, job in own_jobs.items() if key not in done | seen]
        seen |= set(own_jobs)
        minutes, size = sum(map(work, missing)) / speed / 60, sum(map(_bytes, missing)) / 1e6
        parts.append(Cost(plan.name, len(own_jobs), len(set(own_jobs) & done), minutes, size, *_decided(plan, looks)))
    return parts


def _decided(plan: Plan, looks: Looks | None) -> tuple[int | None, float | None, float | None]:
    """Seeds at the point that has fewest, the experiment's bar, and the spread that these can bear."""
    seeds = min((len({job.seed for job in jobs}) for jobs in plan.networks.values()), default=None)
    bar = getattr(plan.experiment, "bar", None)
    if seeds is None or seeds < 2 or bar is None or bar <= 1:
        return seeds, bar, None
    return seeds, bar, spread_for(bar, seeds, looks=looks)


def _speed(done: Sequence[Run | MemoryTraining | CouplingTraining], store: RunStore | None) -> float:
    """Multiplications per second of the runs in the store, as if each had gone to its budget."""
    if store is None or not done:
        return SPEED
    seconds, unrecorded = store.seconds(done)
    return sum(map(work, done)) / seconds if seconds > 1 and not unrecorded else SPEED


def write_plan(directory: Path, preset: Preset, plans: Iterable[Plan]) -> None:
    """``plan.json``: the addresses of all runs of a call, by experiment, from which its progress follows."""
    keys = {plan.name: sorted({content_key(job.as_json()) for job in plan.jobs}) for plan in plans}
    path = directory / "plan.json"
    before = read_plan(directory)["experiments"] if path.exists() else {}
    content = {"preset": preset.name, "experiments": {**before, **keys}}
    write_text(path, json_text(schema.sealed(content)))


def read_plan(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """What :func:`write_plan` wrote.

    Raises
    ------
    ValueError
        If there is none.
    StoreError
        If it is damaged; the message names it.
    """
    path = Path(directory) / "plan.json"
    require(path.is_file(), "folder", f"be one that `iclrace validate --out {directory}` works in", str(directory))
    return schema.read(path, schema.PLAN)


def progress(directory: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Of every experiment of a folder: its runs, those done, minutes spent, and minutes left at the same pace."""
    runs, rows = Path(directory) / "runs", []
    for name, keys in read_plan(directory)["experiments"].items():
        done = [key for key in keys if (runs / key / "metrics.nc").exists()]
        spent = sum(_seconds(runs / key / "cost.json") for key in done) / 60
        left = spent / len(done) * (len(keys) - len(done)) if spent else None  # none is done, or none has a record
        row = {"experiment": name, "runs": len(keys), "done": len(done), "missing": len(keys) - len(done)}
        rows.append({**row, "minutes spent": spent, "minutes left": left})
    return rows


def _seconds(path: Path) -> float:
    try:
        return schema.read(path, schema.COST)["seconds"]
    except schema.StoreError:
        return 0.0
