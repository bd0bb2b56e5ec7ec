"""The effective dimension of items: D for Gaussian ones, 1/variance of the overlaps for a small β."""

import math

import numpy as np
import pytest

from iclrace.theory import effective_dimension


@pytest.mark.parametrize(("dimension", "beta"), [(8, 1.0), (31, 2.0), (63, 3.0)])
def test_gaussian_items_have_the_gaussian_factor_of_their_dimension(dimension, beta):
    """⟨e^{βx·x′}⟩ of Gaussian items is (1 − β²/D²)^{−D/2} exactly: e^{β²/2D} up to β⁴/(4D³) in the logarithm."""
    found = [
        effective_dimension(np.random.default_rng(s).normal(size=(1500, dimension)) / math.sqrt(dimension), beta)
        for s in range(8)
    ]
    exact = beta**2 / (-dimension * math.log1p(-(beta**2) / dimension**2))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - exact) < 4 * error + 1e-3 * exact


def test_a_small_beta_gives_the_inverse_variance_of_the_overlaps():
    items = np.sign(np.random.default_rng(1).normal(size=(400, 20))) / math.sqrt(20)
    overlaps = (items @ items.T)[~np.eye(400, dtype=bool)]
    mean, beta = overlaps.mean(), 1e-3
    exact = beta**2 / (2 * math.log(np.exp(beta * overlaps).mean()))
    assert effective_dimension(items, beta) == pytest.approx(exact, rel=1e-6)
    centred = beta**2 / (2 * (0.5 * beta**2 * (overlaps**2).mean() + beta * mean))
    assert effective_dimension(items, beta) == pytest.approx(centred, rel=1e-2)


def test_items_that_repel_have_no_dimension_and_bad_ones_are_named():
    assert math.isinf(effective_dimension(np.eye(4) - 0.25, 0.1))
    for items, beta, argument in (
        (np.ones(3), 1.0, "items"),
        (np.ones((1, 3)), 1.0, "items"),
        (np.eye(3), 0.0, "beta"),
    ):
        with pytest.raises(ValueError, match=f"Argument '{argument}' must"):
            effective_dimension(items, beta)


def test_blocks_do_not_change_the_mean():
    items = np.random.default_rng(2).normal(size=(1100, 5)) / math.sqrt(5)
    scores = 1.3 * (items @ items.T)
    mean = np.exp(scores[~np.eye(1100, dtype=bool)]).mean()
    assert effective_dimension(items, 1.3) == pytest.approx(1.3**2 / (2 * math.log(mean)), rel=1e-10)
