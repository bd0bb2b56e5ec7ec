"""Which part of the coupled equations makes K* follow N too weakly? Measured quantities are put in one at a time.

    python -m benchmarks.lengths [--store DIRECTORY] [--write benchmarks/RESULTS.md]      # 3 minutes

K* of the core terms with scrambled clocks, over that of stored networks (``results/reference/coupling``), N = 7 to 63,
and t_ICL at K → ∞ over the measured one. Nothing is fitted to K*. A measured t_ICL(K → ∞) is put in by running the
memory x = t_ICL(equations)/t_ICL(networks) times slower beside everything else, and the budget x times longer. One
calibration seed, three starts, 300 contexts: K* differs by up to 15 % from the stored predictions, of three seeds and
more draws.

Then k and β of networks that only memorise (scrambled labels, N = 15, K = 512, ``results/reference/controls``) beside
the perceptron alone and the equations, at the same reading of the memory's clock.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.predict import write_section
from iclrace.simulate.reduced_transformer import reduced_course, solve_reduced, tabulated
from iclrace.theory import Estimate
from iclrace.theory.reduced_transformer import CORE, MeasuredCoupling, ReducedTransformer, Terms
from iclrace.validate import RunStore
from iclrace.validate.claim import Claim
from iclrace.validate.experiments.reduced_methods import relative_speed
from iclrace.validate.predict.reduced import _clock_scale, crossing, members_of
from iclrace.validate.presets.coupling import LENGTHS
from iclrace.validate.summary import read_summary
from iclrace.validate.training.coupling import CouplingCurves, measured_coupling, train_couplings

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
NUMBERS, STARTS, DRAWS, POINTS = (7, 15, 31, 63), 3, 300, 12
FINER = ("score_growth", "residual", "cancellation", "context_offset", "aligned_readout", "gain_spread")


class Lengths:
    """The stored networks of every N, and the equations' inputs for them."""

    def __init__(self, store: Path) -> None:
        claims = read_summary(REFERENCE / "coupling").claims
        self.star = _measured(claims, "coupling_lengths", "K*")
        self.time = _measured(claims, "coupling_acquisition", "t_ICL")
        self.coupling, self.speed, self.budget = {}, {}, {}
        for n in NUMBERS:
            scan = LENGTHS[f"n{n}"]
            trainings = [training for training in scan.coupling if training.seed == scan.coupling[0].seed]
            curves = CouplingCurves(trainings, train_couplings(trainings, RunStore(store), progress=False))
            self.coupling[n] = measured_coupling(trainings, curves.curves)
            with xr.open_dataset(REFERENCE / "coupling" / f"coupling_lengths_scrambled_n{n}.nc") as scrambled:
                self.speed[n] = relative_speed(curves, scrambled.load())
            self.budget[n] = scan.run.budget

    def endless(self, n: int, terms: Terms) -> float:
        """t_ICL at K → ∞, its geometric mean over the starts; the budget where it is not reached."""
        model, most = ReducedTransformer(n, 31, terms=terms), 30.0 * n + 100.0
        times = [
            solve_reduced(model, self.coupling[n], budget=most, draws=DRAWS, seed=member.seed, w0=member.w0,
                          beta0=member.beta0, stop_acquired=True).time_acquired.item()
            for member in members_of(model, [self.coupling[n]], STARTS)
        ]  # fmt: skip
        return math.exp(np.mean(np.log(np.minimum(times, most))))

    def threshold(self, n: int, terms: Terms, slower: float = 1.0) -> float:
        """K* where the memory is ``slower`` times slower beside the rest."""
        model, grid = ReducedTransformer(n, 31, terms=terms), self.star[n] * np.geomspace(1 / 8, 6, POINTS)
        accuracies = [
            [
                solve_reduced(
                    replace(model, clock_scale=_clock_scale(self.speed[n], k) / slower), self.coupling[n],
                    budget=self.budget[n] * slower, task_diversity=k, draws=DRAWS, seed=member.seed, w0=member.w0,
                    beta0=member.beta0, stop_acquired=True,
                ).icl_accuracy.item()
                for k in grid
            ]
            for member in members_of(model, [self.coupling[n]], STARTS)
        ]  # fmt: skip
        return crossing(grid, np.mean(accuracies, axis=0))


