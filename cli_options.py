"""Options that several commands share: lists and ranges of numbers, outputs that are refused before work begins."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer

#: A range holds no more values than this: ``1:1e9:1`` is a slip of the pen.
MOST_VALUES = 100_000
#: Whole numbers below this are whole as floats, too.
_EXACT = 2**53
PICTURES = (".png", ".svg", ".pdf")


def numbers(text: str | float) -> list[float]:
    """The numbers of ``25,50,inf`` and of ``10:100:10``, which is 10, 20, … 100 with both ends; whole ones as int."""
    if not isinstance(text, str):  # a default, which is a number already
        return [text]
    found: list[float] = []
    for part in text.split(","):
        try:
            ends = [float(one) for one in part.split(":")]
        except ValueError:
            ends = []
        if len(ends) == 3:
            found += [float(f"{ends[0] + i * ends[2]:.12g}") for i in range(_count(*ends))]
        elif len(ends) == 1:
            found += ends
        if len(ends) not in (1, 3) or not found:
            raise typer.BadParameter(f"must be numbers such as 25,50,100 or 10:100:10, but it is {text!r}")
    return [int(one) if abs(one) < _EXACT and one == int(one) else one for one in found]


def reals(text: str | float) -> list[float]:
    """The same numbers, all of them floats: a run is stored under the numbers that it was given, 1 or 1.0."""
    return [float(one) for one in numbers(text)]


def _count(first: float, last: float, step: float) -> int:
    """How many values lead from first to last, both ends included; 0 where the step leads nowhere."""
    if not all(map(math.isfinite, (first, last, step))) or step == 0:
        return 0
    steps = (last - first) / step
    return math.floor(steps + 1e-9) + 1 if 0 <= steps < MOST_VALUES else 0


def _joined(values: list[Any] | None) -> list[float] | None:
    """All values of an option that was given once or several times."""
    return None if values is None else [one for part in values for one in (numbers(part) if _single(part) else part)]


def _single(part: Any) -> bool:
    return not isinstance(part, list)


def several(*names: str, help: str, parser: Callable[[Any], list[Any]] = numbers) -> Any:
    """An option whose value is a list, a range, or several of either."""
    return typer.Option(*names, parser=parser, callback=_joined, metavar="NUMBERS", help=help)


#: The same for what a run is stored under.
values = partial(several, parser=reals)


def _one(kind: Callable[[str], float], called: str) -> Any:
    """An option whose value is one number."""

    def parse(text: str | float) -> float:
        try:
            return kind(text) if isinstance(text, str) else text
        except ValueError:
            raise typer.BadParameter(f"must be one {called}, but it is {text!r}") from None

    return partial(typer.Option, parser=parse, metavar=called.split()[-1].upper())


whole, real = _one(int, "whole number"), _one(float, "number")


def combinations(**options: Sequence[Any]) -> Iterator[tuple[dict[str, Any], SimpleNamespace]]:
    """Every combination of the options' values, the last one's fastest: what varies in it, for a row, and all of it."""
    varied = [name for name, values in options.items() if len(values) > 1]
    for ones in product(*options.values()):
        at = dict(zip(options, ones, strict=True))
        yield {name: at[name] for name in varied}, SimpleNamespace(**at)


def told(values: Sequence[Any]) -> str:
    """The values of an option as a title tells them."""
    return ", ".join(
        "∞" if one == math.inf else f"{one:g}" if isinstance(one, int | float) else str(one) for one in values
    )


def writable(option: str, *endings: str) -> Callable[[Path | None], Path | None]:
    """Refuses a file that could not be written, or of a kind that is not known, before anything is computed for it."""

    def check(path: Path | None) -> Path | None:
        if path is None:
            return None
        given = f"but it is {str(path)!r}"
        if endings and path.suffix.lower() not in endings:
            raise typer.BadParameter(f"must be a file that ends in {_either(endings)}, {given}", param_hint=option)
        if path.is_dir():
            raise typer.BadParameter(f"must be a file, but {str(path)!r} is a folder", param_hint=option)
        there = next(place for place in (path, *path.absolute().parents) if place.exists())
        if not os.access(there, os.W_OK) or (there != path and not there.is_dir()):
            raise typer.BadParameter(f"must be a file that can be written, {given}", param_hint=option)
        return path

    return check


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", callback=writable("--csv"), help="Also write the table to this file.")
]
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", callback=writable("--plot", *PICTURES), help="Also draw the curve: .png, .svg or .pdf."),
]
