"""The reduced transformer solved: one network's course, accuracy curves over K, and the threshold K*."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..theory.accuracy import ACQUIRED
from ..theory.common.arguments import integer, number, real, require
from ..theory.reduced_transformer import (
    STATE,
    Contexts,
    MeasuredCoupling,
    ReducedTransformer,
    draw_contexts,
    initial_state,
    iwl_accuracy,
)
from ..theory.reduced_transformer.readout import readout_growth
from .kernel import reduced_field as field
from .kernel.adaptive import integrate

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

# Absolute tolerance over rtol: the size below which a state is as good as zero.
_SMALL = np.array([0.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 1.0])
_MOST_STEPS = 20_000
#: K* is where the accuracy is halfway between chance and perfect, as in the sigmoid fitted to networks.
HALFWAY = 0.75
_SCAN, _REFINED = 9, 5
_POINTS = 257


def packed(model: ReducedTransformer) -> Array:
    """A model as the compiled field reads it."""
    p = np.zeros(field.PARAMETERS)
    p[field.D], p[field.ITEMS], p[field.LABEL2] = model.size, model.dimension, model.label_scale**2
    p[field.RATE], p[field.DECAY], p[field.COPIES] = model.rate_ratio, model.decay, model.copies
    p[field.ATTENTION], p[field.RESIDUAL] = model.attention_scale, model.residual_scale
    p[field.DIVERSITY] = model.task_diversity
    terms = model.terms
    p[field.SELF_ATTENTION], p[field.STORED] = terms.self_attention, terms.stored_labels
    p[field.GROWTH], p[field.READS_TARGET], p[field.CANCELS] = terms.score_growth, terms.residual, terms.cancellation
    p[field.SPREADS], p[field.ALIGNS] = terms.gain_spread, terms.aligned_readout
    p[field.OFFSETS], p[field.REMEMBERS] = terms.context_offset, terms.attention_memory
    p[field.CLOCK], p[field.FRESH] = model.clock_scale, model.fresh_share
    return p


def tabulated(model: ReducedTransformer, coupling: MeasuredCoupling) -> tuple[float, Array]:
    """I_K(∞) and the couplings' table at the model's K, with k and G² held where the circuits share nothing."""
    read = coupling if model.terms.shared_gain else coupling.held()
    if math.isinf(model.task_diversity):
        total, table = read.unmemorised()
    else:
        total, table = read.table(model.task_diversity, _POINTS)
    return total, read.with_fresh_margins(table) if model.fresh_share else table


def solve_reduced(
    model: ReducedTransformer,
    coupling: MeasuredCoupling,
    *,
    budget: float,
    task_diversity: ArrayLike | None = None,
    draws: int = 1000,
    seed: int = 0,
    w0: float = 0.0,
    beta0: float | None = None,
    stop_acquired: bool = False,
    scrambled: bool = False,
    rtol: float = 2e-3,
    contexts: Contexts | None = None,
) -> xr.Dataset:
    """The order parameters at the budget, and t_ICL, over K.

    Parameters
    ----------
    model : ReducedTransformer
    coupling : MeasuredCoupling
        Of perceptrons of the model's architecture.
    budget : float > 0
        Gradient-flow time at the end.
    task_diversity : array (K,), optional
        K, ∞ included; the model's own if absent. All see the same contexts.
    draws : int >= 1
        Sampled contexts, beside as many mirror images.
    seed : int
        Of the contexts.
    w0, beta0 : float
        Start; by default the means over initial weights, 0 and the model's ``beta0``.
    stop_acquired : bool
        End where ICL accuracy exceeds 0.95.
    scrambled : bool
        Context labels are fair coins, the copy's included.
    rtol : float
        Relative error of a step; absolute where a state is small against 0.1 (w, τ) or 1 (the others).
    contexts : Contexts, optional
        In place of ``draws``, ``seed`` and ``scrambled``.

    Returns
    -------
    xarray.Dataset
        Over ``task_diversity``: the order parameters (``STATE``), ``icl_accuracy``, ``iwl_accuracy``,
        ``time_acquired`` (∞ if not within the budget), ``steps`` and ``status`` (0: reached the end).

    Raises
    ------
    ValueError
        For an argument out of its range.

    Source: docs/reduced_transformer.md.
    """
    import xarray as xr

    budget = number("budget", budget, minimum=0.0, maximum=math.inf, exclusive=True)
    number("rtol", rtol, minimum=0.0, maximum=1.0, exclusive=True)
    start = initial_state(model, number("w0", w0), model.beta0 if beta0 is None else number("beta0", beta0))
    given = model.task_diversity if task_diversity is None else task_diversity
    diversities = np.atleast_1d(real("task_diversity", given, minimum=2.0, finite=False))
    require(diversities.ndim == 1, "task_diversity", "be one-dimensional", diversities.shape)
    models = [replace(model, task_diversity=float(k)) for k in diversities]
    if contexts is None:
        contexts = draw_contexts(model, draws, coupling.runs[0].margins.shape[1], seed, scrambled)
    rows = _in_threads(models, coupling, contexts, start, budget, stop_acquired, rtol)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return xr.Dataset(
        {name: ("task_diversity", values) for name, values in columns.items()},
        coords={"task_diversity": diversities},
        attrs={"budget": budget, "draws": len(contexts.rank) // 2, "times": "gradient-flow time"},
    )


def _in_threads(
    models: Sequence[ReducedTransformer], coupling: MeasuredCoupling, contexts: Contexts, start: Array, budget: float,
    stop: bool, rtol: float,
) -> list[dict[str, float]]:  # fmt: skip
    """Every model's end; the longest, those of great K, first."""
    solve_end = lambda model: _end(model, coupling, contexts, start, budget, stop, rtol)  # noqa: E731
    if len(models) == 1:
        return [solve_end(models[0])]
    order = sorted(range(len(models)), key=lambda i: -models[i].task_diversity)
    with ThreadPoolExecutor(min(len(models), os.cpu_count() or 1)) as pool:
        ends = dict(zip(order, pool.map(solve_end, [models[i] for i in order]), strict=True))
    return [ends[i] for i in range(len(models))]


