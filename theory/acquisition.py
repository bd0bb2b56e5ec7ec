"""Acquisition time for K → ∞, to 95 % ICL accuracy, by variation of constants about the exact early path."""

import math

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from ._arguments import broadcast, number, real, require
from ._labels import by_name
from .accuracy import ACQUIRED, acquired_beta
from .attention import BETA_MAX
from .balanced import balanced_acquisition_time
from .early import EarlyPath, beta_along, clock_along, reaching, weight_along
from .field import icl_field
from .labels import Average
from .task import Task

Array = NDArray[np.float64]

#: Chebyshev nodes along the path, and Hermite nodes of the label sum on it (w stays below 3 there). They leave 5e-9
#: relative, measured against 128 and 60; the passes below leave more.
PATH_NODES, LABEL_NODES = 28, 14
#: Passes of the successive approximation. One leaves 0.8 %, two 0.06 %, three 0.005 % (N = 50, β0 = 2, the worst case).
PASSES = 3
#: Initial weights beyond this are refused: w n/Z is then of order 1 from the start, and no early system describes it.
WEIGHT_MAX = 5.0
#: Where the path parameter is below this, β lies so deep in the drag-dominated branch (e^β < κ/4) that the early
#: system is exact to O(e^β/N) and its closed form is used as it is.
CUT = -4.0


@by_name
def early_drag(task: Task, c2: ArrayLike = 0.5) -> Array:
    """κ = s² c2/m, the drag of the early system for N → ∞ (0 for balanced labels, whose n does not fluctuate).

    Parameters
    ----------
    task : Task
    c2 : array_like in [0, 1]
        1/2 for K → ∞; it rises to 1 as the memory forms.

    Returns
    -------
    array shaped like ``c2``

    Raises
    ------
    ValueError
        If ``c2`` is out of range.

    Source: docs/derivation.md, "early system".

    Examples
    --------
    >>> float(early_drag(Task(context_length=100, copies=2)))
    0.25
    """
    fluctuation = 0.0 if task.labels == "balanced" else task.label_std**2 / task.copies
    return np.asarray(fluctuation * real("c2", c2, minimum=0.0, maximum=1.0))


@by_name
def acquisition_time(
    task: Task,
    beta0: ArrayLike,
    w0: ArrayLike = 0.0,
    *,
    accuracy: float = ACQUIRED,
    until_beta: float | None = None,
    average: Average = "gaussian",
) -> Array:
    """Gradient-flow time to 95 % ICL accuracy without memory (φ = 0): t_ICL → 2 N τ*/m for N → ∞.

    The early system is solved by Y = w − κ e^{−β} and a constant C (see :mod:`iclrace.theory.early`). Under the exact
    averaged field C drifts,

        dC/dY = e^{β − Y²/2} (dβ/dt − w dY/dt)/(dY/dt),     t = ∫ dY/(dY/dt),

    and a few successive approximations of this integral give the time to 0.1 % for N >= 50. With balanced labels w
    is a function of β alone and the time is a single integral.

    Parameters
    ----------
    task : Task
        All statistics count except ``task_diversity``. ``score_std`` > 0 has no closed form and is
        refused: integrate :func:`icl_field`.
    beta0, w0 : array_like
        Initial attention strength, |β0| <= 300, and readout weight, |w0| <= 5 (0.5 % for w0 ≠ 0, at worst 4 %: w0 = 5,
        β0 = −3).
    accuracy : float in (1/2, 1)
        Accuracy, on sequences of the task itself, that counts as acquired.
    until_beta : float, optional
        Attention strength, at most ln(N/m − 1), that counts as acquired, in place of ``accuracy``: a network trained on
        balanced contexts but tested on i.i.d. ones has to reach the latter's ``acquired_beta``.
    average : "gaussian" or "binomial"
        How the label sum is averaged.

    Returns
    -------
    array of the broadcast shape; ``inf`` where ICL is never acquired (balanced labels short of the saddle at β = 0)

    Raises
    ------
    ValueError
        If an argument is out of range, shapes do not broadcast, or the task has rough attention.

    Source: docs/derivation.md, "acquisition time"; paper, section 4.

    Examples
    --------
    >>> float(acquisition_time(Task(context_length=50, dimension=63), 0.0).round(1))
    141.8
    """
    require(task.score_std == 0.0, "task", "have score_std = 0 here", task.score_std)
    beta0, w0 = broadcast(
        beta0=real("beta0", beta0, minimum=-BETA_MAX, maximum=BETA_MAX),
        w0=real("w0", w0, minimum=-WEIGHT_MAX, maximum=WEIGHT_MAX),
    )
    shape = beta0.shape
    if until_beta is None:
        target = acquired_beta(task, accuracy)
    else:
        target = number("until_beta", until_beta, minimum=-BETA_MAX, maximum=BETA_MAX)
    _require_unsaturated(task, target, "accuracy" if until_beta is None else "until_beta")
    if task.labels == "balanced":
        return balanced_acquisition_time(task, beta0, w0, target)
    return _time_along_path(task, beta0.ravel(), w0.ravel(), max(target, -BETA_MAX), average).reshape(shape)


