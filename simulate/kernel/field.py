"""The coupled field on a vector of lanes: a fast copy of what :mod:`iclrace.theory` defines, bound to it by test.

    u± = φ + w (m e^β + n̄ ± d x)/Z,   Z = m' e^β + (N − m) e^{β²/2D}
    dw/dt = ⟨σ(−u) a⟩ − λ_w w,   dβ/dt = ⟨σ(−u) w ∂a/∂β⟩ − λ_β β,   d(memory)/dt = growth · ⟨σ(−u)⟩,   dI_K/dt = ⟨σ(−φ)⟩

The nodes ±x of the average come in pairs. With E = e^{−(φ + w a₀)} and g = e^{−|w| d x/Z} the two residuals are
E g/(1 + E g) and E/(g + E), so that their sum and difference share one denominator: one exponential and one division
serve both nodes, and nothing cancels.
"""

from .elementary import LOG2_E, exp2_within, exp_within
from .layout import (
    COPIES,
    DECAY_BETA,
    DECAY_W,
    HALF_INVERSE_DIMENSION,
    LABEL_DEVIATION,
    LABEL_MEAN,
    OTHERS,
    PRESENT,
    SCRATCH,
)
from .memory import MARGIN_MAX, MARGIN_MIN, read_margins, store_growth
from .simd import WIDTH, compiled, copy_sign, fma, larger, load, magnitude, never_inline, smaller, some, splat, store

#: Clips of theory's softmax, and of the exponents here: beyond them σ is 0 or 1 to the last bit.
BETA_MAX, EXPONENT_MAX, SPREAD_MAX = 300.0, 600.0, 432.0


@compiled()
def coupled(setup, quadrature, tables, work, source, target):
    """Rates of (w, β[, memory, clock]) at the state in block ``source`` of ``work``, into block ``target``."""
    never_inline()
    w, beta = load(work, source), load(work, source + WIDTH)
    clipped = smaller(larger(beta, splat(-BETA_MAX)), splat(BETA_MAX))
    match = exp_within(clipped)
    half = load(work, HALF_INVERSE_DIMENSION * WIDTH)
    others = load(work, OTHERS * WIDTH)
    if some(half):  # else the items are orthogonal
        others = others * exp_within(smaller(half * clipped * clipped, splat(EXPONENT_MAX)))
    slope = half * clipped * 2.0
    copy = load(work, COPIES * WIDTH) * match
    mean = load(work, LABEL_MEAN * WIDTH)
    present = load(work, PRESENT * WIDTH) * match
    inverse = 1.0 / (present + others)
    total_slope = fma(slope, others, present)
    attended = (copy + mean) * inverse
    deviation = load(work, LABEL_DEVIATION * WIDTH) * inverse
    # copy Z − (copy + n̄) Z′ with the part of Z and Z′ that is the copy's own taken out, which would cancel
    attended_slope = (copy * (others * (1.0 - slope)) - mean * total_slope) * inverse * inverse
    deviation_slope = deviation * total_slope * inverse * -1.0

    _, nodes = quadrature.shape
    quantiles = read_margins(setup, tables, work, source)
    signal = w * attended
    fall = magnitude(w) * deviation * -LOG2_E
    residual, skew = splat(0.0), splat(0.0)
    for quantile in range(quantiles):
        centre = load(work, SCRATCH + quantile * WIDTH) + signal
        odds = exp_within(smaller(larger(centre, splat(MARGIN_MIN)), splat(MARGIN_MAX)) * -1.0)
        squared, twice = fma(odds, odds, splat(1.0)), odds * 2.0
        even, odd = splat(0.0), splat(0.0)
        for node in range(nodes):
            g = exp2_within(larger(fall * quadrature[0, node], splat(-SPREAD_MAX)))
            h = fma(g, g, splat(1.0))
            weighted = splat(quadrature[1, node]) / fma(odds, h, g * squared)
            even = fma(weighted, fma(twice, g, h), even)
            odd = fma(weighted * quadrature[0, node], h - 2.0, odd)
        residual = fma(odds, even, residual)
        skew = fma(odds, odd, skew)
    if quantiles > 1:
        residual, skew = residual / float(quantiles), skew / float(quantiles)
    skew = skew * copy_sign(splat(1.0), w)

    force = fma(residual, attended, skew * deviation)
    turn = fma(residual, attended_slope, skew * deviation_slope)
    store(work, target, fma(load(work, DECAY_W * WIDTH) * -1.0, w, force))
    store(work, target + WIDTH, fma(load(work, DECAY_BETA * WIDTH) * -1.0, beta, w * turn))
    store_growth(setup, work, source, target, residual, quantiles)
