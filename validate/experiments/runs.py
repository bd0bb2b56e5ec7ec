"""Lists of runs that differ in seed and in one other thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..training.config import Run


def seeded(run: Run, seeds: int, task_diversity: Sequence[float] = ()) -> list[Run]:
    """``run`` with ``seeds`` consecutive seeds, at every K of ``task_diversity`` or at its own."""
    return varied(run, "task_diversity", task_diversity or (run.task.task_diversity,), seeds)


def varied(run: Run, axis: str, values: Sequence[Any], seeds: int, first_seed: int | None = None) -> list[Run]:
    """``run`` at every value of ``axis``, each with ``seeds`` consecutive seeds from ``first_seed`` or its own on."""
    first = run.seed if first_seed is None else first_seed
    return [run.with_(**{axis: value, "seed": first + s}) for value in values for s in range(seeds)]
