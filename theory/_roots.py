"""Root finding with one type: a float in, a float out."""

from collections.abc import Callable

from scipy.optimize import brentq


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of ``function`` between ``low`` and ``high``, where it has opposite signs, to 1e-14."""
    return float(brentq(function, float(low), float(high), xtol=1e-14, rtol=1e-14))  # pyright: ignore[reportArgumentType]
