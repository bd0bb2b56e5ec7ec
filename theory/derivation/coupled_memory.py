"""What a transformer's scores lose and store: rough parts removed, labels stored, and what attention adds to memory."""

from functools import cache
from typing import Any

import mpmath
import sympy as sp

from . import reduced as whole
from .coupled_gain import stein_residual
from .moments import moment
from .step import Check, Step, Validity, eq

d, D, K, s, square, label_square = whole.d, whole.D, whole.K, whole.s, whole.square, whole.label_square
own, m, x = sp.Symbol("a_T", positive=True), sp.Symbol("m", real=True), sp.Symbol("x", real=True)
opened = 1 - own - m**2
bent = m * (own - 2 * opened)
along, slope, g = sp.symbols("b h g", positive=True)
label_kernel = s**2 * d * label_square
mean_stored, stored_variance = label_kernel * g / K, label_kernel**2 * g**2 / (K * D)
through_value = whole.slope_square * d * own**2
through_scores = whole.slope_square / 3 * square * d**2 * own**2 * (1 - own) ** 2
curve_part, slope_part, chi, tau = sp.symbols("h_1 h_2 chi tau", real=True)


@cache
def _attended() -> tuple[Any, Any, Any]:
    """m, own attention and the score η along the labels + − of two context tokens, with other scores of any size."""
    eta = sp.Symbol("eta", real=True)
    sizes, labels = sp.symbols("E_1:4", positive=True), (1, -1)
    weights = [size * sp.exp(eta * n) for size, n in zip(sizes, labels, strict=False)] + [sizes[-1]]
    total = sum(weights)
    return sum(n * weight for n, weight in zip(labels, weights, strict=False)) / total, weights[-1] / total, eta


def _opened_residual(statement: Any, order: int) -> Any:
    read, on_self, eta = _attended()
    residual = sp.diff(read, eta, order) - statement.subs({m: read, own: on_self}, simultaneous=True)
    weight = sp.Symbol("Y", positive=True)
    return sp.cancel(residual.subs(eta, sp.log(weight)))


@cache
def _moments(slope_along: float, answer: float, read: float) -> tuple[Any, Any, Any]:
    """⟨g ξ⟩, ⟨∂_η g⟩ and ⟨σ′ ∂_η m⟩ of g = σ(−m − τξ) ∂_η m at two tokens, m = tanh η, η = bξ′ + χξ, over ξ.

    At one ξ′ = 1/2: the average over it commutes with the lemma.
    """
    with mpmath.workdps(60):
        at = lambda xi: mpmath.mpf(slope_along) / 2 + mpmath.mpf(answer) * xi  # noqa: E731
        sigmoid = lambda z: 1 / (1 + mpmath.exp(z))  # noqa: E731

        def parts(xi: Any) -> tuple[Any, Any, Any]:
            label = mpmath.tanh(at(xi))
            open_, wrong = 1 - label**2, sigmoid(label + mpmath.mpf(read) * xi)
            curve = wrong * (1 - wrong)
            return wrong * open_ * xi, -2 * label * open_ * wrong - curve * open_**2, curve * open_

        points = [-16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16]
        mean = lambda i: mpmath.quad(lambda xi: parts(xi)[i] * mpmath.npdf(xi), points)  # noqa: E731
        return mean(0), mean(1), mean(2)


def _answer_residual(statement: Any) -> Any:
    left, by_score, by_logit = _moments(0.5, 0.75, 0.25)
    at = {slope_part: by_score, curve_part: by_logit, chi: mpmath.mpf(0.75), tau: mpmath.mpf(0.25)}
    with mpmath.workdps(60):
        return left - mpmath.mpf(statement.subs({k: sp.Float(str(v), 60) for k, v in at.items()}).evalf(55))


