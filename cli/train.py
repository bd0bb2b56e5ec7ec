"""``iclrace train``: networks of every kind that :class:`iclrace.validate.Run` knows, and how each one ended."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .options import (
    OUTPUTS,
    combinations,
    flag,
    in_words,
    option,
    real,
    reals,
    several,
    text,
    values,
    whole,
    with_options,
)
from .tables import draw, show

if TYPE_CHECKING:
    import xarray as xr

    from ..validate import Run


def _starts(text: str | float) -> list[float | None]:
    """Initial attentions; None for ``random``."""
    try:
        parts = text.split(",") if isinstance(text, str) else [text]
        return [start for part in parts for start in ([None] if part == "random" else reals(part))]
    except typer.BadParameter:
        raise typer.BadParameter(f"must be numbers or random, but it is {text!r}") from None


@with_options(
    network=text(
        help="minimal, transformer, cointegration, or one of your own as package.module:factory.", default="transformer"
    ),
    context_length=several(
        "--context-length", "-N", help="Context pairs N; 15,31 trains both, as in every list.", default=[31]
    ),
    task_diversity=several("--task-diversity", "-K", help="Item-label pairs K, or inf: 64,4096.", default=[1024]),
    dimension=several("--dimension", "-D", help="Item dimension D.", default=[31]),
    labels=text(help="Context labels: iid or balanced.", default="iid"),
    copies=several(help="Copies of the target in the context.", default=[1]),
    target_in_softmax=flag("--target-in-softmax", "The target takes part in the softmax (minimal model)."),
    width=several(help="Width of the perceptron.", default=[128]),
    layers=several(help="Layers of the perceptron.", default=[3]),
    depth=several(help="Attention layers of the transformer.", default=[1]),
    learning_rate=values(help="Learning rate of the attention parameters.", default=[0.025]),
    rate_ratio=values(help="Learning rate of the perceptron over that.", default=[1.0]),
    optimiser=text(help="sgd or adam; Adam's times are steps.", default="sgd"),
    momentum=values(help="Momentum μ of SGD.", default=[0.0]),
    batch_size=several(help="Sequences in a batch.", default=[128]),
    decay=values("--decay", "--decay-attention", help="Weight decay λ on the attention parameters.", default=[0.0]),
    decay_memory=values(help="Weight decay on the perceptron.", default=[0.0]),
    budget=values(help="Gradient-flow time t = learning rate × step at the end.", default=[200.0]),
    evaluate_every=real(help="Gradient-flow time between evaluations.", default=5.0),
    test_size=whole(help="Sequences in each of the two tests.", default=2000),
    stop_acquired=flag("--stop-acquired", "End once ICL is acquired."),
    stop_memorised=real(help="End when c1 falls below this; 0 for never.", default=0.0),
    stop_lost=real(help="End when ICL accuracy falls below this again; 0 for never.", default=0.0),
    w0=values(help="Initial readout weight of the minimal model.", default=[0.0]),
    beta0=several(
        parser=_starts, help="Score of a copy at the start; random (minimal model): N(0, 1) by seed.", default=[0.0]
    ),
    attention_scale=values(help="Factor on W_Q and W_K at the start.", default=[1.0]),
    residual_scale=values(help="Factor on the target in the residual.", default=[1.0]),
    frequency_exponent=values(help="α of item frequencies p_k ∝ k^(−α).", default=[0.0]),
    noise=values(help="Within-class noise of the tokens.", default=[0.0]),
    scrambled=flag("--scrambled", "Context labels are coins: memory alone."),
    fresh_share=values(help="Share of fresh sequences in training at finite K.", default=[0.0]),
    items=text(help="Items of your own: a .npy file of shape (items, D)."),
    precision=text(
        help="Of the perceptron's products: float32, or bf16, faster where the CPU has it.", default="float32"
    ),
    seed=whole(help="First seed.", default=0),
    seeds=whole(help="Number of networks at each K.", default=1),
    device=text(help="cpu, cuda or cuda:1.", default="cpu"),
    out=option(Path, help="Run store.", default=Path("results/runs")),
    **OUTPUTS,
)
def train(given: Any) -> None:
    """Train networks on the task and print how each one ended."""
    from ..theory.common.arguments import require
    from ..validate import RunStore
    from ..validate import train as train_runs
    from ..validate.run import writable_directory
    from ..validate.training.devices import usable
    from ..validate.training.jobs import collect

    require(given.seeds >= 1, "seeds", "be at least 1", given.seeds)
    told_apart, runs = _runs(given)
    usable(given.device)
    store = writable_directory(given.out)
    train_runs(runs, store, device=given.device)
    curves = [collect([run], RunStore(store)).squeeze("seed") for run in runs]
    ended = list(zip(told_apart, runs, curves, strict=True))
    sizes = f"N = {in_words(given.context_length)}, D = {in_words(given.dimension)}, to t = {in_words(given.budget)}"
    title = f"{given.network}, {sizes}"
    rows = [varied | _row(run, curve) for varied, run, curve in ended]
    show(given, f"{title}; test accuracies at the end", rows)
    if given.plot is not None:
        readings = [varied | row for varied, run, curve in ended for row in _readings(run, curve)]
        draw(readings, ("time", ("icl_accuracy", "iwl_accuracy")), given.plot, title)


def _runs(given: Any) -> tuple[list[dict[str, Any]], list[Run]]:
    """A run for every combination of the options and every seed, and the settings in which each differs."""
    from ..theory import Task
    from ..validate import Run

    options = dict(vars(given))
    lists = {name: options.pop(name) for name in list(options) if isinstance(options[name], list)}
    of_task = {name: options.pop(name) for name in ("labels", "target_in_softmax")}
    first, seeds, items = (options.pop(name) for name in ("seed", "seeds", "items"))
    for of_the_command in ("device", "out", *OUTPUTS):
        del options[of_the_command]
    options["items"] = _items(items)
    told_apart, runs = [], []
    for varied, at in combinations(**lists):
        own = vars(at) | {"decay_attention": at.decay}
        del own["decay"]
        names = ("context_length", "task_diversity", "dimension", "copies")
        task = Task(**{name: own.pop(name) for name in names}, **of_task)
        Run(task=task, seed=first, **own, **options).check_memory(seeds)
        runs += [Run(task=task, seed=seed, **own, **options) for seed in range(first, first + seeds)]
        told_apart += [{name: "random" if value is None else value for name, value in varied.items()}] * seeds
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


def _row(run: Run, curve: xr.Dataset) -> dict[str, Any]:
    """How one network ended: accuracies at its last evaluation, NaN after it diverged, and when it acquired ICL."""
    from ..validate import acquisition_times

    ended = {number: name for name, number in curve.ending.attrs.items()}[int(curve.ending)]
    last = curve.dropna("time", subset=["icl_accuracy"]).isel(time=-1)
    icl, iwl = (math.nan if ended == "diverged" else float(last[f"{kind}_accuracy"]) for kind in ("icl", "iwl"))
    return {
        "task_diversity": run.task.task_diversity, "seed": run.seed, "ended": ended, "icl_accuracy": icl,
        "iwl_accuracy": iwl, "acquisition_time": float(acquisition_times(curve)), "outcome": _outcome(ended, icl, iwl),
    }  # fmt: skip


def _outcome(ended: str, icl: float, iwl: float) -> str:
    """In words, by the accuracy that counts as acquired."""
    from ..theory.accuracy import ACQUIRED

    if ended == "diverged":
        return "diverged"
    learnt = {"in context": icl > ACQUIRED, "in weights": iwl > ACQUIRED}
    return " and ".join(name for name, is_learnt in learnt.items() if is_learnt) or "neither yet"


def _readings(run: Run, curve: xr.Dataset) -> list[dict[str, Any]]:
    """Both accuracies of a network at every evaluation."""
    at = {"task_diversity": run.task.task_diversity, "seed": run.seed}
    columns = (curve.time.values, curve.icl_accuracy.values, curve.iwl_accuracy.values)
    names = ("time", "icl_accuracy", "iwl_accuracy")
    return [at | dict(zip(names, map(float, values), strict=True)) for values in zip(*columns, strict=True)]
