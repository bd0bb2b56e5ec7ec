"""How long a forecast of the transformer takes, calibration excluded, and how many sampled contexts it needs.

    python -m benchmarks.predict [--part speed] [--part draws] [--store DIRECTORY] [--write benchmarks/RESULTS.md]

**speed**: the perceptrons are trained alone first, or read from the store. Then, for N = 15, 31, 63 at D = 31 and width
128: an accuracy curve over nine K of one start, the least of three, and the same over the six starts of
``iclrace predict``; at N = 15 also K* by ``iclrace.predict`` as it stands, whose own perceptrons are trained before. It
is all compiled before it is timed, by one curve at the least N. Wall clock depends on what else runs; processor time is
printed beside it. Goals: 2 s for a curve, 20 s for K*. A minute on two quiet cores, most of it training.

**draws**: ln t_ICL at K → ∞ of the paper's size, N = 99, D = 63, width 512, at a score width of σ_s = 2.4 between
items, over six samples of contexts at each number of draws. The averages hold e^{score} of scores that wide, so that
few draws tell little: the standard deviation over samples, and the mean's distance from that of the most draws.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import iclrace
from iclrace.simulate.reduced_transformer import solve_reduced
from iclrace.theory.reduced_transformer import CORE, CouplingRun, MeasuredCoupling, ReducedTransformer
from iclrace.theory.reduced_transformer.readout import initial_kernel, initial_slope_square
from iclrace.validate import RunStore
from iclrace.validate.predict.reduced import Member, members_of, solved
from iclrace.validate.training.coupling import CouplingTraining, measured_coupling, train_couplings

LENGTHS, DIVERSITIES, DRAWS_OF_A_FORECAST, STARTS = (15, 31, 63), np.geomspace(128, 4096, 9), 1000, 6
CURVE_GOAL, THRESHOLD_GOAL = 2.0, 20.0
DRAWS, SAMPLES, SCORE_STD = (175, 350, 700, 1400, 2800), 6, 2.4
SECTION = "<!-- measured: {} -->", "<!-- end of {} -->"


def timed(run: Callable[[], object], repeats: int = 1) -> tuple[float, float]:
    """Least wall clock of ``repeats``, and the processor time of that one."""
    times = []
    for _ in range(repeats):
        wall, busy = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - wall, time.process_time() - busy))
    return min(times)


def _curves(model: ReducedTransformer, members: Sequence[Member], budget: float) -> None:
    """Accuracy over K, of one start after another."""
    for member in members:
        solved(model, member, DIVERSITIES, budget, DRAWS_OF_A_FORECAST, {})


def speed(store: Path, lengths: Sequence[int] = LENGTHS, repeats: int = 3) -> str:
    trainings = [CouplingTraining(k, 0, dimension=31, width=128, learning_rate=0.05) for k in (128, 512, 2048)]
    coupling = measured_coupling(trainings, train_couplings(trainings, RunStore(store)))
    lines = [
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start. Seconds of wall clock (processor time).",
        "",
        "| N | curve, one start | curve, six starts | K* by `iclrace.predict` |",
        "|---|---|---|---|",
    ]
    for i, n in enumerate(lengths):
        model, budget = ReducedTransformer(n, 31, width=128, terms=CORE), 10.0 * n
        member = Member(coupling, 0, 0.0, 0.0)
        starts = members_of(model, [coupling], STARTS)
        if i == 0:
            _curves(model, [member], budget)  # compiles
        times = [
            timed(partial(_curves, model, [member], budget), repeats),
            timed(partial(_curves, model, starts, budget)),
        ]
        if i == 0:
            forecast = partial(iclrace.predict, n, 31, budget=budget, store=store, progress=False)
            forecast()  # trains the perceptrons that it needs
            times.append(timed(forecast))
        cells = [f"{wall:.2f} ({busy:.2f})" for wall, busy in times]
        lines.append(f"| {n} | " + " | ".join(cells + ["–"] * (3 - len(cells))) + " |")
    return "\n".join([*lines, "", f"Goals: {CURVE_GOAL:g} s for a curve of one start, {THRESHOLD_GOAL:g} s for K*."])


def draws(numbers: Sequence[int] = DRAWS, samples: int = SAMPLES, **sizes: int) -> str:
    sizes = {"context_length": 99, "dimension": 63, "width": 512, **sizes}
    d, width = sizes["dimension"] + 2, sizes["width"]
    scale = math.sqrt(SCORE_STD / math.sqrt(d / 18))
    model = ReducedTransformer(**sizes, attention_scale=scale, terms=replace(CORE, self_attention=False))
    coupling = MeasuredCoupling([_initial(d, width)])
    times = {
        number: [
            solve_reduced(model, coupling, budget=1e5, draws=number, seed=seed, stop_acquired=True).time_acquired.item()
            for seed in range(samples)
        ]
        for number in numbers
    }
    logarithms = {number: np.log(solved) for number, solved in times.items()}
    last = logarithms[numbers[-1]].mean()
    lines = [
        f"t_ICL at K → ∞, N = {sizes['context_length']}, D = {sizes['dimension']}, width {width}, W_Q and W_K times",
        f"{scale:.3f}: σ_s = {SCORE_STD}. {samples} samples of contexts; each draw stands beside its mirror image.",
        "",
        "| draws | t_ICL, geometric mean | sd of ln t_ICL over samples | mean over that of the most draws |",
        "|---|---|---|---|",
    ]
    for number, values in logarithms.items():
        cells = [f"{math.exp(values.mean()):.0f}", f"{values.std(ddof=1):.3f}", f"{math.exp(values.mean() - last):.3f}"]
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _initial(size: int, width: int) -> CouplingRun:
    """The couplings of an untrained perceptron from closed forms; memory takes no part at K → ∞."""
    two = lambda value: np.full(2, value)  # noqa: E731
    slope = initial_slope_square()
    return CouplingRun(
        2.0, np.array([0.0, 1.0]), two(0.5), np.zeros((2, 1)), two(initial_kernel(size, width)), two(slope), two(1e-9),
        two(1e-9), two(slope), two(1e-9),
    )  # fmt: skip


def write_section(name: str, text: str, path: Path) -> None:
    """Put ``text`` between the marks that the file has for it."""
    start, end = (mark.format(name) for mark in SECTION)
    before, rest = path.read_text(encoding="utf-8").split(start)
    after = rest.split(end)[1]
    path.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=["speed", "draws"], help="both by default")
    parser.add_argument("--store", type=Path, default=Path("results/runs"))
    parser.add_argument("--write", type=Path, help="Markdown file with marked places for the tables")
    options = parser.parse_args()
    for name in options.part or ["speed", "draws"]:
        text = speed(options.store) if name == "speed" else draws()
        print(text, flush=True)
        if options.write:
            write_section(name, text, options.write)


if __name__ == "__main__":
    main()
