"""How long ICL lasts under weight decay, and which of three phases a training run ends in."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import broadcast, real, require
from ._labels import by_name
from .field import mean_residual
from .memory import PowerLawMemory
from .race import clock_at_acquisition, time_of_clock
from .stationary import (
    DECAY_MAX,
    DECAY_MIN,
    MARGINS,
    POINTS,
    FixedPoint,
    acquisition_fold,
    branch_at,
    branch_of,
    fold,
)
from .task import Task

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]
Phase = Literal["no ICL", "transient", "lasting"]


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

    The branch ends in a fold at φ_c, where ICL is lost. λ r_K t_loss is nearly a constant of N, so t_loss ∝ K^ν/λ.

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
        Gradient-flow time from acquisition to loss: ``inf`` without decay or for K → ∞, 0 where ICL has no
        fold (see :func:`fold`) or the memory is past the fold already.

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "transience"; paper, section 5.

    Examples
    --------
    >>> memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> task = Task(context_length=100, task_diversity=8000)
    >>> decay = np.array([1e-4, 1e-3])
    >>> (float(memory.rate(8000)) * decay * transience_time(task, memory, decay)).round(3).tolist()
    [0.196, 0.194]
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    decay, margin, diversity = broadcast(
        decay=_decays(decay),
        acquired_margin=real("acquired_margin", acquired_margin, minimum=0.0, finite=False),
        task_diversity=_diversity(task, task_diversity),
    )
    points = zip(decay.flat, margin.flat, diversity.flat, strict=True)
    times = [_lasting(task, memory, *(float(value) for value in point)) for point in points]
    return np.array(times, dtype=np.float64).reshape(decay.shape)


def _decays(decay: ArrayLike) -> Array:
    """Decays that are 0 or in the range in which the fold is found."""
    decay = real("decay", decay, minimum=0.0, maximum=DECAY_MAX)
    tiny = decay[(decay > 0.0) & (decay < DECAY_MIN)]
    require(tiny.size == 0, "decay", f"be 0 or at least {DECAY_MIN:g}", float(tiny.flat[0]) if tiny.size else None)
    return decay


def _diversity(task: Task, task_diversity: ArrayLike | None) -> Array:
    """K of the task, or as it is given."""
    given = task.task_diversity if task_diversity is None else task_diversity
    return real("task_diversity", given, minimum=1.0, finite=False)


def _lasting(task: Task, memory: PowerLawMemory, decay: float, acquired_margin: float, task_diversity: float) -> float:
    """One transience time."""
    if decay == 0.0 or np.isinf(task_diversity):
        return np.inf
    branch = _icl_branch(task, decay)
    if branch is None or branch[2].margin <= acquired_margin:
        return 0.0
    margin_of, residual_of, end = branch
    # φ falls with β beyond the fold: start where it is φ_acq, and integrate in β, in which everything is smooth
    starts = [float(b) for b in margin_of.solve(acquired_margin, extrapolate=False) if b > end.beta]
    require(len(starts) > 0, "acquired_margin", "lie on the ICL branch", acquired_margin)
    x, weights = np.polynomial.legendre.leggauss(200)
    half = 0.5 * (starts[0] - end.beta)
    beta = end.beta + half * (x + 1.0)
    speed = memory.field(margin_of(beta), np.clip(residual_of(beta), 0.0, 1.0), task_diversity)
    return float(half * weights @ (-margin_of(beta, 1) / speed))


@lru_cache(maxsize=128)
def _icl_branch(task: Task, decay: float) -> "tuple[CubicSpline, CubicSpline, FixedPoint] | None":
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

    - no ICL: the clock never reaches I* (I_K(∞) <= I*), or T is up first, or at acquisition the memory is past the
      fold φ_a(λ) beyond which a stable fixed point without ICL holds the network back;
    - transient: acquired, and t_acq + t_loss < T;
    - lasting: acquired, and not lost by T.

    Decay is neglected until acquisition, and the passage through a fold, which delays, is taken as immediate.

    Parameters
    ----------
    task : Task
        Its ``task_diversity`` K is used unless the last argument is given.
    memory : PowerLawMemory
    decay : array_like, λ = 0 or in [1e−10, 1e100]
        Per unit of gradient-flow time. Each value costs a continuation of the branches of fixed points.
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
    decay, budget, beta0, w0, diversity = broadcast(
        decay=_decays(decay),
        budget=budget,
        beta0=real("beta0", beta0),
        w0=real("w0", w0),
        task_diversity=_diversity(task, task_diversity),
    )
    clock = clock_at_acquisition(task, beta0, w0)
    points = zip(decay.flat, budget.flat, clock.flat, diversity.flat, strict=True)
    phases = [_phase(task, memory, *(float(value) for value in point)) for point in points]
    return np.array(phases, dtype="<U9").reshape(decay.shape)


def _phase(
    task: Task, memory: PowerLawMemory, decay: float, budget: float, clock: float, task_diversity: float
) -> Phase:
    """One phase, given the clock I* at which ICL is acquired."""
    if clock >= float(memory.total_clock(task_diversity)):
        return "no ICL"
    acquired = time_of_clock(memory, clock, task_diversity)
    if acquired > budget:
        return "no ICL"
    margin = float(memory.margin(clock, task_diversity))
    if decay > 0.0:
        trap = acquisition_fold(task, decay)
        if trap is None or margin >= trap.margin:
            return "no ICL"
    lost = acquired + _lasting(task, memory, decay, margin, task_diversity)
    return "transient" if lost < budget else "lasting"
