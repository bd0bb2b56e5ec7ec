"""One way to refuse a bad argument: a ``ValueError`` that names it, what it must be, and what it was."""

import math
import os
from collections.abc import Iterable
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


def choice(argument: str, value: Any, known: Iterable[str], *, otherwise: str = "") -> None:
    """Refuse what is none of the names in ``known``, with the name that was probably meant.

    ``otherwise`` tells what else the argument may be.
    """
    names = list(known)
    if isinstance(value, str) and value in names:
        return
    import difflib

    near = difflib.get_close_matches(str(value), names, n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    listed = f"be one of {', '.join(names)}{f' or {otherwise}' if otherwise else ''}"
    raise ArgumentError(f"Argument {argument!r} must {listed}, but it is {value!r}.{meant}")


def named(value: object) -> bool:
    """Whether ``value`` is a DataArray, asked without importing xarray."""
    return hasattr(value, "dims") and hasattr(value, "coords")


def numbers(argument: str, value: object) -> NDArray[np.float64]:
    """``value`` as a float64 array, where numpy would make numbers of what is none or forget what belongs to them.

    Refused by name: masked values (the number under a mask is not one), complex numbers (their imaginary part would
    be dropped), strings, dates and durations, structured arrays, ragged ones, and arrays with named dimensions, which
    are broadcast by name before they get here (:mod:`.labels`). Every public function takes its numbers through here.
    """
    what = _no_numbers(value)
    if what is None and named(value) and getattr(value, "ndim", 0) > 0:
        what = "an array with named dimensions, which this argument would take by position (give its .values)"
    array = None
    if what is None:
        try:
            array = np.asarray(value)
            what = _no_numbers(array)
            array = None if what else array.astype(np.float64)
        except OverflowError:
            what = "an integer beyond what a float holds"
        except (TypeError, ValueError, RuntimeError):
            what = repr(value)
    if what is not None or array is None:
        raise ArgumentError(f"Argument {argument!r} must be a real number or an array of them, but it is {what}.")
    return array


_KINDS = {"c": "complex", "U": "a string", "S": "a byte string", "M": "a date", "m": "a duration", "V": "structured"}


def _no_numbers(value: object) -> str | None:
    """What ``value`` is, if numpy would convert it to floats although it holds no real numbers; None if it does."""
    if isinstance(value, np.ma.MaskedArray):
        return "masked"
    if isinstance(value, str | bytes):
        return f"the string {value!r}"
    dtype = getattr(value, "dtype", None)
    kind = dtype.kind if isinstance(dtype, np.dtype) else "O"
    if kind != "O":
        return _KINDS.get(kind)
    if isinstance(value, np.ndarray):
        return next(filter(None, map(_no_numbers, value.ravel())), None)
    if isinstance(value, list | tuple):  # numpy forgets the masks of what a list holds
        return _first_masked(value)
    return None


def _first_masked(values: Iterable[object]) -> str | None:
    for value in values:
        if isinstance(value, np.ma.MaskedArray) or (isinstance(value, list | tuple) and _first_masked(value)):
            return "masked"
    return None


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

    ``exclusive`` excludes the two ends; ``finite=False`` admits infinities inside the range. NaN is always refused, and
    so is all that :func:`numbers` refuses.
    """
    if _plain(value, minimum, maximum, exclusive, finite):
        return np.asarray(value, dtype=np.float64)
    array = numbers(argument, value)
    good = np.isfinite(array) if finite else ~np.isnan(array)
    if not finite or minimum > -math.inf or maximum < math.inf:
        good &= (array > minimum) & (array < maximum) if exclusive else (array >= minimum) & (array <= maximum)
    if not good.all():
        bounds = f"({minimum:g}, {maximum:g})" if exclusive else f"[{minimum:g}, {maximum:g}]"
        first = array[~good].flat[0] if array.ndim else array.item()
        raise ArgumentError(
            f"Argument {argument!r} must be {'finite and ' if finite else ''}in {bounds}, but it is {first}."
        )
    return array


def _plain(value: Any, minimum: float, maximum: float, exclusive: bool, finite: bool) -> bool:
    """Whether it is Python's own number and in range: most are, and there is nothing more to ask of them."""
    if type(value) is not float and (type(value) is not int or abs(value) >= 2**53):
        return False
    inside = minimum < value < maximum if exclusive else minimum <= value <= maximum
    return inside and (math.isfinite(value) or not finite)


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
    if _plain(value, minimum, maximum, exclusive, finite):
        return float(value)  # pyright: ignore[reportArgumentType]
    array = real(argument, value, minimum=minimum, maximum=maximum, exclusive=exclusive, finite=finite)
    require(array.ndim == 0, argument, "be a single number", value)
    return float(array)


def probability(argument: str, value: object) -> float:
    """One number between 0 and 1, neither of which it is."""
    return number(argument, value, minimum=0.0, maximum=1.0, exclusive=True)


def instance(argument: str, value: object, kind: type, article: str = "a") -> None:
    """Refuse what is no object of a class, by the class's name."""
    kept = value if isinstance(value, str | int | float | None) else type(value)
    require(isinstance(value, kind), argument, f"be {article} {kind.__name__}", kept)


def integer(argument: str, value: object, *, minimum: int) -> int:
    """``value`` as an int, whether it is Python's or numpy's."""
    require(is_integer(value) and value >= minimum, argument, f"be an integer >= {minimum}", value)  # pyright: ignore[reportOperatorIssue]
    return int(value)  # pyright: ignore[reportArgumentType]


def python_number(value: Any) -> Any:
    """A scalar of numpy's as the Python number that it is; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def installed_memory() -> float:
    """Bytes of memory that this machine has; ``inf`` where the system does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def within_memory(least: float, **sizes: float) -> None:
    """Refuse work that must hold ``least`` bytes at once where the machine has fewer: it could only fail later.

    The greatest of the ``sizes``, by their arguments' names, that these bytes are in proportion to is named.
    """
    name = max(sizes, key=lambda size: sizes[size])
    there = installed_memory()
    must = f"be smaller: {least / 2**30:.3g} GiB would be held at least, of {there / 2**30:.3g} that this machine has"
    require(least <= there, name, must, sizes[name])


def is_integer(value: object) -> bool:
    """Whether ``value`` is an integer of Python or numpy, and no truth value."""
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))


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
