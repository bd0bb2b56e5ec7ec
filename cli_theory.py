"""Commands that compute theory: curves in closed form, exponents, and the coupled equations solved."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from .cli_tables import CsvFile, Json, PlotFile, print_rows, show, show_dataset, working

curves = typer.Typer(help="Closed forms: K* or t_ICL against context length.", no_args_is_help=True)
simulate = typer.Typer(help="The coupled equations solved: phases, distributions, single runs.", no_args_is_help=True)

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
OneLength = Annotated[int, typer.Option("--context-length", "-N", help="Context pairs N; even where balanced.")]
OneDiversity = Annotated[float, typer.Option("--task-diversity", "-K", help="K, or inf.")]
OneBeta = Annotated[float, typer.Option("--beta0", help="Initial attention strength β0.")]
Decays = Annotated[list[float], typer.Option("--decay", help="Weight decay λ on w and β; repeat for several.")]
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

    tasks = [_task(n, dimension, labels, copies) for n in context_length]
    rows = _rows("t_ICL", lambda task, start: float(acquisition_time(task, start, w0)), tasks, beta0)
    show("t_ICL for K → ∞, gradient-flow time", rows, ("N", "t_ICL", "beta0"), as_json, csv_file, plot)


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
    budget: Annotated[
        float, typer.Option(help="Gradient-flow time at which training stops; inf for never.")
    ] = math.inf,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Task-diversity threshold K*: below it the network memorises, above it it learns in context by the budget."""
    from .theory import threshold

    memory = _memory(amplitude, exponent)
    tasks = [_task(n, dimension, labels, copies) for n in context_length]
    rows = _rows("K*", lambda task, start: threshold(task, memory, start, w0, budget=budget).value, tasks, beta0)
    rows = [{**row, "budget": budget} for row in rows]
    title = f"K* for I_K(∞) = {amplitude:g} K^{exponent:g}"
    show(title, rows, ("N", "K*", "beta0"), as_json, csv_file, plot)


def exponents(
    latex: Annotated[bool, typer.Option("--latex", help="Print a LaTeX table.")] = False, as_json: Json = False
) -> None:
    """Scaling exponents of t_ICL, K*, widths and transience, derived, each with its regime.

    They are kept in $XDG_CACHE_HOME/iclrace or ~/.cache/iclrace until the theory's source changes.
    """
    from .theory.stored import stored_exponents

    with working("deriving the exponents"):
        found = stored_exponents()
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
    copies: Copies = 1,
    beta0_mean: BetaMean = 0.0,
    beta0_std: BetaStd = 1.0,
    budget: Budget = 1e5,
    draws: Draws = 256,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """P(acquire ICL | N, K) within a budget, over β0 ~ N(mean, std²)."""
    from .simulate import phase_diagram

    task = _task(context_length[0], dimension, labels, copies)
    with working():
        found = phase_diagram(
            task, _memory(amplitude, exponent), context_length, task_diversity,
            budget=budget, beta0_mean=beta0_mean, beta0_std=beta0_std, draws=draws,
        )  # fmt: skip
    show_dataset(f"P(acquire) by t = {budget:g}", found, ("probability", "median_time", "failed"), as_json, csv_file)


