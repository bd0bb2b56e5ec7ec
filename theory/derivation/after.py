"""After acquisition: tracking, the branch under decay and its fold, the time of loss, the tie of the losses."""

from functools import cache
from typing import Any

import mpmath
import sympy as sp

from .step import Check, Step, Validity, eq
from .symbols import N, beta, c3, decay, m, nu, p, phi, q, r, w

tracked = sp.LambertW(c3 / decay)
#: The branch: a at β, w² there, and φ at (λ, β); with the label sum at its mean, and ρ = (N − m) e^{−β}/m.
rho = (N - m) * sp.exp(-beta) / m
share = 1 / (1 + rho)
branch_weight = sp.sqrt(beta * (1 + 1 / rho))
branch_margin = sp.log(share / (decay * branch_weight) - 1) - branch_weight * share
a, weight, start, acquired, end = sp.symbols("a w_b w_1 I_{acq} I_c", positive=True)


def lasting(rate: Any) -> Any:
    """t_loss for λ → 0 at r_K = rate, over a mean weight w̄: all of the clock, I_K(∞) = p/((q − 1) r_K), over λ w̄."""
    return p / ((q - 1) * rate * decay * sp.Symbol("wbar", positive=True))


def _grown_residual(statement: Any) -> Any:
    """dw = c dt and dφ = r (1 + φ/p)^q c dt share the residual c; no growth at φ = φ_1."""
    return sp.diff(statement, phi) - 1 / (r * (1 + phi / p) ** q) + statement.subs(phi, since)


since = sp.Symbol("varphi_1", positive=True)
grown = p / (r * (q - 1)) * ((1 + since / p) ** (1 - q) - (1 + phi / p) ** (1 - q))


def _square_residual(statement: Any) -> Any:
    """d(w²/2)/dI = w a along dw/dI = a, dβ/dI = w a (1 − a), from β_1: the statement is (w² − w_1²)/2."""
    return sp.diff(statement, beta) * w * share * (1 - share) - w * share + statement.subs(beta, beta_1)


beta_1 = sp.Symbol("beta_1", real=True)
half_square = beta - beta_1 + m * (sp.exp(beta) - sp.exp(beta_1)) / (N - m)


def _lambert_residual(statement: Any) -> Any:
    """c3 e^{−w} − λ w, relative, over twenty decades of c3/λ."""
    with mpmath.workdps(50):
        solution = sp.lambdify((c3, decay), statement, "mpmath")
        worst = mpmath.mpf(0)
        for power in range(-4, 17, 4):
            known = mpmath.mpf(3)
            clock = solution(known, known / mpmath.mpf(10) ** power)
            worst = max(worst, abs(known * mpmath.exp(-clock) / (known / mpmath.mpf(10) ** power * clock) - 1))
        return worst


def _share_residual(statement: Any) -> Any:
    """a of the logit at n = 0."""
    return m * sp.exp(beta) / (m * sp.exp(beta) + N - m) - statement


def _branch_residual(statement: Any) -> Any:
    """σ a = λ w and w σ a′ = λ β, divided: w² a′/a = β, with a′ = da/dβ of the logit at n = 0."""
    slope = sp.diff(share, beta) / share
    return statement * slope - beta


def _margin_residual(statement: Any) -> Any:
    """σ(−φ − w a) at the statement's φ over λ w/a, at any w and a."""
    return a / ((1 + sp.exp(statement) * sp.exp(weight * a)) * decay * weight) - 1


margin_at = sp.log(a / (decay * weight) - 1) - weight * a


def _small_decay_residual(statement: Any, at: Any) -> Any:
    """φ − ln(1/λ) on the branch as λ → ``at``."""
    return _small_decay(at) - statement


@cache
def _small_decay(at: Any) -> Any:
    inside = sp.limit(decay * (a / (decay * weight) - 1), decay, at)
    return sp.log(inside) - weight * a


fold_function = sp.log(a / weight) - weight * a
#: −dφ/dβ along the branch, from w′/w = (1/β + a)/2 and a′ = a(1 − a).
fold_condition = (1 - share - (1 / beta + share) / 2) * share / (decay * branch_weight) / (
    share / (decay * branch_weight) - 1
) - branch_weight * share * (1 - share + (1 / beta + share) / 2)


