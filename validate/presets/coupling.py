"""K* and t_ICL of the transformer under many conditions, predicted by the reduced transformer: an hour on two cores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..experiments import (
    AcquisitionTime,
    ClockOf,
    EndlessClock,
    ReducedEquations,
    ReducedTimes,
    Scan,
    ThresholdScan,
)
from ..training.config import Run
from ..training.coupling import CouplingTraining
from ..training.memory import MemoryTraining
from .base import TRANSFORMER, Preset, couplings, memories

_FIRST_SEED, _FIRST_CALIBRATION_SEED = 8000, 2500
_RUN = TRANSFORMER.with_(
    seed=_FIRST_SEED, learning_rate=0.05, test_size=500, evaluate_every=1.25, stop_acquired=True, stop_memorised=0.01
)
_SEEDS, _SCRAMBLED_SEEDS, _ENDLESS_SEEDS = 6, 2, 6
_NOTE = (
    "Sixteen conditions: one base, what changes one thing in it, and two that change two; conditions, scans, budgets, "
    "bars and terms were settled before a network of these seeds was trained. Scans are centred by the reduced "
    "transformer with one calibration seed. The core terms were chosen among sixteen sets by four K* known from trials "
    "with other seeds: 385, 310 and 670 at N = 15 with r = 1, 1/2 and 2, and 900 at N = 31. With scrambled clocks they "
    "gave 464, 308, 718 and 823, every term 346, 213, 594 and 432. So four of the sixteen are not new to the theory, "
    "twelve are. A third method, every term with scrambled clocks, was predicted too and is left out since: near "
    "K* it runs away, and a last digit decides. Networks are trained at twice the laptop's rate: t_ICL is 4 % longer. "
    "Six networks at each K left the four lengths undecided: K* 195 [154, 230], 382 [322, 540], 890 [658, 1,200] and "
    "2,190 [1,790, 2,690] at N = 7, 15, 31 and 63, predicted 288, 507, 967 and 1,580. So K* was predicted and trained "
    "again at other seeds, with 48, 48, 24 and 24 networks at each K, four times the perceptrons alone and finer "
    "scans; budgets, bars and terms stayed. The page of results shows these. N = 63 had been predicted, 1,690 [1,630, "
    "1,750], left out for want of time when N = 7 had been trained, and was taken up again when the other three were "
    "known: predicted with perceptrons of K = 4,096 as well, and trained with eight, twelve and at last 24 networks "
    "at each K, as time allowed. t_ICL at K → ∞ was predicted and trained again, too, at seeds of its own: twelve "
    "networks at N = 15 (73 [66, 81], 88 predicted) and six at N = 63 had decided nothing."
)


def _scan(
    budget: float, task_diversity: Sequence[int], scrambled: Sequence[int], *, alone: Mapping[str, Any] | None = None,
    further: Sequence[int] = (), **changes: Any,
) -> Scan:  # fmt: skip
    """A condition: what differs from the base and from its perceptrons alone, and further K of their couplings."""
    run = _RUN.with_(budget=budget, **changes)
    sizes = {"dimension": int(run.task.dimension), "width": run.width}
    rate = {"learning_rate": 0.1, **(alone or {})}
    alone_at = {scrambled[0]: 2, scrambled[2]: 2, 2 * scrambled[3]: 1}
    memory: dict[str, Sequence[MemoryTraining]] = {
        "layer-normed": memories(
            alone_at, _FIRST_CALIBRATION_SEED, layer_norm=True, budget=budget * run.rate_ratio,
            input_scale=run.residual_scale, **sizes, **rate,
        )
    }  # fmt: skip
    plain = not alone and sizes == {"dimension": 31, "width": 128}
    diversities = (64, 128, 256, 512, 1024, 2048) if plain else (64, 128, 256, 512, 1024)
    coupling = couplings(
        (*diversities, *further),
        3 if plain else 2,
        _FIRST_CALIBRATION_SEED,
        residual_scale=run.residual_scale,
        **sizes,
        **rate,
    )
    return Scan(run, task_diversity, _SEEDS, memory, scrambled, coupling)


_WIDE = [106, 160, 240, 360, 540, 810, 1216]
_BASE = _scan(125.0, _WIDE, [128, 256, 512, 1024])
LENGTHS = {
    "n7": _scan(60.0, [46, 68, 102, 154, 230, 346, 518], [64, 128, 256, 512], context_length=7),
    "n15": _BASE,
    "n31": _scan(
        300.0, [236, 354, 532, 798, 1196, 1794], [256, 512, 1024, 2048], context_length=31, evaluate_every=2.5
    ),
    "n63": _scan(
        700.0, [532, 798, 1196, 1794, 2692, 4038], [512, 1024, 2048, 4096], context_length=63, evaluate_every=5.0
    ),
}
RATES = {
    "r0.5": _scan(200.0, [72, 106, 160, 240, 360, 540, 810], [128, 256, 512, 1024], rate_ratio=0.5),
    "r1": _BASE,
    "r2": _scan(
        125.0, [160, 240, 360, 540, 810, 1216, 1824], [256, 512, 1024, 2048], rate_ratio=2.0, learning_rate=0.025
    ),
}
OTHERS = {
    "d15": _scan(125.0, _WIDE, [128, 256, 512, 1024], dimension=15),
    "d63": _scan(125.0, _WIDE, [128, 256, 512, 1024], dimension=63),
    "width64": _scan(125.0, _WIDE, [128, 256, 512, 1024], width=64),
    "width256": _scan(125.0, _WIDE, [128, 256, 512, 1024], width=256),
    "smoother": _scan(125.0, _WIDE, [128, 256, 512, 1024], attention_scale=0.5),
    "copies2": _scan(125.0, _WIDE, [128, 256, 512, 1024], context_length=16, copies=2),
    "residual0.5": _scan(125.0, _WIDE, [128, 256, 512, 1024], residual_scale=0.5, alone={"learning_rate": 0.1}),
    "residual2": _scan(
        125.0, _WIDE, [128, 256, 512, 1024], residual_scale=2.0, learning_rate=0.025, alone={"learning_rate": 0.025}
    ),
    "n31_r0.5": _scan(
        400.0, [158, 236, 354, 532, 798, 1196, 1794], [256, 512, 1024, 2048], context_length=31, rate_ratio=0.5,
        evaluate_every=2.5,
    ),
    "n7_r2": _scan(
        60.0, [68, 102, 154, 230, 346, 518, 778], [128, 256, 512, 1024], context_length=7, rate_ratio=2.0,
        learning_rate=0.025,
    ),
}  # fmt: skip
#: The scan at D = 63 ended below K*, which is measured here, on other seeds, with a scan that reaches further.
BEYOND = {
    "d63": _scan(
        125.0, [540, 810, 1216, 1824, 2736, 4104], [256, 512, 1024, 2048], further=(2048,), dimension=63, seed=8100
    ),
}
_HALF = EndlessClock(_ENDLESS_SEEDS)
#: The reduced transformer, with the clock of the equations and with that of scrambled networks; and independent
#: circuits, with the clock of perceptrons alone and of scrambled networks.
METHODS = (
    ReducedEquations("scrambled", _SCRAMBLED_SEEDS),
    ReducedEquations(),
    ClockOf("layer-normed", _HALF, _SCRAMBLED_SEEDS),
    ClockOf("scrambled", _HALF, _SCRAMBLED_SEEDS),
)
_ENDLESS: dict[str, Run] = {
    f"n{n}": _RUN.with_(
        seed=_FIRST_SEED + 600, task_diversity=math.inf, context_length=n, budget=budget, evaluate_every=budget / 200,
        stop_memorised=0.0,
    )
    for n, budget in ((7, 120.0), (15, 250.0), (31, 500.0), (63, 1200.0), (127, 3000.0))
}  # fmt: skip
_START = couplings((64,), 3, _FIRST_CALIBRATION_SEED, dimension=31, width=128, learning_rate=0.1)
#: Where six networks had decided nothing: many, at other seeds.
_MANY_SEED, _MANY_CALIBRATION_SEED = 20_000, 22_500
_SIZES: dict[str, Any] = {"dimension": 31, "width": 128, "learning_rate": 0.1}
_ALONE = couplings((64, 128, 256, 512, 1024, 2048), 12, _MANY_CALIBRATION_SEED, **_SIZES)
_FURTHER = couplings((4096,), 6, _MANY_CALIBRATION_SEED, **_SIZES)


def _many(scan: Scan, task_diversity: Sequence[int], seeds: int, coupling: Sequence[CouplingTraining] = _ALONE) -> Scan:
    run = scan.run.with_(seed=_MANY_SEED, evaluate_every=scan.run.budget / 25)
    return Scan(run, task_diversity, seeds, coupling=coupling)


_MANY = {
    "n7": _many(LENGTHS["n7"], [120, 138, 158, 182, 210, 242, 278, 320, 368], 48),
    "n15": _many(LENGTHS["n15"], [240, 276, 318, 366, 420, 484, 556, 640, 736], 48),
    "n31": _many(LENGTHS["n31"], [560, 656, 770, 902, 1056, 1236, 1448], 24),
    "n63": _many(LENGTHS["n63"], [1184, 1392, 1640, 1930, 2270, 2670, 3140], 24, [*_ALONE, *_FURTHER]),
}

COUPLING = Preset(
    name="coupling",
    description="the transformer's K* under sixteen conditions, predicted by the reduced transformer",
    experiments=(
        ThresholdScan(OTHERS, METHODS, bar=1.2, name="coupling_conditions"),
        ThresholdScan(RATES, METHODS, bar=1.2, variable="rate_ratio", slope_bar=0.2, name="coupling_rates"),
        ThresholdScan(LENGTHS, METHODS, bar=1.2, variable="context_length", slope_bar=0.2, name="coupling_lengths"),
        ThresholdScan(BEYOND, METHODS, bar=1.2, name="coupling_beyond"),
        AcquisitionTime(
            _ENDLESS,
            {"n7": 32, "n15": 96, "n31": 32, "n63": 32, "n127": 4},
            1.25,
            (ReducedTimes(dict.fromkeys(_ENDLESS, _START)),),
            name="coupling_acquisition",
        ),
        ThresholdScan(
            _MANY, METHODS[1:2], bar=1.2, variable="context_length", slope_bar=0.2, name="coupling_lengths_many"
        ),
    ),
    note=_NOTE,
)
