"""The conditions of a results folder: what was measured at each, what was predicted, and what calibrated it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import xarray as xr

from ...theory import Estimate
from ...theory.common.arguments import choice, require
from ..claim import Claim
from ..frozen import ProtocolError
from ..place import PARTS, At
from ..summary import read_summary
from ..training.store import read_dataset

#: Fewer conditions than this cannot distinguish predictors.
FEWEST = 3


def _none(*_: str) -> None:
    return None


@dataclass(frozen=True)
class Condition:
    """One condition as a predictor sees it: where it is, and its calibration runs, but nothing that was measured.

    Parameters
    ----------
    at : mapping from the name of a coordinate to its value
        ``context_length``, ``dimension``, ``width``, ``rate_ratio``, … (:data:`iclrace.validate.place.SYMBOLS`).
    predictions : mapping from the name of a method to its prediction, frozen before the networks were trained
    runs : callable
        Calibration dataset by its kind: "scrambled", "endless", "coupling", "memory_layer-normed"; None if it is not
        stored.
    sees : sequence of str
        The kinds that may be requested.
    """

    at: Mapping[str, At]
    predictions: Mapping[str, Estimate] = field(default_factory=dict)
    runs: Callable[[str], xr.Dataset | None] = _none
    sees: Sequence[str] = ()

    def calibration(self, kind: str) -> xr.Dataset | None:
        """The calibration runs of a kind; ``ProtocolError`` for one that the predictor does not list in ``sees``."""
        if kind not in self.sees:
            raise ProtocolError(f"a predictor asks for {kind!r} runs, but lists only {', '.join(self.sees) or 'none'}")
        return self.runs(kind)

    def value(self, name: str, plain: float = math.nan) -> float:
        """A coordinate as a number; ``plain`` where it is no number, or left out because it is the usual one."""
        value = self.at.get(name, plain)
        return float(value) if isinstance(value, int | float) else math.nan


@dataclass(frozen=True)
class Known:
    """A condition, what was measured at it, and the stored networks that it was measured on; None if they are not."""

    condition: Condition
    measured: Estimate
    networks: Callable[[], xr.Dataset | None] = _none

    @property
    def closed(self) -> bool:
        """Whether the measurement has two ends: a scan that does not cross 3/4 gives only one."""
        return 0 < self.measured.low <= self.measured.high < math.inf

    def seen_by(self, sees: Sequence[str]) -> Known:
        """The same for a predictor, which may ask for these kinds of calibration runs and is not shown the networks."""
        return replace(self, condition=replace(self.condition, sees=tuple(sees)), networks=_none)


def conditions(
    results: str | os.PathLike[str], quantity: str = "K*", network: str = "transformer", part: str = "whole"
) -> list[Known]:
    """The conditions of a folder at which ``quantity`` was measured: :func:`conditions_of` its claims.

    Raises
    ------
    ValueError
        If the folder holds no results, or fewer than three such conditions.
    StoreError
        If a file is damaged.
    """
    directory = Path(results)
    choice("part", part, PARTS)
    claims = read_summary(directory).claims.select(quantity=quantity, network=network, part=part)

    def read(experiment: str, label: str) -> xr.Dataset | None:
        path = directory / f"{experiment}_{label}.nc"
        return read_dataset(path) if path.exists() else None

    known = conditions_of(claims, read)
    require(
        len(known) >= FEWEST, "results", f"hold {FEWEST} or more conditions at which {quantity} of the {network} was "
        "measured", f"{directory}, with {len(known)}",
    )  # fmt: skip
    return known


def conditions_of(claims: Iterable[Claim], read: Callable[[str, str], xr.Dataset | None]) -> list[Known]:
    """The conditions of claims about one quantity, each once, in their order.

    Of a condition that several experiments have measured the first measurement with two ends stands, with that
    experiment's own predictions: a scan that ended too early gives way to the one that was made because of it.

    Parameters
    ----------
    claims : of one quantity
    read : callable
        The stored calibration runs of an experiment by their label, such as "scrambled_n15"; None if there are none.
    """
    by_place: dict[tuple[tuple[str, At], ...], dict[str, list[Claim]]] = {}
    for claim in claims:
        place = tuple(sorted(claim.at.items()))
        by_place.setdefault(place, {}).setdefault(claim.experiment, []).append(claim)
    known = []
    for measurements in by_place.values():
        usable = list(filter(None, (_known(claims, read) for claims in measurements.values())))
        known += [next((candidate for candidate in usable if candidate.closed), usable[0])] if usable else []
    return known


def _known(claims: Sequence[Claim], read: Callable[[str, str], xr.Dataset | None]) -> Known | None:
    """One experiment's claims about one condition."""
    first, measured = claims[0], claims[0].measured
    if not isinstance(measured, Estimate):
        return None
    predictions = {claim.method: claim.predicted for claim in claims if isinstance(claim.predicted, Estimate)}

    @cache
    def runs(kind: str) -> xr.Dataset | None:
        return read(first.experiment, f"{kind}_{first.data[0]}")

    return Known(Condition(first.at, predictions, runs), measured, lambda: read(first.experiment, first.data[0]))
