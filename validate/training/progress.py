"""Progress with time left: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10.0


class Bar:
    """One piece of work: :meth:`update` takes the fraction done and a short note.

    Use it as a context manager. It writes to standard error, so that tables and ``--json`` stay clean.
    """

    def __init__(self, description: str, *, show: bool = True) -> None:
        self.description = description
        self.show = show
        self.console = Console(stderr=True)
        self.progress: Progress | None = None
        self.task = TaskID(0)
        self.started = self.last_line = time.monotonic()

    def __enter__(self) -> Bar:
        self.started = self.last_line = time.monotonic()
        if self.show and self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.percentage:>3.0f}%"))
            self.progress = Progress(
                *columns, TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=self.console
            )
            self.progress.start()
            self.task = self.progress.add_task(self.description, total=1.0, note="")
        return self

    def update(self, fraction: float, note: str = "") -> None:
        if self.progress is not None:
            self.progress.update(self.task, completed=fraction, note=note)
        elif self.show and time.monotonic() - self.last_line > _SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            elapsed = self.last_line - self.started
            left = f", {elapsed * (1 - fraction) / fraction:.0f} s left" if fraction > 0 else ""
            print(f"{self.description}: {100 * fraction:.0f} %{left}  {note}", file=sys.stderr, flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress is not None:
            self.progress.stop()
