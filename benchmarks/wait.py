"""What a user waits for, each in a fresh process, beside its goal: imports, commands, first calls, a phase diagram.

    python -m benchmarks.wait [--repeats R] [--write RESULTS.md]    # about six minutes

Every entry is a process of its own, from its start to its end, the interpreter's included; the fastest of the repeats
counts, as the others were disturbed. A first call starts with an empty cache of compiled code, the others find it full.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .sections import markdown, write_section

REPORTED = Path(__file__).parents[1] / "results" / "reference" / "workstation"
#: Stands among the arguments for a folder that is new at every repeat.
NEW = "NEW"
IMPORT = ("-c", "import iclrace")
ACQUISITION = (
    "from iclrace.simulate import CoupledModel, coupled_acquisition_time; from iclrace.theory import Task\n"
    "print(coupled_acquisition_time(CoupledModel(Task(context_length=50, dimension=63)), beta0=[0.0, 1.0]))"
)
PHASES = (
    "import numpy as np; from iclrace.simulate import phase_diagram; from iclrace.theory import PowerLawMemory, Task\n"
    "n, k = np.arange(20, 140, 2), np.geomspace(10, 1e4, 60)\n"
    "phase_diagram(Task(50), PowerLawMemory(3.9, 0.7), n, k, budget=1e4, draws=200)"
)


@dataclass(frozen=True)
class Wait:
    """One thing that is waited for, its goal in seconds, and the arguments of the interpreter that does it.

    ``cold`` starts without compiled code; ``beyond`` are the arguments of a process whose time is taken away.
    """

    name: str
    goal: float
    arguments: Sequence[str]
    cold: bool = False
    beyond: Sequence[str] = field(default=())


def readme_training(folder: Path) -> str:
    """The first training example of the README, as it stands there, trained anew in ``folder``."""
    blocks = (Path(__file__).parents[1] / "README.md").read_text("utf-8").split("```python\n")[1:]
    (code,) = [block.partition("```")[0] for block in blocks if "train([few, many])" in block]
    return f"import os, tempfile\nos.chdir(tempfile.mkdtemp(dir={str(folder)!r}))\n{code}"


def waits(folder: Path) -> list[Wait]:
    """All of them; ``folder`` takes what commands write."""
    bare = ("-c", "pass")
    imports = ("-c", ACQUISITION.splitlines()[0] + "; import numba")
    run = ("-m", "iclrace.cli")
    page = ("--out", str(folder / "report.html"))
    return [
        Wait("`import iclrace`, beyond the interpreter's own start", 0.1, IMPORT, beyond=bare),
        Wait("`iclrace --help`", 0.3, (*run, "--help")),
        Wait("`iclrace curves acquisition -N 25,50,100`", 1.0, (*run, "curves", "acquisition", "-N", "25,50,100")),
        Wait("`iclrace figure --list`", 1.0, (*run, "figure", "--list")),
        Wait("`iclrace exponents`", 1.0, (*run, "exponents")),
        Wait("the README's two transformers, with all imports", 15.0, ("-c", readme_training(folder))),
        Wait("`iclrace report` of the workstation", 20.0, (*run, "report", str(REPORTED), *page)),
        Wait("first call of `coupled_acquisition_time`, without compiled code", 3.0, ("-c", ACQUISITION), cold=True),
        Wait("the same once compiled, beyond imports", 0.2, ("-c", ACQUISITION), beyond=imports),
        Wait(
            "`iclrace simulate acquisition`, without compiled code", 5.0, (*run, "simulate", "acquisition"), cold=True
        ),
        Wait("`iclrace validate --preset smoke`", 60.0, (*run, "validate", "--preset", "smoke", "--out", NEW)),
        Wait(
            "the same again, with all of it done",
            5.0,
            (*run, "validate", "--preset", "smoke", "--out", str(folder / "smoke")),
        ),
        Wait("phase diagram of 60 × 60 points with 200 draws", 3.0, ("-c", PHASES)),
    ]


def elapsed(arguments: Sequence[str], cache: Path) -> float:
    """Seconds from the start to the end of a process."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "HOME": str(cache)}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return seconds


def anew(wait: Wait, cache: Path) -> float:
    """Seconds of one process, in a folder of its own where its arguments ask for one."""
    with tempfile.TemporaryDirectory() as folder:
        return elapsed(
            [str(Path(folder) / "out") if argument == NEW else argument for argument in wait.arguments], cache
        )


def measured(wait: Wait, repeats: int, kept: Path) -> tuple[float, float]:
    """The fastest and the slowest of the repeats."""
    times = []
    anew(wait, kept)  # reads files into memory, fills the cache, and does what later repeats find done
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as empty:
            seconds = anew(wait, Path(empty) if wait.cold else kept)
        times.append(seconds - (elapsed(wait.beyond, kept) if wait.beyond else 0.0))
    return min(times), max(times)


def row(wait: Wait, seconds: tuple[float, float]) -> list[str]:
    """A line of the table: what, goal, fastest and slowest, and whether the goal is met."""
    least, most = seconds
    return [wait.name, f"{wait.goal:g}", f"{least:.2g}", f"{most:.2g}", "met" if least <= wait.goal else "**missed**"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What a user waits for, beside its goal.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", type=Path, help="Markdown file with a marked place for the table")
    options = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for wait in waits(Path(folder)):
            rows.append(row(wait, measured(wait, options.repeats, Path(folder))))
            print("  ".join(rows[-1]), flush=True)
    table = markdown(["waited for", "goal (s)", "fastest (s)", "slowest (s)", ""], rows)
    load = f"load {os.getloadavg()[0]:.1f} at the end"
    text = f"{os.cpu_count()} cores, {options.repeats} repeats, {load}.\n\n{table}"
    if options.write:
        write_section(text, options.write, "bench-wait")


if __name__ == "__main__":
    main()
