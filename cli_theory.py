"""Commands that state theory: curves in closed form, and exponents with their regimes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import CsvFile, Json, PlotFile, several
from .cli_tables import print_rows, show, write_rows

curves = typer.Typer(help="Closed forms: K* or t_ICL against context length.", no_args_is_help=True)

Lengths = Annotated[list[float], several("--context-length", "-N", help="Context pairs N: 25,50,100 or 20:200:20.")]
Dimensions = Annotated[list[float], several("--dimension", "-D", help="Item dimension D, or inf.")]
Betas = Annotated[list[float], several("--beta0", help="Initial attention strength β0: --beta0=-1,0,1.")]
Budgets = Annotated[list[float], several("--budget", help="Gradient-flow time at which training stops; inf for never.")]
InitialWeight = Annotated[float, typer.Option("--w0", help="Initial readout weight w0.")]
Dimension = Annotated[float, typer.Option("--dimension", "-D", help="Item dimension D, or inf.")]
Labels = Annotated[str, typer.Option("--labels", help="Context labels: iid or balanced.")]
Copies = Annotated[int, typer.Option("--copies", help="Copies of the target in the context (burstiness).")]
Amplitude = Annotated[float, typer.Option("--amplitude", "-A", help="A of I_K(∞) = A K^ν.")]
MemoryExponent = Annotated[float, typer.Option("--exponent", help="ν of I_K(∞) = A K^ν.")]

#: The time at which training stops where none is given: that of the explorer when it opens.
BUDGET = 1e5
#: Above this a time is longer than any training, and a K* more items than could ever be drawn.
MEANINGLESS = 1e12


@curves.command("acquisition")
def acquisition_curve(
    context_length: Lengths = [25, 50, 100, 200, 400],  # noqa: B006  (typer reads the list, nothing changes it)
    beta0: Betas = [-1, 0, 1],  # noqa: B006
    w0: InitialWeight = 0.0,
    dimension: Dimensions = [math.inf],  # noqa: B006
    labels: Labels = "iid",
    copies: Copies = 1,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Time to acquire ICL for K → ∞, in gradient-flow time, to 95 % accuracy."""
    from .theory import acquisition_time

    rows: list[dict[str, Any]] = []
    for beta, d, n in product(beta0, dimension, context_length):
        time = float(acquisition_time(_task(n, d, labels, copies), beta, w0))
        rows.append({"context_length": n, "dimension": d, "beta0": beta, "acquisition_time": time})
    _add_notes(rows, [_note_on_time(row["acquisition_time"]) for row in rows])
    axes = ("context_length", "acquisition_time")
    show("t_ICL for K → ∞, gradient-flow time", rows, axes, as_json, csv_file, plot)


@curves.command("threshold")
def threshold_curve(
    context_length: Lengths = [25, 50, 100, 200, 400],  # noqa: B006
    beta0: Betas = [-1, 0, 1],  # noqa: B006
    w0: InitialWeight = 0.0,
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    memory: Annotated[
        Path | None,
        typer.Option(
            help="Measured memory in place of A K^ν: a CSV of task_diversity, time, c1, or stored perceptrons (.nc)."
        ),
    ] = None,
    dimension: Dimensions = [math.inf],  # noqa: B006
    labels: Labels = "iid",
    copies: Copies = 1,
    budget: Budgets = [BUDGET],  # noqa: B006
    repeats: Annotated[bool, typer.Option("--repeats", help="Count the items that repeat in contexts.")] = False,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Task-diversity threshold K*: below it the network memorises, above it it learns in context by the budget."""
    from .theory import threshold

    law = power_law(amplitude, exponent) if memory is None else _measured(memory)
    rows: list[dict[str, Any]] = []
    for beta, d, end, n in product(beta0, dimension, budget, context_length):
        found = threshold(_task(n, d, labels, copies), law, beta, w0, budget=end, repeats=repeats).value
        rows.append({"context_length": n, "dimension": d, "beta0": beta, "budget": end, "threshold": found})
    _add_notes(rows, [_note_on_threshold(row, repeats) for row in rows])
    ends = ", ".join("an infinite time" if end == math.inf else f"t = {end:g}" for end in budget)
    law_in_words = f"I_K(∞) = {amplitude:g} K^{exponent:g}" if memory is None else f"the memory of {memory}"
    title = f"K* after {ends}, for {law_in_words}"
    axes = ("context_length", "threshold")
    show(title, rows, axes, as_json, csv_file, plot)


def _add_notes(rows: list[dict[str, Any]], notes: list[str]) -> None:
    """A last column of warnings, where there is any."""
    for row, note in zip(rows, notes, strict=True):
        row |= {"note": note} if any(notes) else {}


def _note_on_time(time: float) -> str:
    if time == math.inf:
        return "never acquired"
    return "longer than any training" if time > MEANINGLESS else ""


def _note_on_threshold(row: dict[str, Any], repeats: bool) -> str:
    if row["threshold"] == math.inf:
        return "no K acquires ICL by then"
    if row["threshold"] > MEANINGLESS:
        return "more items than could be drawn: memorises"
    if row["threshold"] < 2:
        return "below one item of each label: in context"
    if row["threshold"] < row["context_length"] and not repeats:
        return "items repeat in contexts: see --repeats"
    return ""


def exponents(
    latex: Annotated[bool, typer.Option("--latex", help="Print a LaTeX table.")] = False,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Scaling exponents of t_ICL, K*, widths and transience, derived, each with its regime."""
    from .theory.stored import stored_exponents

    laws = stored_exponents()
    table = [
        {
            "quantity": law.quantity, "variable": law.variable, "derivative": law.derivative, "branch": law.branch,
            "expression": law.formula, "regime": law.where,
        }
        for law in laws
    ]  # fmt: skip
    if csv_file is not None:
        write_rows(csv_file, table)
    if as_json:
        ends = [{"bounds": [str(bound) for bound in law.bounds]} for law in laws]
        print(json.dumps([{**asdict(law), **row, **end} for law, row, end in zip(laws, table, ends, strict=True)]))
    elif latex:
        from .theory.exponent_table import latex_table

        print(latex_table(laws))
    else:
        print_rows(
            "exponents", [{k: row[k] for k in ("derivative", "branch", "expression", "regime")} for row in table]
        )


def _task(context_length: float, dimension: float, labels: str, copies: int) -> Any:
    from .theory import Task

    return Task(context_length, dimension=dimension, labels=labels, copies=copies)  # pyright: ignore[reportArgumentType]


def power_law(amplitude: float, exponent: float) -> Any:
    from .theory import PowerLawMemory

    return PowerLawMemory(amplitude, exponent)


def _measured(path: Path) -> Any:
    """The memory law of a table of readings, or of perceptrons that ``iclrace validate`` trained alone."""
    if not path.is_file():
        raise typer.BadParameter(f"must be a file, but there is none at {str(path)!r}", param_hint="--memory")
    if path.suffix == ".nc":
        from .validate.measure.clocks import stored_memory
        from .validate.training.store import read_dataset

        return stored_memory(read_dataset(path))
    from .theory import MeasuredMemory

    return MeasuredMemory.from_table(path)
