"""From the averaged flow to the clock at acquisition: early system, its exact solution, and the limits of that."""

from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from .flow import match
from .step import Check, Step, Validity, eq
from .symbols import N, beta, beta0, c2, kappa, m, mills, n, normal_cdf, s, w, w0

b = sp.Symbol("b", real=True)


def clock_by(ratio: Callable[[Any], Any]) -> Any:
    """τ*(β, w; κ), the time left to blow-up, with the Mills ratio as ``ratio`` writes it."""
    return sp.log(1 + kappa * sp.exp(-beta) * ratio(w - kappa * sp.exp(-beta))) / kappa


def crossover_by(ratio: Callable[[Any], Any]) -> Any:
    """F(b, w0) = κ τ* with b = β − ln κ."""
    return sp.log(1 + sp.exp(-b) * ratio(w0 - sp.exp(-b)))


#: Both with the Mills ratio as an error function.
clock, crossover = clock_by(mills), crossover_by(mills)
#: F e^b for b → +∞ and F e^{2b} for b → −∞ (w0 = 0), and with them τ* in either branch.
upper_limit, lower_limit = sp.sqrt(sp.pi / 2), sp.Rational(1, 2)
clock_free = sp.simplify((upper_limit * sp.exp(-b) / kappa).subs(b, beta0 - sp.log(kappa)))
clock_drag = sp.simplify((lower_limit * sp.exp(-2 * b) / kappa).subs(b, beta0 - sp.log(kappa)))
#: The early system in the clock: dw/dτ and dβ/dτ.
drift_w, drift_beta = sp.exp(beta) - kappa * w, w * sp.exp(beta)
#: d ln F/db at w0 = 0, minus the local exponent of the acquisition time.
slope = sp.diff(crossover, b) / crossover
#: The path parameter Y, and the part of the conserved C that the drag adds.
parameter = w - kappa * sp.exp(-beta)
Y, C, X = sp.symbols("Y C X", real=True)
drag_part = kappa * sp.sqrt(2 * sp.pi) * normal_cdf(Y)


def along(quantity: Any, rate_w: Any = drift_w, rate_beta: Any = drift_beta) -> Any:
    """The rate of a function of (w, β) along a flow, the early one if none is given."""
    return sp.diff(quantity, w) * rate_w + sp.diff(quantity, beta) * rate_beta


@cache
def _early_rates(at: Any) -> tuple[sp.Expr, sp.Expr]:
    """The flow per unit clock, to first order in w a: σ(−φ − x) = σ − σ(1 − σ) x, averaged over n, at N → ``at``."""
    sig = sp.Symbol("sigma_phi", positive=True)
    total = m * match + N - m
    a = (m * match + n) / total
    residual = sig - sig * (1 - sig) * w * a
    average = lambda e: sp.expand(e).coeff(n, 0) + s**2 * (N - m) * sp.expand(e).coeff(n, 2)  # noqa: E731
    rate_w = average(sp.expand(residual * a * N / (m * sig)))
    rate_beta = average(sp.expand(residual * w * m * match * (N - m - n) / total**2 * N / (m * sig)))
    return tuple(sp.limit(rate, N, at).subs(sig, 1 - c2) for rate in (rate_w, rate_beta))  # pyright: ignore[reportReturnType]


def _conserved_residual(statement: Any) -> Any:
    """Along the flow; and the part that the drag adds is gone where the path comes from, Y → −∞."""
    moved = along(sp.exp(beta - parameter**2 / 2) - statement.subs(Y, parameter))
    return moved + sp.limit(statement, Y, -sp.oo)


def _scaling_residual(statement: Any) -> Any:
    return statement.subs({b: beta - sp.log(kappa), w0: w}) / kappa - clock


def _small_drag_residual(statement: Any, at: Any) -> Any:
    """ln(1 + κ e^{−β0} M)/κ as κ → 0, M the Mills ratio at its limit."""
    small = sp.Symbol("M", positive=True)
    return sp.limit(sp.log(1 + kappa * sp.exp(-beta0) * small) / kappa, kappa, at) - statement


@cache
def _parabola() -> Any:
    """κ = 0: w² − 2β is conserved, so that τ* = ∫_{w0}^∞ e^{−β0 − (y² − w0²)/2} dy."""
    y = sp.Symbol("y", real=True)
    return sp.integrate(sp.exp(-beta0 - (y**2 - w0**2) / 2), (y, w0, sp.oo))


