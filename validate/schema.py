"""The shapes of the files that this package reads back, one for each kind, and the message for a file that misfits.

A shape is a type or one of: a function that says what is wrong (None if nothing is), ``{"key": shape}`` with all of
these keys (those marked by "?" may be absent; others are let be), ``[shape]`` for a list, ``Each(shape)`` for a
dictionary with any keys.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .training.config import json_text


class StoreError(RuntimeError):
    """A stored file is damaged or cannot be written; the message names it."""


@dataclass(frozen=True)
class Each:
    """A dictionary whose values all have one shape, and whose keys are not empty."""

    shape: Any


def read(path: Path, shape: Any) -> Any:
    """The content of a JSON file of this shape; ``StoreError`` names the file and the field that does not fit."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged and cannot be read ({error}); make it anew") from error
    wrong = problem(content, shape)
    if wrong is None and "checksum" in content and content["checksum"] != _hash(content):
        wrong = "its content, or its field 'checksum', is not what was written"
    if wrong is not None:
        raise StoreError(f"{path} is damaged or from another version: {wrong}; make it anew")
    return content


def problem(content: Any, shape: Any, at: str = "") -> str | None:
    """The first field of ``content`` that has not its shape, and why; None if all have."""
    where = at or "it"
    if isinstance(shape, Each | dict):
        if not isinstance(content, dict):
            return f"{where} is no dictionary"
        if isinstance(shape, Each):
            fields = {key: (shape.shape, value) for key, value in content.items()}
        else:
            known = {key.removesuffix("?"): entry for key, entry in shape.items()}
            missing = [key for key in shape if not key.endswith("?") and key not in content]
            if missing:
                return f"{where} lacks {missing[0]!r}"
            fields = {key: (known[key], content[key]) for key in known if key in content}
        problems = (problem(value, entry, f"{at}.{key}" if at else str(key)) for key, (entry, value) in fields.items())
        return next(filter(None, problems), None)
    if isinstance(shape, list):
        if not isinstance(content, list):
            return f"{where} is no list"
        problems = (problem(value, shape[0], f"{at}[{i}]") for i, value in enumerate(content))
        return next(filter(None, problems), None)
    if isinstance(shape, type):
        return None if isinstance(content, shape) else f"{where} is no {shape.__name__}"
    message = shape(content)
    return None if message is None else f"{where} {message}"


def number(content: Any) -> str | None:
    """A number, or an infinity as JSON's readers everywhere take it, as text."""
    if content in ("inf", "-inf"):
        return None
    real = isinstance(content, int | float) and not isinstance(content, bool)
    # an integer of JSON may be larger than any float; NaN is below nothing
    return None if real and abs(content) <= sys.float_info.max else "is no finite number"


def duration(content: Any) -> str | None:
    """Seconds."""
    return number(content) or (None if 0 <= float(content) < math.inf else "is no duration")


def optional(shape: Any) -> Callable[[Any], str | None]:
    """Null, or that shape."""
    return lambda content: None if content is None else _relative(problem(content, shape, "@"))


def _relative(message: str | None) -> str | None:
    return None if message is None else message.removeprefix("@").lstrip()


def one_of(*values: Any) -> Callable[[Any], str | None]:
    return lambda content: None if content in values else f"is none of {', '.join(map(str, values))}"


def positive(content: Any) -> str | None:
    """What has a place on a logarithmic axis."""
    return number(content) or (None if 0 < float(content) < math.inf else "is not positive and finite")


#: ode.json of the benchmarks: by case and method, times against errors
WORK = Each(Each([{"error": positive, "microseconds": positive}]))

#: runs/<key>/cost.json
COST = {"seconds": duration}

#: Of the results folder: raised whenever older folders can no longer be read.
FORMAT = 2


_CLAIM = {
    **dict.fromkeys(("experiment", "quantity", "network", "part", "method"), str),
    "at": Each(lambda _: None), "predicted": optional(dict), "measured": optional(dict), "bar": optional(positive),
    "scale": one_of("ratio", "difference"), "inputs": [str], "data": [str], "seeds": int,
    "seed_hours": optional(duration),
}  # fmt: skip

#: summary.json of a results folder
SUMMARY = {
    "format": one_of(FORMAT), "preset": str, "description": str, "note": str, "provenance": dict, "claims": [_CLAIM],
    "datasets": [{"name": str, "experiment": str, "stage": one_of("calibration", "networks"), "label": str}],
    "experiments": Each({"options?": {"task_diversity?": [number]}}),
}  # fmt: skip

#: predictions.json of a results folder
FROZEN = {
    "format": one_of(FORMAT),
    "experiments": Each({
        "date": str, "before_training": bool, "claims": [_CLAIM],
        "revisions": [{"reason": str, "until": str, "claims": [_CLAIM]}],
    }),
}  # fmt: skip

#: plan.json of a results folder: the addresses of all runs, by experiment
PLAN = {"preset": str, "experiments": Each([str])}

#: finished.json of a results folder: the hash of all that its results depend on
FINISHED = {"depends_on": str}

#: The attribute "setting" of a dataset: what all its runs have in common.
SETTING = {
    "network?": str, "labels?": one_of("iid", "balanced"),
    "beta0?": optional(number), "layer_norm?": bool,
    **{f"{name}?": number for name in (
        "context_length", "task_diversity", "dimension", "copies", "seed", "width", "layers", "depth", "learning_rate",
        "rate_ratio", "decay_attention", "decay_memory", "batch_size", "budget", "evaluate_every", "w0", "until")},
}  # fmt: skip


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """``content`` with the hash of all of it, which :func:`read` compares."""
    return content | {"checksum": _hash(content)}


def _hash(content: dict[str, Any]) -> str:
    plain = json.loads(json_text({name: value for name, value in content.items() if name != "checksum"}))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
