"""Many values of a function from few: Chebyshev panels, halved until each represents it."""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Nodes of a panel along each axis, the last coefficients that must be small, and how small against 1: the function is
#: a logarithm, or in units of its greatest value.
NODES, TAIL, SMALL = 12, 3, 1e-7
#: Halvings along each axis after which a panel that fails (next to a kink or a pole) gives way to the function itself:
#: sooner where it has no more points than its halves have nodes.
LEVELS = 14


def interpolated(function: Callable[[Array], Array], x: Array, first: Sequence[int]) -> Array:
    """``function(x)`` (point, value) at points x (axis, point), to 1e-6 relative where ln f is piecewise analytic.

    Along each axis there are ``first`` panels. One that fails is halved along the axis in which it fails most, and one
    in which the function is infinite at a node fails; at points that no panel holds in the end the function is called.
    Of a value that is not positive, an error of 1e-6 is meant in units of the greatest in the panel. What is NaN, or
    infinite, at all of a panel's nodes is so in it.
    """
    panels = _first_panels(x, first)
    members = _members(x, np.arange(x.shape[1]), panels)
    result: Array | None = None
    left: list[NDArray[np.intp]] = []
    for level in range(LEVELS * len(x)):
        nodes = np.concatenate([_nodes(panel) for panel in panels], axis=1)
        values = function(nodes).reshape(len(panels), *(NODES,) * len(x), -1)
        if result is None:
            result = np.empty((x.shape[1], values.shape[-1]))
        bad: list[Array] = []
        left = []
        for panel, own, value in zip(panels, members, values, strict=True):
            coefficients, logs, worst = _coefficients(value)
            if worst is None:
                result[own] = _evaluated(coefficients, logs, panel, x[:, own])
                continue
            half = _halves(panel, worst)
            kept = _members(x, own, half)
            bad += [rows for rows, inside in zip(half, kept, strict=True) if inside.size]
            left += [inside for inside in kept if inside.size]
        rest = sum(rows.size for rows in left)
        if not bad or len(bad) * NODES ** len(x) >= rest or level == LEVELS * len(x) - 1:
            break
        panels, members = bad, left
    assert result is not None
    if left:
        own = np.concatenate(left)
        result[own] = function(x[:, own])
    return result


def _first_panels(x: Array, first: Sequence[int]) -> list[Array]:
    """Panels (axis, end) that divide the range of the points."""
    edges = [np.linspace(row.min(), row.max(), count + 1) for row, count in zip(x, first, strict=True)]
    return [np.array(ends) for ends in itertools.product(*map(itertools.pairwise, edges))]


def _members(x: Array, among: NDArray[np.intp], panels: list[Array]) -> list[NDArray[np.intp]]:
    """Those of the points ``among`` that lie in each panel, each point in one."""
    left = np.ones(among.size, dtype=bool)
    members = []
    for panel in panels:
        inside = left.copy()
        for row, (low, high) in zip(x, panel, strict=True):
            inside &= (row[among] >= low) & (row[among] <= high)
        left &= ~inside
        members.append(among[inside])
    return members


def _nodes(panel: Array) -> Array:
    """(axis, node): the product of the nodes along each axis."""
    along = [0.5 * (low + high) + 0.5 * (high - low) * _transform()[0] for low, high in panel]
    return np.stack(np.meshgrid(*along, indexing="ij")).reshape(len(panel), -1)


@lru_cache(maxsize=1)
def _transform() -> tuple[Array, Array]:
    """Nodes on (−1, 1), and the matrix from values there to coefficients."""
    nodes = np.cos(math.pi * (np.arange(NODES) + 0.5) / NODES)
    return nodes, np.asarray(np.linalg.inv(chebyshev.chebvander(nodes, NODES - 1)), dtype=np.float64)


def _coefficients(values: Array) -> tuple[Array, NDArray[np.bool_], int | None]:
    """Coefficients (…, value) of a panel, which of its values they are logarithms of, and the axis that fails most."""
    axes = tuple(range(values.ndim - 1))
    first = values[(0,) * len(axes)]
    lacking = ~np.isfinite(first) & ((values == first) | np.isnan(values) & np.isnan(first)).all(axis=axes)
    values = np.where(lacking, 0.0, values)
    logs = np.asarray((values > 0.0).all(axis=axes))
    with np.errstate(divide="ignore", invalid="ignore"):
        taken = np.where(logs, np.log(np.where(logs, values, 1.0)), values)
        scale = np.where(logs, 1.0, np.maximum(np.abs(values).max(axis=axes), 1e-300))
        for axis in axes:
            taken = np.moveaxis(np.tensordot(_transform()[1], taken, (1, axis)), 0, axis)
        tails = [
            np.abs(np.moveaxis(taken, axis, 0)[-TAIL:]).max(axis=tuple(range(values.ndim - 1))) / scale for axis in axes
        ]
    failing = [float(np.max(tail)) if np.isfinite(tail).all() else math.inf for tail in tails]
    worst = int(np.argmax(failing))
    logs = logs & ~lacking
    constant = np.zeros((NODES,) * len(axes), dtype=bool)
    constant[(0,) * len(axes)] = True
    taken = np.where(lacking, np.where(constant[..., None], first, 0.0), taken)
    return taken, logs, None if failing[worst] <= SMALL else worst


def _halves(panel: Array, axis: int) -> list[Array]:
    low, high = panel.copy(), panel.copy()
    low[axis, 1] = high[axis, 0] = panel[axis].mean()
    return [low, high]


def _evaluated(coefficients: Array, logs: NDArray[np.bool_], panel: Array, x: Array) -> Array:
    """Values (point, value) of the panel's polynomials."""
    width = [max(high - low, 1e-300) for low, high in panel]  # none where all points are one
    scaled = [(2.0 * row - low - high) / wide for row, wide, (low, high) in zip(x, width, panel, strict=True)]
    powers = [chebyshev.chebvander(row, NODES - 1) for row in scaled]  # (point, order)
    first = np.tensordot(powers[0], coefficients, (1, 0))  # (point, order of the other axes …, value)
    value = reduce(lambda part, power: np.einsum("pk,pk...->p...", power, part), powers[1:], first)
    with np.errstate(over="ignore"):
        return np.where(logs, np.exp(np.where(logs, value, 0.0)), value)
