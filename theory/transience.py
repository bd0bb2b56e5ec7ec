"""How long ICL lasts under weight decay, and which of three phases a training run ends in."""

import math
from typing import Literal

import numpy as np

from ._arguments import real, require
from .memory import PowerLawMemory
from .race import clock_at_acquisition, time_of_clock
from .stationary import acquisition_fold, icl_branch
from .task import Task

Phase = Literal["no ICL", "transient", "lasting"]


def transience_time(task: Task, memory: PowerLawMemory, decay: float, acquired_margin: float = 0.0) -> float:
    """t_loss = ∫_{φ_acq}^{φ_c} dφ/(r_K (1 + φ/p)^q E_n[σ(−u)]), (w, β) on the stable ICL branch at φ.

    The branch ends in a fold at φ_c, where ICL is lost. λ r_K t_loss is nearly a constant of N, so t_loss ∝ K^ν/λ.

    Parameters
    ----------
    task : Task
        With a finite ``task_diversity`` K.
    memory : PowerLawMemory
        A measured law knows nothing of the memory after acquisition.
    decay : float, λ >= 0
        Weight decay of w and β, per unit of gradient-flow time.
    acquired_margin : float, φ_acq >= 0
        What is memorised when ICL is acquired, ``memory.margin(clock_at_acquisition(...), K)``; 0 bounds t_loss from
        above.

    Returns
    -------
    float
        Gradient-flow time from acquisition to loss: ``inf`` without decay or for K → ∞, 0 where the decay leaves ICL no
        branch or the memory is past the fold already.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "transience"; paper, section 5.

    Examples
    --------
    >>> memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> task = Task(context_length=100, task_diversity=8000)
    >>> round(1e-4 * float(memory.rate(8000)) * transience_time(task, memory, 1e-4), 3)
    0.196
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    acquired_margin = float(real("acquired_margin", acquired_margin, minimum=0.0, finite=False))
    decay = float(real("decay", decay, minimum=0.0))
    if decay == 0.0 or math.isinf(task.task_diversity):
        return math.inf
    branch = icl_branch(task, decay)
    if branch is None or branch[2].margin <= acquired_margin:
        return 0.0
    margin_of, residual_of, end = branch
    # φ falls with β beyond the fold: start where it is φ_acq, and integrate in β, in which everything is smooth
    starts = [float(b) for b in margin_of.solve(acquired_margin, extrapolate=False) if b > end.beta]
    require(len(starts) > 0, "acquired_margin", "lie on the ICL branch", acquired_margin)
    x, weights = np.polynomial.legendre.leggauss(200)
    half = 0.5 * (starts[0] - end.beta)
    beta = end.beta + half * (x + 1.0)
    speed = memory.field(margin_of(beta), np.clip(residual_of(beta), 0.0, 1.0), task.task_diversity)
    return float(half * weights @ (-margin_of(beta, 1) / speed))


def phase(
    task: Task, memory: PowerLawMemory, decay: float, budget: float, beta0: float = 0.0, w0: float = 0.0
) -> Phase:
    """Which of three phases training for a time T ends in: "no ICL", "transient" (acquired and lost) or "lasting".

    - no ICL: the clock never reaches I* (I_K(∞) <= I*), or T is up first, or at acquisition the memory is past the
      fold φ_a(λ) beyond which a stable fixed point without ICL holds the network back;
    - transient: acquired, and t_acq + t_loss < T;
    - lasting: acquired, and not lost by T.

    Decay is neglected until acquisition, and the passage through a fold, which delays, is taken as immediate.

    Parameters
    ----------
    task : Task
        With its ``task_diversity`` K.
    memory : PowerLawMemory
    decay : float, λ >= 0
    budget : float, T > 0
        Gradient-flow time; ``inf`` allowed.
    beta0, w0 : float
        Initial attention strength and readout weight.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "phases"; paper, section 5 and figure A6.

    Examples
    --------
    >>> memory, task = PowerLawMemory(amplitude=3.9, exponent=0.7), Task(context_length=100, task_diversity=1000)
    >>> [phase(task, memory, decay, budget=1e5) for decay in (0.0, 1e-3, 3e-3)]
    ['lasting', 'transient', 'no ICL']
    """
    require(isinstance(memory, PowerLawMemory), "memory", "be a PowerLawMemory", memory)
    decay = float(real("decay", decay, minimum=0.0))
    budget = float(real("budget", budget, minimum=0.0, exclusive=False, finite=False))
    require(budget > 0.0, "budget", "be positive", budget)
    clock = float(clock_at_acquisition(task, beta0, w0))
    if clock >= float(memory.total_clock(task.task_diversity)):
        return "no ICL"
    acquired = time_of_clock(memory, clock, task.task_diversity)
    if acquired > budget:
        return "no ICL"
    margin = float(memory.margin(clock, task.task_diversity))
    if decay > 0.0:
        trap = acquisition_fold(task, decay)
        if trap is None or margin >= trap.margin:
            return "no ICL"
    lost = acquired + transience_time(task, memory, decay, margin)
    return "transient" if lost < budget else "lasting"
