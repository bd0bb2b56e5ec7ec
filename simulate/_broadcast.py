"""Initial states and parameters over common dimensions, without ever holding the product of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..theory._arguments import real, require

Array = NDArray[np.float64]


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
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def components(self) -> int:
        return self.y0.shape[-1]

    def chunk(self, part: slice) -> tuple[Array, dict[str, Array]]:
        """States (trajectory, component) and parameters (trajectory,) of a flat range; constants stay scalar."""
        shape = self.shape or (1,)
        index = np.unravel_index(np.arange(part.start, part.stop), shape)
        flat = {k: v[()] if v.ndim == 0 else np.broadcast_to(v, shape)[index] for k, v in self.parameters.items()}
        return np.broadcast_to(self.y0, (*shape, self.components))[index], flat


def _named(value: object) -> bool:
    """Whether ``value`` is a DataArray, asked without importing xarray."""
    return hasattr(value, "dims") and hasattr(value, "coords")


def broadcast(
    y0: ArrayLike, checked: Mapping[str, Array], given: Mapping[str, ArrayLike], dims: Sequence[str] | None
) -> Broadcast:
    """Align by name where arrays have names, by position otherwise."""
    if _named(y0) or any(_named(value) for value in given.values()):
        return _by_name(y0, given, dims)
    state = real("y0", y0)
    shapes = {"y0": state.shape[:-1], **{name: array.shape for name, array in checked.items()}}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        stated = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"Argument 'parameters' must broadcast against 'y0', but the shapes are {stated}.") from None
    names = tuple(dims) if dims is not None else tuple(f"dim_{k}" for k in range(len(shape)))
    require(len(names) == len(shape), "dims", f"name {len(shape)} dimensions", names)
    return Broadcast(shape, names, {}, state, dict(checked))


def _by_name(y0: ArrayLike, given: Mapping[str, ArrayLike], dims: Sequence[str] | None) -> Broadcast:
    import xarray as xr

    state = y0 if isinstance(y0, xr.DataArray) else xr.DataArray(
        np.asarray(y0), dims=[*(dims or [f"dim_{k}" for k in range(np.ndim(y0) - 1)]), "state"]
    )  # fmt: skip
    last = state.dims[-1]
    arrays = {}
    for name, value in given.items():
        if _named(value):
            arrays[name] = value
        else:
            plain = np.asarray(value, dtype=np.float64)
            require(plain.ndim == 0, name, "be a DataArray or a single number beside other DataArrays", plain.shape)
            arrays[name] = xr.DataArray(plain)
    template = xr.broadcast(state.isel({last: 0}, drop=True), *arrays.values())[0]
    order = tuple(template.dims)

    def aligned(array: Any, extra: tuple[Any, ...] = ()) -> Array:
        """The array's own axes in the common order, with length 1 where it has none."""
        own = [d for d in order if d in array.dims]
        values = np.asarray(array.transpose(*own, *extra).values, dtype=np.float64)
        shape = [array.sizes[d] if d in array.dims else 1 for d in order]
        return values.reshape(*shape, *[array.sizes[d] for d in extra])

    coords = {str(d): template.coords[d].values for d in order if d in template.coords}
    parameters = {name: aligned(array) if array.ndim else np.asarray(array.values) for name, array in arrays.items()}
    return Broadcast(
        tuple(template.sizes[d] for d in order), tuple(map(str, order)), coords, aligned(state, (last,)), parameters
    )