def _require_unsaturated(task: Task, target: float, argument: str) -> None:
    """Refuse a level of β whose copies hold most of the attention: from there on the early path is no guide.

    Up to m e^β = N − m the time is good to 2 %; an e-fold beyond, errors reach 10 %, and then anything. The 95 % level
    itself is always admitted: it lies there for N <= 3 or large s alone.
    """
    if task.labels == "balanced":
        return
    most = max(math.log((task.context_length - task.copies) / task.copies), acquired_beta(task))
    require(target <= most, argument, f"put the end at β <= {most:.4g}, where attention saturates", target)


def _time_along_path(task: Task, beta0: Array, w0: Array, target: float, average: Average) -> Array:
    """Time until β passes ``target`` with w > 0, for flat arrays of starts."""
    others, total = task.context_length - task.copies, task.context_length + task.target_in_softmax
    drag = 0.5 * task.label_std**2 * others / (task.copies * total)
    path = EarlyPath(beta0, w0, drag)
    first = np.maximum(path.start, min(CUT, 0.0))
    first = np.where(path.start > CUT, path.start, first)
    last = np.maximum(reaching(path, target), first)
    waited = 2.0 * total / task.copies * np.where(first > path.start, clock_along(path, first), 0.0)
    crosses = beta_along(last, path.constant, drag) >= target - 1e-9  # else w turns positive with β beyond the target
    points, integral = _integration(PATH_NODES)
    constant = np.broadcast_to(path.constant[:, None], (beta0.size, PATH_NODES))
    elapsed = np.zeros_like(beta0)
    for _ in range(PASSES + 1):
        half = 0.5 * (last - first)
        y = first[:, None] + half[:, None] * (points + 1.0)
        beta = beta_along(y, constant, drag)
        w = weight_along(y, beta, drag)
        dw, dbeta = icl_field(w, beta, task, average=average, nodes=LABEL_NODES)
        dy = dw + drag * np.exp(-beta) * dbeta
        elapsed = half * ((1.0 / dy) @ integral[-1])
        drift = np.exp(beta - 0.5 * y**2) * (dbeta / dy - w)
        drifted = path.constant[:, None] + half[:, None] * (drift @ integral.T)
        constant = drifted[:, :-1]
        # the path's end moves with its constant: one Newton step on β(Y) = target, where dβ/dY = w
        end = beta_along(last, drifted[:, -1], drag)
        step = np.clip((target - end) / np.maximum(weight_along(last, end, drag), 0.1), -0.5, 0.5)
        last = np.where(crosses & (last > first), np.maximum(last + step, first), last)
    return waited + elapsed


def _integration(nodes: int) -> tuple[Array, Array]:
    """Chebyshev points on (−1, 1) and the matrix that maps values there to integrals from −1 to each point and to 1."""
    points = -np.cos(math.pi * (np.arange(nodes) + 0.5) / nodes)
    interpolate = np.linalg.inv(chebyshev.chebvander(points, nodes - 1))
    primitives = np.stack([chebyshev.chebint(row, lbnd=-1) for row in np.eye(nodes)], axis=1)
    return points, chebyshev.chebvander(np.append(points, 1.0), nodes) @ primitives @ interpolate
