"""From the clock at acquisition to K*: memory law, threshold, bracket, long tail and bimodality."""

from functools import cache
from typing import Any

import sympy as sp

from . import race
from .step import Check, Step, Validity, eq
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

star, ratio, reading = sp.symbols("tau_star rho I", positive=True)
critical = (N * star / (m * A)) ** (1 / nu)
margin = sp.Symbol("x", positive=True)


def _homogeneity(statement: Any) -> Any:
    """A net of L layers of equal scale: φ ∝ a^L, the gradient flow da/dt ∝ L a^{L−1} gives dφ/dt ∝ φ^{2−2/L}."""
    scale = sp.Symbol("a", positive=True)
    rate = sp.diff(scale**L, scale) ** 2  # dφ/dt = (∂φ/∂a)² at unit residual
    return sp.powsimp(rate / statement.subs(margin, scale**L), force=True) - 1


def _clock_residual(statement: Any) -> Any:
    """dI/dφ = c1/(dφ/dt), and no clock at φ = 0."""
    return sp.diff(statement, phi) - sigmoid(-phi) / memory_rate + statement.subs(phi, 0)


@cache
def _total(depth: int, at: Any) -> Any:
    return sp.limit(clock_at_margin.subs(L, depth).subs(phi, margin), margin, at)


def _finite_residual(statement: Any, at: Any) -> Any:
    return sum((_total(depth, at) - statement.subs(L, depth)) ** 2 for depth in (3, 4, 6))


@cache
def _two_layers() -> Any:
    """L = 2, q = 1: ∫ dφ/(r (1 + φ/p))."""
    y = sp.Symbol("y", positive=True)
    return sp.integrate(1 / (r * (1 + y / p)), (y, 0, margin))


def _inverse_residual(statement: Any) -> Any:
    """The margin of a two-layer memory whose clock reads I."""
    return _two_layers().subs(margin, statement) - reading


two_layer_margin = p * (sp.exp(r * reading / p) - 1)


def _rate_ratio_residual(statement: Any) -> Any:
    """A learning-rate ratio ρ divides the clock by ρ: A → A/ρ."""
    return sp.powsimp(critical.subs(A, A / ratio) / critical, force=True) - statement


def _cooperative_residual(statement: Any) -> Any:
    """∂(dw/dτ)/∂β, ∂(dβ/dτ)/∂w and ∂(dw/dτ)/∂κ of the early system."""
    derived = (sp.diff(race.drift_w, beta), sp.diff(race.drift_beta, w), sp.diff(race.drift_w, kappa))
    return sum(abs(sp.simplify(exact - stated)) for exact, stated in zip(derived, statement, strict=True))


@cache
def _c2_limit(at: Any) -> Any:
    """c2 = 1 − σ(−φ)²/σ(−φ) of one shared margin."""
    return sp.limit(1 - sigmoid(-margin) ** 2 / sigmoid(-margin), margin, at)


def _lognormal_residual(statement: Any) -> Any:
    """d ln t_ICL/dβ0 in either branch."""
    slopes = [sp.diff(sp.expand_log(sp.log(branch)), beta0) for branch in (clock_free, clock_drag)]
    return sum(abs(sp.simplify(slope - expected)) for slope, expected in zip(slopes, statement, strict=True))


def _probit_residual(statement: Any) -> Any:
    """P(β0 > β_c(K)), β_c from N τ*(β_c)/m = A K^ν without drag: the argument of Φ; β0 ~ N(μ, σ_β²)."""
    mean = sp.Symbol("mu", real=True)
    at = sp.log(N * sp.sqrt(sp.pi / 2) / (m * power_law))
    median = (N * clock_free.subs(beta0, mean) / (m * A)) ** (1 / nu)
    return sp.expand_log((mean - at) / sigma_beta - statement.subs(k_star, median), force=True)


k_star = sp.Symbol("K_star", positive=True)
probit = nu * (sp.log(K) - sp.log(k_star)) / sigma_beta


def steps() -> tuple[Step, ...]:
    """The steps from the memory law to K* after an infinite time, its bracket and its distribution."""
    return (_memory_step(), _threshold_step(), _bracket_step(), _tail_step(), _bimodality_step())


