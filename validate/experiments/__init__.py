"""The experiments: what is particular to each question; the order of the steps is the protocol's."""

from .acquisition import AcquisitionTime
from .acquisition_methods import AveragedField, FromOneCopy, FromPoint, RoughRatio, TimeMethod
from .acquisition_spread import AcquisitionSpread
from .control_methods import IndependentRace, UncoupledEquations
from .depth import MemoryDepth
from .fresh import FreshRace, Starvation
from .labels import ContextLabels
from .memory import MemoryLaw
from .outcomes import Outcomes
from .reduced_methods import ReducedEquations, ReducedTimes
from .rungs import TransformerLadder
from .scan import Method, Scan
from .shifts import ThresholdShifts
from .threshold import ThresholdScan
from .threshold_methods import CoupledEquations, EachSeed, MemoryAlone, RepeatedItems
from .transformer_methods import ClockOf, EndlessClock, LargeClock, OnePoint
from .transience import TransienceTime
from .transience_losses import LossRelation
from .transience_phases import TransiencePhases
from .transience_transformer import TransformerTransience

__all__ = [
    "AcquisitionSpread", "AcquisitionTime", "AveragedField", "ClockOf", "ContextLabels", "CoupledEquations",
    "EachSeed", "EndlessClock", "FreshRace", "FromOneCopy", "FromPoint", "IndependentRace", "LargeClock",
    "LossRelation", "MemoryAlone", "MemoryDepth", "MemoryLaw", "Method", "OnePoint", "Outcomes", "ReducedEquations",
    "ReducedTimes", "RepeatedItems", "RoughRatio", "Scan", "Starvation", "ThresholdScan", "ThresholdShifts",
    "TimeMethod", "TransformerLadder", "TransformerTransience", "TransiencePhases", "TransienceTime",
    "UncoupledEquations",
]  # fmt: skip
