"""What memory costs in-context learning: on novel items its logit is noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from .common.arguments import broadcast, real
from .contexts.labels import label_sum_nodes
from .task import Task


def interfered_accuracy(w: ArrayLike, beta: ArrayLike, spread: ArrayLike, task: Task) -> NDArray[np.float64]:
    """Accuracy of the whole network on novel items: P(w a + s_φ ξ > 0), ξ ~ N(0, 1).

        a = (m e^β + n)/Z,   Z = m e^β + (N − m) e^{β²/2D},   Var n = s² (N − m) e^{2β²/D}

    The memory φ of an item that it has not met has no sign, and the standard deviation s_φ: the circuit's accuracy is
    that of s_φ = 0. So ICL shows in the whole network only once w a has outgrown what memory has become, and K* of the
    whole network exceeds that of the circuit.

    Parameters
    ----------
    w, beta : array_like
        Readout weight and attention strength.
    spread : array_like, s_φ >= 0
        Standard deviation of the memory's logit over novel items.
    task : Task
        With i.i.d. labels and no rough scores.

    Returns
    -------
    array of the broadcast shape, in [0, 1]

    Raises
    ------
    ValueError
        If an argument is out of range, or the shapes do not broadcast.

    Source: docs/reduced_transformer.md.

    Examples
    --------
    >>> task = Task(context_length=50, dimension=63)
    >>> interfered_accuracy(4.0, 3.0, [0.0, 1.0, 4.0], task).round(3).tolist()
    [0.993, 0.844, 0.608]
    """
    w, beta, spread = broadcast(w=real("w", w), beta=real("beta", beta), spread=real("spread", spread, minimum=0.0))
    sums, weights = label_sum_nodes(task, nodes=80)
    others = task.context_length - task.copies
    top = task.copies * np.exp(beta)[..., None]
    lifted = np.exp(beta**2 / task.dimension)[..., None] * sums
    attended = (top + lifted) / (top + others * np.exp(0.5 * beta**2 / task.dimension)[..., None])
    logit = w[..., None] * attended
    with np.errstate(divide="ignore", invalid="ignore"):
        certain = np.where(logit == 0.0, 0.5, logit > 0.0)
        accuracy = np.where(spread[..., None] > 0.0, ndtr(logit / spread[..., None]), certain)
    return (accuracy * weights).sum(-1)
