"""One explicit step of a block of lanes: Dormand-Prince 8(5,3), its error in units of tolerance, its dense output."""

from functools import lru_cache
from typing import Any

from .dop853 import DENSE_ROWS, ERROR_ROWS, EXTRA_STAGES, STAGE_ROWS, STAGES
from .layout import ATOL, BLOCK, DENSE_AT, ERROR, INVERSE_SCALE, NEW_Y, RATES, RTOL, STAGE_Y, STIFFNESS, USED, H, Y
from .simd import (
    WIDTH,
    compiled,
    compiled_for,
    fma,
    larger,
    load,
    magnitude,
    never_inline,
    smaller,
    splat,
    square_root,
    store,
)

#: Stages with those of the dense output; stage 12 is the rate at the end of the step.
ALL_STAGES = STAGES + 1 + EXTRA_STAGES
#: The estimate of the error over e5 (e6/e3)^{3/4}. Of 10,144 steps of 1,500 random models, taken at half to twice their
#: size, 99 % have an error inside the step (the dense output's, a hundred times that at its end) below ten estimates.
ERROR_SCALE = 20.0
STAGE_START, STAGE_OF, STAGE_WEIGHT = STAGE_ROWS
ERROR_START, ERROR_OF, ERROR_WEIGHT = ERROR_ROWS
DENSE_START, DENSE_OF, DENSE_WEIGHT = DENSE_ROWS


@compiled()
def inverse_scale(work, base):
    """1/(atol + rtol max(|y|, |y'|)): the unit that an error is measured in."""
    largest = larger(magnitude(load(work, Y + base)), magnitude(load(work, NEW_Y + base)))
    return 1.0 / fma(largest, load(work, RTOL), load(work, ATOL))


@compiled()
def _square(setup, work, row):
    """Σ over the components of (Σ_j e_j k_j / scale)², for one row of error weights."""
    never_inline()
    square = splat(0.0)
    for base in range(0, setup[USED] * WIDTH, 2 * WIDTH):
        left, right = splat(0.0), splat(0.0)
        for k in range(ERROR_START[row], ERROR_START[row + 1]):
            at, weight = RATES + ERROR_OF[k] * BLOCK + base, splat(ERROR_WEIGHT[k])
            left, right = fma(load(work, at), weight, left), fma(load(work, at + WIDTH), weight, right)
        left, right = left * load(work, INVERSE_SCALE + base), right * load(work, INVERSE_SCALE + base + WIDTH)
        square = fma(left, left, fma(right, right, square))
    return square


@compiled()
def _estimate_error(setup, work):
    """The error of the step from its stages, and |h λ|, squared.

    e3, e5 and e6 = O(h^4), O(h^6), O(h^7) are errors of embedded solutions; e5 (e6/e3)^{3/4} = O(h^{8.25}) follows the
    error of the solution. e5 is the norm over three independent formulas: a single one passes through 0 where steps are
    too long for its leading term, and the estimate with it.

    |h λ| compares the rates at two points that are both at the end of the step; where stability limits the steps it
    stays at the edge of the stability region (Hairer and Wanner, volume II, section IV.2).
    """
    never_inline()
    step = load(work, H)
    for base in range(0, setup[USED] * WIDTH, WIDTH):
        store(work, INVERSE_SCALE + base, inverse_scale(work, base))
    square_3 = _square(setup, work, 0)
    square_5 = _square(setup, work, 1) + _square(setup, work, 2) + _square(setup, work, 3)
    ratio = smaller(_square(setup, work, 4) / larger(square_3, splat(1e-300)), splat(1.0))
    ratio = ratio / square_root(square_root(larger(ratio, splat(1e-300))))
    store(work, ERROR, step * step * (square_5 * ratio) * (ERROR_SCALE * ERROR_SCALE))
    rate_change, distance = splat(0.0), splat(1e-300)
    for base in range(0, setup[USED] * WIDTH, WIDTH):
        change = load(work, RATES + STAGES * BLOCK + base) - load(work, RATES + (STAGES - 1) * BLOCK + base)
        move = load(work, NEW_Y + base) - load(work, STAGE_Y + base)
        rate_change, distance = fma(change, change, rate_change), fma(move, move, distance)
    store(work, STIFFNESS, step * step * (rate_change / distance))


@compiled()
def _interpolate(setup, work):
    """Coefficients of the dense output, from the step's stages and three more."""
    never_inline()
    step = load(work, H)
    for base in range(0, setup[USED] * WIDTH, WIDTH):
        move = load(work, NEW_Y + base) - load(work, Y + base)
        start, end = load(work, RATES + base), load(work, RATES + STAGES * BLOCK + base)
        store(work, DENSE_AT + base, move)
        store(work, DENSE_AT + BLOCK + base, step * start - move)
        store(work, DENSE_AT + 2 * BLOCK + base, move * 2.0 - step * (start + end))
        for row in range(4):
            total = splat(0.0)
            for k in range(DENSE_START[row], DENSE_START[row + 1]):
                total = fma(load(work, RATES + DENSE_OF[k] * BLOCK + base), splat(DENSE_WEIGHT[k]), total)
            store(work, DENSE_AT + (3 + row) * BLOCK + base, step * total)


@lru_cache
def explicit_of(field: Any) -> tuple[Any, Any]:
    """The step along ``field``, and the dense output of a step that has been taken."""

    @compiled_for(field)
    def stages(setup, quadrature, tables, work, first, last):
        """Rates of the stages ``first`` to ``last``, at y + h Σ_j a_ij k_j; stage 12 is the new state."""
        never_inline()
        step = load(work, H)
        for stage in range(first, last + 1):
            target = NEW_Y if stage == STAGES else STAGE_Y
            for base in range(0, setup[USED] * WIDTH, 2 * WIDTH):
                left, right = splat(0.0), splat(0.0)
                for k in range(STAGE_START[stage], STAGE_START[stage + 1]):
                    at, weight = RATES + STAGE_OF[k] * BLOCK + base, splat(STAGE_WEIGHT[k])
                    left, right = fma(load(work, at), weight, left), fma(load(work, at + WIDTH), weight, right)
                store(work, target + base, fma(step, left, load(work, Y + base)))
                store(work, target + base + WIDTH, fma(step, right, load(work, Y + base + WIDTH)))
            field(setup, quadrature, tables, work, target, RATES + stage * BLOCK)

    @compiled_for(field)
    def step(setup, quadrature, tables, work):
        """From y and the rates there (stage 0) to the new state, the rates there (stage 12), and the error, squared."""
        never_inline()
        stages(setup, quadrature, tables, work, 1, STAGES)
        _estimate_error(setup, work)

    @compiled_for(field)
    def dense(setup, quadrature, tables, work):
        never_inline()
        stages(setup, quadrature, tables, work, STAGES + 1, ALL_STAGES - 1)
        _interpolate(setup, work)

    return step, dense
