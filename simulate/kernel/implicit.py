"""One Rosenbrock step of a block of lanes, for trajectories that stability rather than accuracy would slow down."""

from functools import lru_cache
from typing import Any

from ...theory.numerics.rodas5p import GAMMA, H1, H2, H3, STAGES, A, C
from .explicit import inverse_scale
from .jacobian import entry, jacobian_of
from .layout import (
    BLOCK,
    COMPONENTS,
    DENSE,
    DENSE_AT,
    END_RATES,
    ERROR,
    NEW_Y,
    RATES,
    STAGE_Y,
    STIFFNESS,
    USED,
    H,
    Y,
)
from .simd import WIDTH, compiled, compiled_for, fma, larger, load, never_inline, splat, store

#: Block of rates (beyond the eight stages and before the one at the end of the step) for what a stage evaluates.
SPARE = 9


@compiled()
def _invert(setup, work, inverse_step):
    """The inverse of 1/(γh) − J for the first three components, by cofactors: no pivots, no branches."""
    never_inline()
    for row in range(3):
        for column in range(3):
            value = load(work, entry(row, column)) * -1.0
            if column >= setup[USED] or row >= setup[USED]:
                value = splat(0.0)
            store(work, RATES + BLOCK + (row * 3 + column) * WIDTH, value + inverse_step if row == column else value)
    m = RATES + BLOCK
    determinant = splat(0.0)
    for column in range(3):
        for row in range(3):
            up, down, left, right = (row + 1) % 3, (row + 2) % 3, (column + 1) % 3, (column + 2) % 3
            product = load(work, m + (up * 3 + left) * WIDTH) * load(work, m + (down * 3 + right) * WIDTH)
            other = load(work, m + (up * 3 + right) * WIDTH) * load(work, m + (down * 3 + left) * WIDTH)
            cofactor = product - other
            store(work, entry(column, row), cofactor)  # transposed
            if row == 0:
                determinant = fma(load(work, m + column * WIDTH), cofactor, determinant)
    for row in range(3):
        for column in range(3):
            store(work, entry(row, column), load(work, entry(row, column)) / determinant)


@lru_cache
def rosenbrock_step_of(field: Any) -> Any:
    """The Rosenbrock step along ``field``, which leaves its dense output behind."""
    differentiate = jacobian_of(field)

    @compiled_for(field)
    def rosenbrock_step(setup, quadrature, tables, work):
        """From y and the rates there (block 0) to the new state, the rates there (block 12), error² and dense output.

        (1/(γh) − J) k_i = f(y + Σ_j a_ij k_j) + Σ_j C_ij k_j/h
        """
        never_inline()
        differentiate(setup, quadrature, tables, work)
        step = larger(load(work, H), splat(1e-290))
        inverse_step = 1.0 / step
        _invert(setup, work, inverse_step * (1.0 / GAMMA))
        for stage in range(STAGES):
            target = RATES + (1 + stage) * BLOCK
            source = RATES if stage == 0 else RATES + SPARE * BLOCK
            if stage > 0:
                for component in range(COMPONENTS):
                    base = component * WIDTH
                    total = load(work, Y + base)
                    for earlier in range(stage):
                        total = fma(load(work, RATES + (1 + earlier) * BLOCK + base), splat(A[stage, earlier]), total)
                    store(work, STAGE_Y + base, total)
                field(setup, quadrature, tables, work, STAGE_Y, source)
            for component in range(COMPONENTS):
                base = component * WIDTH
                total = splat(0.0)
                for earlier in range(stage):
                    total = fma(load(work, RATES + (1 + earlier) * BLOCK + base), splat(C[stage, earlier]), total)
                store(work, NEW_Y + base, fma(total, inverse_step, load(work, source + base)))
            for row in range(3):
                total = splat(0.0)
                for column in range(3):
                    total = fma(load(work, entry(row, column)), load(work, NEW_Y + column * WIDTH), total)
                store(work, target + row * WIDTH, total)
            # the clock: (1/γh) k = right-hand side + ∂c1/∂memory · k_memory
            driven = fma(load(work, entry(3, 2)), load(work, target + 2 * WIDTH), load(work, NEW_Y + 3 * WIDTH))
            store(work, target + 3 * WIDTH, driven * step * GAMMA)
        _close(setup, work)
        field(setup, quadrature, tables, work, NEW_Y, RATES + END_RATES)

    return rosenbrock_step


@compiled()
def _close(setup, work):
    """New state, error and dense output from the eight stages."""
    never_inline()
    square = splat(0.0)
    for component in range(COMPONENTS):
        base = component * WIDTH
        last = load(work, RATES + STAGES * BLOCK + base)
        end = load(work, STAGE_Y + base) + last
        store(work, NEW_Y + base, end)
        if component < setup[USED]:
            scaled = last * inverse_scale(work, base)
            square = fma(scaled, scaled, square)
        first, second, third = splat(0.0), splat(0.0), splat(0.0)
        for stage in range(STAGES):
            k = load(work, RATES + (1 + stage) * BLOCK + base)
            first, second = fma(k, splat(H1[stage]), first), fma(k, splat(H2[stage]), second)
            third = fma(k, splat(H3[stage]), third)
        store(work, DENSE_AT + base, end - load(work, Y + base))
        # (1 − x) (K1 + x (K2 + x K3)) in the nesting of the explicit method: x K3 = K3 − (1 − x) K3
        store(work, DENSE_AT + BLOCK + base, first)
        store(work, DENSE_AT + 2 * BLOCK + base, second + third)
        store(work, DENSE_AT + 3 * BLOCK + base, third * -1.0)
        for k in range(4, DENSE):
            store(work, DENSE_AT + k * BLOCK + base, splat(0.0))
    store(work, ERROR, square)
    store(work, STIFFNESS, splat(0.0))