@cache
def _free_limit(at: Any) -> Any:
    """F(b, 0)/v as v = e^{−b} → ``at``."""
    v = sp.Symbol("v", positive=True)
    return sp.limit(crossover.subs(w0, 0).subs(sp.exp(-b), v) / v, v, at)


@cache
def _drag_limit(at: Any) -> Any:
    """v = e^{−b} → ``at``: erfc(−v/√2) → 2, so F → v²/2 + ln(√(2π) v), over v²."""
    v = sp.Symbol("v", positive=True)
    return sp.limit((v**2 / 2 + sp.log(sp.sqrt(2 * sp.pi) * v)) / v**2, v, at)


v_symbol = sp.Symbol("v", positive=True)
deep_branch = v_symbol**2 / 2 + sp.log(sp.sqrt(2 * sp.pi) * v_symbol)


def _deep_residual(statement: Any) -> Any:
    """The two terms of the lower limit against the whole, at b = −4, where erfc's correction is e^{−1490}."""
    with mpmath.workdps(50):
        v = mpmath.exp(4)
        whole = mpmath.log1p(v * mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(v**2 / 2) * mpmath.erfc(-v / mpmath.sqrt(2)))
        return whole - mpmath.mpmathify(sp.N(statement.subs(v_symbol, sp.exp(4)), 60))


@cache
def integrated_clock(beta0: float, w0: float, drag: float) -> Any:
    """τ* by integrating dτ = e^{−β(Y)} dY numerically at 50 digits, β(Y) from the conserved C: no logarithm assumed."""
    with mpmath.workdps(50):
        k, start_beta, start_w = mpmath.mpf(drag), mpmath.mpf(beta0), mpmath.mpf(w0)
        start = start_w - k * mpmath.exp(-start_beta)
        root = mpmath.sqrt(2 * mpmath.pi)
        constant = mpmath.exp(start_beta - start**2 / 2) - k * root * mpmath.ncdf(start)
        integrand = lambda y: mpmath.exp(-(y**2) / 2) / (constant + k * root * mpmath.ncdf(y))  # noqa: E731
        return mpmath.quad(integrand, [start, start + 1, start + 3, start + 8, start + 30, mpmath.inf])


def _numeric_residual(statement: Any) -> Any:
    worst = mpmath.mpf(0)
    for start_beta, start_w, drag in ((0.0, 0.0, 1.0), (-1.0, 0.5, 0.5), (1.0, -1.0, 0.5), (2.0, 0.0, 3.0)):
        direct = integrated_clock(start_beta, start_w, drag)
        with mpmath.workdps(50):
            values = {beta: start_beta, w: start_w, kappa: drag}
            value = sp.N(statement.subs({k: sp.Rational(v) for k, v in values.items()}), 50)
            if not value.is_real:
                return mpmath.inf
            worst = max(worst, abs(mpmath.mpf(value) / direct - 1))
    return worst


def steps() -> tuple[Step, ...]:
    """The steps from the early system to the limits of its clock."""
    return (_early_step(), _path_step(), _crossover_step(), _mills_step(), _limits_step())


def _early_step() -> Step:
    drag = s**2 * c2 / m
    return Step(
        "early",
        "Early system",
        (
            "e^β ≪ N, so Z → N, and |w a| ≪ 1, so σ(−φ − x) = σ(−φ) − σ(−φ) σ(φ) x.",
            "The margins enter through c1 = ⟨σ(−φ)⟩ and c2 = 1 − ⟨σ(−φ)²⟩/c1 alone.",
            "No item of the context but the target is met twice: see the step on repeated items.",
        ),
        (
            "In the clock τ = m I_K/N, I_K = ∫ c1 dt, i.e. dτ = (m c1/N) dt, the drag is κ = s² c2/m. At the start "
            "c1 = 1/2, and c2 = 1/2 if all items share one margin (margins N(0, 1) have c2 = 0.41). Balanced "
            "contexts have no fluctuating n, hence no drag of this kind: see the step on them.",
            eq(sp.Derivative(w, sp.Symbol("tau")), drift_w),
            eq(sp.Derivative(beta, sp.Symbol("tau")), drift_beta),
            eq(kappa, drag),
        ),
        (
            Check("N/(m c1) dw/dt → e^β − κ w for N → ∞", "limit", match - drag * w,
                  lambda statement, at: _early_rates(at)[0] - statement, at=sp.oo, elsewhere=(sp.Integer(7),)),
            Check("N/(m c1) dβ/dt → w e^β for N → ∞", "limit", w * match,
                  lambda statement, at: _early_rates(at)[1] - statement, at=sp.oo, elsewhere=(sp.Integer(7),)),
        ),
        Validity("dw/dτ = e^β − κw, dβ/dτ = w e^β", "to the same β: N >= 100, β0 <= 0",
                 "t_ICL 3 % low at N = 100, β0 = 0; 8 % at β0 = 1 (ladder below)", ("ladder", "early_drag")),
    )  # fmt: skip


