"""How long ICL lasts under weight decay."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import broadcast, real, require
from .._elementwise import elementwise
from .._labels import by_name
from .._numerics.quadrature import legendre
from ..field import mean_residual
from ..memory.law import PowerLawMemory
from ..task import Task
from .fixed_points import DECAY_MAX, DECAY_MIN, MARGINS, POINTS, FixedPoint, branch_at, branch_of, fold

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]


@by_name
def transience_time(
    task: Task,
    memory: PowerLawMemory,
    decay: ArrayLike,
    acquired_margin: ArrayLike = 0.0,
    *,
    task_diversity: ArrayLike | None = None,
) -> Array:
    """t_loss = ∫_{φ_acq}^{φ_c} dφ/(r_K (1 + φ/p)^q E_n[σ(−u)]), (w, β) on the stable ICL branch at φ.

    The branch ends in a fold at φ_c, where ICL is lost. On it E_n[σ(−u)] ≈ λ w/a, which hardly changes with φ (8.8e-4
    to 6.7e-4 over φ = 0 … 6.3 at λ = 1e-4), so that the time passes evenly in the memory's clock and

        t_loss ≈ (I_K(φ_c) − I_K(φ_acq))/(λ w̄)        (:func:`mean_transience_time`, within 0.7 % from φ_acq = 0)

    From a fixed margin t_loss ∝ 1/r_K ∝ K^ν exactly. λ r_K t_loss is no constant: with λ it goes through a maximum
    (0.194, 0.196, 0.171, 0.144, 0.124 at λ = 1e-3, 1e-4, 1e-6, 1e-8, 1e-10; N = 100, p = 1, φ_acq = 0), as
    I_K(φ_c) and w̄ grow. From the margin at which ICL is acquired, d ln t_loss/d ln K = ν I_c/(I_c − I*) at fixed w̄.

    From acquisition on the integral is within 2 % of the coupled equations at K = 8000 and 7 % at K = 1000 (N = 100,
    λ = 1e-4); below N ≈ 30, ICL accuracy falls through 95 % just before the fold.

    Parameters
    ----------
    task : Task
        Its ``task_diversity`` K is used unless the last argument is given.
    memory : PowerLawMemory
        A measured law knows nothing of the memory after acquisition.
    decay : array_like, λ = 0 or in [1e−10, 1e100]
        Weight decay of w and β, per unit of gradient-flow time. Each value costs a continuation of the branch.
    acquired_margin : array_like, φ_acq >= 0
        What is memorised when ICL is acquired, ``memory.margin(clock_at_acquisition(...), K)``; 0 bounds t_loss from
        above.
    task_diversity : array_like, K >= 1, optional

    Returns
    -------
    array of the broadcast shape
        Gradient-flow time from acquisition to loss: ``inf`` without decay or for K → ∞, 0 where the memory is past
        the fold already, ``nan`` where ICL has no fold (see :func:`fold`) to be lost at.

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "time of loss"; paper, section 5.

    Examples
    --------
    >>> memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> task = Task(context_length=100, task_diversity=8000)
    >>> decay = np.array([1e-4, 1e-3])
    >>> (float(memory.rate(8000)) * decay * transience_time(task, memory, decay)).round(3).tolist()
    [0.196, 0.194]
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    return _transience_time(
        task,
        memory,
        decays(decay),
        real("acquired_margin", acquired_margin, minimum=0.0, finite=False),
        task_diversity=diversity_of(task, task_diversity),
    )


@elementwise(
    single=("decay",),
    arrays=("task_diversity", "acquired_margin"),
    smooth=("context_length", "dimension", "task_diversity", "decay", "acquired_margin"),
    costly=True,
)
def _transience_time(
    task: Task, memory: PowerLawMemory, decay: Array, acquired_margin: Array, *, task_diversity: Array
) -> Array:
    decay, margin, diversity = (np.asarray(x) for x in (decay, acquired_margin, task_diversity))
    decay, margin, diversity = broadcast(decay=decay, acquired_margin=margin, task_diversity=diversity)
    task = task.at(task_diversity=math.inf)
    points = zip(decay.flat, margin.flat, diversity.flat, strict=True)
    times = [lasting(task, memory, *(float(value) for value in point)) for point in points]
    return np.array(times, dtype=np.float64).reshape(decay.shape)


def decays(decay: ArrayLike) -> Array:
    """Decays that are 0 or in the range in which the fold is found."""
    decay = real("decay", decay, minimum=0.0, maximum=DECAY_MAX)
    tiny = decay[(decay > 0.0) & (decay < DECAY_MIN)]
    require(tiny.size == 0, "decay", f"be 0 or at least {DECAY_MIN:g}", float(tiny.flat[0]) if tiny.size else None)
    return decay


def diversity_of(task: Task, task_diversity: ArrayLike | None) -> Array:
    """K of the task, or as it is given."""
    given = task.task_diversity if task_diversity is None else task_diversity
    return real("task_diversity", given, minimum=1.0, finite=False)


def lasting(task: Task, memory: PowerLawMemory, decay: float, acquired_margin: float, task_diversity: float) -> float:
    """One transience time."""
    if decay == 0.0 or np.isinf(task_diversity):
        return np.inf
    branch = _icl_branch(task, decay)
    if branch is None:
        return np.nan
    if branch[2].margin <= acquired_margin:
        return 0.0
    margin_of, residual_of, end = branch
    # φ falls with β beyond the fold: start where it is φ_acq, and integrate in β, in which everything is smooth
    starts = [float(b) for b in margin_of.solve(acquired_margin, extrapolate=False) if b > end.beta]
    require(len(starts) > 0, "acquired_margin", "lie on the ICL branch", acquired_margin)
    x, weights = legendre(200)
    half = 0.5 * (starts[0] - end.beta)
    beta = end.beta + half * (x + 1.0)
    speed = memory.field(margin_of(beta), np.clip(residual_of(beta), 0.0, 1.0), task_diversity)
    return float(half * weights @ (-margin_of(beta, 1) / speed))


@lru_cache(maxsize=128)
def _icl_branch(task: Task, decay: float) -> tuple[CubicSpline, CubicSpline, FixedPoint] | None:
    """The ICL branch up to its fold: φ and the mean residual E[σ(−u)] as splines in β (descending φ), and the fold."""
    from scipy.interpolate import CubicSpline  # imported late: it is slow to load and not always needed

    end = fold(task, decay)
    if end is None:
        return None
    top = math.log(task.context_length) + 8.0
    # crowded towards the fold, where dφ/dβ = 0
    beta = end.beta + (top - end.beta) * np.linspace(0.0, 1.0, POINTS) ** 2
    branch = branch_at(task, decay, beta, branch_of(task, decay))
    kept = branch.margin > MARGINS[0] + 1.0
    residual = mean_residual(branch.w[kept], beta[kept], task, branch.margin[kept])
    return CubicSpline(beta[kept], branch.margin[kept]), CubicSpline(beta[kept], residual), end
