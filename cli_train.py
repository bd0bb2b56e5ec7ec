"""``iclrace train``: networks of every kind that :class:`iclrace.validate.Run` knows, and how each one ended."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_options import CsvFile, Json, PlotFile, several
from .cli_tables import draw, show

if TYPE_CHECKING:
    import xarray as xr

    from .validate import Run


def train(
    network: Annotated[
        str, typer.Option(help="minimal, transformer, cointegration, or one of your own as package.module:factory.")
    ] = "transformer",
    context_length: Annotated[int, typer.Option("--context-length", "-N", help="Context pairs N.")] = 31,
    task_diversity: Annotated[
        list[float], several("--task-diversity", "-K", help="Item-label pairs K, or inf; 64,4096 trains both.")
    ] = [1024],  # noqa: B006  (typer reads the list, nothing changes it)
    dimension: Annotated[int, typer.Option("--dimension", "-D", help="Item dimension D.")] = 31,
    labels: Annotated[str, typer.Option(help="Context labels: iid or balanced.")] = "iid",
    copies: Annotated[int, typer.Option(help="Copies of the target in the context.")] = 1,
    target_in_softmax: Annotated[
        bool, typer.Option("--target-in-softmax", help="The target takes part in the softmax (minimal model).")
    ] = False,
    width: Annotated[int, typer.Option(help="Width of the perceptron.")] = 128,
    layers: Annotated[int, typer.Option(help="Layers of the perceptron.")] = 3,
    depth: Annotated[int, typer.Option(help="Attention layers of the transformer.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of the attention parameters.")] = 0.025,
    rate_ratio: Annotated[float, typer.Option(help="Learning rate of the perceptron over that.")] = 1.0,
    optimiser: Annotated[str, typer.Option(help="sgd or adam; Adam's times are steps.")] = "sgd",
    momentum: Annotated[float, typer.Option(help="Momentum μ of SGD.")] = 0.0,
    batch_size: Annotated[int, typer.Option(help="Sequences in a batch.")] = 128,
    decay: Annotated[
        float, typer.Option("--decay", "--decay-attention", help="Weight decay λ on the attention parameters.")
    ] = 0.0,
    decay_memory: Annotated[float, typer.Option(help="Weight decay on the perceptron.")] = 0.0,
    budget: Annotated[float, typer.Option(help="Gradient-flow time t = learning rate × step at the end.")] = 200.0,
    evaluate_every: Annotated[float, typer.Option(help="Gradient-flow time between evaluations.")] = 5.0,
    test_size: Annotated[int, typer.Option(help="Sequences in each of the two tests.")] = 2000,
    stop_acquired: Annotated[bool, typer.Option("--stop-acquired", help="End once ICL is acquired.")] = False,
    stop_memorised: Annotated[float, typer.Option(help="End when c1 falls below this; 0 for never.")] = 0.0,
    stop_lost: Annotated[float, typer.Option(help="End when ICL accuracy falls below this again; 0 for never.")] = 0.0,
    w0: Annotated[float, typer.Option("--w0", help="Initial readout weight of the minimal model.")] = 0.0,
    beta0: Annotated[
        str, typer.Option("--beta0", help="Initial attention β0 of the minimal model, or random: N(0, 1) by the seed.")
    ] = "0",
    attention_scale: Annotated[float, typer.Option(help="Factor on W_Q and W_K at the start.")] = 1.0,
    residual_scale: Annotated[float, typer.Option(help="Factor on the target in the residual.")] = 1.0,
    frequency_exponent: Annotated[float, typer.Option(help="α of item frequencies p_k ∝ k^(−α).")] = 0.0,
    noise: Annotated[float, typer.Option(help="Within-class noise of the tokens.")] = 0.0,
    scrambled: Annotated[bool, typer.Option("--scrambled", help="Context labels are coins: memory alone.")] = False,
    fresh_share: Annotated[float, typer.Option(help="Share of fresh sequences in training at finite K.")] = 0.0,
    items: Annotated[str | None, typer.Option(help="Items of your own: a .npy file of shape (items, D).")] = None,
    seed: Annotated[int, typer.Option(help="First seed.")] = 0,
    seeds: Annotated[int, typer.Option(help="Number of networks at each K.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Run store.")] = Path("results/runs"),
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Train networks on the task and print how each one ended."""
    from .theory import Task
    from .theory._arguments import require
    from .validate import Run
    from .validate import train as train_runs
    from .validate.run import writable_directory

    require(seeds >= 1, "seeds", "be at least 1", seeds)
    settings: dict[str, Any] = {
        "width": width, "layers": layers, "depth": depth, "learning_rate": learning_rate, "rate_ratio": rate_ratio,
        "optimiser": optimiser, "momentum": momentum, "batch_size": batch_size, "decay_attention": decay,
        "decay_memory": decay_memory, "budget": budget, "evaluate_every": evaluate_every, "test_size": test_size,
        "stop_acquired": stop_acquired, "stop_memorised": stop_memorised, "stop_lost": stop_lost, "w0": w0,
        "beta0": _start(beta0), "attention_scale": attention_scale, "residual_scale": residual_scale,
        "frequency_exponent": frequency_exponent, "noise": noise, "scrambled": scrambled, "items": _items(items),
        "fresh_share": fresh_share,
    }  # fmt: skip
    tasks = [
        Task(context_length, k, dimension, labels, copies=copies, target_in_softmax=target_in_softmax)  # pyright: ignore[reportArgumentType]
        for k in task_diversity
    ]
    runs = [Run(network, task, seed + i, **settings) for task, i in product(tasks, range(seeds))]
    metrics = train_runs(runs, writable_directory(out), device=device)
    rows = [_row(run, metrics) for run in runs]
    for row, other in zip(rows, map(_outcome, rows), strict=True):
        row["outcome"] = other
    title = f"{network}, N = {context_length}, D = {dimension}, to t = {budget:g}; test accuracies at the end"
    show(title, rows, None, as_json, csv_file, None)
    if plot is not None:
        draw(_readings(runs, metrics), ("time", ("icl_accuracy", "iwl_accuracy")), plot, title)


