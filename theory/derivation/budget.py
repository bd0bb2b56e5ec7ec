"""The race at a finite budget: K*(T) and its slopes, t_ICL at finite K, and steps with momentum."""

from functools import cache
from typing import Any

import mpmath
import sympy as sp

from .step import Check, Step, Validity, eq
from .symbols import K, beta, mills, nu, p, phi, q, r, w

time, share, delta, rate, momentum = sp.symbols("T x delta eta mu", positive=True)
star, reading, small, k_star = sp.symbols("K_star I varphi_T K^*", positive=True)
#: The share of the clock that is read at margin φ, and time per margin in units of 1/r_K.
read = 1 - (1 + phi / p) ** (1 - q)
dwell = (1 + sp.exp(phi)) / (1 + phi / p) ** q
#: K*(T)/K*(∞) at the margin φ_T; d ln I/d ln K at fixed T; t_ICL at finite K over I*; φ near K*.
ratio_at_budget = (1 - (1 + small / p) ** (1 - q)) ** (-1 / nu)
slope_at_budget = nu * (1 - sp.Symbol("c_1", positive=True) * time / reading)
delay = 2 * (1 + p * share / (4 * (q - 1)))
margin_at_share = p * ((1 - share) ** (-1 / (q - 1)) - 1)
near = p * (nu * delta) ** (-1 / (q - 1))


def _budget_residual(statement: Any) -> Any:
    """∫ dI/c1 over the clock against the statement's ∫ over the margin, L = 3, at 50 digits."""
    with mpmath.workdps(50):
        values = {r: sp.Rational(1, 100), p: sp.Rational(13, 10), q: sp.Rational(4, 3)}
        integrand = sp.lambdify(phi, statement.subs(values), "mpmath")
        end = mpmath.mpf(4)
        return mpmath.quad(integrand, [0, end / 2, end]) / _time_by_clock() - 1  # pyright: ignore[reportOperatorIssue]


@cache
def _time_by_clock() -> Any:
    with mpmath.workdps(50):
        rate, scale, end = mpmath.mpf("0.01"), mpmath.mpf("1.3"), mpmath.mpf(4)
        q = mpmath.mpf(4) / 3
        total = scale / (rate * (q - 1))
        margin = lambda i: scale * ((1 - i / total) ** (-1 / (q - 1)) - 1)  # noqa: E731
        clock_end = total * (1 - (1 + end / scale) ** (1 - q))
        return mpmath.quad(lambda i: 1 + mpmath.exp(margin(i)), [0, clock_end / 2, clock_end])


def _slope_residual(statement: Any) -> Any:
    """I = I_K(∞) g(φ) and T = I_K(∞) (q − 1) H(φ)/p at fixed T, I_K(∞) ∝ K^ν: dφ = −(H/H′) d ln I_K(∞)."""
    total, elapsed = sp.symbols("I_infty H", positive=True)
    derived = nu * (1 - sp.diff(read, phi) / read * elapsed / dwell)
    values = {
        sp.Symbol("c_1", positive=True): 1 / (1 + sp.exp(phi)),
        time: total * (q - 1) / p * elapsed,
        reading: total * read,
    }
    return derived - statement.subs(values, simultaneous=True)


def _end_residual(statement: Any, at: Any) -> Any:
    """H(φ) = ∫(1 + e^φ)/(1 + φ/p)^q over e^φ/(1 + φ/p)^q for φ → ∞, by l'Hôpital's rule, q = 4/3."""
    return _end(at) - statement


@cache
def _end(at: Any) -> Any:
    x = sp.Symbol("x", positive=True)
    q3 = {q: sp.Rational(4, 3), p: 1, phi: x}
    closed = sp.exp(phi) / (1 + phi / p) ** q
    return sp.limit(sp.simplify(dwell.subs(q3) / sp.diff(closed, phi).subs(q3)), x, at)


