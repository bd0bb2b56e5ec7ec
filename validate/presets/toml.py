"""Presets from a file: the experiments of the package, put together in TOML."""

from __future__ import annotations

import math
import os
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from ...theory.common.arguments import ArgumentError, choice, require
from .. import experiments as known
from ..sequential import Looks
from ..training.config import Run
from ..training.memory import MemoryTraining
from .base import MINIMAL, TRANSFORMER, Preset, memories

_START = {"minimal": MINIMAL, "transformer": TRANSFORMER}
_TOP = ("name", "description", "note", "looks", "runs", "memories", "extends", "keep", "experiment")


def packaged() -> dict[str, Path]:
    """The presets of the package that stand in TOML files, by name."""
    return {file.stem: file for file in sorted(Path(__file__).parent.glob("*.toml"))}


def experiments_of(name: str) -> list[str] | None:
    """Names of the experiments of a packaged TOML preset, without making them; None if there is no such preset."""
    if name not in packaged():
        return None
    return [str(entry["name"]) for entry in tomllib.loads(packaged()[name].read_text("utf-8"))["experiment"]]


def read_preset(path: str | os.PathLike[str], presets: Mapping[str, Preset]) -> Preset:
    """The preset that a TOML file describes: a path, or the name of one in the package, such as "foreign".

        name = "mine"
        description = "K* at another width"
        extends = "laptop"              # optional: a preset of the package …
        keep = ["memory_law"]           # … and those of its experiments that are kept; all by default
        looks = [0.25, 0.5, 1.0]        # optional: shares of the seeds after which verdicts are looked for

        [runs.narrow]                   # what differs from the package's own "minimal" or "transformer"
        start = "minimal"
        width = 128
        seed = 10

        [memories.alone]                # perceptrons alone: how many seeds at each K, and their settings
        seeds = { 128 = 3, 512 = 3 }
        width = 128

        [[experiment]]                  # a class of iclrace.validate.experiments and its arguments
        kind = "ThresholdScan"
        name = "narrow"
        bar = 1.25
        methods = ["MemoryAlone", "CoupledEquations"]
        scans.n50 = { run = "narrow", task_diversity = [320, 440, 900], seeds = 6, memory = { raw = "alone" } }

    Runs and memories are given by name; nested objects as tables; a class without arguments by its name, one with
    arguments as a table with its ``kind``.

    Raises
    ------
    ValueError
        If the file cannot be read, or names what does not exist; the message gives the place.
    """
    known = packaged()
    file = known.get(str(path), Path(path))
    if not file.is_file():
        choice("preset", str(path), [*presets, *known, "mine"], otherwise="a file")
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(f"Argument 'preset' must be a TOML file, but {file} is none ({error}).") from error
    _only(content, _TOP, f"{file}")
    runs = {name: _run(entry, f"{file}, runs.{name}") for name, entry in content.get("runs", {}).items()}
    alone = {name: _memories(entry, f"{file}, memories.{name}") for name, entry in content.get("memories", {}).items()}
    made: list[Any] = []
    if "extends" in content:
        require(content["extends"] in presets, "preset", f"extend one of {', '.join(presets)}", content["extends"])
        base = presets[content["extends"]]
        made += base.only(content["keep"]).experiments if "keep" in content else base.experiments
    reader = _Reader(runs, alone)
    for i, entry in enumerate(content.get("experiment", [])):
        made.append(reader.kind(entry, f"{file}, experiment {i + 1}"))
    require(len(made) > 0, "preset", "have an experiment", str(file))
    looks = Looks(content["looks"]) if "looks" in content else Looks()
    return Preset(
        str(content.get("name", file.stem)),
        str(content.get("description", "")),
        made,
        str(content.get("note", "")),
        looks,
    )


def _only(entry: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    for name in entry:
        require(name in names, "preset", f"have no entry but {', '.join(names)} ({where})", name)


def _number(value: Any) -> Any:
    return math.inf if value == "inf" else value


def _run(entry: Mapping[str, Any], where: str) -> Run:
    settings = {name: _number(value) for name, value in entry.items()}
    start = settings.pop("start", "minimal")
    require(start in _START, "preset", f"start from one of {', '.join(_START)} ({where})", start)
    try:
        return _START[start].with_(**settings)
    except TypeError as error:
        raise ArgumentError(
            f"Argument 'preset' must name fields of a run or a task, but in {where} {error}."
        ) from error


def _memories(entry: Mapping[str, Any], where: str) -> list[MemoryTraining]:
    settings = dict(entry)
    seeds = settings.pop("seeds", {})
    require(bool(seeds), "preset", f"give seeds for each K ({where})", seeds)
    try:
        return memories({int(k): int(n) for k, n in seeds.items()}, **settings)
    except TypeError as error:
        raise ArgumentError(f"Argument 'preset' must name fields of perceptrons, but in {where} {error}.") from error


class _Reader:
    """Builds objects by the types of their fields."""

    def __init__(self, runs: Mapping[str, Run], alone: Mapping[str, list[MemoryTraining]]) -> None:
        self.runs, self.alone = runs, alone

    def kind(self, entry: Any, where: str) -> Any:
        """An object of a class of ``experiments``: its name, or a table with its ``kind``."""
        arguments = dict(entry) if isinstance(entry, dict) else {"kind": entry}
        name = arguments.pop("kind", None)
        classes = [each for each in known.__all__ if is_dataclass(getattr(known, each))]
        require(name in classes, "preset", f"name a kind among {', '.join(classes)} ({where})", name)
        return self.build(getattr(known, name), arguments, f"{where}, {name}")

    def build(self, cls: Any, arguments: Mapping[str, Any], where: str) -> Any:
        hints = typing.get_type_hints(cls)
        names = [field.name for field in fields(cls)]
        _only(arguments, names, where)
        values = {name: self.value(hints[name], argument, f"{where}.{name}") for name, argument in arguments.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise ArgumentError(f"Argument 'preset' must give all that is needed, but in {where} {error}.") from error

    def value(self, hint: Any, given: Any, where: str) -> Any:
        origin, inner = get_origin(hint), get_args(hint)
        if hint is Run:
            require(given in self.runs, "preset", f"name one of the runs {', '.join(self.runs)} ({where})", given)
            return self.runs[given]
        if isinstance(given, str) and inner and inner[0] is MemoryTraining:
            require(given in self.alone, "preset", f"name one of the memories {', '.join(self.alone)} ({where})", given)
            return self.alone[given]
        if origin in (Union, types.UnionType):
            kinds = [part for part in inner if is_dataclass(part)]
            if kinds and isinstance(given, dict):
                return self.kind(given, where) if "kind" in given else self.build(kinds[0], given, where)
            rest = [part for part in inner if get_origin(part) is not None] if isinstance(given, dict | list) else []
            return self.value(rest[0], given, where) if rest else _number(given)
        if isinstance(given, dict) and origin is not None:
            return {
                int(k) if inner[0] is int else k: self.value(inner[1], entry, f"{where}.{k}")
                for k, entry in given.items()
            }
        if isinstance(given, list):
            return [self.value(inner[0], entry, f"{where}[{i}]") for i, entry in enumerate(given)] if inner else given
        if is_dataclass(hint) and isinstance(given, dict):
            return self.build(hint, given, where)
        return self.kind(given, where) if hint in (known.Method, known.TimeMethod) else _number(given)
