"""One way to write a file: whole, or not at all; and one way to hold numbers in it that notices damage."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .netcdf import pack, unpack

if TYPE_CHECKING:
    import xarray as xr


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` to write to; flushed to the disk, then renamed, if the block ends well."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


#: Attribute of a stored dataset that holds the hash of its numbers.
CHECKSUM = "checksum"


def netcdf(dataset: "xr.Dataset", compressed: frozenset[str] = frozenset()) -> memoryview:
    """``dataset`` as the bytes of a NetCDF file, with the hash of its numbers; some variables ``compressed``.

    It is made in memory: HDF5 writing to a full disk can neither finish nor close its file, and takes the process with
    it.
    """
    return pack(dataset.assign_attrs({CHECKSUM: checksum(dataset)}), compressed)


def read_netcdf(path: Path) -> "xr.Dataset":
    """The dataset that :func:`netcdf` was given; raises whatever the reader raises where the file is damaged."""
    return checked(unpack(path))


def checked(dataset: "xr.Dataset") -> "xr.Dataset":
    """``dataset`` as it was given to :func:`netcdf`; ``ValueError`` if its numbers are others.

    One of an earlier version holds no hash, and is believed.
    """
    stored = dataset.attrs.get(CHECKSUM)
    if stored is None:
        return dataset
    plain = dataset.copy()
    del plain.attrs[CHECKSUM]
    if stored != checksum(plain):
        raise ValueError("its numbers are not those that were written")
    return plain


def checksum(dataset: "xr.Dataset") -> str:
    """Hash of the names, dimensions, types and values of all variables, and of the attributes."""
    content = hashlib.sha256()
    for name in sorted(map(str, dataset.variables)):
        variable = dataset.variables[name]
        values = np.asarray(variable.values)
        if values.dtype.kind in "OUS":  # text comes back as another type of text
            values = np.array([str(entry) for entry in values.ravel()], dtype="U").reshape(values.shape)
            raw = "\0".join(values.ravel().tolist()).encode()
        else:
            raw = np.ascontiguousarray(values).tobytes()
        content.update(f"{name}\0{variable.dims}\0{values.dtype.kind}\0{values.shape}\0".encode() + raw)
    for name in sorted(map(str, dataset.attrs)):
        content.update(f"{name}\0{np.asarray(dataset.attrs[name]).tolist()!r}\0".encode())
    return content.hexdigest()
