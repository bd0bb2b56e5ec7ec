"""A transformer's scores: their rough start, the turn of W_K and W_Q, what is learnt and what is removed."""

from functools import cache
from typing import Any

import sympy as sp

from . import reduced as whole
from .moments import moment, uniform_variance
from .step import Check, Step, Validity, eq

d, D, s, a0, beta, unit = whole.d, whole.D, whole.s, whole.a0, whole.beta, whole.attention_scale
square, g2 = whole.square, whole.g2
own, copy, noise, u = sp.symbols("a_T a_c Q u", positive=True)
rough_widths = unit**4 * sp.Matrix([d / 18, d / 9, s**2 / 9])
beta0_variance = unit**4 * d / (18 * D)
recruitment = d * square * g2 / (3 * sp.sqrt(2) * D) * (
    d * own * noise + d / sp.sqrt(2) * (copy * noise - copy**2 / 2)
)  # fmt: skip


def _width_residual(statement: Any) -> Any:
    """⟨(xᵀMy)²⟩ of M = W_KᵀW_Q with entries ω U(±1/√d), for items, for the target with itself, and for a label."""
    entry = d * (unit**2 * uniform_variance(d)) ** 2  # M_ij is a sum over d rows
    entries = sp.symbols("M_1:5")
    matrix, variances = sp.Matrix(2, 2, entries), dict.fromkeys(entries, entry)
    x, y = sp.Matrix([sp.Rational(3, 5), sp.Rational(4, 5)]), sp.Matrix([sp.Rational(5, 13), sp.Rational(12, 13)])
    pairs = [(sp.sqrt(d / 2) * x, sp.sqrt(d) * y), (sp.sqrt(d) * x, sp.sqrt(d) * x), (s * x, sp.sqrt(d) * y)]
    derived = [moment((left.T * matrix * right)[0] ** 2, variances) for left, right in pairs]
    return sum(abs(exact - stated) for exact, stated in zip(derived, statement, strict=True))


def _start_residual(statement: Any) -> Any:
    """⟨β0²⟩ of β0 = (d/√2) tr M/D: D diagonal entries of M, independent."""
    entry = d * (unit**2 * uniform_variance(d)) ** 2
    return (d / sp.sqrt(2) / D) ** 2 * D * entry - statement


@cache
def _turned() -> dict[str, Any]:
    """Moments of W_K = W_K0 cosh u + W_Q0 sinh u and W_Q likewise, in units of those at u = 0.

    Columns i and j of both, and a label's column of W_K, which the identity on items does not turn.
    """
    k_i, q_i, k_j, q_j, k_l = sp.symbols("k_i q_i k_j q_j k_l")
    ones = dict.fromkeys((k_i, q_i, k_j, q_j, k_l), sp.Integer(1))
    grown = lambda k, q: k * sp.cosh(u) + q * sp.sinh(u)  # noqa: E731
    on_diagonal = grown(k_i, q_i) * grown(q_i, k_i)
    parts = {
        "mean": moment(on_diagonal, ones),
        "square": moment(grown(k_i, q_i) ** 2 + grown(q_i, k_i) ** 2, ones),
        "label square": moment(k_l**2 + grown(q_i, k_i) ** 2, ones),
        "item": moment((grown(k_i, q_i) * grown(q_j, k_j)) ** 2, ones),
        "own": moment(on_diagonal**2, ones) - moment(on_diagonal, ones) ** 2,
        "label": moment((k_l * grown(q_i, k_i)) ** 2, ones),
    }
    return {name: sp.expand(part.rewrite(sp.exp)) for name, part in parts.items()}


def _turn_residual(statement: Any, name: str) -> Any:
    """The statement at the β of an angle: (d/√2) a ⟨k_i q_i⟩. A sum is in units of a, a square beside the other's."""
    at = statement.subs(beta, d * a0 / sp.sqrt(2) * _turned()["mean"])
    return sp.simplify(_turned()[name] - sp.expand(at))


