"""The reduced theory: equations, closed forms, exponents; sympy is loaded only when a derivation is asked for."""

from .accuracy import acquired_beta, icl_accuracy
from .acquisition import acquisition_time, early_drag
from .balanced import balanced_saddle
from .clock import acquisition_clock
from .distribution import AcquisitionDistribution, acquisition_distribution
from .estimate import Estimate
from .field import icl_field, mean_residual
from .labels import label_sum_nodes
from .measured import MeasuredMemory, MemoryRun
from .memory import Memory, PowerLawMemory
from .mills import log_mills_ratio, mills_ratio
from .race import acquisition_probability, clock_at_acquisition, threshold, threshold_at_budget
from .rough import effective_context, rough_attention
from .task import Task

__all__ = [
    "AcquisitionDistribution",
    "Estimate",
    "MeasuredMemory",
    "Memory",
    "MemoryRun",
    "PowerLawMemory",
    "Task",
    "acquired_beta",
    "acquisition_clock",
    "acquisition_distribution",
    "acquisition_probability",
    "acquisition_time",
    "balanced_saddle",
    "clock_at_acquisition",
    "early_drag",
    "effective_context",
    "icl_accuracy",
    "icl_field",
    "label_sum_nodes",
    "log_mills_ratio",
    "mean_residual",
    "mills_ratio",
    "rough_attention",
    "threshold",
    "threshold_at_budget",
]
