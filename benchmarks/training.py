"""Time of one step of stochastic gradient descent, per network: stacked networks against plain PyTorch, side by side.

    python -m benchmarks.training [--repeats R] [--write RESULTS.md]    # about 3 minutes

The plain side is what the protocol says in PyTorch: a ``Dataset`` that draws one sequence, a ``DataLoader``, a
plain module with full causal attention, ``torch.optim.SGD``, one network. The floor is the time that the perceptron's
nine matrix products alone take, forward and backward, measured in the same run. Sides alternate; medians are shown.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from iclrace.theory import Task
from iclrace.validate import Run
from iclrace.validate.networks.computation import threads_for
from iclrace.validate.networks.modules import Transformer, context_tokens, target_tokens
from iclrace.validate.training.trainer import EnsembleTrainer

from .sections import markdown, write_section

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
    """Seconds per step and network of the stacked networks, on as many threads as training gives them."""
    trainer = EnsembleTrainer([run.with_(seed=seed) for seed in range(networks)])

    def measure() -> float:
        start = time.perf_counter()
        with threads_for(trainer.work):
            trainer.train(steps)
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
        "t.train(3); "
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


def rows(name: str, run: Run, networks: Sequence[int], repeats: int) -> Iterator[list[str]]:
    """The table's rows for one run: all sides in turn, the first turn not counted (it compiles and fills caches)."""
    sides = {"plain": plain(run, 4)}
    for count in networks:
        sides[f"stacked {count}"] = stacked(run, count, max(4, 40 // count))
        sides[f"floor {count}"] = floor(run, count, max(4, 40 // count))
    turns = [{side: 1e3 * measure() for side, measure in sides.items()} for _ in range(repeats + 1)][1:]
    shown = {side: _median_and_range([turn[side] for turn in turns]) for side in sides}
    for count in networks:
        # A ratio is taken within a turn: both of its sides then met the same disturbances.
        gain = _median_and_range([turn["plain"] / turn[f"stacked {count}"] for turn in turns])
        share = np.median([turn[f"floor {count}"] / turn[f"stacked {count}"] for turn in turns])
        k = run.task.task_diversity
        diversity = "K → ∞" if math.isinf(k) else f"K = {k:,.0f}"
        label = f"{name}, {diversity}, {count} network{'s' if count > 1 else ''}"
        yield [label, shown["plain"], shown[f"stacked {count}"], gain, shown[f"floor {count}"], f"{share:.0%}"]


def _median_and_range(values: Sequence[float]) -> str:
    return f"{np.median(values):.3g} ({min(values):.3g}–{max(values):.3g})"


def speeds(repeats: int) -> str:
    """The table of times; its rows are printed as they are measured."""
    entries = []
    for name, run, networks in (("paper", PAPER, (1, 4)), ("laptop", LAPTOP, (1, 28))):
        for k in (run.task.task_diversity, math.inf):
            for row in rows(name, run.with_(task_diversity=k), networks, repeats):
                print("  ".join(row), flush=True)
                entries.append(row)
    columns = ["scale", "plain", "stacked", "plain / stacked", "floor", "share of the floor's speed"]
    return markdown(columns, entries)


def memory() -> str:
    """The table of memory."""
    entries = [
        [name, f"{tensor_megabytes(run):.1f}", f"{peak_megabytes_per_network(run, count):.1f}"]
        for name, run, count in (("paper", PAPER, 4), ("laptop", LAPTOP, 28))
    ]
    return markdown(
        ["scale", "MB per network held between steps", "MB that one network more adds to the peak"], entries
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", type=Path, help="Markdown file with a marked place for the tables")
    options = parser.parse_args(arguments)
    threads = torch.get_num_threads()
    tables = f"{speeds(options.repeats)}\n\n{memory()}"
    measured = (
        f"ms per step and network, median of {options.repeats} (low to high), {threads} threads on {os.cpu_count()} "
        f"cores, torch {torch.__version__}, float32; load {os.getloadavg()[0]:.1f} at the end."
    )
    text = f"{measured}\n\n{tables}"
    print(text)
    if options.write:
        write_section(text, options.write, "bench-train")


if __name__ == "__main__":
    main()
