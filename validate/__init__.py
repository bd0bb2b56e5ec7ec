"""Networks trained in ensembles, measurements with intervals, predictions from calibration runs, and verdicts."""

from .batches import Batch
from .cointegration import cointegrated
from .compare import Comparison
from .config import Run
from .executors import open_executor, split, train_jobs
from .experiments import Experiment
from .foreign import register_network
from .items import register_items
from .measure import acquisition_times, geometric_mean, measure_power_law, measure_threshold
from .memory import MemoryTraining, measured_memory, train_memory
from .memory_law import MemoryLaw, measure_memory_law, total_clock
from .outcomes import Bimodality, Plateau, accuracy_at, measure_bimodality, measure_plateau
from .predict import Prediction, predict_acquisition, predict_clock, predict_threshold
from .presets import PRESETS, Preset
from .run import Report, run
from .sequences import Sequences
from .store import RunStore, StoreError
from .survival import (
    LogNormalFit,
    TailComparison,
    compare_tails,
    fit_log_normal,
    loss_times,
    measure_acquisition_time,
    measure_transience_time,
)
from .training import collect, train, train_memories

__all__ = [
    "Batch",
    "Bimodality",
    "Comparison",
    "Experiment",
    "LogNormalFit",
    "MemoryLaw",
    "MemoryTraining",
    "PRESETS",
    "Plateau",
    "Prediction",
    "Preset",
    "Report",
    "Run",
    "RunStore",
    "Sequences",
    "StoreError",
    "TailComparison",
    "accuracy_at",
    "acquisition_times",
    "cointegrated",
    "collect",
    "compare_tails",
    "fit_log_normal",
    "geometric_mean",
    "loss_times",
    "measure_acquisition_time",
    "measure_bimodality",
    "measure_memory_law",
    "measure_plateau",
    "measure_power_law",
    "measure_threshold",
    "measure_transience_time",
    "measured_memory",
    "open_executor",
    "predict_acquisition",
    "predict_clock",
    "predict_threshold",
    "register_items",
    "register_network",
    "run",
    "split",
    "total_clock",
    "train",
    "train_jobs",
    "train_memories",
    "train_memory",
]
