"""Predictions and bars, written before networks are trained; changed afterwards, they stand beside the old ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import schema
from .claim import Claim
from .training.config import json_text
from .training.store import write_text

#: Two machines' last digits, 1e-16, are 1e-9 of a K* of the reduced transformer; no change of a prediction is as small.
_ROUNDING = 1e-7


class ProtocolError(RuntimeError):
    """An experiment broke the order: a prediction that saw a network, or one that changed after training."""


def freeze(
    path: Path, predicted: Mapping[str, Sequence[Claim]], trained: Mapping[str, bool], reason: str | None = None
) -> dict[str, list[Claim]]:
    """Write the claims of every experiment to ``path``, and return those that stand.

    Parameters
    ----------
    path : Path
        ``predictions.json``; its entries for other experiments stay.
    predicted : by experiment
    trained : whether a network of the experiment exists already
    reason : str, optional
        Why frozen predictions change; the old ones are kept beside the new ones with it.

    Raises
    ------
    ProtocolError
        If a claim of an experiment with trained networks differs from the frozen one and no reason is given.
    StoreError
        If ``path`` is damaged.
    """
    record = read_frozen(path)
    standing: dict[str, list[Claim]] = {}
    for name, claims in predicted.items():
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry: dict[str, Any] = {"date": now, "before_training": not trained[name], "revisions": []}
        standing[name] = list(claims)
        if name in record:
            old = record[name]
            before = [Claim.from_json(entry) for entry in old["claims"]]
            changed = _changed(before, claims)
            if changed is None:
                entry, standing[name] = old, before
            elif trained[name] and reason is None:
                raise ProtocolError(
                    f"{name}: {changed} differs from what {path} says, and networks are trained already; give a reason "
                    "for the change, and both are kept"
                )
            elif trained[name]:
                past = {"reason": reason, "until": now, "claims": old["claims"]}
                entry["revisions"] = [*old["revisions"], past]
        entry = {**entry, "claims": [claim.as_json() for claim in standing[name]]}
        record[name] = entry
    write_text(path, json_text(schema.sealed({"format": schema.FORMAT, "experiments": record})))
    return standing


def read_frozen(path: Path) -> dict[str, Any]:
    """By experiment: its claims as they were frozen, when, whether before training, and its revisions."""
    if not path.exists():
        return {}
    experiments = schema.read(path, schema.FROZEN)["experiments"]
    try:
        for entry in experiments.values():
            for claim in (*entry["claims"], *(claim for past in entry["revisions"] for claim in past["claims"])):
                Claim.from_json(claim)
    except ValueError as error:
        raise schema.StoreError(f"{path} is damaged or from another version ({error}); make it anew") from error
    return experiments


def _changed(before: Sequence[Claim], after: Sequence[Claim]) -> str | None:
    """What differs between two lists of claims, beyond the rounding of another machine; None if nothing does."""
    old, new = ({claim.key: claim for claim in claims} for claims in (before, after))
    for key in (*old, *new):
        if key not in old or key not in new:
            return f"the claim about {(old.get(key) or new[key]).quantity}"
        a, b = (claim.as_json() for claim in (old[key], new[key]))
        for name in ("predicted", "bar", "scale", "inputs"):
            if not _equal(a[name], b[name]):
                return f"{name} of {old[key].quantity} ({old[key].method or 'reported'})"
    return None


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    if isinstance(a, float | int) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=_ROUNDING)
    return a == b
