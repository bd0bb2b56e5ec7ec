"""The exponents of the theory: each the limit of a logarithmic derivative, each with the regime in which it holds."""

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from scipy.special import ndtri

from .regimes import (
    TOLERANCE,
    context_bound,
    crossover_regimes,
    distance_to_end,
    free_regime,
    transience_bound,
    where_slope_is,
)

#: Names of the derivation's symbols in this module.
NAMES = {"beta_0": "beta0", "m": "copies", "variance": "label variance", "rho": "rate ratio"}
#: Φ of it is 95 %.
ACQUIRED_SCORE = float(ndtri(0.95))
#: Context lengths at which the drag-free regime, bounded by drag below and by the end above, is stated.
FREE_LENGTHS = (100, 1_000, 10_000)


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
    formula, latex : str
        The exponent as text, e.g. ``1/nu``; :attr:`expression` is it as an expression.
    value : float or None
        Its value where it is a pure number.
    where : str
        Where the local slope is within 5 % of it, in words with numbers; :attr:`regime` is the same as a relation.
    bounds : tuple of two floats
        The same as an interval of ``coordinate``; infinite ends are open, (−inf, inf) where the law is exact. Without
        drag, that of N = 100: both ends move with N (:func:`free_regime`).
    coordinate : str
        What ``bounds`` are values of.

    Source: docs/derivation.md, "exponents".

    Examples
    --------
    >>> (law,) = [law for law in exponents() if (law.quantity, law.variable) == ("K*", "N")]
    >>> law.derivative, law.expression, law.regime
    ('d ln K*/d ln N', 1/nu, N >= 31)
    """

    quantity: str
    variable: str
    branch: str
    formula: str
    latex: str
    value: float | None
    where: str
    bounds: tuple[float, float]
    coordinate: str

    @property
    def derivative(self) -> str:
        """What it is: d ln K*/d ln N, but d ln K*/dβ0."""
        return f"d ln {self.quantity}/{'dβ0' if self.variable == 'beta0' else f'd ln {self.variable}'}"

    @property
    def expression(self) -> Any:
        """The exponent as a sympy expression of the symbols of :mod:`iclrace.theory.derivation.symbols`."""
        import sympy as sp

        from .derivation import symbols

        # sympy evaluates what it parses, and the formula may come from a file: numbers and these two names alone.
        if not re.fullmatch(r"(nu|sigma_beta|\d+(\.\d+)?|[-+*/() ])*", self.formula):
            raise ValueError(f"Argument 'formula' must hold numbers, nu and sigma_beta, but it is {self.formula!r}")
        known: Any = {"nu": symbols.nu, "sigma_beta": symbols.sigma_beta}
        return sp.sympify(self.formula, known)  # pyright: ignore[reportCallIssue, reportArgumentType]

    @property
    def regime(self) -> Any:
        """Where the local slope is within 5 % of it, as a sympy relation; ``true`` where it holds everywhere.

        Without drag both ends stand in it: drag ends the regime below, and the β_e at which accuracy is 95 % above,

            1.26 < β0 − ln κ   and   β0 < β_e − x,    e^{−x} = 0.05 √(πx) erf √x,    β_e = ln(1.645 s √(N − m)/m)

        the ends for N → ∞ (:func:`iclrace.theory.regimes.distance_to_end`). It holds a little more widely than that at
        finite N: :func:`free_regime`.
        """
        import sympy as sp

        from .derivation import symbols as S

        low, high = self.bounds
        if self.coordinate == "N":
            return sp.Ge(S.N, round(low))
        if self.coordinate == "lambda":
            return sp.And(sp.Gt(S.decay, low), sp.Lt(S.decay, high))
        if math.isinf(low) and math.isinf(high):
            return sp.true
        b = S.beta0 - sp.log(S.kappa)
        if self.branch == "drag":
            return sp.Lt(b, high)
        end = sp.log(sp.Float(ACQUIRED_SCORE) * S.s * sp.sqrt(S.N - S.m) / S.m)
        return sp.And(sp.Gt(b, crossover_regimes()[1]), sp.Lt(S.beta0, end - distance_to_end()))


@lru_cache(maxsize=1)
def exponents() -> tuple[Exponent, ...]:
    """d ln Q/d ln x (or d ln Q/dβ0) of t_ICL, K*, the transition's width, the tail and t_loss: derived, with regimes.

        t_ICL ∝ N e^{−β0} (−2 with drag),   K* ∝ (t_ICL/A)^{1/ν},   width = σ_β/ν,   t_loss ∝ K^ν/λ

    Every exponent is computed by sympy from the expressions of :mod:`.derivation`; the first call loads it.

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

    from .derivation import after, outcome
    from .derivation.symbols import A, K, N, beta0, decay, kappa, m, nu, r, s, sigma_beta

    drag_law = {kappa: s**2 / (2 * m)}
    variance = sp.Symbol("variance", positive=True)
    low, _ = crossover_regimes()
    free = {n: free_regime(n) for n in FREE_LENGTHS}
    shown = "; ".join(f"{ends[0]:.2f} < β0 − ln κ < {ends[1]:.2f} at N = {n:,}" for n, ends in free.items() if ends)
    # d ln τ*/d ln κ = −1 − d ln F/db reaches 95 % of 1 only where the slope in β0 is −1.95
    low_variance = where_slope_is(-2.0 + TOLERANCE)
    ratio = sp.Symbol("rho", positive=True)
    table: list[Exponent] = []
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
                table.append(_exponent(quantity, variable, branch, slope, words, bounds, "beta0 - ln(kappa)"))
    rate = sp.solve(sp.Eq(outcome.total_clock, outcome.power_law), r)[0]  # r_K = p/((q − 1) A K^ν)
    loss_time = after.lasting(rate)
    bound = transience_bound()
    words = f"{bound[0]:.0e} < λ < {bound[1]:.0e} at N = 100, p = 1, L = 3, from φ = 0 (not at p = 10: −1.07 … −1.16)"
    everywhere = (-math.inf, math.inf)
    at_fixed_margin = "exact from a fixed margin; ν I_c/(I_c − I*) from acquisition on"
    table.append(_exponent("t_loss", K, "all", _slope(loss_time, K, beta0), at_fixed_margin, everywhere, "ln K"))
    table.append(_exponent("t_loss", decay, "all", _slope(loss_time, decay, beta0), words, bound, "lambda"))
    order = [law.quantity for law in table]
    return tuple(sorted(_merge_branches(table), key=lambda law: order.index(law.quantity)))


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


def _merge_branches(table: list[Exponent]) -> list[Exponent]:
    """Laws that are the same with and without drag are listed once, as branch "all"."""
    merged: list[Exponent] = []
    for law in table:
        same = [e for e in table if (e.quantity, e.variable, e.formula) == (law.quantity, law.variable, law.formula)]
        if len(same) == 1:
            merged.append(law)
        elif law is same[0] and law.coordinate == "N":
            merged.append(replace(law, branch="all"))
        elif law is same[0]:
            merged.append(replace(law, branch="all", where="both branches", bounds=(-math.inf, math.inf)))
    return merged
