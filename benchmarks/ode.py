"""Work-precision diagram of the ODE ensembles: achieved error against time per trajectory, ours beside its peers.

Two problems, the same trajectories for everybody, final states compared with a reference at 1e-13:

- ``acquisition``: N = 100, K → ∞, β0 ~ N(0, 1), to t = 1000;
- ``transience``: N = 100, K = 1000, decay 1e-3, β0 ~ N(0, 1), through acquisition and loss to t = 1e5.

``python -m benchmarks.ode [--quick] [--json FILE] [--plot FILE] [--write RESULTS.md]``.
Peers that are not installed are named and left out.
Every entry uses all cores in the way its users would: threads for compiled code, XLA's own for diffrax, one core for
scipy with a numpy field (its Python loop cannot be threaded), whose time is then also given divided by the cores.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iclrace.simulate import CoupledModel, solve_ensemble
from iclrace.theory import PowerLawMemory, Task

from . import ode_limits, ode_peers
from .sections import write_section

TOLERANCES = (0.3, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)
#: Runs of which the fastest counts; scipy, slow enough to be steady, gets one.
REPEATS = 3
#: Achieved errors at which times are compared.
LEVELS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)


@dataclass(frozen=True)
class ProblemCase:
    """One ensemble: a model, its initial states and the end."""

    name: str
    model: CoupledModel
    y0: np.ndarray
    end: float


def cases(count: int) -> list[ProblemCase]:
    beta0 = np.random.default_rng(2024).normal(size=count)
    plain = np.stack([np.zeros(count), beta0], axis=-1)
    memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    decaying = CoupledModel(Task(100, task_diversity=1000), memory, decay_w=1e-3, decay_beta=1e-3)
    return [
        ProblemCase("acquisition", CoupledModel(Task(100)), plain, 1000.0),
        ProblemCase("transience", decaying, np.column_stack([plain, np.zeros(count)]), 1e5),
    ]


def ours(case: ProblemCase, tolerance: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda y0: solve_ensemble(case.model, y0, (0.0, case.end), tolerance, tolerance).y


def measure(run: Callable[[np.ndarray], np.ndarray], y0: np.ndarray, exact: np.ndarray, repeats: int) -> dict:
    """Time per trajectory (minimum and spread) and the error that 95 % of the trajectories stay below."""
    final = run(y0)  # compiles, and warms the caches
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        final = run(y0)
        seconds.append((time.perf_counter() - start) / len(y0))
    error = np.abs(final[:, :2] - exact[:, :2]).max(axis=1) / (1.0 + np.abs(exact[:, :2]).max(axis=1))
    return {
        "microseconds": 1e6 * min(seconds),
        "slowest": 1e6 * max(seconds),
        "error": float(np.quantile(error, 0.95)),
        "worst": float(error.max()),
    }


def time_at(points: list[dict], level: float) -> float:
    """Time per trajectory at an achieved error, log-log between the measured points; NaN outside them."""
    points = sorted(points, key=lambda point: -point["error"])
    error, spent = (np.log([point[key] for point in points]) for key in ("error", "microseconds"))
    if level < np.exp(error[-1]):
        return float("nan")
    return float(np.exp(np.interp(-np.log(level), -error, spent)))


def run_case(case: ProblemCase, repeats: int, tolerances: tuple[float, ...]) -> dict[str, list[dict]]:
    exact = solve_ensemble(case.model, case.y0, (0.0, case.end), 1e-13, 1e-13, method="explicit", max_steps=10**6).y
    methods = {"iclrace": (lambda tol: ours(case, tol), len(case.y0))}
    methods |= ode_peers.available(case)
    table = {}
    for name, (make, count) in methods.items():
        points = []
        for tolerance in tolerances:
            try:
                point = measure(make(tolerance), case.y0[:count], exact[:count], repeats if count > 100 else 1)
            except Exception as problem:
                print(f"  {name} at {tolerance:g}: {type(problem).__name__}: {str(problem)[:100]}")
                continue
            points.append({"tolerance": tolerance, "trajectories": count, **point})
            print(
                f"  {case.name:12s} {name:24s} tol {tolerance:.0e}  error {point['error']:.1e}"
                f" (worst {point['worst']:.1e})  {point['microseconds']:9.2f} to {point['slowest']:9.2f} µs",
                flush=True,
            )
        if points:
            table[name] = points
    return table


def summarise(case: str, table: dict[str, list[dict]]) -> str:
    """Markdown: µs per trajectory at each achieved error, and our lead."""
    lines = [f"**{case}**: µs per trajectory at the achieved error", ""]
    lines += ["| method | " + " | ".join(f"{level:.0e}" for level in LEVELS) + " |", "|---" * (len(LEVELS) + 1) + "|"]
    times = {name: [time_at(points, level) for level in LEVELS] for name, points in table.items()}
    for name, row in times.items():
        lines.append(f"| {name} | " + " | ".join("–" if np.isnan(value) else f"{value:.3g}" for value in row) + " |")
    ours = np.array(times["iclrace"])
    peers = [row for name, row in times.items() if name != "iclrace"]
    if peers:
        best = np.nanmin(np.where(np.isnan(peers), np.inf, peers), axis=0)
        lines.append("| best peer / iclrace | " + " | ".join(f"{value:.1f}" for value in best / ours) + " |")
    if "scipy LSODA, numpy" in times:
        lines.append(
            "| scipy LSODA, numpy / iclrace | "
            + " | ".join("–" if np.isnan(v) else f"{v:.0f}" for v in np.array(times["scipy LSODA, numpy"]) / ours)
            + " |"
        )
    return "\n".join(lines)


def plot(results: dict[str, dict[str, list[dict]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(11, 4.5), squeeze=False)
    for ax, (case, table) in zip(axes[0], results.items(), strict=True):
        for name, points in table.items():
            ax.loglog([p["error"] for p in points], [p["microseconds"] for p in points], "o-", ms=3, label=name)
        ax.set(title=case, xlabel="achieved error (95 % of trajectories)", ylabel="µs per trajectory")
        ax.invert_xaxis()
        ax.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def section(results: dict[str, dict[str, list[dict]]], limits: list[str]) -> str:
    """Everything measured, as Markdown."""
    spread = [p["slowest"] / p["microseconds"] - 1.0 for table in results.values() for p in table["iclrace"]]
    lines = [
        f"Measured on {os.cpu_count()} cores ({processor()}), load {os.getloadavg()[0]:.1f} at the end. Times are the",
        f"minimum over repeats; the slowest of ours lay {100 * min(spread):.0f}-{100 * max(spread):.0f} % above it",
        f"(median {100 * float(np.median(spread)):.0f} %). Missing peers: {ode_peers.missing() or 'none'}.",
        "",
    ]
    for name, table in results.items():
        lines += [summarise(name, table), ""]
    return "\n".join([*lines, *limits])


def processor() -> str:
    """The processor's name where the system tells it."""
    names = [line.split(":")[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description="Work-precision diagram of the ODE ensembles.")
    parser.add_argument("--quick", action="store_true", help="fewer tolerances, no repeats, no limits")
    parser.add_argument("--json", type=Path, help="write the measurements")
    parser.add_argument("--plot", type=Path, default=Path("results/ode.png"), help="where the diagram goes")
    parser.add_argument("--write", type=Path, help="Markdown file with a marked place for the tables")
    options = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} cores; missing: {ode_peers.missing() or 'nobody'}")
    tolerances = (1e-3, 1e-5, 1e-7, 1e-9) if options.quick else TOLERANCES
    results = {case.name: run_case(case, 1 if options.quick else REPEATS, tolerances) for case in cases(2000)}
    text = section(results, [] if options.quick else ode_limits.measured())
    print("\n" + text)
    if options.write:
        write_section(text, options.write, "bench-ode")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    plot(results, options.plot)
    print(f"\ndiagram: {options.plot}")


if __name__ == "__main__":
    main()
