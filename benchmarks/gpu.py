"""All that is asked of a GPU, in one run of nine minutes: does it train as the CPU does, how fast, and the paper.

    python benchmarks/gpu.py [--device cuda] [--small] [--minutes 9] [--out results/gpu]       # or: make gpu

Three parts, each a process of its own, so that one that fails or hangs costs no other:

    parity      the first steps against the CPU's, number by number; t_ICL's distribution; whether TF32 changes it
    speed       µs a step and network for 1, 32 and 256 networks at the paper's size, beside the memory traffic
    networks    figures 6a and 6b at the paper's size (preset paper-cpu), as many networks as fit into the time left

Each leaves NAME.json and NAME.md in the folder, with hardware, versions, date and commit; the networks also what
``iclrace validate`` writes, in networks/. The same command goes on where an earlier one was interrupted. Needs the
packages that iclrace depends on and a PyTorch for the GPU; nothing is fetched. Exit codes: 0 done, 1 a part failed,
2 no such device or a package is missing, 3 the device does not train as the CPU does.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = (
    "numpy", "scipy", "sympy", "numba", "torch", "matplotlib", "xarray", "h5netcdf", "h5py", "safetensors", "typer",
    "rich", "diptest", "jinja2",
)  # fmt: skip
#: Share of all seconds that a part may take at most; the last takes what is left.
SHARES = {"parity": 0.3, "speed": 0.3, "networks": 1.0}
#: Seconds that a part has to end by itself, after it was asked to, and those that the last leaves for that.
GRACE = 20.0


def refusal(device: str) -> str | None:
    """Why nothing can be done here; None if it can."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"{sys.executable} lacks {', '.join(missing)}"
    from iclrace.validate.training.devices import usable

    try:
        usable(device)
    except ValueError as error:
        return str(error)
    return None


def importable(folder: str) -> dict[str, str]:
    """The environment in which this checkout is ``iclrace``, installed or not, whatever its folder is called."""
    if not (ROOT.name == "iclrace" and str(ROOT.parent) in sys.path):
        link = Path(folder) / "iclrace"
        if not link.exists():
            link.symlink_to(ROOT, target_is_directory=True)
        sys.path.insert(0, folder)
    here = str(Path(__file__).resolve().parent)  # Python puts a script's folder first, whose modules are no packages
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry not in ("", here))}


def command_of(name: str, given: argparse.Namespace, seconds: float) -> list[str]:
    """The process of a part."""
    command = [sys.executable, "-m", f"iclrace.benchmarks.gpu_{name}", "--device", given.device]
    return [*command, "--out", str(given.out), "--seconds", f"{seconds:.0f}", *["--small"] * given.small]


def part(name: str, given: argparse.Namespace, seconds: float, environment: dict[str, str]) -> int:
    """Run one part; what it printed is on the terminal, what it found in its files."""
    print(f"== {name}, at most {seconds:.0f} s", flush=True)
    process = subprocess.Popen(command_of(name, given, seconds), env=environment)
    try:
        return process.wait(seconds + GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if isinstance(error, KeyboardInterrupt):
            raise
        print(f"{name} did not end in time and was stopped; the same command goes on", file=sys.stderr)
        return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """All parts in turn; the worst of their exit codes, a difference from the CPU before a failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu to rehearse")
    parser.add_argument("--small", action="store_true", help="toy sizes: every step, in less than a minute")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which everything has ended")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "gpu")
    given = parser.parse_args(arguments)
    started, codes = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        environment = importable(folder)
        why = refusal(given.device) if given.minutes > 0 else "--minutes must be positive"
        if why is not None:
            print(f"make gpu: {why}", file=sys.stderr)
            return 2
        for name, share in SHARES.items():
            whole = 60 * given.minutes - 2 * GRACE
            left = whole - (time.monotonic() - started)
            if left < 5:
                print(f"no time is left for {name}; the same command goes on", file=sys.stderr)
                break
            codes.append(part(name, given, min(left, share * whole), environment))
    for name in SHARES:
        page = given.out / f"{name}.md"
        print(f"\n## {name}\n\n{page.read_text('utf-8') if page.exists() else 'nothing was written'}", flush=True)
    return 3 if 3 in codes else 1 if any(codes) or len(codes) < len(SHARES) else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        raise SystemExit(1) from None
