"""Memory laws: how fast the in-weights circuit memorises, and the total clock it leaves for ICL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ..common.arguments import broadcast, is_integer, number, real, require
from ..common.labels import by_name

Array = NDArray[np.float64]


@runtime_checkable
class Memory(Protocol):
    """What the coupled model and the threshold ask of a memory law.

    ``state`` is the law's own coordinate: the margin φ for the homogeneous law, the clock J for a measured one. The
    curves c1, c2, c3 and the margins need ``task_diversity`` only where they depend on it at a given state.

    Source: docs/derivation.md, "memory law".

    Examples
    --------
    >>> isinstance(PowerLawMemory(amplitude=3.9, exponent=0.7), Memory)
    True
    """

    def field(self, state: ArrayLike, residual: ArrayLike, task_diversity: ArrayLike) -> Array:
        """d(state)/dt when the mean residual ⟨σ(−φ − z)⟩ over items and sequences is ``residual``."""
        ...

    def margins(self, state: ArrayLike, task_diversity: float | None = None) -> tuple[Array, Array]:
        """Margins φ of shape (..., quantile) at ``state``, and the weights (quantile,) that average over them."""
        ...

    def c1(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """⟨σ(−φ)⟩."""
        ...

    def c2(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """1 − ⟨σ(−φ)²⟩/c1."""
        ...

    def c3(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """⟨e^{−φ}⟩."""
        ...

    def total_clock(self, task_diversity: ArrayLike) -> Array:
        """I_K(∞) = ∫_0^∞ c1 dt of the memory circuit alone."""
        ...

    def critical_diversity(self, clock: ArrayLike) -> Array:
        """The K at which I_K(∞) = ``clock``."""
        ...


@dataclass(frozen=True)
class PowerLawMemory:
    """Homogeneous network of depth L whose total clock is a power of the task diversity.

        dφ/dt = r_K (1 + φ/p)^q ⟨σ(−φ − z)⟩,   q = 2 − 2/L,   r_K = p/((q − 1) I_K(∞)),   I_K(∞) = A K^ν / r

    Alone (z = 0) the clock is I_K = I_K(∞) [1 − (1 + φ/p)^{1−q}], finite in the end only for L > 2.

    Parameters
    ----------
    amplitude : float, A > 0
        In units of gradient-flow time. It belongs to an architecture and an input scale: measure it.
    exponent : float, ν > 0
    margin_scale : float, p > 0
        Margin on which the network leaves its initial kernel.
    depth : int, L >= 3
    rate_ratio : float, r > 0
        Learning rate of the memory circuit over that of the attention; it divides the clock by r.

    Raises
    ------
    ValueError
        For a value outside its range, L <= 2 among them: there I_K(∞) diverges and no power law exists.

    Source: docs/derivation.md, "memory law"; paper, sections 4 and 5.

    Examples
    --------
    >>> memory = PowerLawMemory(amplitude=3.9, exponent=0.7)
    >>> round(float(memory.total_clock(1000)), 1)
    491.0
    >>> round(float(memory.critical_diversity(memory.total_clock(1000))), 6)
    1000.0
    """

    amplitude: float
    exponent: float
    margin_scale: float = 1.0
    depth: int = 3
    rate_ratio: float = 1.0

    def __post_init__(self) -> None:
        for name in ("amplitude", "exponent", "margin_scale", "rate_ratio"):
            number(name, getattr(self, name), minimum=0.0, exclusive=True)
        require(
            is_integer(self.depth) and self.depth >= 3,
            "depth",
            "be an integer L >= 3 (I_K(∞) is finite only for L > 2)",
            self.depth,
        )

    @property
    def growth_exponent(self) -> float:
        """q = 2 − 2/L."""
        return 2.0 - 2.0 / self.depth

    @by_name
    def total_clock(self, task_diversity: ArrayLike) -> Array:
        """I_K(∞) = A K^ν/r, shaped like ``task_diversity`` (K >= 1, ``inf`` allowed)."""
        diversity = real("task_diversity", task_diversity, minimum=1.0, finite=False)
        return self.amplitude * diversity**self.exponent / self.rate_ratio

    @by_name
    def critical_diversity(self, clock: ArrayLike) -> Array:
        """K = (r · clock/A)^{1/ν}; below 1 where even a single pair outlasts the clock."""
        clock = real("clock", clock, minimum=0.0, finite=False)
        with np.errstate(over="ignore"):
            return (self.rate_ratio * clock / self.amplitude) ** (1.0 / self.exponent)

    @by_name
    def rate(self, task_diversity: ArrayLike) -> Array:
        """r_K = p/((q − 1) I_K(∞)), the growth rate of the margin at φ = 0 per unit residual; 0 for K → ∞."""
        return self.margin_scale / ((self.growth_exponent - 1.0) * self.total_clock(task_diversity))

    @by_name
    def field(self, state: ArrayLike, residual: ArrayLike, task_diversity: ArrayLike) -> Array:
        """dφ/dt = r_K (1 + φ/p)^q residual, the state being the margin φ >= −p."""
        margin, residual, rate = broadcast(
            state=real("state", state, minimum=-self.margin_scale),
            residual=real("residual", residual, minimum=0.0, maximum=1.0),
            task_diversity=self.rate(task_diversity),
        )
        # the cap keeps q-th powers within float64; no margin comes near it
        return rate * np.minimum(1.0 + margin / self.margin_scale, 1e150) ** self.growth_exponent * residual

    def margins(self, state: ArrayLike, task_diversity: float | None = None) -> tuple[Array, Array]:
        """One margin for all items: φ itself, with weight 1."""
        return real("state", state)[..., None], np.ones(1)

    @by_name
    def clock(self, margin: ArrayLike, task_diversity: ArrayLike) -> Array:
        """I_K at margin φ, memory alone: I_K(∞) [1 − (1 + φ/p)^{1−q}]."""
        margin, total = broadcast(
            margin=real("margin", margin, minimum=0.0, finite=False), task_diversity=self.total_clock(task_diversity)
        )
        decay = (1.0 + margin / self.margin_scale) ** (1.0 - self.growth_exponent)
        return total * (1.0 - decay)

    @by_name
    def margin(self, clock: ArrayLike, task_diversity: ArrayLike) -> Array:
        """Inverse of :meth:`clock`: φ = p [(1 − I_K/I_K(∞))^{−1/(q−1)} − 1]; ``inf`` from I_K(∞) on."""
        clock, total = broadcast(
            clock=real("clock", clock, minimum=0.0), task_diversity=self.total_clock(task_diversity)
        )
        left = 1.0 - clock / total
        with np.errstate(divide="ignore"):
            return self.margin_scale * (np.maximum(left, 0.0) ** (-1.0 / (self.growth_exponent - 1.0)) - 1.0)

    @by_name
    def c1(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """σ(−φ)."""
        return expit(-real("state", state))

    @by_name
    def c2(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """1 − σ(−φ)²/c1 = σ(φ)."""
        return expit(real("state", state))

    @by_name
    def c3(self, state: ArrayLike, task_diversity: float | None = None) -> Array:
        """e^{−φ}."""
        return np.exp(-real("state", state, minimum=-700.0))
