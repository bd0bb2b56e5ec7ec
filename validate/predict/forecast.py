"""Predict a transformer before it is trained: from its initial weights' statistics and perceptrons trained alone."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ...simulate.reduced_transformer import HALFWAY
from ...theory import Estimate
from ...theory.common.arguments import integer, number, real, require, within_memory
from ...theory.common.rehearsal import computing_begins
from ...theory.reduced_transformer import CORE, MeasuredCoupling, ReducedTransformer, Terms
from ..training.config import addresses
from ..training.coupling import CouplingTraining, measured_coupling, train_couplings
from ..training.progress import Bar
from ..training.store import RunStore
from .reduced import Member, crossing, members_of, solved

# Accuracies beyond which a network has memorised, or learnt in context, for good.
_CHANCE, _CERTAIN = 0.6, 0.9
_FIRST = (128, 256, 512)
_LEAST, _GREATEST = 16, 16_384
ASSUMPTIONS = (
    "Gaussian initial scores of PyTorch's default weights",
    "the perceptron's couplings follow the memory's clock as they do alone",
    "contexts without repeats of other items",
    "LayerNorm's gain stays 1; weight decay acts on W_Q, W_K and V",
)
#: Learning rate over batch size up to which halving the rate moved t_ICL of the transformer by 4 % at most, measured at
#: N = 31 with rates of 0.0125 to 0.05 (docs/limits.md, docs/reduced_transformer.md).
QUIET = 0.05 / 128


@dataclass(frozen=True, eq=False)
class Forecast:
    """The result of :func:`predict`.

    Parameters
    ----------
    threshold : Estimate
        K* at the budget: where the mean ICL accuracy rises through 3/4; its interval is the range over the members.
    endless_time : Estimate
        t_ICL at K → ∞: median and range over the members; ∞ if not within the budget.
    curve : xarray.Dataset
        Over ``task_diversity``: ``icl_accuracy``, ``iwl_accuracy`` (means), ``time_acquired`` (median), each with
        ``_low`` and ``_high``, and ``phase``.
    budget : float
    assumptions, inputs : sequences of str
        What was assumed; which calibration runs were read.
    """

    threshold: Estimate
    endless_time: Estimate
    curve: xr.Dataset
    budget: float
    assumptions: Sequence[str]
    inputs: Sequence[str]


def predict(
    context_length: int,
    dimension: int = 31,
    width: int = 128,
    *,
    task_diversity: Sequence[float] | None = None,
    learning_rate: float = 0.05,
    batch_size: int = 128,
    rate_ratio: float = 1.0,
    attention_scale: float = 1.0,
    residual_scale: float = 1.0,
    beta0: float = 0.0,
    copies: int = 1,
    decay: float = 0.0,
    budget: float = 200.0,
    independent: bool = False,
    scrambled_clock: Mapping[float, float] | None = None,
    members: int = 6,
    calibration_seeds: int = 2,
    draws: int = 1000,
    terms: Terms = CORE,
    store: str | os.PathLike[str] = "results/runs",
    progress: bool = True,
) -> Forecast:
    """K*, t_ICL and final accuracies of the transformer of one attention layer, before it is trained.

    Nothing is fitted: the equations (:mod:`iclrace.theory.reduced_transformer`) take the initial weights' statistics
    and what perceptrons show that are trained alone, without a sequence. Perceptrons are trained at powers of two until
    K* lies between two of them, and kept in the run store.

    Parameters
    ----------
    context_length, dimension, width : int
        N, D, and the perceptron's width (three layers).
    task_diversity : sequence of K, optional
        Where the curve is wanted; around K* if absent.
    learning_rate : float
        Of the perceptrons trained alone: that of the networks.
    batch_size : int
        Of the networks. The equations are those of gradient flow, and no number depends on it: the assumptions say
        whether the noise of batches, whose size is learning rate over batch size, is as small as where it was measured
        to leave t_ICL alone.
    rate_ratio, attention_scale, residual_scale, beta0, copies, decay
        As for :class:`iclrace.theory.reduced_transformer.ReducedTransformer`.
    budget : float
        Gradient-flow time at which training stops.
    independent : bool
        Hold the perceptron's kernel at its start: circuits that share nothing.
    scrambled_clock : mapping K → I_K(∞), optional
        Total clocks of networks trained on scrambled labels, a separate input that replaces the equations for what
        attention adds to memory; between its K the ratio to the perceptron's clock is interpolated in ln K.
    members : int
        Starts: β0 and w0 at the quantiles of their initial distributions, each with contexts of its own.
    calibration_seeds : int
        Perceptrons trained at each K; members take turns.
    draws : int
        Contexts sampled for each member, beside their mirror images.
    terms : Terms
        Which parts of the equations act.
    store : path
        Run store of the perceptrons.
    progress : bool

    Returns
    -------
    Forecast

    Raises
    ------
    ValueError
        For an argument out of its range, or when K* lies above 16,384.

    Source: docs/reduced_transformer.md.
    """
    model = ReducedTransformer(
        integer("context_length", context_length, minimum=2), dimension, copies=copies, rate_ratio=rate_ratio,
        attention_scale=attention_scale, residual_scale=residual_scale, beta0=beta0, decay=decay, width=width,
        terms=replace(terms, shared_gain=terms.shared_gain and not independent),
    )  # fmt: skip
    budget = number("budget", budget, minimum=0.0, maximum=math.inf, exclusive=True)
    integer("members", members, minimum=1)
    integer("calibration_seeds", calibration_seeds, minimum=1)
    integer("draws", draws, minimum=1)
    noise = _noise(number("learning_rate", learning_rate), integer("batch_size", batch_size, minimum=1))
    wanted = None if task_diversity is None else _diversities(task_diversity)
    training = CouplingTraining(
        2, 0, dimension=dimension, width=width, learning_rate=learning_rate, residual_scale=residual_scale
    )
    known = Calibrations(training, calibration_seeds, RunStore(store), progress)
    clocks = _checked(scrambled_clock)

    def solve(member: Member, diversities: ArrayLike) -> xr.Dataset:
        speed = {k: member.coupling.total_clock(k) / clock for k, clock in clocks.items()}
        return solved(model, member, diversities, budget, draws, speed)

    replace(training, task_diversity=_FIRST[0]).check_memory(calibration_seeds)
    held = 6 * 8 * draws * context_length  # labels, scores and overlaps of draws and mirror images (draw_contexts)
    within_memory(held, context_length=context_length, draws=draws)
    within_memory(1000.0 * members, members=members)  # what one start's solution takes at least
    computing_begins()
    if wanted is not None:
        known.cover(wanted)
    known.bracket(lambda coupling, k: float(solve(Member(coupling, 0, 0.0, 0.0), k).icl_accuracy.item()))
    starts = members_of(model, [known.coupling(seed) for seed in range(known.seeds)], members)
    grid = np.geomspace(known.low, known.high, 2 * round(math.log2(known.high / known.low)) + 1)
    with Bar("solving", show=progress) as bar:
        scan = _stacked(starts, solve, grid, bar)
    curve = scan if wanted is None else _stacked(starts, solve, wanted, None)
    endless = _stacked(starts, solve, np.array([np.inf]), None)
    return Forecast(
        threshold_of(grid, scan.icl_accuracy.values),
        _spread_of(endless.time_acquired.values[:, 0], np.median),
        _summary(curve),
        budget,
        (*ASSUMPTIONS, noise, *(["k and G² held at their start"] if independent else [])),
        known.inputs(),
    )


def _noise(learning_rate: float, batch_size: int) -> str:
    """What the equations assume of stochastic gradients, and whether it was tested at this rate over batch size."""
    words = f"no noise of stochastic gradients: rate over batch size is {learning_rate / batch_size:.2g}"
    if learning_rate / batch_size <= QUIET * (1 + 1e-9):
        return f"{words}, where halving it moved t_ICL by 4 % at most"
    return f"{words}, above {QUIET:.2g}, up to which t_ICL was seen to move little: expect later times than these"


class Calibrations:
    """Perceptrons trained alone at powers of two, as far as they are needed."""

    def __init__(
        self,
        training: CouplingTraining,
        seeds: int,
        store: RunStore,
        progress: bool,
        first: tuple[int, ...] = _FIRST,
    ) -> None:
        self.training, self.seeds, self.store, self.progress = training, seeds, store, progress
        self.diversities: set[int] = set(first)
        self.low, self.high = float(first[0]), float(first[-1])

    def cover(self, diversities: np.ndarray) -> None:
        """Take in every power of two next to a finite K."""
        for k in diversities[np.isfinite(diversities)]:
            for power in (math.floor(math.log2(k)), math.ceil(math.log2(k))):
                self.diversities.add(int(np.clip(2**power, _LEAST, _GREATEST)))

    def bracket(self, accuracy: Callable[[MeasuredCoupling, float], float]) -> None:
        """Extend until one network memorises at the least K and learns in context at the greatest."""
        while accuracy(self.coupling(0), self.high) < _CERTAIN:
            require(self.high < _GREATEST, "context_length", f"have a K* below {_GREATEST}", "beyond")
            self.high *= 2
            self.diversities.add(int(self.high))
        while accuracy(self.coupling(0), self.low) > _CHANCE and self.low > _LEAST:
            self.low /= 2
            self.diversities.add(int(self.low))

    def runs(self, seed: int) -> list[CouplingTraining]:
        return [replace(self.training, task_diversity=k, seed=seed) for k in sorted(self.diversities)]

    def coupling(self, seed: int) -> MeasuredCoupling:
        runs = self.runs(seed)
        return measured_coupling(runs, train_couplings(runs, self.store, progress=self.progress))

    def inputs(self) -> list[str]:
        """Names the calibration runs."""
        return [f"perceptrons alone, seed {seed}: {addresses(self.runs(seed))}" for seed in range(self.seeds)]


def _checked(clocks: Mapping[float, float] | None) -> dict[float, float]:
    given = clocks or {}
    by_diversity = {number("scrambled_clock", k, minimum=2.0): given[k] for k in sorted(given)}
    return {
        k: number("scrambled_clock", v, minimum=0.0, maximum=math.inf, exclusive=True) for k, v in by_diversity.items()
    }


def _diversities(given: Sequence[float]) -> np.ndarray:
    diversities = np.unique(real("task_diversity", given, minimum=2.0, finite=False))
    require(diversities.size >= 1, "task_diversity", "hold one K or more", list(given))
    return diversities


def _stacked(
    members: Sequence[Member], solve: Callable[..., xr.Dataset], grid: np.ndarray, bar: Bar | None
) -> xr.Dataset:
    ends = []
    for i, member in enumerate(members):
        ends.append(solve(member, grid))
        if bar is not None:
            bar.update((i + 1) / len(members), f"network {i + 1} of {len(members)}")
    stacked: Any = xr.concat(ends, "member")
    return stacked


def threshold_of(grid: np.ndarray, accuracy: np.ndarray) -> Estimate:
    """Where the mean over members rises through 3/4, and the range of the members' own crossings."""
    own = [crossing(grid, curve) for curve in accuracy]
    value = crossing(grid, accuracy.mean(0))
    return Estimate(value, min(value, *own), max(value, *own))


