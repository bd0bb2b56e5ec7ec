"""Conditions whose K* is a known function of their coordinates."""

import itertools

import numpy as np
import pytest
import xarray as xr

from iclrace.theory import Estimate
from iclrace.validate.rivals import Condition, Known

GRID = [
    {"context_length": n, "dimension": d, "width": w, "rate_ratio": r, "copies": m, "parameters": 100 * w}
    for n, d, w, r, m in itertools.product((7, 15, 31, 63), (15, 31), (64, 128), (1.0, 2.0), (1, 2))
]


def conditions(law, count=16, noise=0.0, seed=0, **said):
    """``count`` conditions at which ``law(at)`` was measured to 5 %; ``said`` are predictions, as laws, too."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(GRID))[:count]
    found = []
    for i in chosen:
        value = law(GRID[i]) * float(np.exp(noise * rng.normal()))
        predictions = {name: one(GRID[i]) for name, one in said.items()}
        found.append(Known(Condition(GRID[i], predictions), Estimate(value, value / 1.05, value * 1.05)))
    return found


def networks(time, accuracy, name, axes):
    """A dataset in which ``name`` rises through 95 % at ``accuracy(*point)``, over ``axes``."""
    values = np.empty([*map(len, axes.values()), time.size])
    for index in np.ndindex(values.shape[:-1]):
        at = accuracy(*(axis[i] for axis, i in zip(axes.values(), index, strict=True)))
        values[index] = np.clip(0.95 + 0.01 * (time - at), 0.5, 1.0)
    return xr.Dataset({name: ((*axes, "time"), values)}, {**axes, "time": time})


@pytest.fixture
def power_law():
    return lambda at: 20.0 * at["context_length"] ** 1.2 * at["rate_ratio"] ** 0.55
