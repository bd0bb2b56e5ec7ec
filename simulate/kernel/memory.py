"""The memory on a vector of lanes, which every field averages its residual over and drives by it."""

from .elementary import exp, exp_within, log
from .layout import (
    GROWTH_EXPONENT,
    INVERSE_MARGIN_SCALE,
    KIND,
    MEASURED,
    MEMORY_RATE,
    NO_MEMORY,
    POWER_LAW,
    SCRATCH,
    TABLE,
)
from .simd import WIDTH, compiled, fma, greater, larger, lesser, load, never_inline, smaller, splat, store, whole

#: Clips of the margin: beyond them σ is 0 or 1 to the last bit.
MARGIN_MIN, MARGIN_MAX = -300.0, 340.0
#: The homogeneous law lives on φ > −p.
GROWTH_MIN = 1e-300


@compiled()
def _reading(tables, work, source, lane):
    """The reading of the lane's table that stands last at or before its memory state."""
    table, (_, readings, _) = whole(work[TABLE * WIDTH + lane]), tables.shape
    state = work[source + 2 * WIDTH + lane]
    low, high = 0, readings - 1
    while high - low > 1:
        middle = (low + high) // 2
        if tables[table, middle, 0] <= state:
            low = middle
        else:
            high = middle
    return low


@compiled()
def _margins(tables, work, source):
    """Margins at the memory states of block ``source`` into SCRATCH (a vector for each quantile), and c1 after them.

    A table is (clock, margins…, c1) on its own grid; linear between readings, constant beyond the last.
    """
    never_inline()
    _, readings, columns = tables.shape
    quantiles = columns - 2
    for lane in range(WIDTH):
        table, low = tables[whole(work[TABLE * WIDTH + lane])], _reading(tables, work, source, lane)
        high = low + 1 if low + 1 < readings else low
        width = table[high, 0] - table[low, 0]
        passed = work[source + 2 * WIDTH + lane] - table[low, 0]
        share = lesser(greater(passed / width, 0.0), 1.0) if width > 0.0 else 1.0
        for quantile in range(quantiles + 1):
            left, right = table[low, 1 + quantile], table[high, 1 + quantile]
            work[SCRATCH + quantile * WIDTH + lane] = left + share * (right - left)


@compiled()
def _slopes(tables, work, source):
    """Derivatives of the margins and of c1 by the memory state, behind the margins and c1: 0 beyond the readings."""
    never_inline()
    _, readings, columns = tables.shape
    quantiles = columns - 2
    for lane in range(WIDTH):
        table, low = tables[whole(work[TABLE * WIDTH + lane])], _reading(tables, work, source, lane)
        state, high = work[source + 2 * WIDTH + lane], low + 1 if low + 1 < readings else low
        inside = table[low, 0] <= state < table[high, 0]
        for quantile in range(quantiles + 1):
            rise = table[high, 1 + quantile] - table[low, 1 + quantile]
            slope = rise / (table[high, 0] - table[low, 0]) if inside else 0.0
            work[SCRATCH + (quantiles + 1 + quantile) * WIDTH + lane] = slope


@compiled()
def read_margins(setup, tables, work, source):
    """Margins at the states in block ``source`` into SCRATCH, a vector for each quantile; how many quantiles."""
    kind = setup[KIND]
    quantiles = 1
    if kind == MEASURED:
        _, _, columns = tables.shape
        quantiles = columns - 2
        _margins(tables, work, source)
    elif kind == POWER_LAW:
        store(work, SCRATCH, load(work, source + 2 * WIDTH))
    else:
        store(work, SCRATCH, splat(0.0))
    return quantiles


@compiled()
def store_growth(setup, work, source, target, residual, quantiles):
    """Rates of the memory and of its clock, from the mean residual, into block ``target``; after ``read_margins``."""
    kind = setup[KIND]
    if kind != NO_MEMORY:
        growth = load(work, MEMORY_RATE * WIDTH) * residual
        if kind == POWER_LAW:
            margin = load(work, source + 2 * WIDTH)
            base = larger(fma(margin, load(work, INVERSE_MARGIN_SCALE * WIDTH), splat(1.0)), splat(GROWTH_MIN))
            growth = growth * exp(load(work, GROWTH_EXPONENT * WIDTH) * log(base))
            clipped_margin = smaller(larger(margin, splat(MARGIN_MIN)), splat(MARGIN_MAX))
            c1 = 1.0 / (1.0 + exp_within(clipped_margin))
        else:
            c1 = load(work, SCRATCH + quantiles * WIDTH)
        store(work, target + 2 * WIDTH, growth)
        store(work, target + 3 * WIDTH, c1)


@compiled()
def read_slopes(setup, tables, work, source, quantiles):
    """Derivatives of each quantile's margin and of c1 by the memory into SCRATCH, behind what ``read_margins`` left."""
    kind, behind = setup[KIND], SCRATCH + (quantiles + 1) * WIDTH
    if kind == MEASURED:
        _slopes(tables, work, source)
    elif kind == POWER_LAW:
        below = 1.0 / (1.0 + exp_within(smaller(larger(load(work, SCRATCH), splat(MARGIN_MIN)), splat(MARGIN_MAX))))
        store(work, behind, splat(1.0))
        store(work, behind + WIDTH, below * (below - 1.0))
    else:
        store(work, behind, splat(0.0))


@compiled()
def growth_and_slope(setup, work, source, residual):
    """What the memory grows by per unit of the mean residual, and the derivative of its rate by its state at that."""
    growth, slope = load(work, MEMORY_RATE * WIDTH), splat(0.0)
    if setup[KIND] == POWER_LAW:
        inverse, exponent = load(work, INVERSE_MARGIN_SCALE * WIDTH), load(work, GROWTH_EXPONENT * WIDTH)
        base = larger(fma(load(work, source + 2 * WIDTH), inverse, splat(1.0)), splat(GROWTH_MIN))
        growth = growth * exp(exponent * log(base))
        slope = growth * exponent * inverse / base * residual
    return growth, slope
