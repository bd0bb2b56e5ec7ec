"""Experiments on the minimal model: at the size of an hour and a half on two cores, and at the paper's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..experiments import (
    AcquisitionSpread,
    AcquisitionTime,
    ContextLabels,
    CoupledEquations,
    EachSeed,
    MemoryAlone,
    MemoryLaw,
    Outcomes,
    RepeatedItems,
    Scan,
    ThresholdScan,
)
from ..protocol import Experiment
from ..training.config import Run
from ..training.memory import MemoryTraining
from .base import MINIMAL, memories

#: What was known, tried or changed before and after results were seen; stands in every report.
NOTE = """
What decides a result was fixed, and committed, before the first of these networks was trained: scans, seeds, budgets
and bars. Scans are centred by the theory, from perceptrons alone. Three choices come from results at other seeds: the
prediction with repeated items (see threshold_scaling), the number of seeds, which follows from the spread seen in
the laptop preset, and the rate ratios of the narrow networks, which make their clocks equal to that of width 512 on two
perceptrons each (seeds 2000 and 2001, K = 128 and 256).

Changed after a first pass had been seen: it left most K* undecided with four to six networks at each K, so there are
twelve now at N = 12, 25 and 50 and six at N = 100, and twice the perceptrons alone; scans and bars stayed.
kinetics_half_rate was added because K* failed at rate ratio 2: it asks whether the step, not the theory, is to
blame. Eight of 396 runs at K → ∞ had ended at the network's accuracy, an evaluation before the circuit's, and so
counted as never acquired; a run now ends when both are reached, and these eight were trained again. K* from the memory
alone had read the clock of a perceptron trained for longer than the networks at its own end; it is read at their budget
now, as its equation says: predictions rose by up to 3 %, at α = 1 by 18 %, and no verdict changed its kind. The
equations with repeated items had left out that the other items lean against the target's label; with that corrected
(derivation, repeated items) their K* came from 1.5, 1.36, 1.14 and 1.15 times too small at N = 12, 25, 50 and 100 to
1.25, 1.19, 1.06 and 1.08.

