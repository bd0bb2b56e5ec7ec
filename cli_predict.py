"""``iclrace predict``: a transformer's K*, t_ICL and final accuracies before it is trained."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import CsvFile, Json, PlotFile, several
from .cli_tables import print_rows, show

#: Columns of the table, by the variables of the forecast's curve.
_COLUMNS = {"icl_accuracy": "icl_accuracy", "iwl_accuracy": "iwl_accuracy", "acquisition_time": "time_acquired"}


def predict(
    context_length: Annotated[int, typer.Option("--context-length", "-N", help="Context pairs N.")] = 31,
    dimension: Annotated[int, typer.Option("--dimension", "-D", help="Item dimension D.")] = 31,
    width: Annotated[int, typer.Option(help="Width of the perceptron.")] = 128,
    task_diversity: Annotated[
        list[float] | None,
        several("--task-diversity", "-K", help="K of the curve, as 256,512,inf; around K* by default."),
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of plain SGD.")] = 0.05,
    batch_size: Annotated[int, typer.Option(help="Of the networks; says whether their noise is small.")] = 128,
    rate_ratio: Annotated[float, typer.Option(help="Learning rate of the perceptron over the attention's.")] = 1.0,
    attention_scale: Annotated[float, typer.Option(help="Factor on W_Q and W_K at the start.")] = 1.0,
    residual_scale: Annotated[float, typer.Option(help="Factor on the target in the residual.")] = 1.0,
    copies: Annotated[int, typer.Option(help="Copies of the target in the context.")] = 1,
    decay: Annotated[float, typer.Option(help="Weight decay λ on W_Q, W_K and V.")] = 0.0,
    budget: Annotated[float, typer.Option(help="Gradient-flow time at which training stops.")] = 200.0,
    independent: Annotated[bool, typer.Option("--independent", help="Circuits that share nothing.")] = False,
    members: Annotated[int, typer.Option(help="Starts, over the distribution of initial weights.")] = 6,
    calibration_seeds: Annotated[int, typer.Option(help="Perceptrons trained alone at each K.")] = 2,
    draws: Annotated[int, typer.Option(help="Contexts sampled for each start.")] = 1000,
    store: Annotated[Path, typer.Option(help="Run store, which keeps the perceptrons.")] = Path("results/runs"),
    network: Annotated[
        str, typer.Option(help="transformer, or minimal: its circuit and the whole network.")
    ] = "transformer",
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """K*, t_ICL and final accuracies of a transformer, from initial weights and perceptrons trained alone."""
    from .validate.predict.forecast import predict as forecast
    from .validate.run import writable_directory

    if network not in ("transformer", "minimal"):
        raise typer.BadParameter(f"be transformer or minimal, but it is {network!r}", param_hint="--network")
    if network == "minimal":
        given = {"-K": bool(task_diversity), "--attention-scale": attention_scale != 1, "--copies": copies != 1,
                 "--residual-scale": residual_scale != 1, "--independent": independent}  # fmt: skip
        for option in [name for name, is_given in given.items() if is_given]:
            raise typer.BadParameter("be left out for the minimal model, which has none", param_hint=option)
        if batch_size != 128:
            raise typer.BadParameter(
                "be left out for the minimal model: nothing depends on it", param_hint="--batch-size"
            )
        settings = {"learning_rate": learning_rate, "rate_ratio": rate_ratio, "decay": decay, "budget": budget,
                    "calibration_seeds": calibration_seeds}  # fmt: skip
        _print_minimal(context_length, dimension, width, settings, store, as_json, csv_file, plot)
        return
    found = forecast(
        context_length, dimension, width, task_diversity=task_diversity or None, learning_rate=learning_rate,
        batch_size=batch_size, rate_ratio=rate_ratio, attention_scale=attention_scale, residual_scale=residual_scale,
        copies=copies, decay=decay, budget=budget, independent=independent, members=members,
        calibration_seeds=calibration_seeds, draws=draws, store=writable_directory(store),
    )  # fmt: skip
    title = f"K* = {_interval(found.threshold)} at t = {budget:g}; t_ICL (K → ∞) = {_interval(found.endless_time)}"
    rows = [{"context_length": context_length, **row} for row in _rows(found, exact=True)]
    if as_json or csv_file is not None or plot is not None:
        with contextlib.redirect_stdout(sys.stdout if as_json else io.StringIO()):
            show(title, rows, ("task_diversity", "icl_accuracy"), as_json, csv_file, plot)
    if not as_json:
        print_rows(title, _rows(found, exact=False))
        print("\n".join(["assumed: " + "; ".join(found.assumptions), *(f"read: {line}" for line in found.inputs)]))


def _print_minimal(
    context_length: int, dimension: int, width: int, settings: dict[str, Any], store: Path, as_json: bool,
    csv_file: Path | None, plot: Path | None,
) -> None:  # fmt: skip
    from .validate.predict.forecast_minimal import predict_minimal
    from .validate.run import writable_directory

    found = predict_minimal(context_length, dimension, width, store=writable_directory(store), **settings)
    ends = {"threshold": found.threshold.value, "circuit_threshold": found.circuit_threshold.value,
            "budget": found.budget}  # fmt: skip
    names = ("icl_accuracy", "circuit_accuracy", "acquisition_time")
    columns = dict(zip(names, (*names[:2], "time_acquired"), strict=True))
    rows = [
        {"context_length": context_length, "task_diversity": float(k)}
        | {label: float(found.curve[name].sel(task_diversity=k)) for label, name in columns.items()}
        | (ends if as_json else {})
        for k in found.curve.task_diversity.values
    ]
    title = (
        f"minimal model: K* = {_interval(found.threshold)}, of its circuit {_interval(found.circuit_threshold)}, "
        f"at t = {found.budget:g}"
    )
    show(title, rows, ("task_diversity", "icl_accuracy"), as_json, csv_file, plot)
    if not as_json:
        print("\n".join(["assumed: " + "; ".join(found.assumptions), *(f"read: {line}" for line in found.inputs)]))


def _interval(estimate: Any) -> str:
    return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"


def _rows(found: Any, exact: bool) -> list[dict[str, Any]]:
    """One row a K. ``exact``: numbers for a machine, K* with them; otherwise a value and its range in one cell."""
    rows = []
    for k in found.curve.task_diversity.values:
        at = found.curve.sel(task_diversity=k)
        row: dict[str, Any] = {"task_diversity": float(k)}
        for label, name in _COLUMNS.items():
            ends = [float(at[column]) for column in (name, f"{name}_low", f"{name}_high")]
            if exact:
                row |= dict(zip((label, f"{label}_low", f"{label}_high"), ends, strict=True))
            else:
                row[label] = "{:.4g} [{:.4g}, {:.4g}]".format(*ends) if ends[1] < math.inf else "inf"
        row["phase"] = str(at.phase.item())
        if exact:
            for label, estimate in (("threshold", found.threshold), ("endless_time", found.endless_time)):
                row |= {label: estimate.value, f"{label}_low": estimate.low, f"{label}_high": estimate.high}
            row["budget"] = found.budget
        rows.append(row)
    return rows
