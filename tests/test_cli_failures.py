"""What the command line says and leaves where a locale, a solver or an option stands in the way."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from iclrace.cli import main
from iclrace.cli.options import writable
from iclrace.figures import Results
from iclrace.simulate import CoupledModel, solve
from iclrace.theory import Estimate, PowerLawMemory, Task
from iclrace.validate import Claim, Claims, Summary
from iclrace.validate.training.config import json_text

SIGNS = "K* × β0 ≥ φ → ∞"
CLAIM = Claim(SIGNS, "minimal", Estimate.exact(1.0), 1.25, experiment="race", measured=Estimate(2.0, 1.0, 3.0), seeds=3)
SUMMARY = Summary("laptop", SIGNS, Claims([CLAIM]), [], experiments={"race": {}}, provenance={"versions": {}})

#: What prints and writes signs, in one process whose locale and streams know ASCII only.
ASCII = """
import sys
from iclrace.cli import main
assert sys.stdout.encoding == "ascii" and open("probe", "w").encoding.lower() in ("ascii", "ansi_x3.4-1968", "646")
for arguments in (
    ["report", ".", "--out", "page.html"], ["report", ".", "--markdown", "page.md"],
    ["curves", "acquisition", "-N", "50", "--csv", "curve.csv"],
):
    sys.argv = ["iclrace", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (arguments, end.code)
"""


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    """Exit code, output and errors of one command, run here."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["iclrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capfd.readouterr()

    return run


def test_reports_and_tables_where_nothing_but_ascii_can_be_shown(tmp_path):
    (tmp_path / "summary.json").write_text(json_text(SUMMARY.as_json()), "utf-8")
    assert next(iter(Results(tmp_path).select(experiment="race"))).quantity == SIGNS
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", ASCII], cwd=tmp_path, env={**os.environ, **plain}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and b"?" in done.stdout  # a sign that cannot be shown gets a replacement
    for page in ("page.html", "page.md"):  # files are UTF-8 whatever the locale
        assert "β0 ≥ φ → ∞" in (tmp_path / page).read_text("utf-8")
    assert (tmp_path / "curve.csv").read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--budget", 1e300, "--points", 4),
        ("--beta0", 400, "--points", 3),
        ("--w0", 300, "--points", 3),
        ("-N", 100, "-D", 1, "-K", "inf", "--beta0", -5, "--budget", 1e15, "--points", 4),
    ],
)
def test_a_run_that_fails_says_so_in_every_row_and_by_its_exit_code(command, arguments, tmp_path):
    code, _, error = command("simulate", "run", *arguments, "--json", "--csv", tmp_path / "run.csv")
    assert code == 1
    said = [line for line in error.splitlines() if line.startswith("iclrace:")]  # beside the bar of progress
    assert len(said) == 1 and said[0].startswith("iclrace: not solved beyond t = ") and "Traceback" not in error
    rows = (tmp_path / "run.csv").read_text("utf-8").splitlines()
    points = arguments[arguments.index("--points") + 1]
    assert len(rows) == 1 + points  # none is dropped
    why = rows[-1].split(",", 2)[2]
    assert rows[-1].split(",")[1] == "nan" and ("left the range" in why or "the state is not finite" in why)


def test_an_empty_record_is_a_dataset():
    model = CoupledModel(Task(100, 1000), PowerLawMemory(3.9, 0.7), decay_w=1e300)
    run = solve(model, (0.0, 0.0), (0.0, 10.0), times=[0.0, 1.0])
    data = run.to_dataset()
    assert not run.success
    assert data.sizes["time"] <= 2 and np.all(data["time"].values <= 1.0)


def test_a_picture_of_an_unknown_kind_is_refused_and_makes_no_folder(command, tmp_path):
    code, _, error = command("figure", "landscape", "--out", tmp_path / "x.jpg")
    assert code == 2 and "--out" in error and ".png, .svg or .pdf" in error
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux shows its processes as files")
@pytest.mark.parametrize("arguments", [("landscape", "--out", "/proc/x.png"), ("landscape", "--out", "/proc"),
                                       ("--all", "--out", "/proc/x")])  # fmt: skip
def test_a_place_where_root_itself_can_make_no_file_is_refused_before_anything_is_drawn(
    command, monkeypatch, arguments, tmp_path
):
    monkeypatch.setattr("iclrace.figures.Picture.draw", lambda *_: pytest.fail("drawn"))
    code, printed, error = command("figure", *arguments)
    assert code == 2 and not printed and "--out" in error and "can be written" in error


