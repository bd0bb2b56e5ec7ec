"""A transformer in nine order parameters: how its two circuits couple (docs/reduced_transformer.md)."""

from .contexts import Contexts, draw_contexts
from .equations import STATE, icl_accuracy, initial_state, iwl_accuracy, rates
from .measured import COLUMNS, CouplingRun, MeasuredCoupling
from .model import CORE, ReducedTransformer, Terms
from .scores import Scores, attend, score_scales

__all__ = [
    "COLUMNS",
    "CORE",
    "STATE",
    "Contexts",
    "CouplingRun",
    "MeasuredCoupling",
    "ReducedTransformer",
    "Scores",
    "Terms",
    "attend",
    "draw_contexts",
    "icl_accuracy",
    "initial_state",
    "iwl_accuracy",
    "rates",
    "score_scales",
]
