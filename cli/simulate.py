"""Commands that solve the coupled equations: phases, distributions, transience, single runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import typer

from .options import OUTPUTS, Once, checked, in_words, lists, several, whole, with_options
from .tables import dataset_rows, show, working
from .theory import (
    BUDGET,
    COPIES,
    DIMENSION,
    INITIAL_WEIGHT,
    LABELS,
    POWER_LAW,
    betas,
    budgets,
    lengths,
    one_task,
    power_law,
)

simulate = typer.Typer(help="The coupled equations solved: phases, distributions, single runs.", no_args_is_help=True)

diversities = partial(several, "--task-diversity", "-K", help="K: 30,100,inf or 100:1000:100.")
decays = partial(several, help="Weight decay λ on w and β: 0,1e-4,1e-3.")
draws = partial(whole, help="Draws of β0 at each point.")
STARTS = {
    "beta0_mean": several(help="Mean of β0.", default=[0.0]),
    "beta0_std": several(help="Standard deviation of β0.", default=[1.0]),
}


@simulate.command("phases", cls=Once)
@with_options(
    context_length=lengths(default=[25, 50, 100]),
    task_diversity=diversities(default=[30, 100, 300, 1000, 3000]),
    **POWER_LAW, **DIMENSION, **LABELS, **COPIES, **STARTS,
    budget=budgets(default=[BUDGET]),
    draws=draws(default=256),
    **OUTPUTS,
)  # fmt: skip
def phases(given: Any) -> None:
    """P(acquire ICL | N, K) within a budget, over β0 ~ N(mean, std²)."""
    from ..simulate import phase_diagram

    def solved(at: Any) -> Any:
        task = one_task(at, given.labels)
        return phase_diagram(task, power_law(at), given.context_length, given.task_diversity, **_ensemble(given, at))

    order = "amplitude exponent dimension copies beta0_mean beta0_std budget"
    rows = _rows(given, order, solved, ("probability", "median_time", "failed"))
    show(given, f"P(acquire) by t = {in_words(given.budget)}", rows, ("task_diversity", "probability"))


@simulate.command("acquisition", cls=Once)
@with_options(
    context_length=lengths(default=[25, 50, 100]),
    task_diversity=diversities(default=[math.inf]),
    **POWER_LAW, **DIMENSION, **LABELS, **COPIES, **STARTS,
    budget=budgets(default=[1e7]),
    draws=draws(default=1024),
    **OUTPUTS,
)  # fmt: skip
def acquisition_times(given: Any) -> None:
    """Quantiles of t_ICL over β0 ~ N(mean, std²), and the share censored at a budget."""
    from ..simulate import coupled_acquisition_distribution

    def solved(at: Any) -> Any:
        task = one_task(at, given.labels, at.task_diversity)
        return coupled_acquisition_distribution(task, given.context_length, memory=_memory(at), **_ensemble(given, at))

    order = "task_diversity amplitude exponent dimension copies beta0_mean beta0_std budget"
    rows = _rows(given, order, solved, ("quantile_time", "censored", "failed"))
    ends = f"gradient-flow time, censored at {in_words(given.budget)}"
    show(given, f"t_ICL for K = {in_words(given.task_diversity)}, {ends}", rows, ("context_length", "quantile_time"))


@simulate.command("transience", cls=Once)
@with_options(
    context_length=lengths(default=[100]),
    task_diversity=diversities(default=[1000, 3000]),
    decay=decays(default=[0.0, 1e-4, 3e-4, 1e-3, 3e-3]),
    **POWER_LAW, **DIMENSION, **COPIES,
    beta0=betas(default=[0.0]),
    budget=budgets(default=[1e6]),
    **OUTPUTS,
)  # fmt: skip
def transience_phases(given: Any) -> None:
    """Over (λ, K): whether ICL is never acquired, lost again, or lasts beyond the budget, and when."""
    from ..simulate import PHASES, transience

    def solved(at: Any) -> Any:
        diversities = given.task_diversity
        return transience(one_task(at), power_law(at), given.decay, diversities, budget=at.budget, beta0=at.beta0)

    order = "context_length dimension copies amplitude exponent beta0 budget"
    rows = _rows(given, order, solved, ("phase", "time_acquired", "time_lost"))
    names = {**dict(enumerate(PHASES)), -1: "failed"}
    rows = [{**row, "phase": names[row["phase"]]} for row in rows]
    show(given, f"phases by t = {in_words(given.budget)}", rows, ("decay", ("time_acquired", "time_lost")))


@simulate.command("balanced", cls=Once)
@with_options(
    context_length=lengths(default=[100]),
    task_diversity=diversities(default=[100, 300, 1000, 3000, 10000]),
    **POWER_LAW, **DIMENSION, **COPIES, **STARTS,
    budget=budgets(default=[BUDGET]),
    draws=draws(default=256),
    **OUTPUTS,
)  # fmt: skip
def balanced_contexts(given: Any) -> None:
    """Fraction acquiring ICL against K, for i.i.d. and for balanced context labels."""
    from ..simulate import balanced_fraction

    def solved(at: Any) -> Any:
        task = one_task(at, "balanced")
        return balanced_fraction(task, power_law(at), given.task_diversity, **_ensemble(given, at))

    order = "context_length dimension copies amplitude exponent beta0_mean beta0_std budget"
    rows = _rows(given, order, solved, ("probability", "median_time", "failed"))
    show(given, f"fraction acquiring by t = {in_words(given.budget)}", rows, ("task_diversity", "probability"))


@simulate.command("run", cls=Once)
@with_options(
    context_length=lengths(default=[100]),
    task_diversity=diversities(default=[1000]),
    beta0=betas(default=[0.0]),
    **INITIAL_WEIGHT,
    decay=decays(default=[0.0]),
    **POWER_LAW, **DIMENSION, **LABELS, **COPIES,
    budget=budgets(default=[1e4]),
    points=whole(help="Rows of the table, spaced in log t.", default=12),
    **OUTPUTS,
)  # fmt: skip
def single_run(given: Any) -> None:
    """Trajectories: w, β, accuracies, losses and the clock over time, and when what happened."""
    from ..theory.common.arguments import require, within_memory

    require(given.points >= 2, "points", "be >= 2", given.points)
    within_memory(500.0 * given.points, points=given.points)  # a row of the table, with its nine columns
    order = "context_length task_diversity beta0 w0 decay amplitude exponent dimension copies budget"
    rows: list[dict[str, Any]] = []
    events: list[str] = []
    failures: list[str] = []
    with working():
        for varied, (solution, table) in _each(given, order, lambda at: _trajectory(at, given.labels, given.points)):
            rows += [varied | row for row in table]
            where = ", ".join(f"{name} = {in_words([value])}" for name, value in varied.items())
            where = f"{where}: " if varied else ""
            happened = [f"{name} at t = {t:.5g}" for name, t in solution.events.items() if math.isfinite(t)]
            events.append(where + (", ".join(happened) or "no event"))
            if not solution.success:
                failures.append(f"{where}not solved beyond t = {solution.reached:.5g}: {solution.status}")
    show(given, "coupled equations", rows, ("time", ("icl_accuracy", "iwl_accuracy")))
    if not given.as_json:
        print("\n".join(events))
    if failures:
        print("\n".join(f"iclrace: {failure}" for failure in failures), file=sys.stderr)
        raise typer.Exit(1)


def _trajectory(at: Any, labels: str, points: int) -> tuple[Any, list[dict[str, Any]]]:
    """One solution of the coupled equations, and its rows; those that were not reached are NaN, with the reason."""
    import numpy as np

    from ..simulate import CoupledModel, solve
    from ..theory.common.arguments import require

    require(1 < at.budget < math.inf, "budget", "be > 1 and finite", at.budget)
    require(math.isfinite(at.w0), "w0", "be finite", at.w0)
    require(math.isfinite(at.beta0), "beta0", "be finite", at.beta0)
    task = one_task(at, labels, at.task_diversity)
    model = CoupledModel(task, _memory(at), decay_w=at.decay, decay_beta=at.decay)
    times = [0.0, *np.geomspace(1.0, at.budget, points - 1)]
    times[-1] = at.budget  # which the logarithm's rounding may exceed
    solution = solve(model, (at.w0, at.beta0), (0.0, at.budget), times=times)
    status = ["solved" if t <= solution.reached else solution.status for t in times]
    table = solution.to_dataset().reindex(time=times).assign(status=("time", status))
    names = ("w", "beta", "icl_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss", "c1", "clock", "status")
    return solution, dataset_rows(table, names)


def _each(given: Any, order: str, solved: Callable[[Any], Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """What varies and what is ``solved`` at every combination of the options in this order; all are checked first.

    Where the call itself takes every context length, it finds the first one there.
    """
    options = lists(given, order)
    if "context_length" not in options:
        options["context_length"] = given.context_length[:1]
    for varied, at in checked(solved, **options):
        yield varied, solved(at)


def _rows(given: Any, order: str, solved: Callable[[Any], Any], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The table of every combination of the options in this order, ``solved`` one by one."""
    rows: list[dict[str, Any]] = []
    with working():
        for varied, solution in _each(given, order, solved):
            rows += [varied | row for row in dataset_rows(solution, columns)]
    return rows


def _ensemble(given: Any, at: Any) -> dict[str, Any]:
    """The starts of an ensemble, and when it ends."""
    return {
        "budget": at.budget, "beta0_mean": at.beta0_mean, "beta0_std": at.beta0_std, "draws": given.draws
    }  # fmt: skip


def _memory(at: Any) -> Any:
    """The power law; none for K → ∞."""
    memory = power_law(at)  # made in any case, so that a bad A or ν is refused
    return None if math.isinf(at.task_diversity) else memory
