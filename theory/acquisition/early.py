"""The early race followed exactly, not only to its end: trajectory, constant of motion, and time along it.

With Y = w − κ e^{−β} the early system reads dY/dτ = e^β, dβ/dY = w, and

    C = e^{β − Y²/2} − κ √(2π) Φ(Y)

is conserved, so that e^β = C e^{Y²/2} + κ M(−Y), w = Y + κ e^{−β} and κ τ = β − β0 − (Y² − Y0²)/2.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from .mills import log_mills_ratio, mills_ratio

Array = NDArray[np.float64]

ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
#: κ e^{−β} up to which Y is formed. Long before, e^{−Y²/2} is 0 in float64: the whole path lies on the slow manifold.
_PULL_MAX = 1e150


class EarlyPath(NamedTuple):
    """A trajectory of the early system: its start and the drag κ >= 0, in arrays of one shape (or one drag for all)."""

    beta0: Array
    w0: Array
    drag: Array | float

    @property
    def start(self) -> Array:
        """Y0 = w0 − κ e^{−β0}."""
        return self.w0 - np.minimum(self.drag * np.exp(np.minimum(-self.beta0, 700.0)), _PULL_MAX)

    @property
    def constant(self) -> Array:
        """C, shaped like the start."""
        start = self.start
        return np.exp(np.minimum(self.beta0, 700.0) - 0.5 * start**2) - self.drag * ROOT_TWO_PI * ndtr(start)


def beta_along(path_parameter: Array, constant: Array, drag: Array | float) -> Array:
    """β(Y) = ln[C e^{Y²/2} + κ M(−Y)], for any value of the "constant", so that it may vary."""
    y = np.clip(path_parameter, -1e150, 36.0)  # e^{36²/2} is at the edge of float64; acquisition lies far below
    with np.errstate(under="ignore"):
        attraction = constant * np.exp(0.5 * y**2 * (y > -36.0)) * (y > -36.0) + drag * mills_ratio(-y)
    return np.log(np.maximum(attraction, 1e-300))


def weight_along(path_parameter: Array, beta: Array, drag: Array | float) -> Array:
    """w = Y + κ e^{−β}."""
    return path_parameter + drag * np.exp(-beta)


def clock_along(path: EarlyPath, path_parameter: Array) -> Array:
    """τ(Y) = ln[1 + κ e^{−β0 + Y0²/2} √(2π) (Φ(Y) − Φ(Y0))]/κ, and its limit for κ → 0.

    Formed as M(−Y0) Φ-differences in logarithms: e^{Y0²/2} alone overflows where the drag dominates.
    """
    start = path.start
    # e^{Y0²/2} √(2π) [Φ(Y) − Φ(Y0)] = e^{(Y0² − Y²)/2} M(−Y) − M(−Y0)
    with np.errstate(over="ignore", under="ignore"):
        log_grown = 0.5 * (start**2 - path_parameter**2) + log_mills_ratio(-path_parameter)
        ratio = np.exp(np.minimum(log_mills_ratio(-start) - log_grown, 0.0))
        log_sum = log_grown + np.log1p(-ratio * (ratio < 1.0)) - path.beta0
        log_sum = np.where(ratio < 1.0, log_sum, -np.inf)
        free = np.equal(path.drag, 0.0)
        drag = np.where(free, 1.0, path.drag)
        return np.where(free, np.exp(log_sum), np.logaddexp(0.0, np.log(drag) + log_sum) / drag)


def turning_point(path: EarlyPath) -> Array:
    """The Y from which on w >= 0: Y0 itself for w0 >= 0, else the root of Y + κ e^{−β(Y)}, by bisection."""
    low, constant = path.start, path.constant
    high = np.maximum(low, 0.0)  # w = Y + κ e^{−β} is not negative there
    for _ in range(100):
        middle = 0.5 * (low + high)
        negative = weight_along(middle, beta_along(middle, constant, path.drag), path.drag) < 0.0
        low, high = np.where(negative, middle, low), np.where(negative, high, middle)
    return np.where(path.w0 >= 0.0, path.start, high)


def reaching(path: EarlyPath, beta: Array | float) -> Array:
    """The Y at which β is reached with w >= 0; the turning point where β is there already."""
    constant, low = path.constant, turning_point(path)
    # dβ/dY = w >= Y gives β(Y) >= β_low + (Y² − Y_low²)/2 for Y >= 0
    gap = np.maximum(beta - beta_along(low, constant, path.drag), 0.0)
    high = np.sqrt(np.maximum(low, 0.0) ** 2 + 2.0 * gap) + 1e-12
    for _ in range(100):
        middle = 0.5 * (low + high)
        below = beta_along(middle, constant, path.drag) < beta
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low
