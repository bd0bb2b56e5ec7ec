"""From the logit to the averaged gradient flow: the loss is written once, the flow is differentiated from it."""

import itertools
from functools import cache
from typing import Any

import sympy as sp

from .step import Check, Step, Validity, eq
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
#: ⟨e^{β|x|²}⟩ over the target's norm, D |x|² ~ χ²_D: what e^β is for D → ∞.
drive = (1 - 2 * beta / D) ** (-D / 2)

#: The flow for D → ∞ and a target outside the softmax, where it is short enough for a page.
plain = {T: 0, others: N - m}
attended_plain = attended.subs(plain)
logit_plain = logit.subs(plain)
dw_plain, dbeta_plain = (-sp.diff(loss.subs(plain), variable) for variable in (w, beta))


@cache
def _mean_exponential(power: int) -> Any:
    """⟨e^{power βx}⟩ over the overlaps x ~ N(0, 1/D), by integration."""
    x = sp.Symbol("x", real=True)
    density = sp.sqrt(D / (2 * sp.pi)) * sp.exp(-D * x**2 / 2)
    return sp.simplify(sp.integrate(sp.exp(power * beta * x) * density, (x, -sp.oo, sp.oo), conds="none"))


def _softmax_residual(statement: Any) -> Any:
    """Six context pairs, two of them copies, others at their mean; T = 2 tokens of label 0 that match as well."""
    labels = sp.symbols("ell_1:5", real=True)
    weights = [match, match, *[_mean_exponential(1)] * 4, match, match]
    values = [1, 1, *labels, 0, 0]
    direct: Any = sum(weight * value for weight, value in zip(weights, values, strict=True))
    # the copies' labels count by e^β; the others' sum n is written with weight 1, the average of e^{βx} ℓ at D → ∞
    direct = direct.subs(_mean_exponential(1), 1) / sum(weights)
    return direct - statement.subs({m: 2, N: 6, T: 2, n: sum(labels)})


def _norm_residual(statement: Any) -> Any:
    """⟨e^{βy/D}⟩ over y ~ χ²_D at D = 6, from the density y² e^{−y/2}/16."""
    return _chi_square().subs(D, 6) - statement.subs(D, 6)


@cache
def _chi_square() -> Any:
    y, rate = sp.symbols("y c", positive=True)
    mean = sp.integrate(y**2 * sp.exp(-rate * y) / 16, (y, 0, sp.oo))
    return mean.subs(rate, sp.Rational(1, 2) - beta / 6)


def _variance_residual(statement: Any) -> Any:
    """⟨n²⟩ of three labels ±s, over all eight draws: N = 5, m = 2."""
    draws = list(itertools.product((-s, s), repeat=3))
    return sum(sum(labels) ** 2 for labels in draws) / sp.Integer(len(draws)) - statement.subs({N: 5, m: 2})


def _gaussian_residual(statement: Any, at: Any) -> Any:
    """ln of the characteristic function of n/(s√M), M labels ±s: M ln cos(k/√M) → −k²/2."""
    k, size = sp.symbols("k M", positive=True)
    if at != sp.oo:
        return size.subs(size, at) * sp.log(sp.cos(k / sp.sqrt(at))) - statement
    expansion = sp.series(sp.log(sp.cos(k / sp.sqrt(size))), size, sp.oo, 3).removeO()  # pyright: ignore[reportArgumentType]
    return sp.limit(size * expansion, size, sp.oo) - statement


def _balanced_residual(statement: Any) -> Any:
    positive, negative = N / 2 - m, N / 2  # what is left of N/2 labels of either sign once m copies have label +1
    return positive - negative - statement


@cache
def _upper_half() -> Any:
    """P(ξ > −y) of a normal ξ, by integrating its density."""
    x = sp.Symbol("x", real=True)
    edge = sp.Symbol("y", positive=True)
    density = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    return sp.integrate(density, (x, -edge, sp.oo))


def _accuracy_residual(statement: Any) -> Any:
    """P(m e^β + s√(N−m) ξ > 0): the edge is where the two are equal."""
    edge = sp.Symbol("y", positive=True)
    derived = _upper_half().subs(edge, m * match / (s * sp.sqrt(N - m)))
    return (derived - statement).rewrite(sp.erf)


def _without_copy_residual(statement: Any) -> Any:
    """Variance of Σ_j e^{βx_j} ℓ_j/Z over N independent labels, from the mean square of e^{βx}."""
    norm = T * match + N * _mean_exponential(1)
    return sp.sqrt(N * s**2 * _mean_exponential(2)) / norm - statement


accuracy = normal_cdf(m * match / (s * sp.sqrt(N - m)))
#: Accuracy at finite D given x = |x_T|²: the argument of Φ; and beside a memory of noise s_φ, for D → ∞.
norm_squared, memory_noise = sp.symbols("x s_varphi", positive=True)
signal_at_norm = m * sp.exp(beta * norm_squared - beta**2 * norm_squared / D) / (s * sp.sqrt(N - m))
signal_beside_noise = w * m * match / sp.sqrt(w**2 * s**2 * (N - m) + memory_noise**2 * (m * match + N - m) ** 2)


