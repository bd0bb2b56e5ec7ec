"""A memory law read off runs of the memory circuit alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from ..common.arguments import broadcast, integer, number, real, require
from ..common.labels import by_name
from .tables import Table, by_diversity, columns_by_run, over_clock, quantiles_over, rising_clock

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MemoryRun:
    """One run of the memory circuit alone at one task diversity: c1, c2, c3 and margins against the clock I_K.

    Parameters
    ----------
    task_diversity : float, K >= 1
    clock : array (time,), increasing from 0
        I_K = ∫ c1 dt, in gradient-flow time.
    c1 : array (time,)
        ⟨σ(−φ)⟩ over the training items.
    c2, c3 : arrays (time,), optional
        1 − ⟨σ(−φ)²⟩/c1 and ⟨e^{−φ}⟩. Without them every item has one margin, and c2 = 1 − c1, c3 = c1/(1 − c1).
    total : float >= clock[-1], optional
        I_K(∞); the last clock reading if it is not given.
    margins : array (time, quantile), optional
        Equally probable quantiles of the margin φ. Without them every item has the margin −logit(c1).

    Raises
    ------
    ValueError
        If a shape or a range is wrong, or the clock does not increase.

    Source: docs/derivation.md, "memory law".

    Examples
    --------
    >>> run = MemoryRun(250, clock=[0.0, 30.0, 53.0], c1=[0.5, 0.1, 0.002], c2=[0.5, 0.9, 1.0], c3=[1.0, 0.1, 0.002])
    >>> run.total
    53.0
    """

    task_diversity: float
    clock: Array
    c1: Array
    c2: Array | None = None
    c3: Array | None = None
    total: float | None = None
    margins: Array | None = None

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (frozen: set once, here)
        put("task_diversity", number("task_diversity", self.task_diversity, minimum=1.0))
        clock = rising_clock(self.clock)
        put("clock", clock)
        c1 = np.clip(real("c1", self.c1, minimum=0.0, maximum=1.0), 0.0, 1.0 - 1e-16)
        put("c2", 1.0 - c1 if self.c2 is None else self.c2)
        put("c3", c1 / (1.0 - c1) if self.c3 is None else self.c3)
        for name, maximum in (("c1", 1.0), ("c2", 1.0), ("c3", np.inf)):
            put(name, over_clock(name, getattr(self, name), clock, minimum=0.0, maximum=maximum))
        total = clock[-1] if self.total is None else self.total
        put("total", number("total", total, minimum=float(clock[-1]), finite=False))
        if self.margins is None:
            put("margins", -logit(np.clip(self.c1, 1e-300, 1.0 - 1e-16))[:, None])
        else:
            put("margins", quantiles_over(clock, self.margins))

    def tail(self, depth: int = 3) -> float:
        """Clock that a homogeneous network of this depth would still gain beyond the last reading.

        There dI/dφ ∝ φ^{−q}, q = 2 − 2/L, so the rest is φ_end/(q − 1) times dI/dφ at the end, read off the last
        e-fold of c1. It is gained exponentially slowly, and no training budget sees all of it.
        """
        depth = integer("depth", depth, minimum=3)
        margin = -logit(np.clip(self.c1, 1e-300, 1.0 - 1e-16))
        end = float(margin[-1])
        require(end >= 2.0, "c1", "end below 0.12 before a tail can be told", float(self.c1[-1]))
        before = float(np.interp(end - 1.0, np.maximum.accumulate(margin), self.clock))
        return (float(self.clock[-1]) - before) * (end - 0.5) / (1.0 - 2.0 / depth)

    def read(self, name: str, fraction: Array) -> Array:
        """Column ``name`` at the clock ``fraction`` · I_K(∞), linear between readings and constant beyond the last."""
        assert self.total is not None
        column = np.asarray(getattr(self, name))
        clock = fraction * self.total
        if column.ndim == 1:
            return np.interp(clock, self.clock, column)
        return np.stack([np.interp(clock, self.clock, values) for values in column.T], axis=-1)


class MeasuredMemory:
    """Memory law measured on the memory circuit alone, indexed by its own clock J = ∫⟨σ(−φ − z)⟩ dt.

        dJ/dt = ⟨σ(−φ − z)⟩,    c1, c2, c3 and the margins: functions of J/I_K(∞), interpolated in ln K between runs

    Alone, J = I_K. The law is exact enough up to acquisition. After it, z ≫ 1 makes the circuit work on its worst
    margins first, which no table of a run alone can know: use :class:`PowerLawMemory` or co-integration there.

    Parameters
    ----------
    runs : sequence of :class:`MemoryRun`
        One or more task diversities, each once. With a single run K is fixed and no threshold can be read off.
    rate_ratio : float, r > 0
        Learning rate of the memory circuit over that of the attention; it divides every clock by r.

    Raises
    ------
    ValueError
        If ``runs`` is empty, repeats a task diversity, or the total clock does not increase with K.

    Source: docs/derivation.md, "memory law"; paper, section 5.

    Examples
    --------
    >>> memory = MeasuredMemory.from_runs(
    ...     task_diversity=[250, 500],
    ...     clock=[[0.0, 53.0], [0.0, 81.0]],
    ...     c1=[[0.5, 0.002]] * 2, c2=[[0.5, 1.0]] * 2, c3=[[1.0, 0.002]] * 2,
    ... )
    >>> round(float(memory.critical_diversity(70.7)), 1)   # where I_K(∞) reaches the clock at acquisition
    400.4
    """

    def __init__(self, runs: Sequence[MemoryRun], rate_ratio: float = 1.0) -> None:
        self.runs, self.task_diversity = by_diversity(runs)
        self.rate_ratio = number("rate_ratio", rate_ratio, minimum=0.0, exclusive=True)
        self.total = np.array([run.total for run in self.runs], dtype=np.float64)
        rising = bool(np.all(np.diff(self.total) > 0))
        require(rising, "runs", "have a total clock that increases with K", self.total.tolist())

    @classmethod
    def from_runs(
        cls,
        task_diversity: Sequence[float],
        clock: Sequence[ArrayLike],
        c1: Sequence[ArrayLike],
        c2: Sequence[ArrayLike] | None = None,
        c3: Sequence[ArrayLike] | None = None,
        total: Sequence[float] | None = None,
        margins: Sequence[ArrayLike] | None = None,
        rate_ratio: float = 1.0,
    ) -> MeasuredMemory:
        """Build the law from one entry per run in every argument (see :class:`MemoryRun`)."""
        shape = real("task_diversity", task_diversity, minimum=1.0).shape
        require(len(shape) == 1, "task_diversity", "have shape (run,)", shape)
        columns = {"clock": clock, "c1": c1, "c2": c2, "c3": c3, "total": total, "margins": margins}
        given = {name: column for name, column in columns.items() if column is not None}
        for name, column in given.items():
            require(len(column) == len(task_diversity), name, f"have {len(task_diversity)} runs", len(column))
        runs = [
            MemoryRun(diversity, **{name: column[i] for name, column in given.items()})  # pyright: ignore[reportArgumentType]
            for i, diversity in enumerate(task_diversity)
        ]
        return cls(runs, rate_ratio)

    @classmethod
    def from_table(cls, table: Table, rate_ratio: float = 1.0) -> MeasuredMemory:
        """The law of a table with a row for each reading: a mapping, data frame, dataset or CSV file.

        Parameters
        ----------
        table : mapping of columns, pandas.DataFrame, xarray.Dataset, or path of a CSV file
            ``task_diversity`` K, ``c1`` = ⟨σ(−φ)⟩, and ``time`` or ``clock`` I_K = ∫ c1 dt, or both; ``c2`` and ``c3``
            where known (:class:`MemoryRun`). Other columns are passed over.
        rate_ratio : float, r > 0

        Raises
        ------
        ValueError
            If a column is missing or no number, or a clock is not the integral of c1 over time.

        Examples
        --------
        >>> time = [0.0, 40.0, 80.0, 160.0]
        >>> memory = MeasuredMemory.from_table({
        ...     "task_diversity": [250] * 4 + [500] * 4, "time": time * 2,
        ...     "c1": [0.5, 0.4, 0.1, 0.002, 0.5, 0.45, 0.35, 0.01],
        ... })
        >>> memory.total.round(2).tolist(), round(float(memory.critical_diversity(40.0)))
        ([32.08, 49.4], 356)
        """
        runs = [MemoryRun(**run) for run in columns_by_run(table)]
        return cls(runs, rate_ratio)

    @by_name
    def total_clock(self, task_diversity: ArrayLike) -> Array:
        """I_K(∞)/r, a power law between neighbouring runs and beyond the outermost ones."""
        diversity = real("task_diversity", task_diversity, minimum=1.0, finite=False)
        if len(self.runs) == 1 and np.all(diversity == self.task_diversity[0]):
            return np.full(diversity.shape, self.total[0] / self.rate_ratio)
        return _power_law(diversity, self.task_diversity, self.total) / self.rate_ratio

    @by_name
    def critical_diversity(self, clock: ArrayLike) -> Array:
        """The K at which I_K(∞)/r = ``clock``; the inverse of :meth:`total_clock`."""
        clock = real("clock", clock, minimum=0.0, finite=False)
        return _power_law(clock * self.rate_ratio, self.total, self.task_diversity)

    def critical_interval(self, clock: float, depth: int = 3) -> tuple[float, float]:
        """Bounds on :meth:`critical_diversity`: with the homogeneous tail added to every total, and as measured.

        Where the table does not reach ``clock``, the bound on that side is the table's end or nothing at all (1, ∞).
        """
        low, high = critical_intervals(self, np.asarray(number("clock", clock, minimum=0.0, finite=False)), depth)
        return float(low), float(high)

    def local_exponent(self) -> Array:
        """ν between neighbouring runs: d ln I_K(∞)/d ln K, of shape (run − 1,)."""
        return np.diff(np.log(self.total)) / np.diff(np.log(self.task_diversity))

    @by_name
    def field(self, state: ArrayLike, residual: ArrayLike, task_diversity: ArrayLike) -> Array:
        """dJ/dt = r · residual with the state J in the circuit's own units, whatever K."""
        state, residual = real("state", state, minimum=0.0), real("residual", residual, minimum=0.0, maximum=1.0)
        diversity = real("task_diversity", task_diversity, minimum=1.0, finite=False)
        return self.rate_ratio * broadcast(residual=residual, state=state, task_diversity=diversity)[0]

    def margins(self, state: ArrayLike, task_diversity: float | None = None) -> tuple[Array, Array]:
        """Margin quantiles (..., quantile) at clock J, and equal weights."""
        table = self._read("margins", state, task_diversity)
        return table, np.full(table.shape[-1], 1.0 / table.shape[-1])

    @by_name
    def c1(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """⟨σ(−φ)⟩ at clock J."""
        return self._read("c1", state, task_diversity)

    @by_name
    def c2(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """1 − ⟨σ(−φ)²⟩/c1 at clock J."""
        return self._read("c2", state, task_diversity)

    @by_name
    def c3(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """⟨e^{−φ}⟩ at clock J."""
        return self._read("c3", state, task_diversity)

    def _read(self, name: str, state: ArrayLike, task_diversity: float | None) -> Array:
        state = real("state", state, minimum=0.0)
        if task_diversity is None:
            require(len(self.runs) == 1, "task_diversity", "be given when there are several runs", task_diversity)
            task_diversity = float(self.task_diversity[0])
        task_diversity = number("task_diversity", task_diversity, minimum=1.0, finite=False)
        return curves_at(self, name, state[None], np.array([task_diversity]))[0]


def _power_law(x: Array, xp: Array, fp: Array) -> Array:
    """ln-ln interpolation, continued beyond the ends with the slope of the outermost pair."""
    require(len(xp) >= 2, "runs", "hold two or more task diversities for a law in K", len(xp))
    with np.errstate(divide="ignore"):
        x, xp, fp = np.log(x), np.log(xp), np.log(fp)
    i = np.clip(np.searchsorted(xp, x) - 1, 0, len(xp) - 2)
    slope = (fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i])
    with np.errstate(over="ignore"):
        return np.exp(fp[i] + slope * (x - xp[i]))


def critical_intervals(memory: MeasuredMemory, clock: Array, depth: int = 3) -> tuple[Array, Array]:
    """:meth:`MeasuredMemory.critical_interval` of many readings, without checks."""
    upper = np.asarray(memory.critical_diversity(clock))
    totals = memory.total + np.array([run.tail(depth) if run.total == run.clock[-1] else 0.0 for run in memory.runs])
    lower = _power_law(np.asarray(clock * memory.rate_ratio, dtype=np.float64), totals, memory.task_diversity)
    first, last = memory.task_diversity[0], memory.task_diversity[-1]
    inside = np.where(lower >= first, lower, 1.0)
    low = np.where(upper < first, 1.0, np.where(upper > last, np.minimum(last, lower), inside))
    return low, np.where(upper < first, first, np.where(upper > last, np.inf, upper))


def curves_at(memory: MeasuredMemory, name: str, state: Array, task_diversity: Array) -> Array:
    """A curve at states (point, …), each point of its own K, without checks."""

    def across(values: Array, like: Array) -> Array:  # of a point, along the other axes
        return values.reshape(-1, *(1,) * (like.ndim - 1))

    fraction = state / across(memory.total_clock(task_diversity) * memory.rate_ratio, state)
    upper = np.searchsorted(memory.task_diversity, task_diversity)
    parts, places = [], []
    for right in np.unique(upper):
        rows = np.flatnonzero(upper == right)
        if right in (0, len(memory.runs)):  # beyond the table the outermost run is rescaled by its total clock
            part = memory.runs[min(right, len(memory.runs) - 1)].read(name, fraction[rows])
        else:
            low, high = memory.runs[right - 1], memory.runs[right]
            share = np.log(task_diversity[rows] / low.task_diversity)
            share = share / np.log(high.task_diversity / low.task_diversity)
            first, second = low.read(name, fraction[rows]), high.read(name, fraction[rows])
            part = (1.0 - across(share, first)) * first + across(share, second) * second
        parts.append(part)
        places.append(rows)
    return np.concatenate(parts)[np.argsort(np.concatenate(places), kind="stable")]
