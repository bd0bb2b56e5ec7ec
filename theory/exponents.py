"""The exponents of the theory: each the limit of a logarithmic derivative, each with the regime in which it holds."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx

from ._arguments import number, real
from ._labels import by_name
from ._roots import root
from .accuracy import acquired_beta
from .acquisition import acquisition_time, early_drag
from .branch import mean_transience_time
from .integrated import integrated_time
from .memory import PowerLawMemory
from .task import Task

#: How the symbols of the derivation are called here.
NAMES = {"beta_0": "beta0", "m": "copies", "variance": "label variance", "rho": "rate ratio"}
#: Context lengths at which the drag-free regime, bounded by drag below and by the end above, is stated.
FREE_LENGTHS = (100, 1_000, 10_000)
#: A regime is where the local slope of the exact expression is within this fraction of the exponent.
TOLERANCE = 0.05


@dataclass(frozen=True)
class Exponent:
    """A power law of the theory.

    Attributes
    ----------
    quantity : str
        What scales: "t_ICL", "K*", "transition width", "tail width" or "t_loss".
    variable : str
        With what: a power of it, or of e^{β0} where the variable is "beta0".
    branch : str
        "no drag" (β0 ≫ ln κ), "drag" (β0 ≪ ln κ), or "all" where both agree.
    expression, latex : str
        The exponent, e.g. ``1/nu``.
    value : float or None
        Its value where it is a pure number.
    regime : str
        Where the local slope is within 5 % of it, in words with numbers.
    bounds : tuple of two floats
        The same as an interval of ``coordinate``; infinite ends are open, (−inf, inf) where the law is exact. Without
        drag, that of N = 100: both ends move with N (:func:`free_regime`).
    coordinate : str
        What ``bounds`` are values of.

    Source: docs/derivation.md, "exponents".

    Examples
    --------
    >>> [law.expression for law in exponents() if (law.quantity, law.variable) == ("K*", "N")]
    ['1/nu']
    """

    quantity: str
    variable: str
    branch: str
    expression: str
    latex: str
    value: float | None
    regime: str
    bounds: tuple[float, float]
    coordinate: str


@by_name
def crossover_slope(b: ArrayLike) -> NDArray[np.float64]:
    """d ln F/db at w0 = 0, F(b) = ln[1 + e^{−b} M(−e^{−b})]: −1 for b → +∞, −2 for b → −∞.

    With v = e^{−b}, M′(x) = x M − 1: d/db ln(1 + v M(−v)) = −v [M + v(1 + v M)]/(1 + v M) = −v [M/(1 + v M) + v].

    Parameters
    ----------
    b : array_like
        β0 − ln κ.

    Returns
    -------
    array shaped like ``b``, in (−2, −1)

    Raises
    ------
    ValueError
        If an entry is not a finite number.

    Source: docs/derivation.md, "crossover function".

    Examples
    --------
    >>> crossover_slope([-5.0, 0.0, 5.0]).round(3).tolist()
    [-1.999, -1.185, -1.001]
    """
    v = np.exp(-np.clip(real("b", b), -300.0, 300.0))  # at ±300 the limits are reached in float64
    deep = v >= 30.0  # v M exceeds 1e190 there, and M/(1 + v M) = 1/v
    mills = math.sqrt(math.pi / 2.0) * erfcx(-np.where(deep, 0.0, v) / math.sqrt(2.0))
    part = np.where(deep, 1.0 / v, mills / (1.0 + v * mills))
    value = np.where(deep, v**2 / 2.0 + np.log(math.sqrt(2.0 * math.pi) * v), np.log1p(v * mills))
    return -v * (part + v) / value


def crossover_regimes(tolerance: float = TOLERANCE) -> tuple[float, float]:
    """(b_drag, b_free): the slope of t_ICL in β0 is −2 for β0 − ln κ < b_drag and −1 for β0 − ln κ > b_free.

    Parameters
    ----------
    tolerance : float in [1e-6, 0.4]
        Relative distance of the local slope from −2 or −1 that is allowed.

    Returns
    -------
    drag, free : floats

    Raises
    ------
    ValueError
        If ``tolerance`` is out of range.

    Source: docs/derivation.md, "exponents".

    Examples
    --------
    >>> low, high = crossover_regimes()
    >>> low < 0.0 < high
    True
    """
    tolerance = number("tolerance", tolerance, minimum=1e-6, maximum=0.4)
    return _where_slope_is(-2.0 * (1.0 - tolerance)), _where_slope_is(-1.0 - tolerance)


def _where_slope_is(slope: float) -> float:
    """The b at which the crossover function's slope, which rises from −2 to −1, has this value."""
    return root(lambda b: float(crossover_slope(b)) - slope, -20.0, 20.0)


