"""Processor time of 1e5 values of every public closed form, in one argument after another, and of K* on a grid.

    python -m benchmarks.closed_forms [NAME …] [--write RESULTS.md]    # two minutes

Goals: 0.3 s for 1e5 values on one core, and 1 s for a grid of 200 × 200. Each call is the first of its kind in the
process but for one of three values, which loads what it needs. A call is cut off after a second.
"""

import argparse
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from iclrace import theory
from iclrace.theory import Task

from .forms import FORMS, MEMORY, NAMES, Form
from .sections import markdown, write_section

VALUES, GRID = 100_000, 200
GOAL, GRID_GOAL, CUT = 0.3, 1.0, 1


class _Late(Exception):
    """A call that was cut off."""


def seconds(call: Callable[[], object], cut: int = CUT) -> float:
    """Processor time of a call; ``inf`` if it is cut off after so many seconds."""

    def late(*_: object) -> None:
        raise _Late

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, cut)
    start = time.process_time()
    try:
        call()
        return time.process_time() - start
    except (_Late, MemoryError):
        return float("inf")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def times_of(form: Form, size: int = VALUES) -> dict[str, float]:
    """Seconds for ``size`` values of every argument that may be an array."""
    times = {}
    for name in form.arguments:
        few, many = form.column(name, 3), form.column(name, size)
        first = seconds(lambda few=few, name=name: form(**{name: few}))
        times[name] = seconds(lambda many=many, name=name: form(**{name: many})) if np.isfinite(first) else first
    return times


def shown(value: float, goal: float = GOAL) -> str:
    """Seconds as the table has them: a miss is bold, a call that was cut off says so."""
    text = f"> {CUT}" if value == float("inf") else f"{value:.2g}"
    return text if value <= goal else f"**{text}**"


def row(form: Form, times: dict[str, float]) -> list[str]:
    """A line of the table: the task's statistics in columns of their own, then the other arguments by name."""
    task = {NAMES[letter]: letter for letter in form.statistics} if form.task is not None else {}
    cells = [shown(times[name]) if name in task else "" for name in NAMES.values()]
    own = ", ".join(f"{name} {shown(times[name])}" for name in form.own)
    return [form.label, *cells, own]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Processor time of many values of the closed forms.")
    parser.add_argument("names", nargs="*", help="names of functions; all of them if none is given")
    parser.add_argument("--write", type=Path, help="Markdown file with a marked place for the table")
    options = parser.parse_args(arguments)
    rows, missed = [], []
    for form in FORMS:
        if options.names and form.name not in options.names:
            continue
        times = times_of(form)
        rows.append(row(form, times))
        missed += [f"{form.label} in {name}" for name, value in times.items() if value > GOAL]
        print("  ".join(rows[-1]), flush=True)
    lengths, budgets = np.arange(20, 20 + GRID)[:, None], np.geomspace(1e3, 1e6, GRID)
    grid = seconds(lambda: theory.threshold(Task(lengths, dimension=63.0), MEMORY, 0.0, budget=budgets))
    table = markdown(["1e5 values (s)", *NAMES, "other arguments"], rows)
    misses = f"{len(missed)} columns above {GOAL:g} s." if missed else f"All below {GOAL:g} s."
    text = f"{table}\n\n{misses} K\\* on {GRID} × {GRID} N and budgets: {shown(grid, GRID_GOAL)} s."
    print(text.splitlines()[-1])
    print(*missed, sep="\n")
    if options.write:
        write_section(text, options.write, "bench-forms")


if __name__ == "__main__":
    main()
