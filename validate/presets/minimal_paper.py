"""Experiments on the minimal model at the paper's own sizes: D = 63, width 512, batches of 128, learning rate 0.01.

The target takes part in the softmax, with label 0, as in the paper's minimal model. Times are gradient-flow times: an
epoch of 469 steps is 4.69. Scans of K are centred by the theory at the smaller size: K* ≈ 1,100 (N/100)^1.43.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ...theory import Task
from ..experiments import (
    AcquisitionSpread,
    AcquisitionTime,
    ContextLabels,
    MemoryLaw,
    Outcomes,
    Scan,
    ThresholdScan,
)
from ..protocol import Experiment
from ..training.config import Run
from ..training.memory import MemoryTraining
from .base import memories
from .minimal import METHODS, budgets

_EPOCH = 4.69
_SEED, _CALIBRATION_SEED = 5000, 6000
_RUN = Run(
    "minimal",
    Task.from_len_context(100, dimension=63, target_in_softmax=True),
    seed=_SEED,
    width=512,
    learning_rate=0.01,
    batch_size=128,
    budget=1000 * _EPOCH,
    evaluate_every=5.0,
    test_size=2000,
)
_ENDLESS = _RUN.with_(task_diversity=math.inf, budget=2000 * _EPOCH, evaluate_every=2.0, stop_acquired=True)
_LENGTHS = (50, 100, 150, 200, 250)
_ALONE = {"learning_rate": 0.01, "budget": 20_000 * _EPOCH, "until": 0.002}
_MEMORY = memories({250: 5, 500: 5, 1000: 5, 2000: 5, 4000: 5, 8000: 3}, _CALIBRATION_SEED, **_ALONE)
_LAW = memories(dict.fromkeys((500, 1000, 2000, 5000, 10000, 20000, 50000, 100000), 3), _CALIBRATION_SEED, **_ALONE)


def around(centre: float, points: int = 12) -> list[float]:
    """Even K from half of ``centre`` to 2.5 times it."""
    return [float(2 * round(centre * 0.5 * 5 ** (i / (points - 1)) / 2)) for i in range(points)]


def _scan(
    length: int, centre: float, memory: Sequence[MemoryTraining] = _MEMORY, extra: Sequence[float] = (), **changes
) -> Scan:
    run = _RUN.with_(context_length=length - 1, **changes)
    return Scan(run, sorted({*around(centre), *extra}), 10, {"raw": memory})


def _centre(length: float) -> float:
    return 1100 * (length / 100) ** 1.43


#: Figures 2 and 3 go on to K = 1e5.
_WIDE = (500.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0)
_SCANS = {n: _scan(n, _centre(n), extra=_WIDE if n == 100 else ()) for n in _LENGTHS}
_RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
_WIDTHS = {width: _scan(
    100, _centre(100), memory=memories({500: 5, 1000: 5, 2000: 5}, _CALIBRATION_SEED, width=width, **_ALONE),
    width=width, rate_ratio=ratio,
) for width, ratio in ((128, 1.3), (256, 1.15), (512, 1.0), (1024, 0.87))}  # fmt: skip

PAPER: tuple[Experiment, ...] = (
    MemoryLaw(_LAW, bar=1.15),
    ThresholdScan(
        {f"n{n}": scan for n, scan in _SCANS.items()}, METHODS, bar=1.15, variable="context_length", slope_bar=0.15,
        exponent="raw",
    ),
    AcquisitionTime(
        {
            f"n{n}_beta{beta0:+g}": _ENDLESS.with_(context_length=n - 1, beta0=beta0)
            for beta0 in (-1.0, 0.0, 1.0)
            for n in _LENGTHS
        },
        seeds=20,
        bar=1.03,
        exponents={f"β0 = {beta0:g}": [f"n{n}_beta{beta0:+g}" for n in _LENGTHS] for beta0 in (-1.0, 0.0, 1.0)},
    ),
    *(
        AcquisitionSpread(
            _ENDLESS.with_(context_length=n - 1), seeds=100, bar=1.25, distance_bar=0.2, name=f"acquisition_spread_n{n}"
        )
        for n in _LENGTHS
    ),
    ThresholdScan(
        {f"r{ratio:g}": _scan(100, _centre(100) * ratio**1.43, rate_ratio=ratio) for ratio in _RATES},
        METHODS, bar=1.15, variable="rate_ratio", slope_bar=0.2, exponent="raw",
        rivals={"capacity: the same parameters hold as much at any rate": 0.0}, name="kinetics",
    ),
    ThresholdScan(
        {f"w{width}": scan for width, scan in _WIDTHS.items()}, METHODS, bar=1.15, variable="parameters", slope_bar=0.1,
        rivals={"capacity: K* in proportion to the parameters": 1.0, "capacity: K* in proportion to the width": 0.5},
        name="capacity",
    ),
    Outcomes(_RUN.with_(beta0=None), near=[1100], far=[50_000], seeds=100, far_seeds=100),
    ContextLabels(
        _RUN.with_(context_length=100),
        seeds=100,
        bar=0.25,
        task_diversity=[500, 1000, 5000, 10_000, 20_000, 50_000, math.inf],
        memory=_MEMORY,
    ),
    budgets(_SCANS[100], [250 * _EPOCH, 500 * _EPOCH, 1000 * _EPOCH]),
    AcquisitionTime({f"m{m}": _ENDLESS.with_(copies=m) for m in (1, 2, 4, 8)}, seeds=20, bar=1.03, name="burstiness"),
    ThresholdScan(
        {
            f"skew{skew:g}": _scan(
                100,
                _centre(100),
                memory=[replace(training, frequency_exponent=skew) for training in _MEMORY],
                extra=(100.0, 200.0, 300.0, 400.0, 4_000.0, 6_000.0),
                frequency_exponent=skew,
            )
            for skew in (0.5, 1.0)
        },
        METHODS,
        bar=1.15,
        name="threshold_skew",
    ),
)  # fmt: skip
