"""What a perceptron trained alone says about its coupling to an attention layer, over the memory's own clock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ..common.arguments import number, require
from ..memory.tables import by_diversity, over_clock, quantiles_over, rising_clock

Array = NDArray[np.float64]

#: Columns of :meth:`MeasuredCoupling.table` before the margins' quantiles.
COLUMNS = ("gain", "mean_gradient", "novel_std", "noise_cost", "slope_square", "self_kernel")


@dataclass(frozen=True, eq=False)
class CouplingRun:
    """One perceptron f trained alone on K layer-normed items, read off over its clock J = ∫⟨σ(−φ)⟩ dt.

    Parameters
    ----------
    task_diversity : float, K >= 1
    clock : array (reading,), increasing from 0
        J in gradient-flow time; its last value is I_K(∞), as far as it was trained.
    c1 : array (reading,)
        ⟨σ(−φ)⟩.
    margins : array (reading, quantile)
        Equally probable quantiles of the margin φ over the items.
    gain : array (reading,), k > 0
        Σ_θ |∂_θ ⟨∇f·v⟩|²/|v|²: how fast the perceptron learns to read a direction v.
    mean_gradient : array (reading,), G² > 0
        |⟨∇f⟩|².
    novel_std : array (reading,), s_φ > 0
        Standard deviation of f on novel items.
    noise_cost : array (reading,), g₂ > 0
        ⟨σ′(φ)|∇f|²⟩.
    slope_square : array (reading,), > 0
        ⟨|∇f|²⟩.
    self_kernel : array (reading,), Θ > 0
        ⟨|∂_θ f(x̂_k) − ⟨∂_θ f⟩|²⟩/K: how fast the memory of an item changes by that item alone.

    Raises
    ------
    ValueError
        If a shape or a range is wrong, or the clock does not increase.
    """

    task_diversity: float
    clock: Array
    c1: Array
    margins: Array
    gain: Array
    mean_gradient: Array
    novel_std: Array
    noise_cost: Array
    slope_square: Array
    self_kernel: Array

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (frozen: set once, here)
        put("task_diversity", number("task_diversity", self.task_diversity, minimum=1.0))
        clock = rising_clock(self.clock)
        put("clock", clock)
        for name in ("c1", *COLUMNS):
            put(name, over_clock(name, getattr(self, name), clock, minimum=0.0, maximum=np.inf, exclusive=True))
        put("margins", quantiles_over(clock, self.margins))

    @property
    def total(self) -> float:
        """I_K(∞), as far as the perceptron was trained."""
        return float(self.clock[-1])


class MeasuredCoupling:
    """The couplings as functions of J/I_K(∞), interpolated in ln K between runs.

    Parameters
    ----------
    runs : sequence of :class:`CouplingRun`
        One or more task diversities, each once; margins with equally many quantiles.

    Raises
    ------
    ValueError
        If ``runs`` is empty or repeats a task diversity, or the quantiles differ.

    Source: docs/reduced_transformer.md.
    """

    def __init__(self, runs: Sequence[CouplingRun]) -> None:
        self.runs, self.task_diversity = by_diversity(runs)
        quantiles = {run.margins.shape[1] for run in self.runs}
        require(len(quantiles) == 1, "margins", "have equally many quantiles in all runs", sorted(quantiles))

    def held(self) -> "MeasuredCoupling":
        """The same memory with k and G² held at their start: circuits that share nothing."""
        return MeasuredCoupling(
            [
                replace(
                    run,
                    gain=np.full_like(run.gain, run.gain[0]),
                    mean_gradient=np.full_like(run.mean_gradient, run.mean_gradient[0]),
                )
                for run in self.runs
            ]
        )

    def total_clock(self, task_diversity: float) -> float:
        """I_K(∞): a power law between neighbouring runs; outside of them that of the outermost pair."""
        low, high, share = self._neighbours(task_diversity)
        return float(np.exp((1 - share) * np.log(low.total) + share * np.log(high.total)))

    def table(self, task_diversity: float, points: int = 257) -> tuple[float, Array]:
        """The readings of one K on an even grid of the clock from 0 to I_K(∞).

        Returns
        -------
        total : float
            I_K(∞).
        table : array (points, 7 + quantile)
            k, G², s_φ, g₂, ⟨|∇f|²⟩, Θ, k at the start, then the margins' quantiles. All but the margins are
            interpolated in their logarithm.
        """
        low, high, share = self._neighbours(task_diversity)
        total = self.total_clock(task_diversity)
        fraction = np.linspace(0.0, 1.0, points)
        share = float(np.clip(share, 0.0, 1.0))  # beyond the runs the outermost one, with the clock stretched
        columns = []
        for name in COLUMNS:
            ends = [np.interp(fraction * run.total, run.clock, np.log(getattr(run, name))) for run in (low, high)]
            columns.append(np.exp((1 - share) * ends[0] + share * ends[1]))
        by_run = [
            np.stack([np.interp(fraction * run.total, run.clock, margin) for margin in run.margins.T], -1)
            for run in (low, high)
        ]
        margins = (1 - share) * by_run[0] + share * by_run[1]
        start = np.full(points, columns[0][0])
        return total, np.column_stack([*columns, start, margins])

    def with_fresh_margins(self, table: Array) -> Array:
        """A table with as many quantiles again: those of the margins of fresh targets, s_φ ξ with ξ ~ N(0, 1)."""
        quantiles = self.runs[0].margins.shape[1]
        middles = ndtri((np.arange(quantiles) + 0.5) / quantiles)
        return np.column_stack([table, table[:, 2:3] * middles])

    def unmemorised(self, points: int = 2) -> tuple[float, Array]:
        """The table of K → ∞: the couplings of the initial perceptron, and no margin, whatever the clock."""
        run = self.runs[-1]
        start = [getattr(run, name)[0] for name in COLUMNS[:-1]]
        row = np.concatenate([start, [0.0, start[0]], np.zeros(run.margins.shape[1])])  # no item comes back: Θ = 0
        return 1.0, np.tile(row, (points, 1))

    def _neighbours(self, task_diversity: float) -> tuple[CouplingRun, CouplingRun, float]:
        """The two runs around K and its place between them in ln K, 0 to 1 inside."""
        diversity = number("task_diversity", task_diversity, minimum=1.0)
        if len(self.runs) == 1:
            return self.runs[0], self.runs[0], 0.0
        i = int(np.clip(np.searchsorted(self.task_diversity, diversity) - 1, 0, len(self.runs) - 2))
        low, high = self.runs[i], self.runs[i + 1]
        share = np.log(diversity / low.task_diversity) / np.log(high.task_diversity / low.task_diversity)
        return low, high, float(share)
