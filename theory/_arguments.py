"""One way to refuse a bad argument: a ``ValueError`` that names it, what it must be, and what it was."""

from numbers import Integral
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
    except (TypeError, ValueError, OverflowError):
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


def number(
    argument: str,
    value: object,
    *,
    minimum: float = -np.inf,
    maximum: float = np.inf,
    exclusive: bool = False,
    finite: bool = True,
) -> float:
    """:func:`real` for an argument that does not broadcast: one number, as a float."""
    array = real(argument, value, minimum=minimum, maximum=maximum, exclusive=exclusive, finite=finite)
    require(array.ndim == 0, argument, "be a single number", value)
    return float(array)


def integer(argument: str, value: object, *, minimum: int) -> int:
    """``value`` as an int, whether it is Python's or numpy's."""
    require(is_integer(value) and value >= minimum, argument, f"be an integer >= {minimum}", value)  # pyright: ignore[reportOperatorIssue]
    return int(value)  # pyright: ignore[reportArgumentType]


def is_integer(value: object) -> bool:
    """Whether ``value`` is an integer of Python or numpy, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def broadcast(**arrays: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """The arrays in their common shape; the first that does not fit those before it is named."""
    shape: tuple[int, ...] = ()
    for name, array in arrays.items():
        try:
            shape = np.broadcast_shapes(shape, array.shape)
        except ValueError:
            others = ", ".join(other for other in arrays if other != name)
            raise ArgumentError(
                f"Argument {name!r} must have a shape that broadcasts with {others}, but it is {array.shape} "
                f"against {shape}."
            ) from None
    return tuple(np.broadcast_to(array, shape) for array in arrays.values())
