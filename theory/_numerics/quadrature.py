"""Gauss–Legendre quadrature, its nodes kept: making them takes longer than most of the integrals do."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache
def legendre(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes on (−1, 1) and weights."""
    x, weight = np.polynomial.legendre.leggauss(nodes)
    for array in (x, weight):
        array.setflags(write=False)  # all callers share them
    return x, weight
