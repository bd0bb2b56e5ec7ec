"""What ``iclrace validate`` trains: every number that decides a result stands here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..theory import Task
from .config import Run
from .memory import MemoryTraining

# Calibration runs share no seed with the networks they predict.
_CALIBRATION_SEED = 1000


@dataclass(frozen=True)
class Preset:
    """A set of calibration runs and of the networks that they predict.

    ``memory`` and ``token_memory`` are perceptrons trained alone (raw items, layer-normed tokens);
    ``minimal_endless`` and ``transformer_endless`` have K → ∞. ``bars`` are the factors within which a prediction
    must hold; they were set before anything was trained.
    """

    name: str
    description: str
    memory: Sequence[MemoryTraining]
    token_memory: Sequence[MemoryTraining]
    minimal_endless: Sequence[Run]
    minimal: Sequence[Run]
    transformer_endless: Sequence[Run]
    transformer: Sequence[Run]
    bars: Mapping[str, float]

    def with_scan(self, task_diversity: Sequence[float]) -> Preset:
        """The same preset with other K in its two scans."""
        scans = {
            name: _over(runs[0], task_diversity, len({run.seed for run in runs}))
            for name, runs in (("minimal", self.minimal), ("transformer", self.transformer))
        }
        return replace(self, minimal=scans["minimal"], transformer=scans["transformer"])


def _over(run: Run, task_diversity: Sequence[float], seeds: int, **changes: object) -> list[Run]:
    return [run.with_(task_diversity=k, seed=s, **changes) for k in task_diversity for s in range(seeds)]


def _memories(task_diversity: Mapping[int, int], **settings: float) -> list[MemoryTraining]:
    return [
        MemoryTraining(k, _CALIBRATION_SEED + s, **settings)  # pyright: ignore[reportArgumentType]
        for k, seeds in task_diversity.items()
        for s in range(seeds)
    ]


_BARS = {
    "memory_exponent": 1.15,
    "acquisition_time": 1.05,
    "threshold": 1.25,
    "clock": 1.10,
    "transformer_threshold": 1.25,
}

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
_SMALL_MINIMAL = _MINIMAL.with_(context_length=12, dimension=15, width=64, batch_size=64, budget=120.0, test_size=500)
_SMALL_TRANSFORMER = _TRANSFORMER.with_(
    context_length=11, dimension=15, width=32, batch_size=32, budget=60.0, test_size=500
)

LAPTOP = Preset(
    name="laptop",
    description="minimal model at N=50, D=63, width 512; transformer at 32 tokens, D=31, width 128",
    memory=_memories({128: 3, 256: 3, 512: 2, 1024: 1}),
    token_memory=_memories(
        {128: 2, 256: 2, 512: 2, 1024: 2, 2048: 1, 4096: 1}, dimension=31, width=128, layer_norm=True, learning_rate=0.1
    ),
    minimal_endless=_over(_MINIMAL, [math.inf], 3),
    minimal=_over(_MINIMAL, [250, 320, 360, 400, 450, 500, 650, 900], 3),
    transformer_endless=_over(_TRANSFORMER, [math.inf], 4),
    transformer=_over(_TRANSFORMER, [128, 256, 512, 768, 1024, 1536, 2048, 4096], 4),
    bars=_BARS,
)

SMOKE = Preset(
    name="smoke",
    description="every step at toy size, for tests; its verdicts mean nothing",
    memory=_memories({16: 2, 32: 2, 64: 1}, dimension=15, width=64),
    token_memory=_memories({16: 1, 32: 1, 64: 1}, dimension=15, width=32, layer_norm=True, learning_rate=0.1),
    minimal_endless=_over(_SMALL_MINIMAL, [math.inf], 2),
    minimal=_over(_SMALL_MINIMAL, [16, 64, 256], 2),
    transformer_endless=_over(_SMALL_TRANSFORMER, [math.inf], 2),
    transformer=_over(_SMALL_TRANSFORMER, [16, 64, 256], 2),
    bars=_BARS,
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in (SMOKE, LAPTOP)}