#: Squares of what the state's scales are: (A/a)², and the growth of the variance of each random part.
turned_square = 4 * whole.turn**2
turned_variances = {"item": whole.turn**2, "own": 2 * whole.turn**2 - 1}


@cache
def _driven() -> tuple[Any, Any]:
    """d/dt of β = (d/√2) tr(W_KᵀW_Q)/D under −∂L/∂W of a loss of slope −1 in m, and ∂m/∂β, at D = 2, d = 4.

    W_KᵀW_K = W_QᵀW_Q = 1/3 and W_KᵀW_Q = γ, as random matrices have it on average, with four rows. Three context tokens
    and the target.
    """
    key: Any = sp.Matrix(4, 2, sp.symbols("k_1:9"))
    query: Any = sp.Matrix(4, 2, sp.symbols("q_1:9"))
    matrix, size, eye = key.T * query, sp.Integer(4), sp.eye(2)
    target = sp.Matrix([sp.Rational(3, 5), sp.Rational(4, 5)])
    items = [target, sp.Matrix([sp.Rational(5, 13), sp.Rational(-12, 13)]), sp.Matrix([-1, 0])]

    def softmax(scores: list[Any]) -> Any:
        return sum(n * sp.exp(x) for n, x in zip((1, -1, 1, 0), scores, strict=True)) / sum(map(sp.exp, scores))

    tokens: list[Any] = [*[sp.sqrt(size / 2) * x for x in items], sp.sqrt(size) * target]
    read = softmax([(x.T * matrix * tokens[-1])[0] for x in tokens])
    rows = [sp.Matrix.vstack(eye, sp.zeros(2, 2)), sp.Matrix.vstack(eye * sp.Rational(3, 5), eye * sp.Rational(4, 5))]
    at: Any = dict(zip([*key, *query], [entry / sp.sqrt(3) for part in rows for entry in part], strict=True))
    learnt = size / sp.sqrt(2) * matrix.trace() / 2
    rate = sum((sp.diff(learnt, entry) * sp.diff(read, entry)).subs(at) for entry in at)
    towards = sp.diff(softmax([beta * x.dot(target) for x in items] + [sp.sqrt(2) * beta]), beta)
    return sp.N(rate, 60), sp.N(towards.subs(beta, learnt.subs(at)), 60)


def _drive_residual(statement: Any) -> Any:
    rate, towards = _driven()
    at = {d: sp.Integer(4), D: sp.Integer(2), square: sp.Rational(2, 3), whole.B: towards}
    return sp.N(rate - statement.subs(at, simultaneous=True), 50)


def _recruited_residual(statement: Any) -> Any:
    """(d/√2D) A Σ_j −∂_{s_j} cost x̂_j·x̂_T over items, cost = g₂Q/6, with a copy, two others and the target."""
    weights = sp.symbols("E_T E_c E_1 E_2", positive=True)  # e^{score}
    total = sum(weights)
    a_t, a_c, a_1, a_2 = (weight / total for weight in weights)
    cost = g2 / 3 * (a_1**2 + a_2**2 + a_c**2 / 2) / 2
    slopes = [weight * sp.diff(cost, weight) for weight in weights[:2]]  # others' items average to nothing
    derived = -d / (sp.sqrt(2) * D) * square * (d * slopes[0] + d / sp.sqrt(2) * slopes[1])
    return derived - statement.subs({own: a_t, copy: a_c, noise: a_1**2 + a_2**2 + a_c**2 / 2}, simultaneous=True)


def _cost_residual(statement: Any) -> Any:
    """⟨(∇f·V x̂)²⟩ over V's entries U(±1/√d), |x̂|² = d, in two dimensions."""
    entries, slopes = sp.symbols("V_1:5"), sp.symbols("f_1:3", real=True)
    x = sp.sqrt(d) * sp.Matrix([sp.Rational(3, 5), sp.Rational(4, 5)])
    read = (sp.Matrix([slopes]) * sp.Matrix(2, 2, entries) * x)[0]
    derived = moment(read**2, dict.fromkeys(entries, uniform_variance(d)))
    return sp.expand(derived - statement.subs(whole.slope_square, sum(slope**2 for slope in slopes)))


