"""After acquisition: tracking with and without decay, the folds, transience; and the other context statistics."""

from typing import Any

import mpmath
import sympy as sp

from .flow import attended_plain, match
from .race import drift_beta, drift_w
from .step import Check, Step
from .symbols import K, N, beta, c1, c3, decay, kappa, m, n, p, phi, q, r, w

critical_decay_clock = (sp.sqrt(kappa**2 + 8 * sp.E) - kappa) / 2
tracked = sp.LambertW(c3 / decay)
#: Balanced labels, D → ∞: the attended label, and the Jacobian of the flow at φ = 0.
balanced_attended = attended_plain.subs(n, -m)
balanced_flow = sp.Matrix(
    [
        balanced_attended / (1 + sp.exp(w * balanced_attended)),
        w * sp.diff(balanced_attended, beta) / (1 + sp.exp(w * balanced_attended)),
    ]
)
#: N w²/2 minus this is conserved for balanced labels.
balanced_potential = m * match + (N - 2 * m) * beta + (N - m) * sp.exp(-beta)


def _cancel_residual() -> Any:
    """dw = c dt and dφ = r (1 + φ/p)^q c dt share the residual c; w(φ) = ∫ dφ/(r (1 + φ/p)^q)."""
    grown = p / (r * (q - 1)) * (1 - (1 + phi / p) ** (1 - q))
    return sp.simplify(sp.diff(grown, phi) - 1 / (r * (1 + phi / p) ** q)) + grown.subs(phi, 0)


def _lambert_residual() -> Any:
    """c3 e^{−w} − λ w at w = W(c3/λ), relative, over twenty decades of c3/λ."""
    with mpmath.workdps(50):
        ratios = [mpmath.mpf(10) ** power for power in range(-4, 17, 4)]
        return max(abs(x * mpmath.exp(-mpmath.lambertw(x)) / mpmath.lambertw(x) - 1) for x in ratios)


def _product_residual() -> Any:
    """L_IWL = c3, L_ICL = e^{−w_tr}: the product is λ w_tr, from the balance c3 e^{−w} = λ w itself."""
    ratio = sp.Symbol("x", positive=True)
    product = (ratio * decay) * sp.exp(-sp.LambertW(ratio))
    return sp.simplify((product / decay).subs(sp.exp(-sp.LambertW(ratio)), sp.LambertW(ratio) / ratio)
                       - sp.LambertW(ratio))  # fmt: skip


def _fold_scaling_residual() -> Any:
    """For φ ≫ 1, σ(−φ − x) → e^{−φ} e^{−x}: both fixed-point equations keep λ and φ only as λ e^φ."""
    x, rest = sp.symbols("x Lambda", positive=True)
    residual = 1 / (1 + sp.exp(phi + x))
    scaled = sp.limit((residual * sp.exp(phi)), phi, sp.oo)
    drive = scaled / rest - w  # E[σ a] = λ w divided by λ, with Λ = λ e^φ
    return sp.simplify(drive - (sp.exp(-x) / rest - w))


def _critical_residual() -> Any:
    """Early fixed points with decay λ′ per unit clock: e^{2β}/β = λ′(κ + λ′), whose left side is least at β = 1/2."""
    rate = sp.Symbol("rate", positive=True)
    weight = sp.solve(drift_w - rate * w, w)[0]
    left = sp.simplify((drift_beta.subs(w, weight) - rate * beta) * (kappa + rate) / beta)
    curve = sp.exp(2 * beta) / beta
    minimum = sp.solve(sp.diff(curve, beta), beta)[0]
    equation = sp.simplify(left - (curve - rate * (kappa + rate)))
    least = sp.simplify(curve.subs(beta, minimum) - 2 * sp.E)
    root = sp.simplify(sp.expand(critical_decay_clock * (kappa + critical_decay_clock)) - 2 * sp.E)
    return abs(equation) + abs(least) + abs(root)


