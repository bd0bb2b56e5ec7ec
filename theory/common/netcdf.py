"""NetCDF-4 files of plain datasets by way of h5py: what h5netcdf writes and reads for xarray, in a fifth of its time.

h5netcdf looks every variable up by its path dozens of times, which takes 30 ms for the dozen curves of a network. A
NetCDF-4 file is an HDF5 file in which a dimension is a dimension scale; nothing else of the format is used here: no
groups, no unlimited dimensions, no types but numbers and text.
"""

import io
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

#: The name of a dimension scale that holds no coordinate, followed by the dimension's size.
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable."
#: Attributes of the format itself.
_FORMAT = frozenset(
    ("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates", "_NCProperties")
)


def pack(dataset: "xr.Dataset", compressed: frozenset[str] = frozenset()) -> memoryview:
    """``dataset`` as the bytes of a NetCDF-4 file, the variables named in ``compressed`` with gzip, without loss."""
    import h5py
    from xarray import conventions

    variables, attributes = conventions.encode_dataset_coordinates(dataset)
    sizes = {str(name): size for name, size in dataset.sizes.items()}
    content = io.BytesIO()
    with h5py.File(content, "w", track_order=True) as file:
        library = f"version=2,h5py={h5py.__version__},hdf5={h5py.version.hdf5_version}".encode()
        file.attrs.create("_NCProperties", np.bytes_(library))
        _write_attributes(file, attributes)
        held: dict[str, Any] = {}
        for name in variables:
            encoded = conventions.encode_cf_variable(variables[name], name=name)
            held[str(name)] = encoded.dims, _write_variable(file, str(name), encoded, name in compressed)
        scales = [_scale(file, name, size, number, name in held) for number, (name, size) in enumerate(sizes.items())]
        for name, (dimensions, variable) in held.items():
            numbers = [list(sizes).index(dimension) for dimension in dimensions]
            for axis, number in enumerate(numbers if name not in sizes else ()):
                variable.dims[axis].attach_scale(scales[number])
            if numbers:
                variable.attrs["_Netcdf4Coordinates"] = np.array(numbers, np.int32)
    return content.getbuffer()


def _scale(file: Any, name: str, size: int, number: int, is_variable: bool) -> Any:
    """The HDF5 dataset that stands for a dimension: its coordinate, or an empty one."""
    scale = file[name] if is_variable else file.create_dataset(name, (size,), ">f4", track_order=True)
    scale.make_scale(name if is_variable else _NO_VARIABLE + f"{size:10}".encode())
    scale.attrs["_Netcdf4Dimid"] = np.int32(number)
    return scale


#: What an HDF5 header holds of one attribute, in bytes, is 64 KiB with its name.
_LONGEST = 60_000


def _write_variable(file: Any, name: str, variable: "xr.Variable", compressed: bool) -> Any:
    """The HDF5 dataset of an encoded ``variable``, its dimensions yet unnamed."""
    import h5py

    attributes, values = dict(variable.attrs), np.asarray(variable.values)
    kind: Any = h5py.string_dtype() if values.dtype.kind in "OUS" else values.dtype
    fill = attributes.get("_FillValue")
    packing = {"compression": "gzip", "shuffle": True} if compressed and values.ndim else {}
    made = file.create_dataset(name, values.shape, kind, fillvalue=fill, track_order=True, **packing)
    if values.size:
        made[...] = values
    if fill is not None:
        made.attrs["_FillValue"] = np.array([attributes.pop("_FillValue")], values.dtype)
    _write_attributes(made, attributes)
    return made


def _write_attributes(holder: Any, attributes: Mapping[Any, Any]) -> None:
    """Strings at their own length, if it fits: others lie in a heap, which is slower and has to be checked."""
    import h5py

    for name, value in attributes.items():
        text = value.encode() if isinstance(value, str) else b""
        if text and len(text) < _LONGEST:
            holder.attrs.create(str(name), text, dtype=h5py.string_dtype("utf-8", len(text)))
        elif isinstance(value, str):
            holder.attrs[str(name)] = value
        else:
            holder.attrs[str(name)] = np.atleast_1d(value)


#: How a collection of HDF5's global heap begins: signature, version 1, and three bytes that are reserved.
_COLLECTION = b"GCOL\x01\x00\x00\x00"
_HEADER = 16  # bytes, of a collection and of every object in it


