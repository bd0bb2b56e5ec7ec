"""The distribution of acquisition times that a Gaussian spread of initial attention brings about: the long tail."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ..accuracy import acquired_beta
from ..common.arguments import instance, integer, number, real, require
from ..common.labels import by_name
from ..contexts.attention import BETA_MAX
from ..numerics.level_sets import LevelSets, level_sets
from ..numerics.quadrature import legendre
from ..task import Task
from .time import WEIGHT_MAX, acquisition_time

Array = NDArray[np.float64]
RandomState = int | np.random.Generator | np.random.RandomState | np.random.SeedSequence | None

#: Standard deviations within which T(β0) is tabulated: beyond 9 lies 1e-19 of the probability.
SPAN = 9.0
#: Probability of never acquiring ICL that a moment leaves out.
NEGLIGIBLE = 1e-12
#: Mean attention strengths beyond this are refused: the times are then powers of e^{200}.
MEAN_MAX = 200.0


class AcquisitionDistribution:
    """Law of t_ICL = T(β0) for K → ∞ and β0 ~ N(mean, std²).

        P(t_ICL <= t) = ∫ over {β0: T(β0) <= t} dN(mean, std²) = Φ((mean − β(t))/std)  where T falls, β(t) its inverse

    log-normal of width σ_β for β0 ≫ ln κ, 2σ_β in the drag branch. Two atoms are possible: at t = 0 (β0 so large that
    ICL is there from the start) and at t = ∞ (balanced labels, β0 < 0). T need not fall: at D of order 1 a sharper
    attention, diluted by the overlaps, may learn later, and w0 < 0 must first be overcome.

    F, the function returned by ``cdf``, errs as the times do and as their table does: P(t (1 − 0.2 %)) − 1e-5 <= F(t)
    <= P(t (1 + 0.2 %)) + 1e-5. Sets of β0 narrower than a hundredth of 9 std on which T is 0 or infinite may be missed.

    Made by :func:`acquisition_distribution`, whose docstring states the arguments, their ranges and errors. Methods
    broadcast over arrays of times or probabilities.

    Source: docs/derivation.md, "long tail"; paper, section 4.

    Examples
    --------
    >>> law = AcquisitionDistribution(Task(context_length=100), beta0_mean=0.0, beta0_std=1.0)
    >>> law.ppf([0.1, 0.5, 0.9]).round(1).tolist()
    [72.1, 277.1, 1252.2]
    >>> law.rvs(size=(2, 3), random_state=0).shape
    (2, 3)
    """

    def __init__(self, task: Task, beta0_mean: float, beta0_std: float, w0: float = 0.0) -> None:
        instance("task", task, Task)
        require(task.single().score_std == 0.0, "task", "have score_std = 0 here", task.score_std)
        self.task, self.w0 = task, number("w0", w0, minimum=-WEIGHT_MAX, maximum=WEIGHT_MAX)
        self.beta0_mean = number("beta0_mean", beta0_mean, minimum=-MEAN_MAX, maximum=MEAN_MAX)
        # the law is tabulated within SPAN standard deviations, all of which the acquisition time has to admit
        self.beta0_std = number("beta0_std", beta0_std, minimum=0.0, exclusive=True)
        most = (BETA_MAX - abs(self.beta0_mean)) / SPAN
        require(self.beta0_std <= most, "beta0_std", f"be at most {most:.4g} for this mean", self.beta0_std)

    @by_name
    def time(self, beta0: ArrayLike) -> Array:
        """T(β0)."""
        return acquisition_time(self.task, beta0, self.w0)

    @cached_property
    def _sets(self) -> LevelSets:
        """The line of z = (β0 − mean)/std, cut where t = T(β0) turns, or becomes 0 or infinite."""
        level = acquired_beta(self.task)
        saddle = [0.0] if self.task.labels == "balanced" and self.w0 == 0.0 else []
        known = [(b - self.beta0_mean) / self.beta0_std for b in [level, *saddle] if math.isfinite(b)]
        return level_sets(self._at, -SPAN, SPAN, known)

    def _at(self, z: Array) -> Array:
        return self.time(np.clip(self.beta0_mean + self.beta0_std * z, -BETA_MAX, BETA_MAX))

    @by_name
    def cdf(self, time: ArrayLike) -> Array:
        """P(t_ICL <= time), for any ``time``; below 0 it is 0, at ``inf`` it is the probability of acquiring at all."""
        time = real("time", time, finite=False)
        return np.where(time < 0.0, 0.0, self._sets.below(_log(time)))

    @by_name
    def sf(self, time: ArrayLike) -> Array:
        """P(t_ICL > time), accurate in the far tail."""
        time = real("time", time, finite=False)
        return np.where(time < 0.0, 1.0, self._sets.above(_log(time)))

    @by_name
    def pdf(self, time: ArrayLike) -> Array:
        """Density of the continuous part: Σ of the normal density times |dβ/dt| over the β0 that acquire at t."""
        time = real("time", time, finite=False)
        inside = np.isfinite(time) & (time > 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(inside, self._sets.density(_log(time)) / np.where(inside, time, 1.0), 0.0)

    @by_name
    def ppf(self, probability: ArrayLike) -> Array:
        """The least t with P(t_ICL <= t) >= ``probability``; ``inf`` beyond the probability of acquiring.

        Where T falls throughout this is T(mean − std Φ⁻¹(probability)), without the table.
        """
        probability = real("probability", probability, minimum=0.0, maximum=1.0)
        if not self._sets.falls:
            return self._sets.quantile(probability)
        z = np.clip(ndtri(probability), -38.0, 38.0)  # Φ(±38) is 0 or 1 in float64
        return self._at(-z)

    def rvs(self, size: int | tuple[int, ...] | None = None, random_state: RandomState = None) -> Array:
        """Samples of shape ``size`` (one number for None): T of normal draws.

        ``random_state`` is, as in scipy, None (fresh entropy), a seed, or a generator, which is advanced.
        """
        try:
            legacy = isinstance(random_state, np.random.RandomState)
            generator = random_state if legacy else np.random.default_rng(random_state)
        except (TypeError, ValueError):
            require(False, "random_state", "be None, a seed or a numpy random generator", random_state)
            raise
        try:
            draws = generator.standard_normal(size)
        except (TypeError, ValueError):
            require(False, "size", "be None, an integer >= 0 or a tuple of them", size)
            raise
        return self.time(np.clip(self.beta0_mean + self.beta0_std * np.asarray(draws), -BETA_MAX, BETA_MAX))

    @property
    def median(self) -> float:
        """The least time by which at least half have acquired ICL, as Kaplan and Meier's; T(mean) where T falls."""
        return float(self.ppf(0.5))

    @property
    def probability(self) -> float:
        """Probability of acquiring ICL at all: 1 in most cases, P(β0 > saddle) with balanced labels."""
        return float(self.cdf(math.inf))

    def moment(self, order: int) -> float:
        """⟨t^order⟩ = ∫ T(β0)^order dP(β0); ``inf`` if ICL may never be acquired.

        At finite D times grow as e^{β0²/2D} for |β0| ≫ D, so that the moment is infinite from order · std² >= D on. It
        is refused where the integrand's peak or tail lies beyond |β0| = 300.
        """
        order = integer("order", order, minimum=1)
        if self.task.labels == "iid" and self.task.label_std == 0.0 and self.w0 >= 0.0:
            return 0.0
        if float(self._sets.above(np.array(math.inf))) > NEGLIGIBLE:
            return math.inf
        narrowing = 1.0 - order * self.beta0_std**2 / self.task.dimension
        if narrowing <= 0.0:
            return math.inf
        # T^order grows at most as e^{order (2|β0| + β0²/2D)}, which moves the normal law's peak outwards and widens it
        wide = 1.0 / math.sqrt(narrowing)
        shift = 2.0 * order * self.beta0_std + order * abs(self.beta0_mean) * self.beta0_std / self.task.dimension
        reach = SPAN * wide + shift * wide**2
        farthest = abs(self.beta0_mean) + reach * self.beta0_std
        require(farthest <= BETA_MAX, "order", f"keep the integrand within |β0| <= {BETA_MAX:g}", order)
        return self._integral(order, reach)

    def _integral(self, order: int, reach: float) -> float:
        """∫ T^order dP between z = ∓reach, over the pieces on which T is smooth."""
        x, weights = legendre(40)
        total = 0.0
        for piece in self._sets.pieces:
            left, right = max(piece.left, -reach), min(piece.right, reach)
            if right <= left:
                continue
            edges = np.linspace(left, right, max(2, math.ceil(2.0 * (right - left))))
            half = 0.5 * np.diff(edges)[:, None]
            z = (edges[:-1, None] + half * (x + 1.0)).ravel()
            with np.errstate(divide="ignore"):
                log_value = order * np.log(self._at(z)) - 0.5 * z**2
            total += float(np.sum((half * weights).ravel() * np.exp(log_value)))
        return total / math.sqrt(2.0 * math.pi)

    @property
    def mean(self) -> float:
        """⟨t⟩."""
        return self.moment(1)

    @property
    def std(self) -> float:
        """√(⟨t²⟩ − ⟨t⟩²)."""
        mean = self.moment(1)
        return math.inf if math.isinf(mean) else math.sqrt(max(self.moment(2) - mean**2, 0.0))

    def tail_ratio(self, probability: float = 0.99) -> float:
        """Long tail against a normal: (q_p − q_½)/(q_½ − q_{1−p}), which is 1 for every symmetric law."""
        probability = number("probability", probability, minimum=0.5, maximum=1.0, exclusive=True)
        low, middle, high = self.ppf([1.0 - probability, 0.5, probability])
        return math.inf if math.isinf(high) or middle == low else float((high - middle) / (middle - low))


def _log(time: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(time, 0.0))


def acquisition_distribution(
    task: Task, beta0_mean: float, beta0_std: float, w0: float = 0.0
) -> AcquisitionDistribution:
    """Distribution of the acquisition time for K → ∞ when β0 ~ N(mean, std²).

        t_ICL = T(β0)  ⇒  P(t_ICL <= t) = P(T(β0) <= t) = Φ((mean − β(t))/std)  where T falls

    Parameters
    ----------
    task : Task
    beta0_mean : float in [−200, 200]
    beta0_std : float in (0, (300 − |mean|)/9]
    w0 : float in [−5, 5]

    Returns
    -------
    AcquisitionDistribution
        With ``pdf``, ``cdf``, ``sf``, ``ppf``, ``rvs``, ``median``, ``mean``, ``std``, ``moment`` and ``tail_ratio``.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "long tail"; paper, section 4.

    Examples
    --------
    >>> law = acquisition_distribution(Task(context_length=100), 0.0, 1.0)
    >>> round(law.median, 1), round(float(law.cdf(law.median)), 4), law.tail_ratio(0.99) > 10
    (277.1, 0.5, True)
    """
    return AcquisitionDistribution(task, beta0_mean, beta0_std, w0)
