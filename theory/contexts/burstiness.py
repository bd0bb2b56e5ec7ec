"""Items as the data draw them: with replacement from K, half of each label, so that a context holds some repeatedly."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlog1py, xlogy

from .._arguments import require
from .._labels import by_name
from ..field import flow
from ..task import Task
from .attention import ContextNodes
from .labels import NODES, Average, label_sum_nodes

Array = NDArray[np.float64]

#: Probability left out of the copies' distribution.
LEFT_OUT = 1e-12


def copies_distribution(task: Task) -> tuple[NDArray[np.int64], Array]:
    """m + Binomial(N − m, 1/K): how many copies of the target a context holds if m are put there.

    Parameters
    ----------
    task : Task

    Returns
    -------
    copies, probability : arrays (copies,)
        Values from m to N − 1 up to a remainder of 1e-12, and probabilities that add up to 1.

    Raises
    ------
    ValueError
        If K = 1: every pair is a copy, and there is nothing to attend to.

    Source: docs/derivation.md, "repeated items and skewed frequencies"; the paper's appendix on data statistics.

    Examples
    --------
    >>> copies, probability = copies_distribution(Task(context_length=100, task_diversity=1000))
    >>> copies[:2].tolist(), probability[:2].round(3).tolist()
    ([1, 2], [0.906, 0.09])
    """
    require(task.task_diversity > 1, "task", "have task_diversity > 1", task.task_diversity)
    size, chance = task.context_length - task.copies, 1.0 / task.task_diversity
    extra = np.arange(max(size, 1))
    choose = gammaln(size + 1) - gammaln(extra + 1) - gammaln(size - extra + 1)
    probability = np.exp(choose + xlogy(extra, chance) + xlog1py(size - extra, -chance))
    kept = probability > LEFT_OUT / task.context_length
    return task.copies + extra[kept], probability[kept] / probability[kept].sum()


@by_name
def bursty_field(
    w: ArrayLike,
    beta: ArrayLike,
    task: Task,
    margin: ArrayLike = 0.0,
    *,
    average: Average = "gaussian",
    nodes: int = NODES,
) -> tuple[Array, Array]:
    """:func:`icl_field` with the repeats that K items bring, averaged over :func:`copies_distribution`.

    With half of the K items of each label, the others lean against the target, which is not among them:

        ⟨ℓ_j⟩ = −1/(K − 1) for j other,    ⟨n⟩ = −(⟨m⟩ − 1),    ⟨m⟩ = 1 + (N − 1)/K for one copy

    So at β = 0 neither drive nor drag knows of repeats, and early

        dw/dτ = ⟨m⟩ e^β − (⟨m⟩ − 1) − κ w,    dβ/dτ = ⟨m⟩ w e^β

    which for ⟨m⟩ ≫ 1 is the saddle of balanced contexts. K → ∞ gives :func:`icl_field`. With balanced labels, copies
    run up to N/2 and n = −m.

    Parameters
    ----------
    w, beta, task, margin, average, nodes
        As for :func:`icl_field`; the task's K counts.

    Returns
    -------
    dw, dbeta : arrays of the broadcast shape

    Raises
    ------
    ValueError
        As for :func:`icl_field`; if K = 1, or attention is rough.

    Source: docs/derivation.md, "repeated items and skewed frequencies".

    Examples
    --------
    >>> task = Task(context_length=100, task_diversity=100)   # ⟨m⟩ = 1.99
    >>> dw, _ = bursty_field(0.0, [0.0, 1e-3], task)
    >>> (200 * dw).round(3).tolist(), round(float(np.diff(200 * dw)[0] / 1e-3), 1)
    ([1.0, 1.002], 2.0)
    """
    dw, dbeta, _ = flow(w, beta, task, margin, repeated_nodes(task, average, nodes))
    return dw, dbeta


@lru_cache(maxsize=64)
def repeated_nodes(task: Task, average: Average = "gaussian", nodes: int = NODES) -> ContextNodes:
    """The nodes of :func:`context_nodes` for every number of copies, weighted by its probability."""
    require(task.score_std == 0.0, "task", "have score_std = 0 here", task.score_std)
    copies, probability = copies_distribution(task)
    if task.labels == "balanced":
        possible = copies <= task.context_length // 2
        copies, probability = copies[possible], probability[possible] / probability[possible].sum()
    bias = -1.0 / (task.task_diversity - 1.0)
    columns = []
    for m, share in zip(copies, probability, strict=True):
        label_sum, weight = label_sum_nodes(replace(task, copies=int(m)), average, nodes, bias)
        ones = np.ones_like(label_sum)
        columns.append((m * ones, (m + task.target_in_softmax) * ones, (task.context_length - m) * ones,
                        label_sum, share * weight))  # fmt: skip
    return ContextNodes(*(np.concatenate(column) for column in zip(*columns, strict=True)))
