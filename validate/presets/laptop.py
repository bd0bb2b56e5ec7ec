"""Six minutes on two cores: ``make run``."""

from __future__ import annotations

import math

from ..experiments import AcquisitionTime, IndependenceAudit, MemoryLaw, Scan, Threshold, TransformerOutcomes
from .base import MINIMAL, TRANSFORMER, Preset, memories

_FIRST_SEED, _FIRST_CALIBRATION_SEED, _FIRST_TRANSFORMER_SEED = 100, 2000, 6000
_NOTE = (
    "Minimal model: scans, measures (the event that defines the circuit's K*: 95 % reached) and bars were settled "
    "on networks of seeds 0 to 3 and perceptrons of seeds 1000 to 1003; the seeds trained here, from 100 and from "
    "2000, are others. Transformer: the scan is centred on the K* = 830 to 970 of a theory in which both circuits "
    "share the perceptron; trials with other seeds, at twice the learning rate, had K* = 900, two to three times "
    "below what independent circuits predict, and final accuracies between 0.58 and 0.96 at K = 1024. Scan, bars "
    "and measures were fixed before a network of these seeds, from 6000 and from 7000, was trained. Perceptrons "
    "alone are trained at a rate of 0.1: at a quarter of it their clock at t = 300 is 0.3 % less. K = 1100 was "
    "added to the outcomes after all else had been seen: of 24 networks at K = 900 none acquires ICL within the "
    "budget, of four at 1272 three do."
)
_MINIMAL = MINIMAL.with_(seed=_FIRST_SEED)
_TRANSFORMER = TRANSFORMER.with_(
    seed=_FIRST_TRANSFORMER_SEED, budget=250.0, evaluate_every=2.5, test_size=500, stop_acquired=True,
    stop_memorised=0.01,
)  # fmt: skip
_SCAN = Scan(_TRANSFORMER, [450, 636, 900, 1272, 1800], [450, 900, 1800])
_MEMORY = memories({128: 3, 256: 5, 512: 5, 768: 1}, _FIRST_CALIBRATION_SEED)
_TOKEN_MEMORY = memories(
    {450: 2, 900: 2, 1800: 2, 3600: 1},
    _FIRST_CALIBRATION_SEED,
    dimension=31,
    width=128,
    layer_norm=True,
    learning_rate=0.1,
    budget=_TRANSFORMER.budget,
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
            [320, 380, 440, 500, 900],
            seeds=6,
            bar=1.25,
            clock_bar=1.10,
            time_bar=1.10,
        ),
        IndependenceAudit(
            {"layer-normed": _TOKEN_MEMORY},
            _SCAN,
            seeds=4,
            memory_seeds=2,
            endless_seeds=6,
            reference=450,
            large=3600,
            bar=1.25,
            clock_bar=1.10,
            frozen=False,
        ),
        TransformerOutcomes(
            _TRANSFORMER.with_(seed=6100, stop_acquired=False, stop_memorised=0.0, evaluate_every=5.0),
            _TRANSFORMER,
            _SCAN.task_diversity,
            scan_seeds=4,
            near=[900, 1100],
            far=[],
            seeds=24,
            far_seeds=0,
        ),
    ),
    note=_NOTE,
)
