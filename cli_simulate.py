"""Commands that solve the coupled equations: phases, distributions, transience, single runs."""

from __future__ import annotations

import math
import sys
from typing import Annotated, Any

import typer

from .cli_options import CsvFile, Json, PlotFile, combinations, several, told, whole
from .cli_tables import dataset_rows, show, working
from .cli_theory import (
    AMPLITUDE,
    BUDGET,
    NU,
    Amplitudes,
    Betas,
    Budgets,
    Copies,
    Dimensions,
    Exponents,
    InitialWeights,
    Labels,
    Lengths,
    one_task,
    power_law,
)

simulate = typer.Typer(help="The coupled equations solved: phases, distributions, single runs.", no_args_is_help=True)

Diversities = Annotated[list[float], several("--task-diversity", "-K", help="K: 30,100,inf or 100:1000:100.")]
Means = Annotated[list[float], several("--beta0-mean", help="Mean of β0.")]
Spreads = Annotated[list[float], several("--beta0-std", help="Standard deviation of β0.")]
Decays = Annotated[list[float], several("--decay", help="Weight decay λ on w and β: 0,1e-4,1e-3.")]
Draws = Annotated[int, whole(help="Draws of β0 at each point.")]


@simulate.command("phases")
def phases(
    context_length: Lengths = [25, 50, 100],
    task_diversity: Diversities = [30, 100, 300, 1000, 3000],
    amplitude: Amplitudes = AMPLITUDE,
    exponent: Exponents = NU,
    dimension: Dimensions = [math.inf],
    labels: Labels = "iid",
    copies: Copies = [1],
    beta0_mean: Means = [0.0],
    beta0_std: Spreads = [1.0],
    budget: Budgets = [BUDGET],
    draws: Draws = 256,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """P(acquire ICL | N, K) within a budget, over β0 ~ N(mean, std²)."""
    from .simulate import phase_diagram

    settings = {
        "amplitude": amplitude, "exponent": exponent, "dimension": dimension, "copies": copies,
        "beta0_mean": beta0_mean, "beta0_std": beta0_std, "budget": budget, "context_length": context_length[:1],
    }  # fmt: skip
    rows: list[dict[str, Any]] = []
    with working():
        for varied, at in combinations(**settings):
            found = phase_diagram(
                one_task(at, labels), power_law(at.amplitude, at.exponent), context_length, task_diversity,
                budget=at.budget, beta0_mean=at.beta0_mean, beta0_std=at.beta0_std, draws=draws,
            )  # fmt: skip
            rows += [varied | row for row in dataset_rows(found, ("probability", "median_time", "failed"))]
    show(f"P(acquire) by t = {told(budget)}", rows, ("task_diversity", "probability"), as_json, csv_file, plot)


@simulate.command("acquisition")
def acquisition_times(
    context_length: Lengths = [25, 50, 100],
    task_diversity: Diversities = [math.inf],
    amplitude: Amplitudes = AMPLITUDE,
    exponent: Exponents = NU,
    dimension: Dimensions = [math.inf],
    labels: Labels = "iid",
    copies: Copies = [1],
    beta0_mean: Means = [0.0],
    beta0_std: Spreads = [1.0],
    budget: Budgets = [1e7],
    draws: Draws = 1024,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Quantiles of t_ICL over β0 ~ N(mean, std²), and the share censored at a budget."""
    from .simulate import coupled_acquisition_distribution

    settings = {
        "task_diversity": task_diversity, "amplitude": amplitude, "exponent": exponent, "dimension": dimension,
        "copies": copies, "beta0_mean": beta0_mean, "beta0_std": beta0_std, "budget": budget,
        "context_length": context_length[:1],
    }  # fmt: skip
    rows: list[dict[str, Any]] = []
    with working():
        for varied, at in combinations(**settings):
            found = coupled_acquisition_distribution(
                one_task(at, labels, at.task_diversity), context_length, memory=_memory(at),
                budget=at.budget, beta0_mean=at.beta0_mean, beta0_std=at.beta0_std, draws=draws,
            )  # fmt: skip
            rows += [varied | row for row in dataset_rows(found, ("quantile_time", "censored", "failed"))]
    title = f"t_ICL for K = {told(task_diversity)}, gradient-flow time, censored at {told(budget)}"
    show(title, rows, ("context_length", "quantile_time"), as_json, csv_file, plot)


@simulate.command("transience")
def transience_phases(
    context_length: Lengths = [100],
    task_diversity: Diversities = [1000, 3000],
    decay: Decays = [0.0, 1e-4, 3e-4, 1e-3, 3e-3],
    amplitude: Amplitudes = AMPLITUDE,
    exponent: Exponents = NU,
    dimension: Dimensions = [math.inf],
    copies: Copies = [1],
    beta0: Betas = [0.0],
    budget: Budgets = [1e6],
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Over (λ, K): whether ICL is never acquired, lost again, or lasts beyond the budget, and when."""
    from .simulate import PHASES, transience

    settings = {
        "context_length": context_length, "dimension": dimension, "copies": copies, "amplitude": amplitude,
        "exponent": exponent, "beta0": beta0, "budget": budget,
    }  # fmt: skip
    names = {**dict(enumerate(PHASES)), -1: "failed"}
    rows: list[dict[str, Any]] = []
    with working():
        for varied, at in combinations(**settings):
            memory = power_law(at.amplitude, at.exponent)
            found = transience(one_task(at), memory, decay, task_diversity, budget=at.budget, beta0=at.beta0)
            rows += [varied | row for row in dataset_rows(found, ("phase", "time_acquired", "time_lost"))]
    rows = [{**row, "phase": names[row["phase"]]} for row in rows]
    axes = ("decay", ("time_acquired", "time_lost"))
    show(f"phases by t = {told(budget)}", rows, axes, as_json, csv_file, plot)


@simulate.command("balanced")
def balanced_contexts(
    context_length: Lengths = [100],
    task_diversity: Diversities = [100, 300, 1000, 3000, 10000],
    amplitude: Amplitudes = AMPLITUDE,
    exponent: Exponents = NU,
    dimension: Dimensions = [math.inf],
    copies: Copies = [1],
    beta0_mean: Means = [0.0],
    beta0_std: Spreads = [1.0],
    budget: Budgets = [BUDGET],
    draws: Draws = 256,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Fraction acquiring ICL against K, for i.i.d. and for balanced context labels."""
    from .simulate import balanced_fraction

    settings = {
        "context_length": context_length, "dimension": dimension, "copies": copies, "amplitude": amplitude,
        "exponent": exponent, "beta0_mean": beta0_mean, "beta0_std": beta0_std, "budget": budget,
    }  # fmt: skip
    rows: list[dict[str, Any]] = []
    with working():
        for varied, at in combinations(**settings):
            found = balanced_fraction(
                one_task(at, "balanced"), power_law(at.amplitude, at.exponent), task_diversity,
                budget=at.budget, beta0_mean=at.beta0_mean, beta0_std=at.beta0_std, draws=draws,
            )  # fmt: skip
            rows += [varied | row for row in dataset_rows(found, ("probability", "median_time", "failed"))]
    axes = ("task_diversity", "probability")
    show(f"fraction acquiring by t = {told(budget)}", rows, axes, as_json, csv_file, plot)


@simulate.command("run")
def single_run(
    context_length: Lengths = [100],
    task_diversity: Diversities = [1000],
    beta0: Betas = [0.0],
    w0: InitialWeights = [0.0],
    decay: Decays = [0.0],
    amplitude: Amplitudes = AMPLITUDE,
    exponent: Exponents = NU,
    dimension: Dimensions = [math.inf],
    labels: Labels = "iid",
    copies: Copies = [1],
    budget: Budgets = [1e4],
    points: Annotated[int, whole(help="Rows of the table, spaced in log t.")] = 12,
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Trajectories: w, β, accuracies, losses and the clock over time, and when what happened."""
    from .theory._arguments import require

    require(points >= 2, "points", "be >= 2", points)
    settings = {
        "context_length": context_length, "task_diversity": task_diversity, "beta0": beta0, "w0": w0, "decay": decay,
        "amplitude": amplitude, "exponent": exponent, "dimension": dimension, "copies": copies, "budget": budget,
    }  # fmt: skip
    rows: list[dict[str, Any]] = []
    events: list[str] = []
    failures: list[str] = []
    with working():
        for varied, at in combinations(**settings):
            found, table = _trajectory(at, labels, points)
            rows += [varied | row for row in table]
            where = f"{', '.join(f'{name} = {told([value])}' for name, value in varied.items())}: " if varied else ""
            happened = [f"{name} at t = {t:.5g}" for name, t in found.events.items() if math.isfinite(t)]
            events.append(where + (", ".join(happened) or "no event"))
            if not found.success:
                failures.append(f"{where}not solved beyond t = {found.reached:.5g}: {found.status}")
    show("coupled equations", rows, ("time", ("icl_accuracy", "iwl_accuracy")), as_json, csv_file, plot)
    if not as_json:
        print("\n".join(events))
    if failures:
        print("\n".join(f"iclrace: {failure}" for failure in failures), file=sys.stderr)
        raise typer.Exit(1)


def _trajectory(at: Any, labels: str, points: int) -> tuple[Any, list[dict[str, Any]]]:
    """One solution of the coupled equations, and its rows; those that were not reached are NaN, with the reason."""
    import numpy as np

    from .simulate import CoupledModel, solve
    from .theory._arguments import require

    require(1 < at.budget < math.inf, "budget", "be > 1 and finite", at.budget)
    require(math.isfinite(at.w0), "w0", "be finite", at.w0)
    require(math.isfinite(at.beta0), "beta0", "be finite", at.beta0)
    task = one_task(at, labels, at.task_diversity)
    model = CoupledModel(task, _memory(at), decay_w=at.decay, decay_beta=at.decay)
    times = [0.0, *np.geomspace(1.0, at.budget, points - 1)]
    times[-1] = at.budget  # which the logarithm's rounding may exceed
    found = solve(model, (at.w0, at.beta0), (0.0, at.budget), times=times)
    status = ["solved" if t <= found.reached else found.status for t in times]
    table = found.to_dataset().reindex(time=times).assign(status=("time", status))
    names = ("w", "beta", "icl_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss", "c1", "clock", "status")
    return found, dataset_rows(table, names)


def _memory(at: Any) -> Any:
    """The power law; none for K → ∞."""
    memory = power_law(at.amplitude, at.exponent)  # made in any case, so that a bad A or ν is refused
    return None if math.isinf(at.task_diversity) else memory