def _end(
    model: ReducedTransformer, coupling: MeasuredCoupling, contexts: Contexts, start: Array, budget: float, stop: bool,
    rtol: float,
) -> dict[str, float]:  # fmt: skip
    state, saved = start.copy(), np.empty((2, 2 + field.SIZE))
    acquired, accuracy, steps, status, _ = _integrated(
        model, coupling, contexts, state, budget, stop, rtol, saved
    )  # fmt: skip
    total, table = tabulated(model, coupling)
    row = np.empty(table.shape[1])
    field.read_row.py_func(table, state[7] / total, row)
    return {
        **dict(zip(STATE, state, strict=True)),
        "icl_accuracy": accuracy,
        "iwl_accuracy": iwl_accuracy(model, state, row, contexts, budget),
        "time_acquired": acquired,
        "steps": steps,
        "status": status,
    }


def _integrated(
    model: ReducedTransformer, coupling: MeasuredCoupling, contexts: Contexts, state: Array, budget: float, stop: bool,
    rtol: float, saved: Array,
) -> tuple[float, float, int, int, int]:  # fmt: skip
    total, table = tabulated(model, coupling)
    arrays = (contexts.labels, contexts.items, contexts.overlaps, contexts.own, contexts.common, contexts.label,
              contexts.target, contexts.slope, contexts.rank)  # fmt: skip
    return integrate(
        state,
        packed(model),
        readout_growth(model.size, model.width, model.gate),
        total,
        table,
        arrays,
        budget,
        ACQUIRED,
        stop,
        rtol,
        rtol * _SMALL,
        _MOST_STEPS,
        saved,
    )


def reduced_course(
    model: ReducedTransformer, coupling: MeasuredCoupling, *, budget: float, rows: int = 400, draws: int = 1000,
    seed: int = 0, w0: float = 0.0, beta0: float | None = None, scrambled: bool = False, rtol: float = 2e-3,
) -> xr.Dataset:  # fmt: skip
    """The order parameters and ICL accuracy of one network over ``time``, at the solver's own steps.

    Parameters as for :func:`solve_reduced`; at most ``rows`` steps are kept, evenly thinned.
    """
    import xarray as xr

    saved = np.empty((2 * integer("rows", rows, minimum=1), 2 + field.SIZE))
    contexts = draw_contexts(model, draws, coupling.runs[0].margins.shape[1], seed, scrambled)
    start = initial_state(model, w0, model.beta0 if beta0 is None else beta0)
    *_, kept = _integrated(model, coupling, contexts, start, budget, False, rtol, saved)
    columns = dict(zip(("icl_accuracy", *STATE), saved[:kept, 1:].T, strict=True))
    return xr.Dataset({name: ("time", values) for name, values in columns.items()}, coords={"time": saved[:kept, 0]})


def reduced_threshold(model: ReducedTransformer, coupling: MeasuredCoupling, *, budget: float, **settings) -> float:
    """K* at a budget: where the ICL accuracy reached within it rises through 3/4, halfway from chance.

    Looked for between half the least K calibrated and twice the greatest; ∞ or the lower end if it lies outside.
    Settings as for :func:`solve_reduced`.
    """
    low, high = coupling.task_diversity[[0, -1]] * (0.5, 2.0)
    for points in (_SCAN, _REFINED):
        diversities = np.geomspace(low, high, points)
        accuracy = solve_reduced(model, coupling, budget=budget, task_diversity=diversities, **settings).icl_accuracy
        above = np.flatnonzero(accuracy.values >= HALFWAY)
        if not above.size:
            return math.inf
        i = int(above[0])
        if i == 0:
            return float(low)
        low, high = diversities[i - 1], diversities[i]
        share = (HALFWAY - accuracy.values[i - 1]) / (accuracy.values[i] - accuracy.values[i - 1])
    return float(low * (high / low) ** share)
