"""Groups of runs that train together, through the store: saved, continued after an interruption, and read back."""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .config import Run, content_key
from .deadline import OutOfTime, is_over
from .evaluation import METRICS
from .progress import Bar
from .store import RunStore
from .trainer import EnsembleTrainer

_SECONDS_BETWEEN_CHECKPOINTS = 60.0


def group(runs: Sequence[Run]) -> list[list[Run]]:
    """Split runs into groups that train together: alike in all but seed, K, (w0, β0), λ and the rate ratio."""
    groups: dict[Run, list[Run]] = {}
    for run in dict.fromkeys(runs):
        endless = run.task.task_diversity == np.inf
        task = replace(run.task, task_diversity=np.inf if endless else 2)
        common = replace(
            run, task=task, seed=0, w0=0.0, beta0=0.0, decay_attention=0.0, decay_memory=0.0, rate_ratio=1.0
        )
        groups.setdefault(common, []).append(run)
    return list(groups.values())


@contextmanager
def deferred_interrupt() -> Iterator[threading.Event]:
    """Inside, Ctrl-C only sets the event, so that the work can save its state before it stops."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def train_group(runs: Sequence[Run], store: RunStore, *, bar: Bar | None = None, device: str = "cpu") -> None:
    """Train one group to its end and save every run; continues from a checkpoint if there is one.

    Raises ``KeyboardInterrupt`` after saving a checkpoint when Ctrl-C is pressed, :class:`OutOfTime` when time is up.
    """
    key = content_key({"runs": [content_key(run.as_json()) for run in runs]})
    with store.alone(key):  # another process that has begun ends first, and leaves nothing to do
        _train_alone(runs, store, key, bar, device)


def _train_alone(runs: Sequence[Run], store: RunStore, key: str, bar: Bar | None, device: str) -> None:
    state = store.load_checkpoint(
        key, lambda message: warnings.warn(message, stacklevel=2), lambda state: _misfit(state, runs)
    )
    if state is None:
        members = [i for i, run in enumerate(runs) if run not in store]
    else:
        members = state["members"].tolist()
    if not members:
        return
    trainer = EnsembleTrainer([runs[i] for i in members], device)
    if state is not None:
        trainer.restore(state)
    last_checkpoint = time.monotonic()
    with deferred_interrupt() as asked:
        while trainer.active:
            slots = len(trainer.active)
            trainer.advance()
            over = is_over()
            due = time.monotonic() - last_checkpoint > _SECONDS_BETWEEN_CHECKPOINTS
            # A run is saved after the checkpoint that holds it: otherwise the others could only be continued in an
            # ensemble of another shape, whose matrix products round differently.
            if due or over or asked.is_set() or len(trainer.active) < slots:
                store.save_checkpoint(key, trainer.state() | {"members": torch.tensor(members)})
                last_checkpoint = time.monotonic()
            save_finished(trainer, store)
            if bar is not None:
                bar.update(trainer.fraction, describe(trainer))
            if asked.is_set():
                raise KeyboardInterrupt
            if over and trainer.active:
                raise OutOfTime
    save_finished(trainer, store)
    store.delete_checkpoint(key)


def _misfit(state: dict[str, Tensor], runs: Sequence[Run]) -> str | None:
    """What keeps a checkpoint from being one of these runs; None if it is."""
    names = ("members", "step", "active", "status", "metrics", "clock", "loss_sum")
    missing = [name for name in names if name not in state]
    if missing:
        return f"it lacks {missing[0]!r}"
    members = state["members"].tolist()
    count, evaluations = len(members), runs[0].evaluations
    if not all(isinstance(i, int) and 0 <= i < len(runs) for i in members) or len(set(members)) < count:
        return "its members are not these runs"
    active = state["active"].tolist()
    if not all(isinstance(s, int) and 0 <= s < count for s in active):
        return "its active networks are not among its members"
    shapes: dict[str, tuple[int, ...]] = {"step": (1,), "status": (count,), "clock": (count,), "loss_sum": (count,)}
    shapes["metrics"] = (evaluations, len(METRICS), count)
    for name, shape in shapes.items():
        if tuple(state[name].shape) != shape:
            return f"its {name!r} has shape {tuple(state[name].shape)}, not {shape}"
    own = [value for name, value in state.items() if name.startswith("parameters/")]
    fits = not active or (bool(own) and all(value.shape[:1] == (len(active),) for value in own))
    return None if fits else "its parameters are not those of its active networks"


def save_finished(trainer: EnsembleTrainer, store: RunStore) -> None:
    """Save the runs that have ended and are not yet in the store."""
    for s, weights in trainer.finished.items():
        if trainer.runs[s] not in store:
            store.save(trainer.runs[s], trainer.dataset(s), weights, seconds=float(trainer.seconds[s]))


def describe(trainer: EnsembleTrainer) -> str:
    """Means over the networks still training at the last evaluation."""
    every = trainer.first.steps_between_evaluations
    row = trainer.metrics[max(0, (trainer.step - 1) // every)]
    shown = {name: row[METRICS.index(name)] for name in ("train_loss", "icl_accuracy", "iwl_accuracy")}
    loss, icl, iwl = (np.mean(known) if (known := values[np.isfinite(values)]).size else np.nan
                      for values in shown.values())  # fmt: skip
    return f"{len(trainer.active)} networks, t {trainer.time:.0f}, loss {loss:.3f}, ICL {icl:.2f}, IWL {iwl:.2f}"
