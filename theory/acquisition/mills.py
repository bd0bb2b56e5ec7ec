"""The Mills ratio: acquisition clock of the drag-free race."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, log_ndtr

from ..common.arguments import real
from ..common.labels import by_name


@by_name
def mills_ratio(x: ArrayLike) -> NDArray[np.float64]:
    """M(x) = √(π/2) e^{x²/2} erfc(x/√2) = ∫_0^∞ e^{−xy − y²/2} dy.

    Parameters
    ----------
    x : array_like
        Any real number. Below x ≈ −37.6 the value exceeds float64 and is returned as ``inf``
        (:func:`log_mills_ratio` stays finite).

    Returns
    -------
    array shaped like ``x``, positive, relative error below 1e-12 for |x| <= 30

    Raises
    ------
    ValueError
        If an entry is not a finite number.

    Source: docs/derivation.md, "solution without drag"; paper, section 4.

    Examples
    --------
    >>> round(float(mills_ratio(0.0)), 12)   # √(π/2)
    1.253314137316
    """
    return math.sqrt(math.pi / 2.0) * erfcx(real("x", x) / math.sqrt(2.0))


@by_name
def log_mills_ratio(x: ArrayLike) -> NDArray[np.float64]:
    """ln M(x) = x²/2 + ln √(2π) + ln Φ(−x) for x < 0, else ln of :func:`mills_ratio`; for |x| < 1.3e154.

    Parameters, errors and source as for :func:`mills_ratio`.

    Examples
    --------
    >>> round(float(log_mills_ratio(-100.0)), 6)   # x²/2 + ln √(2π)
    5000.918939
    """
    x = real("x", x, minimum=-1.3e154, maximum=1.3e154)
    negative = np.minimum(x, 0.0)
    left = 0.5 * negative**2 + 0.5 * math.log(2.0 * math.pi) + log_ndtr(-negative)
    right = np.log(math.sqrt(math.pi / 2.0) * erfcx(np.maximum(x, 0.0) / math.sqrt(2.0)))
    return np.where(x < 0.0, left, right)
