"""Six minutes on two cores: ``make run``."""

from __future__ import annotations

import math

from ..experiments import AcquisitionTime, MemoryLaw, Threshold, TransformerThreshold
from .base import MINIMAL, TRANSFORMER, Preset, memories

_MEMORY = memories({128: 3, 256: 4, 512: 4, 768: 1})
_TOKEN_MEMORY = memories(
    {128: 2, 256: 2, 512: 2, 1024: 2, 2048: 1, 4096: 1}, dimension=31, width=128, layer_norm=True, learning_rate=0.1
)

LAPTOP = Preset(
    name="laptop",
    description="minimal model at N=50, D=63, width 512; transformer at 32 tokens, D=31, width 128",
    experiments=(
        MemoryLaw(_MEMORY, bar=1.15),
        AcquisitionTime({"n50": MINIMAL.with_(task_diversity=math.inf)}, seeds=4, bar=1.05),
        Threshold(
            _MEMORY,
            MINIMAL,
            [320, 380, 440, 500, 650, 900],
            seeds=4,
            bar=1.25,
            clock_bar=1.10,
            time_bar=1.10,
        ),
        TransformerThreshold(
            _TOKEN_MEMORY, TRANSFORMER, [128, 256, 512, 768, 1024, 1536, 2048, 4096], seeds=4, bar=1.25
        ),
    ),
)
