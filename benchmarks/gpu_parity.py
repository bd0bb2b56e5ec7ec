"""Does a device train as the CPU does? The first steps compared number by number, then t_ICL in distribution.

Steps: the same initial weights and the same batches, in float32 on the device and in float64 on the CPU. In float32 a
sum of n terms is off by no more than γ = λ √n u of the sum of their magnitudes, u = 2⁻²⁴, except with probability
2n e^(−λ²/2) (Higham and Mary, SIAM J. Sci. Comput. 41, 2019), here with λ = 8 and n the terms of the longest sums one
after the other: width, batch, N and D. After a time t the mean losses differ by γ (1 + t) at most, and the weights by

    |Δθ| <= γ (1 + t) |θ_t − θ_0| + λ u √steps |θ_t|

the last term being what a weight loses when a step is added to it. An accuracy may differ by the sequences of the test
whose margin is within the first bound, times the margins' scale, of zero. TF32, whose u is 2⁻¹¹, is beyond all of this.

t_ICL: networks of other seeds on both sides, for K → ∞; a two-sample test after Kolmogorov and Smirnov at 1 %. What it
would have seen, with a power of 90 %, is the smallest factor on all times at which it rejects in nine of ten resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from iclrace.theory import Task
from iclrace.validate import Run, acquisition_times, train
from iclrace.validate.data.batches import Batch, OverlapBatch, Table
from iclrace.validate.data.sequences import Sequences
from iclrace.validate.training.deadline import time_limit
from iclrace.validate.training.evaluation import METRICS
from iclrace.validate.training.trainer import EnsembleTrainer

from .gpu_report import begin

LAMBDA, UNIT = 8.0, 2.0**-24
LEVEL = 0.01
STEPS, STRETCHES = 10, 2
TOY = {"width": 32, "batch_size": 32, "learning_rate": 0.1, "test_size": 200}
PAPER = {"width": 512, "batch_size": 128, "learning_rate": 0.03, "test_size": 500}


def cases(small: bool) -> dict[str, Run]:
    """Networks whose steps are compared."""
    task, settings = (Task(7, 64, 15), TOY) if small else (Task(99, 10_000, 63), PAPER)
    time = STEPS * settings["learning_rate"]
    runs = {
        network: Run(network, task, 0, **settings, evaluate_every=time, budget=STRETCHES * time)
        for network in ("transformer", "minimal")
    }
    endless = {f"{name}, K → ∞": run.with_(task_diversity=math.inf) for name, run in runs.items()}
    decayed = {"transformer, weight decay": runs["transformer"].with_(decay_attention=0.1, decay_memory=0.1)}
    return runs | endless | decayed


def spread_of_sums(run: Run) -> float:
    """γ = λ √n u."""
    terms = run.width + run.batch_size + run.task.context_length + int(run.task.dimension)
    return LAMBDA * math.sqrt(terms) * UNIT


def compare(run: Run, device: str, networks: int, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Differences after the steps, each over what it may be; at most 1 is as it should be."""
    runs = [run.with_(seed=seed) for seed in range(networks)]
    exact = in_float64(runs)
    trainer = EnsembleTrainer(runs, device, dtype, portable=True)
    start = vectors(exact)
    for trained in (exact, trainer):
        for _ in range(STRETCHES):
            trained.advance()
        with torch.no_grad():
            trained._evaluate(STRETCHES)
    gamma, time = spread_of_sums(run), STRETCHES * STEPS * run.learning_rate
    end, reached = vectors(exact), vectors(trainer)
    moved, length = (np.linalg.norm(v, axis=1) for v in (end - start, end))
    allowed = gamma * (1 + time) * moved + LAMBDA * UNIT * math.sqrt(STRETCHES * STEPS) * length
    rows = {name: i for i, name in enumerate(METRICS)}
    losses = [rows[name] for name in ("train_loss", "icl_loss", "iwl_loss", "c1")]
    measured, expected = trainer.metrics[1:], exact.metrics[1:]
    loss = np.abs(measured[:, losses] - expected[:, losses]).max() / (gamma * (1 + time))
    accuracy = [rows["icl_accuracy"], rows["iwl_accuracy"]]
    between = np.abs(measured[-1, accuracy] - expected[-1, accuracy])
    unsure = uncertain(exact, gamma * (1 + time))
    return {
        "loss": float(loss),
        "weights": float((np.linalg.norm(reached - end, axis=1) / allowed).max()),
        "accuracy": bool((between <= unsure + 1e-12).all()),
    }


def in_float64(runs: Sequence[Run]) -> EnsembleTrainer:
    """A trainer on the CPU whose arithmetic is float64, on the float32 numbers that the others see."""
    trainer = EnsembleTrainer(runs, "cpu", torch.float64, portable=True)
    single = EnsembleTrainer(runs, "cpu", portable=True)
    trainer.sequences = Widened(single.sequences)
    trainer.icl_test, trainer.iwl_test = widened(single.icl_test), widened(single.iwl_test)
    return trainer


class Widened(Sequences):
    """Sequences whose float32 numbers stand in float64."""

    def __init__(self, sequences: Sequences) -> None:
        self.__dict__.update(sequences.__dict__)
        self.given = sequences

    def batch(self, step: int | torch.Tensor) -> Batch:
        return widened(self.given.batch(step))


