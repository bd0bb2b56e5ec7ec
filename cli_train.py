"""``iclrace train``: networks of every kind that :class:`iclrace.validate.Run` knows, and how each one ended."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_options import CsvFile, Json, PlotFile, combinations, real, reals, several, told, values, whole
from .cli_tables import draw, show

if TYPE_CHECKING:
    import xarray as xr

    from .validate import Run


def _starts(text: str | float) -> list[float | None]:
    """Initial attentions; None for ``random``."""
    try:
        parts = text.split(",") if isinstance(text, str) else [text]
        return [one for part in parts for one in ([None] if part == "random" else reals(part))]
    except typer.BadParameter:
        raise typer.BadParameter(f"must be numbers or random, but it is {text!r}") from None


def train(
    network: Annotated[
        str, typer.Option(help="minimal, transformer, cointegration, or one of your own as package.module:factory.")
    ] = "transformer",
    context_length: Annotated[
        list[int], several("--context-length", "-N", help="Context pairs N; 15,31 trains both, as in every list.")
    ] = [31],
    task_diversity: Annotated[
        list[float], several("--task-diversity", "-K", help="Item-label pairs K, or inf: 64,4096.")
    ] = [1024],
    dimension: Annotated[list[int], several("--dimension", "-D", help="Item dimension D.")] = [31],
    labels: Annotated[str, typer.Option(help="Context labels: iid or balanced.")] = "iid",
    copies: Annotated[list[int], several("--copies", help="Copies of the target in the context.")] = [1],
    target_in_softmax: Annotated[
        bool, typer.Option("--target-in-softmax", help="The target takes part in the softmax (minimal model).")
    ] = False,
    width: Annotated[list[int], several("--width", help="Width of the perceptron.")] = [128],
    layers: Annotated[list[int], several("--layers", help="Layers of the perceptron.")] = [3],
    depth: Annotated[list[int], several("--depth", help="Attention layers of the transformer.")] = [1],
    learning_rate: Annotated[
        list[float], values("--learning-rate", help="Learning rate of the attention parameters.")
    ] = [0.025],
    rate_ratio: Annotated[list[float], values("--rate-ratio", help="Learning rate of the perceptron over that.")] = [
        1.0
    ],
    optimiser: Annotated[str, typer.Option(help="sgd or adam; Adam's times are steps.")] = "sgd",
    momentum: Annotated[list[float], values("--momentum", help="Momentum μ of SGD.")] = [0.0],
    batch_size: Annotated[list[int], several("--batch-size", help="Sequences in a batch.")] = [128],
    decay: Annotated[
        list[float], values("--decay", "--decay-attention", help="Weight decay λ on the attention parameters.")
    ] = [0.0],
    decay_memory: Annotated[list[float], values("--decay-memory", help="Weight decay on the perceptron.")] = [0.0],
    budget: Annotated[
        list[float], values("--budget", help="Gradient-flow time t = learning rate × step at the end.")
    ] = [200.0],
    evaluate_every: Annotated[float, real(help="Gradient-flow time between evaluations.")] = 5.0,
    test_size: Annotated[int, whole(help="Sequences in each of the two tests.")] = 2000,
    stop_acquired: Annotated[bool, typer.Option("--stop-acquired", help="End once ICL is acquired.")] = False,
    stop_memorised: Annotated[float, real(help="End when c1 falls below this; 0 for never.")] = 0.0,
    stop_lost: Annotated[float, real(help="End when ICL accuracy falls below this again; 0 for never.")] = 0.0,
    w0: Annotated[list[float], values("--w0", help="Initial readout weight of the minimal model.")] = [0.0],
    beta0: Annotated[
        list[Any],
        several(
            "--beta0", parser=_starts, help="Score of a copy at the start; random (minimal model): N(0, 1) by seed."
        ),
    ] = [0.0],
    attention_scale: Annotated[list[float], values("--attention-scale", help="Factor on W_Q and W_K at the start.")] = [
        1.0
    ],
    residual_scale: Annotated[list[float], values("--residual-scale", help="Factor on the target in the residual.")] = [
        1.0
    ],
    frequency_exponent: Annotated[
        list[float], values("--frequency-exponent", help="α of item frequencies p_k ∝ k^(−α).")
    ] = [0.0],
    noise: Annotated[list[float], values("--noise", help="Within-class noise of the tokens.")] = [0.0],
    scrambled: Annotated[bool, typer.Option("--scrambled", help="Context labels are coins: memory alone.")] = False,
    fresh_share: Annotated[
        list[float], values("--fresh-share", help="Share of fresh sequences in training at finite K.")
    ] = [0.0],
    items: Annotated[str | None, typer.Option(help="Items of your own: a .npy file of shape (items, D).")] = None,
    seed: Annotated[int, whole(help="First seed.")] = 0,
    seeds: Annotated[int, whole(help="Number of networks at each K.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Run store.")] = Path("results/runs"),
    as_json: Json = False,
    csv_file: CsvFile = None,
    plot: PlotFile = None,
) -> None:
    """Train networks on the task and print how each one ended."""
    from .theory._arguments import require
    from .validate import RunStore
    from .validate import train as train_runs
    from .validate.run import writable_directory
    from .validate.training.devices import usable
    from .validate.training.jobs import collect

    require(seeds >= 1, "seeds", "be at least 1", seeds)
    options = {
        "context_length": context_length, "task_diversity": task_diversity, "dimension": dimension, "copies": copies,
        "width": width, "layers": layers, "depth": depth, "learning_rate": learning_rate, "rate_ratio": rate_ratio,
        "momentum": momentum, "batch_size": batch_size, "decay": decay, "decay_memory": decay_memory,
        "budget": budget, "w0": w0, "beta0": beta0, "attention_scale": attention_scale,
        "residual_scale": residual_scale, "frequency_exponent": frequency_exponent, "noise": noise,
        "fresh_share": fresh_share,
    }  # fmt: skip
    fixed = {
        "network": network, "optimiser": optimiser, "evaluate_every": evaluate_every, "test_size": test_size,
        "stop_acquired": stop_acquired, "stop_memorised": stop_memorised, "stop_lost": stop_lost,
        "scrambled": scrambled, "items": _items(items),
    }  # fmt: skip
    of_task = {"labels": labels, "target_in_softmax": target_in_softmax}
    told_apart, runs = _runs(options, of_task, fixed, range(seed, seed + seeds))
    usable(device)
    store = writable_directory(out)
    train_runs(runs, store, device=device)
    curves = [collect([run], RunStore(store)).squeeze("seed") for run in runs]
    ended = list(zip(told_apart, runs, curves, strict=True))
    title = f"{network}, N = {told(context_length)}, D = {told(dimension)}, to t = {told(budget)}"
    show(
        f"{title}; test accuracies at the end",
        [varied | _row(run, mine) for varied, run, mine in ended],
        None,
        as_json,
        csv_file,
        None,
    )
    if plot is not None:
        readings = [varied | row for varied, run, mine in ended for row in _readings(run, mine)]
        draw(readings, ("time", ("icl_accuracy", "iwl_accuracy")), plot, title)


def _runs(
    options: dict[str, Any], of_task: dict[str, Any], fixed: dict[str, Any], seeds: range
) -> tuple[list[dict[str, Any]], list[Run]]:
    """A run for every combination of the options and every seed, and beside each what tells it from the others."""
    from .theory import Task
    from .validate import Run

    told_apart, runs = [], []
    for varied, at in combinations(**options):
        own = vars(at) | {"decay_attention": at.decay}
        del own["decay"]
        names = ("context_length", "task_diversity", "dimension", "copies")
        task = Task(**{name: own.pop(name) for name in names}, **of_task)
        runs += [Run(task=task, seed=seed, **own, **fixed) for seed in seeds]
        told_apart += [{name: "random" if one is None else one for name, one in varied.items()}] * len(seeds)
    return told_apart, runs


def _items(path: str | None) -> Any:
    """The array of a .npy file, in which nothing can be executed; a name that was registered stays a name."""
    if path is None or not path.endswith(".npy"):
        return path
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"must be a .npy file of numbers, but {error}", param_hint="--items") from None


def _row(run: Run, mine: xr.Dataset) -> dict[str, Any]:
    """How one network ended: accuracies at its last evaluation, NaN after it diverged, and when it acquired ICL."""
    from .validate import acquisition_times

    ended = {number: name for name, number in mine.ending.attrs.items()}[int(mine.ending)]
    last = mine.dropna("time", subset=["icl_accuracy"]).isel(time=-1)
    icl, iwl = (math.nan if ended == "diverged" else float(last[f"{kind}_accuracy"]) for kind in ("icl", "iwl"))
    return {
        "task_diversity": run.task.task_diversity, "seed": run.seed, "ended": ended, "icl_accuracy": icl,
        "iwl_accuracy": iwl, "acquisition_time": float(acquisition_times(mine)), "outcome": _outcome(ended, icl, iwl),
    }  # fmt: skip


def _outcome(ended: str, icl: float, iwl: float) -> str:
    """In words, by the accuracy that counts as acquired."""
    from .theory.accuracy import ACQUIRED

    if ended == "diverged":
        return "diverged"
    learnt = {"in context": icl > ACQUIRED, "in weights": iwl > ACQUIRED}
    return " and ".join(name for name, is_learnt in learnt.items() if is_learnt) or "neither yet"


def _readings(run: Run, mine: xr.Dataset) -> list[dict[str, Any]]:
    """Both accuracies of a network at every evaluation."""
    at = {"task_diversity": run.task.task_diversity, "seed": run.seed}
    columns = (mine.time.values, mine.icl_accuracy.values, mine.iwl_accuracy.values)
    names = ("time", "icl_accuracy", "iwl_accuracy")
    return [at | dict(zip(names, map(float, values), strict=True)) for values in zip(*columns, strict=True)]