def _memory_step() -> Step:
    total, q = sp.Symbol("{I_K(\\infty)}"), sp.Symbol("q")
    return Step(
        "memory",
        "Memory law",
        (
            "An L-layer homogeneous network whose layers grow together; all items share one margin φ.",
            "p is the margin on which it leaves its initial kernel; r_K ∝ K^{−ν} is measured, not derived.",
        ),
        (
            "φ ∝ a^L and gradient flow on a give dφ/dt ∝ φ^{2−2/L}; the start is regularised by p. Alone, dI_K = c1 "
            "dt = dφ/(r_K (1 + φ/p)^q) is integrated at once.",
            eq(sp.Derivative(phi, sp.Symbol("t")), r * (1 + phi / p) ** q * sp.Function("sigma")(-phi)),
            eq(q, growth_exponent),
            eq(sp.Symbol("I_K"), total * (1 - (1 + phi / p) ** (1 - q))),
            eq(total, p / (r * (q - 1))),
            eq(total, power_law),
            "The total is finite only for L > 2. At L = 2 the clock is (p/r) ln(1 + φ/p) and has no end, so that ICL "
            "always wins a race with it, but after how long a time: I needs the margin below, and a time of order "
            "e^φ. At p = 1 and r_K I = 3 that is φ = 19 and r_K t = 1e7.",
            eq(phi, two_layer_margin),
        ),
        (
            Check("φ ∝ a^L gives dφ/dt = L² φ^{2−2/L}", "identity", L**2 * margin**growth_exponent, _homogeneity),
            Check("dI_K/dφ = c1/(dφ/dt), from 0", "identity", clock_at_margin, _clock_residual),
            Check("I_K(∞) is finite for L = 3, 4, 6", "limit", total_clock, _finite_residual,
                  at=sp.oo, elsewhere=(sp.Integer(1),)),
            Check("two layers: the margin at which the clock reads I", "identity", two_layer_margin, _inverse_residual),
        ),
        Validity("I_K = I_K(∞)[1 − (1 + φ/p)^{1−q}]", "perceptrons alone; ν and A of an architecture and input scale",
                 "measured ν 0.65 … 0.95, not derived; after acquisition margins spread", ("PowerLawMemory",)),
    )  # fmt: skip


def _threshold_step() -> Step:
    tau = sp.Symbol("\\tau^*")
    return Step(
        "threshold",
        "Threshold",
        (
            "Training goes on for ever; for a finite budget see the step on it.",
            "Until acquisition the memory does not feel the ICL circuit: its clock is that of the memory alone.",
            "c2 keeps its initial value 1/2 until acquisition: see the bracket.",
            "No item is repeated within a context, K ≫ N: see the step on repeated items.",
        ),
        (
            "ICL is acquired iff the clock gets to I* = N τ*/m before it stops at I_K(∞): acquisition happens at "
            "the same reading of the clock whatever K. A learning-rate ratio ρ between memory and attention divides "
            "I_K(∞) by ρ and moves K* by ρ^{1/ν}, with capacity unchanged.",
            eq(sp.Symbol("I^*"), N * tau / m),
            eq(sp.Symbol("K^*"), (N * tau / (A * m)) ** (1 / nu)),
        ),
        (
            Check("A K^ν = N τ*/m is solved by K*", "identity", critical,
                  lambda statement: sp.powsimp(power_law.subs(K, statement) / (N * star / m), force=True) - 1),
            Check("K* ∝ ρ^{1/ν}", "identity", ratio ** (1 / nu), _rate_ratio_residual),
        ),
        Validity("K* = (Nτ*/mA)^{1/ν}", "K ≫ N, infinite time, κ = s²/2m",
                 "K* 0.5 %, 9 %, 33 %, 76 % low at β0 = 1, 0, −1, −2 (N = 100); repeats: 164 for 84 at N = 100, β0 = "
                 "0",
                 ("threshold", "clock_at_acquisition")),
    )  # fmt: skip


