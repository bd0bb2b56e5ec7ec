"""The population loss over (w, β, φ), with gradient and Hessian: the landscape on which the race is run."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from .common.elementwise import elementwise
from .common.labels import by_name
from .contexts.attention import Attended, ContextAverage, context_nodes
from .field import AVERAGED, averaged, flow, mean
from .task import Task

Array = NDArray[np.float64]


@by_name
@elementwise(**AVERAGED)
def population_loss(
    w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike = 0.0, **over: Unpack[ContextAverage]
) -> Array:
    """L = E_n ln(1 + e^{−u}), u = φ + w a, a = (m e^β + n)/Z.

    Parameters
    ----------
    w, beta, margin : array_like, any shapes that broadcast
        Readout weight, attention strength and memory margin φ.
    task : Task
    **over
        Which contexts the average is over: see :class:`ContextAverage`.

    Returns
    -------
    array of the broadcast shape, in nats

    Raises
    ------
    ValueError
        If an argument is not finite, or shapes do not broadcast.

    Source: docs/derivation.md, "population loss"; paper, section 4 and figure 4.

    Examples
    --------
    >>> round(float(population_loss(0.0, 0.0, Task(context_length=100))), 6)   # ln 2
    0.693147
    """

    def loss(w: Array, attended: Attended, margin: Array, weight: Array) -> tuple[Array, ...]:
        return (np.logaddexp(0.0, -(margin + w * attended.value)) @ weight,)

    return averaged(loss, w, beta, margin, task, context_nodes(task, **over))[0]


@by_name
@elementwise(**AVERAGED)
def loss_gradient(
    w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike = 0.0, **over: Unpack[ContextAverage]
) -> Array:
    """∂L/∂(w, β, φ) = −E_n[σ(−u) (a, w ∂a/∂β, 1)], of shape (..., 3); minus the first two is :func:`icl_field`.

    Arguments, errors and source as for :func:`population_loss`.

    Examples
    --------
    >>> loss_gradient(0.0, 0.0, Task(context_length=100)).round(12).tolist()
    [-0.005, 0.0, -0.5]
    """

    rates = flow(w, beta, task, margin, context_nodes(task, **over))
    return 0.0 - np.stack(rates, axis=-1)  # not −x: zero has no sign


@by_name
@elementwise(**AVERAGED)
def loss_hessian(
    w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike = 0.0, **over: Unpack[ContextAverage]
) -> Array:
    """∂²L/∂(w, β, φ)² = E_n[σ(u) σ(−u) ∇u ∇uᵀ − σ(−u) ∇²u], of shape (..., 3, 3).

    ∇u = (a, w ∂a/∂β, 1); of ∇²u only u_wβ = ∂a/∂β and u_ββ = w ∂²a/∂β² do not vanish. Arguments, errors and source as
    for :func:`population_loss`.

    Examples
    --------
    >>> hessian = loss_hessian(0.0, 0.0, Task(context_length=50, labels="balanced"))[:2, :2]
    >>> (-np.linalg.eigvalsh(hessian)).round(12).tolist()   # the saddle at β = 0
    [0.01, -0.01]
    """

    ww, wb, wf, bb, bf, ff = averaged(curvatures, w, beta, margin, task, context_nodes(task, **over))
    rows = [np.stack(row, axis=-1) for row in ((ww, wb, wf), (wb, bb, bf), (wf, bf, ff))]
    return np.stack(rows, axis=-2)


def curvatures(w: Array, attended: Attended, margin: Array, weight: Array) -> tuple[Array, ...]:
    """L_ww, L_wβ, L_wφ, L_ββ, L_βφ and L_φφ at points with the nodes along the last axis, without checks."""
    residual = expit(-(margin + w * attended.value))
    curvature = residual * (1.0 - residual)
    a, slope = attended.value, w * attended.slope
    ww = mean(curvature * a**2, weight)
    wb = mean(curvature * a * slope - residual * attended.slope, weight)
    with np.errstate(over="ignore", invalid="ignore"):  # w² a²: beyond float64 only where w itself nearly is
        bb = mean(curvature * slope * slope - residual * w * attended.curvature, weight)
    return ww, wb, mean(curvature * a, weight), bb, mean(curvature * slope, weight), mean(curvature, weight)
