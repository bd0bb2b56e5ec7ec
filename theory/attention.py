"""The softmax of the minimal model, averaged over the other items: copy term, normalisation and their β-derivatives."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .task import Task

#: e^β overflows beyond 709; attention is saturated long before, so β is clipped here and no result changes.
BETA_MAX = 300.0
#: e^{β²/2D} is clipped at the same magnitude, so that ratios of the two stay finite.
EXPONENT_MAX = 600.0


class SoftmaxTerms(NamedTuple):
    """Numerator and normalisation of the copy's attention, each shaped like β.

    ``copy`` = m e^β, ``total`` = Z, ``total_slope`` = dZ/dβ, ``total_curvature`` = d²Z/dβ².
    """

    copy: NDArray[np.float64]
    total: NDArray[np.float64]
    total_slope: NDArray[np.float64]
    total_curvature: NDArray[np.float64]


def softmax_terms(beta: NDArray[np.float64], task: Task) -> SoftmaxTerms:
    """Z = (m + T) e^β + (N − m) e^{β²/2D}, with T = 1 if the target takes part in the softmax and 0 otherwise.

    The overlap of two distinct items is N(0, 1/D), so e^{β x_T·x_j} averages to e^{β²/2D}; Z is replaced by its
    average, which is exact for D → ∞ and leaves out its O(1/√(DN)) fluctuation at finite D.
    """
    beta = np.clip(beta, -BETA_MAX, BETA_MAX)
    half = 0.5 / task.dimension
    match = np.exp(beta)
    others = (task.context_length - task.copies) * np.exp(np.minimum(half * beta**2, EXPONENT_MAX))
    present = task.copies + (1.0 if task.target_in_softmax else 0.0)
    slope = 2.0 * half * beta
    return SoftmaxTerms(
        copy=task.copies * match,
        total=present * match + others,
        total_slope=present * match + slope * others,
        total_curvature=present * match + (slope**2 + 2.0 * half) * others,
    )
