"""``iclrace predict``: a transformer's K*, t_ICL and final accuracies before it is trained."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import CsvFile, Json, PlotFile, combinations, several, told, values, whole
from .cli_tables import print_rows, show

#: Columns of the table, by the variables of the forecast's curve.
_COLUMNS = {"icl_accuracy": "icl_accuracy", "iwl_accuracy": "iwl_accuracy", "acquisition_time": "time_acquired"}

#: Settings that one network has and the other has not, at what they usually are.
_TRANSFORMER_ALONE = {"attention_scale": 1, "copies": 1, "residual_scale": 1, "batch_size": 128}
_MINIMAL_ALONE = {"w0": 0}


def predict(
    context_length: Annotated[list[int], several("--context-length", "-N", help="Context pairs N.")] = [31],
    dimension: Annotated[list[int], several("--dimension", "-D", help="Item dimension D.")] = [31],
    width: Annotated[list[int], several("--width", help="Width of the perceptron.")] = [128],
    task_diversity: Annotated[
        list[float] | None,
        several("--task-diversity", "-K", help="K of the curve, as 256,512,inf; around K* by default."),
    ] = None,
    learning_rate: Annotated[list[float], values("--learning-rate", help="Learning rate of plain SGD.")] = [0.05],
    batch_size: Annotated[
        list[int], several("--batch-size", help="Of the networks; says whether their noise is small.")
    ] = [128],
    rate_ratio: Annotated[
        list[float], values("--rate-ratio", help="Learning rate of the perceptron over the attention's.")
    ] = [1.0],
    attention_scale: Annotated[list[float], values("--attention-scale", help="Factor on W_Q and W_K at the start.")] = [
        1.0
    ],
    residual_scale: Annotated[list[float], values("--residual-scale", help="Factor on the target in the residual.")] = [
        1.0
    ],
    copies: Annotated[list[int], several("--copies", help="Copies of the target in the context.")] = [1],
    decay: Annotated[list[float], values("--decay", help="Weight decay λ on W_Q, W_K and V.")] = [0.0],
    budget: Annotated[list[float], values("--budget", help="Gradient-flow time at which training stops.")] = [200.0],
    independent: Annotated[bool, typer.Option("--independent", help="Circuits that share nothing.")] = False,
    members: Annotated[int, whole(help="Starts, over the distribution of initial weights.")] = 6,
    calibration_seeds: Annotated[int, whole(help="Perceptrons trained alone at each K.")] = 2,
    draws: Annotated[int, whole(help="Contexts sampled for each start.")] = 1000,
    store: Annotated[Path, typer.Option(help="Run store, which keeps the perceptrons.")] = Path("results/runs"),
    network: Annotated[
        str, typer.Option(help="transformer, or minimal: its circuit and the whole network.")
    ] = "transformer",
    beta0: Annotated[list[float], values("--beta0", help="Mean score of a copy at the start, β0.")] = [0.0],
    w0: Annotated[list[float], values("--w0", help="Initial readout weight of the minimal model.")] = [0.0],
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """K*, t_ICL and final accuracies of a transformer, from initial weights and perceptrons trained alone."""
    from .validate.predict.forecast import predict as forecast
    from .validate.predict.forecast_minimal import predict_minimal
    from .validate.run import writable_directory

    if network not in ("transformer", "minimal"):
        raise typer.BadParameter(f"must be transformer or minimal, but it is {network!r}", param_hint="--network")
    options = {
        "context_length": context_length, "dimension": dimension, "width": width, "learning_rate": learning_rate,
        "batch_size": batch_size, "rate_ratio": rate_ratio, "attention_scale": attention_scale,
        "residual_scale": residual_scale, "copies": copies, "decay": decay, "budget": budget, "beta0": beta0, "w0": w0,
    }  # fmt: skip
    others = _MINIMAL_ALONE if network == "transformer" else _TRANSFORMER_ALONE
    given = {name: options[name] != [usual] for name, usual in others.items()}
    if network == "minimal":
        given |= {"task_diversity": bool(task_diversity), "independent": independent}
    for name in [name for name, is_given in given.items() if is_given]:
        option = f"--{name.replace('_', '-')}"
        raise typer.BadParameter(f"must be left out: it changes nothing of the network {network}", param_hint=option)
    every = list(combinations(**{name: values for name, values in options.items() if name not in others}))
    fixed = {"calibration_seeds": calibration_seeds, "store": writable_directory(store)}
    if network == "minimal":
        _print_minimal([(one, predict_minimal(**vars(at), **fixed), at) for one, at in every], as_json, csv_file, plot)
        return
    fixed |= {"task_diversity": task_diversity or None, "independent": independent, "members": members, "draws": draws}
    found = [(varied, forecast(**vars(at), **fixed), at) for varied, at in every]
    title, several_of_them = _titled(found[0][1]), len(found) > 1
    if several_of_them:
        title = f"K*, t_ICL (K → ∞) and final accuracies at t = {told(budget)}"
    rows = [{"context_length": at.context_length} | varied | row for varied, one, at in found for row in _rows(one)]
    if as_json or csv_file is not None or plot is not None:
        with contextlib.redirect_stdout(sys.stdout if as_json else io.StringIO()):
            show(title, rows, ("task_diversity", "icl_accuracy"), as_json, csv_file, plot)
    if not as_json:
        print_rows(title, [varied | row for varied, one, _ in found for row in _cells(one, several_of_them)])
        _print_basis([one for _, one, _ in found])


def _print_minimal(found: list[tuple[dict[str, Any], Any, Any]], as_json: bool, csv_file: Path | None,
                   plot: Path | None) -> None:  # fmt: skip
    columns = {"icl_accuracy": "icl_accuracy", "circuit_accuracy": "circuit_accuracy",
               "acquisition_time": "time_acquired"}  # fmt: skip
    rows: list[dict[str, Any]] = []
    for varied, one, at in found:
        ends = {"threshold": one.threshold.value, "circuit_threshold": one.circuit_threshold.value,
                "budget": one.budget}  # fmt: skip
        for k in one.curve.task_diversity.values:
            curve = {label: float(one.curve[name].sel(task_diversity=k)) for label, name in columns.items()}
            row = {"context_length": at.context_length, **varied, "task_diversity": float(k), **curve}
            rows.append(row | (ends if as_json or len(found) > 1 else {}))
    one = found[0][1]
    title = (
        f"minimal model: K* = {_interval(one.threshold)}, of its circuit {_interval(one.circuit_threshold)}, "
        f"at t = {one.budget:g}"
    )
    title = title if len(found) == 1 else "minimal model: K*, that of its circuit, and accuracies by the budget"
    show(title, rows, ("task_diversity", "icl_accuracy"), as_json, csv_file, plot)
    if not as_json:
        _print_basis([one for _, one, _ in found])


def _print_basis(found: list[Any]) -> None:
    """What was assumed, and the runs that were read, each once."""
    print("assumed: " + "; ".join(dict.fromkeys(line for one in found for line in one.assumptions)))
    for line in dict.fromkeys(line for one in found for line in one.inputs):
        print(f"read: {line}")


def _titled(found: Any) -> str:
    return f"K* = {_interval(found.threshold)} at t = {found.budget:g}; t_ICL (K → ∞) = {_interval(found.endless_time)}"


def _interval(estimate: Any) -> str:
    return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"


def _rows(found: Any) -> list[dict[str, Any]]:
    """One row a K for a machine: every number with its range, K* and t_ICL (K → ∞) with them."""
    rows = []
    for k in found.curve.task_diversity.values:
        at = found.curve.sel(task_diversity=k)
        row: dict[str, Any] = {"task_diversity": float(k)}
        for label, name in _COLUMNS.items():
            row |= _three(label, *(float(at[column]) for column in (name, f"{name}_low", f"{name}_high")))
        row["phase"] = str(at.phase.item())
        for label, estimate in (("threshold", found.threshold), ("endless_time", found.endless_time)):
            row |= _three(label, estimate.value, estimate.low, estimate.high)
        rows.append(row | {"budget": found.budget})
    return rows


def _three(label: str, value: float, low: float, high: float) -> dict[str, float]:
    return {label: value, f"{label}_low": low, f"{label}_high": high}


def _cells(found: Any, with_ends: bool) -> list[dict[str, Any]]:
    """The same for a reader: a value and its range in one cell; K* and t_ICL (K → ∞) where the title lacks them."""
    ends = ("threshold", "endless_time") if with_ends else ()
    return [
        {"task_diversity": row["task_diversity"]}
        | {name: _cell(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in (*_COLUMNS, *ends)}
        | {"phase": row["phase"]}
        for row in _rows(found)
    ]


def _cell(value: float, low: float, high: float) -> str:
    return f"{value:.4g} [{low:.4g}, {high:.4g}]" if low < math.inf else "inf"
