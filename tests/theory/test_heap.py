"""A damaged heap of an HDF5 file is refused: HDF5 itself walks through it for ever."""

import numpy as np
import pytest
import xarray as xr

from iclrace.theory.common.files import netcdf, read_netcdf
from iclrace.validate.training.store import StoreError, read_dataset

#: Text of an array, and a string too long for a header, both of which lie in a heap.
DATASET = xr.Dataset({"a": ("x", np.arange(3.0))}, {"x": ["one", "two", "three"]}, {"long": "y" * 70_000})
HEAP = b"GCOL"


def heaps(content):
    found = [content.find(HEAP)]
    while found[-1] >= 0:
        found.append(content.find(HEAP, found[-1] + 1))
    return found[:-1]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "stored.nc").write_bytes(netcdf(DATASET))
    return tmp_path / "stored.nc"


def damaged(path, which, number, length):
    """The first object of a heap as free space, or as one of another length."""
    content = bytearray(path.read_bytes())
    first = heaps(content)[which] + 16
    content[first : first + 2] = number.to_bytes(2, "little")
    content[first + 8 : first + 16] = length.to_bytes(8, "little")
    path.write_bytes(content)


def test_what_is_whole_is_read(path):
    assert len(heaps(path.read_bytes())) == 2
    assert read_netcdf(path).identical(DATASET)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("number", "length"), [(0, 0), (0, 8), (1, 2**64 - 16), (1, 2**63), (1, 10**6)])
def test_an_object_that_leads_nowhere_is_refused(path, process, which, number, length):
    """In a process of its own: where the guard is missing, no signal ends what HDF5 does."""
    damaged(path, which, number, length)
    code = (
        "import sys; from pathlib import Path; from iclrace.theory.common.files import read_netcdf\n"
        "try: read_netcdf(Path(sys.argv[1]))\n"
        "except ValueError as error: print(error)"
    )
    done = process(code, path, seconds=20)
    assert done.returncode == 0, done.stderr
    assert f"an impossible length of {length}" in done.stdout
    with pytest.raises(StoreError, match=r"stored.nc is damaged .* impossible length"):
        read_dataset(path)


def test_text_longer_than_its_file_is_refused(path):
    """HDF5 makes room for what an element says, 4 GiB here, before it looks where that is."""
    content = bytearray(path.read_bytes())
    short = heaps(content)[1].to_bytes(8, "little")  # the address that stands in every element
    first = content.find((3).to_bytes(4, "little") + short)  # "one"
    content[first + 1 : first + 4] = b"\xff" * 3
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"'/x' has an impossible length"):
        read_dataset(path)


def test_bytes_that_look_like_a_heap_are_data(tmp_path):
    """Numbers that happen to be its signature, followed by a length that leads nowhere."""
    values = np.frombuffer(HEAP + b"\0" * 28, np.float64)
    path = tmp_path / "data.nc"
    path.write_bytes(netcdf(xr.Dataset({"a": ("x", values)})))
    np.testing.assert_array_equal(read_netcdf(path).a, values)
