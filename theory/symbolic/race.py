"""From the averaged flow to the clock at acquisition: early system, its exact solution, and the limits of that."""

from typing import Any

import mpmath
import sympy as sp

from .flow import match
from .step import Check, Step
from .symbols import N, beta, beta0, c2, kappa, m, mills, n, normal_cdf, s, w, w0

#: τ*(β, w; κ), the time left to blow-up, and F(b, w0) = κ τ* with b = β − ln κ.
clock = sp.log(1 + kappa * sp.exp(-beta) * mills(w - kappa * sp.exp(-beta))) / kappa
b = sp.Symbol("b", real=True)
crossover = sp.log(1 + sp.exp(-b) * mills(w0 - sp.exp(-b)))
#: F e^b for b → +∞ and F e^{2b} for b → −∞ (w0 = 0), and with them τ* in either branch.
upper_limit, lower_limit = sp.sqrt(sp.pi / 2), sp.Rational(1, 2)
clock_free = sp.simplify((upper_limit * sp.exp(-b) / kappa).subs(b, beta0 - sp.log(kappa)))
clock_drag = sp.simplify((lower_limit * sp.exp(-2 * b) / kappa).subs(b, beta0 - sp.log(kappa)))
#: The early system in the clock: dw/dτ and dβ/dτ.
drift_w, drift_beta = sp.exp(beta) - kappa * w, w * sp.exp(beta)
#: d ln F/db at w0 = 0, minus the local exponent of the acquisition time.
slope = sp.diff(crossover, b) / crossover


def _early_residuals() -> tuple[sp.Expr, sp.Expr]:
    """The flow per unit clock, to first order in w a: σ(−φ − x) = σ − σ(1 − σ) x, averaged over n, N → ∞."""
    sig = sp.Symbol("sigma_phi", positive=True)
    total = m * match + N - m
    a = (m * match + n) / total
    residual = sig - sig * (1 - sig) * w * a
    average = lambda e: sp.expand(e).coeff(n, 0) + s**2 * (N - m) * sp.expand(e).coeff(n, 2)  # noqa: E731
    rate_w = average(sp.expand(residual * a * N / (m * sig)))
    rate_beta = average(sp.expand(residual * w * m * match * (N - m - n) / total**2 * N / (m * sig)))
    drag = s**2 * (1 - sig) / m
    return (
        sp.limit(rate_w, N, sp.oo) - (match - drag * w),
        sp.limit(rate_beta, N, sp.oo) - w * match,
    )


def _conserved_residual() -> Any:
    """C = e^{β − Y²/2} − κ √(2π) Φ(Y), Y = w − κ e^{−β}, along the flow."""
    y = w - kappa * sp.exp(-beta)
    constant = sp.exp(beta - y**2 / 2) - kappa * sp.sqrt(2 * sp.pi) * normal_cdf(y)
    return sp.simplify(sp.diff(constant, w) * drift_w + sp.diff(constant, beta) * drift_beta)


def _linear_residual() -> Any:
    """With v = κ e^{−β}, X = v − w, the reciprocal 1/v obeys d(1/v)/dX = X/v − 1."""
    v, x = kappa * sp.exp(-beta), kappa * sp.exp(-beta) - w
    rate = lambda f: sp.diff(f, w) * drift_w + sp.diff(f, beta) * drift_beta  # noqa: E731
    return sp.simplify(rate(1 / v) / rate(x) - (x / v - 1))


def _clock_residual() -> Any:
    """The time left falls at rate 1 along the flow: (dw/dτ) ∂τ*/∂w + (dβ/dτ) ∂τ*/∂β = −1."""
    return sp.simplify(sp.diff(clock, w) * drift_w + sp.diff(clock, beta) * drift_beta + 1)


def _scaling_residual() -> Any:
    scaled = crossover.subs({b: beta - sp.log(kappa), w0: w}) / kappa
    return sp.simplify(scaled - clock)


def _mills_residual() -> Any:
    small = sp.Symbol("M", positive=True)  # ln(1 + κ e^{−β} M)/κ as κ → 0, M the Mills ratio at its limit
    limit = sp.limit(sp.log(1 + kappa * sp.exp(-beta0) * small) / kappa, kappa, 0)
    return limit - small * sp.exp(-beta0)


def _mills_direct_residual() -> Any:
    """κ = 0: w² − 2β is conserved, so that τ* = ∫_{w0}^∞ e^{−β0 − (y² − w0²)/2} dy."""
    y = sp.Symbol("y", real=True)
    integral = sp.integrate(sp.exp(-beta0 - (y**2 - w0**2) / 2), (y, w0, sp.oo))
    return sp.simplify((integral - mills(w0) * sp.exp(-beta0)).rewrite(sp.erfc))


