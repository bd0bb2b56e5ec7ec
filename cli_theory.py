"""Commands that compute theory: curves in closed form, exponents, and the coupled equations solved."""

from __future__ import annotations

import csv
import json
import math
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import xarray as xr

curves = typer.Typer(help="Closed forms: K* or t_ICL against context length.", no_args_is_help=True)
simulate = typer.Typer(help="The coupled equations solved: phases, distributions, single runs.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Also write the table to this file.")]
PlotFile = Annotated[Path | None, typer.Option("--plot", help="Also draw the curve: .png, .svg or .pdf.")]
Lengths = Annotated[list[int], typer.Option("--context-length", "-N", help="Context pairs N; repeat for several.")]
Betas = Annotated[list[float], typer.Option("--beta0", help="Initial attention strength β0; repeat for several.")]
InitialWeight = Annotated[float, typer.Option("--w0", help="Initial readout weight w0.")]
Dimension = Annotated[float, typer.Option("--dimension", "-D", help="Item dimension D, or inf.")]
Labels = Annotated[str, typer.Option("--labels", help="Context labels: iid or balanced.")]
Copies = Annotated[int, typer.Option("--copies", help="Copies of the target in the context (burstiness).")]


Diversities = Annotated[list[float], typer.Option("--task-diversity", "-K", help="K; repeat for several.")]
Amplitude = Annotated[float, typer.Option("--amplitude", "-A", help="A of I_K(∞) = A K^ν.")]
MemoryExponent = Annotated[float, typer.Option("--exponent", help="ν of I_K(∞) = A K^ν.")]
BetaMean = Annotated[float, typer.Option("--beta0-mean", help="Mean of β0.")]
BetaStd = Annotated[float, typer.Option("--beta0-std", help="Standard deviation of β0.")]
Budget = Annotated[float, typer.Option(help="Gradient-flow time at which training stops.")]
Draws = Annotated[int, typer.Option(help="Draws of β0 at each point.")]