def _at_norm_residual(statement: Any) -> Any:
    """The copy's e^{βx} over the spread of N − m terms e^{βy} ℓ, y ~ N(0, x/D): overlaps with a target of norm √x."""
    square = _mean_exponential(2).subs(D, D / norm_squared)
    return m * sp.exp(beta * norm_squared) / sp.sqrt((N - m) * s**2 * square) - statement


def _noise_residual(statement: Any) -> Any:
    """Mean over standard deviation of w (m e^β + n)/Z + s_φ ξ: the squares, and the sign."""
    norm = m * match + N - m
    square = (w * m * match / norm) ** 2 / (w**2 * s**2 * (N - m) / norm**2 + memory_noise**2)
    value = complex(sp.N(statement.subs({w: 1, beta: 0, N: 5, m: 1, s: 1, memory_noise: 1})))
    return square - statement**2 + (0 if value.real > 0 else 1)


def steps() -> tuple[Step, ...]:
    """The steps from the task to the averaged flow."""
    u = sp.Symbol("u")
    return (_logit_step(), _loss_step(u), _flow_step(u), _average_step(), _accuracy_step(), _finite_step())


def _logit_step() -> Step:
    a, Z, u = sp.symbols("a Z u")
    return Step(
        "logit",
        "Logit",
        (
            "Target and copies have overlap 1, distinct items overlaps x ~ N(0, 1/D).",
            "The normalisation Z is replaced by its average over the other items, and the others' labels are summed "
            "with weight 1 (exact for D → ∞).",
            "The target's label is called +1; n is the sum of the N − m other labels in that frame.",
        ),
        (
            "The softmax gives each of the m copies the weight e^β/Z. With T = 1 if the target itself takes part, "
            "label 0, and T = 0 otherwise, the attended label is a and the logit adds the memory margin φ.",
            eq(Z, normalisation),
            eq(a, (m * match + n) / Z),
            eq(u, phi + w * a),
            "At finite D the target's own overlap is |x_T|², not 1: D |x_T|² ~ χ²_D, so that the copy's e^β averages "
            "to what follows, 7 % above e^β at D = 63, β = 2. The package leaves this out of the flow, as well as "
            "its price, the later level of accuracy (step on accuracy at finite D); in the time of acquisition the "
            "two cancel.",
            eq(sp.Symbol("{\\langle e^{\\beta |x_T|^2} \\rangle}"), drive),
        ),
        (
            Check("the softmax over six context pairs, two of them copies, and tokens of label 0 is a", "identity",
                  attended, _softmax_residual),
            Check("the other terms of Z average to e^{β²/2D}", "identity", sp.exp(beta**2 / (2 * D)),
                  lambda statement: _mean_exponential(1) - statement),
            Check("⟨e^{β|x_T|²}⟩ at D = 6", "identity", drive, _norm_residual),
        ),
        Validity(
            "u = φ + w a, a = (m e^β + n)/Z",
            "D → ∞; at D = 63, N = 100, β <= 2",
            "dw/dt 4 %, dβ/dt 8 % low at β = 2 (D = 31: 8 %, 15 %); t_ICL within 1.5 % (D = 63), 2 % (D = 31)",
            ("icl_field", "population_loss"),
        ),
    )  # fmt: skip


def _loss_step(u: sp.Symbol) -> Step:
    return Step(
        "loss",
        "Population loss",
        ("Plain gradient flow on the logistic loss, averaged over sequences.",),
        (
            "E is the average over n (and over the items' margins φ).",
            eq(sp.Symbol("L"), sp.Function("E")(sp.log(1 + sp.exp(-u)))),
        ),
        (
            Check("−∂L/∂u = σ(−u)", "identity", sigmoid(-u),
                  lambda statement: -sp.diff(sp.log(1 + sp.exp(-u)), u) - statement),
        ),
        Validity("L = E ln(1 + e^{−u})", "small learning rates", "measured times move by the rate to first order",
                 ("population_loss", "loss_gradient", "loss_hessian")),
    )  # fmt: skip


def _flow_step(u: sp.Symbol) -> Step:
    dw_dt, dbeta_dt = sp.symbols("\\dot{w} \\dot{\\beta}")
    pull = w * m * match * (N - m - n) / (m * match + N - m) ** 2
    return Step(
        "flow",
        "Averaged gradient flow",
        ("Weight decay, where there is any, adds −λw and −λβ.",),
        (
            "Minus the gradient of the loss. For D → ∞ and T = 0 it is what follows; the general flow is the "
            "derivative of the same loss and is what the package evaluates.",
            *(
                eq(rate, sp.Function("E")(sp.Function("sigma")(-u) * sp.factor(sp.diff(logit_plain, variable))))
                for rate, variable in ((dw_dt, w), (dbeta_dt, beta))
            ),
        ),
        (
            Check("dw/dt = σ(−u) a", "identity", sigmoid(-logit_plain) * attended_plain,
                  lambda statement: dw_plain - statement),
            Check("dβ/dt = σ(−u) w m e^β (N − m − n)/Z²", "identity", sigmoid(-logit_plain) * pull,
                  lambda statement: dbeta_plain - statement),
        ),
        Validity("dw/dt = E σ(−u) a, dβ/dt = E σ(−u) w ∂a/∂β", "as the logit",
                 "1e-10 against the loss differentiated by sympy",
                 ("icl_field", "mean_residual")),
    )  # fmt: skip


