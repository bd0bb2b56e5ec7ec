"""K* where the items of K repeat in contexts, so that the clock at acquisition hangs on K itself."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .acquisition.finite import time_of_clock
from .acquisition.race import clock_at_acquisition
from .common.arguments import broadcast
from .common.elementwise import elementwise
from .memory.law import Memory, PowerLawMemory
from .memory.measured import MeasuredMemory
from .numerics.roots import roots
from .task import Task

Array = NDArray[np.float64]
#: K* of flat arrays of starts and budgets.
Without = Callable[[Task, Memory, Array, Array, Array], Array]

#: ln K up to which a K* is searched for, and the step by which it is then searched for downwards.
LOG_SPAN, LOG_STEP = 200.0, 0.25
#: ln K* is found to this; the clock at acquisition is integrated to 1e-6.
SHARP = 1e-10

_SMOOTH = ("context_length", "dimension", "label_std", "beta0", "w0", "budget")


@elementwise(arrays=(*_SMOOTH, "copies"), smooth=_SMOOTH, ignored=("task_diversity",), costly=True, first=1)
def repeated_values(
    task: Task, memory: Memory, beta0: ArrayLike, w0: ArrayLike, budget: ArrayLike, without: Without
) -> tuple[Array, Array]:
    """The largest K whose own I* the memory does not reach by the budget, and that I*; ``inf`` where there is none.

    It is looked for near what ``without`` repeats gives: short of the saddle they hold ICL back.
    """
    task = task.at(task_diversity=math.inf)
    columns = broadcast(
        beta0=np.asarray(beta0), w0=np.asarray(w0), budget=np.asarray(budget), task=np.empty(task.shape)
    )
    shape = columns[0].shape
    beta0, w0, budget, _ = (column.astype(np.float64).ravel() for column in columns)
    alone = without(task, memory, beta0, w0, budget)

    def clock(log_diversity: Array, point: NDArray[np.intp]) -> Array:
        diversity = np.exp(log_diversity)
        own = task.points(point).at(task_diversity=float(diversity[0]) if diversity.size == 1 else diversity)
        return np.asarray(clock_at_acquisition(own, beta0[point], w0[point], repeats=True))

    def missing(log_diversity: Array, point: NDArray[np.intp]) -> Array:
        return _missing(memory, clock(log_diversity, point), np.exp(log_diversity), budget[point])

    least, found = math.log(2.0), np.full(alone.shape, np.inf)
    high = np.maximum(np.log(np.maximum(np.where(np.isfinite(alone), alone, 2.0), 2.0)), least) + LOG_STEP
    points = waits = np.flatnonzero(np.isfinite(alone))
    while (waits := waits[missing(high[waits], waits) > 0.0]).size:
        high[waits] += 1.0
        waits = waits[high[waits] <= LOG_SPAN]
    points = walks = points[high[points] <= LOG_SPAN]
    low = high.copy()
    while (walks := walks[missing(low[walks], walks) <= 0.0]).size:
        found[walks[low[walks] <= least]] = 2.0  # every diversity that has both labels acquires
        walks = walks[low[walks] > least]
        high[walks], low[walks] = low[walks], np.maximum(low[walks] - LOG_STEP, least)
    between = points[found[points] > 2.0]
    found[between] = np.exp(roots(lambda x, at: missing(x, between[at]), low[between], high[between], SHARP))
    reading = np.full(found.shape, np.inf)
    reading[points] = clock(np.log(found[points]), points)
    return found.reshape(shape), reading.reshape(shape)


def _missing(memory: Memory, clock: Array, diversity: Array, budget: Array) -> Array:
    """How much the memory is short of a reading, or late for it, by a bounded measure; 2 where it never reaches it."""
    known, endless = np.isfinite(clock), np.isinf(budget)
    clock, ratio = np.where(known, clock, 1.0), np.ones(clock.shape)
    ratio[endless] = clock[endless] / memory.total_clock(diversity[endless])
    if not endless.all():
        assert isinstance(memory, PowerLawMemory | MeasuredMemory)
        ratio[~endless] = np.asarray(time_of_clock(memory, clock[~endless], diversity[~endless])) / budget[~endless]
    known &= np.isfinite(ratio)
    return np.where(known, np.arctan(np.log(np.maximum(np.where(known, ratio, 1.0), 1e-300))), 2.0)