@curves.command("acquisition")
def acquisition_curve(
    context_length: Lengths = [25, 50, 100, 200, 400],  # noqa: B006  (typer reads the list, nothing changes it)
    beta0: Betas = [-1.0, 0.0, 1.0],  # noqa: B006
    w0: InitialWeight = 0.0,
    dimension: Dimension = math.inf,
    labels: Labels = "iid",
    copies: Copies = 1,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Time to acquire ICL for K → ∞, in gradient-flow time, to 95 % accuracy."""
    from .theory import acquisition_time

    rows = [
        {"N": float(n), "beta0": b, "t_ICL": float(acquisition_time(_task(n, dimension, labels, copies), b, w0))}
        for b in beta0
        for n in context_length
    ]
    _show("t_ICL for K → ∞, gradient-flow time", rows, ("N", "t_ICL", "beta0"), as_json, csv_file, plot)


@curves.command("threshold")
def threshold_curve(
    context_length: Lengths = [25, 50, 100, 200, 400],  # noqa: B006
    beta0: Betas = [-1.0, 0.0, 1.0],  # noqa: B006
    w0: InitialWeight = 0.0,
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    dimension: Dimension = math.inf,
    labels: Labels = "iid",
    copies: Copies = 1,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Task-diversity threshold K*: below it the network memorises, above it it learns in context."""
    from .theory import PowerLawMemory, threshold

    memory = PowerLawMemory(amplitude, exponent)
    rows = [
        {"N": float(n), "beta0": b, "K*": threshold(_task(n, dimension, labels, copies), memory, b, w0).value}
        for b in beta0
        for n in context_length
    ]
    title = f"K* for I_K(∞) = {amplitude:g} K^{exponent:g}"
    _show(title, rows, ("N", "K*", "beta0"), as_json, csv_file, plot)


def exponents(
    latex: Annotated[bool, typer.Option("--latex", help="Print a LaTeX table.")] = False, as_json: Json = False
) -> None:
    """Scaling exponents of t_ICL, K*, widths and transience, derived, each with its regime."""
    from .theory import exponents as derive

    with working("deriving the exponents"):
        found = derive()
    if as_json:
        print(json.dumps([{**asdict(law), "bounds": [str(bound) for bound in law.bounds]} for law in found]))
    elif latex:
        rows = [
            " & ".join(
                [
                    *(name.replace("_", r"\_") for name in (law.quantity, law.variable, law.branch)),
                    f"${law.latex}$",
                    law.regime,
                ]
            )
            + r" \\"
            for law in found
        ]
        print("\n".join([r"\begin{tabular}{lllll}", *rows, r"\end{tabular}"]))
    else:
        names = ("quantity", "variable", "branch", "expression", "regime")
        print_rows("exponents: d ln quantity / d ln variable", [{n: getattr(law, n) for n in names} for law in found])


@simulate.command("phases")
def phases(
    context_length: Lengths = [25, 50, 100],  # noqa: B006
    task_diversity: Diversities = [30, 100, 300, 1000, 3000],  # noqa: B006
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    dimension: Dimension = math.inf,
    labels: Labels = "iid",
    beta0_mean: BetaMean = 0.0,
    beta0_std: BetaStd = 1.0,
    budget: Budget = 1e5,
    draws: Draws = 256,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """P(acquire ICL | N, K) within a budget, over β0 ~ N(mean, std²)."""
    from .simulate import phase_diagram
    from .theory import PowerLawMemory

    with working("solving the coupled equations"):
        found = phase_diagram(
            _task(context_length[0], dimension, labels, 1), PowerLawMemory(amplitude, exponent), context_length,
            task_diversity, budget=budget, beta0_mean=beta0_mean, beta0_std=beta0_std, draws=draws,
        )  # fmt: skip
    _show_dataset(f"P(acquire) by t = {budget:g}", found, ("probability", "median_time", "failed"), as_json, csv_file)


@simulate.command("acquisition")
def acquisition_times(
    context_length: Lengths = [25, 50, 100],  # noqa: B006
    dimension: Dimension = math.inf,
    labels: Labels = "iid",
    beta0_mean: BetaMean = 0.0,
    beta0_std: BetaStd = 1.0,
    budget: Budget = 1e7,
    draws: Draws = 1024,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Quantiles of t_ICL for K → ∞ over β0 ~ N(mean, std²), censored at a budget."""
    from .simulate import acquisition_distribution

    with working("solving the coupled equations"):
        found = acquisition_distribution(
            _task(context_length[0], dimension, labels, 1), context_length, budget=budget, beta0_mean=beta0_mean,
            beta0_std=beta0_std, draws=draws,
        )  # fmt: skip
    _show_dataset("t_ICL for K → ∞, gradient-flow time", found, ("quantile_time",), as_json, csv_file)


@simulate.command("transience")
def transience_phases(
    context_length: Annotated[int, typer.Option("--context-length", "-N", help="Context pairs N.")] = 100,
    task_diversity: Diversities = [1000, 3000],  # noqa: B006
    decay: Annotated[list[float], typer.Option(help="Weight decay λ on w and β; repeat for several.")] = [  # noqa: B006
        0.0,
        1e-4,
        3e-4,
        1e-3,
        3e-3,
    ],
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    beta0: Annotated[float, typer.Option("--beta0", help="Initial attention strength β0.")] = 0.0,
    budget: Budget = 1e6,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Over (λ, K): whether ICL is never acquired, lost again, or lasts beyond the budget, and when."""
    from .simulate import PHASES, transience
    from .theory import PowerLawMemory

    memory = PowerLawMemory(amplitude, exponent)
    with working("solving the coupled equations"):
        found = transience(
            _task(context_length, math.inf, "iid", 1), memory, decay, task_diversity, budget=budget, beta0=beta0
        )
    named = found.assign(
        phase=found["phase"].astype(object).copy(data=[[PHASES[c] for c in row] for row in found["phase"].values])
    )
    _show_dataset(f"phases by t = {budget:g}", named, ("phase", "time_acquired", "time_lost"), as_json, csv_file)


@simulate.command("balanced")
def balanced_contexts(
    context_length: Annotated[int, typer.Option("--context-length", "-N", help="Context pairs N, even.")] = 100,
    task_diversity: Diversities = [100, 300, 1000, 3000, 10000],  # noqa: B006
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    budget: Budget = 1e5,
    draws: Draws = 256,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Fraction acquiring ICL against K, for i.i.d. and for balanced context labels."""
    from .simulate import balanced_fraction
    from .theory import PowerLawMemory

    memory = PowerLawMemory(amplitude, exponent)
    with working("solving the coupled equations"):
        found = balanced_fraction(
            _task(context_length, math.inf, "balanced", 1), memory, task_diversity, budget=budget, draws=draws
        )
    _show_dataset(f"fraction acquiring by t = {budget:g}", found, ("probability", "median_time"), as_json, csv_file)


@simulate.command("run")
def single_run(
    context_length: Annotated[int, typer.Option("--context-length", "-N", help="Context pairs N.")] = 100,
    task_diversity: Annotated[float, typer.Option("--task-diversity", "-K", help="K, or inf.")] = 1000,
    beta0: Annotated[float, typer.Option("--beta0", help="Initial attention strength β0.")] = 0.0,
    w0: InitialWeight = 0.0,
    decay: Annotated[float, typer.Option(help="Weight decay λ on w and β.")] = 0.0,
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    dimension: Dimension = math.inf,
    labels: Labels = "iid",
    copies: Copies = 1,
    until: Annotated[float, typer.Option(help="Gradient-flow time at the end.")] = 1e4,
    points: Annotated[int, typer.Option(help="Rows of the table, spaced in log t.")] = 12,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """One trajectory: w, β, accuracies, losses and the clock over time, and when what happened."""
    import numpy as np

    from .simulate import CoupledModel, solve
    from .theory import PowerLawMemory, Task
    from .theory._arguments import require

    require(until > 1, "until", "be > 1", until)
    require(points >= 2, "points", "be >= 2", points)
    task = Task(context_length, task_diversity, dimension, labels, copies=copies)  # pyright: ignore[reportArgumentType]
    memory = None if math.isinf(task_diversity) else PowerLawMemory(amplitude, exponent)
    model = CoupledModel(task, memory, decay_w=decay, decay_beta=decay)
    state = [w0, beta0] if memory is None else [w0, beta0, 0.0]
    with working("solving the coupled equations"):
        found = solve(model, state, (0.0, until), times=np.concatenate([[0.0], np.geomspace(1.0, until, points - 1)]))
    names = ("w", "beta", "icl_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss", "c1", "clock")
    _show_dataset("coupled equations", found.to_dataset(), names, as_json, csv_file)
    if not as_json:
        print(", ".join(f"{name} at t = {t:.5g}" for name, t in found.events.items() if math.isfinite(t)) or "no event")


@contextmanager
def working(on: str) -> Iterator[None]:
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


def _task(context_length: int, dimension: float, labels: str, copies: int) -> Any:
    from .theory import Task

    return Task(context_length, dimension=dimension, labels=labels, copies=copies)  # pyright: ignore[reportArgumentType]


def _in_json(value: object) -> bool:
    """Whether standard JSON has this value as it is."""
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _show(
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
        with csv_file.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    if plot is not None:
        from .figures import curves as drawing
        from .figures import save

        save(drawing.draw(rows, *axes), plot)


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


def _show_dataset(title: str, found: xr.Dataset, names: Sequence[str], as_json: bool, csv_file: Path | None) -> None:
    """The named variables of a dataset, one row a point of their axes."""
    frame = found[list(names)].to_dataframe().reset_index()
    rows = [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]
    _show(title, rows, ("", "", ""), as_json, csv_file, None)
