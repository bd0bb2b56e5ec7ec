"""The examples in the docstrings of the figures run as they stand."""

import doctest

import pytest

from iclrace.figures import catalogue, style


@pytest.mark.parametrize("module", [catalogue, style], ids=lambda module: module.__name__)
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted >= 2 and found.failed == 0
