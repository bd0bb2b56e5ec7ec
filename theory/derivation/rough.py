"""Rough initial attention: every score carries a Gaussian term."""

import itertools
from functools import cache
from typing import Any

import sympy as sp

from .step import Check, Step, Validity, eq
from .symbols import N, beta, c2, kappa, m, s, w

t, z = sp.symbols("t Z", positive=True)


@cache
def _laplace(power: int) -> Any:
    return sp.integrate(t ** (power - 1) * sp.exp(-t * z), (t, 0, sp.oo))


def _drag_residual(statement: Any) -> Any:
    """⟨(Σ_j a_j ℓ_j)²⟩ of two copies with label 1 and two others with labels ±s, over all four draws."""
    first, second, copy = sp.symbols("a_1 a_2 a_c", positive=True)
    draws = list(itertools.product((-s, s), repeat=2))
    derived = sum((2 * copy + x * first + y * second) ** 2 for x, y in draws) / sp.Integer(len(draws))
    return sp.expand(derived - statement.subs(m, 2).subs(rest, first**2 + second**2))


rest = sp.Symbol("q_c", positive=True)  # Σ_{j≠c} a_j²
copy_share = sp.Symbol("a_c", positive=True)
spread = (m * copy_share) ** 2 + s**2 * rest


def _factor_residual(statement: Any, own: bool) -> Any:
    """⟨X/Z⟩ with scores that are 1 or 3 with even chances, by enumeration, against the integrand's integral over t.

    Two copies and one other. If the copies share a score, Z = 2X + Y; with scores of their own, Z = X + X′ + Y.
    """
    values = (sp.Integer(1), sp.Integer(3))
    if own:
        derived = sum(x / (x + y + o) for x, y, o in itertools.product(values, repeat=3)) / 8
    else:
        derived = sum(x / (2 * x + o) for x, o in itertools.product(values, repeat=2)) / 4
    average = lambda f: sum(f(x) for x in values) / 2  # noqa: E731
    first, laplace = sp.Function("f"), sp.Function("g")
    integrand = statement.replace(first, lambda u: average(lambda x: x * sp.exp(-u * x)))
    integrand = integrand.replace(laplace, lambda u: average(lambda x: sp.exp(-u * x)))
    return sp.integrate(sp.expand(integrand), (t, 0, sp.oo)) - derived


shared_copies = sp.Function("f")(2 * t) * sp.Function("g")(t)
own_copies = sp.Function("f")(t) * sp.Function("g")(t) * sp.Function("g")(t)


def steps() -> tuple[Step, ...]:
    """Rough attention."""
    return (_rough_step(),)


def _integrals(average: Any) -> tuple[Any, Any]:
    """Drive and drag as integrals over t of averages that factor."""
    big, tt, laplace = sp.Symbol("X"), sp.Symbol("t"), sp.Function("\\mathcal{L}")
    drive = N * sp.Integral(average(big * sp.exp(-tt * m * big)) * laplace(tt) ** (N - m), (tt, 0, sp.oo))
    own = m**2 * average(big**2 * sp.exp(-tt * m * big)) * laplace(tt) ** (N - m)
    others = s**2 * (N - m) * average(sp.exp(-tt * m * big)) * laplace(tt) ** (N - m - 1)
    return drive, N * c2 / m * sp.Integral(tt * (own + others * sp.Derivative(laplace(tt), (tt, 2))), (tt, 0, sp.oo))


def _rough_step() -> Step:
    average = sp.Function("E")
    copy, other = sp.Symbol("a_c"), sp.Symbol("a_j")
    drive, drag = _integrals(average)
    return Step(
        "rough",
        "Rough attention",
        (
            "The score of every item carries a ξ ~ N(0, σ_s²) of its own. Copies are one item with one label, and "
            "share theirs; for copies with scores of their own the formula is given beside.",
            "D → ∞; i.i.d. labels; the early system, with attention that is not flat, |w a| ≪ 1.",
        ),
        (
            "**The early system** keeps its form: dw/dt = E[σ(−u) a], with a = m a_c + Σ_{j≠c} a_j ℓ_j, and to first "
            "order in w the residual is c1 − c1 c2 w a. So the drive is ⟨m a_c⟩ and the drag ⟨a²⟩; labels average "
            "the cross terms away. Per unit clock, dτ = (m c1/N) dt,",
            eq(sp.Derivative(w, sp.Symbol("tau")), sp.Symbol("A") - kappa * w),
            eq(sp.Derivative(beta, sp.Symbol("tau")), w * sp.Derivative(sp.Symbol("A"), beta)),
            eq(sp.Symbol("A"), N * average(copy)),
            eq(kappa, N * c2 / m * average((m * copy) ** 2 + s**2 * sp.Sum(other**2, (sp.Symbol("j"), 1, N - m)))),
            "For σ_s = 0 they are e^β and s²c2/m. **The averages.** a_c = X/Z with X = e^{β+ξ_c} and Z = mX + "
            "Σ_{j≠c} e^{ξ_j}. Writing 1/Z = ∫e^{−tZ}dt, e^{−tZ} is a product over independent scores, and averages "
            "factor by factor: each of the N − m others gives the log-normal's transform ℒ(t) = ⟨e^{−t e^ξ}⟩.",
            eq(sp.Symbol("A"), drive),
            "**The drag** has 1/Z² = ∫t e^{−tZ}dt. Its own part is ⟨m²X²/Z²⟩, and each of the others gives "
            "⟨e^{2ξ}/Z²⟩, in which one of the factors ℒ is replaced by ℒ″(t) = ⟨e^{2ξ} e^{−t e^ξ}⟩:",
            eq(kappa, drag),
            "**Copies with scores of their own** have Z = Σ_c X_c + …: ⟨Xe^{−tmX}⟩ becomes "
            "⟨Xe^{−tX}⟩⟨e^{−tX}⟩^{m−1}. At N = 100, m = 4, σ_s = 2, β = 0, A = 1 exactly by symmetry; with one score "
            "for all copies 0.81.",
        ),
        (
            Check("1/Z = ∫ e^{−tZ} dt", "identity", 1 / z, lambda statement: _laplace(1) - statement),
            Check("1/Z² = ∫ t e^{−tZ} dt", "identity", 1 / z**2, lambda statement: _laplace(2) - statement),
            Check("⟨a²⟩ = (m a_c)² + s² Σ a_j², over all labels of two others", "identity", spread, _drag_residual),
            Check("⟨X/Z⟩ factors: two copies of one score, one other", "identity", shared_copies,
                  lambda statement: _factor_residual(statement, own=False),
                  also_wrong={"scores of their own": own_copies}),
            Check("⟨X/Z⟩ factors: two copies with scores of their own, one other", "identity", own_copies,
                  lambda statement: _factor_residual(statement, own=True), also_wrong={"one score": shared_copies}),
        ),
        Validity("A = N⟨a_c⟩, κ = (N c2/m)⟨(m a_c)² + s²Σa_j²⟩", "N = 16 … 128, σ_s = 0 … 2.7",
                 "A and κ within the sampling error of 20,000 draws", ("rough_attention", "effective_context")),
    )  # fmt: skip
