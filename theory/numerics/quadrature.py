"""Gaussian quadrature, its nodes kept: making them takes longer than most of the integrals do."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Points × nodes that an average is taken of at a time: half a MiB per temporary array, so that the few of them stay
#: in a core's cache.
AT_A_TIME = 2**16


@lru_cache
def legendre(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes on (−1, 1) and weights."""
    return _kept(*np.polynomial.legendre.leggauss(nodes))


@lru_cache
def hermite(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes of a standard normal variable and their probabilities."""
    x, weight = np.polynomial.hermite_e.hermegauss(nodes)
    return _kept(x, weight / weight.sum())


def _kept(x: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for array in (x, weight):
        array.setflags(write=False)  # all callers share them
    return x, weight
