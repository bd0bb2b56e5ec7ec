"""What a run and a perceptron's training may be made of, and what they are stored as."""

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest

from iclrace.theory import Task
from iclrace.validate import MemoryTraining, Run
from iclrace.validate.training.config import content_key, json_text

RUN = Run("minimal", Task(8, 16, 7), 0, width=8, batch_size=16, test_size=64)
TRAINING = MemoryTraining(16, 0, dimension=7, width=8)
INTEGERS = ("seed", "width", "layers", "batch_size", "test_size", "depth", "dimension", "task_diversity")
NUMBERS = ("learning_rate", "rate_ratio", "decay_attention", "decay_memory", "budget", "evaluate_every", "w0", "beta0",
           "stop_memorised", "stop_lost", "frequency_exponent", "noise", "fresh_share", "attention_scale",
           "residual_scale", "until", "input_scale")  # fmt: skip


def numeric(one, names):
    return [field.name for field in fields(one) if field.name in names]


@pytest.mark.parametrize("one", [RUN, TRAINING])
def test_only_finite_numbers_are_taken(one):
    for name in numeric(one, NUMBERS):
        for bad in (math.inf, -math.inf, math.nan, "0.1", 1j, np.ma.masked, [0.1]):
            with pytest.raises(ValueError, match=f"Argument '{name}' must"):
                replace(one, **{name: bad})
    for name in numeric(one, INTEGERS):
        for bad in (1.5, "1", -1, math.nan, True):
            with pytest.raises(ValueError, match=f"Argument '{name}' must"):
                replace(one, **{name: bad})


@pytest.mark.parametrize("one", [RUN, TRAINING])
def test_scalars_of_numpy_are_pythons_numbers(one):
    names = numeric(one, INTEGERS) + numeric(one, NUMBERS)
    given = {name: np.asarray(getattr(one, name))[()] for name in names}
    assert all(isinstance(value, np.generic) for value in given.values())
    same = replace(one, **given)
    assert same == one
    assert all(type(getattr(same, name)) is type(getattr(one, name)) for name in names)
    assert content_key(same.as_json()) == content_key(one.as_json())
    assert json.loads(json_text(same.as_json())) == json.loads(json_text(one.as_json()))