def _ratio_residual(statement: Any) -> Any:
    """A K^ν g(φ_T) = A K*^ν, K = K* × the statement."""
    positive = sp.Symbol("g", positive=True)
    known = statement.subs(read.subs(phi, small), positive)
    left = read.subs(phi, small) if known == statement else positive
    return sp.powsimp((known * k_star) ** nu * left / k_star**nu, force=True) - 1


def _delay_residual(statement: Any) -> Any:
    """(1/I) ∫_0^I (1 + e^{φ(I)}) dI to first order in x = I/I_K(∞), φ = p[(1 − x)^{−1/(q−1)} − 1]."""
    first = sp.diff(sp.exp(margin_at_share), share).subs(share, 0)  # 1 + e^φ = 2 + first·x
    derived = 2 + first * share / 2
    return derived - statement


def _margin_residual(statement: Any) -> Any:
    """1 − (1 + φ/p)^{1−q} = x at that φ; q = 2, where there are no roots, and its value at q = 3/2, x = 1/2: 3p."""
    value = statement.subs({q: sp.Rational(3, 2), share: sp.Rational(1, 2)}) - 3 * p
    return (read.subs({q: 2, phi: statement.subs(q, 2)}) - share) ** 2 + value**2


def _near_residual(statement: Any, at: Any) -> Any:
    """φ* at K = K*(1 + δ), p[(1 − (1 + δ)^{−ν})^{−1/(q−1)} − 1], over the statement, for δ → 0; q = 4/3, ν = 7/10."""
    values = {q: sp.Rational(4, 3), nu: sp.Rational(7, 10), p: 2}
    margin = (p * ((1 - (1 + delta) ** -nu) ** (-1 / (q - 1)) - 1)).subs(values)
    return sp.limit(margin / statement.subs(values), delta, at) - 1


def _constant_gradient_residual(statement: Any, at: Any) -> Any:
    """η n/(1 − μ) − η Σ_{k<=n} (1 − μ^k)/(1 − μ): how far n heavy-ball steps under g = 1 lag, n → ``at``."""
    n = sp.Symbol("n", positive=True, integer=True)
    lag = rate * n / (1 - momentum) - rate * (n - momentum * (1 - momentum**n) / (1 - momentum)) / (1 - momentum)
    gone = {momentum**n: 0} if at == sp.oo else {n: at}
    return sp.simplify(lag.subs(gone)) - statement


def _lag_residual(statement: Any) -> Any:
    """−∇τ*·dg/dτ for τ* = M(w) e^{−β} and g = (e^β, w e^β)."""
    left = mills(w) * sp.exp(-beta)
    g = (sp.exp(beta), w * sp.exp(beta))
    change = [sp.diff(drift, w) * g[0] + sp.diff(drift, beta) * g[1] for drift in g]
    return -(sp.diff(left, w) * change[0] + sp.diff(left, beta) * change[1]) - statement


def steps() -> tuple[Step, ...]:
    """The steps on budgets, finite K and momentum."""
    return (_budget_step(), _slopes_step(), _delay_step(), _momentum_step())


