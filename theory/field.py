"""The averaged gradient flow of the ICL parameters (w, β): the right-hand side that everything else solves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from .common.arguments import broadcast, real
from .common.elementwise import elementwise
from .common.labels import by_name
from .contexts.attention import Attended, ContextAverage, ContextNodes, attended_label, context_nodes
from .numerics.quadrature import AT_A_TIME
from .task import Task

Array = NDArray[np.float64]


def _many_nodes(given: dict[str, Any]) -> bool:
    """Whether the average takes so many nodes that points are better interpolated: repeated items, rough scores."""
    return bool(given.get("over", {}).get("repeats", False)) or bool(np.any(given["task"].score_std))


#: How averages over contexts take arrays.
AVERAGED: dict[str, Any] = {
    "arrays": ("w", "beta", "margin"),
    "smooth": ("context_length", "task_diversity", "dimension", "label_std", "score_std", "w", "beta", "margin"),
    "costly": _many_nodes,
    "first": 2,
}


@by_name
@elementwise(**AVERAGED)
def icl_field(
    w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike = 0.0, **over: Unpack[ContextAverage]
) -> tuple[Array, Array]:
    """Gradient flow of the population loss, without weight decay.

        u = φ + w a,   a = (m e^β + n)/Z,   Z = (m + T) e^β + (N − m) e^{β²/2D}
        dw/dt = E_n[σ(−u) a],     dβ/dt = E_n[σ(−u) w ∂a/∂β]

    For D → ∞ and one copy, ∂a/∂β = e^β (N − 1 − n)/Z². With ``repeats`` the copies are averaged over as K items bring
    them (:func:`copies_distribution`): ⟨m⟩ = 1 + (N − 1)/K for one copy, and the others, among which the target is not,
    lean against its label, ⟨n⟩ = −(⟨m⟩ − 1). With balanced labels, copies run up to N/2 and n = −m.

    Parameters
    ----------
    w, beta : array_like, any shapes that broadcast
        Readout weight w and attention strength β.
    task : Task
        ``task_diversity`` counts with ``repeats`` alone: the memory enters through ``margin``.
    margin : array_like
        Memory margin φ; 0 for K → ∞.
    **over
        Which contexts the average is over: see :class:`ContextAverage`.

    Returns
    -------
    dw, dbeta : arrays of the broadcast shape
        Rates per unit of gradient-flow time.

    Raises
    ------
    ValueError
        If an argument is not finite, or shapes do not broadcast; with ``repeats`` if K = 1, or attention is rough.

    Source: docs/derivation.md, "averaged gradient flow", "repeated items and skewed frequencies"; paper, section 4.

    Examples
    --------
    >>> dw, dbeta = icl_field(0.0, 0.0, Task(context_length=100))
    >>> round(float(dw), 12), float(dbeta)   # σ(0) e^0 / N, and no force on β while w = 0
    (0.005, 0.0)
    >>> dw, _ = icl_field(0.0, [0.0, 1e-3], Task(context_length=100, task_diversity=100), repeats=True)
    >>> (200 * dw).round(3).tolist(), round(float(np.diff(200 * dw)[0] / 1e-3), 1)   # ⟨m⟩ = 1.99
    ([1.0, 1.002], 2.0)
    """

    dw, dbeta, _ = flow(w, beta, task, margin, context_nodes(task, **over))
    return dw, dbeta


@by_name
@elementwise(**AVERAGED)
def mean_residual(
    w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike = 0.0, **over: Unpack[ContextAverage]
) -> Array:
    """E_n[σ(−φ − w a)]: the residual that drives the memory, dφ/dt = r_K (1 + φ/p)^q E_n[σ(−u)].

    Arguments, errors and source as for :func:`icl_field`.

    Examples
    --------
    >>> round(float(mean_residual(0.0, 1.0, Task(context_length=100))), 12)
    0.5
    """

    return flow(w, beta, task, margin, context_nodes(task, **over))[2]


def flow(w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike, context: ContextNodes) -> tuple[Array, ...]:
    """−∂L/∂(w, β, φ) = E_n[σ(−u) (a, w ∂a/∂β, 1)]: the flow of w and β, and the residual that drives the memory."""

    return averaged(force, w, beta, margin, task, context)


def force(w: Array, attended: Attended, margin: Array | float, weight: Array) -> tuple[Array, ...]:
    """What :func:`flow` averages, at points with the nodes along the last axis, and without checks."""
    residual = expit(-(margin + w * attended.value))
    turn = w[..., 0] * mean(residual * attended.slope, weight)
    return mean(residual * attended.value, weight), turn, mean(residual, weight)


def mean(values: Array, weight: Array) -> Array:
    """The average over nodes, the last axis, whose weights are the same for all points or each point's own."""
    return values @ weight if weight.ndim == 1 else np.einsum("pn,pn->p", values, weight)


def averaged(
    function: Callable[[Array, Attended, Array, Array], tuple[Array, ...]],
    w: ArrayLike,
    beta: ArrayLike,
    margin: ArrayLike,
    task: Task,
    context: ContextNodes,
) -> tuple[Array, ...]:
    """``function(w, attended, margin, weight)`` over broadcast points, the nodes last, in chunks of bounded memory."""
    w, beta, margin = broadcast(w=real("w", w), beta=real("beta", beta), margin=real("margin", margin))
    step = max(1, AT_A_TIME // context.weight.size)
    flat = [array.ravel() for array in (w, beta, margin)]
    parts = []
    for start in range(0, max(w.size, 1), step):
        w_part, beta_part, margin_part = (array[start : start + step] for array in flat)
        attended = attended_label(beta_part, task, context)
        with np.errstate(over="ignore"):  # w a beyond what a float holds is a residual of 0 or 1 as it is below
            parts.append(function(w_part[:, None], attended, margin_part[:, None], context.weight))
    return tuple(np.concatenate(columns, axis=-1).reshape(w.shape) for columns in zip(*parts, strict=True))
