"""What ``iclrace validate`` trains: every number that decides a result stands here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..theory import Task
from .config import Run
from .experiments import AcquisitionTime, Experiment, MemoryLaw, Threshold, TransformerThreshold
from .memory import MemoryTraining

# Calibration runs share no seed with the networks they predict.
_CALIBRATION_SEED = 1000


@dataclass(frozen=True)
class Preset:
    """A named list of experiments, their bars included.

    The laptop's scans, its seeds and the bar of the coupled equations' time were chosen after earlier runs of the same
    networks had been seen; its other bars were not changed.
    """

    name: str
    description: str
    experiments: Sequence[Experiment]

    def with_scan(self, task_diversity: Sequence[float]) -> Preset:
        """The same preset with other K in every scan."""
        scans: list[Any] = [
            experiment.with_scan(task_diversity)
            if isinstance(experiment, Threshold | TransformerThreshold)
            else experiment
            for experiment in self.experiments
        ]
        return replace(self, experiments=scans)


def _memories(task_diversity: Mapping[int, int], **settings: Any) -> list[MemoryTraining]:
    return [
        MemoryTraining(k, _CALIBRATION_SEED + s, **settings)
        for k, seeds in task_diversity.items()
        for s in range(seeds)
    ]


_MINIMAL = Run(
    "minimal",
    Task(context_length=50, dimension=63),
    seed=0,
    width=512,
    learning_rate=0.3,
    batch_size=128,
    budget=400.0,
    evaluate_every=3.0,
    test_size=1000,
    stop_acquired=True,
    stop_memorised=0.01,
)
_TRANSFORMER = Run(
    "transformer",
    Task.from_len_context(32, dimension=31),
    seed=0,
    width=128,
    learning_rate=0.1,
    batch_size=64,
    budget=300.0,
    evaluate_every=5.0,
    test_size=1000,
)
_MEMORY = _memories({128: 3, 256: 4, 512: 4, 768: 1})
_TOKEN_MEMORY = _memories(
    {128: 2, 256: 2, 512: 2, 1024: 2, 2048: 1, 4096: 1}, dimension=31, width=128, layer_norm=True, learning_rate=0.1
)

LAPTOP = Preset(
    name="laptop",
    description="minimal model at N=50, D=63, width 512; transformer at 32 tokens, D=31, width 128",
    experiments=(
        MemoryLaw(_MEMORY, bar=1.15),
        AcquisitionTime({"n50": _MINIMAL.with_(task_diversity=math.inf)}, seeds=4, bar=1.05),
        Threshold(
            _MEMORY,
            _MINIMAL,
            [320, 380, 440, 500, 650, 900],
            seeds=4,
            bar=1.25,
            clock_bar=1.10,
            time_bar=1.10,
        ),
        TransformerThreshold(
            _TOKEN_MEMORY, _TRANSFORMER, [128, 256, 512, 768, 1024, 1536, 2048, 4096], seeds=4, bar=1.25
        ),
    ),
)

_TOY = _MINIMAL.with_(context_length=12, dimension=15, width=64, batch_size=64, budget=120.0, test_size=500)
_TOY_TRANSFORMER = _TRANSFORMER.with_(
    context_length=11, dimension=15, width=32, batch_size=32, budget=60.0, test_size=500
)  # fmt: skip
_TOY_MEMORY = _memories({16: 2, 32: 2, 64: 1}, dimension=15, width=64)
_TOY_TOKEN_MEMORY = _memories({16: 1, 32: 1, 64: 1}, dimension=15, width=32, layer_norm=True, learning_rate=0.1)

SMOKE = Preset(
    name="smoke",
    description="every step at toy size, for tests; its verdicts mean nothing",
    experiments=(
        MemoryLaw(_TOY_MEMORY, bar=1.15),
        AcquisitionTime({"n12": _TOY.with_(task_diversity=math.inf)}, seeds=2, bar=1.05),
        Threshold(_TOY_MEMORY, _TOY, [16, 64, 256], seeds=2, bar=1.25, clock_bar=1.10, time_bar=1.10),
        TransformerThreshold(_TOY_TOKEN_MEMORY, _TOY_TRANSFORMER, [16, 64, 256], seeds=2, bar=1.25),
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in (SMOKE, LAPTOP)}