def _average_step() -> Step:
    k = sp.Symbol("k", positive=True)
    return Step(
        "average",
        "Average over the label sum",
        ("i.i.d. labels of standard deviation s, or exactly N/2 labels of each sign.",),
        (
            "i.i.d.: n is a binomial sum, mean 0 and variance s²(N − m); its characteristic function tends to the "
            "Gaussian's, and Gauss-Hermite nodes average over it. Balanced: of N/2 positive labels the m copies "
            "take m, so n = −m in every sequence and nothing fluctuates.",
            eq(sp.Function("Var")(n), s**2 * (N - m)),
            eq(sp.Symbol("n_{balanced}"), -m),
        ),
        (
            Check("⟨n²⟩ = s²(N − m), over all draws of three labels", "identity", s**2 * (N - m), _variance_residual),
            Check("the characteristic function of n tends to the Gaussian's", "limit", -(k**2) / 2, _gaussian_residual,
                  at=sp.oo, elsewhere=(sp.Integer(3),)),
            Check("balanced contexts have n = −m", "identity", -m, _balanced_residual),
        ),
        Validity("n ~ N(0, s²(N − m)), or n = −m", "N >= 25", "t_ICL moves by less than 0.05 %",
                 ("label_sum_nodes",)),
    )  # fmt: skip


def _accuracy_step() -> Step:
    return Step(
        "accuracy",
        "Accuracy",
        (
            "n Gaussian, and D → ∞.",
            "Novel items, on which the memory says nothing: its logit there is 0.",
        ),
        (
            "A prediction is right iff w (m e^β + n) > 0. At w > 0 that is a Gaussian tail; 95 % needs e^β = "
            "1.645 s √(N − m)/m. On training items without a copy a is N(0, δ²), and φ answers against it.",
            eq(sp.Symbol("P_{ICL}"), sp.Function("Phi")(m * match / (s * sp.sqrt(N - m)))),
            eq(sp.Symbol("delta"), spread_without_copy),
            eq(sp.Symbol("P_{IWL}"), sp.Function("Phi")(phi / (sp.Abs(w) * sp.Symbol("delta")))),
        ),
        (
            Check("P(m e^β + s√(N − m) ξ > 0)", "identity", accuracy, _accuracy_residual),
            Check("e^{βx} has the mean square e^{2β²/D}", "identity", sp.exp(2 * beta**2 / D),
                  lambda statement: _mean_exponential(2) - statement),
            Check("δ² is the variance of a without a copy", "identity", spread_without_copy, _without_copy_residual,
                  also_wrong={"e^{β²/2D} for e^{β²/D}": spread_without_copy * sp.exp(-(beta**2) / (2 * D))}),
        ),
        Validity("P_ICL = Φ(m e^β/(s√(N − m)))", "D → ∞, N >= 25, no memory on novel items",
                 "0.02 (D = 63, β = 2: 0.854 for 0.837; β = 2.8: 0.991 for 0.956)",
                 ("icl_accuracy", "acquired_beta", "iwl_accuracy")),
    )  # fmt: skip


def _finite_step() -> Step:
    capital_phi = sp.Function("Phi")
    return Step(
        "accuracy at finite D",
        "Accuracy at finite D and beside the memory's noise",
        (
            "Given the target, its overlaps with the others are N(0, x/D), x = |x_T|²; their sum is Gaussian.",
            "On novel items the memory's logit is s_φ ξ, ξ normal, independent of the label.",
        ),
        (
            "The copy's term is e^{βx}, and each other's e^{βy} ℓ has the mean square e^{2β²x/D}. Averaging over x, "
            "D x ~ χ²_D, is one integral. The second formula is for D → ∞; the package combines the two.",
            eq(sp.Symbol("P_{ICL}"), sp.Function("E_x")(capital_phi(signal_at_norm))),
            eq(sp.Symbol("P_{ICL}"), capital_phi(signal_beside_noise)),
        ),
        (
            Check("mean over spread given |x_T|² = x", "identity", signal_at_norm, _at_norm_residual),
            Check("mean over spread beside the memory's noise", "identity", signal_beside_noise, _noise_residual),
        ),
        Validity("P = E_x Φ(w m e^{βx}/√(w²s²(N − m)e^{2β²x/D} + s_φ²Z²))", "N = 25 … 100, D = 31 … 63, β = 2 … 3",
                 "0.003 against sampled contexts (0.9558 for 0.9566)", ("finite_accuracy",)),
    )  # fmt: skip
