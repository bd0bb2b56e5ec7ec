"""The race of the early system, solved exactly: the clock reading at which ICL is acquired."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.arguments import broadcast, real
from ..common.labels import by_name
from .mills import log_mills_ratio

#: κ e^{−β} beyond this has the drag dominate by more than float64 resolves in τ* ≈ κ e^{−2β}/2 (and it would overflow).
_RATIO_MAX = 1e154


@by_name
def acquisition_clock(beta0: ArrayLike, w0: ArrayLike = 0.0, drag: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Clock at which the early system dw/dτ = e^β − κ w, dβ/dτ = w e^β blows up: the exact crossover function.

        τ* = ln[1 + κ e^{−β0} M(w0 − κ e^{−β0})] / κ,        M the Mills ratio
        κ → 0:  τ* = M(w0) e^{−β0}

    In v = κ e^{−β} and X = v − w the flow is linear, d(1/v)/dX = X/v − 1, and the time is a logarithm; hence
    τ* = F(β0 − ln κ, w0)/κ with F(b, w0) = ln[1 + e^{−b} M(w0 − e^{−b})], which tends to √(π/2) e^{−b} for b → +∞
    and to e^{−2b}/2 for b → −∞ (w0 = 0).

    Parameters
    ----------
    beta0, w0 : array_like
        Initial attention strength and readout weight.
    drag : array_like, κ >= 0
        s² c2/m for i.i.d. labels: 1/2 for K → ∞, ±1 labels and one copy.

    Returns
    -------
    array of the broadcast shape: τ* = m I_K/N at acquisition; ``inf`` where it exceeds float64

    Raises
    ------
    ValueError
        If an argument is not finite, ``drag`` is negative, or shapes do not broadcast.

    Source: docs/derivation.md, "crossover function"; the drag-free case is the paper's, section 4.

    Examples
    --------
    >>> [round(float(acquisition_clock(b, 0.0, drag=1.0)), 6) for b in (-3, 0, 3)]
    [205.633335, 1.498965, 0.062934]
    """
    beta0, w0, drag = real("beta0", beta0), real("w0", w0), real("drag", drag, minimum=0.0)
    beta0, w0, drag = broadcast(beta0=beta0, w0=w0, drag=drag)
    # v0 = κ e^{−β0}, formed in logarithms so that κ = 0 and extreme β0 neither overflow nor warn.
    with np.errstate(divide="ignore"):
        log_ratio = np.log(drag) - beta0
    beyond = log_ratio > np.log(_RATIO_MAX)
    log_ratio = np.where(beyond, 0.0, log_ratio)
    log_mills = log_mills_ratio(np.clip(w0 - np.exp(log_ratio), -_RATIO_MAX, _RATIO_MAX))
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        drag_free = np.exp(log_mills - beta0)
        with_drag = np.logaddexp(0.0, log_ratio + log_mills) / drag
    # below κ e^{−β0} M = 1e-16 the logarithm is its own argument, and dividing by κ would lose the digits
    return np.where(beyond, np.inf, np.where(log_ratio + log_mills < -36.0, drag_free, with_drag))
