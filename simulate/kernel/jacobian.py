"""Derivatives of the two fields by the state on a vector of lanes, with which the stiff method linearises them.

With v = σ(u) σ(−u) and m = ∂φ/∂(memory), averaged over contexts and quantiles as in :mod:`.field`,

    ∂(dw/dt)/∂w = −⟨v a²⟩ − λ_w,   ∂(dw/dt)/∂β = ∂(dβ/dt)/∂w = ⟨σ(−u) a′⟩ − w ⟨v a a′⟩,
    ∂(dβ/dt)/∂β = w ⟨σ(−u) a″⟩ − w² ⟨v a′²⟩ − λ_β,   ∂(dw/dt)/∂(memory) = −⟨v m a⟩,   ∂(dβ/dt)/∂(memory) = −w ⟨v m a′⟩

and −⟨v a⟩, −w ⟨v a′⟩, −⟨v m⟩ for the residual that drives the memory. Clips are left out: a trajectory that reaches
them ends. Tests bind both to differences of the fields themselves.
"""

from typing import Any

from . import contexts, layout
from .contexts import averaged
from .elementary import LOG2_E, exp2_within, exp_within
from .field import BETA_MAX, EXPONENT_MAX, SPREAD_MAX, coupled
from .layout import COMPONENTS, DECAY_BETA, DECAY_W, HALF_INVERSE_DIMENSION, JACOBIAN, KIND, NO_MEMORY, SCRATCH, Y
from .memory import MARGIN_MAX, MARGIN_MIN, growth_and_slope, read_margins, read_slopes
from .simd import WIDTH, compiled, copy_sign, fma, larger, load, magnitude, never_inline, smaller, splat, store


def jacobian_of(field: Any) -> Any:
    """The function that writes the Jacobian of ``field`` at the state in block ``Y`` of ``work``."""
    return {coupled: _coupled_jacobian, averaged: _averaged_jacobian}[field]


@compiled()
def entry(row, column):
    """Where the derivative of the rate ``row`` by the component ``column`` stands in ``work``."""
    return JACOBIAN + (row * COMPONENTS + column) * WIDTH


@compiled()
def _store_forces(work, w, turn, ww, wb, bb):
    """The rates of w and β by w and β, from ⟨σ a″⟩ and ⟨v a²⟩, ⟨σ a′⟩ − w ⟨v a a′⟩, ⟨v a′²⟩."""
    store(work, entry(0, 0), (ww + load(work, DECAY_W * WIDTH)) * -1.0)
    store(work, entry(0, 1), wb)
    store(work, entry(1, 0), wb)
    store(work, entry(1, 1), w * (turn - w * bb) - load(work, DECAY_BETA * WIDTH))


@compiled()
def _store_memory(setup, work, w, quantiles, residual, va, vb, vm, vma, vmb):
    """What a memory adds, from ⟨σ⟩ and ⟨v a⟩, ⟨v a′⟩, ⟨v m⟩, ⟨v m a⟩, ⟨v m a′⟩."""
    if setup[KIND] != NO_MEMORY:
        growth, slope = growth_and_slope(setup, work, Y, residual)
        store(work, entry(0, 2), vma * -1.0)
        store(work, entry(1, 2), w * vmb * -1.0)
        store(work, entry(2, 0), growth * va * -1.0)
        store(work, entry(2, 1), growth * w * vb * -1.0)
        store(work, entry(2, 2), slope - growth * vm)
        store(work, entry(3, 0), splat(0.0))
        store(work, entry(3, 1), splat(0.0))
        store(work, entry(3, 2), load(work, SCRATCH + (2 * quantiles + 1) * WIDTH))


@compiled()
def _attended(work, beta):
    """A and its first two derivatives by β, then those of d, where the attended label is a = A + d x."""
    match, half = exp_within(beta), load(work, HALF_INVERSE_DIMENSION * WIDTH)
    others = load(work, layout.OTHERS * WIDTH) * exp_within(smaller(half * beta * beta, splat(EXPONENT_MAX)))
    copy, present = load(work, layout.COPIES * WIDTH) * match, load(work, layout.PRESENT * WIDTH) * match
    inverse, slope = 1.0 / (present + others), half * beta * 2.0
    # Z′/Z and Z″/Z
    first = fma(slope, others, present) * inverse
    second = fma(fma(slope, slope, half * 2.0), others, present) * inverse
    a, d = (
        (copy + load(work, layout.LABEL_MEAN * WIDTH)) * inverse,
        load(work, layout.LABEL_DEVIATION * WIDTH) * inverse,
    )
    a1, d1 = copy * inverse - a * first, d * first * -1.0
    a2, d2 = copy * inverse - a1 * first * 2.0 - a * second, (d1 * first * 2.0 + d * second) * -1.0
    return a, a1, a2, d, d1, d2


