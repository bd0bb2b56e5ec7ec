"""Items as the data draw them: with replacement from K, half of each label, so that a context holds some repeatedly."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlog1py, xlogy

from ..common.arguments import instance, require
from ..numerics.quadrature import hermite
from ..task import Task
from .attention import ContextNodes
from .labels import MOST_TERMS, NODES, Average, label_sum_nodes, require_few

Array = NDArray[np.float64]

#: Probability left out of the copies' distribution.
LEFT_OUT = 1e-12
#: Hermite nodes of the label sum up to acquisition, where w stays below 3.
LABEL_NODES = 20


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
    instance("task", task, Task)
    require(task.single().task_diversity > 1, "task", "have task_diversity > 1", task.task_diversity)
    size, chance = task.context_length - task.copies, 1.0 / task.task_diversity
    most = min(_most_copies(size, chance), max(size, 1))
    require_few(most, MOST_TERMS, task.context_length)
    extra = np.arange(math.ceil(most))
    choose = gammaln(size + 1) - gammaln(extra + 1) - gammaln(size - extra + 1)
    probability = np.exp(choose + xlogy(extra, chance) + xlog1py(size - extra, -chance))
    kept = probability > LEFT_OUT / task.context_length
    return task.copies + extra[kept], probability[kept] / probability[kept].sum()


def _most_copies(size: Any, chance: Any) -> Any:
    """More copies than these, beside the first, have a probability below that of twelve standard deviations."""
    return size * chance + 12.0 * np.sqrt(size * chance) + 40.0


@lru_cache(maxsize=64)
def repeated_nodes(task: Task, average: Average = "gaussian", nodes: int = NODES) -> ContextNodes:
    """The nodes of :func:`context_nodes` for every number of copies, weighted by its probability."""
    require(task.score_std == 0.0, "task", "have score_std = 0 here", task.score_std)
    copies, probability = copies_distribution(task)
    if task.labels == "balanced":
        possible = copies <= task.context_length // 2
        copies, probability = copies[possible], probability[possible] / probability[possible].sum()
    bias = max(-1.0 / (task.task_diversity - 1.0), -1.0)  # of K < 2 items the others all have the other label
    columns = []
    for m, share in zip(copies, probability, strict=True):
        label_sum, weight = label_sum_nodes(task.at(copies=int(m)), average, nodes, bias)
        ones = np.ones_like(label_sum)
        columns.append((m * ones, (m + task.target_in_softmax) * ones, (task.context_length - m) * ones,
                        label_sum, share * weight))  # fmt: skip
    return ContextNodes(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def repeated_nodes_of(task: Task) -> ContextNodes:
    """:func:`repeated_nodes` with a Gaussian label sum and fewer nodes, for the flat arrays of a task with K finite.

    Fields have the shape (point, node), where a task has less copies than another with the weight 0; (node,) for one
    task. N need not be an integer.
    """
    require(not np.any(task.score_std), "task", "have score_std = 0 here", task.score_std)
    require(np.all(np.asarray(task.task_diversity) > 1), "task", "have task_diversity > 1", task.task_diversity)
    n, k, m, s = (np.asarray(value, dtype=np.float64).reshape(-1, 1) for value in (
        task.context_length, task.task_diversity, task.copies, task.label_std))  # fmt: skip
    size, chance = n - m, 1.0 / k
    most = min(np.max(_most_copies(size, chance)), max(float(np.max(size)), 1.0))
    require_few(most * size.size, MOST_TERMS, task.context_length)
    extra = np.arange(most)
    there = (extra < np.maximum(size, 1.0)) & (m + extra <= (n // 2 if task.labels == "balanced" else n))
    left = np.where(there, size - extra, 0.0)
    choose = gammaln(size + 1) - gammaln(extra + 1) - gammaln(left + 1)
    probability = np.where(there, np.exp(choose + xlogy(extra, chance) + xlog1py(left, -chance)), 0.0)
    probability[probability <= LEFT_OUT / n] = 0.0
    kept = probability.any(axis=0)
    share = (probability / probability.sum(axis=1, keepdims=True))[:, kept, None]
    copies, others = (m + extra)[:, kept, None], left[:, kept, None]
    if task.labels == "balanced":
        total, weight = -copies, np.ones(1)
    else:
        x, weight = hermite(LABEL_NODES)
        bias = np.maximum(-1.0 / (k - 1.0), -1.0)[:, :, None]
        total = s[:, :, None] * (others * bias + np.sqrt(others * (1.0 - bias**2)) * x)
    columns = np.broadcast_arrays(copies, copies + task.target_in_softmax, others, total, share * weight)
    fields = []
    for column in columns:
        field = column.reshape(len(column), -1)
        fields.append(np.broadcast_to(field, (*task.shape, field.shape[1])) if task.shape else field[0])
    return ContextNodes(*fields)
