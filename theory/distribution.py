"""The distribution of acquisition times that a Gaussian spread of initial attention brings about: the long tail."""

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from ._arguments import integer, number, real, require
from ._labels import by_name
from .accuracy import acquired_beta
from .acquisition import WEIGHT_MAX, acquisition_time
from .attention import BETA_MAX
from .task import Task

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float64]
RandomState = int | np.random.Generator | np.random.RandomState | np.random.SeedSequence | None

#: Initial attention strengths that carry the map β0 → t, and how many standard deviations they span. Beyond 9 lies
#: 1e-19 of the probability; 600 points leave 1e-6 in ln t between them.
POINTS, SPAN = 600, 9.0
#: Mean attention strengths beyond this are refused: the times are then powers of e^{200}.
MEAN_MAX = 200.0


class AcquisitionDistribution:
    """Law of t_ICL = T(β0) for K → ∞ and β0 ~ N(mean, std²), T falling in β0.

        P(t_ICL <= t) = Φ((mean − β(t))/std),   β(t) the inverse of T

    log-normal of width σ_β for β0 ≫ ln κ, 2σ_β in the drag branch. Two atoms are possible: at t = 0 (β0 so large that
    ICL is there from the start) and at t = ∞ (balanced labels, β0 < 0).

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
        require(task.score_std == 0.0, "task", "have score_std = 0 here", task.score_std)
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
    def _inverse(self) -> "tuple[PchipInterpolator | None, float, float, float, float]":
        """β as a function of ln t, the ends of ln t, and the β0 that give t = ∞ and t = 0.

        There is no function where every time is 0 or ∞, as with balanced labels for D → ∞.
        """
        from scipy.interpolate import PchipInterpolator  # imported late: it is slow to load and not always needed

        low, high = (self.beta0_mean + sign * SPAN * self.beta0_std for sign in (-1.0, 1.0))
        high = min(high, acquired_beta(self.task)) if self.w0 >= 0.0 else high
        never = -math.inf
        if self.task.labels == "balanced":
            never = self._saddle(low, high)
            low = max(low, never)
        low = min(low, high - 1e-6)
        # T vanishes like a power of the distance to the upper end, and diverges at a saddle: crowd the points there
        theta = 0.5 * (1.0 - np.cos(math.pi * np.linspace(0.0, 1.0, POINTS + 2)))[1:-1]
        beta = low + (high - low) * theta
        time = self.time(beta)
        good = np.isfinite(time) & (time > 0.0)
        beta, log_time = beta[good][::-1], np.log(time[good][::-1])
        if beta.size < 2:
            return None, math.inf, math.inf, never, high
        rising = np.concatenate([[True], np.diff(log_time) > 0.0])
        beta, log_time = beta[rising], log_time[rising]
        return PchipInterpolator(log_time, beta), log_time[0], log_time[-1], never, high

    def _saddle(self, low: float, high: float) -> float:
        """The β0 below which a balanced context never acquires: 0 for w0 = 0, shifted by the push of w0."""
        if self.w0 == 0.0:
            return 0.0
        left, right = low - 40.0, max(high, 0.0) + 40.0
        for _ in range(100):
            middle = 0.5 * (left + right)
            acquires = bool(np.isfinite(self.time(middle)))
            left, right = (left, middle) if acquires else (middle, right)
        return right

    def _beta(self, time: Array) -> Array:
        """β(t), with the atoms' edges outside the tabulated times."""
        inverse, first, last, never, at_once = self._inverse
        if inverse is None:
            return np.full(time.shape, at_once)
        with np.errstate(divide="ignore"):
            log_time = np.log(time)
        beta = inverse(np.clip(log_time, first, last))
        # on the power-law flank ln t is linear in β; the table spans all but 1e-19 of the probability
        beta = np.where(log_time < first, at_once, beta)
        return np.where(log_time > last, np.maximum(never, self.beta0_mean - 40.0 * self.beta0_std), beta)

    @by_name
    def cdf(self, time: ArrayLike) -> Array:
        """P(t_ICL <= time), for any ``time``; below 0 it is 0, at ``inf`` it is the probability of acquiring at all."""
        time = real("time", time, finite=False)
        probability = ndtr((self.beta0_mean - self._beta(np.maximum(time, 0.0))) / self.beta0_std)
        return np.where(time < 0.0, 0.0, probability)

    @by_name
    def sf(self, time: ArrayLike) -> Array:
        """P(t_ICL > time), accurate in the far tail."""
        time = real("time", time, finite=False)
        probability = ndtr((self._beta(np.maximum(time, 0.0)) - self.beta0_mean) / self.beta0_std)
        return np.where(time < 0.0, 1.0, probability)

    @by_name
    def pdf(self, time: ArrayLike) -> Array:
        """Density of the continuous part: the normal density at β(t) times |dβ/dt|."""
        time = real("time", time, finite=False)
        inverse, first, last, *_ = self._inverse
        if inverse is None:
            return np.zeros(time.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_time = np.log(time)
            inside = (log_time >= first) & (log_time <= last)
            z = (inverse(np.clip(log_time, first, last)) - self.beta0_mean) / self.beta0_std
            slope = -inverse.derivative()(np.clip(log_time, first, last)) / np.where(inside, time, 1.0)
        return np.where(inside, slope * np.exp(-0.5 * z**2) / (math.sqrt(2.0 * math.pi) * self.beta0_std), 0.0)

    @by_name
    def ppf(self, probability: ArrayLike) -> Array:
        """Quantile T(mean − std Φ⁻¹(probability)): exact, no table; ``inf`` beyond the probability of acquiring."""
        probability = real("probability", probability, minimum=0.0, maximum=1.0)
        z = np.clip(ndtri(probability), -38.0, 38.0)  # Φ(±38) is 0 or 1 in float64
        return self.time(np.clip(self.beta0_mean - self.beta0_std * z, -BETA_MAX, BETA_MAX))

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
        """T(mean)."""
        return float(self.time(self.beta0_mean))

    @property
    def probability(self) -> float:
        """Probability of acquiring ICL at all: 1, or P(β0 > saddle) with balanced labels."""
        return float(self.cdf(math.inf))

    def moment(self, order: int) -> float:
        """⟨t^order⟩ = ∫ T(β0)^order dP(β0); ``inf`` if ICL may never be acquired."""
        order = integer("order", order, minimum=1)
        if self.probability < 1.0 - 1e-12:
            return math.inf
        # T^order grows up to e^{2 order |β0|}: the integrand peaks 2 · order · std standard deviations below the mean
        low, high = -SPAN - 2.0 * order * self.beta0_std, SPAN
        high = min(high, (acquired_beta(self.task) - self.beta0_mean) / self.beta0_std) if self.w0 >= 0.0 else high
        x, weights = np.polynomial.legendre.leggauss(400)
        z = low + 0.5 * (high - low) * (x + 1.0) if high > low else np.zeros(1)
        density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
        span = max(high - low, 0.0)
        values = self.time(np.maximum(self.beta0_mean + self.beta0_std * z, -300.0)) ** order
        return float(0.5 * span * np.sum(weights * density * values)) if span > 0 else 0.0

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


def acquisition_distribution(
    task: Task, beta0_mean: float, beta0_std: float, w0: float = 0.0
) -> AcquisitionDistribution:
    """Distribution of the acquisition time for K → ∞ when β0 ~ N(mean, std²).

        t_ICL = T(β0)  ⇒  P(t_ICL <= t) = Φ((mean − β(t))/std)

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
