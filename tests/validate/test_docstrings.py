"""Every example in a docstring of the room runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import iclrace.validate

MODULES = sorted(module.name for module in pkgutil.walk_packages(iclrace.validate.__path__, prefix="iclrace.validate."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={**vars(iclrace.validate), **vars(module)}).failed == 0


def test_public_functions_have_examples():
    """Of those that train nothing; the documentation's blocks run the others."""
    training = {"collect", "run", "train", "train_jobs", "train_memories", "train_memory", "open_executor"}
    predicting = {"measured_memory", "predict_acquisition", "predict_clock", "predict_threshold"}  # from training
    public = {name: getattr(iclrace.validate, name) for name in iclrace.validate.__all__}
    functions = {name for name, one in public.items() if callable(one) and not isinstance(one, type)}
    assert {name for name in functions - training - predicting if ">>>" not in (public[name].__doc__ or "")} <= {
        "split"
    }
