"""With what probability the race between the two circuits is won, over a Gaussian spread of initial attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from ..common.arguments import broadcast, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..contexts.attention import BETA_MAX
from ..memory.law import Memory
from ..numerics.level_sets import SCANNED, WAVERING
from ..numerics.roots import roots
from ..task import Task
from .distribution import MEAN_MAX, SPAN, acquisition_distribution
from .race import clock_at_acquisition
from .time import WEIGHT_MAX, acquisition_time

Array = NDArray[np.float64]
#: ln T of the points at these indices, each from its own β0.
LogTime = Callable[[NDArray[np.intp], Array], Array]

#: Starts at which a race with repeats is run to see where it is won: two a standard deviation.
REPEATS_SCANNED = 37
#: What a logarithm of times is cut to, so that one of 0 or infinity has a sign and no more.
FAR = 100.0
#: The β0 at which a race is just won are found to this.
SHARP = 1e-10


@by_name
def acquisition_probability(
    task: Task,
    memory: Memory,
    beta0_mean: ArrayLike,
    beta0_std: ArrayLike,
    *,
    task_diversity: ArrayLike | None = None,
    w0: ArrayLike = 0.0,
    repeats: bool = False,
) -> Array:
    """P(acquire | K) = P(I* < I_K(∞)) over β0 ~ N(mean, std²), after an infinite time: a probit in ln K near K*.

    Where I* falls with β0, P = Φ((mean − β_c)/std) with β_c(K) the β0 that has I*(β_c) = I_K(∞). The width is σ_β/ν
    for β0 ≫ ln κ and 2σ_β/ν in the drag branch; with balanced labels P saturates at P(β0 > 0). At D of order 1, or for
    w0 < 0, I* need not fall: P is that of all β0 that acquire in time (:func:`acquisition_distribution`, which states
    the error, 1e-5 beside that of the times; where I* falls it is 1e-6).

    Parameters
    ----------
    task : Task
        Its ``task_diversity`` is used unless the next argument is given.
    memory : a memory law
    beta0_mean, beta0_std : array_like, std > 0
    task_diversity : array_like, K >= 1, optional
    w0 : array_like
    repeats : bool
        Whether items are repeated within contexts (:func:`clock_at_acquisition`); β_c then never lies below the saddle.
        Every β_c is found, unless two lie within half a std.

    Returns
    -------
    array of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "bimodality"; paper, section 4.

    Examples
    --------
    >>> task, memory = Task(context_length=100), PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> acquisition_probability(task, memory, 0.0, 1.0, task_diversity=[10, 160, 10_000]).round(2).tolist()
    [0.03, 0.49, 0.99]
    """
    require(isinstance(memory, Memory), "memory", "be a memory law", memory)
    require(not np.any(task.score_std), "task", "have score_std = 0 here", task.score_std)
    diversity = task.task_diversity if task_diversity is None else task_diversity
    mean, std, start, diversity, _ = broadcast(
        beta0_mean=real("beta0_mean", beta0_mean, minimum=-MEAN_MAX, maximum=MEAN_MAX),
        beta0_std=real("beta0_std", beta0_std, minimum=0.0, maximum=math.inf, exclusive=True),
        w0=real("w0", w0, minimum=-WEIGHT_MAX, maximum=WEIGHT_MAX),
        task_diversity=real("task_diversity", diversity, minimum=1.0, finite=False),
        task=np.empty(task.shape),
    )
    most = (BETA_MAX - np.abs(mean)) / SPAN
    wide = std > most  # the acquisition time has to admit all β0 within SPAN standard deviations
    if wide.any():
        require(False, "beta0_std", f"be at most {most[wide].flat[0]:.4g} for this mean", float(std[wide].flat[0]))
    time = 2.0 * np.asarray(memory.total_clock(diversity))
    single = task.at(task_diversity=math.inf)
    if not repeats or np.all(np.isinf(diversity)):
        return np.asarray(_probability(single, mean, std, start, time))
    return np.asarray(_repeated_probability(single, mean, std, start, time, diversity))


_SMOOTH = ("context_length", "dimension", "label_std", "mean", "std", "w0", "time")


@elementwise(arrays=(*_SMOOTH, "copies"), smooth=_SMOOTH, ignored=("task_diversity",), costly=True, first=2)
def _probability(task: Task, mean: ArrayLike, std: ArrayLike, w0: ArrayLike, time: ArrayLike) -> Array:
    """P(T(β0) <= time) without repeats: the root where T falls, else from the table of its law."""
    mean, std, w0, time = (np.asarray(value, dtype=np.float64) for value in (mean, std, w0, time))
    columns = broadcast(mean=mean, std=std, w0=w0, time=time, task=np.empty(task.shape))
    shape = columns[0].shape
    mean, std, w0, time, _ = (column.ravel() for column in columns)

    def log_time(points: NDArray[np.intp], beta0: Array) -> Array:
        return _log(acquisition_time(task.points(points), beta0, w0[points]))

    starts = _starts(mean, std, -np.cos(np.pi * (np.arange(SCANNED) + 0.5) / SCANNED), not task.shape and _same(w0))
    scanned = _scanned(log_time, starts)
    falls = np.all(scanned[:, 1:] <= np.minimum.accumulate(scanned, axis=1)[:, :-1] + WAVERING, axis=1)
    falls = np.broadcast_to(falls, mean.shape)
    found = _won(log_time, starts, scanned, mean, std, np.where(falls, _log(time), -np.inf))
    turning = np.flatnonzero(~falls)
    numbers = [np.broadcast_to(np.asarray(value, dtype=np.float64), mean.shape) for value in task.numbers()]
    laws = np.stack([mean, std, w0, *numbers])[:, turning]
    _, first, kind = np.unique(laws, axis=1, return_index=True, return_inverse=True)
    for j, i in enumerate(turning[first]):  # one table for all times
        law = _law(task.points(i), float(mean[i]), float(std[i]), float(w0[i]))
        own = turning[kind.ravel() == j]
        found[own] = law.cdf(time[own])
    return found.reshape(shape)


_law = lru_cache(maxsize=16)(acquisition_distribution)
_REPEATED = (*_SMOOTH, "diversity")


@elementwise(arrays=(*_REPEATED, "copies"), smooth=_REPEATED, ignored=("task_diversity",), costly=True, first=2)
def _repeated_probability(
    task: Task, mean: ArrayLike, std: ArrayLike, w0: ArrayLike, time: ArrayLike, diversity: ArrayLike
) -> Array:
    """P(I* <= I_K(∞)) with repeats: the probability between the starts whose clock at acquisition is I_K(∞)."""
    mean, std, w0, time, k = (np.asarray(value, dtype=np.float64) for value in (mean, std, w0, time, diversity))
    columns = broadcast(mean=mean, std=std, w0=w0, time=time, diversity=k, task=np.empty(task.shape))
    shape = columns[0].shape
    mean, std, w0, time, k, _ = (column.ravel() for column in columns)

    def log_time(points: NDArray[np.intp], beta0: Array) -> Array:
        single = task.points(points).at(task_diversity=k[points])
        return _log(2.0 * clock_at_acquisition(single, beta0, w0[points], repeats=True))

    one = not task.at(task_diversity=math.inf).shape and _same(w0) and _same(k)
    starts = _starts(mean, std, np.linspace(-1.0, 1.0, REPEATS_SCANNED), one)
    return _won(log_time, starts, _scanned(log_time, starts), mean, std, _log(time)).reshape(shape)


def _same(column: Array) -> bool:
    return bool(np.all(column == column[0]))


def _starts(mean: Array, std: Array, spread: Array, shared: bool) -> Array:
    """β0 (point, start) within SPAN standard deviations, ``spread`` over (−1, 1); one row for all where T is one."""
    if shared:  # as close together as where the spread is least
        low, high = np.min(mean - SPAN * std), np.max(mean + SPAN * std)
        count = math.ceil(min((high - low) / (2.0 * SPAN * np.min(std)), 50.0) * spread.size)
        if mean.size > 1:
            return np.clip(np.linspace(low, high, count), -BETA_MAX, BETA_MAX)[None, :]
    return np.clip(mean[:, None] + SPAN * std[:, None] * spread, -BETA_MAX, BETA_MAX)


def _scanned(log_time: LogTime, starts: Array) -> Array:
    """ln T (point, start)."""
    return log_time(np.repeat(np.arange(len(starts)), starts.shape[1]), starts.ravel()).reshape(starts.shape)


def _won(log_time: LogTime, starts: Array, scanned: Array, mean: Array, std: Array, level: Array) -> Array:
    """Probability of the β0 with ln T <= level, whose ends lie between those of the scan that differ in that."""
    early = (scanned <= level[:, None]) & (scanned < np.inf)
    rows, cells = np.nonzero(early[:, 1:] != early[:, :-1])
    low, high = (np.broadcast_to(starts, early.shape)[rows, cells + i] for i in (0, 1))

    def excess(beta0: Array, at: NDArray[np.intp]) -> Array:
        time = log_time(rows[at], beta0)
        with np.errstate(invalid="ignore"):
            return np.where(time == np.inf, FAR, np.clip(time - level[rows[at]], -FAR, FAR))

    ends = (roots(excess, low, high, SHARP) - mean[rows]) / std[rows]
    later = np.where(early[rows, cells], -1.0, 1.0) * ndtr(-ends)  # what begins to acquire at an end, or ceases to
    return early[:, 0].astype(np.float64) + np.bincount(rows, later, minlength=level.size)


def _log(time: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(time, 0.0))