def _upper_limit_residual() -> Any:
    v = sp.Symbol("v", positive=True)  # v = e^{−b} → 0
    return sp.limit(crossover.subs(w0, 0).subs(sp.exp(-b), v) / v, v, 0) - upper_limit


def _lower_limit_residual() -> Any:
    """v = e^{−b} → ∞: erfc(−v/√2) → 2, so F → ln(√(2π) v) + v²/2, whose leading term is e^{−2b}/2."""
    v = sp.Symbol("v", positive=True)
    deep = v**2 / 2 + sp.log(sp.sqrt(2 * sp.pi) * v)
    return sp.limit(deep / v**2, v, sp.oo) - lower_limit


def _lower_remainder() -> Any:
    """The two terms of the lower limit against the whole, at b = −4, where erfc's correction is e^{−1490}."""
    with mpmath.workdps(50):
        v = mpmath.exp(4)
        whole = mpmath.log1p(v * mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(v**2 / 2) * mpmath.erfc(-v / mpmath.sqrt(2)))
        return whole - (v**2 / 2 + mpmath.log(mpmath.sqrt(2 * mpmath.pi) * v))


def integrated_clock(beta0: float, w0: float, drag: float) -> Any:
    """τ* by integrating dτ = e^{−β(Y)} dY numerically at 50 digits, β(Y) from the conserved C: no logarithm assumed."""
    with mpmath.workdps(50):
        k, start_beta, start_w = mpmath.mpf(drag), mpmath.mpf(beta0), mpmath.mpf(w0)
        start = start_w - k * mpmath.exp(-start_beta)
        root = mpmath.sqrt(2 * mpmath.pi)
        constant = mpmath.exp(start_beta - start**2 / 2) - k * root * mpmath.ncdf(start)
        integrand = lambda y: mpmath.exp(-(y**2) / 2) / (constant + k * root * mpmath.ncdf(y))  # noqa: E731
        return mpmath.quad(integrand, [start, start + 1, start + 3, start + 8, start + 30, mpmath.inf])


def _numeric_residual() -> Any:
    worst = mpmath.mpf(0)
    for start_beta, start_w, drag in ((0.0, 0.0, 1.0), (-1.0, 0.5, 0.5), (1.0, -1.0, 0.5), (2.0, 0.0, 3.0)):
        direct = integrated_clock(start_beta, start_w, drag)
        with mpmath.workdps(50):
            values = {beta: start_beta, w: start_w, kappa: drag}
            closed = mpmath.mpf(sp.N(clock.subs({k: sp.Rational(v) for k, v in values.items()}), 50))
            worst = max(worst, abs(closed / direct - 1))
    return worst


