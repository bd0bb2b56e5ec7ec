"""Every example in a docstring of the theory runs and prints what it says."""

import doctest
import importlib
import math
import pkgutil

import numpy as np
import pytest

import iclrace.theory

MODULES = sorted(module.name for module in pkgutil.walk_packages(iclrace.theory.__path__, prefix="iclrace.theory."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    # what a user has at hand: the names of the room, math and numpy
    at_hand = {**vars(iclrace.theory), **vars(module), "math": math, "np": np}
    result = doctest.testmod(module, extraglobs=at_hand)
    assert result.failed == 0


def test_public_names_have_examples():
    public = [getattr(iclrace.theory, name) for name in iclrace.theory.__all__]
    undocumented = [item.__name__ for item in public if callable(item) and ">>>" not in (item.__doc__ or "")]
    assert undocumented == []


def test_public_functions_state_source_and_errors():
    for name in iclrace.theory.__all__:
        text = " ".join((getattr(iclrace.theory, name).__doc__ or "").split())
        refers = "as for :func:" in text
        assert refers or "Source:" in text or name in {"Estimate", "Task"}, name
        takes_nothing = name in {"exponents", "effective_context", "Exponent", "FixedPoint", "Memory", "Rung"}
        assert refers or takes_nothing or "Raises ------" in text or name == "AcquisitionDistribution", name
