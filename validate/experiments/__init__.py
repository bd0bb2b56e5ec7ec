"""The experiments: what is particular to each question; the order in which it is asked is the protocol's."""

from .acquisition import AcquisitionTime
from .acquisition_spread import AcquisitionSpread
from .control_methods import IndependentRace, UncoupledEquations
from .copies import CopiesAcquisition
from .depth import MemoryDepth
from .fresh import FreshShare
from .labels import ContextLabels
from .memory import MemoryLaw
from .outcomes import Outcomes
from .reduced_methods import ReducedAcquisition, ReducedEquations
from .rungs import TransformerLadder
from .scan import Method, Scan
from .threshold import ThresholdScan
from .threshold_methods import CoupledEquations, EachSeed, MemoryAlone, RepeatedItems
from .transformer_acquisition import TransformerAcquisition
from .transformer_methods import ClockOf, EndlessClock, LargeClock, OnePoint
from .transience import TransienceTime
from .transience_losses import LossRelation
from .transience_phases import TransiencePhases
from .transience_transformer import TransformerTransience

__all__ = [
    "AcquisitionSpread",
    "AcquisitionTime",
    "ClockOf",
    "ContextLabels",
    "CopiesAcquisition",
    "CoupledEquations",
    "EachSeed",
    "EndlessClock",
    "FreshShare",
    "IndependentRace",
    "LargeClock",
    "LossRelation",
    "MemoryAlone",
    "MemoryDepth",
    "MemoryLaw",
    "Method",
    "OnePoint",
    "Outcomes",
    "ReducedAcquisition",
    "ReducedEquations",
    "RepeatedItems",
    "Scan",
    "ThresholdScan",
    "TransformerAcquisition",
    "TransformerLadder",
    "TransformerTransience",
    "TransiencePhases",
    "TransienceTime",
    "UncoupledEquations",
]
