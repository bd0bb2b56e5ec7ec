"""From the logit to the averaged gradient flow: the loss is written once, the flow is differentiated from it."""

from typing import Any

import sympy as sp

from .step import Check, Step
from .symbols import D, N, T, beta, m, n, normal_cdf, phi, s, sigmoid, w

match = sp.exp(beta)
others = (N - m) * sp.exp(beta**2 / (2 * D))
normalisation = (m + T) * match + others
attended = (m * match + n) / normalisation
logit = phi + w * attended
loss = sp.log(1 + sp.exp(-logit))
#: dw/dt, dβ/dt and −∂L/∂φ before the average over n: derivatives of the loss.
dw, dbeta, dphi = (-sp.diff(loss, variable) for variable in (w, beta, phi))
hessian = sp.hessian(loss, (w, beta, phi))

#: Standard deviation of a where the context holds no copy: N labels of weight e^{βx}, whose mean square is e^{2β²/D}.
spread_without_copy = s * sp.sqrt(N) * sp.exp(beta**2 / D) / normalisation.subs(m, 0)

#: The flow for D → ∞ and a target outside the softmax, where it is short enough for a page.
plain = {T: 0, others: N - m}
attended_plain = attended.subs(plain)
logit_plain = logit.subs(plain)
dw_plain, dbeta_plain = (-sp.diff(loss.subs(plain), variable) for variable in (w, beta))


def _softmax_residual() -> Any:
    """Six context pairs, two of them copies, and the target itself in the softmax with label 0."""
    labels = sp.symbols("ell_1:5", real=True)
    scores = [beta, beta, 0, 0, 0, 0, beta]
    values = [1, 1, *labels, 0]
    total = sum(sp.exp(score) for score in scores)
    direct = sum(sp.exp(score) / total * value for score, value in zip(scores, values, strict=True))
    formula = attended.subs({others: N - m}).subs({m: 2, N: 6, T: 1, n: sum(labels)})
    return sp.simplify(direct - formula)


def _overlap_residual(power: int = 1) -> Any:
    """⟨e^{power βx}⟩ − e^{power² β²/2D} over the overlaps."""
    x = sp.Symbol("x", real=True)
    density = sp.sqrt(D / (2 * sp.pi)) * sp.exp(-D * x**2 / 2)
    mean = sp.integrate(sp.exp(power * beta * x) * density, (x, -sp.oo, sp.oo), conds="none")
    return sp.simplify(mean - sp.exp(power**2 * beta**2 / (2 * D)))


def _gaussian_residual() -> Any:
    """ln of the characteristic function of n/(s√M), M labels ±s: M ln cos(k/√M) → −k²/2."""
    k, size = sp.symbols("k M", positive=True)
    expansion = sp.series(sp.log(sp.cos(k / sp.sqrt(size))), size, sp.oo, 3).removeO()  # pyright: ignore[reportArgumentType]
    return sp.limit(size * expansion, size, sp.oo) + k**2 / 2


def _balanced_residual() -> Any:
    positive, negative = N / 2 - m, N / 2  # what is left of N/2 labels of either sign once m copies have label +1
    return positive - negative + m


def _accuracy_residual() -> Any:
    """P(m e^β + s√(N−m) ξ > 0) for a normal ξ, by integrating its density."""
    x = sp.Symbol("x", real=True)
    edge = sp.Symbol("y", positive=True)
    density = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    return sp.simplify((sp.integrate(density, (x, -edge, sp.oo)) - normal_cdf(edge)).rewrite(sp.erf))


