"""The coupled field averaged over any list of contexts: rough attention, repeated items, skewed frequencies.

    a_i = (copy_i e^β + n_i)/(present_i e^β + others_i e^{β²/2D}),   u_i = φ + w a_i
    dw/dt = Σ_i p_i σ(−u_i) a_i − λ_w w,   dβ/dt = Σ_i p_i σ(−u_i) w ∂a_i/∂β − λ_β β

A fast copy of theory's, as :mod:`.field` is, and bound to it by test. That one is several times faster where every
context has the same copies and label sums come in pairs; here nothing is assumed of the list.
"""

from .elementary import exp_within
from .field import BETA_MAX, EXPONENT_MAX
from .layout import DECAY_BETA, DECAY_W, HALF_INVERSE_DIMENSION, SCRATCH
from .memory import MARGIN_MAX, MARGIN_MIN, read_margins, store_growth
from .simd import WIDTH, compiled, fma, larger, load, never_inline, smaller, splat, store

#: Rows of ``quadrature``: the fields of theory's ``ContextNodes``, in its order.
COPY, PRESENT, OTHERS, LABEL_SUM, WEIGHT = range(5)


@compiled()
def averaged(setup, quadrature, tables, work, source, target):
    """Rates of (w, β[, memory, clock]) at the state in block ``source`` of ``work``, into block ``target``."""
    never_inline()
    w, beta = load(work, source), load(work, source + WIDTH)
    clipped = smaller(larger(beta, splat(-BETA_MAX)), splat(BETA_MAX))
    match = exp_within(clipped)
    half = load(work, HALF_INVERSE_DIMENSION * WIDTH)
    overlap = exp_within(smaller(half * clipped * clipped, splat(EXPONENT_MAX)))
    slope = half * clipped * 2.0
    _, nodes = quadrature.shape
    quantiles = read_margins(setup, tables, work, source)
    residual, force, turn = splat(0.0), splat(0.0), splat(0.0)
    for node in range(nodes):
        copy, present = match * quadrature[COPY, node], match * quadrature[PRESENT, node]
        others = overlap * quadrature[OTHERS, node]
        inverse = 1.0 / (present + others)
        attended = (copy + quadrature[LABEL_SUM, node]) * inverse
        attended_slope = (copy - attended * fma(slope, others, present)) * inverse
        below = splat(0.0)
        for quantile in range(quantiles):
            margin = fma(w, attended, load(work, SCRATCH + quantile * WIDTH))
            below = below + 1.0 / (1.0 + exp_within(smaller(larger(margin, splat(MARGIN_MIN)), splat(MARGIN_MAX))))
        weighted = below * quadrature[WEIGHT, node]
        residual = residual + weighted
        force, turn = fma(weighted, attended, force), fma(weighted, attended_slope, turn)
    share = 1.0 / float(quantiles)
    residual, force, turn = residual * share, force * share, turn * share
    store(work, target, fma(load(work, DECAY_W * WIDTH) * -1.0, w, force))
    store(work, target + WIDTH, fma(load(work, DECAY_BETA * WIDTH) * -1.0, beta, w * turn))
    store_growth(setup, work, source, target, residual, quantiles)
