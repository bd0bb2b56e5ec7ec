"""Results of many calls as one: numbers, tuples, dictionaries and dataclasses, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Path = tuple[Any, ...]


class Leaves(NamedTuple):
    """The arrays (point, …) that results hold, by their place in them, and one result to put them together like."""

    arrays: dict[Path, NDArray[Any]]
    like: Any
    size: int

    def matrix(self, sample: Leaves) -> NDArray[np.float64]:
        """Numbers (point, leaf) in the order of ``sample``; NaN where a result has none."""
        columns = []
        for path, leaf in sample.arrays.items():
            if leaf.dtype.kind == "U":
                continue
            values = self.arrays.get(path, np.full((self.size, *leaf.shape[1:]), np.nan))
            columns.append(values.reshape(self.size, -1))
        return np.concatenate(columns, axis=1, dtype=np.float64)

    def taken(self, place: NDArray[np.intp]) -> Leaves:
        """Those of the points ``place``, some of them repeatedly."""
        return Leaves({path: array[place] for path, array in self.arrays.items()}, self.like, place.size)

    def filled(self, matrix: NDArray[np.float64]) -> Leaves:
        """Other numbers (point, leaf) in the same places."""
        arrays, first = {}, 0
        for path, leaf in self.arrays.items():
            if leaf.dtype.kind == "U":  # a name, the same everywhere
                arrays[path] = np.broadcast_to(leaf[:1], (len(matrix), *leaf.shape[1:]))
                continue
            last = first + int(np.prod(leaf.shape[1:], dtype=np.int64))
            arrays[path] = matrix[:, first:last].reshape(-1, *leaf.shape[1:])
            first = last
        return Leaves(arrays, self.like, len(matrix))


def leaves(result: Any, size: int, shared: bool) -> Leaves:
    """The leaves of one call for ``size`` points; ``shared`` if it returned for all of them what it would for one."""
    by_path: dict[Path, NDArray[Any]] = {}
    for path, value in _walk(result, ()):
        array = np.asarray(value)
        by_path[path] = np.broadcast_to(array, (size, *array.shape)) if shared or array.ndim == 0 else array
    return Leaves(by_path, result, size)


def joined(parts: Sequence[Leaves], groups: Sequence[NDArray[np.intp]]) -> Leaves:
    """Parts with the indices that their points have; what one part holds and another does not is NaN there."""
    size = sum(part.size for part in parts)
    arrays: dict[Path, NDArray[Any]] = {}
    for path, array in ((path, array) for part in parts for path, array in part.arrays.items()):
        if path in arrays:
            continue
        own = [part.arrays.get(path) for part in parts]
        missing = any(leaf is None for leaf in own)
        kind = np.result_type(*(leaf for leaf in own if leaf is not None), *([np.float64] if missing else []))
        arrays[path] = np.full((size, *array.shape[1:]), np.nan if missing else 0, dtype=kind)
        for leaf, members in zip(own, groups, strict=True):
            if leaf is not None:
                arrays[path][members] = leaf
    like = max((part for part in parts), key=lambda part: len(part.arrays)).like
    return Leaves(arrays, like, size)


def build(by_path: Leaves, shape: tuple[int, ...]) -> Any:
    """The result whose leaves are arrays of ``shape``, followed by their own."""
    return _built(
        by_path.like, (), {path: array.reshape(*shape, *array.shape[1:]) for path, array in by_path.arrays.items()}
    )


def _children(result: Any) -> list[tuple[Any, Any]] | None:
    """Names and parts of what holds others."""
    if isinstance(result, dict):
        return list(result.items())
    if isinstance(result, tuple):
        return list(enumerate(result))
    if is_dataclass(result):
        return [(field.name, getattr(result, field.name)) for field in fields(result)]
    return None


def _walk(result: Any, path: Path) -> list[tuple[Path, Any]]:
    children = _children(result)
    if children is None:
        return [] if result is None else [(path, result)]
    return [leaf for name, child in children for leaf in _walk(child, (*path, name))]


def _built(like: Any, path: Path, arrays: dict[Path, NDArray[Any]]) -> Any:
    children = _children(like)
    if children is None:
        return None if like is None else arrays[path]
    parts = {name: _built(child, (*path, name), arrays) for name, child in children}
    if isinstance(like, dict):
        return parts
    if isinstance(like, tuple):
        return type(like)(*parts.values()) if hasattr(like, "_fields") else tuple(parts.values())
    return type(like)(**parts)
