"""Twenty command lines, good, odd and bad, as a newcomer might type them: exit code, and what is said of them."""

import dataclasses
import inspect
import json
import math
import shlex
import sys
from pathlib import Path

import pytest

from iclrace.cli import main
from iclrace.cli.options import numbers
from iclrace.cli.tables import working
from iclrace.cli.train import train
from iclrace.theory import PowerLawMemory, Task, acquisition_time, threshold
from iclrace.validate import Run

REFERENCE = Path(__file__).parents[1] / "results" / "reference" / "laptop"
PERCEPTRONS = REFERENCE / "threshold_memory_raw_n50.nc"

#: (line, exit code, what standard output holds, what the one line of standard error holds)
TRANSCRIPT = [
    ("iclrace", 0, ["Usage", "validate", "explorer"], ""),
    ("iclrace -h", 0, ["Usage", "--version"], ""),
    ("iclrace curves", 0, ["acquisition", "threshold"], ""),
    ("iclrace curves threshold -h", 0, ["--budget", "--memory", "25,50,100"], ""),
    ("iclrace curves acquisition -N 25,50 --beta0=-1,0,1", 0, ["acquisition_time", "140.7"], ""),
    ("iclrace curves acquisition -N 10:30:10 --beta0 0 --json", 0, ['"context_length": 20'], ""),
    ("iclrace curves threshold -N 100 -D 63 --beta0 0", 0, ["t = 100000", "387.9"], ""),
    ("iclrace curves threshold -N 100 --beta0 0 --budget inf,1e6", 0, ["an infinite time", "164.1", "354.3"], ""),
    ("iclrace curves threshold -N 1000 --beta0=-3 --exponent 0.1 --budget inf", 0, ["more items than could be"], ""),
    ("iclrace curves threshold -N 100 --beta0 0 --budget 100", 0, ["inf", "no K acquires ICL by then"], ""),
    (f"iclrace curves threshold -N 50 -D 63 --beta0 0 --budget 400 --memory {PERCEPTRONS}", 0, ["410.1"], ""),
    ("iclrace figure --list", 0, ["landscape", "nothing (theory alone)"], ""),
    (f"iclrace results {REFERENCE} --where 'quantity == I*'", 0, ["70.89"], ""),
    ("iclrace curves threshold -N 100,x", 2, [], "-N"),
    ("iclrace curves threshold -N 100:1", 2, [], "10:100:10"),
    ("iclrace curves threshold -N 2.5", 2, [], "context_length"),
    ("iclrace curves threshold --plot nowhere.jpg", 2, [], ".png, .svg or .pdf"),
    ("iclrace curves acquisition --csv .", 2, [], "--csv"),
    ("iclrace curves acquisition --csv /proc/self/here/t.csv", 2, [], "--csv"),
    ("iclrace figure landscap", 2, [], "Did you mean 'landscape'?"),
    ("iclrace validate --preset labtop", 2, [], "Did you mean 'laptop'?"),
    ("iclrace validate --preset laptop -e treshold", 2, [], "Did you mean 'threshold'?"),
    ("iclrace validat", 2, [], "validate"),
    ("iclrace simulate run --budgett 10", 2, [], "No such option: --budgett. Did you mean --budget?"),
    ("iclrace simulate transience --lambda 1e-3", 2, [], "Did you mean --decay?"),
    ("iclrace curves threshold --n 50", 2, [], "Did you mean --context-length?"),
    ("iclrace curves threshold --nu 0.7", 2, [], "Did you mean --exponent?"),
    ("iclrace curves threshold --time 1e4", 2, [], "Did you mean --budget?"),
    ("iclrace curves threshold --beta 1", 2, [], "Did you mean --beta0?"),
    ("iclrace train --lr 0.1", 2, [], "Did you mean --learning-rate?"),
    ("iclrace train --epochs 5", 2, [], "Did you mean --budget?"),
    ("iclrace train --optimizer adam", 2, [], "Did you mean --optimiser?"),
    ("iclrace validate --seed 4", 2, [], "Did you mean --seeds?"),
    ("iclrace results . --filter x", 2, [], "Did you mean --where?"),
    ("iclrace figure race --folder x", 2, [], "Did you mean --results or --out?"),
    ("iclrace explorer --colour red", 2, [], "No such option: --colour."),
    ("iclrace validate laptop", 2, [], "--preset NAME"),
    ("iclrace curves acquisition --csv", 2, [], "--csv"),
    (f"iclrace curves threshold --memory {REFERENCE / 'threshold_n50.nc'}", 2, [], "perceptrons trained alone"),
    ("iclrace train --beta0 high", 2, [], "--beta0"),
    ("iclrace train -K 7", 2, [], "task_diversity"),
    ("iclrace report nowhere", 2, [], "nowhere"),
]


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")

    def run(line):
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capfd.readouterr()

    return run


