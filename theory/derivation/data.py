"""Other contexts: balanced labels, repeated items, skewed frequencies."""

import itertools
from functools import cache
from typing import Any

import sympy as sp

from .flow import attended_plain, match
from .race import drift_w
from .step import Check, Step, Validity, eq
from .symbols import K, N, beta, kappa, m, n, p, r, w

#: Balanced labels, D → ∞: the attended label, and the flow at φ = 0.
balanced_attended = attended_plain.subs(n, -m)
balanced_flow = sp.Matrix(
    [
        balanced_attended / (1 + sp.exp(w * balanced_attended)),
        w * sp.diff(balanced_attended, beta) / (1 + sp.exp(w * balanced_attended)),
    ]
)
#: N w²/2 minus this is conserved for balanced labels.
balanced_potential = m * match + (N - 2 * m) * beta + (N - m) * sp.exp(-beta)

#: Repeated items, one copy put there: the average number of copies, drive and turn of the early system, the saddle.
copies = sp.Symbol("mbar", positive=True)
mean_copies = 1 + (N - 1) / K
repeated_drive = copies * match - (copies - 1) - kappa * w
repeat_saddle = -sp.log(1 + K / (N - 1))


@cache
def _jacobian() -> sp.Matrix:
    return balanced_flow.jacobian([w, beta]).subs({w: 0, beta: 0}).applyfunc(sp.simplify)


def _saddle_residual(statement: Any) -> Any:
    """The statement is the rate of w = β: Jacobian (0, rate; rate, 0), and no flow at the origin."""
    matches = _jacobian() - sp.Matrix([[0, statement], [statement, 0]])
    return sum(abs(entry) for entry in [*balanced_flow.subs({w: 0, beta: 0}), *matches])


def _potential_residual(statement: Any) -> Any:
    """N w²/2 minus the statement is conserved; σ(−u) cancels, so the memory does not matter."""
    slope = w * sp.diff(balanced_attended, beta)
    return N * w * balanced_attended - sp.diff(statement, beta) * slope


@cache
def _over_copies(quantity: Any) -> Any:
    """The average of ``quantity``, a function of m, over m = 1 + Binomial(N − 1, 1/K) at N = 7."""
    j = sp.Symbol("j", integer=True)
    chance = sp.binomial(6, j) * K**-j * (1 - 1 / K) ** (6 - j)
    return sp.simplify(sp.summation(quantity.subs(m, 1 + j).subs(N, 7) * chance, (j, 0, 6)))


lean = ((K / 2 - 1) - K / 2) / (K - 1)  # of the K/2 − 1 and K/2 labels of the items that are not the target
square = (m + (N - m) * lean) ** 2 + (N - m) * (1 - lean**2)


def _repeated_residual(statement: Any) -> Any:
    """⟨m e^β + n⟩ − κ w from the averages over copies, in terms of ⟨m⟩."""
    derived = _over_copies(m) * match + _over_copies((N - m) * lean) - kappa * w
    return derived - statement.subs(copies, _over_copies(m))


def _repeat_saddle_residual(statement: Any) -> Any:
    """The drive at w = 0 vanishes there."""
    drive = repeated_drive.subs({w: 0, copies: mean_copies})
    return drive.subs(beta, statement)


@cache
def _skewed_moments() -> tuple[Any, Any, Any]:
    """⟨m⟩, ⟨Σℓ⟩ and ⟨(Σℓ)²⟩ in the target's frame over all contexts of three draws from three items, labels + − +."""
    frequency = (*_p, 1 - sum(_p))
    labels = (1, -1, 1)
    totals: list[Any] = [sp.Integer(0)] * 3
    for draw in itertools.product(range(3), repeat=3):
        chance = sp.prod(frequency[k] for k in draw)
        total = sum(labels[k] for k in draw) * labels[draw[0]]
        for i, value in enumerate((draw.count(draw[0]), total, total**2)):
            totals[i] += chance * value
    return tuple(sp.expand(total) for total in totals)  # pyright: ignore[reportReturnType]


_p = sp.symbols("p_1 p_2", positive=True)
squares, bias = sp.symbols("P b", positive=True)
skewed_copies, skewed_sum, skewed_square = 1 + (N - 1) * squares, 1 + (N - 1) * bias**2, N + N * (N - 1) * bias**2


