"""Processor time of 1e5 values of the closed forms, in one argument after another, and of K* on a grid of 200 × 200.

    python -m benchmarks.closed_forms [--write RESULTS.md]    # half a minute

Goals: 0.3 s for 1e5 values on one core, and 1 s for the grid. Each call is the first of its kind in the process but for
one of three values, which loads what it needs.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iclrace import theory
from iclrace.theory import PowerLawMemory, Task

from .sections import markdown, write_section

VALUES, GRID = 100_000, 200
MEMORY = PowerLawMemory(3.9, 0.7)
#: Calls with context length, task diversity, dimension and one argument more, x in [−1, 1].
FORMS: dict[str, Callable[[Any, Any, Any, Any], object]] = {
    "`acquired_beta`, x: accuracy": lambda n, k, d, x: theory.acquired_beta(Task(n, k, d), 0.9 + 0.05 * x),
    "`icl_accuracy`, x: β": lambda n, k, d, x: theory.icl_accuracy(1.0, 2.0 + x, Task(n, k, d)),
    "`iwl_accuracy`, x: β": lambda n, k, d, x: theory.iwl_accuracy(1.0, x, Task(n, k, d), 0.1),
    "`acquisition_time`, x: β0": lambda n, k, d, x: theory.acquisition_time(Task(n, k, d), x),
    "balanced `acquisition_time`, x: β0": lambda n, k, d, x: theory.acquisition_time(
        Task(2 * n, k, d, labels="balanced"), 1.2 + x
    ),
    "`momentum_delay`, x: β0": lambda n, k, d, x: theory.momentum_delay(Task(n, k, d), x),
    "`time_of_clock`, x: I": lambda n, k, d, x: theory.time_of_clock(MEMORY, 50.0 + x, k),
    "`fresh_share_time`, x: I*": lambda n, k, d, x: theory.fresh_share_time(MEMORY, 50.0 + x, k, 0.1),
    "`threshold`, x: β0": lambda n, k, d, x: theory.threshold(Task(n, k, d), MEMORY, x, budget=1e4),
    "`threshold_slopes`, x: β0": lambda n, k, d, x: theory.threshold_slopes(Task(n, k, d), MEMORY, x, budget=1e4),
    "`acquisition_fold`, x: ln λ": lambda n, k, d, x: theory.acquisition_fold(Task(n, k, d), np.exp(x - 7.0)),
    "`fold`, x: ln λ": lambda n, k, d, x: theory.fold(Task(n, k, d), np.exp(x - 7.0)),
    "`fixed_points`, x: ln λ": lambda n, k, d, x: theory.fixed_points(Task(n, k, d), np.exp(x - 7.0), 3.5),
    "`transience_time`, x: ln λ": lambda n, k, d, x: theory.transience_time(Task(n, k, d), MEMORY, np.exp(x - 7.0)),
    "`critical_decay`, x: c1": lambda n, k, d, x: theory.critical_decay(Task(n, k, d), 0.5 + 0.1 * x),
    "`fold_margin`, x: ln λ": lambda n, k, d, x: theory.fold_margin(Task(n, k, d), np.exp(x - 7.0)),
    "`loss_product`, x: ln λ": lambda n, k, d, x: theory.loss_product(Task(n, k, d), np.exp(x - 7.0), 1.0),
    "`mean_transience_time`, x: ln λ": lambda n, k, d, x: theory.mean_transience_time(
        Task(n, k, d), MEMORY, np.exp(x - 7.0)
    ),
    "`tail_time`, x: β0": lambda n, k, d, x: theory.tail_time(Task(n, k, d), 1e-4, x - 3.0),
}
ALONE: dict[str, Any] = {"n": 100, "k": 1000.0, "d": 63.0, "x": 0.3}


def columns(size: int) -> dict[str, Any]:
    """N in [20, 1000), K in [100, 1e5], D in [15, 500] and x in [−1, 1], at random."""
    rng = np.random.default_rng(1)
    return {
        "n": rng.integers(20, 1000, size),
        "k": np.exp(rng.uniform(np.log(100), np.log(1e5), size)),
        "d": rng.uniform(15, 500, size),
        "x": rng.uniform(-1, 1, size),
    }


def seconds(call: Callable[[], object]) -> float:
    """Processor time of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Processor time of many values of the closed forms.")
    parser.add_argument("--write", type=Path, help="Markdown file with a marked place for the table")
    options = parser.parse_args(arguments)
    few, many = columns(3), columns(VALUES)
    rows = []
    for name, form in FORMS.items():
        times = []
        for argument in ALONE:
            form(**ALONE | {argument: few[argument]})
            call = lambda form=form, argument=argument: form(**ALONE | {argument: many[argument]})  # noqa: E731
            times.append(seconds(call))
        rows.append([name, *(f"{value:.2g}" for value in times)])
        print("  ".join(rows[-1]), flush=True)
    lengths, budgets = np.arange(20, 20 + GRID)[:, None], np.geomspace(1e3, 1e6, GRID)
    grid = seconds(lambda: theory.threshold(Task(lengths, dimension=63.0), MEMORY, 0.0, budget=budgets))
    table = markdown(["1e5 values (s)", "N", "K", "D", "x"], rows)
    text = f"{table}\n\nK\\* on {GRID} × {GRID} N and budgets: {grid:.2g} s."
    print(text.splitlines()[-1])
    if options.write:
        write_section(text, options.write, "bench-forms")


if __name__ == "__main__":
    main()
