"""Does halving the learning rate leave t_ICL, in gradient-flow time, unchanged? At the presets' own settings.

    python -m benchmarks.learning_rate [--scale 1.0] [--out DIRECTORY]      # about 3 minutes on 2 cores

Networks with the same seed start alike at both rates and see other batches, so the ratio t_ICL(η)/t_ICL(η/2) is taken
seed by seed; its geometric mean has Student's 95 % interval over seeds. A rate passes if that mean is within 3 % of 1;
it is decided if the whole interval is. With ``--scale`` s the rates are s η and s η/2, with ``--batch-scale`` s batches
are s times as large: what moves t_ICL of the transformer is the noise of its batches, η over their size.
"""

from __future__ import annotations

import argparse
import math
import tempfile

import numpy as np

from iclrace.theory import Estimate
from iclrace.validate import Run, acquisition_times, geometric_mean, train
from iclrace.validate.presets.base import MINIMAL, TRANSFORMER

# (network, accuracy that is read, K, seeds). The finite K lies well above K*, where every network acquires.
CASES = [
    (MINIMAL, "circuit_accuracy", math.inf, 4),
    (MINIMAL, "circuit_accuracy", 1200, 4),
    (TRANSFORMER, "icl_accuracy", math.inf, 12),
    (TRANSFORMER, "icl_accuracy", 4096, 12),
]
#: Largest change of t_ICL that a rate may leave.
BAR = 0.03


def times(run: Run, accuracy: str, seeds: int, out: str) -> np.ndarray:
    """t_ICL of every seed; inf where the budget ended first."""
    runs = [run.with_(seed=seed, evaluate_every=1.0, stop_acquired=True, stop_memorised=0.0) for seed in range(seeds)]
    return acquisition_times(
        train(runs, out, description=f"{run.network}, rate {run.learning_rate:g}"), accuracy
    ).values


def row(run: Run, accuracy: str, k: float, seeds: int, scale: float, batch_scale: float, out: str) -> str:
    """One line of the table."""
    rate = scale * run.learning_rate
    now = run.with_(task_diversity=k, batch_size=round(batch_scale * run.batch_size))
    whole, half = (times(now.with_(learning_rate=eta), accuracy, seeds, out) for eta in (rate, rate / 2))
    both = np.isfinite(whole) & np.isfinite(half)
    label = f"| {run.network}, {'K → ∞' if math.isinf(k) else f'K = {k:g}'} | {rate:g} | {both.sum()} of {seeds} "
    if both.sum() < 2:
        return label + "| – | – | – | too few acquired at both rates |"
    ratio = geometric_mean(whole[both] / half[both])
    means = " | ".join(f"{geometric_mean(t[both]).value:.1f}" for t in (whole, half))
    return f"{label}| {means} | {ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}] | {verdict(ratio)} |"


def verdict(ratio: Estimate) -> str:
    """Whether the mean ratio is within the bar, and whether its interval leaves that open."""
    passes = abs(ratio.value - 1) <= BAR
    decided = abs(ratio.low - 1) <= BAR and abs(ratio.high - 1) <= BAR
    if not passes:
        return f"**more than {BAR:.0%}**"
    return f"within {BAR:.0%}" if decided else f"within {BAR:.0%}, the interval is not"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--batch-scale", type=float, default=1.0)
    parser.add_argument("--network", choices=("minimal", "transformer"))
    parser.add_argument("--out", help="keeps the runs, so that an interrupted call continues")
    given = parser.parse_args()
    print("| network | η | acquired at both | t_ICL at η | at η/2 | ratio | t_ICL |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for run, accuracy, k, seeds in CASES:
            if given.network in (None, run.network):
                print(row(run, accuracy, k, seeds, given.scale, given.batch_scale, given.out or temporary), flush=True)


if __name__ == "__main__":
    main()