def _saddle_residual() -> Any:
    origin = {w: 0, beta: 0}
    at_origin = balanced_flow.subs(origin)
    jacobian = balanced_flow.jacobian([w, beta]).subs(origin).applyfunc(sp.simplify)
    rate = m / (2 * N)
    matches = jacobian - sp.Matrix([[0, rate], [rate, 0]])
    eigenvalues = sorted(jacobian.eigenvals(), key=lambda value: value.could_extract_minus_sign())
    spectrum = sum(abs(sp.simplify(value**2 - rate**2)) for value in eigenvalues)
    return sum(abs(entry) for entry in [*at_origin, *matches]) + spectrum


def _potential_residual() -> Any:
    """N w²/2 − [m e^β + (N − 2m) β + (N − m) e^{−β}] is conserved; σ(−u) cancels, so the memory does not matter."""
    slope = w * sp.diff(balanced_attended, beta)
    change = N * w * balanced_attended - sp.diff(balanced_potential, beta) * slope
    return sp.simplify(change)


def _over_copies(quantity: Any) -> Any:
    """The average of ``quantity``, a function of m, over m = 1 + Binomial(N − 1, 1/K) at N = 7."""
    j = sp.Symbol("j", integer=True)
    chance = sp.binomial(6, j) * K**-j * (1 - 1 / K) ** (6 - j)
    return sp.summation(quantity.subs(m, 1 + j).subs(N, 7) * chance, (j, 0, 6))


def _copies_residual() -> Any:
    return sp.simplify(_over_copies(m) - (1 + 6 / K))


def _lean_residual() -> Any:
    """⟨n⟩ from the K/2 − 1 and K/2 labels of the items that are not the target."""
    lean = ((K / 2 - 1) - K / 2) / (K - 1)
    return sp.simplify(_over_copies((N - m) * lean) + 6 / K)


def _label_square_residual() -> Any:
    """⟨(m + n)²⟩, from the mean and the variance of the other labels: what N independent labels have."""
    lean = -1 / (K - 1)
    square = (m + (N - m) * lean) ** 2 + (N - m) * (1 - lean**2)
    return sp.simplify(_over_copies(square) - 7)


def _skew_residual() -> Any:
    """Item k's whole share of the clock, p_k ∫σ(−φ_k) dt with dφ_k/dt = K p_k r (1 + φ_k/p)^q σ(−φ_k), is I_K(∞)/K."""
    share, y, top = sp.symbols("p_k y varphi_k", positive=True)
    # ∫σ dt = ∫ dφ/(K p_k r (1 + φ/p)^q), with q = 4/3 of a three-layer network
    own = share * sp.integrate(1 / (K * share * r * (1 + y / p) ** sp.Rational(4, 3)), (y, 0, top))
    return sp.simplify(sp.limit(own, top, sp.oo) - (p / (r * sp.Rational(1, 3))) / K)


def _laplace_residual() -> Any:
    z, t = sp.symbols("Z t", positive=True)
    first = sp.integrate(sp.exp(-t * z), (t, 0, sp.oo)) - 1 / z
    second = sp.integrate(t * sp.exp(-t * z), (t, 0, sp.oo)) - 1 / z**2
    return abs(sp.simplify(first)) + abs(sp.simplify(second))


def lasting(rate: sp.Expr) -> sp.Expr:
    """t_loss for λ → 0 at r_K = rate, up to (1 + φ_c/p)^q: ∫ e^φ dφ/(g r_K) up to λ e^{φ_c} = Λ, its leading part."""
    g, rest, end, x = sp.symbols("g Lambda varphi_c x", positive=True)
    time = sp.integrate(sp.exp(x) / (g * rate), (x, 0, end)).subs(sp.exp(end), rest / decay)
    return sp.limit(sp.expand(time * decay), decay, 0) / decay


def _transience_residual() -> Any:
    """λ r_K t_loss has a limit: the integral near φ_c, with E[σ(−u)] = g e^{−φ} and λ e^{φ_c} = Λ, is Λ/(g r_K λ …)."""
    g, rest, end, x = sp.symbols("g Lambda varphi_c x", positive=True)
    slow = r * (1 + end / p) ** q  # varies on the scale p + φ_c ≫ 1, against 1 for the exponential
    time = sp.integrate(sp.exp(x) / (g * slow), (x, 0, end)).subs(sp.exp(end), rest / decay)
    return sp.limit(sp.simplify(time * decay * slow), decay, 0) - rest / g


