"""The attended label a = Σ_j softmax_j ℓ_j of the minimal model, over the nodes of its context average."""

import math
from functools import lru_cache
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..numerics.quadrature import hermite
from ..task import Task
from .labels import NODES, Average, label_sum_nodes

Array = NDArray[np.float64]

#: e^β overflows beyond 709; attention is saturated long before, so β is clipped here and no result changes.
BETA_MAX = 300.0
#: e^{β²/2D} is clipped at twice that exponent, so that it never overflows either.
EXPONENT_MAX = 600.0


class ContextNodes(NamedTuple):
    """Nodes of the average over contexts, each field of shape (node,).

    a = (copy e^β + label_sum)/(present e^β + others e^{β²/2D}), averaged with ``weight``.
    """

    copy: Array
    present: Array
    others: Array
    label_sum: Array
    weight: Array


class Attended(NamedTuple):
    """a and its first two β-derivatives, each of shape (..., node)."""

    value: Array
    slope: Array
    curvature: Array


class ContextAverage(TypedDict, total=False):
    """Which contexts an average is over: the keyword arguments of :func:`context_nodes`.

    ``average`` and ``nodes``: how the label sum n is averaged (:func:`label_sum_nodes`); ``repeats``: whether the items
    repeat as K of them do (:func:`copies_distribution`).
    """

    average: Average
    nodes: int
    repeats: bool


@lru_cache(maxsize=64)
def context_nodes(task: Task, average: Average = "gaussian", nodes: int = NODES, repeats: bool = False) -> ContextNodes:
    """Flat attention: copy = m, present = m + T, others = N − m, and the label sum's nodes.

    T is 1 if the target takes part in the softmax and 0 otherwise. With rough attention (``score_std`` > 0) the
    terms fluctuate too: see :mod:`iclrace.theory.acquisition.rough`.
    """
    if repeats:
        from .burstiness import repeated_nodes  # imports this module

        return repeated_nodes(task, average, nodes)
    if task.score_std > 0.0:
        from .rough_scores import rough_nodes  # imports this module

        return rough_nodes(task, average, nodes)
    label_sum, weight = label_sum_nodes(task, average, nodes)
    ones = np.ones_like(label_sum)
    present = task.copies + (1.0 if task.target_in_softmax else 0.0)
    return ContextNodes(
        task.copies * ones, present * ones, (task.context_length - task.copies) * ones, label_sum, weight
    )


def context_nodes_of(task: Task) -> ContextNodes:
    """:func:`context_nodes` with a Gaussian label sum, for the flat arrays of a task; fields (point, node)."""
    n, m, s = (np.asarray(value, dtype=np.float64).reshape(-1, 1) for value in (
        task.context_length, task.copies, task.label_std))  # fmt: skip
    x, weight = (np.zeros(1), np.ones(1)) if task.labels == "balanced" else hermite(NODES)
    mean = -m if task.labels == "balanced" else 0.0
    columns = (m, m + task.target_in_softmax, n - m, mean + s * np.sqrt(n - m) * x, weight)
    shape = (math.prod(task.shape), x.size)
    return ContextNodes(*(np.broadcast_to(column, shape) for column in columns))


def attended_label(beta: Array, task: Task, nodes: ContextNodes) -> Attended:
    """a = (copy e^β + n)/Z with Z = present e^β + others e^{β²/2D}, and ∂a/∂β, ∂²a/∂β².

    The overlap of two distinct items is N(0, 1/D), so e^{β x_T·x_j} averages to e^{β²/2D}; Z is replaced by its
    average, which is exact for D → ∞ and leaves out its O(1/√(DN)) fluctuation at finite D.
    """
    beta = np.clip(beta, -BETA_MAX, BETA_MAX)[..., None]
    # For β > 0 numerator and normalisation are both divided by e^β, so that no term overflows.
    shift = np.maximum(beta, 0.0)
    match = np.exp(beta - shift)
    exponent = np.minimum(0.5 * beta**2 / task.dimension, EXPONENT_MAX)
    others = nodes.others * np.exp(exponent - shift)
    rate = beta / task.dimension
    copy, present = nodes.copy * match, nodes.present * match
    total = present + others
    total_slope = present + rate * others
    total_curvature = present + (rate**2 + 1.0 / task.dimension) * others
    value = (copy + nodes.label_sum * np.exp(-shift)) / total
    slope = (copy - value * total_slope) / total
    curvature = (copy - 2.0 * slope * total_slope - value * total_curvature) / total
    return Attended(value, slope, curvature)
