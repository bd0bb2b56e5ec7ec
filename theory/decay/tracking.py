"""After acquisition: the weight with which ICL tracks the memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw

from ..common.arguments import broadcast, number, real, require
from ..common.elementwise import elementwise
from ..common.labels import by_name
from ..contexts.attention import BETA_MAX
from ..numerics.quadrature import legendre
from ..task import Task

Array = NDArray[np.float64]


@by_name
def tracking_weight(c3: ArrayLike, decay: ArrayLike) -> Array:
    """w_tr = W(c3/λ), the solution of c3 e^{−w} = λ w: Lambert's W.

    With a → 1 and margins φ ≫ 1, σ(−φ − w) = e^{−φ} e^{−w}, and the drift c3 e^{−w} of w balances its decay λ w. The
    limit a → 1 is slow: the decay of β leaves 1 − a = β/w², so that the stable branch lies about β/w above w_tr (0.6 at
    N = 100, λ = 1e-6), and the losses, each an exponential of w, follow λ w/a (:func:`loss_product`) and not λ w_tr.

    Parameters
    ----------
    c3 : array_like, >= 0
        ⟨e^{−φ}⟩ over the items' margins.
    decay : array_like, λ >= 0
        Weight decay of w, per unit of gradient-flow time; for λ = 0 the weight grows for ever (``inf``).

    Returns
    -------
    array of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is negative or not finite, or shapes do not broadcast.

    Source: docs/derivation.md, "tracking"; paper, section 5.

    Examples
    --------
    >>> w = float(tracking_weight(1.0, 1e-4))
    >>> round(w, 4), round(math.exp(-w) / (1e-4 * w), 12)
    (7.2318, 1.0)
    """
    c3, decay = broadcast(c3=real("c3", c3, minimum=0.0), decay=real("decay", decay, minimum=0.0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(decay > 0.0, c3 / decay, np.where(c3 > 0.0, np.inf, 0.0))
        finite = np.isfinite(ratio)
        weight = lambertw(np.where(finite, ratio, 1.0)).real
    return np.where(finite, weight, np.inf)


@by_name
def conserved_weight(
    margin: ArrayLike,
    rate: ArrayLike,
    margin_scale: ArrayLike = 1.0,
    growth_exponent: ArrayLike = 4.0 / 3.0,
    *,
    since: ArrayLike = 0.0,
) -> Array:
    """Growth of w without decay once a = 1: w − w_1 = I_K(φ) − I_K(φ_1), I_K = p [1 − (1 + φ/p)^{1−q}]/(r_K (q − 1)).

    Both circuits are driven by the same residual, which cancels. The law starts where a = 1 does, at the margin φ_1
    (``since``) and the weight w_1: not at φ = 0, before acquisition, when the memory's clock runs and w does not. Even
    from acquisition on, where a is still 0.14 at N = 100, w is too large by ∫(1/a − 1) dw, 3.9 of 16 at K = 1000;
    :func:`weight_after_acquisition` follows a.

    Parameters
    ----------
    margin : array_like, φ >= 0
    rate : array_like, r_K > 0
    margin_scale : array_like, p > 0
    growth_exponent : array_like, q > 1
    since : array_like, φ_1 >= 0

    Returns
    -------
    array of the broadcast shape: w − w_1

    Raises
    ------
    ValueError
        If an argument is out of range, or shapes do not broadcast.

    Source: docs/derivation.md, "tracking"; paper, section 5.

    Examples
    --------
    >>> memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> bool(np.isclose(conserved_weight(2.0, memory.rate(1000)), memory.clock(2.0, 1000)))
    True
    """
    margin, rate = real("margin", margin, minimum=0.0), real("rate", rate, minimum=0.0, exclusive=True)
    scale = real("margin_scale", margin_scale, minimum=0.0, exclusive=True)
    power = real("growth_exponent", growth_exponent, minimum=1.0, exclusive=True) - 1.0
    margin, rate, scale, power, since = broadcast(
        margin=margin, rate=rate, margin_scale=scale, growth_exponent=power, since=real("since", since, minimum=0.0)
    )
    return scale * ((1.0 + since / scale) ** -power - (1.0 + margin / scale) ** -power) / (rate * power)


@by_name
@elementwise(
    single=("w", "beta"),
    arrays=("clock",),
    smooth=("context_length", "clock", "w", "beta"),
    ignored=("task_diversity", "dimension", "label_std"),
)
def weight_after_acquisition(task: Task, clock: ArrayLike, w: ArrayLike, beta: ArrayLike) -> Array:
    """w when the memory's own clock has gained ``clock`` since (w_1, β_1), without decay: a is followed from there on.

        w² − w_1² = 2 (β − β_1) + 2m (e^β − e^{β_1})/(N − m),    I − I_1 = ∫ dβ/[w a (1 − a)],  a = 1/(1 + ρ)

    with ρ = (N − m) e^{−β}/m and the label sum at its mean. For large I, w = w_1 + I − I_1 − ∫(1/a − 1) dw. Within
    1.5 % of the coupled equations from acquisition on, for N = 50 … 400 and K = 400 … 5000 (A = 3.9, ν = 0.7).

    Parameters
    ----------
    task : Task
        i.i.d. labels, flat attention; D → ∞ is taken, and the target left out of the softmax.
    clock : array_like, I − I_1 >= 0
        Gained by I_K(φ), the memory's clock at its margin (:meth:`PowerLawMemory.clock`).
    w, beta : array_like, w > 0
        State to start from, that at acquisition for example.

    Returns
    -------
    array of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is out of range, or the task has balanced labels or rough attention.

    Source: docs/derivation.md, "tracking".

    Examples
    --------
    >>> weight_after_acquisition(Task(context_length=100), [0.0, 16.0, 1e3], w=2.1, beta=2.795).round(2).tolist()
    [2.1, 14.22, 998.08]
    """
    plain = task.labels == "iid" and task.score_std == 0.0
    require(plain, "task", "have i.i.d. labels and flat attention here", task)
    clock = real("clock", clock, minimum=0.0)
    w, beta = number("w", w, minimum=0.0, exclusive=True), number("beta", beta, minimum=-BETA_MAX, maximum=BETA_MAX)
    share = task.copies / (task.context_length - task.copies)
    # dI/dβ tabulated: w grows by at least a dI, so that the last β lies where w²/2 = (w_1 + I)²/2
    last = math.log(math.exp(min(beta, 300.0)) + (w + float(clock.max(initial=0.0)) + 1.0) ** 2 / (2.0 * share)) + 1.0
    edges = np.linspace(beta, max(last, beta + 1.0), 801)
    x, weights = legendre(6)
    half = 0.5 * np.diff(edges)

    def squared(b: Array) -> Array:
        return w**2 + 2.0 * (b - beta) + 2.0 * share * (np.exp(b) - math.exp(beta))

    inner = edges[:-1, None] + half[:, None] * (x + 1.0)
    slow = (1.0 + np.exp(-inner) / share) * (1.0 + share * np.exp(inner)) / np.sqrt(squared(inner))
    reading = np.concatenate([[0.0], np.cumsum(half * (slow @ weights))])
    strength = np.interp(clock, reading, edges)
    for _ in range(3):  # Newton on I(β), whose slope is known; the table leaves 1e-3
        strength = strength - _excess(strength, edges, reading, clock, squared, share)
    return np.sqrt(squared(strength))


def _excess(
    strength: Array, edges: Array, reading: Array, clock: Array, squared: Callable[[Array], Array], share: float
) -> Array:
    """(I(β) − I)/(dI/dβ), I(β) by quadrature from the entry of the table below β."""
    x, weights = legendre(6)
    below = np.clip(np.searchsorted(edges, strength, side="right") - 1, 0, len(edges) - 2)
    half = 0.5 * (strength - edges[below])
    inner = edges[below][..., None] + half[..., None] * (x + 1.0)
    slope = lambda b: (1.0 + np.exp(-b) / share) * (1.0 + share * np.exp(b)) / np.sqrt(squared(b))  # noqa: E731
    return (reading[below] + half * (slope(inner) @ weights) - clock) / slope(strength)
