"""Time of one step of stochastic gradient descent, per network: stacked networks against plain PyTorch, side by side.

    python -m benchmarks.training [--repeats R]

The plain side is what the protocol says in PyTorch: a ``Dataset`` that draws one sequence, a ``DataLoader``, a
plain module with full causal attention, ``torch.optim.SGD``, one network. The floor is the time that the perceptron's
nine matrix products alone take, forward and backward, measured in the same run. Sides alternate; medians are shown.
"""

from __future__ import annotations

import argparse
import itertools
import math
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from iclrace.theory import Task
from iclrace.validate import Run
from iclrace.validate.networks import Transformer, context_tokens, target_tokens
from iclrace.validate.trainer import EnsembleTrainer
from torch.utils.data import DataLoader, Dataset

PAPER = Run("transformer", Task(99, 10_000, 63), 0, width=512, learning_rate=0.01, batch_size=128, test_size=10)
LAPTOP = Run("transformer", Task(31, 1024, 31), 0, width=128, learning_rate=0.1, batch_size=64, test_size=10)


class PlainSequences(Dataset):
    """One sequence at a time: items drawn from the K, the target a copy of one of them."""

    def __init__(self, run: Run, size: int) -> None:
        self.length, self.size = run.task.context_length, size
        self.fresh, self.dimension = math.isinf(run.task.task_diversity), int(run.task.dimension)
        count = self.length if self.fresh else int(run.task.task_diversity)
        self.items = torch.randn(count, self.dimension) * self.dimension**-0.5
        self.labels = 1.0 - 2.0 * (torch.arange(count) % 2)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        if self.fresh:
            items = torch.randn(self.length, self.dimension) * self.dimension**-0.5
            labels = 1.0 - 2.0 * torch.randint(2, (self.length,))
        else:
            drawn = torch.randint(len(self.items), (self.length,))
            items, labels = self.items[drawn], self.labels[drawn]
        target = int(torch.randint(self.length, ()))
        tokens = torch.cat([context_tokens(items, labels), target_tokens(items[target])[None]])
        return tokens, labels[target]


def plain(run: Run, steps: int) -> Callable[[], float]:
    """Seconds per step of the plain implementation."""
    model = Transformer(int(run.task.dimension), run.width)
    optimiser = torch.optim.SGD(model.parameters(), lr=run.learning_rate)

    def measure() -> float:
        start = time.perf_counter()
        for tokens, labels in DataLoader(PlainSequences(run, steps * run.batch_size), run.batch_size):
            optimiser.zero_grad()
            F.softplus(-model(tokens) * labels).mean().backward()
            optimiser.step()
        return (time.perf_counter() - start) / steps

    return measure


def stacked(run: Run, networks: int, steps: int) -> Callable[[], float]:
    """Seconds per step and network of the stacked networks."""
    trainer = EnsembleTrainer([run.with_(seed=seed) for seed in range(networks)])

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            trainer._train_step()
        return (time.perf_counter() - start) / (steps * networks)

    return measure


def floor(run: Run, networks: int, steps: int) -> Callable[[], float]:
    """Seconds per step and network of the perceptron's matrix products: output, weight and input gradients."""
    sizes = [int(run.task.dimension) + 2, run.width, run.width, 1]
    layers = [
        (
            torch.randn(networks, run.batch_size, i),
            torch.randn(networks, o, i),
            torch.randn(networks, run.batch_size, o),
        )
        for i, o in itertools.pairwise(sizes)
    ]

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            for inputs, weight, error in layers:
                torch.bmm(inputs, weight.transpose(1, 2))
                torch.bmm(error.transpose(1, 2), inputs)
                torch.bmm(error, weight)
        return (time.perf_counter() - start) / (steps * networks)

    return measure


def tensor_megabytes(run: Run) -> float:
    """Megabytes that a network of the run holds between steps: parameters, table and its prepared rows."""
    trainer = EnsembleTrainer([run])
    trainer._train_step()
    held = list(trainer.parameters.values())
    if not trainer.sequences.fresh:
        table = trainer.sequences.table
        held += [table.items, table.labels, *table.derived.values()]
    return sum(value.numel() * value.element_size() for value in held) / 1e6


def peak_megabytes_per_network(run: Run, networks: int) -> float:
    """What one network more adds to the largest resident memory, test sets of the run's own size included."""
    code = (
        "import sys, resource, benchmarks.training as b; n, name = int(sys.argv[1]), sys.argv[2]; "
        "run = getattr(b, name).with_(test_size=2000 if name == 'PAPER' else 1000); "
        "t = b.EnsembleTrainer([run.with_(seed=s) for s in range(n)]); t._evaluate(0); "
        "[t._train_step() for _ in range(3)]; "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    name = "PAPER" if run is PAPER else "LAPTOP"
    peak = [
        int(
            subprocess.run(
                [sys.executable, "-c", code, str(n), name], capture_output=True, text=True, check=True
            ).stdout
        )
        for n in (1, networks)
    ]
    return (peak[1] - peak[0]) * 1.024e-3 / (networks - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; ms per step and network, median (low to high)"
    )
    for name, run, networks in (("paper", PAPER, (1, 4)), ("laptop", LAPTOP, (1, 28))):
        for k in (run.task.task_diversity, math.inf):
            now = run.with_(task_diversity=k)
            sides = {"plain, 1 network": plain(now, 4)}
            for count in networks:
                sides[f"stacked, {count}"] = stacked(now, count, max(4, 40 // count))
                sides[f"floor, {count}"] = floor(now, count, max(4, 40 // count))
            times: dict[str, list[float]] = {side: [] for side in sides}
            for repeat in range(repeats + 1):
                for side, measure in sides.items():
                    seconds = measure()
                    if repeat:  # the first one compiles and fills caches
                        times[side].append(1e3 * seconds)
            middle = {side: float(np.median(values)) for side, values in times.items()}
            for side, values in times.items():
                note = ""
                if side.startswith("stacked"):
                    share = middle[side.replace("stacked", "floor")] / middle[side]
                    note = (
                        f"  {middle['plain, 1 network'] / middle[side]:.1f} x plain, {share:.0%} of the floor's speed"
                    )
                print(
                    f"{name:7s} K {k:<7g} {side:18s} {middle[side]:8.3f} ({min(values):.3f} to {max(values):.3f}){note}"
                )
        held, peak = tensor_megabytes(run), peak_megabytes_per_network(run, networks[-1])
        print(f"{name:7s} memory per network: {held:.1f} MB between steps, {peak:.1f} MB at the peak of an evaluation")


if __name__ == "__main__":
    main()
