"""The error formulas of the explicit method satisfy their order conditions, and miss those of the next order."""

import math
from functools import cache

import numpy as np
import pytest

from iclrace.simulate.kernel.dop853 import ERROR_ROWS, STAGE_ROWS, STAGES


def unpacked(rows, columns):
    start, stages, weights = rows
    table = np.zeros((len(start) - 1, columns))
    for row in range(len(table)):
        part = slice(start[row], start[row + 1])
        table[row, stages[part]] = weights[part]
    return table


A = unpacked(STAGE_ROWS, STAGES + 4)[: STAGES + 1, : STAGES + 1]
SOLUTION, ERRORS = A[STAGES], unpacked(ERROR_ROWS, STAGES + 1)


@cache
def trees(order):
    """Rooted trees with ``order`` nodes, each the sorted tuple of the trees below its root."""

    def forests(left, largest):
        if left == 0:
            yield ()
        for size in range(1, min(left, largest) + 1):
            yield from ((tree, *rest) for tree in trees(size) for rest in forests(left - size, size))

    return sorted({tuple(sorted(forest)) for forest in forests(order - 1, order - 1)})


def order_of(tree):
    return 1 + sum(map(order_of, tree))


def density(tree):
    return order_of(tree) * math.prod(map(density, tree))


def elementary(tree):
    """The tree's elementary weight of every stage."""
    return math.prod((A @ elementary(below) for below in tree), start=np.ones(STAGES + 1))


def test_the_solution_has_order_8():
    assert [len(trees(order)) for order in range(1, 9)] == [1, 1, 2, 4, 9, 20, 48, 115]
    for order in range(1, 9):
        for tree in trees(order):
            # sums of 13 products of numbers up to 40, rounded to 1.1e-16 each
            assert SOLUTION @ elementary(tree) == pytest.approx(1.0 / density(tree), abs=13 * 40 * 1.1e-16)


@pytest.mark.parametrize(("row", "order"), list(enumerate((3, 5, 5, 5, 6))))
def test_an_error_vanishes_to_its_order_and_no_further(row, order):
    def largest(nodes):
        return max(abs(ERRORS[row] @ elementary(tree)) for tree in trees(nodes))

    assert max(map(largest, range(1, order + 1))) < 13 * 40 * 1.1e-16
    assert largest(order + 1) > 1e-8


def test_the_errors_of_order_5_are_independent():
    assert np.linalg.matrix_rank(ERRORS[1:], tol=1e-3) == 4
