"""Which of three phases a training run ends in under weight decay; acquisition while decay is at work."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accuracy import acquired_beta
from ..acquisition.integrated import Arrival, Equations, arrival
from ..acquisition.time import early_drag
from ..common.arguments import broadcast, number, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..contexts.attention import Attended, ContextNodes, attended_label, context_nodes, context_nodes_of
from ..field import force
from ..loss import curvatures
from ..memory.law import PowerLawMemory
from ..numerics.quadrature import legendre
from ..task import Task
from .transience import decays, diversity_of, lasting

Array = NDArray[np.float64]
Phase = Literal["no ICL", "transient", "lasting"]
PHASES: tuple[Phase, Phase, Phase] = ("no ICL", "transient", "lasting")
NO_ICL, TRANSIENT, LASTING = PHASES

#: With decay, acquisition is given up after this many 1/λ: (w, β) relax within one, and a passage past a fold is slower
#: by the square root of the distance to it.
RELAXED = 1e4
#: Time at which acquisition is given up without decay: e^φ time is gone by then for every margin that matters.
WITHOUT_DECAY = 1e30
#: Least β that counts as acquired. Balanced labels, whose level is 0 for D → ∞, would else acquire in rounding noise.
LEAST_LEVEL = 1e-6


@by_name
def phase(
    task: Task,
    memory: PowerLawMemory,
    decay: ArrayLike,
    budget: ArrayLike,
    beta0: ArrayLike = 0.0,
    w0: ArrayLike = 0.0,
    *,
    task_diversity: ArrayLike | None = None,
) -> NDArray[np.str_]:
    """Which of three phases training for a time T ends in: "no ICL", "transient" (acquired and lost) or "lasting".

    - no ICL: β does not reach 95 % accuracy by T;
    - transient: acquired, and t_acq + t_loss < T;
    - lasting: acquired, and not lost by T.

    Acquisition is integrated in (w, β, φ) with decay, as decay is not negligible then: it pulls a β0 < 0 up towards 0
    and so cuts the long tail (N = 100, β0 = −3, K → ∞: t_ICL = 21260, 5607, 1589, 965 at λ = 0, 1e-4, 1e-3, 3e-3).
    The passage through the fold at which ICL is lost, which delays, is taken as immediate. Items are not repeated.

    Parameters
    ----------
    task : Task
        Its ``task_diversity`` K is used unless the last argument is given.
    memory : PowerLawMemory
    decay : array_like, λ = 0 or in [1e−10, 1e100]
        Per unit of gradient-flow time.
    budget : array_like, T > 0
        Gradient-flow time; ``inf`` allowed.
    beta0, w0 : array_like
        Initial attention strength, |β0| <= 300, and readout weight, |w0| <= 5.
    task_diversity : array_like, K >= 1, optional

    Returns
    -------
    array of str, of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "transience" and "critical decay"; paper, section 5 and figure A6.

    Examples
    --------
    >>> memory, task = PowerLawMemory(amplitude=3.9, exponent=0.7), Task(context_length=100, task_diversity=1000)
    >>> phase(task, memory, [0.0, 1e-3, 3e-3], budget=1e5).tolist()
    ['lasting', 'transient', 'no ICL']
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    budget = real("budget", budget, minimum=0.0, finite=False)
    require(bool(np.all(budget > 0.0)), "budget", "be positive", float(budget.min()) if budget.size else budget)
    decay, beta0, w0, diversity, budget, _ = broadcast(
        decay=decays(decay),
        beta0=real("beta0", beta0, minimum=-300.0, maximum=300.0),
        w0=real("w0", w0, minimum=-5.0, maximum=5.0),
        task_diversity=diversity_of(task, task_diversity),
        budget=budget,
        task=np.empty(task.shape),
    )
    ends = _rough_ends if np.any(task.score_std) else _ends
    acquired, lost = ends(task, memory, decay, beta0, w0, diversity)
    # without a fold ICL is acquired only in passing
    ended = np.where(np.isnan(lost) | (lost < budget), TRANSIENT, LASTING)
    return np.where(np.isinf(acquired) | (acquired > budget), NO_ICL, ended)


def _both_ends(
    task: Task, memory: PowerLawMemory, decay: ArrayLike, beta0: ArrayLike, w0: ArrayLike, task_diversity: ArrayLike
) -> tuple[Array, Array]:
    """When ICL is acquired, and when it is lost: ``inf`` for never, NaN where it is lost without a fold."""
    *columns, _ = broadcast(
        decay=np.asarray(decay, dtype=np.float64),
        beta0=np.asarray(beta0, dtype=np.float64),
        w0=np.asarray(w0, dtype=np.float64),
        task_diversity=np.asarray(task_diversity, dtype=np.float64),
        task=np.empty(task.at(task_diversity=math.inf).shape),
    )
    shape = columns[0].shape
    decays_at, starts, weights, diversities = (column.ravel() for column in columns)
    task = task.at(task_diversity=math.inf)
    reached = acquired_with_decay(task, memory, decays_at, starts, weights, diversities)
    lost, there = reached.time.copy(), np.isfinite(reached.time)
    if there.any():
        margin = np.maximum(reached.state[2, there], 0.0)
        lost[there] += lasting(task.points(there), memory, decays_at[there], margin, diversities[there])
    return reached.time.reshape(shape), lost.reshape(shape)