def _path_step() -> Step:
    v, capital_phi = sp.Symbol("v"), sp.Function("Phi")
    reciprocal = sp.exp(beta) / kappa  # 1/v as a function of the state
    attraction = C * sp.exp(Y**2 / 2) + kappa * mills(-Y)
    constant = sp.exp(beta - Y**2 / 2) - drag_part
    return Step(
        "path",
        "Exact solution of the early system",
        ("κ is constant until acquisition.",),
        (
            "**A linear equation.** Put v = κ e^{−β} and X = v − w. Since dv/dτ = −v dβ/dτ = −κ w, the drag cancels "
            "in X: dX/dτ = −κw − (e^β − κw) = −e^β. The reciprocal 1/v = e^β/κ grows as d(1/v)/dτ = w e^{2β}/κ. "
            "Dividing, and with w = v − X, its equation along X is linear:",
            eq(sp.Derivative(1 / v, X), X / v - 1),
            "**The integrating factor.** The factor that makes the left side a derivative is e^{−X²/2}, whose own "
            "derivative is −X e^{−X²/2}: it removes X/v and leaves",
            eq(sp.Derivative(sp.exp(-(X**2) / 2) / v, X), -sp.exp(-(X**2) / 2)),
            "The right side no longer holds v, and its integral is a Gaussian's: −∫ e^{−X²/2} dX = −√(2π) Φ(X) + "
            "const = √(2π) Φ(−X) + const. That is where Φ comes from. Count the path with Y = −X = w − κ e^{−β}, "
            "which grows (dY/dτ = e^β), and multiply by κ: κ e^{−Y²/2}/v = e^{β − Y²/2} exceeds κ√(2π) Φ(Y) by a "
            "constant,",
            eq(Y, w - kappa * sp.exp(-beta)),
            eq(C, sp.exp(beta - Y**2 / 2) - kappa * sp.sqrt(2 * sp.pi) * capital_phi(Y)),
            "fixed by the start. **Back.** Solved for e^β, with M(−Y) = √(2π) e^{Y²/2} Φ(Y), it gives the whole "
            "trajectory as a function of Y; then w = Y + κ e^{−β}, and the clock is dτ = e^{−β} dY.",
            eq(sp.exp(beta), C * sp.exp(Y**2 / 2) + kappa * sp.Function("M")(-Y)),
        ),
        (
            Check("d(1/v)/dX = X/v − 1", "identity", X * reciprocal - 1,
                  lambda statement: along(reciprocal) / along(-parameter) - statement.subs(X, -parameter)),
            Check("d(e^{−X²/2}/v)/dX = −e^{−X²/2}", "identity", -sp.exp(-(X**2) / 2),
                  lambda statement: along(sp.exp(-(parameter**2) / 2) * reciprocal) / along(-parameter)
                  - statement.subs(X, -parameter)),
            Check("e^{β − Y²/2} − κ√(2π) Φ(Y) is conserved", "identity", drag_part,
                  _conserved_residual),
            Check("e^β = C e^{Y²/2} + κ M(−Y)", "identity", attraction,
                  lambda statement: (statement.subs(C, constant) - sp.exp(beta)).rewrite(sp.erf)),
            Check("dτ = e^{−β} dY", "identity", sp.exp(-beta), lambda statement: 1 / along(parameter) - statement),
        ),
        Validity("C = e^{β − Y²/2} − κ√(2π)Φ(Y)", "the early system, all starts", "exact",
                 ("acquisition_clock",)),
    )  # fmt: skip


