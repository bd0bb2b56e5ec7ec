"""Skewed item frequencies p_k ∝ k^{−α}: what they change in the memory's clock and in the contexts."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlog1py, xlogy

from ..accuracy import acquired_beta
from ..acquisition.integrated import arrival, clock_equations
from ..acquisition.race import GIVEN_UP
from ..acquisition.time import WEIGHT_MAX
from ..common.arguments import broadcast, integer, number, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..contexts.attention import BETA_MAX, ContextNodes
from ..task import Task
from .law import PowerLawMemory

Array = NDArray[np.float64]

#: Items that are averaged over one by one, as targets; the rest, in pairs of opposite labels, in this many groups.
ITEMS, GROUPS = 40, 30
#: Hermite nodes of the label sum, and copies' probability left out, where every group of targets has its own.
LABEL_NODES, LEFT_OUT = 14, 1e-8
#: Margins of the table that inverts time along one item's path; its interpolation error is below 1e-8.
POINTS = 1500


def item_frequencies(task_diversity: int, skew: float) -> Array:
    """p_k = k^{−α}/Σ k^{−α}, k = 1 … K.

    Parameters
    ----------
    task_diversity : int, K >= 1
    skew : float, α >= 0
        0 for equal frequencies.

    Returns
    -------
    array (K,), descending, of sum 1

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "repeated items and skewed frequencies"; the paper's appendix on data statistics.

    Examples
    --------
    >>> item_frequencies(4, 1.0).round(2).tolist()
    [0.48, 0.24, 0.16, 0.12]
    """
    task_diversity = integer("task_diversity", task_diversity, minimum=1)
    skew = number("skew", skew, minimum=0.0)
    weight = np.arange(1, task_diversity + 1, dtype=np.float64) ** -skew
    return weight / weight.sum()


@by_name
@elementwise(single=("task_diversity", "skew"), arrays=("time",), smooth=("skew", "time"), costly=True)
def skewed_clock(memory: PowerLawMemory, task_diversity: ArrayLike, skew: ArrayLike, time: ArrayLike) -> Array:
    """I_K(t) of the memory alone when item k, seen with frequency p_k, is memorised at the rate K p_k r_K.

        dφ_k/dt = K p_k r_K (1 + φ_k/p)^q σ(−φ_k),    I_K(t) = ∫ Σ_k p_k σ(−φ_k) dt
        I_K(t)/I_K(∞) = (1/K) Σ_k [1 − (1 + φ_k/p)^{1−q}]

    Item k gives the clock p_k ∫σ(−φ_k) dt = I_K(∞)/K in all, whatever its frequency: if items are memorised
    independently, skew leaves I_K(∞) as it is and only spreads the clock out in time. K* still moves: less of the clock
    is there at a budget (93 in place of 124 at t = 1e3, K = 500, α = 1), and contexts hold more copies and lean to one
    label, which changes I* (:func:`skewed_clock_at_acquisition`). A measured clock under skewed frequencies that
    differs in I_K(∞) shows items sharing what they learn.

    Parameters
    ----------
    memory : PowerLawMemory
    task_diversity : array_like of integers, K >= 1
    skew : array_like, α >= 0
    time : array_like, >= 0
        Gradient-flow time.

    Returns
    -------
    array of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "repeated items and skewed frequencies".

    Examples
    --------
    >>> memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> even, skewed = (float(skewed_clock(memory, 500, skew, 1e3)) for skew in (0.0, 1.0))
    >>> skewed < even < float(memory.total_clock(500))
    True
    """
    time = real("time", time, minimum=0.0)
    whole = isinstance(task_diversity, float) and task_diversity.is_integer()  # as numbers of an array are
    diversity = integer("task_diversity", int(task_diversity) if whole else task_diversity, minimum=1)  # pyright: ignore[reportArgumentType]
    share = item_frequencies(diversity, number("skew", skew, minimum=0.0)) * diversity
    first, path = _path_of_an_item(memory)
    with np.errstate(divide="ignore", over="ignore"):
        scaled = time[..., None] * share * float(memory.rate(diversity))
        log_scaled = np.log(scaled)
        # before the first entry H(φ) = 2φ; nothing is memorised beyond the last
        reached = np.where(log_scaled < first, 0.5 * scaled, np.exp(path(np.clip(log_scaled, first, path.x[-1]))))
    left = (1.0 + reached / memory.margin_scale) ** (1.0 - memory.growth_exponent)
    total = float(memory.total_clock(diversity))
    return total * (1.0 - left.mean(-1))


@lru_cache(maxsize=16)
def _path_of_an_item(memory: PowerLawMemory) -> tuple[float, Any]:
    """ln φ as a cubic of ln H, the time in units of 1/rate, H(φ) = ∫ (1 + e^φ)/(1 + φ/p)^q dφ, and the least ln H."""
    from scipy.interpolate import CubicHermiteSpline  # imported late: it is slow to load and not always needed

    margin = 600.0 * np.linspace(0.0, 1.0, POINTS) ** 3
    q, scale = memory.growth_exponent, memory.margin_scale
    x, weights = np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(margin)
    inner = margin[:-1, None] + half[:, None] * (x + 1.0)
    elapsed = np.cumsum(half * (((1.0 + np.exp(inner)) / (1.0 + inner / scale) ** q) @ weights))
    margin = margin[1:]
    slope = elapsed / margin * (1.0 + margin / scale) ** q / (1.0 + np.exp(margin))
    return float(np.log(elapsed[0])), CubicHermiteSpline(np.log(elapsed), np.log(margin), slope)


class SkewedContexts(NamedTuple):
    """Averages over contexts of N items drawn with frequencies p_k, the target one of them.

    ⟨m⟩ = 1 + (N − 1) Σ p_k² copies, a lean b = Σ p_k ℓ_k of every label, a mean ⟨m + n⟩ = 1 + (N − 1) b² and a mean
    square ⟨(m + n)²⟩ = N + N (N − 1) b² of the label sum in the frame of the target's label.
    """

    copies: Any
    lean: Any
    label_sum: Any
    label_square: Any


@elementwise(single=("skew",), smooth=("context_length", "skew"), ignored=("dimension",))
def skewed_contexts(task: Task, skew: ArrayLike) -> SkewedContexts:
    """⟨m⟩, b, ⟨m + n⟩ and ⟨(m + n)²⟩ under p_k ∝ k^{−α}, labels of consecutive items alternating (ℓ_1 = +1).

    At β = 0 they are the drive and, times c2/N, the drag of the early system. The lean makes both grow: at K = 1000,
    N = 100, ⟨(m + n)²⟩ = 184 (α = 1) and 988 (α = 1.5) in place of N.

    Parameters
    ----------
    task : Task
        One copy, i.i.d. labels; finite, integer K.
    skew : array_like, α >= 0

    Returns
    -------
    SkewedContexts
        Of arrays of the broadcast shape, if an argument is one.

    Raises
    ------
    ValueError
        If K is not an integer, α is negative, or the task has several copies or balanced labels.

    Source: docs/derivation.md, "repeated items and skewed frequencies".

    Examples
    --------
    >>> contexts = skewed_contexts(Task(context_length=100, task_diversity=500), 1.0)
    >>> round(contexts.copies, 2), round(contexts.lean, 3)
    (4.52, 0.102)
    """
    frequency, label = _frequencies(task, number("skew", skew, minimum=0.0))
    n, lean = task.context_length, float(frequency @ label)
    return SkewedContexts(
        1.0 + (n - 1) * float(frequency @ frequency), lean, 1.0 + (n - 1) * lean**2, n + n * (n - 1) * lean**2
    )


def _frequencies(task: Task, skew: float) -> tuple[Array, Array]:
    """p_k and the labels."""
    plain = task.labels == "iid" and task.copies == 1 and task.score_std == 0.0 and task.label_std == 1.0
    require(plain, "task", "have i.i.d. labels ±1, one copy and flat attention here", task)
    diversity = task.task_diversity
    known = math.isfinite(diversity) and diversity == int(diversity) and diversity >= 2
    require(known, "task", "have an integer task_diversity >= 2 here", diversity)
    return item_frequencies(int(diversity), skew), np.where(np.arange(int(diversity)) % 2 == 0, 1.0, -1.0)


@by_name
@elementwise(single=("skew",), arrays=("beta0", "w0"), smooth=("dimension", "skew", "beta0", "w0"), costly=True)
def skewed_clock_at_acquisition(task: Task, skew: ArrayLike, beta0: ArrayLike, w0: ArrayLike = 0.0) -> Array:
    """I* under p_k ∝ k^{−α}: the memory's clock, at φ = 0, when ICL is acquired in contexts of such items.

    The averaged field is integrated over targets k of probability p_k, m = 1 + Binomial(N − 1, p_k) copies, and a
    Gaussian sum of the other labels, whose mean is ℓ_k (b − p_k ℓ_k)/(1 − p_k) in the target's frame. The memory
    stays at φ = 0; it learns the lean, too, and takes that part of the drive away later.

    Parameters
    ----------
    task : Task
        As for :func:`skewed_contexts`.
    skew : array_like, α >= 0
    beta0, w0 : array_like, |β0| <= 300, |w0| <= 5

    Returns
    -------
    array of the broadcast shape, in gradient-flow time; ``inf`` where ICL is never acquired

    Raises
    ------
    ValueError
        As for :func:`skewed_contexts`, or if a start is out of range.

    Source: docs/derivation.md, "repeated items and skewed frequencies".

    Examples
    --------
    >>> task = Task(context_length=100, task_diversity=500)
    >>> [float(skewed_clock_at_acquisition(task, skew, 0.0).round(1)) for skew in (0.0, 1.0)]
    [124.4, 49.4]
    """
    beta0, w0 = broadcast(
        beta0=real("beta0", beta0, minimum=-BETA_MAX, maximum=BETA_MAX),
        w0=real("w0", w0, minimum=-WEIGHT_MAX, maximum=WEIGHT_MAX),
    )
    contexts = skewed_nodes(task, number("skew", skew, minimum=0.0))
    equations = clock_equations(task, contexts)
    start, last = np.array([w0.ravel(), beta0.ravel()]), GIVEN_UP * task.context_length
    return arrival(equations, start, acquired_beta(task), last).time.reshape(beta0.shape)


@lru_cache(maxsize=16)
def skewed_nodes(task: Task, skew: float) -> ContextNodes:
    """Nodes of the average over targets, copies and label sums; rare targets are averaged over in groups."""
    frequency, label = _frequencies(task, skew)
    lean, size = float(frequency @ label), task.context_length - 1
    x, hermite = np.polynomial.hermite_e.hermegauss(LABEL_NODES)
    hermite = hermite / hermite.sum()
    columns: list[tuple[NDArray[Any], ...]] = []
    for chance, sign, share in _targets(frequency, label):
        extra = np.arange(size, dtype=np.float64)
        choose = gammaln(size + 1) - gammaln(extra + 1) - gammaln(size - extra + 1)
        probability = np.exp(choose + xlogy(extra, chance) + xlog1py(size - extra, -chance))
        kept = probability > LEFT_OUT
        copies, probability = 1.0 + extra[kept], probability[kept] / probability[kept].sum()
        bias = sign * (lean - chance * sign) / (1.0 - chance)
        others = task.context_length - copies
        total = others[:, None] * bias + np.sqrt(others * (1.0 - bias**2))[:, None] * x
        shape = total.shape
        columns.append((
            np.broadcast_to(copies[:, None], shape), np.broadcast_to(copies[:, None] + task.target_in_softmax, shape),
            np.broadcast_to(others[:, None], shape), total, share * probability[:, None] * hermite,
        ))  # fmt: skip
    return ContextNodes(*(np.concatenate([part.ravel() for part in column]) for column in zip(*columns, strict=True)))


def _targets(frequency: Array, label: Array) -> list[tuple[float, float, float]]:
    """Frequency, label and probability of every (group of) targets; a group's frequency is its targets' average."""
    alone = min(ITEMS, len(frequency))
    targets = [(float(frequency[k]), float(label[k]), float(frequency[k])) for k in range(alone)]
    edges = np.unique(np.geomspace(alone, len(frequency), GROUPS + 1).round().astype(int)) if alone < len(label) else []
    for first, last in itertools.pairwise(edges):
        for sign in (1.0, -1.0):
            p = frequency[first:last][label[first:last] == sign]
            if p.size:
                targets.append((float(p @ p / p.sum()), sign, float(p.sum())))
    return targets
