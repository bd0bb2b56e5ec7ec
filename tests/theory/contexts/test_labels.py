"""What is no number is refused by name everywhere; arrays with named dimensions meet by name and label."""

import datetime

import numpy as np
import pytest
import xarray as xr

from iclrace import theory
from iclrace.theory import PowerLawMemory, Task, acquisition_clock, acquisition_time, icl_accuracy, loss_gradient

from ..test_arguments import BROADCASTING

NO_NUMBERS = {
    "masked": np.ma.array([0.4, 0.4], mask=[0, 1]),
    "masked scalar": np.ma.masked,
    "masked in a list": [np.ma.masked, 0.4],
    "complex": 0.4 + 0j,
    "complex array": np.array([0.4 + 1j]),
    "string": "0.4",
    "strings": ["0.4", "0.4"],
    "bytes": np.array([b"0.4"]),
    "strings as objects": np.array(["0.4", 0.4], dtype=object),
    "date": np.datetime64("2026-01-01"),
    "Python's date": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    "duration": np.timedelta64(1, "s"),
    "structured": np.array([(0.4, 1)], dtype=[("x", float), ("y", int)]),
    "ragged": [[0.4], [0.4, 0.4]],
    "None": None,
    "dictionary": {0.4: 0.4},
    "NaN": np.nan,
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("name", BROADCASTING)
def test_what_is_no_number_is_refused_by_name(name, kind):
    """numpy would convert most of these: a mask is forgotten, an imaginary part dropped, a string parsed."""
    call, names = BROADCASTING[name]
    for argument in names:
        # these entries of the table add 1 to this argument before the function sees it
        if name in ("memory.clock", "memory.margin") and argument == "task_diversity":
            continue
        with pytest.raises(ValueError, match=f"Argument '{argument}' must"):
            call(**(dict.fromkeys(names, 0.4) | {argument: NO_NUMBERS[kind]}))


def test_numbers_of_every_kind_are_numbers():
    want = acquisition_clock([1.0, 2.0])
    for good in (
        np.array([1, 2], dtype=np.int8), np.array([1, 2], dtype=np.float16), np.array([1, 2], dtype=object),
        (np.float32(1), 2), np.ma.array([1.0, 2.0]).filled(), range(1, 3),
    ):  # fmt: skip
        assert np.array_equal(acquisition_clock(good), want)


def test_named_arrays_are_broadcast_by_name_and_matched_by_label():
    rng = np.random.default_rng(0)
    beta, w = rng.normal(size=3), rng.normal(size=(2, 3))
    named_beta = xr.DataArray(beta, dims="b", coords={"b": list("xyz")})
    named_w = xr.DataArray(w, dims=("w", "b"), coords={"b": list("xyz")})
    order = [2, 0, 1]
    found = icl_accuracy(named_w[:, order], named_beta, Task(50))
    assert found.dims == ("w", "b") and found.name == "icl_accuracy"
    assert np.array_equal(found.sel(b=list("xyz")), icl_accuracy(w, beta, Task(50)))
    # without labels position decides, along the dimension of that name
    plain = icl_accuracy(xr.DataArray(w.T, dims=("b", "w")), named_beta.drop_vars("b"), Task(50))
    assert np.array_equal(plain.transpose("w", "b"), icl_accuracy(w, beta, Task(50)))
    # components that a function adds come last
    assert loss_gradient(named_w, named_beta, Task(50)).shape == (2, 3, 3)
    memory = PowerLawMemory(3.9, 0.7)
    assert memory.total_clock(named_beta**2 + 1).coords["b"].values.tolist() == list("xyz")


@pytest.mark.parametrize(
    ("labels", "says"), [(list("xyw"), "labels of 'beta0'"), (list("xy"), "as many values"), (list("xxy"), "labels")]
)
def test_labels_that_have_no_partner_are_refused(labels, says):
    beta0 = xr.DataArray([0.0, 1.0, 2.0], dims="run", coords={"run": list("xyz")})
    w0 = xr.DataArray(np.zeros(len(labels)), dims="run", coords={"run": labels})
    with pytest.raises(ValueError, match=f"Argument 'w0' must have .*{says}"):
        acquisition_time(Task(50), beta0, w0)


def test_arrays_without_names_beside_named_ones_are_refused():
    beta0 = xr.DataArray([0.0, 1.0], dims="run")
    with pytest.raises(ValueError, match="Argument 'w0' must be a DataArray or a single number"):
        acquisition_time(Task(50), beta0, np.zeros(2))
    assert acquisition_time(Task(50), beta0, 0.1).dims == ("run",)


def test_where_names_cannot_be_kept_they_are_refused():
    named = xr.DataArray([0.0, 1.0], dims="run")
    for call in (
        lambda: theory.label_sum_nodes(Task(50), bias=named),
        lambda: theory.item_frequencies(10, named),
        lambda: theory.ladder(Task(50), named),
    ):
        with pytest.raises(ValueError, match=r"Argument .* must be"):
            call()
