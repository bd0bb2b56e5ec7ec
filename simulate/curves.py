"""Theory curves from the full equations: phase diagram, acquisition times, transience, balanced contexts."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..theory import Memory, Task
from ..theory.common.arguments import instance, number
from ..theory.decay.phases import PHASES
from .model import CoupledModel
from .sweep import beta0_quantiles, sweep

if TYPE_CHECKING:
    import xarray as xr


def phase_diagram(
    task: Task,
    memory: Memory,
    context_length: ArrayLike,
    task_diversity: ArrayLike,
    *,
    budget: float = 1e6,
    beta0_mean: float = 0.0,
    beta0_std: float = 1.0,
    draws: int = 64,
    **options: Any,
) -> xr.Dataset:
    """P(acquire | N, K) within a budget, over β0 ~ N(mean, std²), from the coupled equations.

    Parameters
    ----------
    task : Task
        Its ``context_length`` and ``task_diversity`` are replaced by those on the axes.
    memory : PowerLawMemory or MeasuredMemory
    context_length, task_diversity : array_like
        Axes N and K.
    budget : float > 0
        Gradient-flow time.
    beta0_mean, beta0_std, draws
        Distribution of β0, represented by ``draws`` quantiles.
    **options
        Passed to :func:`sweep` (``cache``, ``rtol``, ``progress``, …).

    Returns
    -------
    xarray.Dataset
        ``probability`` and ``median_time`` over (context_length, task_diversity); ``failed``, the share of
        trajectories without an answer, which count in neither.

    Raises
    ------
    ValueError
        As :func:`sweep`.

    Source: paper, section 5 and figure 6a.

    Examples
    --------
    >>> from iclrace.theory import PowerLawMemory, Task
    >>> data = phase_diagram(Task(50), PowerLawMemory(3.9, 0.7), [50], [20, 400, 20000], draws=16)
    >>> data["probability"].values[0].round(2).tolist()
    [0.12, 0.75, 1.0]
    """
    axes = {
        "context_length": context_length,
        "task_diversity": task_diversity,
        "beta0": beta0_quantiles(beta0_mean, beta0_std, draws),
    }
    data = sweep(CoupledModel(task, memory), axes, _until(budget), stop="acquired", **options)
    return _probabilities(data).assign_attrs(budget=budget)


def _until(budget: float) -> tuple[float, float]:
    return 0.0, number("budget", budget, minimum=0.0, exclusive=True)


def _probabilities(data: xr.Dataset) -> xr.Dataset:
    """Share acquiring, median time and share of failures over the draws of β0."""
    solved = data["status"] <= 2
    acquired = data["time_acquired"].notnull()
    times = data["time_acquired"].where(acquired, np.inf).where(solved)
    result = acquired.sum("beta0") / solved.sum("beta0")
    # the least time by which half have acquired, as Kaplan and Meier's: the mean of two would make infinity of one
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # where all draws failed there is none
        median = times.quantile(0.5, "beta0", method="inverted_cdf").drop_vars("quantile")
    summary = {"probability": result, "median_time": median, "failed": 1.0 - solved.mean("beta0")}
    return data.drop_vars(list(data.data_vars)).drop_vars("beta0").assign(summary)


def coupled_acquisition_distribution(
    task: Task,
    context_length: ArrayLike,
    *,
    memory: Memory | None = None,
    budget: float = 1e7,
    beta0_mean: float = 0.0,
    beta0_std: float = 1.0,
    draws: int = 1024,
    **options: Any,
) -> xr.Dataset:
    """Distribution of the acquisition time over β0 ~ N(mean, std²), censored at a budget.

    Parameters
    ----------
    task : Task
    context_length : array_like
        Axis N.
    memory : optional
        None for K → ∞.
    budget : float > 0
        Times beyond it are censored: NaN in ``time_acquired``, counted in ``censored``.
    beta0_mean, beta0_std, draws, **options
        As for :func:`phase_diagram`.

    Returns
    -------
    xarray.Dataset
        ``time_acquired`` (context_length, beta0), ``quantile_time`` (context_length, quantile) with ``inf`` where the
        quantile is censored, ``censored`` and ``failed`` (context_length).

    Raises
    ------
    ValueError
        As :func:`sweep`.

    Source: paper, section 4 and figure 6b.

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> data = coupled_acquisition_distribution(Task(50), [50, 100], draws=200)
    >>> [round(float(t)) for t in data["quantile_time"].sel(quantile=0.5)]
    [140, 275]
    """
    axes = {"context_length": context_length, "beta0": beta0_quantiles(beta0_mean, beta0_std, draws)}
    data = sweep(CoupledModel(task, memory), axes, _until(budget), stop="acquired", **options)
    solved = data["status"] <= 2
    censored = data["time_acquired"].isnull() & solved
    times = data["time_acquired"].where(~censored, np.inf).where(solved)
    # an order statistic: interpolating next to a censored time would make a number of an infinity
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    quantiles = times.quantile(levels, "beta0", method="inverted_cdf")
    return data[["time_acquired"]].assign(
        quantile_time=quantiles, censored=censored.mean("beta0"), failed=1.0 - solved.mean("beta0")
    ).assign_attrs(budget=budget)  # fmt: skip


def transience(
    task: Task,
    memory: Memory,
    decay: ArrayLike,
    task_diversity: ArrayLike,
    *,
    budget: float = 1e6,
    beta0: float = 0.0,
    **options: Any,
) -> xr.Dataset:
    """Phases of training over (λ, K), and when ICL is acquired and lost.

    Parameters
    ----------
    task : Task
    memory : PowerLawMemory
        A measured law knows nothing of the memory after acquisition.
    decay : array_like, λ >= 0
        Decay of w and β alike.
    task_diversity : array_like
        Axis K.
    budget : float > 0
        Gradient-flow time within which a phase is named.
    beta0 : float
    **options
        Passed to :func:`sweep`.

    Returns
    -------
    xarray.Dataset
        ``phase`` over (decay, task_diversity): 0 no ICL, 1 transient, 2 lasting, −1 failed; ``time_acquired``,
        ``time_lost`` (the loss of ICL against λ) and ``duration`` between them, NaN where there is none.

    Raises
    ------
    ValueError
        As :func:`sweep`.

    Source: paper, section 5, figures 6d and A6.

    Examples
    --------
    >>> from iclrace.theory import PowerLawMemory, Task
    >>> data = transience(Task(100), PowerLawMemory(3.9, 0.7), [0.0, 1e-3, 3e-3], [1000], budget=1e5)
    >>> [PHASES[code] for code in data["phase"].values[:, 0]]
    ['lasting', 'transient', 'no ICL']
    """
    axes = {"decay": decay, "task_diversity": task_diversity, "beta0": [number("beta0", beta0)]}
    data = sweep(CoupledModel(task, memory), axes, _until(budget), **options).squeeze("beta0", drop=True)
    acquired, lost = data["time_acquired"].notnull(), data["time_lost"].notnull()
    phase = (acquired.astype(np.int8) * 2 - lost.astype(np.int8)).where(data["status"] <= 2, -1)
    phase.attrs["meaning"] = "; ".join([*(f"{code}: {name}" for code, name in enumerate(PHASES)), "-1: failed"])
    return data[["time_acquired", "time_lost", "time_memorised", "clock", "acquired_clock", "status"]].assign(
        phase=phase.astype(np.int8), duration=data["time_lost"] - data["time_acquired"]
    ).assign_attrs(budget=budget)  # fmt: skip


def balanced_fraction(
    task: Task,
    memory: Memory,
    task_diversity: ArrayLike,
    *,
    budget: float = 1e5,
    beta0_mean: float = 0.0,
    beta0_std: float = 1.0,
    draws: int = 256,
    **options: Any,
) -> xr.Dataset:
    """Fraction acquiring ICL against K, for balanced contexts beside i.i.d. ones.

    Balanced contexts have a saddle at (w, β) = (0, 0): with w0 = 0 only β0 > 0 acquires, whatever K.

    Parameters
    ----------
    task : Task
        Its ``labels`` are replaced by both kinds; N must be even.
    memory : PowerLawMemory or MeasuredMemory
    task_diversity : array_like
        Axis K.
    budget, beta0_mean, beta0_std, draws, **options
        As for :func:`phase_diagram`.

    Returns
    -------
    xarray.Dataset
        ``probability``, ``median_time`` and ``failed`` over (labels, task_diversity).

    Raises
    ------
    ValueError
        As :func:`sweep`, and for an odd N.

    Source: paper, section 5, figures 6e and A8.

    Examples
    --------
    >>> from iclrace.theory import PowerLawMemory, Task
    >>> data = balanced_fraction(Task(50, dimension=63), PowerLawMemory(3.9, 0.7), [1e5], draws=32)
    >>> data["probability"].sel(labels="balanced").item()
    0.5
    """
    import xarray as xr

    instance("task", task, Task)
    kinds = []
    models = [CoupledModel(replace(task, labels=labels), memory) for labels in ("iid", "balanced")]
    for model in models:
        axes = {"task_diversity": task_diversity, "beta0": beta0_quantiles(beta0_mean, beta0_std, draws)}
        kinds.append(_probabilities(sweep(model, axes, _until(budget), stop="acquired", **options)))
    return xr.concat(kinds, dim=xr.DataArray(["iid", "balanced"], dims="labels", name="labels")).assign_attrs(
        budget=budget
    )
