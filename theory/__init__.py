"""The reduced theory: equations, closed forms, exponents; sympy is loaded only when a derivation is asked for."""

from .accuracy import acquired_beta, finite_accuracy, icl_accuracy
from .acquisition.balanced import balanced_saddle
from .acquisition.clock import acquisition_clock
from .acquisition.distribution import AcquisitionDistribution, acquisition_distribution
from .acquisition.finite import delayed_time, time_of_clock
from .acquisition.fresh import fresh_share_time
from .acquisition.ladder import Rung, ladder
from .acquisition.mills import log_mills_ratio, mills_ratio
from .acquisition.momentum import momentum_delay
from .acquisition.probability import acquisition_probability
from .acquisition.race import clock_at_acquisition, repeat_saddle
from .acquisition.rough import effective_context, rough_attention
from .acquisition.time import acquisition_time, early_drag
from .contexts.burstiness import copies_distribution
from .contexts.labels import label_sum_nodes
from .contexts.overlaps import effective_dimension
from .decay.branch import branch_margin, branch_point, fold_margin, loss_product, mean_transience_time
from .decay.fixed_points import FixedPoint, acquisition_fold, critical_decay, fixed_points, fold
from .decay.phases import phase, tail_time
from .decay.tracking import conserved_weight, tracking_weight, weight_after_acquisition
from .decay.transience import transience_time
from .estimate import Estimate
from .exponents import Exponent, exponents
from .field import icl_field, mean_residual
from .in_weights import iwl_accuracy, iwl_loss
from .loss import loss_gradient, loss_hessian, population_loss
from .memory.frequencies import item_frequencies, skewed_clock, skewed_clock_at_acquisition, skewed_contexts
from .memory.law import Memory, PowerLawMemory
from .memory.measured import MeasuredMemory, MemoryRun
from .regimes import crossover_regimes, crossover_slope, free_regime
from .slopes import threshold_slopes
from .task import Task
from .threshold import threshold, threshold_values

__all__ = [
    "AcquisitionDistribution",
    "Estimate",
    "Exponent",
    "FixedPoint",
    "MeasuredMemory",
    "Memory",
    "MemoryRun",
    "PowerLawMemory",
    "Rung",
    "Task",
    "acquired_beta",
    "acquisition_clock",
    "acquisition_distribution",
    "acquisition_fold",
    "acquisition_probability",
    "acquisition_time",
    "balanced_saddle",
    "branch_margin",
    "branch_point",
    "clock_at_acquisition",
    "conserved_weight",
    "copies_distribution",
    "critical_decay",
    "crossover_regimes",
    "crossover_slope",
    "delayed_time",
    "early_drag",
    "effective_context",
    "effective_dimension",
    "exponents",
    "fixed_points",
    "finite_accuracy",
    "fold",
    "fold_margin",
    "free_regime",
    "fresh_share_time",
    "icl_accuracy",
    "icl_field",
    "item_frequencies",
    "iwl_accuracy",
    "iwl_loss",
    "label_sum_nodes",
    "ladder",
    "log_mills_ratio",
    "loss_gradient",
    "loss_hessian",
    "loss_product",
    "mean_residual",
    "mean_transience_time",
    "mills_ratio",
    "momentum_delay",
    "phase",
    "population_loss",
    "repeat_saddle",
    "rough_attention",
    "skewed_clock",
    "skewed_clock_at_acquisition",
    "skewed_contexts",
    "tail_time",
    "threshold",
    "threshold_slopes",
    "threshold_values",
    "time_of_clock",
    "tracking_weight",
    "transience_time",
    "weight_after_acquisition",
]


def __dir__() -> list[str]:
    """What is public, without the modules it comes from."""
    return sorted(__all__)
