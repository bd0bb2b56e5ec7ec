"""The label gain that both circuits of a transformer share: its growth, its kernel, and what novel items see of it."""

from functools import cache
from typing import Any

import mpmath
import sympy as sp

from . import reduced as whole
from .moments import uniform_variance
from .step import Check, Step, Validity, eq
from .symbols import normal_cdf

d, r, c, k, s, V, S, C, decay = (
    whole.d, whole.r, whole.c, whole.k, whole.s, whole.V, whole.S, whole.C, whole.decay,
)  # fmt: skip
#: Squares of the perceptron's parts, gates averaged: a = c W₁v̂, q = c W₃ᵀ, u = W₂a, s = W₂ᵀq, with c = 2ρ.
first, last, up, down, open_, gain = sp.symbols("|a|^2 |q|^2 |u|^2 |s|^2 c_g Y", positive=True)
layered_kernel = open_**2 * down + last * first + open_**2 * up
aligned_growth = 2 * gain * (first + open_**2 * up / first)
hidden = whole.width / (4 * whole.gate)  # units, each open by 2ρ
b, slope, cut, noise = sp.symbols("b h a n", positive=True)


@cache
def _gain_flow() -> tuple[Any, Any, dict[Any, Any]]:
    """dw/dt and d|v|²/dt of z = g·(m v + c x̂_T), g moving at r k and V ê = v/s at 1, and what w, |v|², G² are."""
    g, e = sp.symbols("g_1:3", real=True), sp.symbols("e_1:3", real=True)
    v = [s * entry for entry in e]
    value, w = sum(entry**2 for entry in v), sum(x * y for x, y in zip(g, v, strict=True))
    moved = {entry: S * sp.diff(w, entry) - decay * entry for entry in e}  # −∂L/∂(Vê), and weight decay
    # −∂L/∂g = ⟨σ (m v + c x̂_T)⟩, of which ⟨σ x̂_T⟩ = −C v̂ by Stein's lemma
    moved |= {entry: r * k * (S * at - c * C * at / sp.sqrt(value)) for entry, at in zip(g, v, strict=True)}
    along = lambda f: sum(sp.diff(f, entry) * rate for entry, rate in moved.items())  # noqa: E731
    square = sum(entry**2 for entry in g) - w**2 / value
    return along(w), along(value), {whole.w: w, V: value, whole.G2: square}


def _flow_residual(statement: Any, which: int) -> Any:
    return _gain_flow()[which] - statement.subs(_gain_flow()[2], simultaneous=True)


@cache
def _stein(at: float, along: float) -> tuple[Any, Any]:
    """⟨σ(−a − bξ) ξ⟩ and ⟨σ′(−a − bξ)⟩ over a standard normal ξ, to 50 digits."""
    with mpmath.workdps(60):
        sigmoid = lambda x: 1 / (1 + mpmath.exp(mpmath.mpf(at) + mpmath.mpf(along) * x))  # noqa: E731
        both = (lambda x: sigmoid(x) * x, lambda x: sigmoid(x) * (1 - sigmoid(x)))
        points = [-16, -6, -2, 0, 2, 6, 16]
        wrong, curve = (mpmath.quad(lambda x, f=f: f(x) * mpmath.npdf(x), points) for f in both)
        return wrong, curve


def stein_residual(statement: Any, along: sp.Symbol, curve: sp.Symbol) -> Any:
    """⟨σ(−a − bξ) ξ⟩ minus the statement, at a = 1/4, b = 3/4 and ⟨σ′⟩ in place of ``curve``."""
    left, known = _stein(0.25, 0.75)
    with mpmath.workdps(60):
        return left - mpmath.mpf(statement.subs({along: sp.Rational(3, 4), curve: sp.Float(str(known), 60)}).evalf(55))


def _kernel_residual(statement: Any) -> Any:
    """Σ_θ (∂Y/∂θ)² of Y = c W₃ W₂ c W₁ v̂ with two units in each layer."""
    w1, w2 = sp.Matrix(2, 2, sp.symbols("x_1:5")), sp.Matrix(2, 2, sp.symbols("y_1:5"))
    w3 = sp.Matrix(1, 2, sp.symbols("z_1:3"))
    v = sp.Matrix([sp.Rational(3, 5), sp.Rational(4, 5)])
    a, q = open_ * w1 * v, open_ * w3.T
    y = (q.T * w2 * a)[0]
    derived = sum(sp.diff(y, weight) ** 2 for weight in [*w1, *w2, *w3])
    squares = {first: a.dot(a), last: q.dot(q), up: (w2 * a).dot(w2 * a), down: (w2.T * q).dot(w2.T * q)}
    return sp.expand(derived - statement.subs(squares, simultaneous=True))