def test_trying_a_place_changes_nothing_there(tmp_path):
    kept = tmp_path / "kept.png"
    kept.write_bytes(b"old")
    for path in (kept, tmp_path / "new" / "folder" / "a.png"):
        assert writable("--out")(path) == path
    assert list(tmp_path.iterdir()) == [kept] and kept.read_bytes() == b"old"
    with pytest.raises(typer.BadParameter):
        writable("--out")(tmp_path / ("x" * 300 + ".png"))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("simulate", "acquisition", "--beta0-std", 0), "beta0_std"),
        (("train", "--seeds", 0), "seeds"),
        (("curves", "threshold", "--plot", "a.jpg"), "--plot"),
        (("curves", "acquisition", "--plot", "a.jpg"), "--plot"),
    ],
)
def test_an_option_is_named_before_anything_is_computed(command, monkeypatch, arguments, named, tmp_path):
    for costly in (
        "iclrace.simulate.coupled_acquisition_distribution",
        "iclrace.theory.threshold",
        "iclrace.validate.train",
    ):
        if not (arguments[0] == "simulate" and "distribution" in costly):  # it is the sweep that names the spread
            monkeypatch.setattr(costly, lambda *_, **__: pytest.fail("computed"))
    monkeypatch.setattr("iclrace.simulate.curves.sweep", lambda *_, **__: pytest.fail("computed"))
    code, printed, error = command(*arguments)
    assert code == 2 and not printed
    assert named in error and len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("curves threshold --labels iid --labels=balanced", "'--labels': must be given once"),
        ("simulate phases --draws 2 --draws 4", "'--draws': must be given once"),
        ("validate --dry-run --preset smoke --preset laptop", "'--preset': must be given once"),
        ("validate --dry-run --preset smoke --device tpu", "'device' must"),
        ("curves threshold --memory words.txt", "--memory: must be a CSV file"),
        ("curves threshold --budget 0", "'budget' must be positive, but it is 0.0"),
        ("simulate transience --decay -1", "'decay' must"),
        ("simulate phases --draws 99999999999999999999", "'draws' must"),
    ],
)
def test_a_refusal_names_the_option_as_it_was_typed(command, tmp_path, line, told):
    (tmp_path / "words.txt").write_text("words")
    code, printed, error = command(*line.split())
    assert (code, printed) == (2, "") and told in error and len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["words.txt"]


def test_flags_may_be_repeated_and_lists_are_joined(command):
    code, printed, _ = command(
        *["validate", "--dry-run", "--dry-run", "--preset", "smoke", "-e", "threshold", "-e", "audit"]
    )
    assert code == 0 and "threshold" in printed and "audit" in printed
    words = "curves acquisition -N 50 -N 60 --json --json"
    code, printed, _ = command(*words.split())
    assert code == 0 and {row["context_length"] for row in json.loads(printed)} == {50, 60}


NO_ROOM = "can't allocate memory: 8 GB"