_BRANCH_SLOPE = sp.diff(branch_margin, beta)


def _condition_residual(statement: Any) -> Any:
    return _BRANCH_SLOPE - statement


def _time_residual(statement: Any) -> Any:
    """dI = E[σ] dt with E[σ] = σ(−φ − w a) at the branch's φ."""
    residual = 1 / (1 + sp.exp(margin_at) * sp.exp(weight * a))
    return 1 / residual / statement - 1


def _clock_slope_residual(statement: Any) -> Any:
    """d ln t_loss/d ln K of (I_c − I_acq)/(λ w̄), I_c ∝ K^ν, I_acq and w̄ fixed."""
    K = sp.Symbol("K", positive=True)
    scale = sp.Symbol("g", positive=True)
    last = (scale * K**nu - acquired) / decay
    return K * sp.diff(sp.log(last), K) - statement.subs(end, scale * K**nu)


def _losses_residual(statement: Any, at: Any) -> Any:
    """e^{−φ} e^{−w a}, the product of the losses, at the branch's φ, over the statement, as λ → ``at``."""
    product = sp.simplify(sp.exp(-margin_at) * sp.exp(-weight * a))
    return sp.limit(sp.simplify(product / statement), decay, at) - 1


def steps() -> tuple[Step, ...]:
    """The steps on what becomes of ICL."""
    return (
        _tracking_step(),
        _branch_step(),
        _fold_step(),
        _loss_step(),
        _losses_step(),
    )


def _tracking_step() -> Step:
    clock, first = sp.Function("I_K"), sp.Symbol("varphi_1")
    return Step(
        "tracking",
        "Tracking",
        (
            "Acquired, no decay; for the first law a = 1 from φ_1 on.",
            "For the second, the label sum at its mean; for the third, decay λ on w, a = 1 and φ ≫ 1.",
        ),
        (
            "w and φ are driven by the same residual, which cancels: dw/dφ = a/(r_K (1 + φ/p)^q), and dI_K = dφ/(r_K "
            "(1 + φ/p)^q) is the memory's own clock at its margin. Once a = 1,",
            eq(w - start, clock(phi) - clock(first)),
            "counted from φ_1 on and not from φ = 0: before acquisition I_K runs and w hardly does. At acquisition a "
            "is only 0.14 (N = 100), so that even from there on the law is too large, by ∫(1/a − 1) dw. With a "
            "followed, dw/dI = a and dβ/dI = w a (1 − a) have w² as a function of β,",
            eq((w**2 - start**2) / 2, half_square),
            "and I − I_1 = ∫ dβ/(w a (1 − a)): at K = 1000 (t = 1e7) w = 14.14, this 14.18, a = 1 from acquisition "
            "on 18.05, and I_K itself 156. With decay the drift c3 e^{−w} of w balances λ w:",
            eq(sp.Symbol("w_{tr}"), sp.Function("W")(c3 / decay)),
        ),
        (
            Check("w − w_1 is the memory's clock since φ_1", "identity", grown, _grown_residual),
            Check("w² along dw/dI = a, dβ/dI = w a (1 − a)", "identity", half_square, _square_residual),
            Check("w_tr = W(c3/λ) balances c3 e^{−w} = λ w", "50 digits", tracked, _lambert_residual, 1e-45),
        ),
        Validity("w² − w_1² = 2(β − β_1) + 2m(e^β − e^{β_1})/(N − m)",
                 "from acquisition on, N = 50 … 400, K = 400 … 1e4",
                 "1.5 % of w; a = 1 from acquisition: 30 %. w_tr: w 6 % higher on the branch (λ = 1e-6, φ = 3)",
                 ("weight_after_acquisition", "conserved_weight", "tracking_weight")),
    )  # fmt: skip


