"""Copies as the data draw them: K items, drawn with replacement, leave m = 1 + Binomial(N − 1, 1/K) of the target."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlog1py, xlogy

from ._arguments import real, require
from .clock import acquisition_clock
from .field import icl_field
from .labels import NODES, Average
from .task import Task

Array = NDArray[np.float64]

#: Probability left out of the copies' distribution.
LEFT_OUT = 1e-12


def copies_distribution(task: Task) -> tuple[NDArray[np.int64], Array]:
    """m = 1 + Binomial(N − 1, 1/K): how many copies of the target a context holds if one is put there.

    Parameters
    ----------
    task : Task
        N and K count; ``copies`` does not.

    Returns
    -------
    copies, probability : arrays (m,)
        Values from 1 to N − 1 up to a remainder of 1e-12, and probabilities that add up to 1.

    Raises
    ------
    ValueError
        If K = 1: every pair is a copy, and there is nothing to attend to.

    Source: docs/derivation.md, "bursts and skewed frequencies"; the paper's appendix on data statistics.

    Examples
    --------
    >>> copies, probability = copies_distribution(Task(context_length=100, task_diversity=1000))
    >>> copies[:2].tolist(), probability[:2].round(3).tolist()
    ([1, 2], [0.906, 0.09])
    """
    require(task.task_diversity > 1, "task", "have task_diversity > 1", task.task_diversity)
    extra = np.arange(task.context_length - 1)
    size, chance = task.context_length - 1, 1.0 / task.task_diversity
    choose = gammaln(size + 1) - gammaln(extra + 1) - gammaln(size - extra + 1)
    probability = np.exp(choose + xlogy(extra, chance) + xlog1py(size - extra, -chance))
    kept = probability > LEFT_OUT / task.context_length
    return 1 + extra[kept], probability[kept] / probability[kept].sum()


def bursty_field(
    w: ArrayLike,
    beta: ArrayLike,
    task: Task,
    margin: ArrayLike = 0.0,
    *,
    average: Average = "gaussian",
    nodes: int = NODES,
) -> tuple[Array, Array]:
    """Σ_m P(m) of :func:`icl_field` with m copies, m = 1 + Binomial(N − 1, 1/K).

    Arguments, errors and source as for :func:`icl_field` and :func:`copies_distribution`; with balanced labels, m runs
    up to N/2.

    Examples
    --------
    >>> dw, _ = bursty_field(0.0, 0.0, Task(context_length=100, task_diversity=100))
    >>> round(200 * float(dw), 3)   # ⟨m⟩ = 1.99
    1.99
    """
    copies, probability = copies_distribution(task)
    if task.labels == "balanced":
        copies, probability = copies[copies <= task.context_length // 2], probability[: task.context_length // 2]
        probability = probability / probability.sum()
    rates = [icl_field(w, beta, replace(task, copies=int(m)), margin, average=average, nodes=nodes) for m in copies]
    dw = sum(p * rate[0] for p, rate in zip(probability, rates, strict=True))
    dbeta = sum(p * rate[1] for p, rate in zip(probability, rates, strict=True))
    return np.asarray(dw), np.asarray(dbeta)


def bursty_clock(task: Task, beta0: ArrayLike, w0: ArrayLike = 0.0, c2: ArrayLike = 0.5) -> Array:
    """I* = N τ*(κ)/⟨m⟩ with κ = s² c2/⟨m⟩: early, copies act through their mean alone, ⟨m⟩ = 1 + (N − 1)/K.

    The drive m e^β is linear in m and the drag s² (N − m) does not depend on it for m ≪ N.

    Parameters
    ----------
    task : Task
        With a finite ``task_diversity``, i.i.d. labels.
    beta0, w0 : array_like
    c2 : array_like in [0, 1]

    Returns
    -------
    array of the broadcast shape, in gradient-flow time

    Raises
    ------
    ValueError
        If an argument is out of range, or labels are balanced.

    Source: docs/derivation.md, "bursts and skewed frequencies".

    Examples
    --------
    >>> task = Task(context_length=100)
    >>> bool(bursty_clock(task, 0.0) == 100 * acquisition_clock(0.0, 0.0, 0.5))   # K → ∞: one copy
    True
    """
    require(task.labels == "iid", "task", "have i.i.d. labels here", task.labels)
    mean = 1.0 + (task.context_length - 1) / task.task_diversity
    c2 = real("c2", c2, minimum=0.0, maximum=1.0)
    with np.errstate(over="ignore"):
        return task.context_length / mean * acquisition_clock(beta0, w0, task.label_std**2 * c2 / mean)
