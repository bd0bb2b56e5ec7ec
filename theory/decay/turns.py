"""Where the curve of fixed points turns, and where it passes a margin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .curve import MARGINS, Curve, Tasks, curve_at, point_at

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Which fold: the least φ, and the largest one beyond it.
ACQUISITION, LOSS = 0, 1
#: Change of φ between neighbours on the curve that counts as one; rounding leaves 1e-13 of it.
ROUNDING = 1e-9
#: Passes of the zoom on a fold and the points of each. Between the last ones dφ/dβ is taken as linear, which leaves
#: 1e-8 in β, and in φ, an extremum, 1e-12.
ZOOMS, ZOOMED = 3, 17
#: Steps by which a margin is found between two points of the curve, Newton's within a bracket, and where they end.
STEPS, SETTLED = 100, 1e-12
#: Distance from the margin up to which it counts as passed there.
PASSED = 1e-6


def turns(curve: Curve) -> tuple[Indices, Indices]:
    """Index (point,) of the least φ and of the largest φ beyond it; 0 where φ(β) has no such extremum in range."""
    change = np.diff(curve.margin, axis=1)
    rises, falls = change > ROUNDING, change < -ROUNDING
    inside = (np.abs(curve.margin) < MARGINS[1] - 1.0) & (curve.margin > MARGINS[0] + 1.0)
    lowest = rises.argmax(axis=1)
    falls &= np.arange(change.shape[1]) >= lowest[:, None]
    rows = np.arange(lowest.size)
    highest = np.where(falls.any(axis=1), falls.argmax(axis=1), 0)
    known = rises.any(axis=1)
    return np.where(known & inside[rows, lowest], lowest, 0), np.where(known & inside[rows, highest], highest, 0)


def turned(tasks: Tasks, curve: Curve, index: Indices, which: int) -> Curve:
    """The curve at its extremum next to ``index`` (point,), one point each; NaN where rounding made it one."""
    sign = 1.0 if which == ACQUISITION else -1.0
    local = curve.at(index[:, None] + np.array([-1, 0, 1]))
    share = np.linspace(0.0, 1.0, ZOOMED)
    for _ in range(ZOOMS):
        beta = local.beta[:, :1] + (local.beta[:, -1:] - local.beta[:, :1]) * share
        fine = curve_at(tasks, beta, near(local, beta))
        best = np.clip(np.argmin(sign * fine.margin, axis=1), 1, ZOOMED - 2)
        local = fine.at(best[:, None] + np.array([-1, 0, 1]))
    # dφ/dβ changes its sign on one side of the best point
    slope, beta = sign * local.slope, local.beta
    after = slope[:, 1] < 0.0
    ends = [np.where(after, array[:, 1], array[:, 0]) for array in (beta, slope)]
    others = [np.where(after, array[:, 2], array[:, 1]) for array in (beta, slope)]
    with np.errstate(divide="ignore", invalid="ignore"):
        at = ends[0] - ends[1] * (others[0] - ends[0]) / (others[1] - ends[1])
    at = np.where((at >= ends[0]) & (at <= others[0]), at, beta[:, 1])[:, None]
    extremum = curve_at(tasks, at, near(local, at))
    # Newton that leaves the range: no extremum, but the rounding of a branch whose w vanishes
    inside = (extremum.margin > MARGINS[0]) & (extremum.margin < MARGINS[1])
    return Curve(*(np.where(inside, array, np.nan) for array in extremum))


def with_turns(tasks: Tasks, curve: Curve) -> Curve:
    """The curve with its extrema among its points, or its first point again where it has none."""
    columns = [curve]
    for which, index in enumerate(turns(curve)):
        turn = curve.at(np.zeros((index.size, 1), dtype=np.intp))
        known = np.flatnonzero(index)
        if known.size:
            extrema = turned(tasks.of(known), curve.rows(known), index[known], which)
            for array, own in zip(turn, extrema, strict=True):
                array[known] = np.where(np.isnan(extrema.beta), array[known], own)
        columns.append(turn)
    together = Curve(*(np.concatenate(parts, axis=1) for parts in zip(*columns, strict=True)))
    return together.at(np.argsort(together.beta, axis=1, kind="stable"))


def crossing(tasks: Tasks, left: Curve, right: Curve, margin: Array) -> Curve:
    """The curve where it passes ``margin`` (point, 1), between two points of it on either side of that."""
    low, high, rises = left.beta, right.beta, left.margin < margin
    beta, before = 0.5 * (low + high), np.full(left.beta.shape, np.inf)
    settled = np.zeros(left.beta.shape, dtype=bool)
    point = curve_at(tasks, beta)  # neighbours are no help where w or φ runs away
    for _ in range(STEPS):
        gap = np.abs(point.margin - margin)
        slow, before = gap > 0.5 * before, gap
        below = (point.margin < margin) == rises
        low, high = np.where(below, beta, low), np.where(below, high, beta)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = beta - (point.margin - margin) / point.slope
        settled = settled | (np.abs(newton - beta) <= SETTLED * beta) | (high - low <= SETTLED * beta)
        if settled.all():
            break
        inside = (newton > low) & (newton < high) & ~slow
        beta = np.where(settled, beta, np.where(inside, newton, 0.5 * (low + high)))
        point = curve_at(tasks, beta)
    # what leaves the range of margins at once passes none on the way, unless its β has two φ, of which one is not seen
    point = Curve(*(np.where(np.abs(point.margin - margin) < PASSED, array, np.nan) for array in point))
    for end in (left, right):
        lost = np.flatnonzero(np.isnan(point.margin[:, 0]))
        if lost.size:
            # beyond the end of the range φ may come back, up to a β greater than that of the end
            beyond = np.where(right.margin < MARGINS[0] + 1.0, 2.0 * right.beta - left.beta, right.beta)
            start, bounds = Curve(*(array[lost] for array in end)), (left.beta[lost], beyond[lost])
            found = point_at(tasks.of(lost), margin[lost], start, *bounds)
            for array, own in zip(point, found, strict=True):
                array[lost] = own
    return point


def near(curve: Curve, beta: Array) -> tuple[Array, Array]:
    """w and φ at β (point, any), linear between few points of the curve."""
    last = curve.beta.shape[1] - 2
    index = np.clip((beta[:, :, None] > curve.beta[:, None, 1:-1]).sum(axis=2), 0, last)
    first, second = curve.at(index), curve.at(index + 1)
    share = (beta - first.beta) / (second.beta - first.beta)
    return first.w + share * (second.w - first.w), first.margin + share * (second.margin - first.margin)