def _branch_step() -> Step:
    sigma, average, u = sp.Function("sigma"), sp.Function("E"), sp.Symbol("u")
    a_symbol = sp.Symbol("a")
    return Step(
        "branch",
        "The branch of ICL under decay",
        (
            "Weight decay λ on w and β alike; the margin moves slowly, so (w, β) sit at a stable fixed point.",
            "The label sum at its mean, n = 0; one margin.",
        ),
        (
            "The fixed points of the averaged flow balance its drive against decay,",
            eq(average(sigma(-u) * a_symbol), decay * w),
            eq(w * average(sigma(-u) * sp.Derivative(a_symbol, beta)), decay * beta),
            "At n = 0 there is one a, a = 1/(1 + ρ) with ρ = (N − m) e^{−β}/m, and da/dβ = a(1 − a). Then both "
            "averages hold the same residual σ(−u). **Dividing** the second balance by the first removes it, and λ "
            "with it:",
            eq(w**2 * (1 - a_symbol), beta),
            "so the branch is one curve in (w, β), the same for every λ and φ. **The first balance** alone then "
            "fixes the residual, and says where on the curve the network sits:",
            eq(sigma(-u), decay * w / a_symbol),
            eq(phi, sp.log(a_symbol / (decay * w) - 1) - w * a_symbol),
        ),
        (
            Check("a = 1/(1 + ρ)", "identity", share, _share_residual),
            Check("w² = β/(1 − a) = β(1 + 1/ρ)", "identity", branch_weight**2, _branch_residual),
            Check("σ(−u) = λ w/a at φ = ln[a/(λw) − 1] − w a", "identity", margin_at, _margin_residual),
        ),
        Validity("w²(1 − a) = β, E[σ(−u)] = λw/a", "N = 100, λ = 1e-4, 1 < φ < φ_c − 0.1", "4 % in E[σ(−u)]",
                 ("branch_point", "branch_margin", "fixed_points")),
    )  # fmt: skip


def _fold_step() -> Step:
    a_symbol = sp.Symbol("a")
    return Step(
        "fold",
        "The fold",
        ("As for the branch; for the constant λ ≪ 1, i.e. φ_c ≫ 1.",),
        (
            "Along the stable branch, from β = ∞ downwards, φ rises to a greatest value φ_c and falls again: where "
            "dφ/dβ = 0 the fixed point with ICL meets a saddle, and beyond φ_c there is none. For small λ the −1 is "
            "left out, and λ only shifts φ by ln(1/λ):",
            eq(sp.Symbol("\\varphi_c") - sp.log(1 / decay),
                  sp.Function("max_\\rho")(sp.log(a_symbol / w) - w * a_symbol)),
            "Its right side depends on N/m alone, and is −2.52, −2.69, −3.10, −3.59 at N/m = 50, 100, 1000, 1e5: it "
            "falls like −ln ln N. With w′/w = (1/β + a)/2 and a′ = a(1 − a) the derivative along the branch is "
            "elementary,",
            eq(sp.Derivative(phi - sp.log(1 / decay), beta),
                  1 - a_symbol - (1 / beta + a_symbol) / 2 - w * a_symbol * (1 - a_symbol + (1 / beta + a_symbol) / 2)),
            "and at its zero a = 0.23, w = 2.1, β = 3.4 (N = 100): ICL is lost while attention still rests on the "
            "others.",
        ),
        (
            Check("φ − ln(1/λ) → ln(a/w) − w a for λ → 0", "limit", fold_function, _small_decay_residual,
                  at=sp.Integer(0), elsewhere=(sp.Rational(1, 3),)),
            Check("dφ/dβ along the branch", "identity", fold_condition, _condition_residual),
            Check("N and m enter as N/m", "identity", (rho, branch_weight), _only_ratio_residual),
        ),
        Validity("φ_c = ln(1/λ) + max_ρ[ln(a/w) − wa]", "N/m = 15 … 1e4, λ = 1e-9 … 1e-2",
                 "0.022 in φ_c (0.011 at N = 100), 0.01 of it from φ_c ≫ 1 at λ = 1e-3", ("fold_margin", "fold")),
    )  # fmt: skip


def _only_ratio_residual(statement: Any) -> Any:
    """ρ and w from their definitions at (3N, 3m), as at (N, m)."""
    scaled = {N: 3 * N, m: 3 * m}
    derivation = ((N - m) * sp.exp(-beta) / m, sp.sqrt(beta / (1 - share)))
    return sum(
        (derived - stated) ** 2 + (derived.subs(scaled, simultaneous=True) - derived) ** 2
        for derived, stated in zip(derivation, statement, strict=True)
    )


