"""``iclrace predict``: a transformer's K*, t_ICL and final accuracies before it is trained."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import typer

from .options import OUTPUTS, checked, flag, in_words, option, option_name, several, text, values, whole, with_options
from .tables import print_rows, show

#: Columns of the table, by the variables of the forecast's curve.
_COLUMNS = {"icl_accuracy": "icl_accuracy", "iwl_accuracy": "iwl_accuracy", "acquisition_time": "time_acquired"}

#: Settings that one network has and the other has not, at what they usually are.
_TRANSFORMER_ALONE = {"attention_scale": 1, "copies": 1, "residual_scale": 1, "batch_size": 128}
_MINIMAL_ALONE = {"w0": 0}

#: Settings of a network, in the order of the table.
_SETTINGS = (
    "context_length", "dimension", "width", "learning_rate", "batch_size", "rate_ratio", "attention_scale",
    "residual_scale", "copies", "decay", "budget", "beta0", "w0",
)  # fmt: skip


@with_options(
    context_length=several("--context-length", "-N", help="Context pairs N.", default=[31]),
    dimension=several("--dimension", "-D", help="Item dimension D.", default=[31]),
    width=several(help="Width of the perceptron.", default=[128]),
    task_diversity=several("--task-diversity", "-K", help="K of the curve, as 256,512,inf; around K* by default."),
    learning_rate=values(help="Learning rate of plain SGD.", default=[0.05]),
    batch_size=several(help="Of the networks; says whether their noise is small.", default=[128]),
    rate_ratio=values(help="Learning rate of the perceptron over the attention's.", default=[1.0]),
    attention_scale=values(help="Factor on W_Q and W_K at the start.", default=[1.0]),
    residual_scale=values(help="Factor on the target in the residual.", default=[1.0]),
    copies=several(help="Copies of the target in the context.", default=[1]),
    decay=values(help="Weight decay λ on W_Q, W_K and V.", default=[0.0]),
    budget=values(help="Gradient-flow time at which training stops.", default=[200.0]),
    independent=flag("--independent", "Circuits that share nothing."),
    members=whole(help="Starts, over the distribution of initial weights.", default=6),
    calibration_seeds=whole(help="Perceptrons trained alone at each K.", default=2),
    draws=whole(help="Contexts sampled for each start.", default=1000),
    store=option(Path, help="Run store, which keeps the perceptrons.", default=Path("results/runs")),
    network=text(help="transformer, or minimal: its circuit and the whole network.", default="transformer"),
    beta0=values(help="Mean score of a copy at the start, β0.", default=[0.0]),
    w0=values(help="Initial readout weight of the minimal model.", default=[0.0]),
    **OUTPUTS,
)
def predict(given: Any) -> None:
    """K*, t_ICL and final accuracies of a transformer, from initial weights and perceptrons trained alone."""
    from ..validate.predict.forecast import predict as forecast
    from ..validate.predict.forecast_minimal import predict_minimal
    from ..validate.run import writable_directory

    network = given.network
    if network not in ("transformer", "minimal"):
        raise typer.BadParameter(f"must be transformer or minimal, but it is {network!r}", param_hint="--network")
    others = _MINIMAL_ALONE if network == "transformer" else _TRANSFORMER_ALONE
    changed = {name: getattr(given, name) != [usual] for name, usual in others.items()}
    if network == "minimal":
        changed |= {"task_diversity": bool(given.task_diversity), "independent": given.independent}
    for name in [name for name, is_changed in changed.items() if is_changed]:
        message = f"must be left out: it changes nothing of the network {network}"
        raise typer.BadParameter(message, param_hint=option_name(name))
    fixed: dict[str, Any] = {"calibration_seeds": given.calibration_seeds, "store": given.store}
    if network == "transformer":
        fixed |= {name: getattr(given, name) for name in ("independent", "members", "draws")}
        fixed |= {"task_diversity": given.task_diversity or None}
    ask: Any = partial(forecast if network == "transformer" else predict_minimal, **fixed)
    own = {name: getattr(given, name) for name in _SETTINGS if name not in others}
    every = checked(lambda at: ask(**vars(at)), **own)
    writable_directory(given.store)
    forecasts = [(varied, ask(**vars(at)), at) for varied, at in every]
    if network == "minimal":
        _print_minimal(forecasts, given)
        return
    title, is_a_table_of_several = _titled(forecasts[0][1]), len(forecasts) > 1
    if is_a_table_of_several:
        title = f"K*, t_ICL (K → ∞) and final accuracies at t = {in_words(given.budget)}"
    if given.as_json or given.csv_file is not None or given.plot is not None:
        of_all = [(varied, row, at) for varied, made, at in forecasts for row in _rows(made)]
        rows = [{"context_length": at.context_length} | varied | row for varied, row, at in of_all]
        with contextlib.redirect_stdout(sys.stdout if given.as_json else io.StringIO()):
            show(given, title, rows, ("task_diversity", "icl_accuracy"))
    if not given.as_json:
        cells = [varied | row for varied, made, _ in forecasts for row in _cells(made, is_a_table_of_several)]
        print_rows(title, cells)
        _print_basis([made for _, made, _ in forecasts])


def _print_minimal(forecasts: list[tuple[dict[str, Any], Any, Any]], given: Any) -> None:
    columns = {"icl_accuracy": "icl_accuracy", "circuit_accuracy": "circuit_accuracy",
               "acquisition_time": "time_acquired"}  # fmt: skip
    rows: list[dict[str, Any]] = []
    for varied, made, at in forecasts:
        ends = {"threshold": made.threshold.value, "circuit_threshold": made.circuit_threshold.value,
                "budget": made.budget}  # fmt: skip
        for k in made.curve.task_diversity.values:
            curve = {label: float(made.curve[name].sel(task_diversity=k)) for label, name in columns.items()}
            row = {"context_length": at.context_length, **varied, "task_diversity": float(k), **curve}
            rows.append(row | (ends if given.as_json or len(forecasts) > 1 else {}))
    first = forecasts[0][1]
    title = (
        f"minimal model: K* = {_interval(first.threshold)}, of its circuit {_interval(first.circuit_threshold)}, "
        f"at t = {first.budget:g}"
    )
    title = title if len(forecasts) == 1 else "minimal model: K*, that of its circuit, and accuracies by the budget"
    show(given, title, rows, ("task_diversity", "icl_accuracy"))
    if not given.as_json:
        _print_basis([made for _, made, _ in forecasts])


def _print_basis(forecasts: list[Any]) -> None:
    """What was assumed, and the runs that were read, each once."""
    print("assumed: " + "; ".join(dict.fromkeys(line for made in forecasts for line in made.assumptions)))
    for line in dict.fromkeys(line for made in forecasts for line in made.inputs):
        print(f"read: {line}")


def _titled(forecast: Any) -> str:
    threshold, time = _interval(forecast.threshold), _interval(forecast.endless_time)
    return f"K* = {threshold} at t = {forecast.budget:g}; t_ICL (K → ∞) = {time}"


def _interval(estimate: Any) -> str:
    return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"


def _rows(forecast: Any) -> list[dict[str, Any]]:
    """One row a K for a machine: every number with its range, K* and t_ICL (K → ∞) with them."""
    rows = []
    for k in forecast.curve.task_diversity.values:
        at = forecast.curve.sel(task_diversity=k)
        row: dict[str, Any] = {"task_diversity": float(k)}
        for label, name in _COLUMNS.items():
            row |= _three(label, *(float(at[column]) for column in (name, f"{name}_low", f"{name}_high")))
        row["phase"] = str(at.phase.item())
        for label, estimate in (("threshold", forecast.threshold), ("endless_time", forecast.endless_time)):
            row |= _three(label, estimate.value, estimate.low, estimate.high)
        rows.append(row | {"budget": forecast.budget})
    return rows


def _three(label: str, value: float, low: float, high: float) -> dict[str, float]:
    return {label: value, f"{label}_low": low, f"{label}_high": high}


def _cells(forecast: Any, with_ends: bool) -> list[dict[str, Any]]:
    """The same for a reader: a value and its range in one cell; K* and t_ICL (K → ∞) where the title lacks them."""
    ends = ("threshold", "endless_time") if with_ends else ()
    return [
        {"task_diversity": row["task_diversity"]}
        | {name: _cell(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in (*_COLUMNS, *ends)}
        | {"phase": row["phase"]}
        for row in _rows(forecast)
    ]


def _cell(value: float, low: float, high: float) -> str:
    return f"{value:.4g} [{low:.4g}, {high:.4g}]" if low < math.inf else "inf"
