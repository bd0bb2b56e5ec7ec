"""Networks trained in ensembles, measurements with intervals, predictions from calibration runs, and verdicts."""

from .claim import Claim, Verdict
from .claims import Claims
from .data.batches import Batch
from .data.items import register_items
from .data.sequences import Sequences
from .frozen import ProtocolError
from .measure.bimodality import Bimodality, accuracy_at, measure_bimodality
from .measure.clocks import MemoryCurves, measured_memory
from .measure.survival import loss_times, measure_acquisition_time
from .measure.tails import LogNormalFit, TailComparison, compare_tails, fit_log_normal
from .measure.times import acquisition_times, geometric_mean, measure_power_law, measure_threshold
from .networks.cointegration import cointegrated
from .networks.foreign import register_network
from .place import place
from .predict.threshold import Prediction, predict_acquisition, predict_clock, predict_threshold
from .presets import PRESETS, Preset
from .protocol import Experiment
from .run import Report, run
from .sequential import Looks, power, seeds_for, spread_for
from .summary import Summary, read_summary
from .training.config import Run
from .training.deadline import OutOfTime
from .training.executors import open_executor, split, train_jobs
from .training.jobs import collect, train, train_memories
from .training.memory import MemoryTraining, train_memory
from .training.store import RunStore, StoreError
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
    "MemoryTraining",
    "OutOfTime",
    "PRESETS",
    "PValue",
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
    "measure_power_law",
    "measure_threshold",
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
    "spread_for",
    "split",
    "train",
    "train_jobs",
    "train_memories",
    "train_memory",
]


def __dir__() -> list[str]:
    """What is public, without the modules it comes from."""
    return sorted(__all__)
