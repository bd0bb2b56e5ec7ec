"""Where a claim is made: the names, symbols and values of its coordinates."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from .training.config import Run

#: A coordinate: a number, a word, or a tuple of them.
At = Any
#: Symbols of the coordinates, by their names.
SYMBOLS = {
    "context_length": "N", "task_diversity": "K", "dimension": "D", "beta0": "β0", "w0": "w0", "decay": "λ",
    "rate_ratio": "r", "budget": "T", "copies": "m", "frequency_exponent": "α", "labels": "labels", "width": "width",
    "parameters": "P", "layers": "L", "depth": "layers", "learning_rate": "η", "attention_scale": "scale of W_Q, W_K",
    "residual_scale": "c", "fresh_share": "f",
    "memory": "tokens", "clock": "I*", "iwl_loss": "L_IWL", "phase": "phases", "rival": "rival", "against": "against",
    "knob": "knob", "until": "c1 from", "later": "c1 to", "kind": "kind", "gains": "predicted gains",
    "ladder": "predicted K*", "outcome": "outcome", "rung": "rung", "time": "t",
}  # fmt: skip
#: Coordinates that a claim keeps for its measurement but that are too long for its name.
UNTOLD = ("against", "gains", "iwl_loss", "ladder", "phase", "times")
#: In the place of a coordinate that is not known.
UNKNOWN_PLACE = "unknown"
NETWORKS = {"minimal": "minimal model", "transformer": "transformer", "perceptron": "perceptrons alone"}
PARTS = {"circuit": "ICL circuit", "whole": "whole network", "memory": ""}
UNITS = {"K*": "items", "t_ICL": "gradient-flow time", "I*": "gradient-flow time", "t_loss": "gradient-flow time"}


def network_words(name: str) -> str:
    """What a network is called; one of the user's own by the name of its factory.

    Examples
    --------
    >>> network_words("minimal"), network_words("package.module:two_heads")
    ('minimal model', 'two_heads')
    """
    return NETWORKS.get(name, name.rpartition(":")[2])


def place(run: Run, **changes: At | None) -> dict[str, At]:
    """Where a claim about ``run`` is made: its coordinates, with others in ``changes``; None leaves one out.

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> run = Run("minimal", Task(25, 500, 63), 0, budget=150.0)
    >>> [place(run, rate_ratio=2.0)[name] for name in ("context_length", "rate_ratio", "budget")]
    [25, 2.0, 150.0]
    """
    task = run.task
    at: dict[str, At | None] = {
        "context_length": task.context_length, "task_diversity": task.task_diversity, "dimension": task.dimension,
        "labels": task.labels, "copies": task.copies, "rate_ratio": run.rate_ratio, "decay": run.decay_attention,
        "frequency_exponent": run.frequency_exponent, "width": run.width, "layers": run.layers,
        "learning_rate": run.learning_rate, "budget": run.budget,
    }  # fmt: skip
    if run.fresh_share:
        at["fresh_share"] = run.fresh_share
    if run.network == "transformer":
        at |= {"depth": run.depth, "attention_scale": run.attention_scale}
        if run.residual_scale != 1:
            at["residual_scale"] = run.residual_scale
        if run.beta0:
            at["beta0"] = run.beta0
    elif not run.foreign:
        at |= {"beta0": "N(0, 1)" if run.beta0 is None else run.beta0, "w0": run.w0}
    return {name: value for name, value in {**at, **changes}.items() if value is not None}


def text(value: At) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(text, value))
    return value if isinstance(value, str) else "∞" if value == math.inf else f"{value:.4g}"


def plain(value: Any) -> At:
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(plain(entry) for entry in value)
    value = value.item() if isinstance(value, np.generic) else value
    return UNKNOWN_PLACE if isinstance(value, float) and math.isnan(value) else value


def number(value: Any) -> At:
    if isinstance(value, list):
        return tuple(number(entry) for entry in value)
    if not isinstance(value, int | float | str) or (isinstance(value, int) and abs(value) > sys.float_info.max):
        raise ValueError(f"a coordinate is {value!r}")
    return float(value) if value in ("inf", "-inf") else value
