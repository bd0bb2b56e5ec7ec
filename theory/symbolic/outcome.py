"""From the clock at acquisition to K*: memory law, threshold, long tail and bimodality."""

from typing import Any

import mpmath
import sympy as sp

from . import race
from .step import Check, Step
from .symbols import A, K, L, N, beta, beta0, kappa, m, nu, p, phi, r, s, sigma_beta, sigmoid, w, w0

growth_exponent = 2 - 2 / L
#: dφ/dt of the homogeneous law, memory alone.
memory_rate = r * (1 + phi / p) ** growth_exponent * sigmoid(-phi)
#: I_K at margin φ, memory alone, and its limit for L > 2.
clock_at_margin = p / (r * (growth_exponent - 1)) * (1 - (1 + phi / p) ** (1 - growth_exponent))
total_clock = p / (r * (growth_exponent - 1))
power_law = A * K**nu

#: τ* at the drag κ = s²/(2m) of K → ∞, t_ICL and K*, as functions of the task.
drag = s**2 / (2 * m)
clock = race.clock.subs({beta: beta0, w: w0}, simultaneous=True)
acquisition_time = (2 * N / m * clock).subs(kappa, drag)
critical_diversity = (N * clock.subs(kappa, drag) / (m * A)) ** (1 / nu)
clock_free, clock_drag = race.clock_free, race.clock_drag


def _clock_derivative() -> Any:
    """dI/dφ = c1/(dφ/dt): the closed form has this derivative and starts at 0."""
    return sp.simplify(sp.diff(clock_at_margin, phi) - sigmoid(-phi) / memory_rate)


def _homogeneity() -> Any:
    """A net of L layers of equal scale: φ ∝ a^L, the gradient flow da/dt ∝ L a^{L−1} gives dφ/dt ∝ φ^{2−2/L}."""
    scale = sp.Symbol("a", positive=True)
    margin = scale**L
    rate = sp.diff(margin, scale) ** 2  # dφ/dt = (∂φ/∂a)² at unit residual
    return sp.simplify(rate / margin**growth_exponent - L**2)


def _total_limit(depth: int) -> sp.Expr:
    x = sp.Symbol("x", positive=True)
    return sp.limit(clock_at_margin.subs(L, depth).subs(phi, x), x, sp.oo)


def _finite_residual() -> Any:
    return sum(abs(sp.simplify(_total_limit(depth) - total_clock.subs(L, depth))) for depth in (3, 4, 6))


def _divergence_residual() -> Any:
    """L = 2, q = 1: dI/dφ = 1/(r (1 + φ/p)), so I = (p/r) ln(1 + φ/p) has no limit."""
    x, y = sp.symbols("x y", positive=True)
    clock_two = sp.integrate(1 / (r * (1 + y / p)), (y, 0, x))
    diverges = 0 if sp.limit(clock_two, x, sp.oo) == sp.oo else 1
    return sp.simplify(clock_two - p / r * sp.log(1 + x / p)) + diverges


def _threshold_residual() -> Any:
    star = sp.Symbol("tau_star", positive=True)
    solution = sp.solve(sp.Eq(power_law, N * star / m), K)
    return sp.simplify(solution[0] - (N * star / (m * A)) ** (1 / nu))


def _rate_ratio_residual() -> Any:
    """A learning-rate ratio ρ divides the clock by ρ: A → A/ρ, so K* → ρ^{1/ν} K*."""
    ratio, star = sp.symbols("rho tau_star", positive=True)
    law = lambda amplitude: (N * star / (m * amplitude)) ** (1 / nu)  # noqa: E731
    return sp.simplify(sp.powsimp(law(A / ratio) / law(A), force=True) - ratio ** (1 / nu))


def _lognormal_residual() -> Any:
    """ln t_ICL is linear in β0 in either branch, with slope −1 or −2: its width is σ_β or 2σ_β."""
    free = sp.diff(sp.expand_log(sp.log(clock_free)), beta0)
    deep = sp.diff(sp.expand_log(sp.log(clock_drag)), beta0)
    return abs(sp.simplify(free + 1)) + abs(sp.simplify(deep + 2))


def _probit_residual() -> Any:
    """P(β0 > β_c(K)), β_c from N τ*(β_c)/m = A K^ν without drag, is Φ((ln K − ln K*(μ))/(σ_β/ν)): equal arguments."""
    mean = sp.Symbol("mu", real=True)
    critical = sp.log(N * sp.sqrt(sp.pi / 2) / (m * power_law))
    median = (N * clock_free.subs(beta0, mean) / (m * A)) ** (1 / nu)
    argument = (mean - critical) / sigma_beta
    probit = (sp.log(K) - sp.log(median)) * nu / sigma_beta
    return sp.simplify(sp.expand(sp.expand_log(argument - probit, force=True)))


def _budget_residual() -> Any:
    """∫ dI/c1 over the clock equals ∫ dφ/(dφ/dt) over the margin, L = 3."""
    with mpmath.workdps(50):
        rate, scale, end = mpmath.mpf("0.01"), mpmath.mpf("1.3"), mpmath.mpf(4)
        q = mpmath.mpf(4) / 3
        total = scale / (rate * (q - 1))
        margin = lambda i: scale * ((1 - i / total) ** (-1 / (q - 1)) - 1)  # noqa: E731
        clock_end = total * (1 - (1 + end / scale) ** (1 - q))
        by_clock = mpmath.quad(lambda i: 1 + mpmath.exp(margin(i)), [0, clock_end / 2, clock_end])
        by_margin = mpmath.quad(lambda x: (1 + mpmath.exp(x)) / (rate * (1 + x / scale) ** q), [0, end / 2, end])
        return by_clock / by_margin - 1  # pyright: ignore[reportOperatorIssue]


