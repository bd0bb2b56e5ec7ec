"""The figure of K* without a sigmoid, on networks whose outcomes are chosen."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from iclrace.figures import FIGURES, MissingResults
from iclrace.theory import Estimate, Task
from iclrace.validate import Run, place

from .conftest import line, points

K = (100, 200, 400, 800, 1600)


def test_peaks_stand_beside_the_midpoints_and_are_told(folder):
    """At N = 15 half of the seeds acquire at K = 400 and each is alike elsewhere; at N = 31 K changes nothing."""
    for n in (15, 31):
        runs = [Run("transformer", Task(n, k, 31), seed, budget=10.0) for k in K for seed in range(8)]

        def ends(run, time, n=n):
            k = run.task.task_diversity
            acquired = run.seed % 2 if n == 31 or k == 400 else k > 400
            icl = np.where(time > 5, 0.95 if acquired else 0.52 + 0.001 * run.seed, 0.5)
            others = dict.fromkeys(("iwl_accuracy", "circuit_accuracy", "clock"), np.ones(time.size))
            return others | {"icl_accuracy": icl}

        folder.networks("coupling_lengths", f"n{n}", runs, ["task_diversity", "seed"], ends)
        folder.claim("coupling_lengths", "K*", 300.0, Estimate(390.0, 200.0, 800.0), "transformer", data=(f"n{n}",),
                     at=place(runs[0], task_diversity=None))  # fmt: skip
    made = FIGURES["susceptibility"].picture(folder.results())
    assert "400 at N = 15," in made.caption and "at N = 31 (no peak: p = " in made.caption
    assert "no two can be told to" in made.caption
    variances, cumulants, thresholds = made.draw().axes
    k, variance = line(variances, "$N$ = 15")
    half = np.array([0.95 if seed % 2 else 0.52 + 0.001 * seed for seed in range(8)])
    assert k.tolist() == list(K) and variance[2] == pytest.approx(np.var(half, ddof=1))
    m = 2 * half - 1
    assert points(cumulants, "$N$ = 15")[0][2] == pytest.approx(1 - np.mean(m**4) / (3 * np.mean(m**2) ** 2))
    values, intervals = points(thresholds, "largest variance")
    assert values[0] == 400 and intervals[0] == pytest.approx((200, 800))
    assert intervals[1] == pytest.approx((values[1], values[1]))  # nothing is claimed, and no bar drawn
    assert points(thresholds, "sigmoid $K^*$")[0].tolist() == [390, 390]
    plt.close("all")


def test_what_is_missing_is_named(folder):
    with pytest.raises(MissingResults, match="coupling_lengths"):
        FIGURES["susceptibility"].picture(folder.results())
