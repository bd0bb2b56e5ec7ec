"""Networks trained in ensembles, measurements with intervals, predictions from calibration runs, and verdicts."""

from .compare import Comparison
from .config import Run
from .experiments import Experiment
from .measure import acquisition_times, geometric_mean, measure_power_law, measure_threshold
from .memory import MemoryTraining, measured_memory, train_memory
from .predict import Prediction, predict_acquisition, predict_clock, predict_threshold
from .presets import PRESETS, Preset
from .run import Report, run
from .store import RunStore, StoreError
from .training import collect, train, train_memories

__all__ = [
    "Comparison",
    "Experiment",
    "MemoryTraining",
    "PRESETS",
    "Prediction",
    "Preset",
    "Report",
    "Run",
    "RunStore",
    "StoreError",
    "acquisition_times",
    "collect",
    "geometric_mean",
    "measure_power_law",
    "measure_threshold",
    "measured_memory",
    "predict_acquisition",
    "predict_clock",
    "predict_threshold",
    "run",
    "train",
    "train_memories",
    "train_memory",
]
