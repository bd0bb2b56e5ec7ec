"""Arrays with named dimensions: broadcast by name, matched by label, handed back the same way."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..task import Task
from .arguments import ArgumentError, named, numbers, require

P = ParamSpec("P")
R = TypeVar("R")


def aligned(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The DataArrays with the labels of every dimension in the order of the first that has it.

    Arrays that share a dimension must have the same labels on it, in whatever order: of a value whose partner is
    missing nothing can be computed. Raises ``ArgumentError`` that names the argument and the dimension.
    """
    labels: dict[Any, tuple[str, int, Any]] = {}
    matched = {}
    for name, array in arrays.items():
        for dim in array.dims:
            index = array.indexes.get(dim)
            if dim not in labels:
                labels[dim] = name, array.sizes[dim], index
                continue
            first, size, known = labels[dim]
            require(array.sizes[dim] == size, name, f"have as many values along {dim!r} as {first!r}, {size}",
                    array.sizes[dim])  # fmt: skip
            if index is None or known is None or index.equals(known):
                if known is None:
                    labels[dim] = first, size, index
                continue
            same = index.is_unique and known.is_unique and set(index) == set(known)
            require(same, name, f"have the labels of {first!r} along {dim!r}, {list(known)}", list(index))
            array = array.reindex({dim: known})
        matched[name] = array
    return matched


def common_dimensions(arrays: Sequence[Any]) -> tuple[dict[Any, int], dict[str, Any]]:
    """Dimensions of aligned DataArrays, in the order in which they are met, with their sizes; labels of those that
    have some."""
    sizes, coords = {}, {}
    for array in arrays:
        for dim in array.dims:
            sizes.setdefault(dim, array.sizes[dim])
            if dim in array.coords:
                coords.setdefault(str(dim), array.coords[dim].values)
    return sizes, coords


def values_in(name: str, array: Any, sizes: Mapping[Any, int], last: Sequence[Any] = ()) -> np.ndarray:
    """The numbers of a DataArray with its axes in the order of ``sizes``, of length 1 where it has none."""
    own = [dim for dim in sizes if dim in array.dims]
    values = numbers(name, array.transpose(*own, *last).values)
    return values.reshape(
        [array.sizes[dim] if dim in array.dims else 1 for dim in sizes] + [array.sizes[d] for d in last]
    )


def by_name(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of arrays that broadcast take DataArrays, and then return them.

    Their dimensions are matched by name and their labels by value (:func:`aligned`); beside them stand numbers alone.
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(map(named, args)) or any(map(named, kwargs.values())):
            return _labelled(function, args, kwargs)
        return function(*args, **kwargs)

    return wrapped


def _labelled(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    import xarray as xr

    bound = signature(function).bind(*args, **kwargs)
    arrays = aligned({name: value for name, value in bound.arguments.items() if named(value)})
    sizes, coords = common_dimensions(list(arrays.values()))
    for name, value in bound.arguments.items():
        if name in arrays:
            bound.arguments[name] = values_in(name, arrays[name], sizes) if arrays[name].ndim else arrays[name].values
        elif isinstance(value, Task):
            value.single()
        elif isinstance(value, list | tuple | np.ndarray):
            require(np.ndim(value) == 0, name, "be a DataArray or a single number beside other DataArrays", value)
    shape = tuple(sizes.values())

    def label(result: Any) -> Any:
        if isinstance(result, tuple):
            return tuple(map(label, result))
        if isinstance(result, dict):
            return {name: label(part).rename(name) for name, part in result.items()}
        if not isinstance(result, np.ndarray | np.generic):
            raise ArgumentError(f"Argument {next(iter(arrays))!r} must be a single number, but it is a DataArray.")
        extra = [f"{function.__name__}_{k}" for k in range(np.ndim(result) - len(shape))]
        return xr.DataArray(result, dims=[*sizes, *extra], coords=coords, name=function.__name__)

    return label(function(*bound.args, **bound.kwargs))
