"""Weight decay before ICL is acquired: the critical decay, and the long tail that decay cuts."""

from typing import Any

import sympy as sp

from .race import drift_beta, drift_w
from .step import Check, Step, Validity, eq
from .symbols import N, beta, c1, kappa, m, w

critical_decay_clock = (sp.sqrt(kappa**2 + 8 * sp.E) - kappa) / 2
per_clock = sp.Symbol("lambda'", positive=True)
positive_beta = sp.Symbol("beta", positive=True)


def _critical_residual(statement: Any) -> Any:
    """Early fixed points with decay λ′: w from dw/dτ = 0, put into dβ/dτ = 0, times (κ + λ′)/β."""
    slaved = sp.solve(drift_w - per_clock * w, w)[0]
    left = (drift_beta.subs(w, slaved) - per_clock * beta) * (kappa + per_clock) / beta
    return left - (statement - per_clock * (kappa + per_clock))


def _root_residual(statement: Any) -> Any:
    """λ′(κ + λ′) = 2e, the least of e^{2β}/β; and positive."""
    curve = sp.exp(2 * positive_beta) / positive_beta
    least = curve.subs(positive_beta, sp.solve(sp.diff(curve, positive_beta), positive_beta)[0])
    sign = 0 if complex(sp.N(statement.subs(kappa, 1))).real > 0 else 1
    return sp.expand(statement * (kappa + statement)) - least + sign


def _slaved_residual(statement: Any) -> Any:
    """dβ/dτ − λ′β at the w at which dw/dτ − λ′w = 0."""
    slaved = sp.solve(drift_w - per_clock * w, w)[0]
    return drift_beta.subs(w, slaved) - per_clock * beta - statement


creep = sp.exp(2 * beta) / (kappa + per_clock) - per_clock * beta


def steps() -> tuple[Step, ...]:
    """The steps on decay before acquisition."""
    return (_critical_step(), _tail_step())


def _critical_step() -> Step:
    per = sp.Symbol("\\lambda'")
    return Step(
        "critical decay",
        "Critical decay",
        ("Early system with decay λ on w and β; λ′ = λ N/(m c1) is the decay per unit clock.",),
        (
            "Fixed points have w = e^β/(κ + λ′) and e^{2β}/β = λ′(κ + λ′). The left side is least at β = 1/2, where "
            "it is 2e: below λ_c there is no fixed point and ICL grows; above it a stable one holds the network "
            "back, and for good if it starts below the saddle beside it (β0 = 1.5 at 1.05 λ_c acquires, at t = 374).",
            eq(sp.exp(2 * beta) / beta, per * (kappa + per)),
            eq(sp.Symbol("lambda_c"), m * c1 / N * critical_decay_clock),
        ),
        (
            Check("the fixed points", "identity", sp.exp(2 * beta) / beta, _critical_residual),
            Check("λ′(κ + λ′) = 2e, the least of e^{2β}/β", "identity", critical_decay_clock, _root_residual),
        ),
        Validity("λ_c = (mc1/N)[√(κ² + 8e) − κ]/2", "N = 25, 100, 400", "8, 1.8, 0.4 % above the averaged field's",
                 ("critical_decay", "acquisition_fold")),
    )  # fmt: skip


def _tail_step() -> Step:
    per, first = sp.Symbol("\\lambda'"), sp.Symbol("beta_0")
    return Step(
        "tail under decay",
        "The long tail, cut by decay",
        ("β0 ≪ ln κ, below λ_c, K → ∞: w follows β, w = e^β/(κ + λ′).",),
        (
            "Decay before acquisition is not negligible: −λ′β pulls a negative β *up*. With w slaved, β creeps at "
            "e^{2β}/(κ + λ′) − λ′β, so that",
            eq(sp.Symbol("t_{ICL}"), 2 * N / m
                  * sp.Integral(1 / (sp.exp(2 * beta) / (kappa + per) - per * beta), (beta, first, sp.oo))),
            "grows like ln|β0|/λ where the pull leads, and not like e^{−2β0}. At β0 = −3 it is 21260, 5607, 1589, "
            "965 at λ = 0, 1e-4, 1e-3, 3e-3 by the field (N = 100).",
        ),
        (Check("dβ/dτ with w slaved", "identity", creep, _slaved_residual),),
        Validity("t = (2N/m)∫dβ/[e^{2β}/(κ + λ′) − λ′β]", "N = 100, β0 = −5 … −3, λ = 1e-5 … 1e-3",
                 "2 … 9 % low to λ = 1e-4, 13 … 17 % at 1e-3", ("tail_time", "phase")),
    )  # fmt: skip
