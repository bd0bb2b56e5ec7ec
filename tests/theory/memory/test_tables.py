"""A memory law from a table of readings: by the names of its columns, its clock the integral of c1 and nothing else."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from iclrace.theory import MeasuredMemory, MemoryRun
from iclrace.theory.memory.tables import integral

TIME = np.linspace(0.0, 300.0, 601)


def curve(k):
    """c1 of one margin that grows as the homogeneous law of three layers, slower for a greater K."""
    return 0.5 / (1.0 + (TIME / k**0.7) ** 2)


def table(*names):
    k = np.repeat([100.0, 200.0], TIME.size)
    columns = {"task_diversity": k, "time": np.tile(TIME, 2), "c1": np.concatenate([curve(100.0), curve(200.0)])}
    columns["clock"] = np.concatenate([integral(TIME, curve(100.0)), integral(TIME, curve(200.0))])
    return {name: columns[name] for name in names}


FULL = ("task_diversity", "time", "clock", "c1")


def test_time_and_c1_are_enough_and_the_clock_is_their_integral():
    exact = [0.5 * k**0.7 * np.arctan(300.0 / k**0.7) for k in (100.0, 200.0)]
    memory = MeasuredMemory.from_table(table("task_diversity", "time", "c1"))
    # The trapezoid's error is at most h²/12 times the total variation of c1', below 2 max|c1'|.
    bound = 0.5**2 / 12 * 2 * 0.5 / 100**0.7
    assert np.abs(memory.total - exact).max() < bound
    assert memory.task_diversity.tolist() == [100.0, 200.0]


@pytest.mark.parametrize("kind", ["mapping", "shuffled", "dataset", "csv"])
def test_every_form_of_the_same_table_is_the_same_law(kind, tmp_path):
    columns = table(*FULL)
    given = columns
    if kind == "shuffled":
        order = np.random.default_rng(0).permutation(2 * TIME.size)
        given = {name: values[order] for name, values in columns.items()} | {"note": np.array(["x"] * 2 * TIME.size)}
    elif kind == "dataset":
        given = xr.Dataset({name: ("row", values) for name, values in columns.items()})
    elif kind == "csv":
        given = tmp_path / "table.csv"
        lines = [
            ",".join(["note", *columns]),
            *(
                f"μ,{a!r},{b!r},{c!r},{d!r}"
                for a, b, c, d in zip(*map(np.ndarray.tolist, columns.values()), strict=True)
            ),
        ]
        given.write_text("\n".join(lines), encoding="utf-8")
    plain, other = MeasuredMemory.from_table(columns), MeasuredMemory.from_table(given)
    assert plain.total.tolist() == other.total.tolist()
    assert plain.c1(20.0, 150.0) == other.c1(20.0, 150.0)


def test_pandas_frames_are_tables():
    pandas = pytest.importorskip("pandas")
    columns = table(*FULL)
    assert MeasuredMemory.from_table(pandas.DataFrame(columns)).total.tolist() == (
        MeasuredMemory.from_table(columns).total.tolist()
    )


@given(st.floats(1e-6, 1 - 1e-6))
def test_without_c2_and_c3_every_item_has_the_margin_of_c1(c1):
    run = MemoryRun(10, clock=[0.0, 1.0], c1=[c1, c1])
    margin = np.log((1 - c1) / c1)
    assert run.c2[0] == pytest.approx(1 - c1, abs=1e-12)
    assert run.c3[0] == pytest.approx(np.exp(-margin), rel=1e-9)
    assert run.margins[0, 0] == pytest.approx(margin, abs=1e-9)


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_a_clock_that_is_not_the_integral_of_c1_is_refused(factor):
    columns = table(*FULL)
    MeasuredMemory.from_table(columns)
    with pytest.raises(ValueError, match=r"Argument 'table' must have a clock that is the integral of c1: at K = 100"):
        MeasuredMemory.from_table(columns | {"clock": factor * columns["clock"]})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (table("time", "c1"), "'task_diversity'"),
        (table("task_diversity", "time"), "'c1'"),
        (table("task_diversity", "c1"), "'time' or 'clock'"),
        (table(*FULL) | {"c2": np.ones(3)}, "one c2 for each c1"),
        (table(*FULL) | {"time": np.zeros(2 * TIME.size)}, "times that increase"),
        ({"task_diversity": [1.0], "time": [0.0], "c1": [0.5]}, "two or more times"),
        (table(*FULL) | {"c1": np.array(["a"] * 2 * TIME.size)}, "c1"),
        ("no such file.csv", "readable CSV"),
    ],
)
def test_what_is_missing_or_no_number_is_named(columns, message):
    with pytest.raises(ValueError, match=message):
        MeasuredMemory.from_table(columns)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("task_diversity,time,c1\n10,0,0.5\n10,one,0.4\n")
    with pytest.raises(ValueError, match=r"column 'time'.*table\.csv"):
        MeasuredMemory.from_table(path)