Where twelve networks at each K had left a verdict undecided, K* was trained anew, at seeds from 400 and with more
perceptrons alone, on a finer scan about the predictions and the first results; budgets and bars stayed. With two copies
it took three passes: 158 [147, 180] with 12 networks at each K, 154 [148, 180] with 32 (seeds 400 to 431), and 48 at
seeds from 500 now. N = 12 (75 [66, 80]) has 48, the slope in the parameters (0.065 [0.018, 0.101]) 40 at every width,
and unequal frequencies 128 at α = 1 (329 [270, 400]; the equations' 155 lies within the scan). At α = 1/2 it was 138
[133, 160] with 12 and 135 [116, 137] with 128, where the ends of the interval are two neighbours in the scan; 96 at
seeds from 500 have a scan of steps of a twentieth now.
"""

# Not among the seeds of the laptop preset, nor of trials.
_SEED, _CALIBRATION_SEED = 300, 3000
#: From here on the networks that were trained anew, more of them, where the first had decided nothing.
_FRESH_SEED, _FRESHER_SEED = 400, 500
_RUN = MINIMAL.with_(seed=_SEED)

# t_ICL/N is about 8.7, 2.8 and 1.0 for β0 = −1, 0 and 1 (theory): budgets of twice that, and a hundred evaluations.
_PER_CONTEXT = {-1.0: 18.0, 0.0: 6.0, 1.0: 2.5}


def acquisition_times(
    lengths: Sequence[int], seeds: int, run: Run, copies: int = 1, name: str = "acquisition_time"
) -> AcquisitionTime:
    """t_ICL over N and β0 at K → ∞, and its exponent in N for every β0."""
    settings = {
        f"n{n}_beta{beta0:+g}": run.with_(
            context_length=n,
            task_diversity=math.inf,
            copies=copies,
            beta0=beta0,
            budget=n * factor,
            evaluate_every=n * factor / 100,
        )
        for beta0, factor in _PER_CONTEXT.items()
        for n in lengths
    }
    exponents = {f"β0 = {beta0:g}": [f"n{n}_beta{beta0:+g}" for n in lengths] for beta0 in _PER_CONTEXT}
    return AcquisitionTime(settings, seeds, bar=1.03, exponents=exponents, exponent_bar=0.03, name=name)


#: The predictions of every K*, the simplest first.
METHODS = (MemoryAlone(), CoupledEquations(), RepeatedItems())


def scan(run: Run, memory: Mapping[int, int], task_diversity: Sequence[float], seeds: int) -> Scan:
    """One scan of K, and the perceptrons alone (K: seeds) of the same dimension and width that predict it."""
    return Scan(run, task_diversity, seeds, {"raw": perceptrons(run, memory)})


def perceptrons(run: Run, memory: Mapping[int, int]) -> list[MemoryTraining]:
    return memories(
        memory,
        _CALIBRATION_SEED,
        dimension=int(run.task.dimension),
        width=run.width,
        layers=run.layers,
        learning_rate=run.learning_rate,
    )


def budgets(scan: Scan, times: Sequence[float], name: str = "budget") -> ThresholdScan:
    """K* as a function of when training stops, from networks trained once (docs/derivation.md)."""
    scans = {f"t{time:g}": replace(scan, budget=time) for time in times}
    return ThresholdScan(scans, (EachSeed(), RepeatedItems()), bar=1.15, shared="networks", name=name)


def _at(n: int, **changes) -> Run:
    """N pairs, trained until about four times I* (theory: 18, 36, 71, 140 for N = 12, 25, 50, 100)."""
    return _RUN.with_(context_length=n, budget=6.0 * n, evaluate_every=0.09 * n, **changes)


_SCANS = {
    12: scan(_at(12, seed=_FRESH_SEED), {40: 60, 90: 60}, [44, 50, 56, 62, 68, 76, 84, 92, 110], seeds=48),
    25: scan(_at(25), {112: 20, 200: 16}, [84, 100, 116, 132, 148, 166, 190, 220, 320], seeds=12),
    50: scan(_at(50), {300: 12, 480: 12}, [240, 280, 320, 360, 400, 440, 490, 560, 800], seeds=12),
    100: scan(_at(100), {800: 8, 1200: 6}, [680, 800, 900, 1000, 1120, 1260, 1500], seeds=6),
}
_ACROSS = {40: 20, 90: 20, 112: 20, 200: 16, 300: 12, 480: 12}

_CONTEXT = ThresholdScan(
    {f"n{n}": scan for n, scan in _SCANS.items()}, METHODS, bar=1.15, variable="context_length", slope_bar=0.15,
    exponent="raw",
)  # fmt: skip
_FAST = [230, 280, 330, 380, 430, 490, 560]
_AT_ANY_RATE = {"raw": perceptrons(_RUN, _ACROSS)}
_RATES = ThresholdScan(
    {
        "slow": scan(_at(25, rate_ratio=0.5), _ACROSS, [26, 32, 40, 48, 58, 70, 84, 100], seeds=12),
        "even": replace(_SCANS[25], memory=_AT_ANY_RATE),
        "fast": scan(_at(25, rate_ratio=2.0), _ACROSS, _FAST, seeds=12),
    },
    METHODS, bar=1.15, variable="rate_ratio", slope_bar=0.2, exponent="raw",
    rivals={"capacity: the same parameters hold as much at any rate": 0.0}, name="kinetics",
)  # fmt: skip
# The memory's step is then that of the perceptrons alone, 0.3; at rate ratio 2 above it is 0.6.
_HALF_RATE = ThresholdScan(
    {"fast": Scan(_at(25, rate_ratio=2.0, learning_rate=0.15), _FAST, 12, _AT_ANY_RATE)}, METHODS, bar=1.15,
    name="kinetics_half_rate",
)  # fmt: skip


def _width(width: int, rate_ratio: float) -> Scan:
    return scan(
        _at(25, seed=_FRESH_SEED, width=width, rate_ratio=rate_ratio), {112: 32, 200: 32},
        [116, 132, 148, 166, 190, 220, 260], seeds=40,
    )  # fmt: skip


_CAPACITY = ThresholdScan(
    {"w128": _width(128, 1.3), "w256": _width(256, 1.15), "w512": _width(512, 1.0)}, METHODS, bar=1.15,
    variable="parameters", slope_bar=0.1, name="capacity",
    rivals={"capacity: K* in proportion to the parameters": 1.0, "capacity: K* in proportion to the width": 0.5},
)  # fmt: skip

# At K → ∞ the perceptron has nothing to learn: a narrow one is as good, and η = 0.1 is nearer to the gradient flow.
_ENDLESS = _RUN.with_(width=128, learning_rate=0.1, test_size=2000)
_SMALL = _RUN.with_(width=128, context_length=24, budget=250.0, evaluate_every=3.0, stop_memorised=0.004)
_UNSTOPPED = _SMALL.with_(budget=400.0, evaluate_every=6.0, stop_acquired=False, stop_memorised=0.0)


def _skewed(exponent: float, task_diversity: Sequence[float], first_seed: int, seeds: int) -> Scan:
    """Items drawn with frequencies p_k ∝ k^(−α), by the networks and by the perceptrons alone."""
    run = _at(25, seed=first_seed, width=128, frequency_exponent=exponent)
    plain = scan(run, {48: 40, 112: 40, 200: 40}, task_diversity, seeds)
    memory = [replace(training, frequency_exponent=exponent) for training in plain.memory["raw"]]
    return replace(plain, memory={"raw": memory})


WORKSTATION: tuple[Experiment, ...] = (
    MemoryLaw(perceptrons(_RUN, _ACROSS | {800: 8, 1200: 6}), bar=1.15),
    _CONTEXT,
    acquisition_times([25, 50, 100, 200], 8, _ENDLESS),
    _RATES,
    _HALF_RATE,
    _CAPACITY,
    Outcomes(_UNSTOPPED.with_(beta0=None), near=[112], far=[2560], seeds=60, far_seeds=60),
    ContextLabels(
        _SMALL,
        seeds=40,
        bar=0.25,
        task_diversity=[48, 112, 256, 640, math.inf],
        memory=perceptrons(_SMALL, {48: 4, 112: 8, 256: 4, 640: 2}),
        pooled_bar=0.15,
    ),
    budgets(_SCANS[50], [160.0, 180.0, 220.0, 300.0]),
    AcquisitionSpread(
        _ENDLESS.with_(width=64, learning_rate=0.3, budget=600.0, evaluate_every=3.0, test_size=1000, seed=4000),
        seeds=300,
        bar=1.25,
        distance_bar=0.15,
    ),
    AcquisitionTime(
        {
            f"m{m}": _ENDLESS.with_(
                context_length=48, task_diversity=math.inf, copies=m, budget=288.0 / m, evaluate_every=1.8 / m
            )
            for m in (1, 2, 4)
        },
        seeds=8,
        bar=1.03,
        name="burstiness",
    ),
    ThresholdScan(
        {
            "m2": scan(
                _at(50, seed=_FRESHER_SEED, copies=2), {90: 32, 112: 32, 200: 32}, [110, 124, 140, 156, 172, 190, 220],
                seeds=48,
            )
        },
        METHODS, bar=1.15, name="threshold_burstiness",
    ),
    ThresholdScan(
        {
            "skew0.5": _skewed(0.5, [98, 110, 116, 122, 128, 134, 140, 148, 160], _FRESHER_SEED, 96),
            "skew1": _skewed(1.0, [48, 120, 160, 200, 240, 290, 350, 420, 500, 700], _FRESH_SEED, 128),
        },
        METHODS, bar=1.15, name="threshold_skew",
    ),
)  # fmt: skip

_TOY = MINIMAL.with_(
    seed=_SEED, context_length=12, dimension=15, width=64, batch_size=64, budget=60.0, evaluate_every=6.0, test_size=200
)  # fmt: skip
_TOY_SCAN = scan(_TOY, {16: 2, 32: 2, 64: 1}, [16, 64, 256], seeds=2)

#: Every experiment above at toy size, for tests; its verdicts mean nothing.
SMOKE: tuple[Experiment, ...] = (
    ThresholdScan(
        {"slow": scan(_TOY.with_(rate_ratio=0.5), {16: 2, 32: 2, 64: 1}, [16, 64, 256], seeds=2), "even": _TOY_SCAN},
        METHODS, bar=1.15, variable="rate_ratio", slope_bar=0.2, exponent="raw", rivals={"capacity": 0.0},
        name="toy_kinetics",
    ),
    budgets(_TOY_SCAN, [40.0, 60.0], name="toy_budget"),
    Outcomes(_TOY.with_(beta0=None), near=[32], far=[256], seeds=6, far_seeds=6, name="toy_bimodality"),
    ContextLabels(
        _TOY.with_(budget=30.0), seeds=4, bar=0.25, task_diversity=[32, math.inf],
        memory=perceptrons(_TOY, {16: 2, 32: 2, 64: 1}), name="toy_context_labels",
    ),
    AcquisitionSpread(_TOY, seeds=8, bar=1.25, distance_bar=0.15, name="toy_acquisition_spread"),
    AcquisitionTime(
        {f"n{n}": _TOY.with_(context_length=n, task_diversity=math.inf) for n in (8, 12, 16)},
        seeds=2, bar=1.05, exponents={"β0 = 0": ["n8", "n12", "n16"]}, name="toy_acquisition_exponent",
    ),
)  # fmt: skip
