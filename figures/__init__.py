"""Figures: theory as lines with bands, measurement as points, from the datasets that the verdicts use."""

from .catalogue import FIGURES, available, draw, find, save_all
from .picture import Figure, Picture
from .results import MissingResults, Results
from .style import FORMATS, save

__all__ = [
    "FIGURES",
    "FORMATS",
    "Figure",
    "MissingResults",
    "Picture",
    "Results",
    "available",
    "draw",
    "find",
    "save",
    "save_all",
]
