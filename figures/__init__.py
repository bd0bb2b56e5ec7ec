"""Figures: theory as lines with bands, measurement as points, from the datasets that the verdicts use."""

from .results import FIGURES, Results, draw, save_all
from .style import save

__all__ = ["FIGURES", "Results", "draw", "save", "save_all"]
