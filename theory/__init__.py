"""The reduced theory: equations, closed forms and exponents (numpy and scipy; sympy only when a derivation is asked for)."""

from .accuracy import acquired_beta, icl_accuracy
from .acquisition import acquisition_time
from .clock import acquisition_clock
from .estimate import Estimate
from .field import icl_field
from .labels import label_sum_nodes
from .measured import MeasuredMemory, MemoryRun
from .memory import Memory, PowerLawMemory
from .mills import log_mills_ratio, mills_ratio
from .race import threshold
from .task import Task

__all__ = [
    "Estimate",
    "MeasuredMemory",
    "Memory",
    "MemoryRun",
    "PowerLawMemory",
    "Task",
    "acquired_beta",
    "acquisition_clock",
    "acquisition_time",
    "icl_accuracy",
    "icl_field",
    "label_sum_nodes",
    "log_mills_ratio",
    "mills_ratio",
    "threshold",
]
