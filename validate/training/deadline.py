"""Work that ends when its time is up, with everything saved, so that the same call goes on later."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ...theory.common.arguments import number

_DEADLINE: ContextVar[float] = ContextVar("_DEADLINE", default=math.inf)


class OutOfTime(Exception):
    """The hours given are over; what was trained is saved, and the same call continues from there."""


@contextmanager
def time_limit(hours: float | None) -> Iterator[None]:
    """While this lasts, trainings that look with :func:`check` end after ``hours``, h > 0; None for no limit.

    Raises
    ------
    ValueError
        If ``hours`` is not positive.
    """
    if hours is not None:
        number("hours", hours, minimum=0.0, exclusive=True)
    token = _DEADLINE.set(math.inf if hours is None else time.monotonic() + 3600 * hours)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def is_over() -> bool:
    """Whether the time is up."""
    return time.monotonic() >= _DEADLINE.get()


def check() -> None:
    """Raise :class:`OutOfTime` if the time is up."""
    if is_over():
        raise OutOfTime
