"""Commands that state theory: curves in closed form, and exponents with their regimes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import CsvFile, Json, PlotFile, combinations, several
from .cli_tables import print_rows, show, write_rows

curves = typer.Typer(help="Closed forms: K* or t_ICL against context length.", no_args_is_help=True)

Lengths = Annotated[list[float], several("--context-length", "-N", help="Context pairs N: 25,50,100 or 20:200:20.")]
Dimensions = Annotated[list[float], several("--dimension", "-D", help="Item dimension D, or inf.")]
Betas = Annotated[list[float], several("--beta0", help="Initial attention strength β0: --beta0=-1,0,1.")]
Budgets = Annotated[list[float], several("--budget", help="Gradient-flow time at which training stops; inf for never.")]
InitialWeights = Annotated[list[float], several("--w0", help="Initial readout weight w0.")]
Labels = Annotated[str, typer.Option("--labels", help="Context labels: iid or balanced.")]
Copies = Annotated[list[int], several("--copies", help="Copies of the target in the context (burstiness).")]
Amplitudes = Annotated[list[float], several("--amplitude", "-A", help="A of I_K(∞) = A K^ν.")]
Exponents = Annotated[list[float], several("--exponent", help="ν of I_K(∞) = A K^ν.")]

#: A and ν of the memory where none is given.
AMPLITUDE, NU = [3.9], [0.7]
#: The time at which training stops where none is given: that of the explorer when it opens.
BUDGET = 1e5
#: Above this a time is longer than any training, and a K* more items than could ever be drawn.
MEANINGLESS = 1e12


@curves.command("acquisition")
def acquisition_curve(
    context_length: Lengths = [25, 50, 100, 200, 400],
    beta0: Betas = [-1, 0, 1],
    w0: InitialWeights = [0.0],
    dimension: Dimensions = [math.inf],
    labels: Labels = "iid",
    copies: Copies = [1],
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Time to acquire ICL for K → ∞, in gradient-flow time, to 95 % accuracy."""
    from .theory import acquisition_time

    rows: list[dict[str, Any]] = []
    settings = {"w0": w0, "copies": copies, "beta0": beta0, "dimension": dimension, "context_length": context_length}
    for varied, at in combinations(**settings):
        time = float(acquisition_time(one_task(at, labels), at.beta0, at.w0))
        rows.append({**_always(at), **varied, "acquisition_time": time})
    _add_notes(rows, [_note_on_time(row["acquisition_time"]) for row in rows])
    axes = ("context_length", "acquisition_time")
    show("t_ICL for K → ∞, gradient-flow time", rows, axes, as_json, csv_file, plot)


@curves.command("threshold")
def threshold_curve(
    context_length: Lengths = [25, 50, 100, 200, 400],
    beta0: Betas = [-1, 0, 1],
    w0: InitialWeights = [0.0],
    amplitude: Amplitudes = AMPLITUDE,
    exponent: Exponents = NU,
    memory: Annotated[
        Path | None,
        typer.Option(
            help="Measured memory in place of A K^ν: a CSV of task_diversity, time, c1, or stored perceptrons (.nc)."
        ),
    ] = None,
    dimension: Dimensions = [math.inf],
    labels: Labels = "iid",
    copies: Copies = [1],
    budget: Budgets = [BUDGET],
    repeats: Annotated[bool, typer.Option("--repeats", help="Count the items that repeat in contexts.")] = False,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Task-diversity threshold K*: below it the network memorises, above it it learns in context by the budget."""
    from .theory import threshold

    law = None if memory is None else _measured(memory)
    if law is not None and (amplitude, exponent) != (AMPLITUDE, NU):
        raise typer.BadParameter("must be left out where --memory is given", param_hint="--amplitude and --exponent")
    rows: list[dict[str, Any]] = []
    settings = {
        "amplitude": amplitude, "exponent": exponent, "w0": w0, "copies": copies, "beta0": beta0,
        "dimension": dimension, "budget": budget, "context_length": context_length,
    }  # fmt: skip
    for varied, at in combinations(**settings):
        task, known = one_task(at, labels), law or power_law(at.amplitude, at.exponent)
        found = threshold(task, known, at.beta0, at.w0, budget=at.budget, repeats=repeats).value
        rows.append({**_always(at), "budget": at.budget, **varied, "threshold": found})
    _add_notes(rows, [_note_on_threshold(row, repeats) for row in rows])
    ends = ", ".join("an infinite time" if end == math.inf else f"t = {end:g}" for end in budget)
    laws = [f"{a:g} K^{nu:g}" for a, nu in product(amplitude, exponent)]
    law_in_words = f"I_K(∞) = {', '.join(laws)}" if law is None else f"the memory of {memory}"
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


def one_task(at: Any, labels: str = "iid", task_diversity: float = math.inf) -> Any:
    """The task of one combination of options."""
    from .theory import Task

    return Task(at.context_length, task_diversity, at.dimension, labels, copies=at.copies)  # pyright: ignore[reportArgumentType]


def _always(at: Any) -> dict[str, Any]:
    """What every row tells, whether it varies or not."""
    return {name: getattr(at, name) for name in ("context_length", "dimension", "beta0")}


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