def _loss_step() -> Step:
    clock, mean = sp.Symbol("I"), sp.Symbol("{\\bar w}")
    a_symbol, last, first = sp.Symbol("a"), sp.Symbol("I_c"), sp.Symbol("I_{acq}")
    return Step(
        "time of loss",
        "Time of loss",
        ("As for the branch.", "The passage through the fold is immediate: it delays the equations."),
        (
            "The memory's own clock at its margin grows by dI = dφ/(r_K (1 + φ/p)^q) = E[σ(−u)] dt. On the branch "
            "the residual is λ w/a, **whatever φ**: it does not fall like e^{−φ} (8.8e-4 … 6.7e-4 for φ = 0 … 6.3 at "
            "λ = 1e-4), because decay holds w where the residual can just feed it. Hence",
            eq(sp.Symbol("t_{loss}"),
                  sp.Integral(a_symbol / w, (clock, first, last)) / decay),
            eq(sp.Symbol("t_{loss}"), (last - first) / (decay * mean)),
            "ICL lasts as long as the memory has clock left, I_c = I_K(φ_c), over a mean weight w̄ of 6.6, 7.5, 9.9, "
            "12.7 at λ = 1e-3, 1e-4, 1e-6, 1e-8 (N = 100, p = 1). At a fixed margin of acquisition every I is "
            "proportional to 1/r_K, and t_loss ∝ K^ν exactly. λ r_K t_loss is **no invariant**: with λ, I_c grows to "
            "I_K(∞) and w̄ like ln(1/λ), and it goes through a maximum, 0.194, 0.196, 0.171, 0.144, 0.124 at λ = "
            "1e-3, 1e-4, 1e-6, 1e-8, 1e-10. In K, from acquisition at a fixed I*,",
            eq(sp.Symbol("{d\\ln t_{loss}}") / sp.Symbol("{d\\ln K}"), nu * last / (last - first)),
            "is steeper than ν, as I_c − I* vanishes at a finite K.",
        ),
        (
            Check("dt/dI = a/(λ w)", "identity", a / (decay * weight), _time_residual),
            Check("d ln t_loss/d ln K = ν I_c/(I_c − I_acq) at fixed w̄", "identity", nu * end / (end - acquired),
                  _clock_slope_residual),
        ),
        Validity("t_loss = (1/λ)∫(a/w)dI = (I_c − I_acq)/(λw̄)", "N = 15 … 1e4, λ = 1e-9 … 1e-2, from φ_acq = 0",
                 "0.7 % of the branch's integral (4 % from φ_acq = 2); the integral is within 2 % of the coupled "
                 "equations at K = 8000, 7 % at K = 1000", ("mean_transience_time", "transience_time")),
    )  # fmt: skip


def _losses_step() -> Step:
    icl, iwl = sp.Symbol("L_{ICL}"), sp.Symbol("L_{IWL}")
    return Step(
        "losses",
        "What ties the two losses",
        ("As for the branch, φ ≫ 1: L_IWL = ln(1 + e^{−φ}) → e^{−φ} and L_ICL → e^{−w a}.",),
        (
            "For φ ≫ 1 the residual σ(−φ − w a) is e^{−φ} e^{−w a}, the product of the losses, and the branch fixes "
            "it:",
            eq(icl * iwl, decay * w / sp.Symbol("a")),
            "For a → 1, w → W(c3/λ) this would be λ w_tr, which is 1.2 to 2.2 times smaller on the branch at λ = "
            "1e-4 … 1e-3: the branch keeps 1 − a = β/w², and exponentials of w see it.",
        ),
        (
            Check("e^{−φ} e^{−w a} → λ w/a for λ → 0", "limit", decay * weight / a, _losses_residual,
                  at=sp.Integer(0), elsewhere=(sp.Rational(1, 3),),
                  also_wrong={"a = 1": decay * weight}),
        ),
        Validity("L_ICL L_IWL = λw/a", "N = 100, λ = 1e-4 … 1e-3, 1 < φ < φ_c − 0.7",
                 "2 to 14 % too large (28 % at φ = 0.5)", ("loss_product",)),
    )  # fmt: skip
