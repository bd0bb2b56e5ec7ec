"""Compiled code, stored on disk under a hash of its sources, or compiled again where nothing can be stored."""

import hashlib
import pickle
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import caching

# Private parts of numba's own cache; tests/simulate/kernel/test_cache.py holds them to what is expected of them here.
_FunctionCache: Any = caching.FunctionCache
_DAMAGED = (EOFError, ValueError, TypeError, LookupError, AttributeError, ImportError, pickle.UnpicklingError)


class SourceCache(_FunctionCache):
    """numba's cache of one function, renewed when any of the sources it is made of changes.

    numba looks at the function's own file, at its size and time of change. A function here is compiled from several
    files, and an installation may give files any time; so the content of all of them counts, wherever the cache lies.
    If it cannot be read or written (a full disk, a damaged file), the function is compiled again.
    """

    #: Whether the code needs nothing of numba at run time: no memory of its own, which numba's runtime manages.
    complete = False

    def __init__(self, function: Callable[..., Any], sources: Iterable[Path]) -> None:
        super().__init__(function)
        content = hashlib.sha256()
        for source in sorted(sources):
            content.update(f"{source.name}\0".encode() + source.read_bytes())
        self._cache_file = caching.IndexDataCacheFile(
            cache_path=self._cache_path, filename_base=self._impl.filename_base, source_stamp=content.hexdigest()
        )

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        """Without numba's hash of the cells of a closure: a compiled function in one has another hash in every process.

        What is in the cells is part of the sources, and of the function's name, under which files are kept.
        """
        return sig, codegen.magic_tuple()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Kept code. Before, numba prepares to compile whatever it can, for 0.2 s: complete code does not need it."""
        try:
            if not self.complete:
                return super().load_overload(sig, target_context)
            with self._guard_against_spurious_io_errors():
                return self._load_overload(sig, target_context)
        except OSError:
            return None
        except _DAMAGED:
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            _not_kept()


def compiled_and_kept(*sources: Path, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """numba's compiler with these options, and its result kept as long as the ``sources`` are what they are."""
    decorate: Any = njit  # its stubs do not know every option

    def decorator(function: Callable[..., Any]) -> Any:
        dispatcher = decorate(**options)(function)
        try:
            dispatcher._cache = SourceCache(function, sources)
            dispatcher._cache.complete = options.get("_nrt") is False
        except (RuntimeError, OSError):  # numba finds no folder that it can write
            _not_kept()
        return dispatcher

    return decorator


@cache
def _not_kept() -> None:
    """Say it once a process."""
    warnings.warn(
        "compiled code cannot be kept, so that every process compiles it again, which takes seconds; set "
        "NUMBA_CACHE_DIR to a folder that can be written",
        stacklevel=3,
    )