def _check_heaps(path: Path) -> None:
    """Walk through the objects of every heap: HDF5 walks for ever where one has no length, or leads back.

    Text of an array and strings that do not fit into a header lie there. An object holds its number (2 bytes; 0 is
    free space, whose length counts the header), 6 bytes, its length in 8, and as many bytes, filled up to a multiple
    of 8. Source: HDF5 File Format Specification, III.E.
    """
    if not path.stat().st_size:  # nothing to map; h5py says what is wrong with it
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_COLLECTION)
        while start >= 0:
            place, end = start + _HEADER, start + int.from_bytes(content[start + 8 : start + _HEADER], "little")
            while place + _HEADER <= min(end, len(content)):
                number = int.from_bytes(content[place : place + 2], "little")
                length = int.from_bytes(content[place + 8 : place + _HEADER], "little")
                step = length if number == 0 else _HEADER + -(-length // 8) * 8
                if step < _HEADER or place + step > end:
                    raise ValueError(f"an object of its heap, at byte {place}, has an impossible length of {length}")
                place += step
            start = content.find(_COLLECTION, start + 1)


def _check_lengths(path: Path, variable: Any) -> None:
    """Text that is said to be longer than its file: HDF5 would make room for it, up to 4 GiB an element.

    An element is its length (4 bytes), the address of its heap (8) and its number there (4).
    """
    offset = variable.id.get_offset()
    if offset is None:  # in chunks, as this package writes no text
        return
    with path.open("rb") as file:
        file.seek(offset)
        lengths = np.frombuffer(file.read(16 * variable.size), np.dtype("<u4, <u8, <u4"))["f0"]
    if lengths.max(initial=0) > path.stat().st_size:
        raise ValueError(f"{variable.name!r} has an impossible length of {lengths.max()}")


def unpack(path: Path) -> "xr.Dataset":
    """The dataset in the NetCDF-4 file at ``path``, in memory; raises whatever h5py does where the file is damaged."""
    import h5py
    import xarray as xr
    from xarray import conventions

    _check_heaps(path)
    with h5py.File(path, "r") as file:
        variables: dict[str, xr.Variable] = {}
        numbered = _numbered(file)
        for name, variable in file.items():
            if not isinstance(variable, h5py.Dataset):
                raise ValueError(f"{name!r} is a group")
            if variable.is_scale and h5py.h5ds.get_scale_name(variable.id).startswith(_NO_VARIABLE):
                continue
            text = h5py.check_string_dtype(variable.dtype) is not None
            if text:
                _check_lengths(path, variable)
            values = variable.asstr()[()] if text else variable[()]
            dimensions = (name,) if variable.is_scale else _dimensions(file, variable, numbered)
            variables[name] = xr.Variable(dimensions, values, _read_attributes(variable))
        decoded, attributes, coordinates = conventions.decode_cf_variables(variables, _read_attributes(file))
    return xr.Dataset(decoded, attrs=attributes).set_coords(coordinates & decoded.keys()).load()


def _numbered(file: Any) -> dict[int, str]:
    """Names of the scales by their numbers."""
    return {
        int(variable.attrs["_Netcdf4Dimid"]): name
        for name, variable in file.items()
        if "_Netcdf4Dimid" in variable.attrs and getattr(variable, "is_scale", False)
    }


def _dimensions(file: Any, variable: Any, numbered: Mapping[int, str]) -> list[str]:
    """Names of the scales along the axes of an HDF5 dataset: by their numbers, or by reference where it has none.

    The numbers stand in the attribute itself; references lie in a heap, in which HDF5 loops for ever if it is damaged.
    """
    if "_Netcdf4Coordinates" in variable.attrs and numbered:
        named = [numbered[int(number)] for number in variable.attrs["_Netcdf4Coordinates"]]
        if len(named) != variable.ndim:
            raise ValueError(f"{variable.name!r} has {variable.ndim} axes and {len(named)} dimensions")
        return named
    return [file[scale].name.lstrip("/") for (scale,) in variable.attrs["DIMENSION_LIST"]] if variable.ndim else []


def _read_attributes(holder: Any) -> dict[str, Any]:
    """Attributes without those of the format; those of one element as that element, as NetCDF knows no other."""
    return {name: _plain(holder.attrs[name]) for name in holder.attrs if name not in _FORMAT}


def _plain(value: Any) -> Any:
    value = value[0] if isinstance(value, np.ndarray) and value.size == 1 else value
    return value.decode() if isinstance(value, bytes) else value
