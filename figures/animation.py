"""The race as it is run: a GIF that grows with training time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..theory.common.arguments import require
from ..theory.common.files import written_whole
from . import style
from .results import Results
from .scan import draw_race, scans

_STEPS, _PAUSE = 60, 30  # frames while networks are trained, and with all of them at their end
_PER_SECOND = 12
_RESOLUTION = 220  # dots per inch: 750 pixels of a column, the width at which a README is read


def animate_race(results: Results, path: str | os.PathLike[str]) -> Path:
    """Write :func:`~iclrace.figures.scan.draw_race` of the folder's first scan as a GIF that loops with a pause.

    Parameters
    ----------
    results : Results
        With the experiment "threshold".
    path : path
        Ends in .gif.

    Returns
    -------
    Path
        The file. Training runs for 5 s; its end is shown for 2.5 s.

    Raises
    ------
    ValueError
        For another ending.
    MissingResults
        Where the folder holds no scan.
    """
    target = Path(path)
    require(target.suffix.lower() == ".gif", "path", "end in .gif", str(path))
    scan = scans(results, "threshold")[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    with style.look(), plt.rc_context({"savefig.bbox": "standard"}):
        canvas, ax = style.subplots(1, 1, 2.8)
        draw_race(scan.runs, scan.predicted("I*"), ax=ax, title=scan.title)
        canvas.canvas.draw()
        canvas.set_layout_engine("none")  # axes that do not move from frame to frame
        moving, final = _moving(ax), float(scan.runs.time.max())
        times = np.concatenate([np.linspace(0.0, final, _STEPS), np.full(_PAUSE, final)])
        animation = FuncAnimation(canvas, lambda t: _until(moving, t), times, init_func=list, repeat=False)
        with TemporaryDirectory() as folder, written_whole(target) as partial:
            film = Path(folder) / "race.gif"  # pillow goes by the ending
            animation.save(film, writer=PillowWriter(fps=_PER_SECOND), dpi=_RESOLUTION)
            shutil.copyfile(film, partial)
        plt.close(canvas)
    return target


def _moving(ax: Axes) -> list[tuple[Line2D, np.ndarray, np.ndarray]]:
    """Lines of networks and their dots and crosses, with their data; theory stays as it is."""
    still = {line for line in ax.get_lines() if line.get_linestyle() in ("--", ":")}
    return [(line, *np.array(line.get_data(), dtype=float)) for line in ax.get_lines() if line not in still]


def _until(moving: list[tuple[Line2D, np.ndarray, np.ndarray]], end: float) -> list[Line2D]:
    """Show what is known at a time."""
    for line, time, clock in moving:
        line.set_data(time[time <= end], clock[time <= end])
    return [line for line, *_ in moving]