def _budget_step() -> Step:
    end, q_symbol = sp.Symbol("\\varphi^*"), sp.Symbol("q")
    return Step(
        "budget",
        "Threshold at a budget",
        ("Training stops at time T.", "As for the threshold, but for its first assumption."),
        (
            "ICL is acquired by T iff I_K(T) >= I*. Along the margin,",
            eq(time, sp.Integral((1 + sp.exp(phi)) / (r * (1 + phi / p) ** q_symbol), (phi, 0, end))),
            "Close to K*, I* asks for the margin (1 + φ/p)^{1−q} = 1 − I*/I_K(∞), hence for times of order e^φ. Its "
            "integral is e^φ/(r_K (1 + φ/p)^q) to leading order, so that a budget T reads the clock up to φ_T, with",
            eq(sp.exp(small), time * r * (1 + small / p) ** q_symbol),
            eq(sp.Symbol("{K^*(T)}") / sp.Symbol("K^*"), ratio_at_budget.subs(q, q_symbol)),
            "K*(T) nears K* more slowly than 1/ln T: at N = 100, β0 = 0, A = 3.9, ν = 0.7, p = 1, L = 3, K*(1e6) is "
            "2.16 K*. Just above K*, at K = K*(1 + δ), ln t_ICL = φ* − q ln(1 + φ*/p) − ln r_K, whose leading term "
            "for δ → 0 is",
            eq(sp.log(sp.Symbol("t_{ICL}")), near.subs(q, q_symbol)),
        ),
        (
            Check("time along the clock equals time along the margin", "50 digits",
                  (1 + sp.exp(phi)) / (r * (1 + phi / p) ** q), _budget_residual, 1e-30),
            Check("r_K T (1 + φ_T/p)^q e^{−φ_T} → 1 for φ_T → ∞", "limit", sp.Integer(1), _end_residual,
                  at=sp.oo, elsewhere=(sp.Integer(1),), also_wrong={"twice the time": sp.Integer(2)}),
            Check("A K^ν g(φ_T) = I* is solved by K*(T)", "identity", ratio_at_budget, _ratio_residual),
            Check("φ* near K* → p[ν δ]^{−1/(q−1)}", "limit", near, _near_residual,
                  at=sp.Integer(0), elsewhere=(sp.Integer(1),)),
        ),
        Validity("K*(T)/K* = [1 − (1 + φ_T/p)^{1−q}]^{−1/ν}", "T = 1e4 … 1e6, N = 100, β0 = 0 (t_ICL(K → ∞) = 277)",
                 "1.6 % at 1e4, 0.3 % at 1e6; 10 % at 1e3. Near K*: ln t 2.5 % low at δ = 0.01, 22 % at 0.1",
                 ("threshold", "time_of_clock")),
    )  # fmt: skip


def _slopes_step() -> Step:
    inverse, sigma = sp.Symbol("I^*"), sp.Symbol("sigma_beta")
    return Step(
        "slopes",
        "Exponents and width at a budget",
        ("As above; any L and p.",),
        (
            "Write I_K = I_K(∞) g(φ) and T = I_K(∞) (q − 1) H(φ)/p. At fixed T a larger I_K(∞) costs margin, dφ = "
            "−(H/H′) d ln I_K(∞), so that d ln I_K/d ln I_K(∞) = 1 − g′H/(gH′); as dI_K = c1 dt, that is 1 − c1(T) "
            "T/I_K. Inverted at I_K = I*,",
            eq(sp.Symbol("{d\\ln K^*(T)}") / sp.Symbol("{d\\ln I^*}"),
                  1 / (nu * (1 - sp.Symbol("{c_1(T)}") * time / inverse))),
            "which falls to 1/ν for T → ∞ and grows without bound as T → 2I* = t_ICL(K → ∞): 2.08, 1.73, 1.50 at T = "
            "600, 1e3, 1e4 (ν = 0.7, I* = 138.5). N, β0 and m act through I* alone, and their exponents are those of "
            "I* times this; A and ρ act through I_K(∞) alone, and keep −1/ν and 1/ν at any T. Of two seeds that "
            "differ in β0 the thresholds differ by as much, so the transition has the width",
            eq(sp.Symbol("\\sigma_{\\ln K}"), sigma * sp.Abs(sp.Symbol("{d\\ln\\tau^*}") / sp.Symbol("{d\\beta_0}"))
                  * sp.Symbol("{d\\ln K^*(T)}") / sp.Symbol("{d\\ln I^*}")),
        ),
        (Check("d ln I_K/d ln K at fixed T = ν [1 − c1 T/I]", "identity", slope_at_budget, _slope_residual),),
        Validity("d ln K*/d ln I* = 1/(ν[1 − c1(T)T/I*])", "T > 2I*, any p, L",
                 "1e-5 against differences of K*(T), the differences' own", ("threshold_slopes",)),
    )  # fmt: skip


