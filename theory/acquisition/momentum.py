"""SGD with momentum: by how much acquisition comes later than in gradient-flow time η·steps/(1 − μ)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accuracy import acquired_beta
from ..common.arguments import broadcast, real
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..contexts.attention import BETA_MAX
from ..numerics.quadrature import legendre
from ..task import Task
from .early import EarlyPath, beta_along, reaching, weight_along
from .mills import mills_ratio
from .time import WEIGHT_MAX, early_drag

Array = NDArray[np.float64]

#: How far β0 lies below ln κ where w = e^β/κ to the square of e^{−SLAVED}. Further down Mills ratios, of which
#: differences are taken, lose their digits.
SLAVED = 7.0


@by_name
@elementwise(
    arrays=("context_length", "label_std", "copies", "beta0", "w0"),
    smooth=("context_length", "label_std", "beta0", "w0"),
    ignored=("task_diversity", "dimension"),
    costly=True,
)
def momentum_delay(task: Task, beta0: ArrayLike, w0: ArrayLike = 0.0) -> Array:
    """d: with momentum μ, ICL is acquired when η·steps/(1 − μ) = t_ICL + d ημ/(1 − μ)².

        d = 1 − ∫ ∇τ*·(dg/dτ) dτ  from the start to 95 % accuracy, g the early flow, τ* what is left of its clock
          = 1 + (β_e − β0) + ∫_{w0}^{w_e} M(y) dy    without drag

    About 5, and growing like ln N. Without drag it is exact for the early system; with it the integral is done along
    the exact path. Against heavy-ball steps on the averaged field, as the rate goes to 0, it is 4 % high at N = 400,
    8 % at 100 and 17 % at 25 (β0 = 0), where the early system overstates the speed at the end; at ε = ημ/(1 − μ)² = 4.5
    another 10 %, the next order in ε.

    Parameters
    ----------
    task : Task
        i.i.d. labels, K → ∞.
    beta0, w0 : array_like
        Initial attention strength, |β0| <= 300, and readout weight, |w0| <= 5.

    Returns
    -------
    array of the broadcast shape; 1 where ICL is there from the start

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "momentum".

    Examples
    --------
    >>> momentum_delay(Task(context_length=100), [-1.0, 0.0, 1.0]).round(1).tolist()
    [6.5, 5.3, 4.1]
    """
    beta0, w0 = broadcast(
        beta0=real("beta0", beta0, minimum=-BETA_MAX, maximum=BETA_MAX),
        w0=real("w0", w0, minimum=-WEIGHT_MAX, maximum=WEIGHT_MAX),
    )
    beta0, w0, drag, level = broadcast(beta0=beta0, w0=w0, task=early_drag(task), level=np.asarray(acquired_beta(task)))
    delay, waits = np.ones(beta0.shape), (beta0 < level) | (w0 < 0.0)
    beta0, w0, drag, level = (x[waits] for x in (beta0, w0, drag, level))
    with np.errstate(divide="ignore"):
        low = np.log(drag) - SLAVED
    below = np.maximum(low - beta0, 0.0)  # each unit of β0 adds 2 to d, and takes a factor e off what w0 does
    delay[waits] = _delay(np.maximum(beta0, low), w0 * np.exp(-below), drag, level) + 2.0 * below
    return delay


def _delay(beta0: Array, w0: Array, drag: Array, level: Array) -> Array:
    """d along the exact path, by a sum; flat arrays."""
    path = EarlyPath(beta0, w0, drag)
    last = np.maximum(reaching(path, level), path.start)
    x, weights = legendre(200)
    half = 0.5 * (last - path.start)[:, None]
    y = path.start[:, None] + half * (x + 1.0)
    drag = drag[:, None]
    beta = beta_along(y, np.broadcast_to(path.constant[:, None], y.shape), drag)
    lag = _lag(weight_along(y, beta, drag), beta, drag) * np.exp(-beta)  # dτ = e^{−β} dY
    return 1.0 + half[:, 0] * (lag @ weights)


def _lag(w: Array, beta: Array, drag: Array) -> Array:
    """−∇τ*·dg/dτ, from τ* = ln(1 + v M)/κ, M = M(w − v), v = κ e^{−β}, and g = (e^β − κ w, w e^β)."""
    v = drag * np.exp(-beta)
    mills = mills_ratio(np.maximum(w - v, -30.0))
    slope = (w - v) * mills - 1.0  # M′
    match = np.exp(beta)
    drive = match - drag * w
    clock_w, clock_beta = slope / (match * (1.0 + v * mills)), (v * slope - mills) / (match * (1.0 + v * mills))
    change_w = match * (w * match) - drag * drive
    change_beta = match * drive + w * match * (w * match)
    return -(clock_w * change_w + clock_beta * change_beta)
