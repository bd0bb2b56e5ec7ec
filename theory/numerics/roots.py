"""Root finding with one type: a float in, a float out; or many roots at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of ``function`` between ``low`` and ``high``, where it has opposite signs, to 1e-14."""
    from scipy.optimize import brentq  # a fifth of a second, which most callers of the theory need not spend

    return float(brentq(function, float(low), float(high), xtol=1e-14, rtol=1e-14))  # pyright: ignore[reportArgumentType]


def roots(function: Callable[[Array, NDArray[np.intp]], Array], low: Array, high: Array, xatol: float = 1e-14) -> Array:
    """The roots of ``function(x, point)`` between ``low`` and ``high``, flat arrays, to ``xatol`` or 1e-14 of x.

    ``point`` are indices of those that are looked for still. The function has opposite signs at both ends.
    """
    from scipy.optimize.elementwise import find_root  # a fifth of a second, as above

    if low.size == 0:
        return low.copy()
    tolerances: Any = {"xatol": xatol, "xrtol": 1e-14, "fatol": 0.0}

    def of(x: Array, point: Array) -> Array:
        return function(x, point.astype(np.intp))

    return find_root(of, (low, high), args=(np.arange(low.size),), tolerances=tolerances).x
