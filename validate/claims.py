"""Lists of claims: filtered by their fields, and as tables."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import xarray as xr

from ..theory.common.arguments import require
from .claim import Claim, names
from .place import SYMBOLS, UNITS
from .values import Answer, PValue, Value, ends

if TYPE_CHECKING:
    from pandas import DataFrame

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_FIELDS = ("experiment", "quantity", "network", "part", "method", "verdict", "scale", "seeds", "bar")
_COORDINATES = {symbol: name for name, symbol in SYMBOLS.items()} | {name: name for name in SYMBOLS}


class Claims(Sequence[Claim]):
    """Claims of a folder, in the order of their experiments.

    Examples
    --------
    >>> from iclrace.theory import Estimate
    >>> made = [Claim("K*", "minimal", Estimate.exact(100.0 * n), 1.2, at={"context_length": n}) for n in (25, 50)]
    >>> [claim.predicted.value for claim in Claims(made).where("quantity == K* and N > 30")]
    [5000.0]
    """

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._claims = tuple(claims)

    @overload
    def __getitem__(self, index: int) -> Claim: ...
    @overload
    def __getitem__(self, index: slice) -> Claims: ...
    def __getitem__(self, index: int | slice) -> Claim | Claims:
        return Claims(self._claims[index]) if isinstance(index, slice) else self._claims[index]

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._claims)

    @property
    def names(self) -> list[str]:
        """Each claim in words."""
        return names(self._claims)

    def select(self, **fields: Any) -> Claims:
        """The claims whose fields or coordinates have these values; a tuple or a list stands for any of its members."""
        for name in fields:
            _known(name)

        def fits(claim: Claim) -> bool:
            pairs = [(_read(claim, name), wanted) for name, wanted in fields.items()]
            return all(
                value in wanted if isinstance(wanted, tuple | list | set) and not isinstance(value, tuple)
                else value == wanted
                for value, wanted in pairs
            )  # fmt: skip

        return Claims(claim for claim in self if fits(claim))

    def where(self, condition: str) -> Claims:
        """The claims that meet every comparison of ``condition``, joined by ``and``.

        A comparison is a field or a coordinate (by name or symbol), one of ``== != < <= > >=``, and a value. A claim
        without that coordinate does not meet it.

        Raises
        ------
        ValueError
            For a name or a comparison that is not known.
        """
        tests = [_test(part) for part in re.split(r"\s+and\s+", condition.strip())]
        return Claims(claim for claim in self if all(test(claim) for test in tests))

    def experiments(self) -> dict[str, Claims]:
        """The claims by experiment."""
        return {name: self.select(experiment=name) for name in dict.fromkeys(claim.experiment for claim in self)}

    def rows(self) -> list[dict[str, Any]]:
        """One flat row a claim: its fields, its coordinates under their names, and both values with their ends."""
        return [_row(claim) for claim in self]

    def to_xarray(self) -> xr.Dataset:
        """Every field over the dimension ``claim``; numbers that a claim does not have are NaN, words empty."""
        rows = self.rows()
        columns: dict[str, Any] = {}
        for name in dict.fromkeys(name for row in rows for name in row):
            values = [row.get(name) for row in rows]
            if all(value is None or isinstance(value, int | float) for value in values):
                column = np.array([math.nan if value is None else float(value) for value in values])
            else:
                column = np.array(["" if value is None else str(value) for value in values])
            columns[name] = ("claim", column)
        dataset = xr.Dataset(columns)
        return dataset.assign_attrs({f"unit of {quantity}": unit for quantity, unit in UNITS.items()})

    def to_dataframe(self) -> DataFrame:
        """The rows as a table of pandas, which must be installed."""
        from pandas import DataFrame

        return DataFrame(self.rows())


def _row(claim: Claim) -> dict[str, Any]:
    row: dict[str, Any] = {name: _read(claim, name) for name in _FIELDS}
    for name, value in claim.at.items():
        row[name] = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    for name, value in (("predicted", claim.predicted), ("measured", claim.measured), ("compared", claim.compared)):
        row |= _columns(name, value)
    needs = claim.verdict
    return row | {"needs_seeds": needs.seeds, "needs_hours": needs.hours}


def _columns(name: str, value: Value | None) -> dict[str, Any]:
    bounds = None if value is None else ends(value)
    if bounds is not None:
        return dict(zip((name, f"{name}_low", f"{name}_high"), bounds, strict=True))
    answer = value.yes if isinstance(value, Answer) else value.p if isinstance(value, PValue) else None
    return {name: None if answer is None else float(answer), f"{name}_low": None, f"{name}_high": None}


def _known(name: str) -> str:
    known = _COORDINATES.get(name, name)
    require(known in _FIELDS or known in SYMBOLS, "where", f"name one of {', '.join((*_FIELDS, *SYMBOLS))}", name)
    return known


def _read(claim: Claim, name: str) -> Any:
    if name == "verdict":
        return claim.verdict.kind
    return getattr(claim, name) if name in _FIELDS else claim.at.get(_COORDINATES.get(name, name))


def _test(comparison: str) -> Callable[[Claim], bool]:
    match = re.fullmatch(r"\s*([\w*./ ]+?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*", comparison)
    if match is None or re.search(r"\sor\s|[=!<>]=", match[3]):
        require(False, "where", "be comparisons such as 'quantity == K*', joined by and", comparison)
        raise AssertionError
    name, sign, text = match.groups()
    name, compare = _known(name), _OPERATORS[sign]
    text = text.strip("'\"")
    try:
        wanted: Any = float("inf" if text == "∞" else text)
    except ValueError:
        wanted = text
    require(
        sign in ("==", "!=") or not isinstance(wanted, str), "where", f"compare {name} by {sign} with a number", text
    )

    def meets(claim: Claim) -> bool:
        value = _read(claim, name)
        if value is None or isinstance(value, tuple):
            return False
        if isinstance(value, str) != isinstance(wanted, str):
            return sign == "!="
        return compare(value, wanted)

    return meets
