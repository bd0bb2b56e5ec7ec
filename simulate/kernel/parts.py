"""The compilers of the two kinds of compiled functions: entry points, which Python calls, and their parts.

Both are compiled by :mod:`.lighter` where numba is of the series whose private parts that module knows, and by numba's
own compiler, in twice the time, where it is not.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
from numba import njit, types

from .cache import compiled_and_kept

_KNOWN_SERIES = (0, 68)


def _lighter(name: str) -> dict[str, Any]:
    """numba's option for the compiler of that name in :mod:`.lighter`, or none."""
    if numba.version_info[:2] != _KNOWN_SERIES:
        return {}
    from . import lighter

    return {"pipeline_class": getattr(lighter, name)}


def _refuse(name: str, *_: Any, **__: Any) -> None:
    raise TypeError(f"{name} is a part of other compiled functions; Python cannot call it")


def part(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """The compiler of a part, which has no code of its own: a call from Python is a TypeError.

    It is compiled once for all integers, which numba would do again for every constant.
    """
    decorate: Any = njit  # its stubs do not know every option

    def decorator(function: Callable[..., Any]) -> Any:
        dispatcher = decorate(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_lighter("PartCompiler"), **options)(
            function
        )
        template = dispatcher.get_call_template
        dispatcher.get_call_template = lambda args, kws: template(tuple(map(types.unliteral, args)), kws)
        # numba would jump to the code that a part has not; without its table of entries it asks for one to be compiled.
        dispatcher.add_overload = lambda made: dispatcher.overloads.update({tuple(made.signature.args): made})
        dispatcher._compile_for_args = partial(_refuse, function.__qualname__)
        return dispatcher

    return decorator


def entry_point(*sources: Path, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """The compiler of an entry point, whose code is kept as long as the ``sources`` are what they are."""
    return compiled_and_kept(*sources, no_cfunc_wrapper=True, **_lighter("EntryCompiler"), **options)
