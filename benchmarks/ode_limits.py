"""What the work-precision diagram leaves out: the first call, many acquisition times, the memory of 1e7 trajectories.

Each is measured in processes of its own: compilation needs an empty cache, and the peak of memory belongs to a process.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TRAJECTORIES = 10_000_000

_FIRST_CALL = """
import resource, time
import iclrace.simulate as s
from iclrace.theory import Task
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_utime
start, user = time.perf_counter(), used()
s.solve_ensemble(s.CoupledModel(Task(100)), [[0.0, 0.0]], (0.0, 1000.0))
print(time.perf_counter() - start, used() - user)
"""

_ACQUISITION = """
import time, numpy as np
import iclrace.simulate as s
from iclrace.theory import Task
model, beta0 = s.CoupledModel(Task(100)), np.random.default_rng(1).normal(size=100_000)
s.coupled_acquisition_time(model, beta0[:100])
seconds = []
for _ in range(3):
    start = time.perf_counter()
    s.coupled_acquisition_time(model, beta0)
    seconds.append(time.perf_counter() - start)
print(min(seconds), max(seconds))
"""

_MANY = """
import resource, sys, time, numpy as np
import iclrace.simulate as s
from iclrace.theory import Task
count = int(sys.argv[1])
y0 = np.zeros((count, 2))
y0[:, 1] = np.linspace(2.0, 4.0, count)  # soon acquired: memory does not depend on how long it takes
start = time.perf_counter()
runs = s.solve_ensemble(s.CoupledModel(Task(100)), y0, (0.0, 1e4), 1e-4, 1e-4, stop="acquired")
seconds = time.perf_counter() - start
assert runs.success.all() and np.isfinite(runs.events["acquired"]).all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, seconds)
"""


def _printed(code: str, *arguments: str, **environment: str) -> list[float]:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    return [float(number) for number in done.stdout.split()]


def first_call() -> str:
    """Seconds of the first call in a fresh process, with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        wall, user = _printed(_FIRST_CALL, NUMBA_CACHE_DIR=cache)
        cached, _ = _printed(_FIRST_CALL, NUMBA_CACHE_DIR=cache)
    return f"First call in a fresh process: {wall:.1f} s ({user:.1f} s of processor time); cached {cached:.2f} s."


def acquisition_times() -> str:
    """Seconds for 1e5 acquisition times with everything compiled."""
    fastest, slowest = _printed(_ACQUISITION)
    return f"1e5 acquisition times (N = 100, rtol 1e-6): {fastest:.2f} to {slowest:.2f} s, three repeats."


def memory(count: int = TRAJECTORIES) -> str:
    """Peak of resident memory of ``count`` trajectories reduced to final states and event times."""
    peak, seconds = _printed(_MANY, str(count))
    return (
        f"{count:.0e} trajectories (N = 100, β0 from 2 to 4, to acquisition, 1e-4): peak resident memory of the whole"
        f" process, start states included, {peak:.2f} GiB; {seconds:.0f} s."
    )


def measured() -> list[str]:
    """One line of Markdown for each."""
    lines = []
    for measure in (first_call, acquisition_times, memory):
        lines.append("- " + measure())
        print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    print(f"{Path(sys.executable)}, {os.cpu_count()} cores")
    measured()
