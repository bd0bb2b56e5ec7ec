"""The compiled moments of rows: the tokens' own, whatever stands beside them; padding counts for nothing."""

import numpy as np
import pytest

from iclrace.validate.networks.kernels import pad_rows, padded_width, row_moments

EPSILON = 1e-5


@pytest.mark.parametrize("dimension", [5, 15, 16, 31, 63, 99])
@pytest.mark.parametrize("rows", [1, 63, 64, 65, 200])
def test_moments_of_rows_are_those_of_their_tokens(dimension, rows):
    items = np.random.default_rng(dimension).standard_normal((rows, dimension)).astype(np.float32)
    padded = pad_rows(items)
    padded[:, dimension:] = np.nan  # whatever memory held: it is set to zero first
    moments = row_moments(padded, dimension, EPSILON)
    assert not padded[:, dimension:].any() and np.array_equal(padded[:, :dimension], items)
    tokens = np.concatenate([items, np.tile([1.0, 0.0], (rows, 1))], 1).astype(np.float64)
    # A sum of d numbers of order 1 is exact to d roundings, and so are, relatively, a variance and its root.
    atol = (dimension + 2) * np.finfo(np.float32).eps
    np.testing.assert_allclose(moments[:, 0], tokens.mean(1), atol=atol)
    np.testing.assert_allclose(moments[:, 1], (tokens.var(1) + EPSILON) ** -0.5, rtol=atol)


def test_moments_of_a_row_have_the_same_bits_alone_and_among_others():
    """Cores take many rows at once; how many must not be seen."""
    padded = np.random.default_rng(0).standard_normal((150, padded_width(63))).astype(np.float32)
    together = row_moments(padded.copy(), 63, EPSILON)
    alone = np.concatenate([row_moments(padded[row : row + 1].copy(), 63, EPSILON) for row in range(len(padded))])
    assert np.array_equal(together, alone)