@simulate.command("acquisition")
def acquisition_times(
    context_length: Lengths = [25, 50, 100],  # noqa: B006
    task_diversity: OneDiversity = math.inf,
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    dimension: Dimension = math.inf,
    labels: Labels = "iid",
    copies: Copies = 1,
    beta0_mean: BetaMean = 0.0,
    beta0_std: BetaStd = 1.0,
    budget: Budget = 1e7,
    draws: Draws = 1024,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Quantiles of t_ICL over β0 ~ N(mean, std²), and the share censored at a budget."""
    from .simulate import acquisition_distribution

    task = _task(context_length[0], dimension, labels, copies, task_diversity)
    with working():
        found = acquisition_distribution(
            task, context_length, memory=_memory(amplitude, exponent, task_diversity),
            budget=budget, beta0_mean=beta0_mean, beta0_std=beta0_std, draws=draws,
        )  # fmt: skip
    title = f"t_ICL for K = {task_diversity:g}, gradient-flow time, censored at {budget:g}"
    show_dataset(title, found, ("quantile_time", "censored", "failed"), as_json, csv_file)


@simulate.command("transience")
def transience_phases(
    context_length: OneLength = 100,
    task_diversity: Diversities = [1000, 3000],  # noqa: B006
    decay: Decays = [0.0, 1e-4, 3e-4, 1e-3, 3e-3],  # noqa: B006
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    dimension: Dimension = math.inf,
    beta0: OneBeta = 0.0,
    budget: Budget = 1e6,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Over (λ, K): whether ICL is never acquired, lost again, or lasts beyond the budget, and when."""
    from .simulate import PHASES, transience

    task = _task(context_length, dimension)
    with working():
        found = transience(task, _memory(amplitude, exponent), decay, task_diversity, budget=budget, beta0=beta0)
    names = {**dict(enumerate(PHASES)), -1: "failed"}
    named = found.assign(
        phase=found["phase"].astype(object).copy(data=[[names[c] for c in row] for row in found["phase"].values])
    )
    show_dataset(f"phases by t = {budget:g}", named, ("phase", "time_acquired", "time_lost"), as_json, csv_file)


@simulate.command("balanced")
def balanced_contexts(
    context_length: OneLength = 100,
    task_diversity: Diversities = [100, 300, 1000, 3000, 10000],  # noqa: B006
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    dimension: Dimension = math.inf,
    beta0_mean: BetaMean = 0.0,
    beta0_std: BetaStd = 1.0,
    budget: Budget = 1e5,
    draws: Draws = 256,
    as_json: Json = False,
    csv_file: CsvFile = None,
) -> None:
    """Fraction acquiring ICL against K, for i.i.d. and for balanced context labels."""
    from .simulate import balanced_fraction

    task = _task(context_length, dimension, "balanced")
    with working():
        found = balanced_fraction(
            task, _memory(amplitude, exponent), task_diversity,
            budget=budget, beta0_mean=beta0_mean, beta0_std=beta0_std, draws=draws,
        )  # fmt: skip
    title = f"fraction acquiring by t = {budget:g}"
    show_dataset(title, found, ("probability", "median_time", "failed"), as_json, csv_file)


@simulate.command("run")
def single_run(
    context_length: OneLength = 100,
    task_diversity: OneDiversity = 1000,
    beta0: OneBeta = 0.0,
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
    from .theory._arguments import require

    require(1 < until < math.inf, "until", "be > 1 and finite", until)
    require(points >= 2, "points", "be >= 2", points)
    require(math.isfinite(w0), "w0", "be finite", w0)
    require(math.isfinite(beta0), "beta0", "be finite", beta0)
    task = _task(context_length, dimension, labels, copies, task_diversity)
    model = CoupledModel(task, _memory(amplitude, exponent, task_diversity), decay_w=decay, decay_beta=decay)
    times = [0.0, *np.geomspace(1.0, until, points - 1)]
    times[-1] = until  # which the logarithm's rounding may exceed
    with working():
        found = solve(model, (w0, beta0), (0.0, until), times=times)
    table = found.to_dataset().reindex(time=times)  # what was not reached is NaN, with the reason beside it
    status = ["solved" if t <= found.reached else found.status for t in times]
    table = table.assign(status=("time", status))
    names = ("w", "beta", "icl_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss", "c1", "clock", "status")
    show_dataset("coupled equations", table, names, as_json, csv_file)
    if not found.success:
        print(f"iclrace: not solved beyond t = {found.reached:.5g}: {found.status}", file=sys.stderr)
        raise typer.Exit(1)
    if not as_json:
        print(", ".join(f"{name} at t = {t:.5g}" for name, t in found.events.items() if math.isfinite(t)) or "no event")


def _task(
    context_length: int, dimension: float, labels: str = "iid", copies: int = 1, task_diversity: float = math.inf
) -> Any:
    from .theory import Task

    return Task(context_length, task_diversity, dimension, labels, copies=copies)  # pyright: ignore[reportArgumentType]


def _memory(amplitude: float, exponent: float, task_diversity: float = 1.0) -> Any:
    """The power law; none for K → ∞."""
    from .theory import PowerLawMemory

    memory = PowerLawMemory(amplitude, exponent)  # made in any case, so that a bad A or ν is refused
    return None if math.isinf(task_diversity) else memory


def _rows(name: str, value: Callable[[Any, float], float], tasks: list[Any], beta0: list[float]) -> list[dict]:
    """One row for every task and β0."""
    return [{"N": float(task.context_length), "beta0": b, name: value(task, b)} for b in beta0 for task in tasks]
