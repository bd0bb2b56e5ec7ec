"""Commands that solve the coupled equations: phases, distributions, transience, single runs."""

from __future__ import annotations

import math
import sys
from typing import Annotated, Any

import typer

from .cli_options import CsvFile, Json, PlotFile, several
from .cli_tables import show_dataset, working
from .cli_theory import BUDGET, Amplitude, Copies, Dimension, InitialWeight, Labels, Lengths, MemoryExponent, power_law

simulate = typer.Typer(help="The coupled equations solved: phases, distributions, single runs.", no_args_is_help=True)

Diversities = Annotated[list[float], several("--task-diversity", "-K", help="K: 30,100,300 or 100:1000:100.")]
BetaMean = Annotated[float, typer.Option("--beta0-mean", help="Mean of β0.")]
BetaStd = Annotated[float, typer.Option("--beta0-std", help="Standard deviation of β0.")]
OneLength = Annotated[int, typer.Option("--context-length", "-N", help="Context pairs N; even where balanced.")]
OneDiversity = Annotated[float, typer.Option("--task-diversity", "-K", help="K, or inf.")]
OneBeta = Annotated[float, typer.Option("--beta0", help="Initial attention strength β0.")]
Decays = Annotated[list[float], several("--decay", help="Weight decay λ on w and β: 0,1e-4,1e-3.")]
Budget = Annotated[float, typer.Option(help="Gradient-flow time at which training stops.")]
Draws = Annotated[int, typer.Option(help="Draws of β0 at each point.")]


@simulate.command("phases")
def phases(
    context_length: Lengths = [25, 50, 100],  # noqa: B006  (typer reads the list, nothing changes it)
    task_diversity: Diversities = [30, 100, 300, 1000, 3000],  # noqa: B006
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    dimension: Dimension = math.inf,
    labels: Labels = "iid",
    copies: Copies = 1,
    beta0_mean: BetaMean = 0.0,
    beta0_std: BetaStd = 1.0,
    budget: Budget = BUDGET,
    draws: Draws = 256,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """P(acquire ICL | N, K) within a budget, over β0 ~ N(mean, std²)."""
    from .simulate import phase_diagram

    task = _task(context_length[0], dimension, labels, copies)
    with working():
        found = phase_diagram(
            task, power_law(amplitude, exponent), context_length, task_diversity,
            budget=budget, beta0_mean=beta0_mean, beta0_std=beta0_std, draws=draws,
        )  # fmt: skip
    title, names = f"P(acquire) by t = {budget:g}", ("probability", "median_time", "failed")
    axes = ("task_diversity", "probability")
    show_dataset(title, found, names, axes, as_json, csv_file, plot)


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
    plot: PlotFile = None,
) -> None:
    """Quantiles of t_ICL over β0 ~ N(mean, std²), and the share censored at a budget."""
    from .simulate import coupled_acquisition_distribution

    task = _task(context_length[0], dimension, labels, copies, task_diversity)
    with working():
        found = coupled_acquisition_distribution(
            task, context_length, memory=_memory(amplitude, exponent, task_diversity),
            budget=budget, beta0_mean=beta0_mean, beta0_std=beta0_std, draws=draws,
        )  # fmt: skip
    title = f"t_ICL for K = {task_diversity:g}, gradient-flow time, censored at {budget:g}"
    axes = ("context_length", "quantile_time")
    show_dataset(title, found, ("quantile_time", "censored", "failed"), axes, as_json, csv_file, plot)


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
    plot: PlotFile = None,
) -> None:
    """Over (λ, K): whether ICL is never acquired, lost again, or lasts beyond the budget, and when."""
    from .simulate import PHASES, transience

    task = _task(context_length, dimension)
    with working():
        found = transience(task, power_law(amplitude, exponent), decay, task_diversity, budget=budget, beta0=beta0)
    names = {**dict(enumerate(PHASES)), -1: "failed"}
    named = found.assign(
        phase=found["phase"].astype(object).copy(data=[[names[c] for c in row] for row in found["phase"].values])
    )
    axes = ("decay", ("time_acquired", "time_lost"))
    show_dataset(
        f"phases by t = {budget:g}", named, ("phase", "time_acquired", "time_lost"), axes, as_json, csv_file, plot
    )


@simulate.command("balanced")
def balanced_contexts(
    context_length: OneLength = 100,
    task_diversity: Diversities = [100, 300, 1000, 3000, 10000],  # noqa: B006
    amplitude: Amplitude = 3.9,
    exponent: MemoryExponent = 0.7,
    dimension: Dimension = math.inf,
    beta0_mean: BetaMean = 0.0,
    beta0_std: BetaStd = 1.0,
    budget: Budget = BUDGET,
    draws: Draws = 256,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Fraction acquiring ICL against K, for i.i.d. and for balanced context labels."""
    from .simulate import balanced_fraction

    task = _task(context_length, dimension, "balanced")
    with working():
        found = balanced_fraction(
            task, power_law(amplitude, exponent), task_diversity,
            budget=budget, beta0_mean=beta0_mean, beta0_std=beta0_std, draws=draws,
        )  # fmt: skip
    title = f"fraction acquiring by t = {budget:g}"
    axes = ("task_diversity", "probability")
    show_dataset(title, found, ("probability", "median_time", "failed"), axes, as_json, csv_file, plot)


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
    budget: Budget = 1e4,
    points: Annotated[int, typer.Option(help="Rows of the table, spaced in log t.")] = 12,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """One trajectory: w, β, accuracies, losses and the clock over time, and when what happened."""
    import numpy as np

    from .simulate import CoupledModel, solve
    from .theory._arguments import require

    require(1 < budget < math.inf, "budget", "be > 1 and finite", budget)
    require(points >= 2, "points", "be >= 2", points)
    require(math.isfinite(w0), "w0", "be finite", w0)
    require(math.isfinite(beta0), "beta0", "be finite", beta0)
    task = _task(context_length, dimension, labels, copies, task_diversity)
    model = CoupledModel(task, _memory(amplitude, exponent, task_diversity), decay_w=decay, decay_beta=decay)
    times = [0.0, *np.geomspace(1.0, budget, points - 1)]
    times[-1] = budget  # which the logarithm's rounding may exceed
    with working():
        found = solve(model, (w0, beta0), (0.0, budget), times=times)
    table = found.to_dataset().reindex(time=times)  # what was not reached is NaN, with the reason beside it
    status = ["solved" if t <= found.reached else found.status for t in times]
    table = table.assign(status=("time", status))
    names = ("w", "beta", "icl_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss", "c1", "clock", "status")
    axes = ("time", ("icl_accuracy", "iwl_accuracy"))
    show_dataset("coupled equations", table, names, axes, as_json, csv_file, plot)
    if not found.success:
        print(f"iclrace: not solved beyond t = {found.reached:.5g}: {found.status}", file=sys.stderr)
        raise typer.Exit(1)
    if not as_json:
        print(", ".join(f"{name} at t = {t:.5g}" for name, t in found.events.items() if math.isfinite(t)) or "no event")


def _task(
    context_length: float, dimension: float, labels: str = "iid", copies: int = 1, task_diversity: float = math.inf
) -> Any:
    from .theory import Task

    return Task(context_length, task_diversity, dimension, labels, copies=copies)  # pyright: ignore[reportArgumentType]


def _memory(amplitude: float, exponent: float, task_diversity: float) -> Any:
    """The power law; none for K → ∞."""
    memory = power_law(amplitude, exponent)  # made in any case, so that a bad A or ν is refused
    return None if math.isinf(task_diversity) else memory
