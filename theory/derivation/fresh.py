"""The race where a share f of the training sequences has fresh items: no K*, and a time that is not 1/f alone."""

from functools import cache
from typing import Any

import mpmath
import sympy as sp

from .step import Check, Step, Validity, eq
from .symbols import K, c1, nu, phi, sigmoid

share = sp.Symbol("f", positive=True)
time, star, total, k_star = sp.symbols("T I_star I_infty K_star", positive=True)
passed = sp.Function("J")
#: σ averaged over both labels of a fresh item of output φ, and 1 − ⟨σ²⟩/⟨σ⟩ = c2 of it.
residual_of_fresh = sp.Rational(1, 2)
c2_of_fresh = 2 * sigmoid(phi) * sigmoid(-phi)
#: −d ln t/d ln f, the time where the memory is done first, over t_ICL(K → ∞) = 2 I*, and f beyond which no K* is left.
local_exponent = (1 - 2 * c1) * share / (share + 2 * (1 - share) * c1)
late_time = (1 - (K / k_star) ** nu) / share
last_share = 2 * star / time


def _even(function: Any) -> Any:
    """The mean over the two labels of a fresh item."""
    return (function(phi) + function(-phi)) / 2


def _drag_residual(statement: Any) -> Any:
    """1 − ⟨σ²⟩/⟨σ⟩ over the two labels."""
    return 1 - _even(lambda x: sigmoid(x) ** 2) / _even(sigmoid) - statement


def _exponent_residual(statement: Any) -> Any:
    """Differentiate J((1 − f) t) + f t/2 = I* at fixed I*, with dJ/ds = c1 at s = (1 − f) t."""
    t, f = sp.symbols("t f", positive=True)
    own = sp.Symbol("s", positive=True)
    inner = (1 - f) * t
    slope = lambda x: c1 * sp.diff(inner, x) + sp.diff(f * t / 2, x)  # noqa: E731  (c1 = dJ/ds)
    derived = f / t * slope(f) / slope(t)  # −d ln t/d ln f = (f/t) ∂_f/∂_t
    return sp.simplify(derived.subs(own, inner)) - statement.subs(share, f)


def _late_residual(statement: Any) -> Any:
    """I_K(∞) + f t/2 = I* with I_K(∞)/I* = (K/K*)^ν, over 2 I*."""
    t = sp.solve(sp.Eq(total + share * time / 2, star), time)[0]
    return sp.simplify((t / (2 * star)).subs(total, star * (K / k_star) ** nu)) - statement


def _budget_residual(statement: Any) -> Any:
    """The share at which f T/2 = I*: nothing of the clock is needed from the memory."""
    return (share * time / 2 - star).subs(share, statement)


@cache
def _times(f: str) -> Any:
    """t_ICL at f by J((1 − f) t) + f t/2 = I* at 50 digits: three layers, p = 1, I_K(∞) = 30 < I* = 40.

    J by its own equation: t is the integral of dJ/[(1 − f) c1] and the margin at J is that of the homogeneous law.
    """
    with mpmath.workdps(50):
        share_, limit, reading = mpmath.mpf(f), mpmath.mpf(30), mpmath.mpf(40)
        margin = lambda j: (1 - j / limit) ** -3 - 1  # noqa: E731  (q = 4/3)
        elapsed = lambda j: mpmath.quad(lambda x: 1 + mpmath.exp(margin(x)), [0, j / 2, j]) / (1 - share_)  # noqa: E731
        bracket = mpmath.mpf(8), mpmath.mpf(15)
        missing = lambda x: x + share_ * elapsed(x) / 2 - reading  # noqa: E731
        j = mpmath.findroot(missing, bracket, solver="anderson", tol=mpmath.mpf("1e-80"), maxsteps=200)
        return elapsed(j), 1 / (1 + mpmath.exp(margin(j)))


