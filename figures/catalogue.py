"""Every figure of the package, by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..theory._arguments import require
from . import acquisition, memory, outcomes, scan, style, theory, threshold, transience, verdicts, work_precision
from .picture import Figure, Picture
from .results import MissingResults, Results

_ENTRIES: tuple[Figure, ...] = (
    scan.RACE,
    verdicts.FIGURE,
    scan.MINIMAL,
    scan.OTHER,
    scan.TRANSFORMER,
    scan.COLLAPSE,
    acquisition.CURVES,
    theory.LANDSCAPE,
    memory.CURVES,
    memory.LAW,
    memory.DEPTH,
    acquisition.MINIMAL,
    acquisition.TRANSFORMER,
    acquisition.SPREAD,
    acquisition.BURSTINESS,
    threshold.MINIMAL,
    threshold.TRANSFORMER,
    threshold.KINETICS,
    threshold.BUDGET,
    outcomes.FIGURE,
    transience.CURVES,
    transience.PLANE,
    transience.TIMES,
    transience.LOSSES,
    outcomes.LABELS,
    threshold.AUDIT,
    acquisition.CONTROL,
    theory.PROBABILITY,
    theory.PHASES_OF_DECAY,
    theory.CROSSOVER,
    theory.LADDER,
    work_precision.FIGURE,
)
FIGURES: dict[str, Figure] = {entry.name: entry for entry in _ENTRIES}


def find(name: str) -> list[Figure]:
    """The figure of a name, or those that stand for a figure of the paper, such as "2b".

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> [figure.name for figure in find("4")]
    ['landscape']
    """
    if name in FIGURES:
        return [FIGURES[name]]
    found = [entry for entry in _ENTRIES if name.removeprefix("fig") in entry.paper]
    require(bool(found), "name", f"be a figure of the paper or one of {', '.join(FIGURES)}", name)
    return found


def draw(name: str, results: Results | None = None, ax: Axes | Sequence[Axes] | None = None) -> Canvas:
    """Figure ``name`` (or the first for a figure of the paper), on ``ax`` or on new axes.

    Raises
    ------
    ValueError
        For an unknown name, for results that are missing (the message says which command makes them), or for an
        ``ax`` that does not hold one axes a panel.
    StoreError
        If a file is damaged or from another version; the message names it.

    Examples
    --------
    >>> from matplotlib import pyplot
    >>> ax = draw("exponent_crossover", ax=pyplot.figure().add_subplot()).axes[0]
    >>> [one.get_label() for one in ax.get_lines()][:2]
    ['closed form, $N → ∞$', 'integrated, $N$ = 100']
    """
    return find(name)[0].picture(results).draw(ax)


def available(results: Results) -> Iterator[tuple[Figure, Picture | MissingResults]]:
    """Every figure of the catalogue: its picture, or what it misses in ``results``."""
    for entry in _ENTRIES:
        try:
            yield entry, entry.picture(results)
        except MissingResults as missing:
            yield entry, missing


def save_all(
    results: Results, out: str | os.PathLike[str], suffix: str = ".png", *, newer: bool = False
) -> tuple[list[Path], dict[str, MissingResults]]:
    """Write every figure whose results are there to ``out``; returns the files, and what the others miss.

    With ``newer`` a figure that was drawn after the results were written is left as it is.
    """
    made: list[Path] = []
    missing: dict[str, MissingResults] = {}
    written = (results.directory / "summary.json").stat().st_mtime
    for entry in _ENTRIES:
        path = Path(out) / f"{entry.name}{suffix}"
        if newer and path.exists() and path.stat().st_mtime > written:
            made.append(path)
            continue
        try:
            made.append(style.save(entry.picture(results).draw(), path))
        except MissingResults as why:
            missing[entry.name] = why
    return made, missing
