"""What every command shows: tables, JSON, CSV and pictures, and that it is working."""

from __future__ import annotations

import csv
import json
import math
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

#: x, and y: one column or several. Every other setting that varies has a curve of its own.
Axes = tuple[str, str | tuple[str, ...]]

_SECONDS_BETWEEN_LINES = 20.0


@contextmanager
def working(on: str = "solving the coupled equations") -> Iterator[None]:
    """Say what is being done: a spinner on a terminal; elsewhere a line after a second, and then one every 20 s."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(f"{on} …"):
            yield
        return
    done, started = threading.Event(), time.monotonic()

    def tell() -> None:
        wait = 1.0
        while not done.wait(wait):
            print(f"{on} … {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            wait = _SECONDS_BETWEEN_LINES

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _in_json(value: object) -> bool:
    """Whether standard JSON has this value as it is."""
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def show(given: Any, title: str, rows: list[dict[str, Any]], axes: Axes | None = None) -> None:
    """Print the rows, and write them to the files that the options of the command name."""
    if given.as_json:
        finite = [{name: v if _in_json(v) else str(v) for name, v in row.items()} for row in rows]
        print(json.dumps(finite))
    else:
        print_rows(title, rows)
    if given.csv_file is not None:
        write_rows(given.csv_file, rows)
    if axes is not None and given.plot is not None:
        draw(rows, axes, given.plot, title)


def draw(rows: Sequence[dict[str, Any]], axes: Axes, path: Path, title: str = "") -> None:
    """The curve of a table, in the look of the package's figures."""
    from ..figures import save
    from ..figures.curves import draw_curves

    save(draw_curves(rows, *axes, title=title), path)


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """The rows as CSV, a column for every name that one of them has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)


def print_rows(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """A title on a line of its own, which a narrow table does not wrap, and the table below it."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        numeric = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        values = (row.get(name, "") for name in names)
        table.add_row(*map(_cell, values))
    console = Console()
    console = console if console.is_terminal else Console(width=150)
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    console.print(table if rows else "nothing")


def _cell(value: object) -> str:
    """What a table shows; a dash for what is not known."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else str(value)


def dataset_rows(dataset: xr.Dataset, names: Sequence[str]) -> list[dict[str, Any]]:
    """The named variables of a dataset, one row a point of their axes."""
    frame = dataset[list(names)].to_dataframe().reset_index()
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]
