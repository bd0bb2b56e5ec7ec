"""The branch of ICL under weight decay in closed form: mean label sum, one equation in β; its fold and its duration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.arguments import broadcast, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..memory.law import PowerLawMemory
from ..numerics.quadrature import legendre
from ..task import Task

Array = NDArray[np.float64]

#: Points of the scan in β that brackets the fold. A parabola through the best three leaves 1e-9 in φ_c.
POINTS = 2001
#: How far beyond ln((N − m)/m) the branch is followed: 1 − a = e^{−TOP} there.
TOP = 12.0
#: Least margin that counts: at −30 ICL would have to unlearn.
LEAST_MARGIN = -30.0
#: What of a task plays no part here.
IGNORED = ("task_diversity", "dimension", "label_std")


def branch_point(task: Task, beta: ArrayLike) -> tuple[Array, Array]:
    """w and a on the branch at β > 0: a = 1/(1 + ρ), w² (1 − a) = β, ρ = (N − m) e^{−β}/m.

    The two balances σ(−u) a = λ w and w σ(−u) a (1 − a) = λ β of the averaged field with its label sum at its mean, 0,
    divide to w²(1 − a) = β: where on the branch the network sits depends on λ and φ, the branch itself on neither.

    Parameters
    ----------
    task : Task
        i.i.d. labels, flat attention. D → ∞ is taken, and the target left out of the softmax.
    beta : array_like, > 0

    Returns
    -------
    w, a : arrays of the broadcast shape of the task and ``beta``

    Raises
    ------
    ValueError
        If β is not positive, or the task has balanced labels or rough attention.

    Source: docs/derivation.md, "branch".

    Examples
    --------
    >>> w, a = branch_point(Task(context_length=100), 3.4)   # the fold
    >>> round(float(w), 2), round(float(a), 2)
    (2.1, 0.23)
    """
    _require_plain(task)
    beta = real("beta", beta, minimum=0.0, exclusive=True)
    beta, others = broadcast(beta=beta, task=np.asarray((task.context_length - task.copies) / task.copies))
    with np.errstate(over="ignore"):
        a = 1.0 / (1.0 + others * np.exp(-beta))
        w = np.sqrt(beta * (1.0 + np.exp(beta) / others))  # 1/(1 − a) = 1 + 1/ρ
    return w, a


@by_name
def branch_margin(task: Task, decay: ArrayLike, beta: ArrayLike) -> Array:
    """φ = ln[a/(λ w) − 1] − w a: the margin at which the branch is at β. For φ ≫ 1 it is ln(1/λ) + ln(a/w) − w a.

    Parameters
    ----------
    task : Task
        As for :func:`branch_point`.
    decay : array_like, λ > 0
    beta : array_like, > 0

    Returns
    -------
    array of the broadcast shape; −inf where λ w >= a, which no residual balances

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "branch".

    Examples
    --------
    >>> float(branch_margin(Task(context_length=100), 1e-3, 3.4).round(2))
    4.21
    """
    w, a = branch_point(task, beta)
    decay, w, a = broadcast(decay=real("decay", decay, minimum=0.0, exclusive=True), w=w, a=a)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        left = a / (decay * w) - 1.0
        return np.where(left > 0.0, np.log(np.where(left > 0.0, left, 1.0)) - w * a, -np.inf)


@by_name
def fold_margin(task: Task, decay: ArrayLike) -> Array:
    """φ_c = max_β {ln[a/(λ w) − 1] − w a}: the margin at which ICL is lost, in closed form up to one maximisation.

    For small λ, φ_c − ln(1/λ) = max_ρ [ln(a/w) − w a], a function of N/m alone that falls like −ln ln N:
    −2.52, −2.69, −3.10, −3.59 at N = 50, 100, 1000, 1e5. Against :func:`iclrace.theory.fold`, which averages over the
    label sum, it is below by 0.013 at N = 50, 0.011 at 100, 0.002 at 1000 (λ = 1e-9 … 1e-3); by up to 0.05 for N >= 20.

    Parameters
    ----------
    task : Task
        As for :func:`branch_point`.
    decay : array_like, λ > 0

    Returns
    -------
    array of the broadcast shape of the task and ``decay``
        ``nan`` where the branch has no fold: N/m is so small, or λ so large, that ICL fades without one.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "fold".

    Examples
    --------
    >>> decay = np.array([1e-4, 1e-3])
    >>> (fold_margin(Task(context_length=100), decay) + np.log(decay)).round(3).tolist()
    [-2.694, -2.702]
    """
    return fold_point(task, decay)[1]


@elementwise(arrays=("decay",), smooth=("context_length", "decay"), ignored=IGNORED, costly=True)
def fold_point(task: Task, decay: ArrayLike) -> tuple[Array, Array]:
    """β_c and φ_c of :func:`fold_margin`."""
    decay = real("decay", decay, minimum=0.0, exclusive=True)
    _require_plain(task)
    beta = np.linspace(0.0, _top(task), POINTS)[1:]
    margin = branch_margin(task, decay[..., None], beta)
    inner = margin[..., 1:-1]
    # the stable branch comes in from β → ∞, where φ falls: its end is the last maximum
    peaks = (inner > margin[..., :-2]) & (inner >= margin[..., 2:]) & (inner > LEAST_MARGIN)
    exists = peaks.any(-1)
    best = margin.shape[-1] - 2 - np.argmax(peaks[..., ::-1], axis=-1)
    left, middle, right = (np.take_along_axis(margin, (best + i)[..., None], -1)[..., 0] for i in (-1, 0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(exists, 0.5 * (left - right) / (left - 2.0 * middle + right), 0.0)
        peak = middle - 0.25 * (left - right) * shift
    step = beta[1] - beta[0]
    return np.where(exists, beta[best] + shift * step, np.nan), np.where(exists, peak, np.nan)


def _beta_at(task: Task, decay: Array, margin: Array, end: Array) -> Array:
    """β of the stable branch at a margin below the fold, by bisection: φ falls from φ_c at β_c on."""
    low, high = np.broadcast_to(end, margin.shape), np.full(margin.shape, _top(task))
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = branch_margin(task, decay, middle) > margin
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(branch_margin(task, decay, np.full(margin.shape, _top(task))) > margin, np.nan, 0.5 * (low + high))


@by_name
@elementwise(arrays=("decay", "margin"), smooth=("context_length", "decay", "margin"), ignored=IGNORED, costly=True)
def loss_product(task: Task, decay: ArrayLike, margin: ArrayLike) -> Array:
    """L_ICL L_IWL = λ w/a on the branch at margin φ: the tie between the two losses after acquisition.

    For φ ≫ 1 the residual is e^{−φ} e^{−w a}, the product of the losses, and the balance σ(−u) a = λ w fixes it. As
    a → 1 and w → W(c3/λ) this is λ w_tr (:func:`tracking_weight`), a limit that is not near: at N = 100 and
    λ = 1e-4 … 1e-3, λ w_tr is 1.2 to 2.2 times too small for 1 < φ < φ_c − 0.7. Against the losses of the averaged
    field (with L_IWL = ln(1 + e^{−φ})) the law is 2 to 14 % too large there, and 28 % at φ = 0.5.

    Parameters
    ----------
    task : Task
        As for :func:`branch_point`.
    decay : array_like, λ > 0
    margin : array_like, φ >= −30

    Returns
    -------
    array of the broadcast shape; ``nan`` beyond the fold, where there is no ICL

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "losses"; paper, section 5.

    Examples
    --------
    >>> float((loss_product(Task(context_length=100), 1e-3, 2.7) / 1e-3).round(2))   # w/a
    5.92
    """
    decay, margin = broadcast(
        decay=real("decay", decay, minimum=0.0, exclusive=True), margin=real("margin", margin, minimum=LEAST_MARGIN)
    )
    ends, folds = fold_point(task, decay)
    inside = margin < folds  # false where there is no fold, too
    beta = _beta_at(task, decay, np.where(inside, margin, 0.0), np.where(inside, ends, 1.0))
    w, a = branch_point(task, np.where(inside, beta, 1.0))
    return np.where(inside, decay * w / a, np.nan)


def _top(task: Task) -> Array | float:
    return np.log((task.context_length - task.copies) / task.copies) + TOP


def _require_plain(task: Task) -> None:
    plain = task.labels == "iid" and not np.any(task.score_std)
    require(plain, "task", "have i.i.d. labels and flat attention here", task)


@by_name
@elementwise(
    arrays=("task_diversity", "decay", "acquired_margin"),
    smooth=("context_length", "task_diversity", "decay", "acquired_margin"),
    ignored=("dimension", "label_std"),
    costly=True,
)
def mean_transience_time(
    task: Task,
    memory: PowerLawMemory,
    decay: ArrayLike,
    acquired_margin: ArrayLike = 0.0,
    *,
    task_diversity: ArrayLike | None = None,
) -> Array:
    """t_loss = (1/λ) ∫ (a/w) dI from I_acq to I_c, along the branch in closed form: (I_c − I_acq)/(λ w̄).

    On the branch the residual is E[σ(−u)] = λ w/a, whatever φ, while the memory's own reading I_K(φ) grows by
    dI = E[σ(−u)] dt. So ICL lasts for as many units of 1/λ as the memory has clock left, over a mean weight w̄ ≈ 6 to 9,
    which grows like ln(1/λ). Within 2 % of :func:`iclrace.theory.transience_time` for N >= 50 and λ = 1e-8 … 1e-3.

    Parameters
    ----------
    task : Task
        As for :func:`branch_point`; its ``task_diversity`` is used unless the last argument is given.
    memory : PowerLawMemory
    decay : array_like, λ > 0
    acquired_margin : array_like, φ_acq >= 0
    task_diversity : array_like, K >= 1, optional

    Returns
    -------
    array of the broadcast shape
        Gradient-flow time; ``inf`` for K → ∞, 0 where the memory is past the fold, ``nan`` where there is none.

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "time of loss".

    Examples
    --------
    >>> memory, task = PowerLawMemory(amplitude=3.9, exponent=0.7), Task(context_length=100, task_diversity=8000)
    >>> decay = np.array([1e-4, 1e-8])
    >>> (float(memory.rate(8000)) * decay * mean_transience_time(task, memory, decay)).round(4).tolist()
    [0.1954, 0.1444]
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    _require_plain(task)
    given = task.task_diversity if task_diversity is None else task_diversity
    decay, margin, diversity = broadcast(
        decay=real("decay", decay, minimum=0.0, exclusive=True),
        acquired_margin=real("acquired_margin", acquired_margin, minimum=0.0, finite=False),
        task_diversity=real("task_diversity", given, minimum=1.0, finite=False),
    )
    task = task.at(task_diversity=math.inf)
    ends, folds = fold_point(task, decay)
    times = np.where(np.isnan(folds), np.nan, np.where(margin >= folds, 0.0, np.inf))
    lasts = (margin < folds) & np.isfinite(diversity)
    if lasts.any():
        times[lasts] = _durations(task, memory, decay[lasts], margin[lasts], diversity[lasts], ends[lasts])
    return times


def _durations(task: Task, memory: PowerLawMemory, decay: Array, start: Array, diversity: Array, end: Array) -> Array:
    """∫ dI a/(λ w) over the branch, in β: smooth at the fold, where dφ/dβ = 0. For flat arrays."""
    begin = _beta_at(task, decay, start, end)
    x, weights = legendre(120)
    half = 0.5 * (begin - end)
    beta = end[:, None] + half[:, None] * (x + 1.0)
    decay, diversity = decay[:, None], diversity[:, None]
    w, a = branch_point(task, beta)
    margin = branch_margin(task, decay, beta)
    # −dφ/dβ from φ = ln(a/λw − 1) − w a, with a′ = a(1 − a) and w′/w = (1/β + a)/2, as w² = β/(1 − a)
    growth = 0.5 * (1.0 / beta + a)
    ratio = a / (decay * w)
    falls = -(ratio * (1.0 - a - growth) / (ratio - 1.0) - w * a * (1.0 - a + growth))
    clock_rate = 1.0 / memory.field(margin, np.ones_like(margin), diversity)  # dI/dφ
    return half * ((clock_rate * falls * a / (w * decay)) @ weights)
