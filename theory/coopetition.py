"""The toy of strategy coopetition (Singh et al., 2503.05631), a rival: two products of vectors with shared factors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: The source's own point: sizes of a, b, c, d, strength of the competition, and what in-context learning leaves over.
SIZES = (20.0, 20.0, 20.0, 160.0)
COMPETITION, LEFT_IN_CONTEXT, LEFT_IN_WEIGHTS = 0.1, 0.1, 0.0


def coopetition_flow(
    state: Array,
    sizes: Sequence[float] = SIZES,
    competition: float = COMPETITION,
    left: tuple[float, float] = (LEFT_IN_CONTEXT, LEFT_IN_WEIGHTS),
) -> Array:
    """Gradient flow of L = (L_abc + μ₁)(L_dbc + μ₂) + (α/2) ⟨(a⊗d)²⟩, b and c shared.

        L_abc = ½ ⟨(a⊗b⊗c − 1)²⟩ = ½ (s_a s_b s_c − 2 p_a p_b p_c + 1),   p_x = ⟨x⟩,   s_x = ⟨x²⟩ = p_x² + q_x²

    with all targets 1 and averages over entries. A vector stays in the plane of its start and of the target, so that p
    and q, the component across, are all of it, and its n entries share the gradient: dp/dt = −(1/n) ∂L/∂p.

    Parameters
    ----------
    state : array (2, 4)
        p and q of a, b, c and d: in-context learning is a⊗b⊗c, memory d⊗b⊗c.
    sizes : four numbers > 0, entries of the vectors
    competition : float, α
    left : μ₁, μ₂: losses that in-context learning and memory leave over

    Returns
    -------
    array (2, 4)

    Source: Singh et al., arXiv 2503.05631.
    """
    p, q = state
    s = p * p + q * q
    context, weights = [0, 1, 2], [3, 1, 2]
    loss, slope_p, slope_q = np.zeros(2), np.zeros((2, 4)), np.zeros((2, 4))
    for k, members in enumerate((context, weights)):
        loss[k] = 0.5 * (s[members].prod() - 2 * p[members].prod() + 1) + left[k]
        for x in members:
            others = [y for y in members if y != x]
            slope_p[k, x] = p[x] * s[others].prod() - p[others].prod()
            slope_q[k, x] = q[x] * s[others].prod()
    force_p = loss[1] * slope_p[0] + loss[0] * slope_p[1]
    force_q = loss[1] * slope_q[0] + loss[0] * slope_q[1]
    for x, other in ((0, 3), (3, 0)):
        force_p[x] += competition * p[x] * s[other]
        force_q[x] += competition * q[x] * s[other]
    return -np.array([force_p, force_q]) / np.asarray(sizes, float)
