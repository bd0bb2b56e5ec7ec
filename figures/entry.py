"""What a figure of the package is: a name, the figures of the paper that it stands for, and how it is prepared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..theory._arguments import require
from . import style
from .results import Results


@dataclass(frozen=True)
class Picture:
    """A figure ready to be drawn.

    Parameters
    ----------
    caption : str
        What is drawn, with the N, K, D, seeds and budget of the data themselves.
    panels : sequence of callables
        Each draws one panel on the axes it is given as ``ax``.
    height : float, inches
        Of a panel.
    columns : int
        Panels side by side; they then share their axes, unless ``shared`` says no.
    """

    caption: str
    panels: Sequence[Callable[..., Any]]
    height: float = 2.4
    columns: int = 1
    shared: bool = True

    def draw(self, ax: Axes | Sequence[Axes] | None = None) -> Canvas:
        """Draw on ``ax`` (one for each panel), or on new axes of a column's width.

        Raises
        ------
        ValueError
            If ``ax`` does not hold one axes for each panel.
        """
        with style.look():
            axes = self._axes() if ax is None else [ax] if isinstance(ax, Axes) else list(ax)
            require(len(axes) == len(self.panels), "ax", f"hold {len(self.panels)} axes, one a panel", len(axes))
            for panel, one in zip(self.panels, axes, strict=True):
                panel(ax=one)
        canvas = axes[0].get_figure(root=True)
        assert canvas is not None
        return canvas

    def _axes(self) -> list[Axes]:
        count, columns = len(self.panels), self.columns
        rows = -(-count // columns)
        canvas, axes = style.subplots(rows, columns, self.height * rows, share=columns > 1 and self.shared)
        found = list(np.ravel(axes))
        for extra in found[count:]:
            canvas.delaxes(extra)
        return found[:count]


@dataclass(frozen=True)
class Figure:
    """An entry of the catalogue.

    Parameters
    ----------
    name : str
        By content.
    title : str
        One line.
    prepare : callable
        Results → Picture. With ``experiments`` empty it is called with None and needs no results.
    paper : sequence of str
        Figures of the paper that show the same, such as "2b".
    experiments : sequence of str
        Names of the experiments whose results it needs.
    """

    name: str
    title: str
    prepare: Callable[[Any], Picture]
    paper: Sequence[str] = ()
    experiments: Sequence[str] = ()

    @property
    def needs(self) -> str:
        """What must be there, in words."""
        return ", ".join(self.experiments) or "nothing (theory alone)"

    def picture(self, results: Results | None = None) -> Picture:
        """The figure for a results folder; ``ValueError`` says which command makes what is missing."""
        if not self.experiments:
            return self.prepare(results)
        require(results is not None, "results", f"be given: {self.name} needs {self.needs}", results)
        return self.prepare(results)