def _skewed_residual(statement: Any, index: int) -> Any:
    third = 1 - sum(_p)
    values = {N: 3, squares: _p[0] ** 2 + _p[1] ** 2 + third**2, bias: _p[0] - _p[1] + third}
    return sp.expand(_skewed_moments()[index] - statement.subs(values))


chance = sp.Symbol("p_k", positive=True)


@cache
def _item_share(at: Any) -> Any:
    """p_k ∫σ dt with dφ_k/dt = K p_k r (1 + φ_k/p)^q σ(−φ_k), q = 4/3 of a three-layer network, φ_k up to ``at``."""
    y, top = sp.symbols("y varphi_k", positive=True)
    own = chance * sp.integrate(1 / (K * chance * r * (1 + y / p) ** sp.Rational(4, 3)), (y, 0, top))
    return sp.limit(own, top, at)


def steps() -> tuple[Step, ...]:
    """The steps on what other contexts change."""
    return (_balanced_step(), _repeats_step(), _skew_step())


def _balanced_step() -> Step:
    rate = m / (2 * N)
    return Step(
        "balanced",
        "Balanced contexts",
        ("Exactly N/2 labels of each sign, so n = −m; D → ∞; φ = 0 for the eigenvalues.",),
        (
            "a = m (e^β − 1)/Z vanishes at β = 0. The origin is a saddle with growth along w = β and decay along w "
            "= −β: for w0 = 0, β0 > 0 acquires and β0 < 0 drifts to w < 0, β < 0 for good. The fraction acquiring "
            "saturates at P(β0 > 0). One function of (w, β) is conserved whatever the memory does.",
            eq(sp.MatrixSymbol("J", 2, 2), sp.Matrix([[0, rate], [rate, 0]])),
            eq(sp.Symbol("\\mathrm{const}"), N * w**2 / 2 - balanced_potential),
        ),
        (
            Check("fixed point, Jacobian and eigenvalues ± m/2N", "identity", rate, _saddle_residual),
            Check("the conserved function", "identity", balanced_potential, _potential_residual,
                  also_wrong={"N − m for N − 2m": balanced_potential + m * beta}),
        ),
        Validity("N w²/2 − m e^β − (N − 2m)β − (N − m)e^{−β} = const", "D → ∞, any memory", "exact",
                 ("balanced_saddle", "acquisition_time")),
    )  # fmt: skip


def _repeats_step() -> Step:
    mean = sp.Symbol("{\\langle m \\rangle}")
    return Step(
        "repeated items",
        "Repeated items, and K* with them",
        (
            "Items are drawn with replacement from K, half of them of each label; one copy is put there.",
            "The memory's clock as for the threshold.",
        ),
        (
            "A context holds m = 1 + Binomial(N − 1, 1/K) copies. The target is not among the other draws, so these "
            "lean against its label:",
            eq(mean, mean_copies),
            eq(sp.Symbol("{\\langle n \\rangle}"), -(N - 1) / K),
            "At β = 0 repeats change neither the drive, ⟨m + n⟩ = 1, nor the drag, ⟨(m + n)²⟩ = N. Early,",
            eq(sp.Derivative(w, sp.Symbol("tau")), mean * match - (mean - 1) - kappa * w),
            eq(sp.Derivative(beta, sp.Symbol("tau")), mean * w * match),
            "β grows ⟨m⟩ times as fast, and for ⟨m⟩ ≫ 1 the drive is that of balanced contexts, e^β − 1. At finite K "
            "there is a **saddle**, then, for i.i.d. labels as well, at w = 0 and",
            eq(sp.Symbol("beta_s"), repeat_saddle),
            "and no start below it, from w0 = 0, acquires. The clock at acquisition hangs on K: I*(161) = 103.9 at N "
            "= 100, β0 = 0, where without repeats it is 138.5. **K\\*** solves A K^ν = I*(K): 27, 84, 265, 815 at N "
            "= 50, 100, 200, 400 (without repeats 164 at N = 100), an exponent of 1.6 in N where 1/ν = 1.43; at β0 = "
            "1 it is 4, where the context is all repeats. For β0 < 0 it cannot lie below (N − 1)(e^{−β0} − 1), where "
            "β0 is the saddle.",
        ),
        (
            Check("⟨m⟩ = 1 + (N − 1)/K at N = 7", "identity", mean_copies,
                  lambda statement: _over_copies(m) - statement.subs(N, 7)),
            Check("⟨n⟩ = −(N − 1)/K at N = 7", "identity", -(N - 1) / K,
                  lambda statement: _over_copies((N - m) * lean) - statement.subs(N, 7)),
            Check("⟨(m + n)²⟩ = N at N = 7", "identity", N,
                  lambda statement: _over_copies(square) - statement.subs(N, 7)),
            Check("dw/dτ = ⟨m⟩e^β − (⟨m⟩ − 1) − κw at N = 7", "identity", repeated_drive, _repeated_residual),
            Check("dβ/dτ = w ∂(drive)/∂β = ⟨m⟩ w e^β", "identity", copies * match * w,
                  lambda statement: w * sp.diff(repeated_drive, beta) - statement),
            Check("⟨m⟩ → 1 gives back the early system", "limit", drift_w,
                  lambda statement, at: sp.limit(repeated_drive, copies, at) - statement,
                  at=sp.Integer(1), elsewhere=(sp.Integer(2),)),
            Check("the drive vanishes at β_s", "identity", repeat_saddle, _repeat_saddle_residual),
        ),
        Validity("β_s = −ln[1 + K/(N − 1)]; K* from I*(K) = A K^ν", "N = 50 … 200, K = 50 … 1000",
                 "separatrix within 0.05 in β0; K* of the coupled equations 9 % above at N = 100, β0 = 0 (the rising "
                 "drag)",
                 ("threshold", "repeat_saddle", "clock_at_acquisition", "icl_field")),
    )  # fmt: skip


