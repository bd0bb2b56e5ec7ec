"""Commands that state theory: curves in closed form, and exponents with their regimes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import typer

from .options import OUTPUTS, TABLE, Once, combinations, flag, lists, option, several, text, with_options
from .tables import print_rows, show, write_rows

curves = typer.Typer(help="Closed forms: K* or t_ICL against context length.", no_args_is_help=True)

lengths = partial(several, "--context-length", "-N", help="Context pairs N: 25,50,100 or 20:200:20.")
betas = partial(several, help="Initial attention strength β0: --beta0=-1,0,1.")
budgets = partial(several, help="Gradient-flow time at which training stops; inf for never.")

#: A and ν of the memory where none is given.
AMPLITUDE, NU = [3.9], [0.7]
POWER_LAW = {
    "amplitude": several("--amplitude", "-A", help="A of I_K(∞) = A K^ν.", default=AMPLITUDE),
    "exponent": several(help="ν of I_K(∞) = A K^ν.", default=NU),
}
INITIAL_WEIGHT = {"w0": several(help="Initial readout weight w0.", default=[0.0])}
DIMENSION = {"dimension": several("--dimension", "-D", help="Item dimension D, or inf.", default=[math.inf])}
LABELS = {"labels": text(help="Context labels: iid or balanced.", default="iid")}
COPIES = {"copies": several(help="Copies of the target in the context (burstiness).", default=[1])}
#: The time at which training stops where none is given: that of the explorer when it opens.
BUDGET = 1e5
#: Above this a time is longer than any training, and a K* more items than could ever be drawn.
MEANINGLESS = 1e12


@curves.command("acquisition", cls=Once)
@with_options(
    context_length=lengths(default=[25, 50, 100, 200, 400]),
    beta0=betas(default=[-1, 0, 1]),
    **INITIAL_WEIGHT, **DIMENSION, **LABELS, **COPIES, **OUTPUTS,
)  # fmt: skip
def acquisition_curve(given: Any) -> None:
    """Time to acquire ICL for K → ∞, in gradient-flow time, to 95 % accuracy."""
    from ..theory import acquisition_time

    rows: list[dict[str, Any]] = []
    for varied, at in combinations(**lists(given, "w0 copies beta0 dimension context_length")):
        time = float(acquisition_time(one_task(at, given.labels), at.beta0, at.w0))
        rows.append({**_always(at), **varied, "acquisition_time": time})
    _add_notes(rows, [_note_on_time(row["acquisition_time"]) for row in rows])
    show(given, "t_ICL for K → ∞, gradient-flow time", rows, ("context_length", "acquisition_time"))


@curves.command("threshold", cls=Once)
@with_options(
    context_length=lengths(default=[25, 50, 100, 200, 400]),
    beta0=betas(default=[-1, 0, 1]),
    **INITIAL_WEIGHT, **POWER_LAW,
    memory=option(
        Path, help="Measured memory in place of A K^ν: a CSV of task_diversity, time, c1, or stored perceptrons (.nc)."
    ),
    **DIMENSION, **LABELS, **COPIES,
    budget=budgets(default=[BUDGET]),
    repeats=flag("--repeats", "Count the items that repeat in contexts."),
    **OUTPUTS,
)  # fmt: skip
def threshold_curve(given: Any) -> None:
    """Task-diversity threshold K*: below it the network memorises, above it it learns in context by the budget."""
    from ..theory import threshold

    law = None if given.memory is None else _measured(given.memory)
    if law is not None and (given.amplitude, given.exponent) != (AMPLITUDE, NU):
        raise typer.BadParameter("must be left out where --memory is given", param_hint="--amplitude and --exponent")
    rows: list[dict[str, Any]] = []
    order = "amplitude exponent w0 copies beta0 dimension budget context_length"
    for varied, at in combinations(**lists(given, order)):
        task, memory = one_task(at, given.labels), law or power_law(at)
        value = threshold(task, memory, at.beta0, at.w0, budget=at.budget, repeats=given.repeats).value
        rows.append({**_always(at), "budget": at.budget, **varied, "threshold": value})
    _add_notes(rows, [_note_on_threshold(row, given.repeats) for row in rows])
    ends = ", ".join("an infinite time" if end == math.inf else f"t = {end:g}" for end in given.budget)
    laws = [f"{a:g} K^{nu:g}" for a, nu in product(given.amplitude, given.exponent)]
    law_in_words = f"I_K(∞) = {', '.join(laws)}" if law is None else f"the memory of {given.memory}"
    show(given, f"K* after {ends}, for {law_in_words}", rows, ("context_length", "threshold"))


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


@with_options(latex=flag("--latex", "Print a LaTeX table."), **TABLE)
def exponents(given: Any) -> None:
    """Scaling exponents of t_ICL, K*, widths and transience, derived, each with its regime."""
    from ..theory.stored import stored_exponents

    laws = stored_exponents()
    table = [
        {
            "quantity": law.quantity, "variable": law.variable, "derivative": law.derivative, "branch": law.branch,
            "expression": law.formula, "regime": law.where,
        }
        for law in laws
    ]  # fmt: skip
    if given.csv_file is not None:
        write_rows(given.csv_file, table)
    if given.as_json:
        ends = [{"bounds": [str(bound) for bound in law.bounds]} for law in laws]
        print(json.dumps([{**asdict(law), **row, **end} for law, row, end in zip(laws, table, ends, strict=True)]))
    elif given.latex:
        from ..theory.exponent_table import latex_table

        print(latex_table(laws))
    else:
        print_rows(
            "exponents", [{k: row[k] for k in ("derivative", "branch", "expression", "regime")} for row in table]
        )


def one_task(at: Any, labels: str = "iid", task_diversity: float = math.inf) -> Any:
    """The task of one combination of options."""
    from ..theory import Task

    return Task(at.context_length, task_diversity, at.dimension, labels, copies=at.copies)  # pyright: ignore[reportArgumentType]


def _always(at: Any) -> dict[str, Any]:
    """The columns of every row, whether they vary or not."""
    return {name: getattr(at, name) for name in ("context_length", "dimension", "beta0")}


def power_law(at: Any) -> Any:
    """The memory law of one combination of options."""
    from ..theory import PowerLawMemory

    return PowerLawMemory(at.amplitude, at.exponent)


def _measured(path: Path) -> Any:
    """The memory law of a table of readings, or of perceptrons that ``iclrace validate`` trained alone."""
    if not path.is_file():
        raise typer.BadParameter(f"must be a file, but there is none at {str(path)!r}", param_hint="--memory")
    if path.suffix == ".nc":
        from ..validate.measure.clocks import stored_memory
        from ..validate.training.store import read_dataset

        return stored_memory(read_dataset(path))
    from ..theory import MeasuredMemory
    from ..theory.common.arguments import ArgumentError

    try:
        return MeasuredMemory.from_table(path)
    except ArgumentError as error:
        told = str(error).removeprefix("Argument 'table' ").removesuffix(".")
        raise typer.BadParameter(told, param_hint="--memory") from None
