"""A measured memory as tables for the kernel: margins and c1 on the union of the runs' own readings."""

import numpy as np
from numpy.typing import NDArray

from ...theory import MeasuredMemory

Array = NDArray[np.float64]


def memory_tables(memory: MeasuredMemory, diversities: Array) -> Array:
    """(diversity, reading, clock | margins… | c1); shorter tables repeat their last reading.

    Theory interpolates linearly in the fraction of the total clock between readings, and mixes two runs; on the union
    of the runs' fractions the mixture is linear between readings again, so that the tables hold it exactly.
    """
    fractions = np.unique(np.concatenate([np.divide(run.clock, run.total or run.clock[-1]) for run in memory.runs]))
    tables = []
    for diversity in diversities:
        total = float(memory.total_clock(diversity)) * memory.rate_ratio
        clock = fractions * total
        margins, _ = memory.margins(clock, float(diversity))
        tables.append(np.column_stack([clock, margins, memory.c1(clock, float(diversity))]))
    return np.ascontiguousarray(np.stack(tables))


def level_of_table(tables: Array, level: float) -> Array:
    """Clock at which c1 first falls below ``level`` in each table; ``inf`` where it never does."""
    clocks = np.full(len(tables), np.inf)
    for i, table in enumerate(tables):
        clock, c1 = table[:, 0], table[:, -1]
        below = np.flatnonzero(c1 < level)
        if len(below) and below[0] > 0:
            k = below[0]
            clocks[i] = clock[k - 1] + (c1[k - 1] - level) / (c1[k - 1] - c1[k]) * (clock[k] - clock[k - 1])
        elif len(below):
            clocks[i] = clock[0]
    return clocks
