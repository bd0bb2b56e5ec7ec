"""The averaged gradient flow of the ICL parameters (w, β): the right-hand side that everything else solves."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ._arguments import real
from .attention import softmax_terms
from .labels import NODES, Average, label_sum_nodes
from .task import Task

Array = NDArray[np.float64]


def icl_field(
    w: ArrayLike,
    beta: ArrayLike,
    task: Task,
    margin: ArrayLike = 0.0,
    *,
    average: Average = "gaussian",
    nodes: int = NODES,
) -> tuple[Array, Array]:
    """Gradient flow of the population loss, without weight decay.

        u = φ + w a,   a = (m e^β + n)/Z
        dw/dt = E_n[σ(−u) a],     dβ/dt = E_n[σ(−u) w ∂a/∂β],     ∂a/∂β = (m e^β − a ∂Z/∂β)/Z

    For D → ∞ and one copy, ∂a/∂β = e^β (N − 1 − n)/Z².

    Parameters
    ----------
    w, beta : array_like, any shapes that broadcast
        Readout weight w and attention strength β.
    task : Task
        ``task_diversity`` plays no part here: the memory enters through ``margin`` alone.
    margin : array_like
        Memory margin φ; 0 for K → ∞.
    average, nodes
        How n is averaged: see :func:`label_sum_nodes`.

    Returns
    -------
    dw, dbeta : arrays of the broadcast shape
        Rates per unit of gradient-flow time.

    Raises
    ------
    ValueError
        If an argument is not finite, or shapes do not broadcast.

    Source: docs/derivation.md, "averaged gradient flow"; paper, section 4.

    Examples
    --------
    >>> dw, dbeta = icl_field(0.0, 0.0, Task(context_length=100))
    >>> float(dw), float(dbeta)   # σ(0) e^0 / N and no force on β while w = 0
    (0.005, 0.0)
    """
    w, beta, margin = _broadcast(w, beta, margin)
    if task.score_std > 0.0:
        from .rough import disorder_field

        return disorder_field(w, beta, task, margin, average=average, nodes=nodes)
    values, weights = label_sum_nodes(task, average, nodes)
    terms = softmax_terms(beta, task)
    attended = (terms.copy[..., None] + values) / terms.total[..., None]
    slope = (terms.copy[..., None] - attended * terms.total_slope[..., None]) / terms.total[..., None]
    residual = expit(-(margin[..., None] + w[..., None] * attended))
    return (residual * attended) @ weights, w * ((residual * slope) @ weights)


def _broadcast(w: ArrayLike, beta: ArrayLike, margin: ArrayLike) -> tuple[Array, Array, Array]:
    arrays = (real("w", w), real("beta", beta), real("margin", margin))
    try:
        w, beta, margin = np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(
            f"Argument 'w' must broadcast against 'beta' and 'margin', but the shapes are {shapes}."
        ) from None
    return w, beta, margin