@lru_cache(maxsize=16)
def free_regime(context_length: int, tolerance: float = TOLERANCE) -> tuple[float, float] | None:
    """The β0 − ln κ between which d ln t_ICL/dβ0, to 95 % accuracy, is −1 within ``tolerance``; None if nowhere.

    Drag bounds the regime below, at :func:`crossover_regimes` for N → ∞. The end bounds it above, at about half of
    ln N: beyond, little of the way is left to the β at which accuracy is 95 %, and t_ICL falls faster.

    Parameters
    ----------
    context_length : int, N >= 2
    tolerance : float in [1e-6, 0.4]

    Returns
    -------
    low, high : floats, to 0.02; or None

    Raises
    ------
    ValueError
        If an argument is out of range.

    Source: docs/derivation.md, "exponents".

    Examples
    --------
    >>> [round(float(end), 1) for end in free_regime(100)], [round(float(end), 1) for end in free_regime(10_000)]
    ([1.1, 1.8], [1.3, 3.7])
    """
    tolerance = number("tolerance", tolerance, minimum=1e-6, maximum=0.4)
    task = Task(context_length)
    end = acquired_beta(task)
    beta0 = np.arange(-2.0, end - 0.01, 0.02)
    # integrated: a slope asks for times without the seam between closed form and integral
    slope = np.gradient(np.log(integrated_time(task, beta0, np.zeros_like(beta0), end)), beta0)
    inside = np.flatnonzero(np.abs(slope + 1.0) <= tolerance)
    if not inside.size:
        return None
    b = beta0[inside] - math.log(early_drag(task))
    return float(b[0]), float(b[-1])


@lru_cache(maxsize=1)
def exponents() -> tuple[Exponent, ...]:
    """d ln Q/d ln x (or d ln Q/dβ0) of t_ICL, K*, the transition's width, the tail and t_loss: derived, with regimes.

        t_ICL ∝ N e^{−β0} (−2 with drag),   K* ∝ (t_ICL/A)^{1/ν},   width = σ_β/ν,   t_loss ∝ K^ν/λ

    Every exponent is computed by sympy from the expressions of :mod:`iclrace.theory.symbolic`; the first call loads it.

    Returns
    -------
    tuple of Exponent

    Source: docs/derivation.md, "exponents"; paper, sections 4 and 5.

    Examples
    --------
    >>> law = [e for e in exponents() if (e.quantity, e.variable, e.branch) == ("t_ICL", "beta0", "drag")][0]
    >>> law.value, law.bounds[1] < 0
    (-2.0, True)
    """
    import sympy as sp

    from .symbolic import after, outcome
    from .symbolic.symbols import A, K, N, beta0, decay, kappa, m, nu, r, s, sigma_beta

    drag_law = {kappa: s**2 / (2 * m)}
    variance = sp.Symbol("variance", positive=True)
    low, _ = crossover_regimes()
    free = {n: free_regime(n) for n in FREE_LENGTHS}
    shown = "; ".join(f"{ends[0]:.2f} < β0 − ln κ < {ends[1]:.2f} at N = {n:,}" for n, ends in free.items() if ends)
    # d ln τ*/d ln κ = −1 − d ln F/db reaches 95 % of 1 only where the slope in β0 is −1.95
    low_variance = _where_slope_is(-2.0 + TOLERANCE)
    ratio = sp.Symbol("rho", positive=True)
    found: list[Exponent] = []
    for branch, clock in (("no drag", outcome.clock_free), ("drag", outcome.clock_drag.subs(drag_law))):
        clock = clock.subs(s, sp.sqrt(variance))
        time = 2 * N / m * clock
        diversity = (N * ratio * clock / (m * A)) ** (1 / nu)
        width = -sp.diff(sp.expand_log(sp.log(time), force=True), beta0) * sigma_beta
        laws = [
            ("t_ICL", time, (N, beta0, variance, m)),
            ("K*", diversity, (N, beta0, variance, m, A, ratio)),
            ("transition width", width / nu, (sigma_beta, nu)),
            ("tail width", width, (sigma_beta,)),
        ]
        for quantity, expression, variables in laws:
            for variable in variables:
                edge = low_variance if variable is variance else low
                bounds = free[FREE_LENGTHS[0]] or (math.nan, math.nan) if branch == "no drag" else (-math.inf, edge)
                words = shown if branch == "no drag" else f"β0 − ln κ < {edge:.2f}"
                slope = _slope(expression, variable, beta0)
                found.append(_exponent(quantity, variable, branch, slope, words, bounds, "beta0 - ln(kappa)"))
    rate = sp.solve(sp.Eq(outcome.total_clock, outcome.power_law), r)[0]  # r_K = p/((q − 1) A K^ν)
    loss_time = after.lasting(rate)
    bound = _transience_bound()
    words = f"{bound[0]:.0e} < λ < {bound[1]:.0e} at N = 100, p = 1, L = 3, from φ = 0 (not at p = 10: −1.07 … −1.16)"
    everywhere = (-math.inf, math.inf)
    at_fixed_margin = "exact from a fixed margin; ν I_c/(I_c − I*) from acquisition on"
    found.append(_exponent("t_loss", K, "all", _slope(loss_time, K, beta0), at_fixed_margin, everywhere, "ln K"))
    found.append(_exponent("t_loss", decay, "all", _slope(loss_time, decay, beta0), words, bound, "lambda"))
    order = [law.quantity for law in found]
    return tuple(sorted(_merge_branches(found), key=lambda law: order.index(law.quantity)))


