"""The experiments: one file each, from what is predicted to the rule of its verdict."""

from .acquisition import AcquisitionTime
from .labels import ContextLabels
from .memory_law import MemoryLaw
from .protocol import Experiment, Jobs, MemoryCurves, Results, compare, memories_in, networks_in
from .threshold import Threshold
from .transformer_threshold import TransformerThreshold

__all__ = [
    "AcquisitionTime",
    "ContextLabels",
    "Experiment",
    "Jobs",
    "MemoryCurves",
    "MemoryLaw",
    "Results",
    "Threshold",
    "TransformerThreshold",
    "compare",
    "memories_in",
    "networks_in",
]
