"""Items that are not Gaussian: the dimension that their overlaps have in the theory."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from ..common.arguments import number, real, require

#: Rows of the table of overlaps that are held at once.
_ROWS = 512


def effective_dimension(items: ArrayLike, beta: float) -> float:
    """The D at which Gaussian items give the N − 1 other terms of Z the same mean as these items.

        ⟨e^{βx·x′}⟩ = e^{β²/(2D)},   so   D = β²/(2 ln⟨e^{βx·x′}⟩),   averaged over pairs of different items

    For x·x′ of variance v and mean 0 it tends to 1/v as β → 0; the tail of the overlaps makes it smaller at a greater
    β. Use it as ``Task(dimension=…)`` at the β of the question: ln(1.645 √N) for t_ICL from a flat start.

    Parameters
    ----------
    items : array (R, D), R >= 2
        Scaled so that |x|² is 1 on average, as the theory's are.
    beta : float, not 0

    Returns
    -------
    float
        Infinite where the mean is not above 1: the items then repel each other.

    Raises
    ------
    ValueError
        If ``items`` has another shape or holds what is not finite, or ``beta`` is 0.

    Source: docs/derivation.md, finite dimension.

    Examples
    --------
    >>> items = np.random.default_rng(0).normal(size=(2000, 63)) / 63**0.5
    >>> round(effective_dimension(items, beta=2.5))
    63
    """
    x = real("items", items)
    require(x.ndim == 2 and len(x) >= 2, "items", "have shape (R, D) with two or more rows", x.shape)
    beta = number("beta", beta)
    require(beta != 0, "beta", "not be 0", beta)
    parts = []
    for start in range(0, len(x), _ROWS):
        scores = beta * (x[start : start + _ROWS] @ x.T)
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -math.inf
        parts.append(logsumexp(scores))
    mean = float(logsumexp(parts)) - math.log(len(x)) - math.log(len(x) - 1)
    return beta**2 / (2 * mean) if mean > 0 else math.inf