def _spread_of(values: np.ndarray, middle: Callable[[np.ndarray], float]) -> Estimate:
    """A middle value and the range; ∞ counts as the greatest."""
    value = float(middle(values))
    return Estimate(value, min(value, float(values.min())), max(value, float(values.max())))


def _summary(curve: xr.Dataset) -> xr.Dataset:
    columns: dict[str, list] = {}
    for name, middle in (("icl_accuracy", np.mean), ("iwl_accuracy", np.mean), ("time_acquired", np.median)):
        spreads = [_spread_of(values, middle) for values in curve[name].transpose("task_diversity", "member").values]
        columns[name] = [spread.value for spread in spreads]
        columns[f"{name}_low"], columns[f"{name}_high"] = [s.low for s in spreads], [s.high for s in spreads]
    columns["phase"] = [
        _phase(icl, time) for icl, time in zip(columns["icl_accuracy"], columns["time_acquired"], strict=True)
    ]
    return xr.Dataset(
        {name: ("task_diversity", np.array(values)) for name, values in columns.items()},
        coords={"task_diversity": curve.task_diversity},
    )


def _phase(icl: float, time: float) -> str:
    """What most members end with."""
    if icl >= HALFWAY:
        return "in context"
    return "transient" if math.isfinite(time) else "memorises"
