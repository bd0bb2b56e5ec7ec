"""Initial states and parameters over common dimensions, without ever holding the product of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...theory.common.arguments import ArgumentError, named, numbers, real, require
from ...theory.common.arguments import broadcast as arrays_together
from ...theory.common.labels import aligned, common_dimensions, values_in

Array = NDArray[np.float64]

STATES = ("w", "beta", "memory")


@dataclass(frozen=True)
class Broadcast:
    """Arrays that broadcast to ``shape``, read off a flat range at a time."""

    shape: tuple[int, ...]
    dims: tuple[str, ...]
    coords: dict[str, Any]
    y0: Array
    parameters: dict[str, Array]

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def components(self) -> int:
        return self.y0.shape[-1]

    def chunk(self, part: slice) -> tuple[Array, dict[str, Array]]:
        """States (trajectory, component) and parameters (trajectory,) of a flat range; constants stay scalar."""
        shape = self.shape or (1,)
        index = part if len(shape) == 1 else np.unravel_index(np.arange(part.start, part.stop), shape)
        flat = {k: v[()] if v.ndim == 0 else np.broadcast_to(v, shape)[index] for k, v in self.parameters.items()}
        return np.broadcast_to(self.y0, (*shape, self.components))[index], flat


def broadcast(
    y0: ArrayLike, checked: Mapping[str, Array], given: Mapping[str, ArrayLike], dims: Sequence[str] | None
) -> Broadcast:
    """Align by name and label where arrays have names, by position otherwise; ``y0`` is checked, or has names."""
    strings = dims is None or (isinstance(dims, list | tuple) and all(isinstance(dim, str) for dim in dims))
    require(strings, "dims", "be a sequence of strings", dims)
    if named(y0) or any(named(value) for value in given.values()):
        return _by_name(y0, given, dims)
    state = np.asarray(y0, dtype=np.float64)
    shapes = {"y0": state.shape[:-1], **{name: array.shape for name, array in checked.items()}}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        stated = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ArgumentError(
            f"Argument 'parameters' must broadcast against 'y0', but the shapes are {stated}."
        ) from None
    names = tuple(dims) if dims is not None else tuple(f"dim_{k}" for k in range(len(shape)))
    require(len(names) == len(shape), "dims", f"name {len(shape)} dimensions", names)
    return Broadcast(shape, names, {}, state, dict(checked))


def states_last(y0: ArrayLike) -> Any:
    """The states as they were given, or those of a DataArray along its last axis, in the order w, β, memory.

    They stand along its dimension "state", or along its last one if it has none of that name; if they are labelled, the
    labels are their names.
    """
    if not named(y0):
        return y0
    array: Any = y0
    require(array.ndim >= 1, "y0", "have a dimension of states", array.dims)
    last = "state" if "state" in array.dims else array.dims[-1]
    array = array.transpose(..., last)
    labels = list(array.indexes.get(last, []))
    if any(isinstance(label, str) for label in labels):
        order = list(STATES[: len(labels)])
        require(sorted(labels) == sorted(order), "y0", f"have the states {', '.join(order)}", labels)
        array = array.sel({last: order})
    return array


def initial_states(beta0: ArrayLike, w0: ArrayLike) -> Any:
    """States (w0, β0) of the common shape, with names where one of the two has them."""
    given: dict[str, Any] = {"w0": w0, "beta0": beta0}
    if not any(map(named, given.values())):
        w, beta = arrays_together(w0=real("w0", w0), beta0=real("beta0", beta0))
        return np.stack([w, beta], axis=-1)
    import xarray as xr

    for name, value in given.items():
        alone = named(value) or np.ndim(value) == 0
        require(alone, name, "be a DataArray or a single number beside other DataArrays", np.shape(value))
    matched = aligned(
        {name: value if named(value) else xr.DataArray(real(name, value)) for name, value in given.items()}
    )
    sizes, coords = common_dimensions(list(matched.values()))
    w, beta = np.broadcast_arrays(*(values_in(name, array, sizes) for name, array in matched.items()))
    return xr.DataArray(np.stack([w, beta], axis=-1), dims=[*sizes, "state"], coords=coords)


def _by_name(y0: ArrayLike, given: Mapping[str, ArrayLike], dims: Sequence[str] | None) -> Broadcast:
    import xarray as xr

    plain = [*(dims or [f"dim_{k}" for k in range(np.ndim(y0) - 1)]), "state"]
    if not named(y0):
        require(len(plain) == np.ndim(y0), "dims", f"name {np.ndim(y0) - 1} dimensions", dims)
    state: Any = states_last(y0) if named(y0) else xr.DataArray(numbers("y0", y0), dims=plain)
    last = state.dims[-1]
    arrays = {"y0": state.isel({last: 0}, drop=True)}
    for name, value in given.items():
        alone = named(value) or np.ndim(value) == 0
        require(alone, name, "be a DataArray or a single number beside other DataArrays", np.shape(value))
        arrays[name] = value if named(value) else xr.DataArray(numbers(name, value))
    arrays = aligned(arrays)
    sizes, coords = common_dimensions(list(arrays.values()))
    parameters = {
        name: values_in(name, array, sizes) if array.ndim else numbers(name, array.values)
        for name, array in arrays.items()
        if name != "y0"
    }
    states = values_in("y0", state, sizes, (last,))
    return Broadcast(tuple(sizes.values()), tuple(map(str, sizes)), coords, states, parameters)
