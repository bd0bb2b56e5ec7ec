"""Every option that is a number, of every command: a list gives a row each, or a sentence says that it cannot."""

import json
import math
import sys
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import xarray as xr

from iclrace.cli import main
from iclrace.cli.app import app
from iclrace.theory import Estimate
from iclrace.validate.predict.forecast import Forecast

#: Numbers that settle how something is computed, or when it ends, and not what is asked: one each.
ONE = {
    "draws", "points", "members", "calibration_seeds", "seed", "seeds", "evaluate_every", "test_size",
    "stop_memorised", "stop_lost", "hours",
}  # fmt: skip
#: A network of one's own is one preset, whose scan is over K.
ONE_OF_VALIDATE = ONE | {"context_length", "dimension", "width", "learning_rate", "budget"}

#: A list and a range for every option that takes them, and the values that they stand for.
GIVEN = {
    "context_length": ("8:10:2", [8, 10]), "task_diversity": ("64,128", [64, 128]), "dimension": ("7,15", [7, 15]),
    "copies": ("1:2:1", [1, 2]), "beta0": ("0,0.5", [0, 0.5]), "w0": ("0:0.1:0.1", [0, 0.1]),
    "budget": ("50:60:10", [50, 60]), "decay": ("0,1e-3", [0, 1e-3]), "amplitude": ("3,4", [3, 4]),
    "exponent": ("0.6:0.7:0.1", [0.6, 0.7]), "beta0_mean": ("0,0.5", [0, 0.5]), "beta0_std": ("0.5,1", [0.5, 1]),
    "width": ("8,12", [8, 12]), "layers": ("2,3", [2, 3]), "depth": ("1,2", [1, 2]), "noise": ("0,0.1", [0, 0.1]),
    "learning_rate": ("0.05,0.1", [0.05, 0.1]), "rate_ratio": ("1,2", [1, 2]), "momentum": ("0,0.5", [0, 0.5]),
    "batch_size": ("8:16:8", [8, 16]), "decay_memory": ("0,0.1", [0, 0.1]), "attention_scale": ("1,2", [1, 2]),
    "residual_scale": ("1,2", [1, 2]), "frequency_exponent": ("0,1", [0, 1]), "fresh_share": ("0,0.5", [0, 0.5]),
}  # fmt: skip

#: What makes a command quick, unless it is what varies.
QUICK = {
    "curves acquisition": "--context-length=8 --beta0=0", "curves threshold": "--context-length=8 --beta0=0",
    "simulate phases": "--context-length=8 --task-diversity=64 --draws=2",
    "simulate acquisition": "--context-length=8 --draws=2",
    "simulate transience": "--context-length=8 --task-diversity=64 --decay=1e-3 --budget=1e3",
    "simulate balanced": "--context-length=8 --task-diversity=64 --draws=2",
    "simulate run": "--context-length=8 --task-diversity=64 --points=2", "predict": "--context-length=8",
    "train": "--context-length=8 --dimension=7 --task-diversity=64 --width=8 --layers=2 --batch-size=8 "
    "--learning-rate=0.1 --budget=1 --test-size=20",
}  # fmt: skip


def quick(command, *, but=""):
    """The line, without what is given for the option ``but``."""
    return " ".join([command, *(one for one in QUICK[command].split() if one.split("=")[0] != but)])


@dataclass(frozen=True)
class Option:
    """An option that is a number; ``takes_many`` where its type is a list."""

    command: str
    name: str
    takes_many: bool

    @property
    def spelt(self):
        return f"--{self.name.replace('_', '-')}"


def commands(group=app, path=""):
    """(name as it is typed, function) of every command."""
    for one in group.registered_commands:
        yield f"{path}{one.name or one.callback.__name__}", one.callback
    for one in group.registered_groups:
        yield from commands(one.typer_instance, f"{one.name} ")


def number_options():
    for command, function in commands():
        for name, hint in get_type_hints(function).items():
            kinds = {hint} if get_origin(hint) is list else {hint, *get_args(hint)}
            if kinds & {list[int], list[float], list[Any]}:
                yield Option(command, name, True)
            elif kinds & {int, float}:
                yield Option(command, name, False)


OPTIONS = list(number_options())
MANY = [one for one in OPTIONS if one.takes_many]
SINGLE = [one for one in OPTIONS if not one.takes_many]


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    """Exit code, output and errors of a line."""
    monkeypatch.chdir(tmp_path)

    def run(line):
        monkeypatch.setattr(sys, "argv", ["iclrace", *line.split()])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capfd.readouterr()

    return run


