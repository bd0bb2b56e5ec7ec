"""Every step at toy size, for tests."""

from __future__ import annotations

import math

from ..experiments import AcquisitionTime, CoupledEquations, MemoryAlone, MemoryLaw, Scan, ThresholdScan
from . import knobs, minimal, transformer, transience
from .base import MINIMAL, Preset, memories

_TOY = MINIMAL.with_(context_length=12, dimension=15, width=64, batch_size=64, budget=120.0, test_size=500)
_TOY_MEMORY = memories({16: 2, 32: 2, 64: 1}, dimension=15, width=64)

SMOKE = Preset(
    name="smoke",
    description="every step at toy size, for tests; its verdicts mean nothing",
    experiments=(
        MemoryLaw(_TOY_MEMORY, bar=1.15),
        AcquisitionTime({"n12": _TOY.with_(task_diversity=math.inf)}, seeds=2, bar=1.05),
        ThresholdScan(
            {"n12": Scan(_TOY, [16, 64, 256], 2, {"raw": _TOY_MEMORY})},
            (MemoryAlone(), CoupledEquations()),
            bar=1.25,
            clock_bar=1.10,
            time_bar=1.10,
        ),
        *minimal.SMOKE,
        *knobs.SMOKE,
        *transformer.SMOKE,
        *transience.SMOKE,
    ),
)
