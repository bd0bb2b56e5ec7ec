"""Columns of a memory's runs, from a mapping, a data frame, a dataset or a CSV file, and what they must be."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.arguments import real, require

Array = NDArray[np.float64]

#: Anything with columns of these names that ``table[name]`` gives, or the path of a CSV file with a header.
Table = Mapping[str, Any] | os.PathLike[str] | str
_COLUMNS = ("task_diversity", "time", "clock", "c1", "c2", "c3")


def columns_by_run(table: Table) -> list[dict[str, Any]]:
    """Of every task diversity in ``table`` its K, clock I_K, c1, and c2 and c3 where given, in increasing time.

    Parameters
    ----------
    table : mapping, pandas.DataFrame, xarray.Dataset, or path
        Columns ``task_diversity`` K, ``c1``, and ``time`` or ``clock`` or both; ``c2``, ``c3`` if known. Others are
        passed over. A path is read as UTF-8 CSV whose first line holds the names.

    Raises
    ------
    ValueError
        If a column is missing or not numeric, or a clock is not the integral of c1 over time.
    """
    known = _read(table)
    for name in ("task_diversity", "c1"):
        require(name in known, "table", f"have a column {name!r}", sorted(known))
    require("time" in known or "clock" in known, "table", "have a column 'time' or 'clock'", sorted(known))
    size = known["c1"].shape
    for name, values in known.items():
        require(values.shape == size and values.ndim == 1, "table", f"have one {name} for each c1", values.shape)
    order = "time" if "time" in known else "clock"
    return [_run(known, float(k), order) for k in np.unique(known["task_diversity"])]


def _run(known: Mapping[str, Array], diversity: float, order: str) -> dict[str, Any]:
    rows = np.flatnonzero(known["task_diversity"] == diversity)
    rows = rows[np.argsort(known[order][rows], kind="stable")]
    require(len(rows) >= 2, "table", f"have two or more times at task_diversity = {diversity:g}", len(rows))
    run: dict[str, Any] = {
        name: values[rows] for name, values in known.items() if name not in ("task_diversity", "time")
    }
    if "time" in known:
        time = known["time"][rows]
        require(
            bool(np.all(np.diff(time) > 0)), "table", f"have times that increase at K = {diversity:g}", time.tolist()
        )
        clock = integral(time, run["c1"])
        if "clock" in run:
            _check_clock(time, run["c1"], run["clock"], diversity)
        else:
            run["clock"] = clock
    return {"task_diversity": diversity, **run}


def integral(time: Array, c1: Array) -> Array:
    """I_K(t) = ∫ c1 dt by trapezoids, from 0 at the first time."""
    return np.concatenate([[0.0], np.cumsum(0.5 * (c1[1:] + c1[:-1]) * np.diff(time))])


def _check_clock(time: Array, c1: Array, clock: Array, diversity: float) -> None:
    """Refuse a clock that leaves what c1 allows: between readings c1 lies between its values at their ends."""
    step, gained = np.diff(time), np.diff(clock)
    low, high = np.minimum(c1[1:], c1[:-1]) * step, np.maximum(c1[1:], c1[:-1]) * step
    slack = 1e-6 * (np.abs(clock[1:]) + high)  # as many digits as a table may print
    good = (gained >= low - slack) & (gained <= high + slack)
    if not good.all():
        i = int(np.argmin(good))
        must = f"have a clock that is the integral of c1: at K = {diversity:g}, t = {time[i]:g} to {time[i + 1]:g}"
        require(False, "table", f"{must}, it must gain {low[i]:.6g} to {high[i]:.6g}", float(gained[i]))


def _read(table: Table) -> dict[str, Array]:
    if isinstance(table, str | os.PathLike):
        return _from_csv(Path(table))
    names = [name for name in _COLUMNS if name in table]
    return {name: real(name, np.asarray(table[name])) for name in names}


def _from_csv(path: Path) -> dict[str, Array]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise ValueError(f"Argument 'table' must be a readable CSV file, but {path}: {error.strerror}.") from error
    require(len(rows) >= 2, "table", "be a CSV file with a header and rows", str(path))
    head, columns = [name.strip() for name in rows[0]], {}
    for name in (name for name in _COLUMNS if name in head):
        i = head.index(name)
        try:
            columns[name] = real(name, [float(row[i]) for row in rows[1:] if row])
        except (ValueError, IndexError) as error:
            raise ValueError(f"Argument 'table' must hold numbers in column {name!r}, but {path}: {error}.") from error
    return columns


def rising_clock(clock: Any) -> Array:
    """The clock's readings, two or more; ``ValueError`` if they do not increase from one to the next."""
    clock = real("clock", clock, minimum=0.0)
    require(clock.ndim == 1 and clock.size >= 2, "clock", "have shape (reading,) with two or more", clock.shape)
    require(bool(np.all(np.diff(clock) > 0)), "clock", "increase strictly", "not increasing")
    return clock


def over_clock(name: str, values: Any, clock: Array, **bounds: Any) -> Array:
    """A column of readings within ``bounds``, one at each reading of the clock."""
    values = real(name, values, **bounds)
    require(values.shape == clock.shape, name, f"have the clock's shape {clock.shape}", values.shape)
    return values


def quantiles_over(clock: Array, margins: Any) -> Array:
    """Margins over (reading, quantile)."""
    margins = real("margins", margins)
    must = f"have shape ({clock.size}, quantile)"
    require(margins.ndim == 2 and len(margins) == clock.size, "margins", must, margins.shape)
    return margins


def by_diversity(runs: Sequence[Any]) -> tuple[tuple[Any, ...], Array]:
    """The runs in the order of K, each K once, and their K."""
    require(len(runs) >= 1, "runs", "hold at least one run", runs)
    ordered = tuple(sorted(runs, key=lambda run: run.task_diversity))
    diversities = np.array([run.task_diversity for run in ordered])
    require(bool(np.all(np.diff(diversities) > 0)), "runs", "hold every task diversity once", diversities.tolist())
    return ordered, diversities
