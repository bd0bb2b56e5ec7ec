"""A function T >= 0 of one normal variable, monotone or not: the probability that T <= t, from a table of T."""

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

#: Points of the first scan of a segment.
SCANNED = 100
#: A cell of the table is halved until its midpoint, read back from T by the table, is misplaced by less than this
#: probability, or T by less than this relative error; at most so many times.
MISPLACED, MISTAKEN, LEVELS = 5e-7, 2e-5, 8
#: Change of ln T, the error that a time may have, below which T does not count as having turned.
WAVERING = 2e-3
#: Ends of the segments on which T is 0 or infinite are found to this part of their spacing: 15 points a pass.
PASSES = 12


class Piece(NamedTuple):
    """An interval of z on which T is finite, positive and monotone, and z as a function of ln T there."""

    left: float
    right: float
    falls: bool
    inverse: "PchipInterpolator"
    first: float
    last: float

    def crossing(self, log_time: Array) -> Array:
        """The z at which T passes t; the piece's end where t lies outside its range."""
        z = np.clip(self.inverse(np.clip(log_time, self.first, self.last)), self.left, self.right)
        below, above = (self.right, self.left) if self.falls else (self.left, self.right)
        return np.where(log_time < self.first, below, np.where(log_time >= self.last, above, z))


class LevelSets(NamedTuple):
    """The line of z cut into the intervals on which T is 0 (``at_once``), infinite (``never``) or monotone."""

    at_once: list[tuple[float, float]]
    never: list[tuple[float, float]]
    pieces: list[Piece]

    @property
    def falls(self) -> bool:
        """Whether T falls throughout: never, then one falling piece, then at once, each of which may be missing."""
        pieces = sorted((piece.left, piece.right) for piece in self.pieces)
        if not all(piece.falls for piece in self.pieces) or len(self.at_once) > 1 or len(self.never) > 1:
            return False
        intervals = [*self.never, *pieces, *self.at_once]
        return all(before[1] <= after[0] for before, after in itertools.pairwise(intervals))

    def below(self, log_time: Array) -> Array:
        """P(T <= t)."""
        total = np.full(log_time.shape, _total(self.at_once))
        for piece in self.pieces:
            z = piece.crossing(log_time)
            total += mass(z, piece.right) if piece.falls else mass(piece.left, z)
        return total

    def above(self, log_time: Array) -> Array:
        """P(T > t), without the cancellation of 1 − P(T <= t)."""
        total = np.full(log_time.shape, _total(self.never))
        for piece in self.pieces:
            z = piece.crossing(log_time)
            total += mass(piece.left, z) if piece.falls else mass(z, piece.right)
        return total

    def density(self, log_time: Array) -> Array:
        """Density of the continuous part in ln t."""
        total = np.zeros(log_time.shape)
        for piece in self.pieces:
            inside = (log_time >= piece.first) & (log_time <= piece.last)
            at = np.clip(log_time, piece.first, piece.last)
            slope = np.abs(piece.inverse.derivative()(at))
            z = piece.inverse(at)
            total += np.where(inside, slope * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi), 0.0)
        return total

    def quantile(self, probability: Array) -> Array:
        """The least t with P(T <= t) >= probability, by bisection in ln t; ``inf`` where there is none."""
        ends = [(piece.first, piece.last) for piece in self.pieces]
        least, most = min((e[0] for e in ends), default=0.0), max((e[1] for e in ends), default=0.0)
        low, high = np.full(probability.shape, least), np.full(probability.shape, most)
        for _ in range(60):
            middle = 0.5 * (low + high)
            enough = self.below(middle) >= probability
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        at_once = _total(self.at_once)
        possible = 1.0 - _total(self.never)
        return np.where(probability <= at_once, 0.0, np.where(probability > possible, np.inf, np.exp(high)))


def mass(left: Array | float, right: Array | float) -> Array:
    """P(left < z < right) of a standard normal z, to the last digits in either tail."""
    left, right = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    lower = ndtr(right) - ndtr(left)
    return np.maximum(np.where(left > -right, ndtr(-left) - ndtr(-right), lower), 0.0)


def _total(intervals: list[tuple[float, float]]) -> float:
    return float(sum((float(mass(*ends)) for ends in intervals), start=0.0))


def level_sets(function: Function, low: float, high: float, breaks: list[float]) -> LevelSets:
    """Cut [low, high], whose ends stand for −∞ and ∞, where ``function`` becomes 0 or infinite, or turns.

    ``breaks`` are points at which it is known to change its kind; others are found if they are more than a hundredth of
    a segment apart.
    """
    edges = [low, *sorted(b for b in breaks if low < b < high), high]
    at_once: list[tuple[float, float]] = []
    never: list[tuple[float, float]] = []
    pieces: list[Piece] = []
    for left, right in itertools.pairwise(edges):
        z, times = _scan(function, left, right)
        ends, kinds = _segments(function, left, right, z, _kinds(times))
        for begin, end, kind in zip(ends, ends[1:], kinds, strict=False):
            # what lies beyond the table is of the kind that it ends with
            outer = (-np.inf if begin == low else begin, np.inf if end == high else end)
            if kind == 0:
                if len(kinds) > 1:  # crowd points towards the new ends
                    z, times = _scan(function, begin, end)
                pieces += _tabulate(function, z, _log(times), outer)
            else:
                (at_once if kind < 0 else never).append(outer)
    return LevelSets(_joined(at_once), _joined(never), pieces)


