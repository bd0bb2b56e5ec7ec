"""Time and peak memory against size: trajectories of an ensemble; networks, K and N of a training run.

    python -m benchmarks.scaling [--quick] [--write RESULTS.md] [--plot FILE]    # about ten minutes

Every point is a process of its own, so that its peak memory is its own. Time is that of the work alone, after a first
call; the slope is d ln time/d ln size between a point and the one before it, 1 where it is linear.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .sections import markdown, write_section

ENSEMBLE = """
import numpy as np
from iclrace.simulate import CoupledModel, coupled_acquisition_time
from iclrace.theory import Task
model, start = CoupledModel(Task(100)), np.linspace(-1.0, 3.0, {size})
work = lambda: coupled_acquisition_time(model, start, rtol=1e-4)
coupled_acquisition_time(model, start[:64], rtol=1e-4)
"""
TRAINING = """
from iclrace.theory import Task
from iclrace.validate import Run, train
def runs(budget):
    return [Run("transformer", Task({context_length}, {task_diversity}, 31), seed=seed, width=128, learning_rate=0.1,
                batch_size=64, test_size=200, budget=budget) for seed in range({networks})]
work = lambda: train(runs({steps} * 0.1))
train(runs(0.2))
"""
CLOCK = """
import json, resource, time
started = time.perf_counter()
work()
seconds = time.perf_counter() - started
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10]))
"""
SETTINGS = {"context_length": 31, "task_diversity": 1024, "networks": 4, "steps": 100}
SIZES = {
    "trajectories": [10**k for k in range(3, 8)],
    "networks": [1, 4, 16, 64, 256],
    "task_diversity": [10**k for k in range(2, 7)],
    "context_length": [8, 32, 128, 512],
}


def script(axis: str, size: int) -> str:
    """The process that measures one point: its work, timed, and its peak memory."""
    if axis == "trajectories":
        return ENSEMBLE.format(size=size) + CLOCK
    return TRAINING.format(**SETTINGS | {axis: size}) + CLOCK


def measured(axis: str, size: int) -> tuple[float, float]:
    """Seconds and peak MiB of one point."""
    done = subprocess.run([sys.executable, "-c", script(axis, size)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{axis} = {size} failed:\n{done.stderr}")
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def table(axis: str, points: Sequence[tuple[int, float, float]]) -> str:
    """Sizes, times, slopes and memory of one axis."""
    rows, before = [], None
    for size, seconds, peak in points:
        slope = "" if before is None else f"{math.log(seconds / before[1]) / math.log(size / before[0]):.2f}"
        rows.append([f"{size:,}", f"{seconds:.3g}", slope, f"{peak:.0f}"])
        before = size, seconds
    return markdown([axis, "seconds", "slope", "peak MiB"], rows)


def plot(measurements: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    """Time and memory against every size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(measurements), 5.0), layout="constrained")
    axes = figure.subplots(2, len(measurements), squeeze=False)
    for (axis, points), (above, below) in zip(measurements.items(), axes.T, strict=True):
        sizes, seconds, peak = zip(*points, strict=True)
        above.loglog(sizes, seconds, "o-")
        above.loglog(sizes, [seconds[-1] * size / sizes[-1] for size in sizes], ":", label="linear")
        below.loglog(sizes, peak, "o-")
        above.set(ylabel="time (s)")
        above.legend()
        below.set(xlabel=axis.replace("_", " "), ylabel="peak memory (MiB)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Time and peak memory against size.")
    parser.add_argument("--quick", action="store_true", help="the two smallest sizes of every axis")
    parser.add_argument("--write", type=Path, help="Markdown file with a marked place for the tables")
    parser.add_argument("--plot", type=Path, default=Path("results/scaling.png"), help="where the picture goes")
    options = parser.parse_args(arguments)
    measurements: dict[str, list[tuple[int, float, float]]] = {}
    for axis, sizes in SIZES.items():
        measurements[axis] = [(size, *measured(axis, size)) for size in (sizes[:2] if options.quick else sizes)]
        print(f"\n{table(axis, measurements[axis])}", flush=True)
    networks = f"{SETTINGS['networks']} networks, N = {SETTINGS['context_length']}, K = {SETTINGS['task_diversity']:,}"
    head = (
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end. Trajectories to acquisition at 1e-4; "
        f"{SETTINGS['steps']} steps of {networks}, D = 31, width 128, where the size says nothing else."
    )
    text = "\n\n".join([head, *(table(axis, points) for axis, points in measurements.items())])
    if options.write:
        write_section(text, options.write, "bench-scaling")
    plot(measurements, options.plot)


if __name__ == "__main__":
    main()