def widened(batch: Batch) -> Batch:
    """The batch in float64."""
    table = Table(batch.table.items.double(), batch.table.labels.double())
    if isinstance(batch, OverlapBatch):
        return replace(batch, table=table, overlaps=batch.overlaps.double(), labels=batch.labels.double())
    return replace(batch, table=table)


def vectors(trainer: EnsembleTrainer) -> np.ndarray:
    """All parameters of every network, float64 (S, P)."""
    flat = [value.detach().cpu().double().reshape(len(value), -1) for value in trainer.parameters.values()]
    return torch.cat(flat, 1).numpy()


def uncertain(trainer: EnsembleTrainer, tolerance: float) -> np.ndarray:
    """Share of both tests' sequences whose margin may have another sign, (2, S)."""
    shares = []
    for batch in (trainer.icl_test, trainer.iwl_test):
        with torch.no_grad():
            margins, _ = trainer.computation.forward(trainer.parameters, batch)
        scale = margins.square().mean(1, keepdim=True).sqrt()
        shares.append((margins.abs() <= tolerance * torch.maximum(scale, torch.ones_like(scale))).double().mean(1))
    return torch.stack(shares).numpy()


def times(run: Run, first: int, networks: int, device: str, out: Path, seconds: float) -> np.ndarray:
    """t_ICL of networks with seeds from ``first`` on; what was trained before is not trained again."""
    runs = [run.with_(seed=first + seed) for seed in range(networks)]
    with time_limit(max(seconds, 1.0) / 3600):
        return acquisition_times(train(runs, out, device=device, description=f"t_ICL, {device}")).values


def two_samples(first: np.ndarray, second: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Whether they may be of one distribution, and the factor that would have been seen."""
    p = float(stats.ks_2samp(first, second).pvalue)
    rng, factor = np.random.default_rng(seed), 1.0
    pool = np.concatenate([first, second])
    for factor in 1 + 0.01 * np.arange(1, 101):
        drawn = [(rng.choice(pool, len(first)), factor * rng.choice(pool, len(second))) for _ in range(100)]
        if np.mean([stats.ks_2samp(*pair).pvalue < LEVEL for pair in drawn]) >= 0.9:
            break
    medians = f"{np.median(first):.1f} and {np.median(second):.1f}"
    return {"medians": medians, "p": p, "seen from": f"× {factor:.2f}", "same": p >= LEVEL}


@contextmanager
def matrix_products(precision: str):
    """Inside, float32 matrix products may round as "high" (TF32) does, or not at all beyond float32 ("highest")."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def acquiring(small: bool) -> Run:
    """Networks whose t_ICL is compared."""
    task, settings = (Task(4, math.inf, 7), TOY) if small else (Task(15, math.inf, 31), PAPER | {"width": 128})
    rate = 0.1
    settings = {**settings, "learning_rate": rate, "evaluate_every": 1.0, "budget": 100.0 if small else 250.0}
    return Run("transformer", task, 0, **settings, stop_acquired=True)


COLUMNS = ["what", "loss", "weights", "accuracy", "medians", "p", "seen from", "same"]
NOTE = (
    "Loss and weights: the largest difference over what rounding allows, which is to be at most 1. Same: t_ICL's "
    "distribution by a Kolmogorov–Smirnov test at 1 %, with the factor on all times that it sees with a power of 90 %. "
    "bfloat16 is not tried: at these rates a step is less than half of a weight's last place, and would be lost."
)


def passed(row: dict[str, Any]) -> bool:
    """Whether a row says what it should; TF32 may differ, it is only asked."""
    steps = row.get("loss", 0.0) <= 1 and row.get("weights", 0.0) <= 1 and row.get("accuracy", True)
    return "failed" not in row and (row["what"].startswith("TF32") or (steps and row.get("same", True)))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if the device trains as the CPU does, 1 if a row failed, 3 if one differs."""
    given, part = begin("parity", COLUMNS, arguments, __doc__, seconds=150.0)
    for name, run in cases(given.small).items():
        part.row(f"{STEPS * STRETCHES} steps, {name}", lambda run=run: compare(run, given.device, 3))
    run, networks, stores = acquiring(given.small), 16 if given.small else 48, given.out / "runs"

    def sample(first: int, device: str, name: str) -> np.ndarray:
        return times(run, first, networks, device, stores / name, part.seconds_left)

    part.row(f"t_ICL, {networks} networks each", lambda: two_samples(
        sample(0, "cpu", "cpu"), sample(1000, given.device, given.device.replace(":", "-")),
    ))  # fmt: skip
    if given.device != "cpu":

        def rounded() -> np.ndarray:
            with matrix_products("high"):
                return sample(2000, given.device, "tf32")

        part.row("TF32, t_ICL against float32", lambda: two_samples(
            sample(1000, given.device, given.device.replace(":", "-")), rounded(),
        ))  # fmt: skip
    wanted = len(cases(given.small)) + 1 + (given.device != "cpu")
    part.write(complete=len(part.rows) == wanted and not any("failed" in row for row in part.rows), note=NOTE)
    if any("failed" in row for row in part.rows):
        return 1
    return 0 if all(map(passed, part.rows)) else 3


if __name__ == "__main__":
    raise SystemExit(main())