def _measured(claims: Iterable[Claim], experiment: str, quantity: str) -> dict[int, float]:
    """By N, what networks of that experiment showed."""
    return {
        int(claim.at["context_length"]): claim.measured.value
        for claim in claims
        if (claim.experiment, claim.quantity) == (experiment, quantity) and isinstance(claim.measured, Estimate)
    }


def _row(label: str, values: list[float], known: dict[int, float]) -> str:
    slope = np.polyfit(np.log(NUMBERS), np.log(values), 1)[0]
    cells = [f"{value / known[n]:.2f}" for n, value in zip(NUMBERS, values, strict=True)]
    return f"| {label} | " + " | ".join(cells) + f" | {slope:.2f} |"


def tables(lengths: Lengths) -> str:
    ratio = {n: lengths.endless(n, CORE) / lengths.time[n] for n in NUMBERS}
    recruits = replace(CORE, self_attention=False)
    cases = [
        ("core terms", CORE, False),
        ("t_ICL(K → ∞) as measured", CORE, True),
        ("without recruited self-attention", recruits, False),
        ("without it, t_ICL(K → ∞) as measured", recruits, True),
        ("k and G² held", replace(CORE, shared_gain=False), False),
    ]
    head = " | " + " | ".join(f"N = {n}" for n in NUMBERS) + " | exponent in N |\n|---|---|---|---|---|---|"
    lines = [f"| K\\* over measured{head}"]
    for label, terms, measured in cases:
        thresholds = [lengths.threshold(n, terms, ratio[n] if measured else 1.0) for n in NUMBERS]
        lines.append(_row(label, thresholds, lengths.star))
        print(lines[-1], flush=True)
    lines += [
        _row("measured", [lengths.star[n] for n in NUMBERS], lengths.star),
        "",
        f"| t_ICL(K → ∞) over measured{head}",
    ]
    for label, terms in [("core terms", CORE), *((f"and {name}", replace(CORE, **{name: True})) for name in FINER)]:
        lines.append(_row(label, [lengths.endless(n, terms) for n in NUMBERS], lengths.time))
        print(lines[-1], flush=True)
    return "\n".join([*lines, _row("measured", [lengths.time[n] for n in NUMBERS], lengths.time)])


def memory_only(coupling: MeasuredCoupling) -> str:
    """k, β and the target's attention of scrambled networks, the perceptron's k, and what the equations say."""
    with xr.open_dataset(REFERENCE / "controls" / "controls_ladder_scrambled.nc") as stored:
        runs = stored.load().squeeze()
    mean = lambda name: runs[name].mean("seed").values  # noqa: E731
    model = ReducedTransformer(15, 31, 512.0, terms=CORE)
    total, table = tabulated(model, coupling)
    course = reduced_course(
        model, coupling, budget=float(runs.time[-1]), draws=DRAWS, scrambled=True, beta0=mean("order_beta")[0]
    )
    lines = ["| t | J | c1 | k | k alone at J | β | β of the equations |", "|---|---|---|---|---|---|---|"]
    for i in np.flatnonzero(np.isfinite(mean("order_gain")))[::3]:
        reading, at = mean("clock")[i], float(runs.time[i])
        alone = np.interp(reading / total, np.linspace(0, 1, len(table)), table[:, 0])
        cells = [f"{at:.0f}", f"{reading:.1f}", f"{mean('c1')[i]:.3f}", f"{mean('order_gain')[i]:.2f}", f"{alone:.2f}",
                 f"{mean('order_beta')[i]:.2f}", f"{np.interp(at, course.time, course.beta):.2f}"]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("results/runs"))
    parser.add_argument("--write", type=Path, help="Markdown file with a marked place for the tables")
    options = parser.parse_args()
    lengths = Lengths(options.store)
    text = tables(lengths) + "\n\n" + memory_only(lengths.coupling[15])
    print(text)
    if options.write:
        write_section("lengths", text, options.write)


if __name__ == "__main__":
    main()