def steps() -> tuple[Step, ...]:
    """The steps from the memory law to K* and its distribution."""
    total, star = sp.Symbol("{I_K(\\infty)}"), sp.Symbol("\\tau^*")
    return (
        Step(
            "memory",
            "Memory law",
            (
                "An L-layer homogeneous network whose layers grow together; all items share one margin φ.",
                "p is the margin on which it leaves its initial kernel; r_K ∝ K^{−ν} is measured, not derived.",
            ),
            "φ ∝ a^L and gradient flow on a give dφ/dt ∝ φ^{2−2/L}; the start is regularised by p. Alone, dI_K = c1 "
            "dt = dφ/(r_K (1 + φ/p)^q) is integrated at once. The total is finite only for L > 2; at L = 2 the "
            "clock diverges logarithmically, and a race with it is always won by ICL.",
            (
                sp.Eq(
                    sp.Derivative(phi, sp.Symbol("t")),
                    r * (1 + phi / p) ** sp.Symbol("q") * sp.Function("sigma")(-phi),
                ),
                sp.Eq(sp.Symbol("q"), growth_exponent),
                sp.Eq(sp.Symbol("I_K"), total * (1 - (1 + phi / p) ** (1 - sp.Symbol("q")))),
                sp.Eq(total, p / (r * (sp.Symbol("q") - 1))),
                sp.Eq(total, power_law),
            ),
            (
                Check("φ ∝ a^L gives dφ/dt ∝ φ^{2−2/L}", "identity", _homogeneity),
                Check("dI_K/dφ = c1/(dφ/dt)", "identity", _clock_derivative),
                Check("I_K(∞) is finite for L = 3, 4, 6", "limit", _finite_residual),
                Check("I_K(∞) diverges logarithmically for L = 2", "limit", _divergence_residual),
            ),
        ),
        Step(
            "threshold",
            "Threshold",
            (
                "Until acquisition the memory does not feel the ICL circuit: its clock is that of the memory alone.",
                "c2 keeps its initial value 1/2 until acquisition (it rises with the margin, which only adds drag).",
            ),
            "ICL is acquired iff the clock gets to I* = N τ*/m before it stops at I_K(∞): acquisition happens at "
            "the same reading of the clock whatever K. A learning-rate ratio ρ between memory and attention divides "
            "I_K(∞) by ρ and moves K* by ρ^{1/ν}, with capacity unchanged.",
            (
                sp.Eq(sp.Symbol("I^*"), N * star / m),
                sp.Eq(sp.Symbol("K^*"), (N * star / (m * A)) ** (1 / nu)),
            ),
            (
                Check("A K^ν = N τ*/m is solved by K*", "identity", _threshold_residual),
                Check("K* ∝ ρ^{1/ν}", "identity", _rate_ratio_residual),
            ),
        ),
        Step(
            "budget",
            "Threshold at a budget",
            ("Training stops at time T.",),
            "ICL is acquired by T iff I_K(T) >= I*. Close to K* the clock needs margins φ with (1 + φ/p)^{1−q} = 1 − "
            "I*/I_K(∞), hence times of order e^φ: K*(T) nears K* more slowly than 1/ln T.",
            (
                sp.Eq(
                    sp.Symbol("T"),
                    sp.Integral(
                        (1 + sp.exp(phi)) / (r * (1 + phi / p) ** sp.Symbol("q")),
                        (phi, 0, sp.Symbol("\\varphi^*")),
                    ),
                ),
            ),
            (Check("time along the clock equals time along the margin", "50 digits", _budget_residual, 1e-30),),
        ),
        Step(
            "tail",
            "Long tail",
            ("β0 ~ N(μ, σ_β²), w0 = 0.",),
            "t_ICL ∝ e^{−β0} without drag and ∝ e^{−2β0} deep in the drag branch: log-normal, of width σ_β or 2σ_β.",
            (
                sp.Eq(sp.Symbol("t_{ICL}"), 2 * N / m * sp.sqrt(sp.pi / 2) * sp.exp(-beta0)),
                sp.Eq(sp.Symbol("t_{ICL}"), N * kappa / m * sp.exp(-2 * beta0)),
            ),
            (Check("d ln t/dβ0 = −1 and −2", "identity", _lognormal_residual),),
        ),
        Step(
            "bimodality",
            "Bimodality",
            ("β0 ~ N(μ, σ_β²); the branch without drag (2σ_β in the drag branch).",),
            "Near K* some seeds acquire ICL and the others never: a probit in ln K of width σ_β/ν.",
            (
                sp.Eq(
                    sp.Symbol("{P(\\mathrm{acquire})}"),
                    sp.Function("Phi")((sp.log(K) - sp.log(sp.Symbol("K^*"))) * nu / sigma_beta),
                ),
            ),
            (Check("P(β0 > β_c(K)) is that probit", "identity", _probit_residual),),
        ),
    )
