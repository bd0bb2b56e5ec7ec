"""The door: arguments in, calls, tables and progress bars out.

What stands here is there before anything is imported, so that Ctrl-C ends a command in one line from its first moment.
"""

import os
import signal
from contextlib import suppress
from types import FrameType

#: Exit code after Ctrl-C, as shells have it: 128 and the number of the signal.
INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # in a thread, to which no signal comes
            signal.signal(signal.SIGINT, _interrupt)
    try:
        from .app import run

        run()
    except KeyboardInterrupt:
        _end()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ends an import at once: an exception that is raised there comes out as a traceback, or as another error."""
    at = frame
    while at is not None:
        if at.f_code.co_filename.startswith("<frozen importlib"):
            _end()
        at = at.f_back
    signal.default_int_handler(number, frame)


def _end() -> None:
    os.write(2, b"iclrace: interrupted\n")
    os._exit(INTERRUPTED)
