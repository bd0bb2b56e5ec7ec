"""After acquisition: the weight with which ICL tracks the memory."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw

from ._arguments import broadcast, real
from ._labels import by_name

Array = NDArray[np.float64]


@by_name
def tracking_weight(c3: ArrayLike, decay: ArrayLike) -> Array:
    """w_tr = W(c3/λ), the solution of c3 e^{−w} = λ w: Lambert's W.

    With a → 1 and margins φ ≫ 1, σ(−φ − w) = e^{−φ} e^{−w}, and the drift c3 e^{−w} of w balances its decay λ w. Then
    the two losses, L_IWL ≈ c3 and L_ICL ≈ e^{−w}, are tied by L_ICL · L_IWL ≈ λ w_tr. The limit a → 1 is slow: the
    decay of β leaves 1 − a ≈ β/w², so that the stable branch lies about β/w above w_tr (0.6 at N = 100, λ = 1e-6).

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
    margin: ArrayLike, rate: ArrayLike, margin_scale: ArrayLike = 1.0, growth_exponent: ArrayLike = 4.0 / 3.0
) -> Array:
    """w without decay, once a = 1: dw/dφ = 1/(r_K (1 + φ/p)^q), so w − w(0) = p [1 − (1 + φ/p)^{1−q}]/(r_K (q − 1)).

    Both circuits are driven by the same residual, which cancels: w − w(0) is the memory's clock I_K at margin φ. It
    ties the ICL loss (≈ e^{−w}) to the IWL loss (≈ e^{−φ}).

    Parameters
    ----------
    margin : array_like, φ >= 0
    rate : array_like, r_K > 0
    margin_scale : array_like, p > 0
    growth_exponent : array_like, q > 1

    Returns
    -------
    array of the broadcast shape: the growth of w since φ = 0

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
    margin, rate, scale, power = broadcast(margin=margin, rate=rate, margin_scale=scale, growth_exponent=power)
    return scale * (1.0 - (1.0 + margin / scale) ** -power) / (rate * power)