@compiled()
def _coupled_jacobian(setup, quadrature, tables, work):
    """Of :func:`~.field.coupled`: the nodes ±x have the residuals E g t₊ and E t₋, and v = E g t²."""
    never_inline()
    w, beta = load(work, Y), smaller(larger(load(work, Y + WIDTH), splat(-BETA_MAX)), splat(BETA_MAX))
    a, a1, a2, d, d1, d2 = _attended(work, beta)
    _, nodes = quadrature.shape
    quantiles = read_margins(setup, tables, work, Y)
    read_slopes(setup, tables, work, Y, quantiles)
    signal, fall = w * a, magnitude(w) * d * -LOG2_E
    residual, skew, v0, v1, v2 = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    m0, m1 = splat(0.0), splat(0.0)
    share = 1.0 / float(quantiles)
    for quantile in range(quantiles):
        centre = load(work, SCRATCH + quantile * WIDTH) + signal
        odds = exp_within(smaller(larger(centre, splat(MARGIN_MIN)), splat(MARGIN_MAX)) * -1.0)
        even, odd = splat(0.0), splat(0.0)
        for node in range(nodes):
            x, weight = quadrature[0, node], splat(quadrature[1, node] * share)
            g = exp2_within(larger(fall * x, splat(-SPREAD_MAX)))
            with_g, with_odds = fma(odds, g, splat(1.0)), g + odds
            both = 1.0 / (with_g * with_odds)
            above, below = both * with_odds, both * with_g
            plus, minus = g * above * above * weight, g * below * below * weight
            residual = fma(fma(g, above, below), odds * weight, residual)
            skew = fma(odds * weight * x, g * above - below, skew)
            even, odd = even + (plus + minus), fma(plus - minus, splat(x), odd)
            v2 = fma((plus + minus) * odds, splat(x * x), v2)
        steepness = odds * load(work, SCRATCH + (quantiles + 1 + quantile) * WIDTH)
        v0, v1 = fma(odds, even, v0), fma(odds, odd, v1)
        m0, m1 = fma(steepness, even, m0), fma(steepness, odd, m1)
    sign = copy_sign(splat(1.0), w)
    skew, v1, m1 = skew * sign, v1 * sign, m1 * sign

    va, vb = fma(a, v0, d * v1), fma(a1, v0, d1 * v1)
    vax, vbx = fma(a, v1, d * v2), fma(a1, v1, d1 * v2)
    mixed = fma(residual, a1, skew * d1) - w * fma(a1, va, d1 * vax)
    _store_forces(work, w, fma(residual, a2, skew * d2), fma(a, va, d * vax), mixed, fma(a1, vb, d1 * vbx))
    _store_memory(setup, work, w, quantiles, residual, va, vb, m0, fma(a, m0, d * m1), fma(a1, m0, d1 * m1))


@compiled()
def _averaged_jacobian(setup, quadrature, tables, work):
    """Of :func:`~.contexts.averaged`."""
    never_inline()
    w, beta = load(work, Y), smaller(larger(load(work, Y + WIDTH), splat(-BETA_MAX)), splat(BETA_MAX))
    match, half = exp_within(beta), load(work, HALF_INVERSE_DIMENSION * WIDTH)
    overlap, slope = exp_within(smaller(half * beta * beta, splat(EXPONENT_MAX))), half * beta * 2.0
    _, nodes = quadrature.shape
    quantiles = read_margins(setup, tables, work, Y)
    read_slopes(setup, tables, work, Y, quantiles)
    share = 1.0 / float(quantiles)
    residual, turn, ww, wb, bb = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    va, vb, vm, vma, vmb = splat(0.0), splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for node in range(nodes):
        weight = splat(quadrature[contexts.WEIGHT, node] * share)
        copy, present = match * quadrature[contexts.COPY, node], match * quadrature[contexts.PRESENT, node]
        others = overlap * quadrature[contexts.OTHERS, node]
        inverse = 1.0 / (present + others)
        first = fma(slope, others, present) * inverse
        second = fma(fma(slope, slope, half * 2.0), others, present) * inverse
        a = (copy + quadrature[contexts.LABEL_SUM, node]) * inverse
        a1 = copy * inverse - a * first
        a2 = copy * inverse - a1 * first * 2.0 - a * second
        below, v, m = splat(0.0), splat(0.0), splat(0.0)
        for quantile in range(quantiles):
            margin = fma(w, a, load(work, SCRATCH + quantile * WIDTH))
            sigma = 1.0 / (1.0 + exp_within(smaller(larger(margin, splat(MARGIN_MIN)), splat(MARGIN_MAX))))
            steep = sigma * (1.0 - sigma)
            below, v = below + sigma, v + steep
            m = fma(steep, load(work, SCRATCH + (quantiles + 1 + quantile) * WIDTH), m)
        below, v, m = below * weight, v * weight, m * weight
        residual, turn, vm = residual + below, fma(below, a2, turn), vm + m
        va, vb, vma, vmb = fma(v, a, va), fma(v, a1, vb), fma(m, a, vma), fma(m, a1, vmb)
        ww, bb = fma(v * a, a, ww), fma(v * a1, a1, bb)
        wb = fma(a1, below - w * v * a, wb)
    _store_forces(work, w, turn, ww, wb, bb)
    _store_memory(setup, work, w, quantiles, residual, va, vb, vm, vma, vmb)
