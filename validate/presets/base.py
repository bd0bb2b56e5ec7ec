"""What a preset is, and the runs that several of them start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, runtime_checkable

from ...theory import Task
from ...theory.common.arguments import choice, require
from ..protocol import Experiment
from ..sequential import Looks
from ..training.config import Run
from ..training.coupling import CouplingTraining
from ..training.memory import MemoryTraining

# Calibration runs share no seed with the networks they predict.
CALIBRATION_SEED = 1000


@runtime_checkable
class Scanned(Protocol):
    """An experiment that scans K."""

    def with_scan(self, task_diversity: Sequence[float]) -> Self: ...


@dataclass(frozen=True)
class Preset:
    """A named list of experiments, their bars included.

    ``note`` names what was chosen after results had been seen; ``looks`` is when verdicts are sought, at once by
    default.
    """

    name: str
    description: str
    experiments: Sequence[Experiment]
    note: str = ""
    looks: Looks = field(default_factory=Looks)

    def __post_init__(self) -> None:
        names = [experiment.name for experiment in self.experiments]
        require(len(set(names)) == len(names), "experiments", "have different names", names)

    def with_scan(self, task_diversity: Sequence[float]) -> Preset:
        """The same preset with other K in every scan; ``ValueError`` if none of its experiments scans K."""
        names = ", ".join(part.name for part in self.experiments)
        scans: list[Any] = [
            part.with_scan(task_diversity) if isinstance(part, Scanned) else part for part in self.experiments
        ]
        scanned = any(isinstance(part, Scanned) for part in self.experiments)
        require(
            scanned, "task_diversity", f"be left out: no experiment of {self.name} scans K ({names})", task_diversity
        )
        return replace(self, experiments=scans)

    def only(self, names: Sequence[str]) -> Preset:
        """The same preset with the named experiments alone."""
        known = {experiment.name: experiment for experiment in self.experiments}
        for name in names:
            choice("experiment", name, known)
        return replace(self, experiments=[known[name] for name in dict.fromkeys(names)])


def memories(
    task_diversity: Mapping[int, int], first_seed: int = CALIBRATION_SEED, **settings: Any
) -> list[MemoryTraining]:
    """Perceptrons to be trained alone: for each K the given number of seeds."""
    return [MemoryTraining(k, first_seed + s, **settings) for k, seeds in task_diversity.items() for s in range(seeds)]


def couplings(
    task_diversity: Sequence[int], seeds: int, first_seed: int = CALIBRATION_SEED, **settings: Any
) -> list[CouplingTraining]:
    """Perceptrons to be trained alone, their coupling to attention recorded: so many seeds at each K."""
    return [CouplingTraining(k, first_seed + s, **settings) for k in task_diversity for s in range(seeds)]


#: A transformer that trains in a second, for ``smoke``, and its perceptrons alone.
TOY: dict[str, Any] = {
    "learning_rate": 0.1, "context_length": 7, "dimension": 15, "width": 32, "batch_size": 32, "budget": 40.0,
    "test_size": 200, "evaluate_every": 10.0,
}  # fmt: skip
TOY_ALONE: dict[str, Any] = {"dimension": 15, "width": 32, "learning_rate": 0.1}

MINIMAL = Run(
    "minimal",
    Task(context_length=50, dimension=63),
    seed=0,
    width=512,
    learning_rate=0.3,
    batch_size=128,
    budget=400.0,
    evaluate_every=3.0,
    test_size=1000,
    stop_acquired=True,
    stop_memorised=0.01,
)
TRANSFORMER = Run(
    "transformer",
    Task.from_len_context(16, dimension=31),
    seed=0,
    width=128,
    # t_ICL is within 2 % of that at half this rate: python -m benchmarks.learning_rate
    learning_rate=0.025,
    batch_size=128,
    budget=250.0,
    evaluate_every=2.5,
    test_size=1000,
)
