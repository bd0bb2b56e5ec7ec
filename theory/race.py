"""The race between the two circuits: which one wins, and at which task diversity."""

from ._arguments import real, require
from .acquisition import acquisition_time
from .estimate import Estimate
from .memory import Memory
from .task import Task


def threshold(task: Task, memory: Memory, beta0: float, w0: float = 0.0, *, clock: float | None = None) -> Estimate:
    """K*: I_K(∞) = I*, I* = t_ICL(K → ∞)/2."""
    if clock is None:
        clock = float(acquisition_time(task, beta0, w0)) / 2.0
    reading = float(real("clock", clock, minimum=0.0, finite=False))
    require(isinstance(memory, Memory), "memory", "be a memory law", memory)
    return Estimate.exact(float(memory.critical_diversity(reading)))
