"""ICL accuracy of the reduced model, and the attention strength at which it reaches a level."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from ._arguments import broadcast, number, real
from ._labels import by_name
from ._roots import root
from .attention import BETA_MAX
from .balanced import balanced_accuracy, balanced_acquired_beta
from .rough_draws import rough_accuracy
from .task import Task

#: Accuracy that counts as having acquired ICL (paper, section 2 and appendix A).
ACQUIRED = 0.95


@by_name
def icl_accuracy(w: ArrayLike, beta: ArrayLike, task: Task) -> NDArray[np.float64]:
    """P(w (m e^β + n) > 0) = Φ(m e^β / (s √(N − m))) for w > 0, one minus that for w < 0, and 1/2 for w = 0.

    Balanced contexts have n = −m, so that the sign of w (e^β − 1) decides alone for D → ∞, and the overlaps' spread at
    finite D: see :func:`iclrace.theory.balanced.balanced_accuracy`. Rough attention averages Φ over its scores.

    Parameters
    ----------
    w, beta : array_like
        Readout weight and attention strength.
    task : Task

    Returns
    -------
    array of the broadcast shape, in [0, 1]

    Raises
    ------
    ValueError
        If w or β is not finite, or their shapes do not broadcast.

    Source: docs/derivation.md, "accuracy"; paper, section 4.

    Examples
    --------
    >>> task = Task(context_length=100)
    >>> round(float(icl_accuracy(1.0, acquired_beta(task), task)), 12)
    0.95
    """
    w, beta = broadcast(w=real("w", w), beta=np.clip(real("beta", beta), -BETA_MAX, BETA_MAX))
    if task.score_std > 0.0:
        return 0.5 + np.sign(w) * (rough_accuracy(beta, task) - 0.5)
    if task.labels == "balanced":
        return 0.5 + np.sign(w) * (balanced_accuracy(beta, task) - 0.5)
    signal = task.copies * np.exp(beta)
    noise = task.label_std * math.sqrt(task.context_length - task.copies)
    correct = ndtr(signal / noise) if noise > 0 else np.ones_like(signal)
    return 0.5 + np.sign(w) * (correct - 0.5)


def acquired_beta(task: Task, accuracy: float = ACQUIRED) -> float:
    """β at which ICL accuracy reaches ``accuracy`` for w > 0: e^β = Φ⁻¹(accuracy) s √(N − m)/m.

    Balanced contexts reach every level as β passes 0 for D → ∞, later at finite D; s = 0 has every level at any β, so
    −inf is returned.

    Parameters
    ----------
    task : Task
    accuracy : float in (1/2, 1)

    Raises
    ------
    ValueError
        If ``accuracy`` lies outside (1/2, 1).

    Source: docs/derivation.md, "accuracy".

    Examples
    --------
    >>> round(math.exp(acquired_beta(Task(context_length=101))), 3)   # 1.645 √(N − 1)
    16.449
    """
    accuracy = number("accuracy", accuracy, minimum=0.5, maximum=1.0, exclusive=True)
    if task.score_std > 0.0:
        return root(lambda beta: float(rough_accuracy(np.array(beta), task)) - accuracy, -50.0, 50.0)
    if task.labels == "balanced":
        return balanced_acquired_beta(task, accuracy)
    if task.label_std == 0.0:
        return -math.inf
    return math.log(ndtri(accuracy) * task.label_std * math.sqrt(task.context_length - task.copies) / task.copies)