def _slope(expression: Any, variable: Any, beta0: Any) -> Any:
    import sympy as sp

    log = sp.expand_log(sp.log(expression), force=True)
    derivative = sp.diff(log, variable)
    return sp.simplify(derivative if variable == beta0 else variable * derivative)


def _exponent(
    quantity: str, variable: Any, branch: str, slope: Any, words: str, bounds: tuple[float, float], coordinate: str
) -> Exponent:
    import sympy as sp

    if quantity.endswith("width"):  # the widths are products of σ_β and 1/ν in either branch: exact powers
        words = f"coefficient as t_ICL's slope in β0: {words}"
    if variable.name == "N":
        low = context_bound()
        words, bounds, coordinate = f"N >= {low} at β0 = 0, to 95 % accuracy", (float(low), math.inf), "N"
    return Exponent(
        quantity,
        NAMES.get(variable.name, variable.name),
        branch,
        str(slope),
        sp.latex(slope),
        float(slope) if slope.is_number else None,
        words,
        bounds,
        coordinate,
    )


def _merge_branches(found: list[Exponent]) -> list[Exponent]:
    """Laws that are the same with and without drag are listed once, as branch "all"."""
    merged: list[Exponent] = []
    for law in found:
        same = [
            e for e in found if (e.quantity, e.variable, e.expression) == (law.quantity, law.variable, law.expression)
        ]
        if len(same) == 1:
            merged.append(law)
        elif law is same[0] and law.coordinate == "N":
            merged.append(replace(law, branch="all"))
        elif law is same[0]:
            merged.append(replace(law, branch="all", regime="both branches", bounds=(-math.inf, math.inf)))
    return merged


@lru_cache(maxsize=1)
def context_bound() -> int:
    """The least N beyond which d ln t_ICL/d ln N, to 95 % accuracy and from β0 = 0, is within 5 % of 1."""
    sizes = np.unique(np.geomspace(4, 3000, 30).astype(int))
    times = np.array([float(acquisition_time(Task(int(n)), 0.0)) for n in sizes])
    slope = np.gradient(np.log(times), np.log(sizes))
    outside = np.flatnonzero(np.abs(slope - 1.0) > TOLERANCE)
    return int(sizes[outside[-1] + 1]) if outside.size else int(sizes[0])


@lru_cache(maxsize=1)
def _transience_bound() -> tuple[float, float]:
    """Between which λ d ln t_loss/d ln λ is within 5 % of −1 (N = 100, p = 1, L = 3, φ_acq = 0), by its closed form."""
    memory, task = PowerLawMemory(1.0, 1.0), Task(100, task_diversity=1000.0)
    decays = np.geomspace(1e-12, 1e-2, 61)
    slope = np.gradient(np.log(mean_transience_time(task, memory, decays)), np.log(decays))
    inside = np.flatnonzero(np.abs(slope + 1.0) <= TOLERANCE)
    return float(decays[inside[0]]), float(decays[inside[-1]])
