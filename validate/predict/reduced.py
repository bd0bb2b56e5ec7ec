"""Reduced transformers as networks that are trained differ: starts, calibration seeds, and clocks by K."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import ndtri

from ...simulate.reduced_transformer import HALFWAY, solve_reduced
from ...theory.common.arguments import require
from ...theory.reduced_transformer import CORE, MeasuredCoupling, ReducedTransformer, Terms
from ..training.config import Run


@dataclass(frozen=True)
class Member:
    """One start of one calibration: its network, its contexts."""

    coupling: MeasuredCoupling
    seed: int
    w0: float
    beta0: float


def members_of(
    model: ReducedTransformer, couplings: Sequence[MeasuredCoupling], number_of: int, first: int = 0
) -> list[Member]:
    """β0 at the midpoints of equally probable intervals, w0 at the same in another order: a distribution, no noise.

    Calibrations take turns; contexts are those of the seeds from ``first`` on.
    """
    middles = ndtri((np.arange(number_of) + 0.5) / number_of)
    w0_std = model.initial_gain_std(float(couplings[0].runs[0].mean_gradient[0]))
    mixed = np.random.default_rng(0).permutation(middles)
    return [
        Member(
            couplings[i % len(couplings)],
            first + i,
            w0_std * mixed[i],
            model.beta0 + model.initial_beta_std * middles[i],
        )
        for i in range(number_of)
    ]


def solved(
    model: ReducedTransformer, member: Member, task_diversity: ArrayLike, budget: float, draws: int,
    speed: Mapping[float, float], stop_acquired: bool = False,
) -> xr.Dataset:  # fmt: skip
    """One start solved to the budget over K, as :func:`~iclrace.simulate.solve_reduced` returns it.

    ``speed`` holds, by K, how much faster scrambled networks memorise than the perceptron alone; between its K it is
    interpolated in ln K. ``stop_acquired`` ends a network as training does that is stopped there.
    """

    def at_diversity(k: float) -> xr.Dataset:
        scaled = replace(model, clock_scale=_clock_scale(speed, k))
        return solve_reduced(
            scaled, member.coupling, budget=budget, task_diversity=[k], draws=draws, seed=member.seed, w0=member.w0,
            beta0=member.beta0, stop_acquired=stop_acquired,
        )  # fmt: skip

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # the compiled solver holds no lock
        solution: Any = xr.concat(
            list(pool.map(at_diversity, map(float, np.atleast_1d(task_diversity)))), "task_diversity"
        )
    return solution


def _clock_scale(speed: Mapping[float, float], k: float) -> float:
    """1, the equations as they are, without scrambled networks or for K → ∞."""
    if not speed or math.isinf(k):
        return 1.0
    return float(np.interp(math.log(k), np.log(list(speed)), list(speed.values())))


def model_of(run: Run, terms: Terms = CORE) -> ReducedTransformer:
    """The reduced transformer of a transformer of one attention layer.

    Raises
    ------
    ValueError
        For a run that the equations do not describe; the message names the argument.
    """
    for name, value in (("network", "transformer"), ("depth", 1), ("layers", 3), ("decay_memory", 0.0), ("noise", 0.0)):
        require(getattr(run, name) == value, name, f"be {value} for the reduced transformer", getattr(run, name))
    require(run.task.labels == "iid", "labels", "be iid for the reduced transformer", run.task.labels)
    require(not run.frequency_exponent, "frequency_exponent", "be 0 for it", run.frequency_exponent)
    return ReducedTransformer(
        run.task.context_length, int(run.task.dimension), copies=run.task.copies, rate_ratio=run.rate_ratio,
        attention_scale=run.attention_scale, residual_scale=run.residual_scale, width=run.width,
        beta0=run.beta0 or 0.0, decay=run.decay_attention, fresh_share=run.fresh_share, terms=terms,
    )  # fmt: skip


def crossing(grid: np.ndarray, accuracy: np.ndarray) -> float:
    above = np.flatnonzero(accuracy >= HALFWAY)
    if not above.size:
        return math.inf
    i = int(above[0])
    if i == 0:
        return float(grid[0])
    share = (HALFWAY - accuracy[i - 1]) / (accuracy[i] - accuracy[i - 1])
    return float(grid[i - 1] * (grid[i] / grid[i - 1]) ** share)
