"""Looks at the data that are fixed in advance, and how many networks a claim takes.

Networks are added until every claim of an experiment is decided or its seeds are spent. Looking several times with
intervals of 95 % would let chance in more often than it says, so each look has its own, higher confidence:

    Pr(the interval misses the truth at one look or more) = 5 %,    spent by α(t) = 5 % · ln(1 + (e − 1) t)

after the share t of the networks (Lan and DeMets' spending function of Pocock's kind, which lets a clear claim end
early). Half of it is on either side, so that a true claim fails in at most 2.5 %, and a claim off by more than its bar
holds in at most 2.5 %: each claim by itself.

Source: Lan and DeMets, Biometrika 70 (1983) 659; Armitage, McPherson and Rowe, J. R. Stat. Soc. A 132 (1969) 235.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from ..theory.common.arguments import instance, integer, number, probability, real, require

#: Shares of the networks at the three looks.
THREE = (0.25, 0.5, 1.0)
_ERROR = 0.05
_NODES = 400
_QUANTILES = 500


@dataclass(frozen=True)
class Looks:
    """Shares of an experiment's seeds after which its claims are judged; one look at all of them by default.

    Examples
    --------
    >>> [round(100 * confidence, 2) for confidence in Looks(THREE).confidences]
    [98.21, 98.21, 97.4]
    >>> Looks().confidences
    (0.95,)
    """

    shares: Sequence[float] = (1.0,)

    def __post_init__(self) -> None:
        shares = tuple(real("shares", self.shares).ravel().tolist())
        rising = len(shares) > 0 and all(a < b for a, b in zip((0.0, *shares), shares, strict=False))
        require(rising and shares[-1:] == (1,), "shares", "be looks that rise from above 0 to 1", shares)
        object.__setattr__(self, "shares", shares)

    @property
    def confidences(self) -> tuple[float, ...]:
        """Confidence of the intervals at each look."""
        return _confidences(tuple(self.shares))

    def seeds(self, most: int) -> list[int]:
        """Networks at each look, of ``most``: two at least."""
        return [min(most, max(2, math.ceil(share * most))) for share in self.shares]


@lru_cache
def _confidences(shares: tuple[float, ...]) -> tuple[float, ...]:
    """Bounds ±c_k of Z_k = B(t_k)/√t_k; the density of those still inside is carried from look to look."""
    if len(shares) == 1:
        return (1 - _ERROR,)
    spent = [_ERROR * math.log1p((math.e - 1) * t) for t in shares]
    confidences: list[float] = []
    x, inside = np.zeros(1), np.ones(1)  # values of B, and their probabilities
    before = last = 0.0
    for t, total in zip(shares, spent, strict=True):
        step = math.sqrt(t - before)

        def leaves(c: float, root: float = math.sqrt(t), x=x, inside=inside, step=step) -> float:
            return float(inside @ (stats.norm.sf((c * root - x) / step) + stats.norm.cdf((-c * root - x) / step)))

        due = total - last
        bound = float(optimize.bisect(lambda c, leaves=leaves, due=due: leaves(c) - due, 0.5, 8.0, xtol=1e-12))  # pyright: ignore[reportArgumentType]
        confidences.append(float(1 - 2 * stats.norm.sf(bound)))
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        y = nodes * bound * math.sqrt(t)
        density = (inside @ stats.norm.pdf((y - x[:, None]) / step)) / step
        x, inside = y, density * weights * bound * math.sqrt(t)
        before, last = t, total
    return tuple(confidences)


def power(seeds: int, bar: float, spread: float, *, off: float = 1.0, looks: Looks | None = None) -> float:
    """Probability that a claim holds whose truth is ``off`` times its prediction, at the last look or before.

        Pr(|ln off + s z/√n| + t_{n−1} ŝ/√n <= ln bar),    ŝ² = s² χ²_{n−1}/(n − 1)

    At the last look alone, exactly; earlier looks add to it.

    Parameters
    ----------
    seeds : int >= 2
    bar : float > 1
    spread : float > 0
        s: standard deviation of the logarithm from network to network, known from runs that are no part of the claim.
    off : float > 0
    looks : Looks, optional

    Examples
    --------
    >>> round(power(8, 1.15, 0.1), 2)
    0.84
    """
    seeds, spread = integer("seeds", seeds, minimum=2), number("spread", spread, minimum=0.0, maximum=1e100)
    bar = number("bar", bar, minimum=1.0, maximum=math.inf, exclusive=True)
    off = number("off", off, minimum=0.0, maximum=math.inf, exclusive=True)
    if looks is not None:
        instance("looks", looks, Looks)
    confidence = (looks or Looks()).confidences[-1]
    error = max(spread, 1e-12) / math.sqrt(seeds)
    squares = stats.chi2.ppf((np.arange(_QUANTILES) + 0.5) / _QUANTILES, seeds - 1) / (seeds - 1)
    room = math.log(bar) - stats.t.ppf(0.5 + confidence / 2, seeds - 1) * error * np.sqrt(squares)
    centre = abs(math.log(off))
    held = stats.norm.cdf((room - centre) / error) - stats.norm.cdf((-room - centre) / error)
    return float(np.mean(np.where(room > 0, held, 0.0)))


def seeds_for(
    bar: float, spread: float, *, wanted: float = 0.9, off: float = 1.0, looks: Looks | None = None, most: int = 1000
) -> int:
    """The fewest networks for which :func:`power` is at least ``wanted``.

    Raises
    ------
    ValueError
        If ``most`` networks are too few: ``off`` is too near to the bar.

    Examples
    --------
    >>> seeds_for(1.15, 0.1)
    9
    """
    wanted = probability("wanted", wanted)
    for seeds in range(2, integer("most", most, minimum=2) + 1):
        if power(seeds, bar, spread, off=off, looks=looks) >= wanted:
            return seeds
    require(False, "off", f"leave room to the bar for {most} networks", off)
    raise AssertionError


def spread_for(bar: float, seeds: int, *, wanted: float = 0.9, looks: Looks | None = None) -> float:
    """The greatest spread from network to network at which a true claim holds with the power ``wanted``.

    The inverse of :func:`seeds_for`: what a plan can decide before anything is known of its networks.

    Examples
    --------
    >>> round(spread_for(1.15, 9), 2)
    0.1
    """
    wanted, bar = probability("wanted", wanted), number("bar", bar, minimum=1.0, maximum=math.inf, exclusive=True)
    seeds = integer("seeds", seeds, minimum=2)
    short = lambda spread: power(seeds, bar, spread, looks=looks) - wanted  # noqa: E731
    low, high = 1e-6, 10.0 * math.log(bar) * math.sqrt(seeds)
    return float(optimize.brentq(short, low, high)) if short(low) > 0 else 0.0  # pyright: ignore[reportArgumentType]