def steps() -> tuple[Step, ...]:
    """The steps from the task to the averaged flow."""
    a, Z, u = sp.symbols("a Z u")
    dw_dt, dbeta_dt = sp.symbols("\\dot{w} \\dot{\\beta}")
    return (
        Step(
            "logit",
            "Logit",
            (
                "Target and copies have overlap 1, distinct items overlaps x ~ N(0, 1/D).",
                "The normalisation Z is replaced by its average over the other items (exact for D → ∞).",
                "The target's label is called +1; n is the sum of the N − m other labels in that frame.",
            ),
            "The softmax gives each of the m copies the weight e^β/Z. With T = 1 if the target itself takes part, "
            "label 0, and T = 0 otherwise, the attended label is a and the logit adds the memory margin φ.",
            (sp.Eq(Z, normalisation), sp.Eq(a, (m * match + n) / Z), sp.Eq(u, phi + w * a)),
            (
                Check(
                    "the softmax over six context pairs, two copies and the target is a", "identity", _softmax_residual
                ),
                Check("the other terms of Z average to e^{β²/2D}", "identity", _overlap_residual),
            ),
        ),
        Step(
            "loss",
            "Population loss",
            ("Plain gradient flow on the logistic loss, averaged over sequences.",),
            "E is the average over n (and over the items' margins φ).",
            (sp.Eq(sp.Symbol("L"), sp.Function("E")(sp.log(1 + sp.exp(-u)))),),
            (
                Check(
                    "−∂L/∂u = σ(−u)",
                    "identity",
                    lambda: -sp.diff(sp.log(1 + sp.exp(-u)), u) - sigmoid(-u),
                ),
            ),
        ),
        Step(
            "flow",
            "Averaged gradient flow",
            ("Weight decay, where there is any, adds −λw and −λβ.",),
            "Minus the gradient of the loss. For D → ∞ and T = 0 it is what follows; the general flow is the "
            "derivative of the same loss and is what the package evaluates.",
            (
                *(
                    sp.Eq(rate, sp.Function("E")(sp.Function("sigma")(-u) * sp.factor(sp.diff(logit_plain, variable))))
                    for rate, variable in ((dw_dt, w), (dbeta_dt, beta))
                ),
            ),
            (
                Check(
                    "dw/dt = σ(−u) a",
                    "identity",
                    lambda: sp.simplify(dw_plain - sigmoid(-logit_plain) * attended_plain),
                ),
                Check(
                    "dβ/dt = σ(−u) w m e^β (N − m − n)/Z²",
                    "identity",
                    lambda: sp.simplify(
                        dbeta_plain - sigmoid(-logit_plain) * w * m * match * (N - m - n) / (m * match + N - m) ** 2
                    ),
                ),
            ),
        ),
        Step(
            "average",
            "Average over the label sum",
            ("i.i.d. labels of standard deviation s, or exactly N/2 labels of each sign.",),
            "i.i.d.: n is a binomial sum, mean 0 and variance s²(N − m); its characteristic function tends to the "
            "Gaussian's, and Gauss-Hermite nodes average over it. Balanced: of N/2 positive labels the m copies "
            "take m, so n = −m in every sequence and nothing fluctuates.",
            (
                sp.Eq(sp.Function("Var")(n), s**2 * (N - m)),
                sp.Eq(sp.Symbol("n_{balanced}"), -m),
            ),
            (
                Check("the characteristic function of n tends to the Gaussian's", "limit", _gaussian_residual),
                Check("balanced contexts have n = −m", "identity", _balanced_residual),
            ),
        ),
        Step(
            "accuracy",
            "Accuracy",
            ("n Gaussian; novel items, so φ is independent of the target's label and does not help.",),
            "A prediction is right iff w (m e^β + n) > 0. At w > 0 that is a Gaussian tail; 95 % needs e^β = "
            "1.645 s √(N − m)/m. On training items without a copy a is N(0, δ²), and φ answers against it.",
            (
                sp.Eq(sp.Symbol("P_{ICL}"), sp.Function("Phi")(m * match / (s * sp.sqrt(N - m)))),
                sp.Eq(sp.Symbol("delta"), spread_without_copy),
                sp.Eq(sp.Symbol("P_{IWL}"), sp.Function("Phi")(phi / (sp.Abs(w) * sp.Symbol("delta")))),
            ),
            (
                Check("P(ξ > −y) = Φ(y)", "identity", _accuracy_residual),
                Check("e^{βx} has the mean square e^{2β²/D}", "identity", lambda: _overlap_residual(2)),
            ),
        ),
    )
