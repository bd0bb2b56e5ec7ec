"""Files of stored datasets: NetCDF-4 to every reader, and what every writer of NetCDF-4 means by one."""

import io

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from iclrace.theory.common.files import netcdf, read_netcdf
from iclrace.theory.common.netcdf import pack, unpack

TYPES = ("float64", "float32", "int64", "int8", "bool")
NAMES = st.sampled_from(["time", "seed", "task_diversity", "β"])
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5)
NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**40), 2**40)
ATTRIBUTES = st.dictionaries(st.sampled_from(["status", "note", "α"]), TEXT | NUMBERS | st.just(np.arange(3)))


@st.composite
def datasets(draw):
    """Dimensions with and without coordinates, scalars, numbers, text, NaN and attributes of both."""
    sizes = draw(st.dictionaries(NAMES, st.integers(1, 4), max_size=3))

    def values(shape):
        if draw(st.integers(0, 4)) == 0:
            return np.array(draw(arrays.arrays(object, shape, elements=TEXT)), object)
        return draw(arrays.arrays(draw(st.sampled_from(TYPES)), shape))

    coordinates = {name: (name, np.sort(draw(arrays.arrays("int64", size)))) for name, size in sizes.items()}
    coordinates = {name: one for name, one in coordinates.items() if draw(st.booleans())}
    variables = {}
    for name in draw(st.lists(st.sampled_from(["clock", "c1", "w", "label"]), unique=True)):
        dimensions = draw(st.lists(st.sampled_from(sorted(sizes)), unique=True)) if sizes else []
        made = xr.Variable(dimensions, values(tuple(sizes[one] for one in dimensions)), draw(ATTRIBUTES))
        (coordinates if draw(st.integers(0, 3)) == 0 else variables)[name] = made
    return xr.Dataset(variables, coordinates, draw(ATTRIBUTES))


@settings(deadline=None, max_examples=30, derandomize=True)
@given(datasets())
def test_xarray_reads_what_is_written_and_its_own_files_are_read_as_it_reads_them(tmp_path_factory, dataset):
    path = tmp_path_factory.mktemp("one") / "dataset.nc"
    theirs = bytes(dataset.to_netcdf(engine="h5netcdf"))
    meant = xr.load_dataset(io.BytesIO(theirs), engine="h5netcdf")  # CF knows no strings but objects, among others
    ours = bytes(pack(dataset))
    for content in (theirs, ours):
        path.write_bytes(content)
        assert unpack(path).identical(meant)
        xr.testing.assert_identical(xr.load_dataset(io.BytesIO(content), engine="h5netcdf"), meant)
        assert [*unpack(path).data_vars] == [*meant.data_vars]


def test_what_was_given_is_read_back_with_its_types(tmp_path):
    path, curve = tmp_path / "run.nc", np.random.default_rng(0).normal(size=5000)
    run = xr.Dataset({"c1": ("time", curve), "ending": ((), 3, {"lost": 2})}, {"time": np.arange(5000.0)}, {"a": "x"})
    path.write_bytes(netcdf(run, frozenset(["c1"])))
    read = read_netcdf(path)
    xr.testing.assert_identical(read, run)
    assert {name: one.dtype for name, one in read.variables.items()} == {
        name: one.dtype for name, one in run.variables.items()
    }
    with h5py.File(path) as file:
        assert [file[name].compression for name in ("c1", "time", "ending")] == ["gzip", None, None]
        assert [scale.name for scale in file["c1"].dims[0].values()] == ["/time"]


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"no such thing" * 100])
def test_what_is_no_netcdf_is_refused(tmp_path, content):
    (tmp_path / "x.nc").write_bytes(content)
    with pytest.raises(OSError, match="file"):
        read_netcdf(tmp_path / "x.nc")


def test_a_group_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file.create_group("inside")
    with pytest.raises(ValueError, match="inside"):
        unpack(tmp_path / "x.nc")