def steps() -> tuple[Step, ...]:
    """The steps beyond K*: what becomes of ICL, and what other contexts change."""
    sigma, average = sp.Function("sigma"), sp.Function("E")
    a, u, weight_tracked = sp.symbols("a u w_{tr}")
    return (
        Step(
            "tracking",
            "Tracking",
            ("Acquired: e^β ≫ N, so a = 1.", "For the second law: weight decay λ on w, and margins φ ≫ 1."),
            "Without decay w and φ are driven by the same residual, which cancels: w − w(0) = I_K(φ), the memory's "
            "clock. With decay the drift c3 e^{−w} of w balances λ w. The ICL loss e^{−w} and the IWL loss c3 are "
            "tied: L_ICL L_IWL = λ w_tr.",
            (
                sp.Eq(sp.Derivative(w, phi), 1 / (r * (1 + phi / p) ** q)),
                sp.Eq(weight_tracked, sp.Function("W")(c3 / decay)),
            ),
            (
                Check("w − w(0) is the memory's clock", "identity", _cancel_residual),
                Check("w_tr = W(c3/λ) balances c3 e^{−w} = λ w", "50 digits", _lambert_residual, 1e-45),
                Check("L_ICL L_IWL = λ w_tr", "identity", _product_residual),
            ),
        ),
        Step(
            "transience",
            "Transience",
            (
                "Weight decay λ on w and β alike; the margin moves slowly, so (w, β) sit at a stable fixed point.",
                "The passage through the fold is immediate.",
            ),
            "The ICL branch of fixed points ends in a fold at φ_c. For φ ≫ 1 both equations hold λ and φ only as λ "
            "e^φ, so φ_c = ln(1/λ) + const(N). The memory advances at r_K (1 + φ/p)^q E[σ(−u)] with E[σ(−u)] ∝ "
            "e^{−φ}: most of the time passes near φ_c, and t_loss ∝ 1/(λ r_K) ∝ K^ν/λ, up to the logarithm in (1 + "
            "φ_c/p)^q.",
            (
                sp.Eq(average(sigma(-u) * a), decay * w),
                sp.Eq(w * average(sigma(-u) * sp.Derivative(a, beta)), decay * beta),
                sp.Eq(
                    sp.Symbol("t_{loss}"),
                    sp.Integral(
                        1 / (r * (1 + phi / p) ** q * average(sigma(-u))),
                        (phi, sp.Symbol("\\varphi_{acq}"), sp.Symbol("\\varphi_c")),
                    ),
                ),
            ),
            (
                Check("fixed points hold λ and φ as λ e^φ for φ ≫ 1", "limit", _fold_scaling_residual),
                Check("λ r_K (1 + φ_c/p)^q t_loss has a limit for λ → 0", "limit", _transience_residual),
            ),
        ),
        Step(
            "critical decay",
            "Critical decay",
            ("Early system with decay λ on w and β; λ′ = λ N/(m c1) is the decay per unit clock.",),
            "Fixed points have w = e^β/(κ + λ′) and e^{2β}/β = λ′(κ + λ′). The left side is least at β = 1/2, where "
            "it is 2e: below λ_c there is no fixed point and ICL grows; above it a stable one holds the network "
            "back for good.",
            (
                sp.Eq(sp.exp(2 * beta) / beta, sp.Symbol("\\lambda'") * (kappa + sp.Symbol("\\lambda'"))),
                sp.Eq(sp.Symbol("lambda_c"), m * c1 / N * critical_decay_clock),
            ),
            (Check("the fixed points, the minimum 2e and the root", "identity", _critical_residual),),
        ),
        Step(
            "balanced",
            "Balanced contexts",
            ("Exactly N/2 labels of each sign, so n = −m; D → ∞; φ = 0 for the eigenvalues.",),
            "a = m (e^β − 1)/Z vanishes at β = 0. The origin is a saddle with growth along w = β and decay along w "
            "= −β: for w0 = 0, β0 > 0 acquires and β0 < 0 drifts to w < 0, β < 0 for good. The fraction acquiring "
            "saturates at P(β0 > 0). One function of (w, β) is conserved whatever the memory does.",
            (
                sp.Eq(sp.MatrixSymbol("J", 2, 2), sp.Matrix([[0, m / (2 * N)], [m / (2 * N), 0]]), evaluate=False),
                sp.Eq(sp.Symbol("\\mathrm{const}"), N * w**2 / 2 - balanced_potential),
            ),
            (
                Check("fixed point, Jacobian and eigenvalues ± m/2N", "identity", _saddle_residual),
                Check("the conserved function", "identity", _potential_residual),
            ),
        ),
        Step(
            "data",
            "Repeated items and skewed frequencies",
            (
                "Items are drawn with replacement from K, half of them of each label; for skewed frequencies, item k "
                "with probability p_k ∝ k^{−α}.",
                "Skew: items are memorised independently of each other, item k at K p_k times the common rate.",
            ),
            "A context that holds one copy holds m = 1 + Binomial(N − 1, 1/K). The target is not among the other "
            "draws, so these lean against its label, ⟨n⟩ = −(⟨m⟩ − 1): at β = 0 repeats change neither the drive, "
            "⟨m + n⟩ = 1, nor the drag, ⟨(m + n)²⟩ = N. Early, dw/dτ = ⟨m⟩ e^β − (⟨m⟩ − 1) − κ w and dβ/dτ = ⟨m⟩ w "
            "e^β: β grows ⟨m⟩ times as fast, and for ⟨m⟩ ≫ 1 the drive is that of balanced contexts, e^β − 1. Under "
            "skewed frequencies an item gives the clock p_k ∫σ(−φ_k) dt in all, and p_k cancels: the clock's total "
            "is the same for every α, and skew only spreads it out in time. A measured total that changes with α "
            "shows items sharing what they learn.",
            (
                sp.Eq(sp.Symbol("{\\langle m \\rangle}"), 1 + (N - 1) / K),
                sp.Eq(sp.Symbol("{\\langle n \\rangle}"), -(N - 1) / K),
                sp.Eq(
                    sp.Symbol("p_k") * sp.Integral(sigma(-sp.Symbol("\\varphi_k")), (sp.Symbol("t"), 0, sp.oo)),
                    sp.Symbol("{I_K(\\infty)}") / K,
                ),
            ),
            (
                Check("⟨m⟩ = 1 + (N − 1)/K at N = 7", "identity", _copies_residual),
                Check("⟨n⟩ = −(N − 1)/K at N = 7", "identity", _lean_residual),
                Check("⟨(m + n)²⟩ = N at N = 7", "identity", _label_square_residual),
                Check("item k's share of the clock is I_K(∞)/K for any p_k", "limit", _skew_residual),
            ),
        ),
        Step(
            "rough",
            "Rough attention",
            ("Every score carries an independent ξ ~ N(0, σ_s²); D → ∞; i.i.d. labels.",),
            "The early system becomes dw/dτ = A(β) − κ w, dβ/dτ = w A′(β), with A = N⟨a_c⟩ and κ = (N c2/m)⟨(m "
            "a_c)² + s² Σ_{j≠c} a_j²⟩. 1/Z and 1/Z² as Laplace integrals factor the average over the N − m other "
            "scores into a power of the log-normal's transform ℒ(t) = ⟨e^{−t e^ξ}⟩, X = e^{β+ξ}.",
            (
                sp.Eq(
                    sp.Symbol("A"),
                    N
                    * sp.Integral(
                        average(sp.Symbol("X") * sp.exp(-sp.Symbol("t") * m * sp.Symbol("X")))
                        * sp.Function("\\mathcal{L}")(sp.Symbol("t")) ** (N - m),
                        (sp.Symbol("t"), 0, sp.oo),
                    ),
                ),
            ),
            (Check("1/Z = ∫ e^{−tZ} dt and 1/Z² = ∫ t e^{−tZ} dt", "identity", _laplace_residual),),
        ),
    )
