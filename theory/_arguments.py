"""One way to refuse a bad argument: a ``ValueError`` that names it, what it must be, and what it was."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class ArgumentError(ValueError):
    """An argument outside its range; the message names it."""


def require(condition: Any, argument: str, must: str, value: object) -> None:
    """Raise ``ArgumentError("Argument `argument` must `must`, but it is `value`")`` unless ``condition`` holds."""
    if not condition:
        raise ArgumentError(f"Argument {argument!r} must {must}, but it is {value!r}.")


def real(
    argument: str,
    value: object,
    *,
    minimum: float = -np.inf,
    maximum: float = np.inf,
    exclusive: bool = False,
    finite: bool = True,
) -> NDArray[np.float64]:
    """``value`` as a float64 array whose entries are all numbers in the stated range.

    ``exclusive`` excludes the two ends; ``finite=False`` admits infinities inside the range. NaN is always refused.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"Argument {argument!r} must be a real number or an array of them, but it is {value!r}."
        ) from None
    bounds = f"({minimum:g}, {maximum:g})" if exclusive else f"[{minimum:g}, {maximum:g}]"
    inside = (array > minimum) & (array < maximum) if exclusive else (array >= minimum) & (array <= maximum)
    good = inside & (np.isfinite(array) if finite else ~np.isnan(array))
    if not np.all(good):
        first = array[~good].flat[0] if array.ndim else array.item()
        raise ArgumentError(
            f"Argument {argument!r} must be {'finite and ' if finite else ''}in {bounds}, but it is {first}."
        )
    return array
