"""Questions put to the transformer, each as an experiment of the general classes: what the presets fill with sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..experiments import (
    AcquisitionTime,
    ClockOf,
    EndlessClock,
    FromPoint,
    LargeClock,
    OnePoint,
    RoughRatio,
    Scan,
    ThresholdScan,
)
from ..training.config import Run

_CAPACITY = {"capacity: the same parameters hold as much at any rate": 0.0}


def audit(
    scan: Scan, *, memory_seeds: int, endless_seeds: int, reference: float, large: float, frozen: bool = True
) -> ThresholdScan:
    """Are the transformer's two circuits independent? K* and I_K from a ladder of memories.

    Each rung is a memory that is closer to the network's own: the perceptron alone, the transformer with scrambled
    context labels and its attention held where it starts, the whole transformer with scrambled labels. What is left
    between the last rung and the measured K* is the coupling of the circuits. The perceptron's rung and the whole
    transformer's stand once more with I* read off the clock of networks that acquire ICL at a large finite K: what
    memorising does to the ICL circuit itself.
    """
    half, late = EndlessClock(endless_seeds), LargeClock(scan.seeds, large)
    memory = (*scan.memory, *(("frozen",) if frozen else ()), "scrambled")
    rungs = [ClockOf(kind, half, memory_seeds, reference) for kind in memory]
    others = [ClockOf(kind, late, memory_seeds) for kind in memory if kind != "frozen"]
    ladder = [rung.name for rung in rungs]
    methods = (half, *rungs, *others)
    return ThresholdScan({"networks": scan}, methods, bar=1.25, clock_bar=1.10, ladder=ladder, name="audit")


def scaling(scans: Mapping[str, Scan], point: str, *, memory_seeds: int, endless_seeds: int) -> ThresholdScan:
    """K*(N) from I* = t_ICL(K → ∞)/2 at each N and a memory's clock, for every memory; and from one point."""
    half, kind = EndlessClock(endless_seeds), next(iter(scans[point].memory))
    law = OnePoint(scans[point], "context_length", kind)
    memories = [ClockOf(kind, half, memory_seeds) for kind in (*scans[point].memory, "scrambled")]
    return ThresholdScan(
        scans, (half, *memories, law), bar=1.25, clock_bar=1.25, variable="context_length", slope_bar=0.2, exponent=law,
        name="transformer_scaling",
    )  # fmt: skip


def budgets(scan: Scan, times: Sequence[float], *, memory_seeds: int, endless_seeds: int) -> ThresholdScan:
    """K*(T): where the clock of scrambled transformers reads I* at the time T, from the same networks truncated."""
    scans = {f"t{time:g}": replace(scan, budget=time) for time in times}
    memory = ClockOf("scrambled", EndlessClock(endless_seeds), memory_seeds)
    return ThresholdScan(scans, (memory,), bar=1.25, shared="networks", name="transformer_budget")


def kinetics(scans: Mapping[str, Scan], plain: str, *, memory_seeds: int, endless_seeds: int) -> list[ThresholdScan]:
    """Kinetics or capacity: K* under interventions that change the transformer's rates and none of its parameters.

    K* = K*(plain) (I*/I*(plain))^{1/ν} with I* = r t_ICL/2 measured under each of them; and, where r alone is changed,
    with the plain t_ICL, as if the perceptron had no part in ICL: K* = K*(plain) r^{1/ν}. A capacity would leave K*
    where it is.
    """
    half = EndlessClock(endless_seeds)
    by_clock = OnePoint(scans[plain], "clock", "scrambled", memory_seeds, half)
    by_ratio = OnePoint(scans[plain], "rate_ratio", "scrambled", memory_seeds)
    rates = {label: scan for label, scan in scans.items() if scan.run.attention_scale == 1}
    return [
        ThresholdScan(
            scans, (half, by_clock), bar=1.25, clock_bar=1.25, variable="clock", slope_bar=0.3, exponent=by_clock,
            rivals=_CAPACITY, name="transformer_kinetics",
        ),
        ThresholdScan(
            rates, (by_ratio,), bar=1.25, variable="rate_ratio", slope_bar=0.3, exponent=by_ratio, rivals=_CAPACITY,
            name="transformer_rates",
        ),
    ]  # fmt: skip


def endless_times(
    runs: Mapping[str, Run], seeds: int | Mapping[str, int], point: str, *, rough: bool = True, **changes: Any
) -> AcquisitionTime:
    """t_ICL over N at K → ∞ from one point, with flat attention and, for one layer, with rough; and its exponent."""
    at_point = seeds if isinstance(seeds, int) else seeds[point]
    methods = [FromPoint(point, at_point, rough=kind) for kind in (False, True)[: 1 + rough]]
    return AcquisitionTime(
        runs, seeds, 1.25, methods, {"": tuple(runs)}, 0.1,
        **{"name": "transformer_acquisition", **changes},
    )  # fmt: skip


def control(runs: Mapping[str, Run], seeds: int, scale: float = 0.5) -> AcquisitionTime:
    """t_ICL with W_Q and W_K scaled at the start, over t_ICL without, at every N."""
    plain = {f"plain_{label}": run for label, run in runs.items()}
    scaled = {f"scaled_{label}": run.with_(attention_scale=scale) for label, run in runs.items()}
    ratios = dict(zip(scaled, plain, strict=True))
    return AcquisitionTime({**plain, **scaled}, seeds, 1.25, (RoughRatio(),), ratios=ratios, name="attention_control")


def statistics(run: Run, copies: Sequence[int], seeds: int) -> AcquisitionTime:
    """t_ICL with m copies of the target over t_ICL with one, and the fraction that acquires balanced contexts."""
    runs = {f"copies{m}": run.with_(copies=m) for m in (1, *copies)} | {"balanced": run.with_(labels="balanced")}
    ratios = {f"copies{m}": "copies1" for m in copies}
    return AcquisitionTime(
        runs, seeds, 1.25, (RoughRatio(),), ratios=ratios, fractions=("balanced",), name="transformer_statistics"
    )