def steps() -> tuple[Step, ...]:
    """The steps from the early system to the limits of the crossover function."""
    clock_symbol = sp.Symbol("\\tau^*")
    return (
        Step(
            "early",
            "Early system",
            (
                "e^β ≪ N, so Z → N, and |w a| ≪ 1, so σ(−φ − x) = σ(−φ) − σ(−φ) σ(φ) x.",
                "The margins enter through c1 = ⟨σ(−φ)⟩ and c2 = 1 − ⟨σ(−φ)²⟩/c1 alone, both 1/2 at the start.",
            ),
            "In the clock τ = m I_K/N, I_K = ∫ c1 dt, i.e. dτ = (m c1/N) dt, the drag is κ = s² c2/m. Balanced "
            "contexts have no fluctuating n, hence no drag of this kind: see the step on them.",
            (
                sp.Eq(sp.Derivative(w, sp.Symbol("tau")), drift_w),
                sp.Eq(sp.Derivative(beta, sp.Symbol("tau")), drift_beta),
                sp.Eq(kappa, s**2 * c2 / m),
            ),
            (
                Check("N/(m c1) dw/dt → e^β − κ w for N → ∞", "limit", lambda: _early_residuals()[0]),
                Check("N/(m c1) dβ/dt → w e^β for N → ∞", "limit", lambda: _early_residuals()[1]),
            ),
        ),
        Step(
            "path",
            "Exact solution of the early system",
            ("κ is constant until acquisition (c2 = 1/2 for K → ∞).",),
            "Put v = κ e^{−β} and X = v − w. Then dX/dτ = −e^β and d(1/v)/dX = X/v − 1 is linear. With Y = −X its "
            "solution is the conserved C below; hence e^β = C e^{Y²/2} + κ M(−Y), w = Y + κ e^{−β} and dτ = e^{−β} "
            "dY.",
            (
                sp.Eq(sp.Symbol("Y"), w - kappa * sp.exp(-beta)),
                sp.Eq(
                    sp.Symbol("C"),
                    sp.exp(beta - sp.Symbol("Y") ** 2 / 2)
                    - kappa * sp.sqrt(2 * sp.pi) * sp.Function("Phi")(sp.Symbol("Y")),
                ),
            ),
            (
                Check("d(1/v)/dX = X/v − 1", "identity", _linear_residual),
                Check("dC/dτ = 0", "identity", _conserved_residual),
            ),
        ),
        Step(
            "crossover",
            "Crossover function",
            ('Acquisition is the blow-up of the early system (for its finite end see "Acquisition time").',),
            "∫ e^{−β} dY with dΦ = e^{−Y²/2} dY/√(2π) is a logarithm: ∫ dY e^{−Y²/2}/(C + κ√(2π) Φ(Y)) = ln(C + "
            "κ√(2π) Φ)/κ. Between Y0 and ∞ this gives the clock at acquisition, with M the Mills ratio, as one "
            "universal function of β0 − ln κ and w0.",
            (
                sp.Eq(
                    clock_symbol,
                    sp.log(1 + kappa * sp.exp(-beta0) * sp.Function("M")(w0 - kappa * sp.exp(-beta0))) / kappa,
                ),
                sp.Eq(clock_symbol, sp.Function("F")(beta0 - sp.log(kappa), w0) / kappa),
                sp.Eq(sp.Function("F")(b, w0), sp.log(1 + sp.exp(-b) * sp.Function("M")(w0 - sp.exp(-b)))),
            ),
            (
                Check("the time left falls at rate 1 along the flow", "identity", _clock_residual),
                Check("τ* = F(β0 − ln κ, w0)/κ", "identity", _scaling_residual),
                Check("it equals ∫ e^{−β} dY by quadrature at four starts", "50 digits", _numeric_residual, 1e-30),
            ),
        ),
        Step(
            "mills",
            "Solution without drag",
            ("κ → 0.",),
            "w² − 2β is conserved and τ* a Gaussian tail integral: the Mills ratio, for either sign of w0.",
            (sp.Eq(clock_symbol, sp.Function("M")(w0) * sp.exp(-beta0)), sp.Eq(sp.Function("M")(w0), mills(w0))),
            (
                Check("the crossover function's limit κ → 0", "limit", _mills_residual),
                Check("the integral over the conserved parabola", "identity", _mills_direct_residual),
            ),
        ),
        Step(
            "limits",
            "Two limits of the crossover function",
            ("w0 = 0.",),
            "For b → +∞ drag does nothing; for b → −∞ the path creeps along the slow manifold w = e^β/κ.",
            (
                sp.Eq(sp.Limit(sp.Function("F")(b, 0) * sp.exp(b), b, sp.oo), upper_limit),
                sp.Eq(sp.Limit(sp.Function("F")(b, 0) * sp.exp(2 * b), b, -sp.oo), lower_limit),
            ),
            (
                Check("F e^b → √(π/2) for b → +∞", "limit", _upper_limit_residual),
                Check("F e^{2b} → 1/2 for b → −∞", "limit", _lower_limit_residual),
                Check("F = v²/2 + ln(√(2π) v), v = e^{−b}, deep in that branch", "50 digits", _lower_remainder, 1e-45),
            ),
        ),
        Step(
            "acquisition time",
            "Acquisition time",
            ("K → ∞: φ = 0, c1 = c2 = 1/2.",),
            "dτ = (m/2N) dt. To 95 % accuracy at finite N, Z and σ(−u) leave their early values at the end of the "
            "path. Along Y the constant C then drifts as below, for any field (dw/dt, dβ/dt); successive "
            "approximations of its integral start from the closed form.",
            (
                sp.Eq(sp.Symbol("t_{ICL}"), 2 * N / m * clock_symbol),
                sp.Eq(
                    sp.Derivative(sp.Symbol("C"), sp.Symbol("Y")),
                    sp.exp(beta - sp.Symbol("Y") ** 2 / 2) * (sp.Symbol("\\dot{\\beta}") / sp.Symbol("\\dot{Y}") - w),
                ),
            ),
            (Check("dC/dY under any field", "identity", _drift_residual),),
        ),
    )


def _drift_residual() -> Any:
    rate_w, rate_beta = sp.symbols("rate_w rate_beta", positive=True)
    y = w - kappa * sp.exp(-beta)
    constant = sp.exp(beta - y**2 / 2) - kappa * sp.sqrt(2 * sp.pi) * normal_cdf(y)
    along = lambda f: sp.diff(f, w) * rate_w + sp.diff(f, beta) * rate_beta  # noqa: E731
    return sp.simplify(along(constant) / along(y) - sp.exp(beta - y**2 / 2) * (rate_beta / along(y) - w))