def _crossover_step() -> Step:
    clock_symbol = sp.Symbol("\\tau^*")
    return Step(
        "crossover",
        "Crossover function",
        ('Acquisition is the blow-up of the early system (for its finite end see "Acquisition time").',),
        (
            "∫ e^{−β} dY with dΦ = e^{−Y²/2} dY/√(2π) is a logarithm: ∫ dY e^{−Y²/2}/(C + κ√(2π) Φ(Y)) = ln(C + "
            "κ√(2π) Φ)/κ. Between Y0 and ∞ the argument runs from C + κ√(2π) Φ(Y0) = e^{β0 − Y0²/2} to C + κ√(2π), "
            "whose ratio is 1 + κ e^{−β0} e^{Y0²/2} √(2π) Φ(−Y0) = 1 + κ e^{−β0} M(Y0): the clock at acquisition, "
            "with M the Mills ratio, as one universal function of β0 − ln κ and w0.",
            eq(
                clock_symbol,
                sp.log(1 + kappa * sp.exp(-beta0) * sp.Function("M")(w0 - kappa * sp.exp(-beta0))) / kappa,
            ),
            eq(clock_symbol, sp.Function("F")(beta0 - sp.log(kappa), w0) / kappa),
            eq(sp.Function("F")(b, w0), sp.log(1 + sp.exp(-b) * sp.Function("M")(w0 - sp.exp(-b)))),
        ),
        (
            Check("the time left falls at rate 1 along the flow", "identity", clock,
                  lambda statement: along(statement) + 1),
            Check("τ* = F(β0 − ln κ, w0)/κ", "identity", crossover, _scaling_residual),
            Check("it equals ∫ e^{−β} dY by quadrature at four starts", "50 digits", clock, _numeric_residual, 1e-30),
        ),
        Validity("τ* = ln[1 + κe^{−β0}M(w0 − κe^{−β0})]/κ", "blow-up of the early system",
                 "t_ICL to 95 %: +1.8 % at N = 100, β0 = 0; +26 % at β0 = 2", ("acquisition_clock", "mills_ratio")),
    )  # fmt: skip


def _mills_step() -> Step:
    small = sp.Symbol("M", positive=True)
    clock_symbol = sp.Symbol("\\tau^*")
    return Step(
        "mills",
        "Solution without drag",
        ("κ → 0.",),
        (
            "w² − 2β is conserved and τ* a Gaussian tail integral: the Mills ratio, for either sign of w0.",
            eq(clock_symbol, sp.Function("M")(w0) * sp.exp(-beta0)),
            eq(sp.Function("M")(w0), mills(w0)),
        ),
        (
            Check("the crossover function's limit κ → 0", "limit", small * sp.exp(-beta0), _small_drag_residual,
                  at=sp.Integer(0), elsewhere=(sp.Integer(1),)),
            Check("the integral over the conserved parabola", "identity", mills(w0) * sp.exp(-beta0),
                  lambda statement: (_parabola() - statement).rewrite(sp.erfc)),
        ),
        Validity("τ* = M(w0) e^{−β0}", "β0 − ln κ > 1.26", "5 % in the slope; 8 % in t_ICL at β0 = 0 (ladder below)",
                 ("mills_ratio", "log_mills_ratio")),
    )  # fmt: skip


def _limits_step() -> Step:
    capital_f = sp.Function("F")
    return Step(
        "limits",
        "Two limits of the crossover function",
        ("w0 = 0.",),
        (
            "For b → +∞ drag does nothing; for b → −∞ the path creeps along the slow manifold w = e^β/κ.",
            eq(sp.Limit(capital_f(b, 0) * sp.exp(b), b, sp.oo), upper_limit),
            eq(sp.Limit(capital_f(b, 0) * sp.exp(2 * b), b, -sp.oo), lower_limit),
        ),
        (
            Check("F e^b → √(π/2) for b → +∞", "limit", upper_limit,
                  lambda statement, at: _free_limit(at) - statement, at=sp.Integer(0), elsewhere=(sp.Integer(1),)),
            Check("F e^{2b} → 1/2 for b → −∞", "limit", lower_limit,
                  lambda statement, at: _drag_limit(at) - statement, at=sp.oo, elsewhere=(sp.Integer(1),)),
            Check("F = v²/2 + ln(√(2π) v), v = e^{−b}, deep in that branch", "50 digits", deep_branch,
                  _deep_residual, 1e-45),
        ),
        Validity("F → √(π/2)e^{−b}, e^{−2b}/2", "b > 1.26, b < −2.32", "5 % in the slope in b",
                 ("crossover_slope", "crossover_regimes")),
    )  # fmt: skip