def _removal_residual(statement: Any) -> Any:
    """d ln R/dt where the loss's slope to a score s = x̂ᵀR x̂_T is Σ s: A⟨Σ s x̂ x̂_Tᵀ⟩ along R, two components."""
    entries = sp.symbols("R_1:5", positive=True)
    token, target = sp.symbols("x_1:3"), sp.symbols("y_1:3")
    variances = {**dict.fromkeys(token, d / (2 * D)), **dict.fromkeys(target, d / D)}
    matrix, left, right = sp.Matrix(2, 2, entries), sp.Matrix(token), sp.Matrix(target)
    score = whole.stein * (left.T * matrix * right)[0]
    moved = square * sum(r * moment(score * token[i // 2] * target[i % 2], variances) for i, r in enumerate(entries))
    return sp.cancel(moved / sum(r**2 for r in entries)) - statement


def _label_residual(statement: Any) -> Any:
    """The same of a label's row, η = b·x̂_T, slope g_η η: A_ℓ s² ⟨g_η η x̂_T⟩ along b."""
    row, target = sp.symbols("b_1:3", positive=True), sp.symbols("y_1:3")
    score = whole.bent * sum(x * y for x, y in zip(row, target, strict=True))
    moved = (
        label_square
        * s**2
        * sum(x * moment(score * y, dict.fromkeys(target, d / D)) for x, y in zip(row, target, strict=True))
    )
    return sp.cancel(moved / sum(x**2 for x in row)) - statement


def _stored_residual(statement: Any, order: int) -> Any:
    """Mean and variance of ℓ_i b·x_i, b = (κ/K) Σ_k ℓ_k g x_k over K items of |x|² = 1 in D dimensions.

    An item's own term is κg/K; the others' K have ⟨(x_k·x_i)²⟩ = D (1/D)².
    """
    x_i, x_k = sp.symbols("x_i x_k")
    overlap = D * moment((x_i * x_k) ** 2, {x_i: 1 / D, x_k: 1 / D})
    unit = label_kernel * g / K
    return (unit if order == 1 else unit**2 * K * overlap) - statement


def _value_residual(statement: Any) -> Any:
    """Σ (∂z/∂V)² of z = ∇f·V a_T x̂_T, |x̂_T|² = d."""
    entries, slopes = sp.symbols("V_1:5"), sp.symbols("f_1:3", real=True)
    token = sp.sqrt(d) * sp.Matrix([sp.Rational(3, 5), sp.Rational(4, 5)])
    logit = own * (sp.Matrix([slopes]) * sp.Matrix(2, 2, entries) * token)[0]
    derived = sum(sp.diff(logit, entry) ** 2 for entry in entries)
    return sp.expand(derived - statement.subs(whole.slope_square, sum(entry**2 for entry in slopes)))


def _scores_residual(statement: Any) -> Any:
    """Σ (∂z/∂W)² of z = a_T ∇f·V x̂_T, a_T of e^{x̂ᵀW_KᵀW_Q x̂} beside others, at W with WᵀW = A/2, V averaged."""
    key: Any = sp.Matrix(2, 2, sp.symbols("k_1:5"))
    query: Any = sp.Matrix(2, 2, sp.symbols("q_1:5"))
    token: Any = sp.sqrt(d) * sp.Matrix([sp.Rational(3, 5), sp.Rational(4, 5)])
    score = (token.T * key.T * query * token)[0]
    weights = [*key, *query]
    rotated: Any = sp.Matrix([[sp.Rational(5, 13), sp.Rational(12, 13)], [sp.Rational(-12, 13), sp.Rational(5, 13)]])
    at: Any = {w: sp.sqrt(square / 2) * direction for w, direction in zip(weights, [*sp.eye(2), *rotated], strict=True)}
    seen: Any = sum(sp.diff(score, weight) ** 2 for weight in weights)
    rest, self_score = sp.symbols("Z s_T", positive=True)
    share = sp.exp(self_score) / (sp.exp(self_score) + rest)
    moved: Any = sp.diff(share, self_score).subs(rest, sp.exp(self_score) * (1 - own) / own)
    read = whole.slope_square / 3  # ⟨(∇f·V x̂)²⟩
    return sp.simplify(sp.expand(seen.subs(at)) * moved**2 * read) - statement


def steps() -> tuple[Step, ...]:
    """Removal of rough scores, labels stored in scores, memory by attention."""
    return (_removed_step(), _stored_step())


def _removed_step() -> Step:
    return Step(
        "removed scores",
        "Gradient descent removes the scores' random parts",
        (
            "Targets and other items are Gaussian and fresh in every sequence; at finite K the next step adds what "
            "is not (tested on the rungs of held gates and of the whole network at K → ∞).",
        ),
        (
            "A random part R of M is turned by A⟨Σ_j g_j x̂_j x̂_Tᵀ⟩, g_j = σ w a_j(ℓ_j − m), in which the same R "
            "moves the scores. By Stein's lemma ⟨g_j x̂_j⟩ = (d/2D)⟨∂_{s_j}g_j⟩ R x̂_T on items, and ⟨x̂_Tx̂_Tᵀ⟩ = "
            "d/D. So R keeps its direction and loses size:",
            eq(sp.Derivative(sp.log(whole.rough), whole.time), whole.removal),
            "with Σ = Σ_{j≠c}⟨∂_{s_j}g_j⟩, negative once w is large. **Along the label**, the score η turns all "
            "context tokens of one label at once: ∂_ηm = 1 − a_T − m², g = σ w ∂_ηm, and its row of M, of which only "
            "the target's side has a covariance, loses by g_η = ⟨dg/dη⟩:",
            eq(sp.Derivative(sp.log(whole.labelled), whole.time), whole.kernel * whole.bent),
            "which is gone first. **An answer to the residual:** what the gain reads off the target, τ ξ_T, makes g "
            "depend on ξ_T, and M's label row grows along it, a score χ ξ_T, with g_ξ = ⟨∂_ηg⟩ and h = ⟨σ′w ∂_ηm⟩:",
            eq(sp.Derivative(whole.answer, whole.time), whole.rate_answer),
        ),
        (
            Check("d ln ρ/dt where the slope is a multiple of the score", "identity", whole.removal, _removal_residual),
            Check("d ln η/dt where the slope is a multiple of the score", "identity",
                  whole.kernel * whole.bent, _label_residual),
            Check("∂_η m = 1 − a_T − m²", "identity", opened, lambda f: _opened_residual(f, 1)),
            Check("∂²_η m = m (a_T − 2 ∂_η m)", "identity", bent, lambda f: _opened_residual(f, 2)),
            Check("⟨g ξ_T⟩ = ⟨∂_ηg⟩ χ − ⟨σ′w ∂_ηm⟩ τ", "50 digits", slope_part * chi - curve_part * tau,
                  _answer_residual, 1e-45),
        ),
        Validity("d ln ρ/dt, d ln η/dt, dχ/dt", "rung of the whole network, N = 15, D = 31, at ½ and ¾ of t_ICL",
                 "ρ within 11 %, η within 13 %", ("reduced_transformer.rates",)),
    )  # fmt: skip


def _stored_step() -> Step:
    return Step(
        "stored labels",
        "Scores store labels, and attention memorises items",
        (
            "Overlaps of training items are independent and Gaussian; a target's mean g depends on its margin alone.",
            "A target's own kernel adds to the perceptron's, and does not change how the couplings follow the clock "
            "(tested on the rung of scrambled networks).",
        ),
        (
            "**A third channel.** At finite K the label row of M is a linear classifier of the training items, moved "
            "by κ⟨g⟩/K of each, κ = s² d A_ℓ, at the attention's rate whatever r: labels are stored in the scores. "
            "All training targets gain μ, and every target a scatter ν, by the overlaps of K others; both are "
            "removed like η.",
            eq(sp.Derivative(whole.stored, whole.time),
               whole.kernel * (D / K * whole.gain + whole.bent * whole.stored)),
            eq(sp.Derivative(whole.scatter, whole.time),
               whole.kernel * (D * sp.sqrt(whole.of_rank / (K * D)) + whole.bent * whole.scatter)),
            "**Memory through the target's own token.** An item moves its logit through V by |∇f|²d a_T², and "
            "through W_K and W_Q, by which it sets how much of itself it sees, ∂z/∂s_T = a_T(1 − a_T)∇f·V x̂_T; "
            "beside the perceptron's KΘ that adds to the clock's speed, X = ⟨σ⟩, n₂ = ⟨|∇f|²⟩, a_2 = ⟨a_T²⟩, a_4 = "
            "⟨a_T²(1 − a_T)²⟩:",
            eq(sp.Derivative(sp.Symbol("J"), whole.time), whole.X * whole.memory_speed),
            "**What is fixed for a target, memory cancels**: the attended label w⟨mξ⟩ that its own label score "
            "causes, ξ standard normal, down to what the perceptron subtracts of it, q. The kernel is that of the "
            "item, R Θ, and the shared one, r k, of which novel items inherit q′; M = ⟨mξ⟩, h_σ = ⟨σ′⟩:",
            eq(sp.Derivative(whole.echo, whole.time),
               (whole.R * whole.theta + whole.r * whole.k) * whole.curve * (whole.w * whole.echoed - whole.echo)),
        ),
        (
            Check("⟨ℓ b·x⟩ of a training item", "identity", mean_stored, lambda f: _stored_residual(f, 1)),
            Check("variance of the others' part", "identity", stored_variance, lambda f: _stored_residual(f, 2)),
            Check("an item's kernel through V", "identity", through_value, _value_residual),
            Check("an item's kernel through W_K and W_Q", "identity", through_scores, _scores_residual),
            Check("⟨σ(−a − bξ) ξ⟩ = −b⟨σ′⟩: memory's rate of cancelling", "50 digits", -along * slope,
                  lambda f: stein_residual(f, along, slope), 1e-45),
        ),
        Validity("dμ/dt, dν/dt, R, dq/dt", "rung of scrambled networks: N = 15, D = 31, K = 512 and 256",
                 "the clock at t = 100, K = 512: 20.2 predicted, 19.8 measured; I_K(∞) at K = 256: 13.9 against 10.5",
                 ("reduced_transformer.rates",)),
    )  # fmt: skip
