"""IWL: what the network answers on training items without a copy of the target in the context."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from .common.arguments import broadcast, real, require
from .common.labels import by_name
from .contexts.attention import BETA_MAX, EXPONENT_MAX
from .contexts.labels import NODES, label_sum_nodes
from .task import Task

Array = NDArray[np.float64]


@by_name
def iwl_accuracy(w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike = 0.0) -> Array:
    """P(φ + w a > 0) = Φ(φ/(|w| δ)), a ~ N(0, δ²) the label attended to where none is the target's.

        δ = s e^{β²/2D} √N/(N + T e^{β − β²/2D})

    The overlaps are N(0, 1/D), so that e^{βx} has the mean square e^{2β²/D} about an average share of e^{β²/2D}: exact
    to leading order in 1/N, and bounded by a single label's s. For D → ∞ and T = 0, δ = s/√N. Labels are independent
    of each other, balanced or not: the context is drawn anew.

    Parameters
    ----------
    w, beta, margin : array_like
        Readout weight, attention strength, and the memory margin φ of an item. A memory with several margins is their
        average, with the weights of :meth:`iclrace.theory.Memory.margins`.
    task : Task
        With ``score_std`` = 0.

    Returns
    -------
    array of the broadcast shape, in [0, 1]
        1/2 where the logit is 0.

    Raises
    ------
    ValueError
        If an argument is not finite, shapes do not broadcast, or attention is rough.

    Source: docs/derivation.md, "accuracy"; paper, section 2.

    Examples
    --------
    >>> iwl_accuracy(1.0, 0.0, Task(context_length=100), [0.0, 0.1]).round(4).tolist()   # Φ(0), Φ(1)
    [0.5, 0.8413]
    """
    w, deviation, margin = _logit(w, beta, task, margin)
    spread = np.abs(w) * deviation
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(spread > 0.0, ndtr(margin / spread), 0.5 * (1.0 + np.sign(margin)))


@by_name
def iwl_loss(w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike = 0.0, *, nodes: int = NODES) -> Array:
    """E ln(1 + e^{−φ − w a}), a as in :func:`iwl_accuracy`, by ``nodes`` Hermite nodes.

    Arguments, what is returned (in nats) and errors as for :func:`iwl_accuracy`.

    Examples
    --------
    >>> round(float(iwl_loss(0.0, 0.0, Task(context_length=100))), 6)   # ln 2
    0.693147
    """
    w, deviation, margin = _logit(w, beta, task, margin)
    x, weight = label_sum_nodes(Task(2), nodes=nodes)  # of one label: a standard normal's
    return np.logaddexp(0.0, -(margin[..., None] + (w * deviation)[..., None] * x)) @ weight


def _logit(w: ArrayLike, beta: ArrayLike, task: Task, margin: ArrayLike) -> tuple[Array, Array, Array]:
    """w, δ and φ in their common shape."""
    require(not np.any(task.score_std), "task", "have score_std = 0 here", task)
    w, beta, margin, _ = broadcast(
        w=real("w", w), beta=real("beta", beta), margin=real("margin", margin), task=np.empty(task.shape)
    )
    beta = np.clip(beta, -BETA_MAX, BETA_MAX)
    exponent = np.minimum(0.5 * beta**2 / task.dimension, EXPONENT_MAX)
    present = np.exp(beta - exponent) if task.target_in_softmax else 0.0
    share = np.exp(exponent) * np.sqrt(task.context_length) / (task.context_length + present)
    return w, task.label_std * np.minimum(share, 1.0), margin
