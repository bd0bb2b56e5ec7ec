"""Networks trained in ensembles, measurements with intervals, predictions from calibration runs, and verdicts."""

from .batches import Batch
from .claim import Claim, Verdict
from .claims import Claims
from .clocks import MemoryCurves, measured_memory
from .cointegration import cointegrated
from .config import Run
from .executors import open_executor, split, train_jobs
from .foreign import register_network
from .frozen import ProtocolError
from .items import register_items
from .measure import acquisition_times, geometric_mean, measure_power_law, measure_threshold
from .memory import MemoryTraining, train_memory
from .memory_law import MemoryLaw, measure_memory_law, total_clock
from .outcomes import Bimodality, Plateau, accuracy_at, measure_bimodality, measure_plateau
from .place import place
from .predict import Prediction, predict_acquisition, predict_clock, predict_threshold
from .presets import PRESETS, Preset
from .protocol import Experiment
from .run import Report, run
from .sequences import Sequences
from .sequential import Looks, power, seeds_for
from .store import RunStore, StoreError
from .summary import Summary, read_summary
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
from .values import Answer, Extremes, PValue, Range

__all__ = [
    "Answer",
    "Batch",
    "Bimodality",
    "Claim",
    "Claims",
    "Experiment",
    "Extremes",
    "LogNormalFit",
    "Looks",
    "MemoryCurves",
    "MemoryLaw",
    "MemoryTraining",
    "PRESETS",
    "PValue",
    "Plateau",
    "Prediction",
    "Preset",
    "ProtocolError",
    "Range",
    "Report",
    "Run",
    "RunStore",
    "Sequences",
    "StoreError",
    "Summary",
    "TailComparison",
    "Verdict",
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
    "place",
    "power",
    "predict_acquisition",
    "predict_clock",
    "predict_threshold",
    "read_summary",
    "register_items",
    "register_network",
    "run",
    "seeds_for",
    "split",
    "total_clock",
    "train",
    "train_jobs",
    "train_memories",
    "train_memory",
]