def _offset_residual(statement: Any) -> Any:
    """db/dt of b = s p·h, p = Mᵀĉ moving along 2a s h and the shift h along s p, from |p| = a and h = 0."""
    p, shift = sp.symbols("p h", positive=True)
    derived = sp.diff(s * p * shift, p) * 2 * a0 * s * shift + sp.diff(s * p * shift, shift) * s * p
    kept = sp.sqrt(a0**2 + 2 * a0 * shift**2)  # p² − 2a h² is conserved by the two
    given = statement.subs(whole.offset, s * p * shift).subs(p, kept)
    return derived.subs(p, kept) - given.replace(
        lambda e: e.is_Pow and e.exp == sp.Rational(1, 2), lambda e: sp.sqrt(sp.factor(e.base))
    )


def steps() -> tuple[Step, ...]:
    """Rough start, turn, learned scores."""
    return (_rough_step(), _turn_step(), _learned_step())


def _rough_step() -> Step:
    return Step(
        "initial scores",
        "A transformer's scores are rough at the start in three ways",
        (
            "PyTorch's default weights, times ω on W_Q and W_K; tokens layer-normed.",
            "Large d: the random parts of the scores are Gaussian and independent of each other.",
        ),
        (
            "The score of token j is x̂_jᵀ M x̂_T, M = W_KᵀW_Q, with entries of variance ω⁴/9d. **Items** score a "
            "variance |√(d/2) x_j|²|√d x_T|² ω⁴/9d each; **the target itself** twice that, of which its copy's is "
            "1/√2 exactly; **labels**, one draw a sequence for both, which N does not average away:",
            eq(sp.Symbol(r"\sigma^2"), rough_widths.T),
            "Of the learned part M → γ 1 on items, a copy has the score β = dγ/√2 and the target √2 β. At the start",
            eq(sp.Function("E")(sp.Symbol("beta_0") ** 2), beta0_variance),
        ),
        (
            Check("variances of item-item, own and label-item scores", "identity", tuple(rough_widths),
                  _width_residual),
            Check("variance of β0", "identity", beta0_variance, _start_residual),
        ),
        Validity("variances ω⁴(d/18, d/9, s²/9), ⟨β0²⟩ = ω⁴d/18D", "60 sampled transformers, D = 31",
                 "LayerNorm's finite d, 3 %; spread of ln t_ICL 0.09 … 0.30 predicted, 0.12 … 0.31 measured",
                 ("reduced_transformer.score_scales",)),
    )  # fmt: skip


def _turn_step() -> Step:
    return Step(
        "turn",
        "W_K and W_Q turn into each other",
        ("Gradients along the identity on items alone; the other directions of W_K and W_Q stay random.",),
        (
            "dW_K ∝ W_Q and dW_Q ∝ W_K: both turn hyperbolically by one angle u. With ⟨|row|²⟩ = a each at the "
            "start, γ = a sinh 2u and |row|² = a cosh 2u, so that A = |W_Q row|² + |W_K row|² follows β,",
            eq(square, 2 * a0 * whole.turn),
            "and learning accelerates. The random parts grow along: by cosh 2u between different items, √cosh 4u for "
            "the target with itself, √cosh 2u for a label, of which one side stands still (A_ℓ = a(1 + cosh 2u)).",
            eq(whole.label_square, a0 * (1 + whole.turn)),
        ),
        (
            Check("A² = 4a² cosh² 2u, in units of a²", "identity", turned_square,
                  lambda f: _squared_turn(f)),
            Check("variance between different items grows by cosh² 2u", "identity", turned_variances["item"],
                  lambda f: _turn_residual(f, "item")),
            Check("variance of the target's own score grows by cosh 4u", "identity", turned_variances["own"],
                  lambda f: _turn_residual(f, "own")),
            Check("(A_ℓ/a − 1)² and the square of a label score's growth are cosh² 2u", "identity",
                  turned_variances["item"], _label_turn),
        ),
        Validity("A = 2a cosh 2u", "64 pairs of matrices of size 66 turned by gradient steps",
                 "2 %; label and own scores 6 %", ("reduced_transformer.score_scales",)),
    )  # fmt: skip


