"""K* of a network of the user's own, predicted from what it does without a context and without repetition."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ...theory.common.arguments import integer, require
from ..experiments import ClockOf, EndlessClock, Scan, ThresholdScan
from ..networks.foreign import Factory
from ..training.config import Run
from .base import TRANSFORMER, Preset

#: The scan of K: multiples of N from the first to the last, in steps of the factor.
_FIRST, _LAST, _FACTOR = 4, 150, 1.5
#: Training lasts this many times N by default.
_BUDGET = 8.0
_BAR = 1.25


def mine(
    network: str | Factory,
    context_length: int = 15,
    dimension: int = 15,
    *,
    task_diversity: Sequence[float] | None = None,
    budget: float | None = None,
    seeds: int = 4,
    **settings: Any,
) -> Preset:
    """The threshold K* of a network of one's own: predicted, then measured.

        I* = t_ICL(K → ∞)/2,    I_K(T) = I* at K = K*,    I_K = ∫⟨σ(−φ)⟩dt of networks with scrambled context labels

    Both clocks are measured on networks of other seeds than those whose K* they predict. Nothing is fitted, and nothing
    about the architecture is assumed but that its memory and its ICL circuit do not help each other.

    Parameters
    ----------
    network : factory, "package.module:factory", or a name given to :func:`~iclrace.validate.register_network`
    context_length, dimension : int
        N and D.
    task_diversity : sequence of even int, optional
        The scan of K, three or more; from 4N to 150N in steps of 1.5 by default. Scrambled networks are trained at its
        ends and at every third of it.
    budget : float, optional
        The time T at which training ends, 8N by default. If no network acquires ICL by then at K → ∞, no K* is
        predicted.
    seeds : int >= 2
        Networks at each K; as many at K → ∞, and half as many, at least two, with scrambled labels.
    settings
        Other fields of :class:`~iclrace.validate.Run` (``width``, ``learning_rate``, ``batch_size``, ``items``, …).

    Raises
    ------
    ValueError
        For a network that is not known or a setting out of its range.

    Examples
    --------
    >>> preset = mine("iclrace.validate.examples:two_heads", 15, 15)
    >>> [one.name for one in preset.experiments]
    ['own_threshold']
    """
    integer("context_length", context_length, minimum=2)
    integer("seeds", seeds, minimum=2)
    budget = _BUDGET * context_length if budget is None else budget
    own = {"width": 64, "learning_rate": 0.1, "batch_size": 64, "test_size": 1000, "seed": 100, **settings}
    unknown = [name for name in own if name not in Run.__dataclass_fields__]
    require(not unknown, "settings", "be fields of a Run", unknown)
    run = TRANSFORMER.with_(
        network=network, context_length=context_length, dimension=dimension, task_diversity=2 * context_length,
        budget=budget, evaluate_every=own.pop("evaluate_every", budget / 50), stop_acquired=True, stop_memorised=0.01,
        **own,
    )  # fmt: skip
    scan = sorted(set(task_diversity)) if task_diversity is not None else _scan(context_length)
    require(len(scan) >= 3, "task_diversity", "hold three or more values", scan)
    experiment = threshold_of(run, scan, seeds)
    description = f"K* of {run.network} at N = {context_length}, D = {dimension}"
    return Preset("mine", description, (experiment,))


def threshold_of(run: Run, task_diversity: Sequence[float], seeds: int) -> ThresholdScan:
    """K* of a network from its scrambled and its endless runs, with the package's bars."""
    scrambled = sorted({*task_diversity[::3], task_diversity[-1]})
    clock = EndlessClock(seeds)
    memory = ClockOf("scrambled", clock, max(2, seeds // 2), noun="networks")
    return ThresholdScan(
        {"networks": Scan(run, task_diversity, seeds, scrambled=scrambled)},
        (clock, memory),
        bar=_BAR,
        clock_bar=_BAR,
        name="own_threshold",
    )


def _scan(context_length: int) -> list[float]:
    multiples = itertools.takewhile(lambda x: x <= _LAST, (_FIRST * _FACTOR**i for i in itertools.count()))
    return [float(2 * round(context_length * x / 2)) for x in multiples]
