"""Options that several commands share: lists and ranges of numbers, outputs that are refused before work begins."""

from __future__ import annotations

import inspect
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

#: A range holds no more values than this: ``1:1e9:1`` is a slip of the pen.
MOST_VALUES = 100_000
#: Whole numbers below this are whole as floats, too.
_EXACT = 2**53
PICTURES = (".png", ".svg", ".pdf")


def numbers(text: str | float) -> list[float]:
    """The numbers of ``25,50,inf`` and of ``10:100:10``, which is 10, 20, … 100 with both ends; whole ones as int."""
    if not isinstance(text, str):  # a default, which is a number already
        return [text]
    listed: list[float] = []
    for part in text.split(","):
        try:
            ends = [float(end) for end in part.split(":")]
        except ValueError:
            ends = []
        if len(ends) == 3:
            listed += [float(f"{ends[0] + i * ends[2]:.12g}") for i in range(_count(*ends))]
        elif len(ends) == 1:
            listed += ends
        if len(ends) not in (1, 3) or not listed:
            raise typer.BadParameter(f"must be numbers such as 25,50,100 or 10:100:10, but it is {text!r}")
    return [int(number) if abs(number) < _EXACT and number == int(number) else number for number in listed]


def reals(text: str | float) -> list[float]:
    """The same numbers as floats, so that a run has one address whether 1 or 1.0 was given."""
    return [float(number) for number in numbers(text)]


def _count(first: float, last: float, step: float) -> int:
    """How many values lead from first to last, both ends included; 0 where the step leads nowhere."""
    if not all(map(math.isfinite, (first, last, step))) or step == 0:
        return 0
    steps = (last - first) / step
    return math.floor(steps + 1e-9) + 1 if 0 <= steps < MOST_VALUES else 0


def _joined(values: list[Any] | None) -> list[float] | None:
    """All values of an option that was given once or several times."""
    if values is None:
        return None
    return [number for part in values for number in (part if isinstance(part, list) else numbers(part))]


def option(kind: Any, *names: str, help: str, default: Any = None, **settings: Any) -> tuple[Any, Any]:
    """An option for :func:`with_options`: its annotation and its default; the argument's own name is its first."""
    annotation = kind | None if default is None else kind
    return Annotated[annotation, typer.Option(*names, help=help, **settings)], default


text = partial(option, str)


def argument(kind: Any, help: str, default: Any = inspect.Parameter.empty) -> tuple[Any, Any]:
    """The same for what is given without a name; it may be left out where there is a default."""
    return Annotated[kind, typer.Argument(help=help)], default


def flag(name: str, help: str) -> tuple[Any, Any]:
    return option(bool, name, help=help, default=False)


def several(*names: str, parser: Callable[[Any], list[Any]] = numbers, **settings: Any) -> tuple[Any, Any]:
    """An option whose value is a list, a range, or several of either."""
    return option(list[float], *names, parser=parser, callback=_joined, metavar="NUMBERS", **settings)


#: The same as floats, for settings that a run is stored under.
values = partial(several, parser=reals)


def _single(kind: Callable[[str], float], called: str) -> Callable[..., tuple[Any, Any]]:
    """An option whose value is one number."""

    def parse(text: str | float) -> float:
        try:
            return kind(text) if isinstance(text, str) else text
        except ValueError:
            raise typer.BadParameter(f"must be one {called}, but it is {text!r}") from None

    return partial(option, kind, parser=parse, metavar=called.split()[-1].upper())


whole, real = _single(int, "whole number"), _single(float, "number")


def combinations(**options: Sequence[Any]) -> Iterator[tuple[dict[str, Any], SimpleNamespace]]:
    """Every combination of the options' values, the last option fastest: those that vary, for a row, and all."""
    varied = [name for name, values in options.items() if len(values) > 1]
    for values in product(*options.values()):
        at = dict(zip(options, values, strict=True))
        yield {name: at[name] for name in varied}, SimpleNamespace(**at)


def checked(compute: Callable[[SimpleNamespace], Any], /, **options: Sequence[Any]) -> list[Any]:
    """Every combination, after ``compute`` has been rehearsed with all: a bad last one is refused before the first."""
    from ..theory.common.rehearsal import rehearsal

    every = list(combinations(**options))
    for _, at in every:
        with rehearsal():
            compute(at)
    return every


def lists(given: Any, order: str) -> dict[str, Any]:
    """The named options, in this order, for :func:`combinations`."""
    return {name: getattr(given, name) for name in order.split()}


def in_words(values: Sequence[Any]) -> str:
    """The values of an option, for a title."""
    return ", ".join(
        "∞" if value == math.inf else f"{value:g}" if isinstance(value, int | float) else str(value) for value in values
    )


class Once(TyperCommand):
    """A command that refuses an option of one value given twice, of which only the last would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given: list[Any] = self.make_parser(ctx).parse_args(args=list(args))[2]
        for parameter in given:
            alone = getattr(parameter, "is_flag", False) or getattr(parameter, "multiple", False)
            if given.count(parameter) > 1 and not alone:
                raise typer.BadParameter("must be given once", ctx=ctx, param=parameter)
        return super().parse_args(ctx, args)


def with_options(**table: tuple[Any, Any]) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Give a command these options in this order, each as (annotation, default); it is called with their values."""

    def decorate(command: Callable[[Any], None]) -> Callable[..., None]:
        def called(**values: Any) -> None:
            command(SimpleNamespace(**values))

        called.__name__, called.__doc__ = command.__name__, command.__doc__
        parameters = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in table.items()
        ]
        called.__annotations__ = {name: annotation for name, (annotation, _) in table.items()}
        called.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
        return called

    return decorate


def writable(option: str, *endings: str) -> Callable[[Path | None], Path | None]:
    """Refuses a file that could not be written, or of a kind that is not known, before anything is computed for it."""

    def check(path: Path | None) -> Path | None:
        if path is None:
            return None
        given = f"but it is {str(path)!r}"
        if endings and path.suffix.lower() not in endings:
            raise typer.BadParameter(f"must be a file that ends in {_either(endings)}, {given}", param_hint=option)
        try:
            if path.is_dir():
                raise typer.BadParameter(f"must be a file, but {str(path)!r} is a folder", param_hint=option)
            _try_to_write(path)
        except OSError:
            raise typer.BadParameter(f"must be a file that can be written, {given}", param_hint=option) from None
        return path

    return check


def _try_to_write(path: Path) -> None:
    """Make the folders of ``path`` and a file in them, and remove both; what is there stays as it is.

    Permissions alone do not tell: root has all of them, and still no file can be made in /proc.
    """
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(path)
    lacking = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    finally:
        for folder in lacking:  # the innermost first
            with suppress(OSError):
                folder.rmdir()


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def option_name(argument: str) -> str:
    """How an argument is called on the command line: ``--task-diversity``."""
    return f"--{argument.replace('_', '-')}"


#: What every command that prints a table takes.
TABLE = {
    "as_json": flag("--json", "Print JSON instead of a table."),
    "csv_file": option(Path, "--csv", callback=writable("--csv"), help="Also write the table to this file."),
}
#: What every command that prints a curve takes.
OUTPUTS = {
    **TABLE,
    "plot": option(
        Path, "--plot", callback=writable("--plot", *PICTURES), help="Also draw the curve: .png, .svg or .pdf."
    ),
}