@cache
def _measured_exponent() -> tuple[Any, Any]:
    """−d ln t/d ln f at f = 1/4 by a central difference, and c1 there."""
    with mpmath.workdps(50):
        step = mpmath.mpf("1e-12")
        up, down = (_times(str(mpmath.mpf("0.25") * mpmath.exp(x)))[0] for x in (step, -step))
        return -(mpmath.log(up) - mpmath.log(down)) / (2 * step), _times("0.25")[1]


def _measured_residual(statement: Any) -> Any:
    with mpmath.workdps(50):
        measured, wrong = _measured_exponent()
        closed_form = sp.N(statement.subs({share: sp.Rational(1, 4), c1: sp.Float(str(wrong), 50)}), 50)
        return mpmath.mpf(str(closed_form)) / measured - 1


def steps() -> tuple[Step, ...]:
    """The step on a share of fresh items."""
    return (_fresh_step(),)


def _fresh_step() -> Step:
    t, f = sp.symbols("t f", positive=True)
    return Step(
        "fresh",
        "Share of fresh items",
        (
            "A share f of the training sequences has fresh items and labels; the loss is (1 − f) L_K + f L_∞.",
            "A fresh item leaves the memory of the others as it is: its two labels pull the perceptron's output on it "
            "towards 0, which a memory does not need elsewhere. Until acquisition |w a| ≪ 1.",
            "The drag is that of the start: see the bracket.",
        ),
        (
            "A fresh item's label is a coin, whatever the perceptron's output φ on it: averaged over the two, σ is 1/2 "
            "exactly, and 1 − ⟨σ²⟩/⟨σ⟩ is at most the 1/2 of the start. So fresh sequences drive ICL at the full rate "
            "for ever, with a drag that is no greater than at first,",
            eq(sp.Symbol("{\\langle\\sigma\\rangle_{fresh}}"), residual_of_fresh),
            eq(sp.Symbol("{c_{2,fresh}}"), c2_of_fresh),
            "while the memory learns from the others alone, 1 − f times as fast as by itself. With J its clock by "
            "itself, the clock of ICL is dI = [(1 − f) c1 + f/2] dt, and ICL is acquired when it reads I*:",
            eq(passed((1 - f) * t) + f * t / 2, sp.Symbol("I^*")),
            "The left side grows without bound for every f > 0: **there is no K* without a budget**. At fixed K the "
            "time goes as 1/f only where the memory is done (c1 → 0), and does not depend on f where it has not begun,",
            eq(-f / t * sp.Derivative(sp.Function("t")(f), f), local_exponent.subs(share, f)),
            "and even where it is done, it has a head start of I_K(∞), so that the factor falls with K, where "
            "starvation by in-weights learning has t_ICL(K → ∞)/f at every K:",
            eq(sp.Symbol("t_{ICL}") / sp.Symbol("{t_{ICL}(K \\to \\infty)}"), late_time),
            "With a budget T, K* is where J((1 − f) T) + f T/2 = I*. It falls as f grows, and is gone at",
            eq(share, sp.Symbol("{t_{ICL}(K \\to \\infty)}") / sp.Symbol("T")),
        ),
        (
            Check("σ averaged over both labels is 1/2", "identity", residual_of_fresh,
                  lambda statement: _even(sigmoid) - statement),
            Check("1 − ⟨σ²⟩/⟨σ⟩ = 2 σ(φ) σ(−φ)", "identity", c2_of_fresh, _drag_residual),
            Check("−d ln t/d ln f at fixed I*", "identity", local_exponent, _exponent_residual),
            Check("it is that of the homogeneous law, solved at two f", "50 digits", local_exponent,
                  _measured_residual, 1e-20),
            Check("t_ICL where the memory is done first", "identity", late_time, _late_residual),
            Check("f beyond which no K* is left", "identity", last_share, _budget_residual),
        ),
        Validity("J((1 − f)t) + ft/2 = I*", "N = 100, 400, β0 = 0, 1, f = 0.1, 0.4, K = 0.05 and 0.6 K*",
                 "0.1 … 2.7 % early: c2 rises meanwhile (within the bracket of the drag)", ("fresh_share_time",)),
    )  # fmt: skip