def _delay_step() -> Step:
    return Step(
        "finite K",
        "Acquisition time at finite K",
        ("K > K*, and little is memorised when ICL is acquired: I* ≪ I_K(∞).", "No repeated items."),
        (
            "t_ICL = ∫ dI/c1 up to I*, with 1/c1 = 1 + e^φ = 2 + φ + … and φ = p[(1 − I/I_K(∞))^{−1/(q−1)} − 1] = p "
            "I/((q − 1) I_K(∞)) + …; as I*/I_K(∞) = (K*/K)^ν, ICL comes later than at K → ∞ by",
            eq(sp.Symbol("t_{ICL}"), 2 * sp.Symbol("I^*")
                  * (1 + p / (4 * (sp.Symbol("q") - 1)) * (sp.Symbol("K^*") / K) ** nu)),
        ),
        (
            Check("∫(1 + e^φ) dI to first order", "series", delay, _delay_residual),
            Check("φ at the reading I = x I_K(∞)", "identity", margin_at_share, _margin_residual),
        ),
        Validity("t_ICL = 2I*[1 + p(K*/K)^ν/(4(q − 1))]", "(K*/K)^ν <= 1/15 (p = 1, L = 3)",
                 "1 %: 288.8 for 290.6 of the integral and 291.8 of the coupled equations (K = 1e4); 24 % at K = 1000",
                 ("delayed_time", "time_of_clock")),
    )  # fmt: skip


def _momentum_step() -> Step:
    return Step(
        "momentum",
        "Momentum",
        ("Heavy-ball steps of rate η and momentum μ, from rest; ε = ημ/(1 − μ)² short against the time of acquisition.",
         "K → ∞; the early system, to 95 % accuracy."),
        (
            "Steps follow θ̇ = g − ε dg/dt in the time η·steps/(1 − μ), from a start that lags by ε g. A constant "
            "gradient lags by ε, the geometric series of the first steps:",
            eq(sp.Symbol("epsilon"), rate * momentum / (1 - momentum) ** 2),
            "The time left, τ*, falls at rate 1 along g: ∇τ*·g = −1. So the start's lag adds ε, and ε dg/dt adds −ε "
            "∇τ*·(dg/dτ) per unit clock, without drag e^β (w + M(w)). With dτ = dβ/(w e^β) and dβ = w dw both parts "
            "integrate:",
            eq(rate * sp.Symbol("steps") / (1 - momentum) - sp.Symbol("t_{ICL}"),
                  sp.Symbol("epsilon") * (1 + sp.Symbol("beta_e") - sp.Symbol("beta_0")
                                          + sp.Integral(sp.Function("M")(sp.Symbol("y")),
                                                        (sp.Symbol("y"), sp.Symbol("w_0"), sp.Symbol("w_e"))))),
            "The factor is 1 + ln of the growth of the speed, near 5: it grows like ln N and is no constant. With "
            "drag the same integral is done along the exact path.",
        ),
        (
            Check("a constant gradient lags by ημ/(1 − μ)²", "limit", rate * momentum / (1 - momentum) ** 2,
                  _constant_gradient_residual, at=sp.oo, elsewhere=(sp.Integer(2),)),
            Check("−∇τ*·dg/dτ = e^β (w + M(w)) without drag", "identity", sp.exp(beta) * (w + mills(w)), _lag_residual),
        ),
        Validity("η·steps/(1 − μ) = t_ICL + d ημ/(1 − μ)²", "N = 25 … 400, β0 = −1 … 1, ε <= 4.5",
                 "d = 5.3 at N = 100, β0 = 0, for 4.8 at ε = 0.4 and 4.3 at ε = 4.5; high by 4 to 17 % at ε → 0",
                 ("momentum_delay",)),
    )  # fmt: skip