def forecast_of(context_length, dimension, width, *, task_diversity=None, budget, **settings):
    """A forecast whose numbers tell what was asked: K* is the product of all settings, each with one added."""
    product = math.prod(1 + one for one in (context_length, dimension, width, budget))
    product *= math.prod(1 + one for one in settings.values() if isinstance(one, int | float))
    names = ("icl_accuracy", "iwl_accuracy", "time_acquired")
    diversities = [64.0, 128.0] if task_diversity is None else list(map(float, task_diversity))
    columns = {f"{name}{end}": ("task_diversity", diversities) for name in names for end in ("", "_low", "_high")}
    phases = ["memorises"] * len(diversities)
    curve = xr.Dataset({**columns, "phase": ("task_diversity", phases)}, {"task_diversity": diversities})
    return Forecast(Estimate.exact(product), Estimate.exact(1.0), curve, budget, ["assumed"], ["read"])


def table(command, line):
    code, printed, error = command(f"{line} --json")
    assert code == 0, error
    return json.loads(printed)


def bare(rows, column):
    """The rows without a column, which those of one value lack, and without notes that are empty."""
    return [{name: value for name, value in row.items() if name != column and value != ""} for row in rows]


def test_every_option_of_every_command_is_known_here():
    """What is one number is so by intention, and the rest has values here."""
    for one in SINGLE:
        assert one.name in (ONE_OF_VALIDATE if one.command == "validate" else ONE), one
    assert {one.name for one in MANY} == set(GIVEN)
    assert {one.command for one in MANY} == {*QUICK, "validate"}
    assert len(MANY) > 80


def _named(one):
    return f"{one.command} {one.spelt}"


#: The scan of ``validate`` trains presets, and the minimal model's forecast its perceptrons: both have their own tests.
TRIED_ELSEWHERE = [("validate", "task_diversity"), ("predict", "beta0"), ("predict", "w0")]


LISTS = [
    pytest.param(one, marks=pytest.mark.slow if one.command == "train" else (), id=_named(one))
    for one in MANY
    if (one.command, one.name) not in TRIED_ELSEWHERE
]


@pytest.mark.parametrize("option", LISTS)
def test_a_list_gives_the_rows_of_its_values_one_after_the_other(command, monkeypatch, option):
    monkeypatch.setattr("iclrace.validate.predict.forecast.predict", forecast_of)
    text, values = GIVEN[option.name]
    line = quick(option.command, but=option.spelt)
    if (option.command, option.name) in [("train", "beta0"), ("train", "w0")]:
        line += " --network=minimal"
    rows = table(command, f"{line} {option.spelt}={text}")
    one_by_one = [table(command, f"{line} {option.spelt}={value}") for value in values]
    found = [float(row[option.name]) for row in rows]
    assert sorted(set(found)) == values
    in_order = [rows[i] for i in np.argsort(found, kind="stable")]
    assert bare(in_order, option.name) == bare([row for part in one_by_one for row in part], option.name)


@pytest.mark.parametrize("option", SINGLE, ids=_named)
def test_one_number_is_asked_for_by_name(command, option):
    preset = "--preset mine" if option.command == "validate" else ""
    for text in ("1,2", "1:3:1"):
        code, printed, error = command(f"{option.command} {preset} {option.spelt}={text}")
        assert code == 2 and not printed
        assert len(error.strip().splitlines()) == 1 and f"'{option.spelt}" in error and repr(text) in error


@pytest.mark.parametrize("option", MANY, ids=_named)
def test_what_is_no_list_of_numbers_is_refused_by_name(command, option):
    code, printed, error = command(f"{option.command} {option.spelt}=1,two")
    assert code == 2 and not printed
    assert len(error.strip().splitlines()) == 1 and option.spelt in error and "'1,two'" in error


def test_options_that_vary_together_are_combined(command):
    rows = table(
        command, "curves threshold -N 25,50 --beta0=0,1 --copies 1,2 --budget 1e4,inf -A 3,4 --exponent 0.6,0.7"
    )
    names = ("context_length", "beta0", "copies", "budget", "amplitude", "exponent")
    assert len({tuple(row[name] for name in names) for row in rows}) == len(rows) == 64


def test_a_starting_attention_is_drawn_beside_those_that_are_given(command):
    rows = table(command, f"{quick('train')} --network minimal --beta0=random,0,0.5")
    assert [row["beta0"] for row in rows] == ["random", 0, 0.5]
