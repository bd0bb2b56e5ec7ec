"""Every example in a docstring of the room runs and prints what it says."""

import doctest
import importlib
import pkgutil

import iclrace.simulate
import numpy as np
import pytest

MODULES = sorted(module.name for module in pkgutil.walk_packages(iclrace.simulate.__path__, prefix="iclrace.simulate."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    at_hand = {**vars(iclrace.simulate), **vars(module), "np": np}
    assert doctest.testmod(module, extraglobs=at_hand).failed == 0
