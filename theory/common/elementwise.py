"""Functions of one task and single numbers, called with arrays: one call for each of few, few calls for many."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import wraps
from inspect import BoundArguments, signature
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..numerics.chebyshev import NODES, interpolated
from ..task import COUNTS, NUMBERS, Task
from .arguments import broadcast, instance, named, numbers
from .leaves import Leaves, build, joined, leaves

P = ParamSpec("P")
R = TypeVar("R")
Array = NDArray[np.float64]
Points = dict[str, Array]

#: Points from which on they are interpolated, where a call is needed for each of more than :data:`FEW`, and where one
#: call finds them all.
MANY, FEW, TOGETHER = 200, 24, 500
#: Panels at first along one argument, or each of several, that a call takes arrays of; of others there is one.
FIRST, FIRST_OF_SEVERAL = 16, 4
#: A number that every function takes, by the argument's name or else for all, where an array of it is empty.
PLACEHOLDERS = {"context_length": 100, "task_diversity": 1000.0, "dimension": 63.0, "label_std": 1.0, "copies": 1,
                "score_std": 0.0, "accuracy": 0.9, "decay": 1e-3}  # fmt: skip
PLACEHOLDER = 0.1
#: Points looked at for repetitions, and the share of them that differ from which on there are too few.
SAMPLED, FRESH = 1000, 0.98


def elementwise(
    *,
    single: Iterable[str] = (),
    arrays: Iterable[str] = (),
    smooth: Iterable[str] = (),
    ignored: Iterable[str] = (),
    costly: bool | Callable[[dict[str, Any]], bool] = False,
    first: int | None = None,
    drawn: bool = True,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function of one task, and of one number for each of ``single``, take arrays in them, which broadcast.

    ``arrays`` are the task's numbers and arguments of which it takes flat arrays. Without one elsewhere it is called as
    it is;
    else once for each task and set of numbers, and what it returns is put together: numbers to an array of the
    broadcast shape, tuples, dictionaries and dataclasses to one of arrays, None to NaN. Values at many points are
    interpolated in the task's numbers and arguments named by ``smooth``, to 1e-6 where their logarithms are smooth,
    rather than found by a call each, and those of a ``costly`` function (with some arguments, if that is said by a
    function of them) also where one call finds them all, from ``first`` panels along what it takes arrays of.
    ``ignored`` are the task's numbers that it does not look at. Rough scores are ``drawn`` for each N and m, between
    which nothing is smooth then, unless the function integrates over them. What is asked for repeatedly is found once.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        known = signature(function)

        @wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                bound = known.bind(*args, **kwargs)
            except TypeError:
                return function(*args, **kwargs)  # says what is wrong with the arguments
            given = bound.arguments
            if "task" in given:
                instance("task", given["task"], Task)
            task_columns = _of_task(given.get("task"))
            columns = task_columns | {
                name: numbers(name, given[name]) for name in (*single, *arrays) if _several(given.get(name))
            }
            counted, apart = _sums(given, drawn)
            keys = tuple(n for n in columns if n not in ignored and (n in counted | apart or n not in arrays))
            dear = costly(given) if callable(costly) else costly
            calls = Calls(function, bound, keys, dear, first)
            shape = broadcast(**columns)[0].shape if columns else ()
            few = not dear or math.prod(shape) < TOGETHER
            if not calls.keys and not task_columns and few:
                return function(*args, **kwargs)
            passive = {name: column.flat[0] for name, column in task_columns.items() if name in ignored and column.size}
            if passive:
                given["task"] = given["task"].at(**passive)
            if math.prod(shape) == 0:  # the result of one point says what none looks like
                columns = {name: x if x.size else _placeholder(name) for name, x in columns.items()}
                one = calls.each({name: x.ravel()[:1] for name, x in columns.items()})
                return build(one.taken(np.zeros(0, dtype=np.intp)), shape)
            points = {name: np.broadcast_to(x, shape).ravel() for name, x in columns.items() if name not in ignored}
            if not points:  # nothing that counts differs
                name, column = next(iter(columns.items()))
                points, calls.keys = {name: np.full(math.prod(shape), column.flat[0])}, (name,)
            for column in points.values():  # no number equals NaN: the first is refused before any are compared
                if np.isnan(column).any():
                    calls.each({name: x[[np.argmax(np.isnan(column))]] for name, x in points.items()})
            points, place = _distinct(points)
            found = calls.at(points, set(smooth) - apart)
            return build(found if place is None else found.taken(place), shape)

        return wrapped

    return decorate


def _placeholder(name: str) -> Array:
    return np.array([PLACEHOLDERS.get(name, PLACEHOLDER)], dtype=np.float64)


def _several(value: object) -> bool:
    try:
        return not named(value) and np.ndim(value) > 0  # pyright: ignore[reportArgumentType]
    except ValueError:
        return False  # ragged: the function itself refuses it


def _of_task(task: object) -> Points:
    if not isinstance(task, Task):
        return {}
    return {name: np.asarray(getattr(task, name), dtype=np.float64) for name in NUMBERS if np.ndim(getattr(task, name))}


def _sums(given: dict[str, Any], drawn: bool) -> tuple[set[str], set[str]]:
    """What a function takes one of at a call, as its sums are over so many labels; and what it is not smooth in,
    whatever it says, as scores are drawn for so many pairs."""
    over, numbers_of = {**given.get("over", {}), **given}, {"context_length", "copies"}
    rough = drawn and np.any(np.asarray(getattr(given.get("task"), "score_std", 0.0)) > 0.0)
    return numbers_of if over.get("average") == "binomial" else set(), numbers_of if rough else set()


class Calls:
    """Calls of a function with single numbers in the places of ``keys``, and arrays in the others."""

    def __init__(
        self,
        function: Callable[..., Any],
        bound: BoundArguments,
        keys: tuple[str, ...],
        costly: bool,
        first: int | None = None,
    ) -> None:
        self.function, self.bound, self.keys, self.costly, self.first = function, bound, keys, costly, first

    def at(self, points: Points, smooth: set[str]) -> Leaves:
        """What is returned at points, flat columns of one length."""
        if not self._many(points):
            return self.each(points)
        # where a number is infinite, or nothing is smooth in it, other points tell nothing
        apart = [np.where(np.isfinite(x), 0.0, x) if name in smooth else x for name, x in points.items()]
        groups = _groups(dict(zip(points, apart, strict=True)))
        values_at = []
        for members in groups:
            part = {name: column[members] for name, column in points.items()}
            axes = [name for name in points if name in smooth and part[name].min() < part[name].max()]
            many = self._many(part) and NODES ** len(axes) < members.size
            values_at.append(self.between(part, axes) if many and axes else self.each(part))
        return joined(values_at, groups)

    def _many(self, points: Points) -> bool:
        """Whether interpolation may need fewer calls, or fewer points, than there are."""
        size = next(iter(points.values())).size
        if not self.keys:
            return self.costly and size >= TOGETHER
        places = {name: points[name] for name in self.keys}
        few = {name: column[: 4 * FEW] for name, column in places.items()}  # where they differ, these do already
        return size >= MANY and (_coded(few)[0].size > FEW or _coded(places)[0].size > FEW)

    def between(self, points: Points, axes: list[str]) -> Leaves:
        """Interpolated along ``axes``, at whose nodes the task's numbers need not be integers."""
        logs = {name: points[name].min() > 0.0 and points[name].max() > 2.0 * points[name].min() for name in axes}
        # what is out of range is refused here, since nodes may lie within it
        ends = np.array([end for column in points.values() for end in (column.argmin(), column.argmax())])
        sample = self.each({name: column[ends] for name, column in points.items()})

        def function(nodes: Array) -> Array:
            here = {name: np.full(nodes.shape[1], column[0]) for name, column in points.items()}
            here |= {name: np.exp(x) if logs[name] else x for name, x in zip(axes, nodes, strict=True)}
            return self.each(here).matrix(sample)

        at = np.array([np.log(points[name]) if logs[name] else points[name] for name in axes])
        several = self.first or (FIRST if len(axes) == 1 else FIRST_OF_SEVERAL)
        panels = [1 if name in self.keys else several for name in axes]
        return sample.filled(interpolated(function, at, panels))

    def each(self, points: Points) -> Leaves:
        """One call for all points that differ in what the function takes arrays of."""
        size = next(iter(points.values())).size
        groups = _groups({name: points[name] for name in self.keys}) if self.keys else [np.arange(size)]
        shared = not set(points) > set(self.keys)
        return joined([leaves(self._call(points, members), members.size, shared) for members in groups], groups)

    def _call(self, points: Points, members: NDArray[np.intp]) -> Any:
        place = {name: _number(name, float(points[name][members[0]])) for name in self.keys}
        columns = place | {name: column[members] for name, column in points.items() if name not in self.keys}
        given = self.bound.arguments
        here = {name: columns.get(name, value) for name, value in given.items()}
        if isinstance(given.get("task"), Task):
            here["task"] = given["task"].at(**{name: value for name, value in columns.items() if name in NUMBERS})
        call = BoundArguments(self.bound.signature, OrderedDict(here))
        return self.function(*call.args, **call.kwargs)


def _number(name: str, value: float) -> float:
    return int(value) if name in COUNTS and value.is_integer() else value


def _distinct(points: Points) -> tuple[Points, NDArray[np.intp] | None]:
    """The points that differ, and the place of each among them; None where hardly any is repeated."""
    size = next(iter(points.values())).size
    sample = slice(None, None, max(1, size // SAMPLED))
    if size < MANY or _coded({name: x[sample] for name, x in points.items()})[0].size > FRESH * min(size, SAMPLED):
        return points, None
    first, place = _coded(points)
    return {name: column[first] for name, column in points.items()}, place


def _coded(points: Points) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index of the first of each kind of point, and every point's kind."""
    code = np.zeros(next(iter(points.values())).size, dtype=np.intp)
    first = code[:1]
    for column in points.values():
        if column.min() < column.max():
            values, which = np.unique(column, return_inverse=True)
            _, first, code = np.unique(code * values.size + which.ravel(), return_index=True, return_inverse=True)
    return first, code.ravel()


def _groups(points: Points) -> list[NDArray[np.intp]]:
    """Points that have the same numbers, as indices."""
    first, kind = _coded(points)
    if first.size == 1:
        return [np.arange(kind.size)]
    return np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind))[:-1])