@pytest.mark.parametrize("error", [MemoryError("8 GB"), RuntimeError(f"DefaultCPUAllocator: {NO_ROOM}")])
def test_too_little_memory_is_told_in_one_line(command, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("iclrace.theory.acquisition_time", fail)
    code, printed, told = command("curves", "acquisition", "-N", 50)
    assert (code, printed) == (1, "") and told.startswith("iclrace: not enough memory: ") and told.count("\n") == 1


#: By command: a bad second value for each of its options that are lists, and what the message names.
LATER = {
    ("simulate", "phases"): {"-N": "25,1", "-K": "30,0.5", "--amplitude": "1,-1", "--exponent": "1,-1",
                             "--copies": "1,25", "--beta0-mean": "0,nan", "--beta0-std": "1,-1", "--budget": "1e3,-1",
                             "-D": "63,0"},
    ("simulate", "acquisition"): {"-N": "25,1", "-K": "30,0.5", "--beta0-std": "1,0", "--budget": "1e3,0",
                                  "--amplitude": "1,0"},
    ("simulate", "transience"): {"-N": "25,1", "-K": "30,0.5", "--decay": "0,-1", "--beta0": "0,inf",
                                 "--budget": "9,-1"},
    ("simulate", "balanced"): {"-N": "24,25", "-K": "30,0.5", "--beta0-std": "1,-1", "--budget": "1e3,-1"},
    ("simulate", "run"): {"-N": "25,1", "-K": "30,0.5", "--beta0": "0,inf", "--w0": "0,nan", "--decay": "0,-1",
                          "--budget": "1e3,1", "--copies": "1,100"},
    ("predict",): {"-N": "15,1", "-D": "15,0", "--width": "16,0", "-K": "64,0", "--learning-rate": "0.1,-1",
                   "--batch-size": "8,0", "--rate-ratio": "1,0", "--attention-scale": "1,0", "--residual-scale": "1,-1",
                   "--copies": "1,31", "--decay": "0,-1", "--budget": "9,0", "--beta0": "0,inf"},
    ("predict", "--network", "minimal"): {"-N": "15,1", "-D": "15,0", "--width": "16,0", "--learning-rate": "0.1,-1",
                                          "--rate-ratio": "1,0", "--decay": "0,-1", "--budget": "9,0",
                                          "--beta0": "0,inf", "--w0": "0,nan"},
    ("train",): {"-N": "7,1", "-K": "64,3", "-D": "15,0", "--width": "16,0", "--depth": "1,0", "--layers": "3,0",
                 "--copies": "1,31", "--learning-rate": "0.1,-1", "--rate-ratio": "1,0", "--momentum": "0,1",
                 "--batch-size": "8,0", "--decay": "0,-1", "--decay-memory": "0,-1", "--budget": "9,0", "--w0": "0,nan",
                 "--beta0": "0,inf", "--attention-scale": "1,0", "--residual-scale": "1,-1", "--noise": "0,-1",
                 "--frequency-exponent": "0,-1", "--fresh-share": "0,1"},
}  # fmt: skip
LATER_CASES = [(command, option, text) for command, options in LATER.items() for option, text in options.items()]


@pytest.mark.parametrize(("words", "option", "text"), LATER_CASES)
def test_a_later_value_is_refused_before_the_first_is_computed(command, monkeypatch, words, option, text, tmp_path):
    def computed(*_, **__):
        pytest.fail("computed")

    for room, begin in (
        ("simulate.ensemble", "Kernel"), ("simulate.solve", "Kernel"), ("validate.training.jobs", "train_group"),
        ("validate.predict.forecast", "train_couplings"),
    ):  # fmt: skip
        monkeypatch.setattr(importlib.import_module(f"iclrace.{room}"), begin, computed)
    code, printed, error = command(*words, option, text)
    assert code == 2 and not printed and len(error.strip().splitlines()) == 1
    short = {"-N": ("context_length", "labels"), "-K": ("task_diversity",), "-D": ("dimension",)}
    assert any(name in error for name in short.get(option, [option.lstrip("-").replace("-", "_")])), error
    assert not list(tmp_path.iterdir())


#: Work that no memory holds, and the argument that is to blame.
OVERSIZED = [
    ("predict -N 1e12", "context_length"), ("predict -D 1e12", "dimension"), ("predict --width 1e9", "width"),
    ("predict --members 1000000000000", "members"), ("predict --draws 1000000000000", "draws"),
    ("predict --calibration-seeds 1000000000000", "calibration_seeds"),
    ("predict --network minimal -D 1e12", "dimension"), ("train -N 1e12", "context_length"),
    ("train -D 1e12", "dimension"), ("train -K 1e12", "task_diversity"), ("train --width 1e9", "width"),
    ("train --seeds 1000000000000", "seeds"), ("train --batch-size 1e12", "batch_size"),
    ("train --test-size 1000000000000", "test_size"), ("simulate phases --draws 1000000000000", "draws"),
    ("simulate acquisition --draws 1000000000000", "draws"), ("simulate run --points 1000000000000", "points"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "named"), OVERSIZED, ids=[line for line, _ in OVERSIZED])
def test_work_that_no_memory_holds_is_refused_before_it_begins(command, line, named, tmp_path):
    code, printed, error = command(*line.split())
    assert code == 2 and not printed and f"{named!r} must be smaller" in error and "GiB" in error
    assert not list(tmp_path.iterdir())


def test_only_work_that_this_machine_cannot_hold_is_refused(monkeypatch):
    from iclrace.theory.common import arguments

    monkeypatch.setattr(arguments, "installed_memory", lambda: 2.0**30)
    arguments.within_memory(2.0**30, draws=1)
    with pytest.raises(ValueError, match=r"'draws' must be smaller: 2 GiB would be held at least, of 1 that"):
        arguments.within_memory(2.0**31, draws=2000, context_length=31)


#: A command during which Ctrl-C is pressed as soon as a module is looked for.
PRESSED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background, it is ignored
pressed_at = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == pressed_at:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from iclrace.cli import main
main()
"""


@pytest.mark.parametrize("module", ["iclrace.cli.app", "typer", "numpy", "torch", "numba", "matplotlib"])
def test_ctrl_c_while_anything_is_imported_is_one_line(module, tmp_path):
    words = ["figure", "landscape", "--out", "landscape.png"]
    done = subprocess.run(
        [sys.executable, "-c", PRESSED, module, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("drawing ")]  # that it works
    assert (done.returncode, done.stdout, said) == (130, "", ["iclrace: interrupted"])


def test_without_arguments_there_is_help(command):
    code, printed, error = command()
    assert code == 0 and not error
    assert "Usage" in printed and "validate" in printed


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--preset", "mine"], "--network"),
        (["--preset", "laptop", "--network", "a.b:c"], "--network"),
        (["--preset", "smoke", "--context-length", "8"], "--context-length"),
        (["--preset", "mine", "--network", "no.such:module"], "network"),
        (["--preset", "mine", "--network", "iclrace.validate.examples:pre_norm", "--seeds", "1"], "seeds"),
    ],
)
def test_the_options_of_a_network_of_ones_own_are_checked_before_anything_is_trained(command, options, named, tmp_path):
    code, printed, error = command("validate", *options)
    assert code == 2 and not printed and named in error and not list(tmp_path.iterdir())
