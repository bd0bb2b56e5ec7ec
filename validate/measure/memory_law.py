"""A and ν of I_K(∞) = A K^ν from perceptrons trained alone, their clocks continued beyond the end of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...theory import Estimate, PowerLawMemory
from ...theory._arguments import require
from .times import CONFIDENCE, measure_power_law

Array = NDArray[np.float64]

# The law is fitted where c1 is within this factor of its last value: margins have left the initial kernel there. Read
# from c1 = 0.1 to 0.01, it puts the clock at c1 = 5e-4 within 0.5 % for perceptrons of D = 15 to 63, width 64 to 256.
_TAIL_FACTOR = 10.0
_LEAST_TAIL_POINTS = 5
# Margin scales p tried; below the first the law no longer depends on p, above the last it is exponential in φ.
_SCALES = np.geomspace(1e-2, 1e2, 81)


@dataclass(frozen=True)
class MemoryLaw:
    """What :func:`measure_memory_law` found.

    Parameters
    ----------
    amplitude, exponent : Estimate
        A (gradient-flow time) and ν of I_K(∞) = A K^ν, the tail included.
    exponent_at_cutoff : Estimate
        ν of the clocks as far as they were trained: what the extrapolation adds is the difference.
    total_clock : array (run,)
        I_K(∞) of each run.
    tail_share : array (run,)
        Part of ``total_clock`` that lies beyond the end of training, in [0, 1).
    """

    amplitude: Estimate
    exponent: Estimate
    exponent_at_cutoff: Estimate
    total_clock: Array
    tail_share: Array


def total_clock(curves: xr.Dataset, depth: int = 3) -> tuple[float, float]:
    """I_K(∞) of one training of the memory alone, and the share of it that lies beyond the last reading.

        I_K = I_K(∞) − C (1 + φ/p)^{1−q},   φ = ln(1/c1 − 1),   q = 2 − 2/L

    The homogeneous law fitted by least squares in (I_K(∞), C, p) where c1 is within a factor 10 of its last value.

    Parameters
    ----------
    curves : xarray.Dataset
        ``clock`` and ``c1`` over ``time``, as :func:`train_memory` returns them; c1 falls below 0.25 at the end.
    depth : int, L >= 3

    Returns
    -------
    total, share : float
        Gradient-flow time; fraction in [0, 1).

    Raises
    ------
    ValueError
        If the training ended before anything was memorised, or c1 has fewer than five readings in its tail.

    Source: docs/derivation.md, "memory law"; paper, section 4.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from iclrace.theory import PowerLawMemory
    >>> law, margin = PowerLawMemory(amplitude=3.9, exponent=0.7), np.linspace(0, 4, 50)
    >>> curves = {"clock": ("time", law.clock(margin, 1000)), "c1": ("time", law.c1(margin))}
    >>> total, share = total_clock(xr.Dataset(curves))
    >>> round(total), round(share, 2)
    (491, 0.58)
    """
    exponent = PowerLawMemory(1.0, 1.0, depth=depth).growth_exponent - 1.0
    clock, c1 = (np.asarray(curves[name].values, dtype=float) for name in ("clock", "c1"))
    require(0 < c1[-1] < 0.25, "curves", "be trained until c1 < 0.25", c1[-1])
    # From the last reading above the window on: c1 may oscillate while the step is large, but not within the tail.
    above = np.flatnonzero(c1 >= min(_TAIL_FACTOR * c1[-1], 0.45))
    tail = slice(int(above[-1]) + 1 if above.size else 0, None)
    require(c1[tail].size >= _LEAST_TAIL_POINTS, "curves", f"have {_LEAST_TAIL_POINTS} readings or more in the tail of "
            "c1", c1[tail].size)  # fmt: skip
    margin = np.log(1 / c1[tail] - 1)
    coarse = _fit_tail(margin, clock[tail], exponent, _SCALES)
    fine = _fit_tail(margin, clock[tail], exponent, coarse[2] * np.geomspace(1 / 1.13, 1.13, 41))
    total = max(fine[1], float(clock[-1]))
    return total, 1.0 - float(clock[-1]) / total


def _fit_tail(margin: Array, clock: Array, exponent: float, scales: Array) -> tuple[float, float, float]:
    """(misfit, I_K(∞), p) of the best of ``scales``: for a given p the law is a straight line."""
    falling = (1 + margin / scales[:, None]) ** -exponent
    centred, left = falling - falling.mean(1, keepdims=True), clock - clock.mean()
    slope = centred @ left / np.sum(centred**2, 1)
    misfit = np.sum((left - slope[:, None] * centred) ** 2, 1)
    i = int(misfit.argmin())
    return float(misfit[i]), float(clock.mean() - slope[i] * falling[i].mean()), float(scales[i])


def measure_memory_law(
    task_diversity: Sequence[float],
    curves: Sequence[xr.Dataset],
    *,
    depth: int = 3,
    confidence: float = CONFIDENCE,
) -> MemoryLaw:
    """A and ν of I_K(∞) = A K^ν, from runs of the perceptron alone.

    Every run's clock is continued to infinity (:func:`total_clock`); ln I_K(∞) is then regressed on ln K, one point a
    run, with HC3 intervals (:func:`measure_power_law`). The interval holds the spread between runs and the misfit of
    the power law; what the homogeneous law may get wrong in the tail is bounded by the stated share.

    Parameters
    ----------
    task_diversity : sequence of float (run,)
        K of each run, two different values at least.
    curves : sequence of xarray.Dataset (run,)
        As :func:`train_memory` returns them.
    depth : int, L >= 3
    confidence : float in (0, 1)

    Raises
    ------
    ValueError
        For fewer than three runs, lengths that differ, or a run that :func:`total_clock` refuses.

    Source: paper, section 4 and figure 5; docs/derivation.md, "memory law".

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from iclrace.theory import PowerLawMemory
    >>> law, margin = PowerLawMemory(amplitude=3.9, exponent=0.7), np.linspace(0, 5, 60)
    >>> def alone(k):
    ...     return xr.Dataset({"clock": ("time", law.clock(margin, k)), "c1": ("time", law.c1(margin))})
    >>> found = measure_memory_law([250, 500, 1000], [alone(k) for k in (250, 500, 1000)])
    >>> round(found.amplitude.value, 1), round(found.exponent.value, 2), round(float(found.tail_share[0]), 2)
    (3.9, 0.7, 0.55)
    """
    require(len(task_diversity) == len(curves), "curves", f"hold {len(task_diversity)} runs", len(curves))
    totals, shares = np.array([total_clock(dataset, depth) for dataset in curves]).T
    amplitude, exponent = measure_power_law(task_diversity, totals, confidence=confidence)
    _, at_cutoff = measure_power_law(task_diversity, totals * (1 - shares), confidence=confidence)
    return MemoryLaw(amplitude, exponent, at_cutoff, totals, shares)