def _skew_step() -> Step:
    sigma, index = sp.Function("sigma"), sp.Symbol("k")
    probability, label = sp.Symbol("p_k"), sp.Symbol("\\ell_k")
    return Step(
        "data",
        "Skewed frequencies",
        (
            "Item k is drawn with probability p_k ∝ k^{−α}; labels of consecutive items alternate.",
            "Items are memorised independently of each other, item k at K p_k times the common rate.",
        ),
        (
            "**In the memory** an item gives the clock p_k ∫σ(−φ_k) dt in all, and p_k cancels: the clock's total is "
            "the same for every α, and skew only spreads it out in time. A measured total that changes with α shows "
            "items sharing what they learn.",
            eq(
                sp.Symbol("p_k") * sp.Integral(sigma(-sp.Symbol("\\varphi_k")), (sp.Symbol("t"), 0, sp.oo)),
                sp.Symbol("{I_K(\\infty)}") / K,
            ),
            "K* still moves, for two reasons. At a budget less of the clock has come (93 for 124 at T = 1e3, K = "
            "500, α = 1; A = 3.9, ν = 0.7). And **contexts** hold more copies, and lean to the label of the frequent "
            "items, by b:",
            eq(sp.Symbol("b"), sp.Sum(probability * label, (index, 1, K))),
            eq(sp.Symbol("{\\langle m \\rangle}"), 1 + (N - 1) * sp.Sum(probability**2, (index, 1, K))),
            eq(sp.Symbol("{\\langle m + n \\rangle}"), 1 + (N - 1) * sp.Symbol("b") ** 2),
            eq(sp.Symbol("{\\langle (m + n)^2 \\rangle}"), N + N * (N - 1) * sp.Symbol("b") ** 2),
            "At N = 100, K = 1000: ⟨m⟩ = 3.9 and 19, ⟨(m + n)²⟩ = 185 and 992 for α = 1 and 1.5. As the target leans "
            "the same way, the lean drives w from the start, and I* falls from 124 to 49 (K = 500, α = 1, β0 = 0).",
        ),
        (
            Check("item k's share of the clock is I_K(∞)/K for any p_k", "limit", 3 * p / (r * K),
                  lambda statement, at: _item_share(at) - statement, at=sp.oo, elsewhere=(sp.Integer(1),)),
            Check("⟨m⟩ over all contexts of three draws", "identity", skewed_copies,
                  lambda statement: _skewed_residual(statement, 0)),
            Check("⟨m + n⟩ over all contexts of three draws", "identity", skewed_sum,
                  lambda statement: _skewed_residual(statement, 1)),
            Check("⟨(m + n)²⟩ over all contexts of three draws", "identity", skewed_square,
                  lambda statement: _skewed_residual(statement, 2)),
        ),
        Validity("⟨(m + n)²⟩ = N + N(N − 1)b²", "N = 100, K = 1000, α = 0 … 1.5; φ = 0",
                 "moments exact; the field within sampling, 0.3 %", ("skewed_contexts", "skewed_clock_at_acquisition",
                                                                     "skewed_clock", "item_frequencies")),
    )  # fmt: skip
