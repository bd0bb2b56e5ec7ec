"""What every command shows: tables, JSON, CSV and pictures, and that it is working."""

from __future__ import annotations

import csv
import json
import math
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import xarray as xr

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Also write the table to this file.")]
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", callback=lambda path: _drawable(path), help="Also draw the curve: .png, .svg or .pdf."),
]


def _drawable(path: Path | None) -> Path | None:
    """Refuse a picture of a kind that cannot be drawn before anything is computed for it."""
    if path is not None and path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise typer.BadParameter("be a file that ends in .png, .svg or .pdf", param_hint="--plot")
    return path


@contextmanager
def working(on: str = "solving the coupled equations") -> Iterator[None]:
    """Say what is being done: a spinner on a terminal, elsewhere one line once it has taken a second."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(f"{on} …"):
            yield
        return
    notice = threading.Timer(1.0, lambda: print(f"{on} …", file=sys.stderr, flush=True))
    notice.start()
    try:
        yield
    finally:
        notice.cancel()


def _in_json(value: object) -> bool:
    """Whether standard JSON has this value as it is."""
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def show(
    title: str,
    rows: list[dict[str, Any]],
    axes: tuple[str, str, str],
    as_json: bool,
    csv_file: Path | None,
    plot: Path | None,
) -> None:
    """Print the rows, and write them to whatever else was asked for."""
    if as_json:
        finite = [{name: v if _in_json(v) else str(v) for name, v in row.items()} for row in rows]
        print(json.dumps(finite))
    else:
        print_rows(title, rows)
    if csv_file is not None:
        with csv_file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    if plot is not None:
        from .figures import save, theory

        save(theory.draw_curves(rows, *axes), plot)


def print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    console = Console()
    (console if console.is_terminal else Console(width=150)).print(table)


def show_dataset(title: str, found: xr.Dataset, names: Sequence[str], as_json: bool, csv_file: Path | None) -> None:
    """The named variables of a dataset, one row a point of their axes."""
    frame = found[list(names)].to_dataframe().reset_index()
    rows = [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]
    show(title, rows, ("", "", ""), as_json, csv_file, None)
