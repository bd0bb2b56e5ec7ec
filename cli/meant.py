"""What somebody meant who typed an option that there is not: by what else it is called, or by its spelling."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

#: Options by other names that they go by: symbols, words of other libraries, words for the same.
_ALSO = {
    "task-diversity": ["k", "items", "classes", "tasks", "num-tasks"],
    "context-length": ["n", "length", "len", "len-context", "seq-len", "context"],
    "dimension": ["d", "dim"],
    "beta0": ["beta", "b0"],
    "w0": ["w"],
    "decay": ["lambda", "weight-decay", "wd", "l2"],
    "learning-rate": ["lr", "eta", "rate"],
    "rate-ratio": ["r", "ratio"],
    "budget": ["t", "time", "until", "steps", "epochs", "end", "max-time", "t-max"],
    "batch-size": ["batch", "bs"],
    "optimiser": ["optimizer", "opt"],
    "exponent": ["nu"],
    "amplitude": ["a"],
    "copies": ["m", "burstiness"],
    "width": ["hidden", "d-model", "h"],
    "layers": ["l"],
    "seeds": ["seed", "repeats", "num-seeds"],
    "frequency-exponent": ["alpha"],
    "noise": ["epsilon", "eps"],
    "where": ["filter", "query", "select"],
    "experiment": ["only", "experiments"],
    "results": ["folder", "dir", "directory", "input"],
    "out": ["output", "save", "o", "folder", "dir", "directory", "store", "file"],
    "store": ["out", "folder"],
    "plot": ["figure", "draw", "save-plot"],
    "csv": ["output", "save", "table", "out"],
}


def meant(asked: str, options: list[str]) -> list[str]:
    """The options of a command, as they are typed, that ``asked`` may have meant; none that is merely as short.

    Examples
    --------
    >>> meant("--lambda", ["--beta0", "--decay"]), meant("--bugdet", ["--budget", "--json"]), meant("--nu", ["--json"])
    (['--decay'], ['--budget'], [])
    """
    plain = asked.lstrip("-").lower().replace("_", "-")
    also = [f"--{name}" for name, others in _ALSO.items() if plain in others or plain == name]
    return [name for name in also if name in options] or get_close_matches(f"--{plain}", options, n=2, cutoff=0.7)


def explained(error: Any) -> str:
    """What a usage error says, with what was meant where that can be told."""
    options = [name for option in error.ctx.command.params for name in option.opts] if error.ctx is not None else []
    message: str = error.format_message()
    asked = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and asked is not None:
        near = meant(asked, options)
        return f"No such option: {asked}." + (f" Did you mean {' or '.join(near)}?" if near else "")
    if message.startswith("Got unexpected extra argument") and "--preset" in options:
        return f"{message}. A preset is given as --preset NAME."
    return message
