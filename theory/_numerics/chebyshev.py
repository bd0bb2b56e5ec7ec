"""Many values of a function of one variable from few: Chebyshev panels, halved until each represents it."""

import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Nodes of a panel, the last coefficients that must be small, and how small against 1: the function is a logarithm.
NODES, TAIL, SMALL = 12, 3, 1e-7
#: Panels at first, and halvings after which one that fails (next to a kink or a pole) gives way to the function itself.
FIRST, LEVELS = 16, 6


def tabulated(function: Callable[[Array], Array], x: Array) -> Array:
    """``function(x)`` for a positive function at many points, to 1e-6 relative where ln f is piecewise analytic.

    Panels where the function is 0 or infinite at a node are halved like those that it is not smooth in; at points that
    no panel holds in the end the function is called.
    """
    nodes = np.cos(math.pi * (np.arange(NODES) + 0.5) / NODES)
    transform = np.linalg.inv(chebyshev.chebvander(nodes, NODES - 1))
    edges = np.linspace(x.min(), x.max(), FIRST + 1)
    panels = np.stack([edges[:-1], edges[1:]], axis=1)
    result, open_points = np.empty(x.size), np.ones(x.size, dtype=bool)
    for _ in range(LEVELS):
        middle, half = panels.mean(axis=1), 0.5 * (panels[:, 1] - panels[:, 0])
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log(function((middle[:, None] + half[:, None] * nodes).ravel()).reshape(-1, NODES))
            coefficients = np.asarray(values @ transform.T)
            good = np.isfinite(values).all(axis=1) & (np.abs(coefficients[:, -TAIL:]).max(axis=1) <= SMALL)
        # panels ascend, and each open point lies in one of them or in one that has been done with
        rest = np.flatnonzero(open_points)
        which = np.searchsorted(panels[:, 0], x[rest], side="right") - 1
        held = good[which]
        inside, panel = rest[held], which[held]
        scaled = (x[inside] - middle[panel]) / half[panel]
        result[inside] = np.exp(_clenshaw(np.asarray(coefficients[panel].T, dtype=np.float64), scaled))
        open_points[inside] = False
        bad = panels[~good & np.isin(np.arange(len(panels)), which)]
        if len(bad) == 0 or 2 * len(bad) * NODES >= np.count_nonzero(open_points):
            break
        panels = np.stack([bad[:, 0], bad.mean(axis=1), bad.mean(axis=1), bad[:, 1]], axis=1).reshape(-1, 2)
    if open_points.any():
        result[open_points] = function(x[open_points])
    return result


def _clenshaw(coefficients: Array, x: Array) -> Array:
    """Σ_k c_k T_k(x), the coefficients first."""
    later, latest = np.zeros_like(x), np.zeros_like(x)
    for c in coefficients[:0:-1]:
        latest, later = c + 2.0 * x * latest - later, latest
    return coefficients[0] + x * latest - later
