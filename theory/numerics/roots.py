"""Root finding with one type: a float in, a float out."""

from collections.abc import Callable


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of ``function`` between ``low`` and ``high``, where it has opposite signs, to 1e-14."""
    from scipy.optimize import brentq  # a fifth of a second, which most callers of the theory need not spend

    return float(brentq(function, float(low), float(high), xtol=1e-14, rtol=1e-14))  # pyright: ignore[reportArgumentType]