def _kinds(times: Array) -> NDArray[np.int64]:
    return np.where(times == 0.0, -1, np.where(np.isfinite(times), 0, 1))


def _scan(function: Function, left: float, right: float) -> tuple[Array, Array]:
    """T at points strictly inside, crowded towards both ends: T vanishes and diverges there like a power."""
    z = left + (right - left) * 0.5 * (1.0 - np.cos(np.pi * (np.arange(SCANNED) + 0.5) / SCANNED))
    return z, function(z)


def _segments(
    function: Function, left: float, right: float, z: Array, kinds: NDArray[np.int64]
) -> tuple[list[float], list[int]]:
    """Ends of the segments on which T is 0, finite or infinite, and which of them (−1, 0, 1)."""
    changes = np.flatnonzero(np.diff(kinds))
    before, after = z[changes], z[changes + 1]
    if changes.size:
        for _ in range(PASSES):
            inner = before[:, None] + (after - before)[:, None] * np.linspace(0.0, 1.0, 17)
            same = _kinds(function(inner[:, 1:-1].ravel())).reshape(-1, 15) == kinds[changes][:, None]
            last = np.cumprod(same, axis=1).sum(axis=1)
            rows = np.arange(changes.size)
            before, after = inner[rows, last], inner[rows, last + 1]
    return [left, *(0.5 * (before + after)).tolist(), right], [int(kinds[0]), *kinds[changes + 1].tolist()]


def _tabulate(function: Function, z: Array, log_time: Array, outer: tuple[float, float]) -> list[Piece]:
    """Monotone pieces of T on a segment on which it is finite and positive, from a scan of it."""
    fresh = np.ones(z.size - 1, dtype=bool)
    for _ in range(LEVELS):
        cells = np.flatnonzero(fresh)
        if cells.size == 0:
            break
        middle = 0.5 * (z[cells] + z[cells + 1])
        at_middle = _log(function(middle))
        bad = ~_resolved(z, log_time, cells, middle, at_middle)
        # of a cell that was wrong both halves are looked at again
        order = np.argsort(np.concatenate([z, middle]), kind="stable")
        open_cells = np.zeros(order.size, dtype=bool)
        inserted = np.argsort(order, kind="stable")[z.size :]
        open_cells[inserted[bad]] = open_cells[inserted[bad] - 1] = True
        z, log_time = np.concatenate([z, middle])[order], np.concatenate([log_time, at_middle])[order]
        fresh = open_cells[:-1]
    keep = np.isfinite(log_time)
    return _monotone(z[keep], log_time[keep], outer)


def _log(times: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(times)


def _resolved(
    z: Array, log_time: Array, cells: NDArray[np.int64], middle: Array, at_middle: Array
) -> NDArray[np.bool_]:
    """Whether midpoints are where the table says, in probability, or as late as it says."""
    from scipy.interpolate import PchipInterpolator  # imported late: it is slow to load and not always needed

    small = mass(z[cells], z[cells + 1]) <= MISPLACED
    interpolated = PchipInterpolator(z, log_time)(middle)
    slope = (log_time[cells + 1] - log_time[cells]) / (z[cells + 1] - z[cells])
    with np.errstate(divide="ignore", invalid="ignore"):
        misplaced = np.abs((at_middle - interpolated) / slope) * np.exp(-0.5 * middle**2) / np.sqrt(2.0 * np.pi)
    return small | (np.abs(at_middle - interpolated) <= MISTAKEN) | (misplaced <= MISPLACED)


def _monotone(z: Array, log_time: Array, outer: tuple[float, float]) -> list[Piece]:
    from scipy.interpolate import PchipInterpolator  # imported late: it is slow to load and not always needed

    turns = _turns(log_time)
    pieces = []
    for first, last in itertools.pairwise(turns):
        falls = bool(log_time[last] < log_time[first])
        left = outer[0] if first == 0 else float(z[first])
        right = outer[1] if last == z.size - 1 else float(z[last])
        order = slice(first, last + 1)
        x, y = (log_time[order][::-1], z[order][::-1]) if falls else (log_time[order], z[order])
        rising = np.concatenate([[True], x[1:] > np.maximum.accumulate(x)[:-1]])
        if np.count_nonzero(rising) < 2:  # one time for all: a step of its own
            x, y, rising = np.array([x[0], np.nextafter(x[0], np.inf)]), y[[0, -1]], np.array([True, True])
        pieces.append(Piece(left, right, falls, PchipInterpolator(x[rising], y[rising]), x[0], float(x[rising][-1])))
    return pieces


def _turns(log_time: Array) -> list[int]:
    """First and last index, and between them those at which ln T turns by more than :data:`WAVERING`."""
    turns, best = [0], 0
    direction = 0.0
    for i, value in enumerate(log_time.tolist()):
        ahead = value - float(log_time[best])
        if direction == 0.0:
            if abs(ahead) > WAVERING:
                direction, best = math.copysign(1.0, ahead), i
        elif direction * ahead > 0.0:
            best = i
        elif -direction * ahead > WAVERING:
            turns.append(best)
            direction, best = -direction, i
    return [*turns, log_time.size - 1]


def _joined(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for begin, end in intervals:
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined
