"""The experiments: one file each, from what is predicted to the rule of its verdict."""

from .acquisition import AcquisitionTime
from .acquisition_spread import AcquisitionSpread
from .audit import IndependenceAudit
from .bimodality import Bimodality
from .budget import Budget
from .depth import MemoryDepth
from .labels import ContextLabels
from .memory_law import MemoryLaw
from .protocol import Experiment, Jobs, MemoryCurves, Results, compare, memories_in, networks_in
from .threshold import Threshold
from .threshold_scaling import ThresholdScaling
from .transformer_acquisition import AttentionControl, TransformerAcquisition
from .transformer_budget import TransformerBudget
from .transformer_kinetics import TransformerKinetics
from .transformer_outcomes import TransformerOutcomes
from .transformer_scaling import Scan, TransformerScaling
from .transformer_statistics import TransformerStatistics
from .transience import TransienceTime
from .transience_losses import LossRelation
from .transience_phases import TransiencePhases
from .transience_transformer import TransformerTransience

__all__ = [
    "AcquisitionSpread",
    "AcquisitionTime",
    "AttentionControl",
    "Bimodality",
    "Budget",
    "ContextLabels",
    "Experiment",
    "IndependenceAudit",
    "Jobs",
    "LossRelation",
    "MemoryCurves",
    "MemoryDepth",
    "MemoryLaw",
    "Results",
    "Scan",
    "Threshold",
    "ThresholdScaling",
    "TransformerAcquisition",
    "TransformerBudget",
    "TransformerKinetics",
    "TransformerOutcomes",
    "TransformerScaling",
    "TransformerStatistics",
    "TransformerTransience",
    "TransiencePhases",
    "TransienceTime",
    "compare",
    "memories_in",
    "networks_in",
]
