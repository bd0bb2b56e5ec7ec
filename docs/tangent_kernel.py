"""Experimental: the memory's exponent ν from the spectrum of the network's infinite-width tangent kernel.

In the kernel regime φ(t) = G s(t)/K with G_ij = ℓ_i Θ(x_i, x_j) ℓ_j and s_j = ∫σ(−φ_j) dt, and the clock is the mean
of s. Where every item has reached the margin φ, s = K φ G⁻¹ 1, so that

    I_K(φ) = φ ℓᵀ Θ⁻¹ ℓ = φ Σ_μ (v_μ·ℓ)²/λ_μ:

the squared norm of the least function that gives every label the margin φ. No time stepping is needed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iclrace.theory.common.arguments import integer, number, real, require

Array = NDArray[np.float64]

#: Margin at which c1 = 0.002, where the measured clocks were read: −ln 0.002.
END_MARGIN = -math.log(0.002)


def tangent_kernel(items: ArrayLike, width: int) -> Array:
    """Θ(x, x′) = n E2 + 1 + Ė2 (n E1 + 1)/3 + Ė2 Ė1 (x·x′ + 1)/9 of a D-n-n-1 ReLU network as it is initialised.

    Weights and biases have variance 1/(3 fan-in) (uniform on ±1/√fan-in), n is the width, taken to infinity in the
    averages E_l = ⟨ReLU ReLU⟩ and Ė_l = ⟨ReLU′ ReLU′⟩ of layer l.

    Parameters
    ----------
    items : array (item, dimension)
    width : int, n >= 1

    Returns
    -------
    array (item, item)

    Raises
    ------
    ValueError
        If ``items`` has another shape, or ``width`` < 1.

    Examples
    --------
    >>> kernel = tangent_kernel(np.eye(3), width=512)
    >>> bool(np.allclose(kernel, kernel.T)), bool(np.linalg.eigvalsh(kernel)[0] > 0)
    (True, True)
    """
    items = real("items", items, minimum=-1e100, maximum=1e100)
    require(items.ndim == 2, "items", "have shape (item, dimension)", items.shape)
    width = integer("width", width, minimum=1)
    overlap = items @ items.T
    first, first_slope = _relu_averages((overlap + 1.0) / (3.0 * items.shape[1]))
    second, second_slope = _relu_averages(first / 3.0 + 1.0 / (3.0 * width))
    outer = width * second + 1.0
    middle = second_slope / 3.0 * (width * first + 1.0)
    return outer + middle + second_slope * first_slope / 9.0 * (overlap + 1.0)


def _relu_averages(covariance: Array) -> tuple[Array, Array]:
    """⟨ReLU(u) ReLU(u′)⟩ and ⟨ReLU′(u) ReLU′(u′)⟩ of Gaussian pairs: the arc-cosine kernels."""
    deviation = np.sqrt(np.diag(covariance))
    scale = np.outer(deviation, deviation)
    cosine = np.clip(covariance / scale, -1.0, 1.0)
    np.fill_diagonal(cosine, 1.0)
    angle = np.arccos(cosine)
    product = scale / (2.0 * math.pi) * (np.sin(angle) + (math.pi - angle) * cosine)
    return product, (math.pi - angle) / (2.0 * math.pi)


def kernel_clock(
    task_diversity: int, dimension: int, width: int, *, norm: float = 1.0, margin: float = END_MARGIN, seed: int = 0
) -> float:
    """I_K(φ) = φ ℓᵀ Θ⁻¹ ℓ for K random items in D dimensions with random labels ±1: a kernel-regime prediction.

    Experimental, and a negative result: against full-batch training (width 512, D = 63, unit norm, until c1 = 0.002)
    the clock is 140 to 340 times too long and its exponent 1.1–1.2, where 0.6–0.8 is measured: docs/derivation.md.

    Parameters
    ----------
    task_diversity : int, K >= 2
    dimension : int, D >= 1
    width : int, n >= 1
    norm : float, > 0
        Root mean square norm of an item.
    margin : float, > 0
        φ at which the clock is read.
    seed : int
        Of the items and labels.

    Returns
    -------
    float, in gradient-flow time

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> small, large = (kernel_clock(k, dimension=63, width=512) for k in (100, 200))
    >>> small < large
    True
    """
    task_diversity = integer("task_diversity", task_diversity, minimum=2)
    dimension = integer("dimension", dimension, minimum=1)
    norm = number("norm", norm, minimum=0.0, maximum=1e90, exclusive=True)
    margin = number("margin", margin, minimum=0.0, exclusive=True)
    rng = np.random.default_rng(integer("seed", seed, minimum=0))
    items = norm / math.sqrt(dimension) * rng.standard_normal((task_diversity, dimension))
    labels = np.where(np.arange(task_diversity) < task_diversity // 2, 1.0, -1.0)
    return margin * float(labels @ np.linalg.solve(tangent_kernel(items, width), labels))