def _squared_turn(statement: Any) -> Any:
    at = statement.subs(beta, d * a0 / sp.sqrt(2) * _turned()["mean"])
    return sp.simplify(sp.expand(_turned()["square"] ** 2) - sp.expand(at))


def _label_turn(statement: Any) -> Any:
    at = sp.expand(statement.subs(beta, d * a0 / sp.sqrt(2) * _turned()["mean"]))
    residuals = [(_turned()["label square"] - 1) ** 2, _turned()["label"] ** 2]
    return sum(abs(sp.simplify(sp.expand(residual) - at)) for residual in residuals)


def _learned_step() -> Step:
    return Step(
        "learned scores",
        "What turns the scores: labels, and memory, which recruits self-attention",
        (
            "W_KᵀW_K and W_QᵀW_Q are multiples of the identity, as random matrices have it on average.",
            "To memory, the others' tokens and the label half of the copy's are noise of V's random rows; the loss "
            "takes half its square times σ′ (tested on the rung of scrambled networks).",
        ),
        (
            "**Labels.** −∂L/∂M is Σ_j σ w ∂_{s_j}m x̂_j x̂_Tᵀ, and M moves by A times it. Projected on the "
            "identity, where x̂_j·x̂_T is (d/√2) x_j·x_T for a context token and d for the target itself, it is the "
            "derivative to β:",
            eq(sp.Derivative(beta, whole.time), whole.drive),
            "**Memory.** The perceptron memorises x̂_T the better the less V Σ_j a_j x̂_j disturbs it. A token's "
            "noise has ⟨(∇f·V x̂)²⟩ = |∇f|²/3, so that it costs g₂Q/6, Q = Σ_{j≠T,c}a_j² + a_c²/2, g₂ = ⟨σ′|∇f|²⟩. "
            "Memory's gradient raises the target's own score, which takes attention from all, and of the copy's what "
            "is not its own noise; both are scores of the identity, and **β comes along**:",
            eq(sp.Derivative(beta, whole.time), recruitment),
            "**An offset** b = s ĉ·M·shift of all context tokens, where LayerNorm's shift stands for the target and "
            "ĉ for the sum of the label slots that only context tokens fill, is a product as well, driven by E = ⟨σ "
            "w a_T m⟩ against memory's F = ⟨a_T Q⟩; its two factors keep |Mᵀĉ|² − 2a|shift|², and",
            eq(sp.Derivative(whole.offset, whole.time), whole.offset_speed * (whole.E - g2 / 3 * whole.F)),
        ),
        (
            Check("dβ/dt from −∂L/∂W_K and −∂L/∂W_Q", "50 digits", whole.drive, _drive_residual, 1e-45),
            Check("⟨(∇f·V x̂)²⟩ over V", "identity", whole.slope_square / 3, _cost_residual),
            Check("the noise's gradient along the identity", "identity", recruitment, _recruited_residual),
            Check("speed of a product of two layers from |Mᵀĉ| = a", "identity", whole.offset_speed, _offset_residual),
        ),
        Validity("dβ/dt, db/dt", "rungs of the whole network and of scrambled labels, N = 15, D = 31",
                 "β ahead of what is measured at K = 1024, t = 38; after memorising it grows 1.6 times too far",
                 ("reduced_transformer.rates",)),
    )  # fmt: skip
