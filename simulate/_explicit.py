"""One explicit step of a block of lanes: Dormand-Prince 8(5,3), its error in units of tolerance, its dense output."""

from ._dop853 import E3, E5, EXTRA_STAGES, STAGES, A, D
from ._field import field
from ._layout import ATOL, BLOCK, DENSE_AT, ERROR, NEW_Y, RATES, RTOL, STAGE_Y, STIFFNESS, USED, H, Y
from ._simd import WIDTH, compiled, fma, larger, load, magnitude, never_inline, smaller, splat, square_root, store

#: Stages with those of the dense output; stage 12 is the rate at the end of the step.
ALL_STAGES = STAGES + 1 + EXTRA_STAGES


@compiled()
def inverse_scale(work, base):
    """1/(atol + rtol max(|y|, |y'|)): the unit that an error is measured in."""
    largest = larger(magnitude(load(work, Y + base)), magnitude(load(work, NEW_Y + base)))
    return 1.0 / fma(largest, load(work, RTOL), load(work, ATOL))


@compiled()
def stages(setup, quadrature, tables, work, first, last):
    """Rates of the stages ``first`` to ``last``, at y + h Σ_j a_ij k_j; stage 12 is the new state."""
    never_inline()
    step = load(work, H)
    for stage in range(first, last + 1):
        target = NEW_Y if stage == STAGES else STAGE_Y
        for component in range(setup[USED]):
            base = component * WIDTH
            total = splat(0.0)
            for earlier in range(stage):
                weight = A[stage, earlier]
                if weight != 0.0:
                    total = fma(load(work, RATES + earlier * BLOCK + base), splat(weight), total)
            store(work, target + base, fma(step, total, load(work, Y + base)))
        field(setup, quadrature, tables, work, target, RATES + stage * BLOCK)


@compiled()
def explicit_step(setup, quadrature, tables, work):
    """From y and the rates there (stage 0) to the new state, the rates there (stage 12), the error and |h λ|, squared.

    |h λ| compares the rates at two points that are both at the end of the step; where stability limits the steps it
    stays at the edge of the stability region (Hairer and Wanner, volume II, section IV.2).
    """
    never_inline()
    stages(setup, quadrature, tables, work, 1, STAGES)
    step = load(work, H)
    square_5, square_3, rate_change, distance = splat(0.0), splat(0.0), splat(0.0), splat(1e-300)
    for component in range(setup[USED]):
        base = component * WIDTH
        error_5, error_3 = splat(0.0), splat(0.0)
        for stage in range(STAGES):
            rate = load(work, RATES + stage * BLOCK + base)
            error_5 = fma(rate, splat(E5[stage]), error_5)
            error_3 = fma(rate, splat(E3[stage]), error_3)
        inverse = inverse_scale(work, base)
        error_5, error_3 = error_5 * inverse, error_3 * inverse
        square_5, square_3 = fma(error_5, error_5, square_5), fma(error_3, error_3, square_3)
        change = load(work, RATES + STAGES * BLOCK + base) - load(work, RATES + (STAGES - 1) * BLOCK + base)
        move = load(work, NEW_Y + base) - load(work, STAGE_Y + base)
        rate_change, distance = fma(change, change, rate_change), fma(move, move, distance)
    denominator = larger(fma(square_3, splat(0.01), square_5), splat(1e-300))
    store(work, ERROR, step * step * square_5 * (square_5 / denominator))
    store(work, STIFFNESS, step * step * (rate_change / distance))


@compiled()
def explicit_dense(setup, quadrature, tables, work):
    """Coefficients of the dense output; three more stages."""
    never_inline()
    stages(setup, quadrature, tables, work, STAGES + 1, ALL_STAGES - 1)
    step = load(work, H)
    for component in range(setup[USED]):
        base = component * WIDTH
        move = load(work, NEW_Y + base) - load(work, Y + base)
        start, end = load(work, RATES + base), load(work, RATES + STAGES * BLOCK + base)
        store(work, DENSE_AT + base, move)
        store(work, DENSE_AT + BLOCK + base, step * start - move)
        store(work, DENSE_AT + 2 * BLOCK + base, move * 2.0 - step * (start + end))
        for row in range(4):
            total = splat(0.0)
            for stage in range(ALL_STAGES):
                if D[row, stage] != 0.0:
                    total = fma(load(work, RATES + stage * BLOCK + base), splat(D[row, stage]), total)
            store(work, DENSE_AT + (3 + row) * BLOCK + base, step * total)


@compiled()
def inverse_eighth_root(square):
    """err^{−1/8} from err²."""
    bounded = smaller(larger(square, splat(1e-30)), splat(1e30))
    return 1.0 / square_root(square_root(square_root(square_root(bounded))))