def _start(beta0: str) -> float | None:
    if beta0 == "random":
        return None
    try:
        return float(beta0)
    except ValueError:
        raise typer.BadParameter(f"must be a number or random, but it is {beta0!r}", param_hint="--beta0") from None


def _items(path: str | None) -> Any:
    """The array of a .npy file, in which nothing can be executed; a name that was registered stays a name."""
    if path is None or not path.endswith(".npy"):
        return path
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"must be a .npy file of numbers, but {error}", param_hint="--items") from None


def _of(run: Run, metrics: xr.Dataset) -> xr.Dataset:
    """The metrics of one run, along time."""
    at = {"seed": run.seed, "task_diversity": run.task.task_diversity}
    return metrics.sel({name: value for name, value in at.items() if name in metrics.dims})


def _row(run: Run, metrics: xr.Dataset) -> dict[str, Any]:
    """How one network ended: accuracies at its last evaluation, NaN after it diverged, and when it acquired ICL."""
    from .validate import acquisition_times

    mine = _of(run, metrics)
    ended = {number: name for name, number in metrics.ending.attrs.items()}[int(mine.ending)]
    last = mine.dropna("time", subset=["icl_accuracy"]).isel(time=-1)
    icl, iwl = (math.nan if ended == "diverged" else float(last[f"{kind}_accuracy"]) for kind in ("icl", "iwl"))
    return {
        "task_diversity": run.task.task_diversity, "seed": run.seed, "ended": ended, "icl_accuracy": icl,
        "iwl_accuracy": iwl, "acquisition_time": float(acquisition_times(mine)),
    }  # fmt: skip


def _outcome(row: dict[str, Any]) -> str:
    """In words, by the accuracy that counts as acquired."""
    from .theory.accuracy import ACQUIRED

    if row["ended"] == "diverged":
        return "diverged"
    learnt = {"in context": row["icl_accuracy"] > ACQUIRED, "in weights": row["iwl_accuracy"] > ACQUIRED}
    return " and ".join(name for name, is_learnt in learnt.items() if is_learnt) or "neither yet"


def _readings(runs: list[Run], metrics: xr.Dataset) -> list[dict[str, Any]]:
    """Both accuracies of every network at every evaluation."""
    return [
        {"task_diversity": run.task.task_diversity, "seed": run.seed, "time": float(time),
         "icl_accuracy": float(icl), "iwl_accuracy": float(iwl)}
        for run in runs
        for mine in [_of(run, metrics)]
        for time, icl, iwl in zip(mine.time.values, mine.icl_accuracy.values, mine.iwl_accuracy.values, strict=True)
    ]  # fmt: skip
