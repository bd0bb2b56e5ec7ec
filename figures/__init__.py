"""Figures: theory as lines with bands, measurement as points, from the datasets that the verdicts use.

The catalogue is there at once; what draws is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .catalogue import FIGURES, Figure, available, draw, find, save_all

if TYPE_CHECKING:
    from .picture import Picture
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

_LATER = {"FORMATS": "style", "save": "style", "Picture": "picture", "MissingResults": "results", "Results": "results"}
_MODULES = ("acquisition", "curves", "explorer", "memory", "outcomes", "report", "scan", "style", "theory", "threshold",
            "transience", "verdicts", "work_precision")  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f".{_LATER[name]}", __name__), name)
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