def _aligned_residual(statement: Any) -> Any:
    """d|u|²/dg = 2 u·(dW₂ a + W₂ da), dW₂ = q aᵀ, da = c² W₂ᵀq, where W₂ is of rank one."""
    a, q = sp.Matrix(sp.symbols("a_1:3", real=True)), sp.Matrix(sp.symbols("q_1:3", real=True))
    w2 = sp.Symbol("omega", real=True) * q * a.T
    u = w2 * a
    derived = 2 * u.dot(q * a.dot(a) + w2 * open_**2 * w2.T * q)
    return sp.cancel(derived - statement.subs({first: a.dot(a), up: u.dot(u), gain: q.dot(u)}, simultaneous=True))


def _start() -> dict[Any, Any]:
    """Squares of the parts at the start, from the variances of PyTorch's default weights."""
    n, gate = whole.width, whole.gate
    opened = 2 * gate
    a = opened**2 * hidden * uniform_variance(d)
    q = opened**2 * hidden * uniform_variance(n)
    return {
        open_: opened,
        first: a,
        last: q,
        up: hidden * a * uniform_variance(n),
        down: hidden * q * uniform_variance(n),
    }


def _start_residual(statement: Any) -> Any:
    return layered_kernel.subs(_start(), simultaneous=True) - statement


def _slope_residual(statement: Any) -> Any:
    """d ⟨Y²⟩ of the direction v̂, over W₂: |q|²|a|²/3n."""
    at = _start()
    return d * at[last] * at[first] * uniform_variance(whole.width) - statement


def _isotropic_residual(statement: Any) -> Any:
    """⟨((∇f − ḡ)·v)²⟩ over slopes of one length along the axes of three dimensions, either way."""
    v = sp.symbols("v_1:4", real=True)
    length = sp.sqrt(whole.slope_square - whole.G2)
    derived = sum((sign * length * entry) ** 2 for entry in v for sign in (1, -1)) / 6
    return sp.expand(derived - statement.subs({d: 3, V: sum(entry**2 for entry in v)}))


def _accuracy_residual(statement: Any) -> Any:
    """P(a + nζ > 0), ζ standard normal: its density from −a/n on."""
    x = sp.Symbol("x", real=True)
    return sp.integrate(sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi), (x, -cut / noise, sp.oo)) - statement


def steps() -> tuple[Step, ...]:
    """Label gain, shared kernel, novel items."""
    return (_gain_step(), _kernel_step(), _novel_step())


def _gain_step() -> Step:
    return Step(
        "label gain",
        "A transformer's label gain is a product of two layers",
        (
            "One attention layer, its perceptron f read at c x̂_T + V Σ_j a_j x̂_j; every token layer-normed to "
            "length √d, d = D + 2. A context token is √(d/2) x_j ± s ê, s = √d/2, the target √d x_T.",
            "V carries labels into f, not items: f sees m v, v = s V ê, m = Σ_j a_j ℓ_j. Averages over targets "
            "factor: the slope ∇f is replaced by its mean ḡ (tested on the rung of the linear readout, where that is "
            "exact).",
        ),
        (
            "The logit of a target with label 1 is φ + w m + …, and **w = ḡ·v** is a product: v grows along ḡ, since "
            "−∂L/∂(V ê) = s ⟨σ m⟩ ḡ, and ḡ along v, at the rate r k with k = Σ_θ|∂_θ(ḡ·v)|²/|v|². Of |ḡ|², G² is "
            "what is orthogonal to v, and w²/|v|² what is along it. **The residual's drag:** the same ḡ reads the "
            "target's own component along v, a standard normal ξ_T, so that −∂L/∂ḡ holds c⟨σ x̂_T⟩ as well; by "
            "Stein's lemma that is −c ⟨σ′ T⟩ v̂, T the logit's whole slope in ξ_T. With weight decay λ on V, and V = "
            "|v|², G_2 = G²,",
            eq(sp.Derivative(whole.w, whole.time), whole.rate_w),
            eq(sp.Derivative(V, whole.time), whole.rate_value),
            "where S = ⟨σ m⟩ and C = ⟨σ′ T⟩. **Own token.** The target takes part in the softmax and brings no "
            "label: ⟨m⟩ = 1/(N + 1) at flat attention. What the gain reads off a training target itself, τ, follows "
            "c w/|v|, and memory cancels it on the items that come back, at the rate R Θ of an item by itself:",
            eq(sp.Derivative(whole.tau, whole.time), whole.rate_residual),
        ),
        (
            Check("dw/dt of a logit linear in the slope", "identity", whole.rate_w, lambda f: _flow_residual(f, 0)),
            Check("d|v|²/dt of the same", "identity", whole.rate_value, lambda f: _flow_residual(f, 1)),
            Check("⟨σ(−a − bξ) ξ⟩ = −b ⟨σ′⟩", "50 digits", -b * slope, lambda f: stein_residual(f, b, slope), 1e-45),
            Check("dτ/dt = c d(w/|v|)/dt − R Θ⟨σ′ T⟩, with dw/dt and d|v|²/dt from above", "identity",
                  whole.rate_residual, _residual_residual),
        ),
        Validity("dw/dt, d|v|²/dt", "rung of the linear readout: N = 15, D = 31, K → ∞, eight networks",
                 "t_ICL 95.5 and 96.9 predicted, 101 measured", ("reduced_transformer.rates",)),
    )  # fmt: skip


