"""Acquisition time for K → ∞, to 95 % ICL accuracy."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import real
from .clock import acquisition_clock
from .task import Task

Array = NDArray[np.float64]


def acquisition_time(task: Task, beta0: ArrayLike, w0: ArrayLike = 0.0) -> Array:
    """t_ICL = 2 N τ*/m."""
    beta0, w0 = real("beta0", beta0), real("w0", w0)
    return 2.0 * task.context_length / task.copies * acquisition_clock(beta0, w0, early_drag(task))


def early_drag(task: Task, c2: float = 0.5) -> float:
    """κ = s² c2/m."""
    return task.label_std**2 * c2 / task.copies