def _bracket_step() -> Step:
    tau, low, high = sp.Function("\\tau^*"), s**2 / (2 * m), s**2 / m
    return Step(
        "bracket",
        "How far the rising drag can move it",
        (
            "All items share one margin φ >= 0, so that c2 = σ(φ).",
            "The early system; the memory's clock runs by c1 alone.",
        ),
        (
            "c2 rises from 1/2 at φ = 0 to 1 for φ → ∞. The early system is cooperative (more β makes w grow faster, "
            "more w makes β grow faster) and the drag only slows w > 0: so of two trajectories from one start the "
            "one whose κ is larger at every time stays behind in w and in β. A κ that moves between two values "
            "acquires between the two constant ones:",
            sp.Le(tau(low), sp.Symbol("\\tau^*_{true}")),
            sp.Le(sp.Symbol("\\tau^*_{true}"), tau(high)),
            "and K* lies between (N τ*(s²/2m)/mA)^{1/ν} and (N τ*(s²/m)/mA)^{1/ν}. The width is small without drag "
            "(5 % at β0 = 1) and up to 2^{1/ν} deep in the drag branch.",
        ),
        (
            Check("the flow is cooperative, and drag slows w", "identity", (sp.exp(beta), sp.exp(beta), -w),
                  _cooperative_residual),
            Check("c2 = 1/2 at φ = 0", "limit", sp.Rational(1, 2), lambda statement, at: _c2_limit(at) - statement,
                  at=sp.Integer(0), elsewhere=(sp.Integer(1),)),
            Check("c2 → 1 for φ → ∞", "limit", sp.Integer(1), lambda statement, at: _c2_limit(at) - statement,
                  at=sp.oo, elsewhere=(sp.Integer(1),)),
        ),
        Validity("τ*(s²/2m) <= τ* <= τ*(s²/m)", "N = 25 … 400, β0 = −2 … 1, p = 0.3 … 10",
                 "holds, but for N = 25, β0 = 1, where ICL's own logit slows the memory: K* 5 % below", ("threshold",)),
    )  # fmt: skip


def _tail_step() -> Step:
    return Step(
        "tail",
        "Long tail",
        ("β0 ~ N(μ, σ_β²), w0 = 0, K → ∞, to the blow-up.", "No weight decay: see the step on the tail under decay."),
        (
            "t_ICL ∝ e^{−β0} without drag and ∝ e^{−2β0} deep in the drag branch: log-normal, of width σ_β or 2σ_β.",
            eq(sp.Symbol("t_{ICL}"), 2 * N / m * sp.sqrt(sp.pi / 2) * sp.exp(-beta0)),
            eq(sp.Symbol("t_{ICL}"), N * kappa / m * sp.exp(-2 * beta0)),
            "The label variance of the drag is that of the other labels, the copy's staying ±1; if all labels are "
            "scaled, t_ICL goes with their variance as −1/2 without drag and 0 with it. To 95 % accuracy the first "
            "branch ends where β0 nears β_e ≈ ½ ln N + 0.5: the time vanishes there, and its slope grows without bound "
            "(β0 = 2: −6.4, −1.7, −1.3 at N = 25, 50, 100), and copies, which lower β_e too, do the same (−1.14 for "
            "m = 4 → 5, −1.55 for 8 → 9, N = 100, β0 = 0).",
        ),
        (Check("d ln t/dβ0 = −1 and −2", "identity", (sp.Integer(-1), sp.Integer(-2)), _lognormal_residual),),
        Validity("ln t_ICL = const − β0, const − 2β0", "b = β0 − ln κ above 1.26 and β0 ≪ β_e; b < −2.32",
                 "5 % in the slope", ("acquisition_distribution", "crossover_regimes")),
    )  # fmt: skip


def _bimodality_step() -> Step:
    return Step(
        "bimodality",
        "Bimodality",
        (
            "β0 ~ N(μ, σ_β²); the branch without drag (2σ_β in the drag branch).",
            "An infinite time and no repeated items, as for the threshold.",
        ),
        (
            "Near K* some seeds acquire ICL and the others never: a probit in ln K of width σ_β/ν. With repeated "
            "items no start below the saddle acquires; at a budget the width is that of the step on it.",
            eq(
                sp.Symbol("{P(\\mathrm{acquire})}"),
                sp.Function("Phi")((sp.log(K) - sp.log(sp.Symbol("K^*"))) * nu / sigma_beta),
            ),
        ),
        (Check("P(β0 > β_c(K)) is that probit", "identity", probit, _probit_residual),),
        Validity("P = Φ(ν ln(K/K*)/σ_β)", "the branch without drag, N → ∞", "width within 3 % (N = 1e8, β0 = 3)",
                 ("acquisition_probability",)),
    )  # fmt: skip
