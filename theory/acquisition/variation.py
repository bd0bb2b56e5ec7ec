"""The acquisition time by variation of constants about the exact early path, and where that is shown to hold."""

import math
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from ..contexts.labels import Average
from ..task import Task
from .early import EarlyPath, beta_along, clock_along, reaching, weight_along
from .planar import planar_rates

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Chebyshev nodes along the path, and Hermite nodes of the label sum on it (w stays below 3 there). They leave 5e-9
#: relative, measured against 128 and 60; the passes below leave more.
PATH_NODES, LABEL_NODES = 28, 14
#: Passes of the successive approximation, and the relative change in the last one up to which the time is trusted.
PASSES, CHANGE = 3, 5e-4
#: Where the path parameter is below this, β lies so deep in the drag-dominated branch (e^β < κ/4) that the early
#: system is exact to O(e^β/N) and its closed form is used as it is.
CUT, LEFT_OUT = -4.0, 1e-3


def time_along_path(task: Task, beta0: Array, w0: Array, target: Array | float, average: Average) -> tuple[Array, Mask]:
    """Time until β passes ``target`` with w > 0, for flat arrays of starts (and tasks), and where it is trusted.

    Trusted is a time whose path parameter rises all the way, whose last pass changed it by less than :data:`CHANGE`,
    whose integrand the nodes resolve that well, and whose part below the cut, if there is one, is early throughout.
    """
    others, total = task.context_length - task.copies, task.context_length + task.target_in_softmax
    drag = 0.5 * task.label_std**2 * others / (task.copies * total)
    path = EarlyPath(beta0, w0, drag)
    first = np.maximum(path.start, min(CUT, 0.0))
    first = np.where(path.start > CUT, path.start, first)
    last = np.maximum(reaching(path, target), first)
    waited = 2.0 * total / task.copies * np.where(first > path.start, clock_along(path, first), 0.0)
    # else w turns positive with β beyond the target, or the bisection has not found the end
    crosses = np.abs(beta_along(last, path.constant, drag) - target) < 1e-9
    points, integral, coefficients = _integration(PATH_NODES)
    constant = np.broadcast_to(path.constant[:, None], (beta0.size, PATH_NODES))
    task_along, drag_along = task.expanded(), np.expand_dims(drag, -1)  # (point, node)
    pace, change = np.zeros_like(constant), np.zeros_like(beta0)
    trusted = crosses & (last > first) & ((first == path.start) | _early(task, beta0, w0, drag))
    with np.errstate(all="ignore"):  # a path that cannot be trusted may be anything
        for _ in range(PASSES + 1):
            half = 0.5 * (last - first)
            y = first[:, None] + half[:, None] * (points + 1.0)
            beta = beta_along(np.nan_to_num(y), constant, drag_along)
            w = weight_along(y, beta, drag_along)
            dw, dbeta = planar_rates(w, beta, task_along, average, LABEL_NODES)
            dy = dw + drag_along * np.exp(-beta) * dbeta
            trusted &= (dy > 0.0).all(axis=1)
            before, pace = pace, half[:, None] / dy
            change = np.abs(pace - before) @ integral[-1]  # pointwise: a time may be right by accident
            drift = np.exp(beta - 0.5 * y**2) * (dbeta / dy - w)
            drifted = path.constant[:, None] + half[:, None] * (drift @ integral.T)
            constant = drifted[:, :-1]
            # the path's end moves with its constant: one Newton step on β(Y) = target, where dβ/dY = w
            end = beta_along(np.nan_to_num(last), drifted[:, -1], drag)
            step = np.clip((target - end) / np.maximum(weight_along(last, end, drag), 0.1), -0.5, 0.5)
            last = np.where(crosses & (last > first), np.maximum(last + step, first), last)
        time = waited + pace @ integral[-1]
        spectrum = np.abs(pace @ coefficients.T)
        trusted &= (change < CHANGE * time) & (spectrum[:, -3:].max(axis=1) <= CHANGE * spectrum[:, 0])
    return time, trusted


def _early(task: Task, beta0: Array, w0: Array, drag: Array | float) -> Mask:
    """Whether what the early system leaves out below the cut, all of it at β0, at w0 or at the cut, is below
    :data:`LEFT_OUT`: overlaps, saturation by w and by e^β, and Z = N − m + m e^β where N stands for it, which counts in
    the lag of w behind β, (e^β/κ)² of the time and so 1/:data:`CUT`² at the cut."""
    overlap = (np.abs(beta0) + 1.0) ** 2 / task.dimension
    saturation = w0**2 * task.label_std**2 / (task.context_length - task.copies)
    # a start with w0 < 0 may lie below the cut at any β0
    share = np.exp(np.minimum(beta0, 700.0)) * task.copies / task.context_length
    lag = 2.0 * task.copies / (task.context_length * CUT**2)
    deep = (lag <= LEFT_OUT) & (0.25 * drag * task.copies <= LEFT_OUT * task.context_length)
    return deep & (overlap <= LEFT_OUT) & (saturation <= LEFT_OUT) & (share <= LEFT_OUT)


@lru_cache(maxsize=1)
def _integration(nodes: int) -> tuple[Array, Array, Array]:
    """Chebyshev points on (−1, 1), and matrices from values there to integrals from −1 to each point and to 1, and to
    coefficients."""
    points = -np.cos(math.pi * (np.arange(nodes) + 0.5) / nodes)
    interpolate = np.linalg.inv(chebyshev.chebvander(points, nodes - 1))
    primitives = np.stack([chebyshev.chebint(row, lbnd=-1) for row in np.eye(nodes)], axis=1)
    integral = chebyshev.chebvander(np.append(points, 1.0), nodes) @ primitives @ interpolate
    return points, np.asarray(integral, dtype=np.float64), np.asarray(interpolate, dtype=np.float64)
