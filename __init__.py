"""iclrace: the kinetics of how transformers come to memorise or to learn in context.

Rooms, in the only order in which names travel: :mod:`iclrace.theory` (equations), :mod:`iclrace.simulate` (solves
them), :mod:`iclrace.validate` (trains networks and compares), :mod:`iclrace.figures` (draws). Each is imported on
first use, so that ``import iclrace`` is immediate. :func:`predict` says what a transformer will do before it is
trained.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import figures, simulate, theory, validate
    from .validate.predict.forecast import predict

__version__ = "0.1.0"
__all__ = ["theory", "simulate", "validate", "figures", "predict", "__version__"]

_ROOMS = ("theory", "simulate", "validate", "figures")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name == "predict":
        return import_module(".validate.predict.forecast", __name__).predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
