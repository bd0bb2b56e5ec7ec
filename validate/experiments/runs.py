"""Lists of runs over a grid of settings and seeds, and the part of a network that is measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from ..training.config import Run

#: The accuracy by which a part of a network counts as having acquired ICL.
ACCURACY = {"circuit": "circuit_accuracy", "whole": "icl_accuracy"}


def part_of(run: Run) -> str:
    """The part of a network that its theory speaks of: the minimal model's ICL circuit, the whole of any other."""
    return "circuit" if run.network == "minimal" else "whole"


def grid(run: Run, seeds: int, first_seed: int | None = None, **axes: Sequence[Any]) -> list[Run]:
    """``run`` at every combination of values of ``axes``, each with ``seeds`` seeds that count from ``first_seed``.

    The first axis varies slowest and seeds fastest; they count from the run's own seed if none is given.
    """
    first = run.seed if first_seed is None else first_seed
    points = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return [run.with_(**point, seed=first + s) for point in points for s in range(seeds)]
