"""Rehearsals: a call whose arguments are checked, and which ends where computing would begin.

Of several calls the last may be refused after the first has computed for minutes. Rehearsed first, they all are refused
before: whoever computes says where that begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

_REHEARSING: ContextVar[bool] = ContextVar("_REHEARSING", default=False)


class _Ended(BaseException):
    """The end of a rehearsal; nobody between mistakes it for an error."""


def computing_begins() -> None:
    """All arguments are checked. Ends a rehearsal; does nothing otherwise."""
    if _REHEARSING.get():
        raise _Ended


@contextmanager
def rehearsal() -> Iterator[None]:
    """Inside, a call checks its arguments and computes nothing; the block ends with it.

    Examples
    --------
    >>> def call(x):
    ...     if x < 0:
    ...         raise ValueError("x must be positive")
    ...     computing_begins()
    ...     print("computed")
    >>> with rehearsal():
    ...     call(1)
    >>> call(1)
    computed
    """
    token = _REHEARSING.set(True)
    try:
        with suppress(_Ended):
            yield
    finally:
        _REHEARSING.reset(token)
