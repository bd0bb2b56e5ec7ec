"""Three experiments in which the theory and its rivals disagree: a quarter of an hour on one core."""

from __future__ import annotations

import math
from typing import Any

from ...theory.reduced_transformer import CORE
from ..experiments import (
    AcquisitionTime,
    ClockOf,
    EndlessClock,
    FreshRace,
    FromOneCopy,
    ReducedEquations,
    ReducedTimes,
    Scan,
    Starvation,
    ThresholdScan,
)
from ..rivals import Crossing
from ..rivals.method import RivalMethod
from ..training.config import Run
from .base import MINIMAL, TRANSFORMER, Preset, couplings, memories

_FIRST_SEED, _FIRST_CALIBRATION_SEED = 9000, 9700
_NOTE = (
    "Settled before a network of these seeds was trained: shares, copies, budgets, scans and bars. In view were the "
    "results of the preset coupling: at N = 15 t_ICL = 79 at K → ∞, 47 at K = 2048, and K* = 440 at t = 125. The third "
    "experiment is where independent circuits and the crossing of two times disagree most: over the first seven of the "
    "sixteen conditions of that preset, those computed by then, their K* are 1.3 to 1.9 times apart at a budget of 1.1 "
    "t_ICL(K → ∞), within 1.1 at 5 t_ICL(K → ∞), "
    "and below t_ICL(K → ∞) independent circuits say that no K acquires ICL, where the crossing, which knows no "
    "budget, says what it always says, and circuits that share the perceptron that large but finite K do. To try the "
    "code, two networks of other seeds were trained at four points: t_ICL = 43 and 49 at (K, f) = (64, 0.6) and (256, "
    "0.3), where the reduced transformer had said 56 and 62, the race 114 and 182, and starvation 127 and 255; 77 for "
    "the minimal model at (64, 0.3), race 92; 74 and 17 at m = 2 and 8, reduced transformer 76 and 20; K* near 450 at "
    "t = 55 and 380 at 150, from three K, reduced transformer 540 and 490, crossing of two times 1020. Six networks at "
    "each share had left three of six times undecided; they were predicted and trained again with 48, at other seeds."
)
_RUN = TRANSFORMER.with_(
    seed=_FIRST_SEED, learning_rate=0.05, test_size=500, evaluate_every=2.5, stop_acquired=True, stop_memorised=0.0
)
_SEEDS = 6


def _shares(*diversities: int) -> dict[str, tuple[int, float]]:
    """(K, f), every K below K*."""
    return {f"k{k}_f{share:g}": (k, share) for k in diversities for share in (0.1, 0.3, 0.6)}


_SHARES = _shares(64, 256)


_AT: dict[str, Any] = {"first_seed": _FIRST_CALIBRATION_SEED, "dimension": 31, "width": 128, "learning_rate": 0.1}


def _mixed(run: Run, endless_time: float) -> dict[str, Run]:
    """Runs of twice the time that starvation predicts."""
    return {
        label: run.with_(
            task_diversity=k, fresh_share=share, budget=1.5 * endless_time / share,
            evaluate_every=endless_time / share / 60,
        )
        for label, (k, share) in _SHARES.items()
    }  # fmt: skip


_CALIBRATED = _RUN.with_(seed=_FIRST_SEED + 1000)
_AT_ENDLESS = _CALIBRATED.with_(task_diversity=math.inf, budget=250.0, evaluate_every=1.25)
_FRESH = AcquisitionTime(
    _mixed(_RUN.with_(seed=_FIRST_SEED + 100), 80.0), 48, 1.25,
    (
        Starvation(_AT_ENDLESS),
        FreshRace(
            _AT_ENDLESS, scrambled_seeds=4,
            scrambled=_CALIBRATED.with_(task_diversity=64, scrambled=True, stop_acquired=False, budget=200.0),
        ),
        ReducedTimes(
            {
                label: couplings((k,), 2, fresh_share=share, budget=1.5 * 80.0 / share, **_AT)
                for label, (k, share) in _SHARES.items()
            },
            members=6, terms={"reduced transformer": CORE}, spread=False,
        ),
    ),
    name="rivals_fresh",
)  # fmt: skip
_MINIMAL = MINIMAL.with_(
    seed=_FIRST_SEED + 200, context_length=25, width=128, stop_memorised=0.0, test_size=1000
)  # fmt: skip
_FRESH_MINIMAL = AcquisitionTime(
    {
        label: _MINIMAL.with_(task_diversity=k, fresh_share=share, budget=120.0 / share, evaluate_every=1.2 / share)
        for label, (k, share) in _shares(32, 64).items()
    },
    _SEEDS,
    1.15,
    (Starvation(), FreshRace(memory=memories({32: 3, 64: 3}, _FIRST_CALIBRATION_SEED, width=128, learning_rate=0.3))),
    name="rivals_fresh_minimal",
)
_COPIES = {
    f"m{m}": _RUN.with_(
        seed=_FIRST_SEED + 300, task_diversity=math.inf, context_length=32, copies=m, budget=600.0 / m,
        evaluate_every=2.5 / m,
    )
    for m in (1, 2, 4, 8)
}  # fmt: skip
_FIRST = couplings((64,), 3, **_AT)
_SEVERAL_COPIES = AcquisitionTime(
    _COPIES,
    _SEEDS,
    1.25,
    (ReducedTimes(dict.fromkeys(_COPIES, _FIRST)), FromOneCopy(_COPIES["m1"].with_(seed=_FIRST_SEED + 1300))),
    name="rivals_copies",
)
_LONGEST = 400.0
_SCANNED = [160, 240, 360, 540, 810, 1216, 1824, 2736]
_BASE = _RUN.with_(seed=_FIRST_SEED + 400, budget=_LONGEST, stop_memorised=0.01)
_HALF = EndlessClock(_SEEDS)
_BUDGETS = {
    f"t{budget:g}": Scan(
        _BASE, _SCANNED, _SEEDS,
        memory={"layer-normed": memories(
            {128: 2, 512: 2, 2048: 1}, _FIRST_CALIBRATION_SEED, layer_norm=True, budget=_LONGEST, dimension=31,
            width=128, learning_rate=0.1)},
        scrambled=(128, 512, 2048), coupling=couplings((64, 128, 256, 512, 1024, 2048), 3, **_AT), budget=budget,
    )
    for budget in (55.0, 65.0, 90.0, 150.0, _LONGEST)
}  # fmt: skip

RIVALS = Preset(
    name="rivals",
    description="a share of fresh items, copies and short budgets: where the theory and its rivals disagree",
    experiments=(
        _FRESH,
        _FRESH_MINIMAL,
        _SEVERAL_COPIES,
        ThresholdScan(
            _BUDGETS,
            (
                ReducedEquations("scrambled", 3, members=4),
                ReducedEquations(members=4),
                ClockOf("layer-normed", _HALF, 3),
                ClockOf("scrambled", _HALF, 3),
                RivalMethod(
                    Crossing("crossing of two times, before training"), {"scrambled": 3, "endless": _SEEDS}
                ),
            ),
            bar=1.25,
            shared="n15",
            name="rivals_budgets",
        ),
    ),
    note=_NOTE,
)  # fmt: skip
