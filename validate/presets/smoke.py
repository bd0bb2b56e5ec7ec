"""Every step at toy size, for tests."""

from __future__ import annotations

import math

from ..experiments import AcquisitionTime, MemoryLaw, Threshold, TransformerThreshold
from . import minimal, transformer, transience
from .base import MINIMAL, TRANSFORMER, Preset, memories

_TOY = MINIMAL.with_(context_length=12, dimension=15, width=64, batch_size=64, budget=120.0, test_size=500)
_TOY_TRANSFORMER = TRANSFORMER.with_(
    context_length=11, dimension=15, width=32, batch_size=32, budget=60.0, test_size=500
)  # fmt: skip
_TOY_MEMORY = memories({16: 2, 32: 2, 64: 1}, dimension=15, width=64)
_TOY_TOKEN_MEMORY = memories({16: 1, 32: 1, 64: 1}, dimension=15, width=32, layer_norm=True, learning_rate=0.1)

SMOKE = Preset(
    name="smoke",
    description="every step at toy size, for tests; its verdicts mean nothing",
    experiments=(
        MemoryLaw(_TOY_MEMORY, bar=1.15),
        AcquisitionTime({"n12": _TOY.with_(task_diversity=math.inf)}, seeds=2, bar=1.05),
        Threshold(_TOY_MEMORY, _TOY, [16, 64, 256], seeds=2, bar=1.25, clock_bar=1.10, time_bar=1.10),
        TransformerThreshold(_TOY_TOKEN_MEMORY, _TOY_TRANSFORMER, [16, 64, 256], seeds=2, bar=1.25),
        *minimal.SMOKE,
        *transformer.SMOKE,
        *transience.SMOKE,
    ),
)