def _residual_residual(statement: Any) -> Any:
    """The derivative of c w/|v| along the flow of the explicit parts, and what memory takes, R Θ C."""
    w_rate, value_rate, parts = _gain_flow()
    w, value = parts[whole.w], parts[V]
    ratio = c * (w_rate / sp.sqrt(value) - w * value_rate / (2 * value ** sp.Rational(3, 2)))
    return ratio - whole.R * whole.theta * C - statement.subs(parts, simultaneous=True)


def _kernel_step() -> Step:
    return Step(
        "shared kernel",
        "Both circuits use the perceptron's upper layers",
        (
            "Three layers. Each unit's gate is replaced by its mean over targets, of square ρ averaged over units "
            "(tested on the rung of held gates, where gates are the target's own and fixed).",
            "k(J) and G²(J) of a perceptron that memorises K items alone hold for one that reads attention, too, at "
            "the same reading J of the memory's clock (tested on the rung of the whole network at finite K).",
        ),
        (
            "With mean gates the perceptron is a linear network, w/|v| = Y = q·W₂a, whose hidden layers have n/4ρ "
            "units, each open by c_g = 2ρ. The kernel of Y is the sum of its layers' squared gradients,",
            eq(whole.k, layered_kernel),
            "and at PyTorch's default weights, of row length 1/√3, it and G² start at",
            eq(sp.Symbol("k_0"), whole.initial_kernel),
            eq(sp.Symbol("G_0") ** 2, whole.initial_slope),
            "**It grows with what it has learnt.** Along the gradient da = c_g² W₂ᵀq, dq = c_g² W₂a, dW₂ = q aᵀ, per "
            "unit of g with dY = k dg. |a|² and |q|² grow by 2c_g²Y each. The squares' equations close where W₂W₂ᵀ "
            "acts on u as |u|²/|a|², which is so at the start for random and at the end for aligned layers:",
            eq(sp.Derivative(up, sp.Symbol("g")), aligned_growth),
            "**It grows with memory**, which aligns the same layers: k(J) and G²(J) are read off the perceptron that "
            "memorises alone. So memory starves ICL (its residual falls) and speeds it up (k rises), and K* lies far "
            "below that of circuits that share nothing.",
        ),
        (
            Check("k of three linear layers", "identity", layered_kernel, _kernel_residual),
            Check("k(0) from the variances of default weights", "identity", whole.initial_kernel, _start_residual),
            Check("G²(0) from the same", "identity", whole.initial_slope, _slope_residual),
            Check("d|u|²/dg of aligned layers", "identity", aligned_growth, _aligned_residual),
        ),
        Validity("k = c_g²|s|² + |q|²|a|² + c_g²|u|²",
                 "Y up to 1.5 against linear networks of width 128; rung of held gates, N = 15, K → ∞",
                 "k within 4 %; t_ICL 77.3 with alignment and 89.5 without, 93.1 measured: too fast by alignment",
                 ("reduced_transformer.rates",)),
    )  # fmt: skip


def _novel_step() -> Step:
    return Step(
        "interference",
        "Novel items see the memory as noise, and the gain unevenly",
        (
            "f on novel items is Gaussian with standard deviation s_φ(J), read off the perceptron alone; the slope's "
            "scatter over targets has no direction.",
        ),
        (
            "Beside w m a novel item's logit holds what memory made of f, s_φ ζ; what the gain reads off the target, "
            "c (w/|v|) ξ_T; the part q′ of the perceptron's answer to label scores that novel targets share; and the "
            "gain's own scatter from target to target, ς ζ′ m, with",
            eq(sp.Symbol("varsigma") ** 2, whole.gain_variance),
            "(n₂ = ⟨|∇f|²⟩). The accuracy is Φ of the ratio of the two, averaged over contexts:",
            eq(sp.Symbol("P"), sp.Function("Phi")(whole.accuracy_argument)),
        ),
        (
            Check("⟨((∇f − ḡ)·v)²⟩ of slopes without direction", "identity", whole.gain_variance, _isotropic_residual),
            Check("P(a + nζ > 0) = Φ(a/n)", "identity", normal_cdf(cut / noise), _accuracy_residual),
        ),
        Validity("P = ⟨Φ(argument)⟩", "whole network, N = 15, D = 31, width 128, K = 1024",
                 "t_ICL 60.3 predicted from the core terms, 63.6 measured", ("reduced_transformer.icl_accuracy",)),
    )  # fmt: skip
