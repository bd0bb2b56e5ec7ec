"""The commands that compute theory: what they print is what Python returns, and bad input is refused by name."""

import csv
import json
import math
import sys

import numpy as np
import pytest

from iclrace import simulate as room
from iclrace.cli import main
from iclrace.theory import PowerLawMemory, Task, exponents

MEMORY = PowerLawMemory(3.9, 0.7)


@pytest.fixture
def command(monkeypatch, capfd):
    """Runs a command in this process; returns (exit code, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["iclrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capfd.readouterr()

    return run


def rows(command, *arguments):
    code, printed, error = command(*arguments, "--json")
    assert code == 0, error
    return json.loads(printed)


def column(table, name):
    return [float(row[name]) for row in table]


def test_phases(command):
    table = rows(command, "simulate", "phases", "-N", 50, "-N", 100, "-K", 100, "-K", 1e4, "--draws", 16)
    data = room.phase_diagram(Task(50), MEMORY, [50, 100], [100, 1e4], budget=1e5, draws=16)
    assert column(table, "probability") == data["probability"].values.ravel().tolist()
    assert [(row["context_length"], row["task_diversity"]) for row in table[:2]] == [(50.0, 100.0), (50.0, 1e4)]


@pytest.mark.parametrize(("diversity", "memory"), [(np.inf, None), (2000.0, MEMORY)])
def test_acquisition_with_censoring(command, diversity, memory):
    arguments = ("-N", 50, "-K", diversity, "--draws", 64, "--budget", 140)
    table = rows(command, "simulate", "acquisition", *arguments)
    data = room.coupled_acquisition_distribution(Task(50, diversity), [50], memory=memory, budget=140.0, draws=64)
    assert (
        column(table, "quantile_time") == data["quantile_time"].transpose("context_length", ...).values.ravel().tolist()
    )
    assert set(column(table, "censored")) == {float(data["censored"][0])}
    assert 0.4 < table[0]["censored"] < 0.6 and table[-1]["quantile_time"] == "inf"  # the median acquires at t = 140


def test_transience(command):
    table = rows(command, "simulate", "transience", "-K", 1000, "--decay", 0, "--decay", 1e-3, "--decay", 3e-3)
    data = room.transience(Task(100), MEMORY, [0.0, 1e-3, 3e-3], [1000], budget=1e6)
    assert [row["phase"] for row in table] == ["lasting", "transient", "no ICL"]
    np.testing.assert_array_equal(column(table, "time_lost"), data["time_lost"].values.ravel())


def test_balanced(command):
    table = rows(command, "simulate", "balanced", "-N", 50, "-K", 1e5, "--draws", 16, "--beta0-mean", 0.5, "-D", 63)
    task = Task(50, dimension=63, labels="balanced")
    data = room.balanced_fraction(task, MEMORY, [1e5], draws=16, beta0_mean=0.5)
    assert column(table, "probability") == data["probability"].values.ravel().tolist()
    assert table[1]["probability"] == 11 / 16  # P(β0 > 0) = Φ(1/2) = 0.69, of 16 quantiles


def test_run(command, tmp_path):
    code, printed, _ = command("simulate", "run", "-N", 50, "-K", "inf", "--csv", tmp_path / "run.csv")
    time = float(room.coupled_acquisition_time(room.CoupledModel(Task(50)), 0.0))
    assert code == 0 and f"acquired at t = {time:.5g}" in printed
    with (tmp_path / "run.csv").open() as file:
        accuracy = [float(row["icl_accuracy"]) for row in csv.DictReader(file)]
    assert accuracy[0] == 0.5 and accuracy[-1] > 0.99


@pytest.mark.parametrize("name", ["phases", "acquisition", "transience", "balanced", "run"])
@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("-N", 1, "context_length"),
        ("-K", 0.5, "task_diversity"),
        ("--amplitude", 0, "amplitude"),
        ("--exponent", -1, "exponent"),
        ("--dimension", 0, "dimension"),
    ],
)
def test_bad_options_are_named(command, name, option, value, named):
    code, printed, error = command("simulate", name, option, value)
    assert code == 2 and not printed
    assert f"'{named}' must" in error and len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("phases", "--budget", -1), "budget"),
        (("phases", "--draws", 0), "draws"),
        (("phases", "--beta0-std", -1), "beta0_std"),
        (("phases", "--beta0-mean", "nan"), "beta0"),
        (("phases", "--copies", 100), "copies"),
        (("phases", "--labels", "fair"), "labels"),
        (("phases", "-K", 100, "-K", 100), "task_diversity"),
        (("acquisition", "--budget", 0), "budget"),
        (("acquisition", "-N", 50, "-N", 51, "--labels", "balanced"), "context_length"),
        (("transience", "--budget", "inf"), "budget"),
        (("transience", "--decay", -1), "decay"),
        (("transience", "--beta0", "inf"), "beta0"),
        (("balanced", "--budget", "nan"), "budget"),
        (("balanced", "-N", 51), "context_length"),
        (("balanced", "--draws", -3), "draws"),
        (("run", "--budget", "nan"), "budget"),
        (("run", "--points", 1), "points"),
        (("run", "--decay", -1), "decay_w"),
        (("run", "--w0", "nan"), "w0"),
    ],
)
def test_bad_values_are_named(command, arguments, named):
    code, printed, error = command("simulate", *arguments)
    assert code == 2 and not printed
    assert f"'{named}" in error and len(error.strip().splitlines()) == 1


def test_exponents_are_read_and_nothing_is_left_behind(command, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [law["expression"] for law in rows(command, "exponents")] == [law.formula for law in exponents()]
    assert not list(tmp_path.iterdir())


def test_every_threshold_says_at_which_budget(command):
    """README's numbers: 601, 354 and 164 at N = 100, β0 = 0, by t = 1e3, 1e6 and ever."""
    thresholds = []
    for budget in (1e3, 1e6, math.inf):
        (row,) = rows(command, "curves", "threshold", "-N", "100", "--beta0", "0", "--budget", budget)
        assert float(row["budget"]) == budget
        thresholds.append(row["threshold"])
    assert thresholds == pytest.approx([601.0, 354.4, 164.1], rel=2e-3)
    code, _, error = command("curves", "threshold", "--budget", "-1")
    assert code == 2 and "'budget'" in error
