"""Scans of K, and what a prediction of K* for one of them is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..place import At, place
from ..predict.threshold import Prediction
from ..protocol import Jobs, Trained
from ..training.config import Run
from ..training.coupling import CouplingTraining
from ..training.memory import MemoryTraining
from .runs import grid


@dataclass(frozen=True)
class Scan:
    """Networks over K, and the memories that predict them.

    Parameters
    ----------
    run : the network, at any K; transformers that calibrate start at its seed plus 1000
    task_diversity : the scan of K
    seeds : networks at each K
    memory : perceptrons trained alone, over K, by the kind of their tokens; they share no seed with the networks
    coupling : perceptrons trained alone over K, their coupling to attention recorded, for the reduced transformer
    scrambled : K at which transformers with scrambled labels are trained, for their clock
    budget : gradient-flow time up to which the networks are read; the run's own by default
    """

    run: Run
    task_diversity: Sequence[float]
    seeds: int
    memory: Mapping[str, Sequence[MemoryTraining]] = field(default_factory=dict)
    scrambled: Sequence[float] = ()
    coupling: Sequence[CouplingTraining] = ()
    budget: float | None = None

    @property
    def read(self) -> Run:
        """The run as if its training ended at ``budget``."""
        return self.run if self.budget is None else self.run.with_(budget=self.budget)

    @property
    def networks(self) -> list[Run]:
        return grid(self.run, self.seeds, task_diversity=self.task_diversity)

    @property
    def around(self) -> np.ndarray:
        """K at which equations are solved: two in an octave, from half the least of the scan to twice the greatest."""
        low, high = min(self.task_diversity) / 2, 2 * max(self.task_diversity)
        return np.geomspace(low, high, round(2 * math.log2(high / low)) + 1)

    def place(self, **changes: Any) -> dict[str, At]:
        """The coordinates of K* here."""
        return place(self.read, **{"task_diversity": None, "parameters": self.run.parameters, **changes})


class Method(Protocol):
    """A way to predict K* of a scan. Calibration runs of equal labels are trained once for all methods."""

    @property
    def name(self) -> str: ...

    def calibration(self, label: str, scan: Scan) -> Mapping[str, Jobs]: ...

    def predict(self, label: str, scan: Scan, calibrated: Trained) -> Mapping[str, Prediction]:
        """ "K*", and what else it predicts: "I*" at acquisition, "t_ICL" at the largest K, "I_K" at a reference K."""
        ...


def memory_label(kind: str, label: str) -> str:
    """Label of the perceptrons of one kind that predict the scan ``label``."""
    return f"memory_{kind}_{label}"
