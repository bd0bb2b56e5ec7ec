"""Every example in a docstring of the room runs and prints what it says."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import iclrace.simulate

MODULES = sorted(module.name for module in pkgutil.walk_packages(iclrace.simulate.__path__, prefix="iclrace.simulate."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    at_hand = {**vars(iclrace.simulate), **vars(module), "np": np}
    assert doctest.testmod(module, extraglobs=at_hand).failed == 0


def test_public_names_have_examples():
    public = [getattr(iclrace.simulate, name) for name in iclrace.simulate.__all__]
    assert [item.__name__ for item in public if callable(item) and ">>>" not in (item.__doc__ or "")] == []


def test_public_names_state_their_source():
    public = [getattr(iclrace.simulate, name) for name in iclrace.simulate.__all__]
    exempt = {"beta0_quantiles"}  # made of a definition alone
    missing = [item.__name__ for item in public if callable(item) and "Source:" not in (item.__doc__ or "")]
    assert set(missing) <= exempt
