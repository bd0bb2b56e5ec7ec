"""Time of a training step per network on a device, beside what its memory traffic allows.

Modes of the same step: *recorded*, as training takes it (a CUDA graph); *launched*, kernel by kernel; *compiled* by
``torch.compile``, launched or recorded; and *recorded, TF32*, in which matrix products round to eleven bits.

A step must read the tokens of its batch twice, forward and backward, and the weights twice, and write the weights
once. At the bandwidth that copying a large tensor reaches here, that takes the time called *traffic*; the gathering of
tokens, activations, random numbers and gradients come on top. At the paper's size that allows 10 to 20 µs.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from iclrace.validate import Run
from iclrace.validate.networks.computation import Differentiated, ensemble_of, threads_for
from iclrace.validate.training.recording import Steps
from iclrace.validate.training.trainer import EnsembleTrainer

from .gpu_parity import matrix_products
from .gpu_report import begin
from .training import LAPTOP, PAPER

#: µs of a step and network that memory traffic allows at the paper's size, the upper end.
GOAL = 20.0
#: Seconds that one timing takes, about, and how many there are of each.
SECONDS, REPEATS = 0.3, 5
MODES = ("recorded", "launched", "compiled, launched", "compiled, recorded", "recorded, TF32")


def trainer_of(run: Run, networks: int, device: str, mode: str) -> EnsembleTrainer:
    """A trainer that takes its steps in one of the modes."""
    trainer = EnsembleTrainer([run.with_(seed=seed) for seed in range(networks)], device, portable=True)
    if mode.startswith("compiled"):
        trainer.computation = Differentiated(ensemble_of(run), compiled=True)
    trainer.steps = Steps(trainer._take, 0, trainer.device, "recorded" in mode)
    return trainer


def settle(device: torch.device) -> None:
    """Wait for what has been launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_per_step(trainer: EnsembleTrainer, steps: int) -> float:
    """Of ``steps`` steps, from the first launch to the end of the last."""
    settle(trainer.device)
    start = time.perf_counter()
    for _ in range(steps):
        trainer._train_step()
    settle(trainer.device)
    return (time.perf_counter() - start) / steps


def timed(run: Run, networks: int, device: str, mode: str, seconds: float = SECONDS) -> dict[str, Any]:
    """µs a step and network, the median of repeats with their range."""
    trainer = trainer_of(run, networks, device, mode)
    with matrix_products("high" if "TF32" in mode else "highest"), threads_for(trainer.work):
        first = time.perf_counter()
        seconds_per_step(trainer, 5)  # compiles, warms up and records
        prepared = time.perf_counter() - first
        steps = int(np.clip(seconds / seconds_per_step(trainer, 3), 2, 5000))
        taken = [1e6 * seconds_per_step(trainer, steps) / networks for _ in range(REPEATS)]
    graph = trainer.steps and trainer.steps.graph
    if "recorded" in mode and trainer.device.type == "cuda" and graph is None:
        raise RuntimeError("the step was not recorded")
    return {
        "µs a step and network": float(np.median(taken)), "range": f"{min(taken):.3g}–{max(taken):.3g}",
        "networks": networks, "seconds before the first": prepared,
    }  # fmt: skip


def bytes_moved(run: Run) -> float:
    """Bytes that a step of one network must move: tokens and weights twice, the weights once more."""
    width = int(run.task.dimension) + 2
    tokens = run.batch_size * run.task.context_length * width
    weights = sum((a + 1) * b for a, b in zip([width, run.width, run.width], [run.width, run.width, 1], strict=True))
    return 4.0 * (2 * tokens + 3 * (weights + 3 * width**2 + 2 * width))


def bandwidth(device: str, megabytes: int) -> float:
    """Bytes a second, read and written, that copying a tensor reaches."""
    source = torch.ones(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    best = math.inf
    for _ in range(6):
        settle(source.device)
        start = time.perf_counter()
        target.copy_(source)
        settle(source.device)
        best = min(best, time.perf_counter() - start)
    return 2 * source.numel() * 4 / best


def plan(small: bool, device: str) -> list[tuple[str, Run, int, str]]:
    """What is timed: the rows in their order, the ones that matter first."""
    run, counts = (LAPTOP.with_(width=32, batch_size=16), (1, 4)) if small else (PAPER, (256, 32, 1))
    cuda = torch.device(device).type == "cuda"
    rows = []
    for mode in MODES if cuda else ("launched",):
        for k in (run.task.task_diversity, math.inf):
            for networks in counts:
                if cuda and not _worth_timing(mode, k, networks):
                    continue
                diversity = "K → ∞" if math.isinf(k) else f"K = {k:,.0f}"
                what = f"{diversity}, {networks} network{'s' if networks > 1 else ''}, {mode}"
                rows.append((what, run.with_(task_diversity=k), networks, mode))
    return rows


def _worth_timing(mode: str, task_diversity: float, networks: int) -> bool:
    """Training's own mode everywhere; the others where they can be told from it, as compiling takes half a minute."""
    if mode == "recorded":
        return True
    if mode.startswith("compiled"):
        return math.isfinite(task_diversity) and networks == 32
    return math.isfinite(task_diversity)


COLUMNS = ["what", "µs a step and network", "range", "traffic, µs", "× traffic", "× goal", "seconds before the first"]


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all was measured, 1 if a row failed."""
    given, part = begin("speed", COLUMNS, arguments, __doc__, seconds=150.0)
    speed = bandwidth(given.device, 16 if given.small else 1024)
    rows = plan(given.small, given.device)
    for what, run, networks, mode in rows:

        def measure(run: Run = run, networks: int = networks, mode: str = mode) -> dict[str, Any]:
            timing = timed(run, networks, given.device, mode, 0.03 if given.small else SECONDS)
            traffic, own = 1e6 * bytes_moved(run) / speed, timing["µs a step and network"]
            goal = None if given.small else own / GOAL
            return {**timing, "traffic, µs": traffic, "× traffic": own / traffic, "× goal": goal}

        part.row(what, measure)
        gc.collect()  # a trainer and its steps hold each other, and what they hold would fill the device
    goal = f"The goal is {GOAL:g} µs at the paper's size (10 to 20 are what traffic allows); at most 1 × goal meets it."
    note = f"Copying reaches {speed / 1e9:,.0f} GB/s, read and written. {'' if given.small else goal}"
    part.write(complete=len(part.rows) == len(rows) and not any("failed" in row for row in part.rows), note=note)
    return 1 if any("failed" in row for row in part.rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