_OWN = ("decay", "beta0", "w0", "task_diversity")
_SMOOTH = (*_OWN, "context_length", "dimension", "label_std")
_ends = elementwise(arrays=(*_SMOOTH, "copies"), smooth=_SMOOTH, costly=True, first=8)(_both_ends)
#: Each task has its own draws of rough scores.
_rough_ends = elementwise(arrays=(*_OWN, "dimension"), smooth=(*_OWN, "dimension"), costly=True, first=8)(_both_ends)


def acquired_with_decay(
    task: Task, memory: PowerLawMemory, decay: Array, beta0: Array, w0: Array, diversity: Array
) -> Arrival:
    """When, and in which states (w, β, φ), the coupled equations with decay reach 95 % accuracy; for flat arrays."""
    last = np.where(decay > 0.0, RELAXED / np.where(decay > 0.0, decay, 1.0), WITHOUT_DECAY)
    start, level = np.array([w0, beta0, np.zeros(w0.shape)]), np.maximum(acquired_beta(task), LEAST_LEVEL)
    one_label_sum = not task.at(dimension=math.inf).shape
    contexts = context_nodes(task.at(dimension=math.inf)) if one_label_sum else context_nodes_of(task)
    return arrival(_equations(task, memory, contexts, decay, diversity), start, level, last)


def _equations(task: Task, memory: PowerLawMemory, contexts: ContextNodes, decay: Array, diversity: Array) -> Equations:
    """(w, β, φ) under decay, at points of which each may have its own task; the Jacobian is the loss's Hessian."""
    along, rate, p, q = task.expanded(), memory.rate(diversity), memory.margin_scale, memory.growth_exponent

    def point(state: Array) -> tuple[Array, Attended, Array, Array]:
        return state[0][:, None], attended_label(state[1], along, contexts), state[2][:, None], contexts.weight

    def rates(state: Array) -> Array:
        dw, dbeta, residual = force(*point(state))
        growth = rate * (1.0 + np.maximum(state[2], 0.0) / p) ** q
        return np.array([dw - decay * state[0], dbeta - decay * state[1], growth * residual])

    def linearised(state: Array) -> tuple[Array, Array]:
        ww, wb, wf, bb, bf, ff = curvatures(*point(state))
        now, grown = rates(state), 1.0 + np.maximum(state[2], 0.0) / p
        growth = rate * grown**q
        faster = q / p / grown * now[2]
        rows = [[-ww - decay, -wb, -wf], [-wb, -bb - decay, -bf], [-growth * wf, -growth * bf, faster - growth * ff]]
        return now, np.array(rows)

    def select(points: NDArray[np.intp]) -> Equations:
        own = contexts if contexts.weight.ndim == 1 else ContextNodes(*(field[points] for field in contexts))
        return _equations(task.points(points), memory, own, decay[points], diversity[points])

    # what falls goes on falling: more w makes β grow faster and the other way round, and a growing margin slows both
    return Equations(rates, linearised, lambda _, now: (now[0] < 0.0) & (now[1] < 0.0), task.dimension, select)


@by_name
@elementwise(
    single=("decay", "beta0"),
    smooth=("context_length", "label_std", "decay", "beta0"),
    ignored=("task_diversity", "dimension"),
)
def tail_time(task: Task, decay: ArrayLike, beta0: ArrayLike) -> Any:
    """t_ICL ≈ (2N/m) ∫ dβ/[e^{2β}/(κ + λ′) − λ′β] from β0 to 95 % accuracy: the long tail, cut by decay. K → ∞.

    Deep in the drag branch w follows β, w = e^β/(κ + λ′), with λ′ = 2Nλ/m the decay per unit clock. Then β creeps at
    w e^β − λ′β: for β < 0 decay *pulls it up*, so that t_ICL grows only like ln|β0|/λ and not like e^{−2β0}. It is
    low by the time that w takes to follow: 2 to 9 % at λ = 1e-5 and 1e-4, 13 to 17 % at 1e-3 (N = 100, β0 = −5 … −3).

    Parameters
    ----------
    task : Task
        i.i.d. labels.
    decay : array_like, 0 <= λ < λ_c
        Weight decay of w and β, below :func:`critical_decay`.
    beta0 : array_like, |β0| <= 300
        The law is for β0 ≪ ln κ.

    Returns
    -------
    float, gradient-flow time, or array of the broadcast shape
        ``inf`` where the integrand has a zero on the way: a fixed point holds β back

    Raises
    ------
    ValueError
        If an argument is out of range, or labels are balanced or have no spread (there is no drag then).

    Source: docs/derivation.md, "tail under decay".

    Examples
    --------
    >>> [round(tail_time(Task(context_length=100), decay, -4.0)) for decay in (0.0, 1e-4)]
    [149048, 7861]
    """
    kappa = float(early_drag(task))
    require(kappa > 0.0, "task", "have i.i.d. labels with label_std > 0 here", task)
    start = number("beta0", beta0, minimum=-300.0, maximum=300.0)
    per_clock = 2.0 * task.context_length / task.copies * number("decay", decay, minimum=0.0)
    level = acquired_beta(task)
    if start >= level:
        return 0.0
    # smooth in β on the scale 1, and steep, like e^{−2β}, only towards β0
    edges = np.linspace(start, level, max(2, math.ceil(4.0 * (level - start))))
    x, weights = legendre(20)
    half = 0.5 * np.diff(edges)[:, None]
    beta = edges[:-1, None] + half * (x + 1.0)
    speed = np.exp(2.0 * beta) / (kappa + per_clock) - per_clock * beta
    if np.any(speed <= 0.0):
        return math.inf
    return float(2.0 * task.context_length / task.copies * np.sum(half * (1.0 / speed) @ weights))