@pytest.mark.parametrize(("line", "code", "held", "told"), TRANSCRIPT, ids=[entry[0] for entry in TRANSCRIPT])
def test_a_line_is_answered(command, tmp_path, line, code, held, told):
    found, printed, error = command(line)
    assert found == code, error
    assert all(words in printed for words in held), printed
    if code:
        assert not printed and len(error.strip().splitlines()) == 1
        assert error.startswith("iclrace: ") and told in error
    assert not list(tmp_path.iterdir())  # nothing is left behind, least of all by a line that was refused


def test_numbers_are_lists_and_ranges_with_both_ends():
    assert numbers("25,50,inf") == [25, 50, math.inf]
    assert numbers("10:100:10") == list(range(10, 101, 10))
    assert numbers("0:1:0.1") == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert numbers("3:1:-1,7") == [3, 2, 1, 7]
    for wrong in ("1:2", "1:5:0", "5:1:1", "1:inf:1", "1:1e9:1", "", "1,,2", "a"):
        with pytest.raises(Exception, match="must be numbers"):
            numbers(wrong)


def test_a_table_is_what_python_returns(command):
    _, printed, _ = command("iclrace curves threshold -N 50,100 -D 63,inf --beta0=-0.5 --budget 1e4,inf --json")
    memory = PowerLawMemory(3.9, 0.7)
    for row in json.loads(printed):
        task = Task(row["context_length"], dimension=float(row["dimension"]))
        assert row["threshold"] == threshold(task, memory, -0.5, budget=float(row["budget"])).value
    _, printed, _ = command("iclrace curves acquisition -N 50,100 -D 63 --beta0 0.5 --json")
    for row in json.loads(printed):
        assert row["acquisition_time"] == float(acquisition_time(Task(row["context_length"], dimension=63), 0.5))


def test_a_title_stands_on_one_line_over_a_narrow_table(command):
    _, printed, _ = command("iclrace curves acquisition -N 50 --beta0 0")
    assert printed.splitlines()[0] == "t_ICL for K → ∞, gradient-flow time"


def test_train_has_an_option_for_every_field_of_a_run():
    """``task`` is given by its own fields; what theory alone knows of a task no network is trained on."""
    options = set(inspect.signature(train).parameters)
    fields = {one.name for one in dataclasses.fields(Run)} - {"task"} | {one.name for one in dataclasses.fields(Task)}
    renamed = {"decay_attention": "decay"}
    theory_alone = {"label_std", "score_std"}
    assert {renamed.get(name, name) for name in fields - theory_alone} <= options


def test_a_redirected_command_says_now_and_then_that_it_works(monkeypatch, capfd):
    """The wait between two lines is what the event is asked for; here it does not really pass."""
    waits = []

    class Event:
        def __init__(self):
            self.left = 3

        def wait(self, seconds):
            waits.append(seconds)
            self.left -= 1
            return self.left < 0

        def set(self):
            pass

    monkeypatch.setattr("iclrace.cli.tables.threading.Event", Event)
    monkeypatch.setattr("iclrace.cli.tables.threading.Thread", Inline)
    with working("thinking"):
        pass
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 3 and all(line.startswith("thinking … ") for line in told)
    assert waits[0] == 1 and max(waits) <= 30


class Inline:
    """A thread that runs where it is started."""

    def __init__(self, target, daemon):
        self.start = target

    def join(self):
        pass
