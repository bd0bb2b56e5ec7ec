"""Items of the user's own in place of Gaussian ones: K of them are learnt, the others are novel."""

from __future__ import annotations

import hashlib
import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...theory.common.arguments import ArgumentError, real, require

Array = NDArray[np.float64]

_registered: dict[str, Array] = {}


def register_items(name: str, items: Any) -> str:
    """Make an array (R, D) of items known as ``Run(items=name)``; returns the name.

    Every network draws its K training items from the R rows without replacement, under its own seed; what it does not
    draw is novel to it, and the ICL test is made of it. For K → ∞ every sequence draws its items from all rows, with
    fresh labels. The theory's items have |x|² = 1 on average: scale yours so, or read times and β accordingly.

    Raises
    ------
    ValueError
        For an empty name, or an array that is not two-dimensional with four or more finite rows.

    Examples
    --------
    >>> import numpy as np
    >>> register_items("signs", np.sign(np.random.default_rng(0).normal(size=(64, 16))) / 4)
    'signs'
    """
    require(isinstance(name, str) and bool(name), "name", "be a word", name)
    rows = real("items", items)
    require(rows.ndim == 2 and len(rows) >= 4, "items", "have shape (R, D) with four or more rows", rows.shape)
    _registered[name] = rows.copy()
    return name


def name_of(items: Any) -> str:
    """A name for an array: by its content, registered under it."""
    rows = real("items", items)
    return register_items(f"items {_hash(rows)}", rows)


def items_named(name: str) -> Array:
    """The registered items (R, D) of that name, or those that "package.module:name" imports.

    What is imported may be an array, or a function without arguments that returns one.
    """
    if name not in _registered and ":" in name:
        register_items(name, _imported(name))
    known = ", ".join(_registered) or "none is registered"
    must = f'be an array, a name given to register_items ({known}), or the name of an array as "package.module:name"'
    require(name in _registered, "items", must, name)
    return _registered[name]


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        imported = getattr(importlib.import_module(module), attribute)
        return imported() if callable(imported) else imported
    except (ImportError, AttributeError, ValueError) as error:
        raise ArgumentError(
            f"Argument 'items' must name an array as \"package.module:name\", but {name!r} cannot be imported: {error}."
        ) from error


def content_of(name: str) -> str:
    """Hash of the items, a part of the address of what is trained on them."""
    return _hash(items_named(name))


def _hash(rows: Array) -> str:
    head = repr(rows.shape).encode()
    return hashlib.sha256(head + np.ascontiguousarray(rows).tobytes()).hexdigest()[:20]
