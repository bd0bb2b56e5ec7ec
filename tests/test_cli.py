"""The command line: exit codes, one-line refusals, lazy imports, and the main job at toy size."""

import csv
import json
import subprocess
import sys
from functools import partial

import pytest

from iclrace.cli import main
from iclrace.validate import PRESETS

HEAVY = {"torch", "sympy", "matplotlib", "numba"}


#: What the console script does.
COMMAND = "from iclrace.cli import main; main()"


@pytest.fixture(scope="module")
def run(process):
    return partial(process, COMMAND)


def modules_after(code):
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(printed.stdout.split())


def test_import_and_help_load_nothing_heavy():
    assert not HEAVY & modules_after("import iclrace")
    assert not HEAVY & modules_after("import iclrace.theory")
    code = "import sys; sys.argv = ['iclrace', '--help']\nfrom iclrace.cli.app import app\napp(standalone_mode=False)"
    assert not HEAVY & modules_after(code)
    assert "torch" in modules_after("import iclrace.validate")  # the test can fail


def test_version():
    import iclrace

    command = [sys.executable, "-m", "iclrace.cli", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == iclrace.__version__


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["validate", "--preset", "nope"], "preset"),
        (["validate", "--preset", "smoke", "-K", "-4", "-K", "8", "-K", "16"], "task_diversity"),
        (["validate", "--preset", "smoke", "-K", "7", "-K", "8", "-K", "16"], "task_diversity"),
        (["train", "-K", "-3"], "task_diversity"),
        (["train", "--network", "rnn"], "network"),
        (["curves", "acquisition", "-N", "1"], "context_length"),
        (["curves", "acquisition", "--beta0", "nan"], "beta0"),
        (["curves", "threshold", "--exponent", "-1"], "exponent"),
        (["simulate", "run", "--budget", "-1"], "budget"),
        (["simulate", "run", "--w0", "nan"], "w0"),
        (["simulate", "phases", "-K", "-1"], "task_diversity"),
        (["simulate", "balanced", "-N", "51"], "context_length"),
        (["figure", "--all", "--results", "nowhere"], "results"),
        (["figure"], "name"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_arguments_are_refused_in_one_line_with_exit_code_2(arguments, named, tmp_path, monkeypatch, capfd):
    out = ["--out", str(tmp_path / "out")] if arguments[0] in ("validate", "train") else []
    monkeypatch.setattr(sys, "argv", ["iclrace", *arguments, *out])
    with pytest.raises(SystemExit) as refused:
        main()
    printed = capfd.readouterr().err
    assert refused.value.code == 2
    assert len(printed.strip().splitlines()) == 1
    assert named in printed.lower()
    assert not list(tmp_path.iterdir())


def test_out_that_is_a_file_is_refused_and_kept(tmp_path, run):
    path = tmp_path / "file"
    path.write_text("precious")
    result = run("validate", "--preset", "smoke", "--out", path)
    assert result.returncode == 2 and "'out'" in result.stderr
    assert path.read_text() == "precious"


def test_out_that_cannot_be_written_is_refused(run):
    # No user, not even root, can make a folder here.
    result = run("validate", "--preset", "smoke", "--out", "/proc/self/results")
    assert result.returncode == 2 and "'out'" in result.stderr


def test_curves_write_a_table_and_a_picture(tmp_path, run):
    table, picture = tmp_path / "k.csv", tmp_path / "k.png"
    result = run("curves", "threshold", "-N", 50, "-N", 100, "--beta0", 0, "--csv", table, "--plot", picture, "--json")
    assert result.returncode == 0, result.stderr
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["threshold"]) for row in rows] == [row["threshold"] for row in json.loads(result.stdout)]
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_exponents_are_printed_with_their_regimes(run):
    laws = json.loads(run("exponents", "--json").stdout)
    found = {(law["quantity"], law["variable"], law["branch"]): law for law in laws}
    assert found["t_ICL", "beta0", "drag"]["expression"] == "-2"
    assert found["K*", "N", "all"]["expression"] == "1/nu"
    assert r"\begin{tabular}" in run("exponents", "--latex").stdout


def test_simulate_prints_what_the_equations_say(run):
    phases = json.loads(run("simulate", "transience", "-K", 1000, "--decay", 0, "--decay", 3e-3, "--json").stdout)
    assert [row["phase"] for row in phases] == ["lasting", "no ICL"]
    balanced = json.loads(run("simulate", "balanced", "-K", 1e5, "--draws", 16, "--json").stdout)
    assert [row["probability"] for row in balanced if row["labels"] == "balanced"] == [0.5]
    assert "acquired at t" in run("simulate", "run", "-N", 50, "-K", 1e5).stdout


def comparable(path, experiments):
    """What a folder says of some experiments, without dates and without what training took."""
    summary = json.loads((path / "summary.json").read_text())
    claims, datasets = (
        [one for one in summary[key] if one["experiment"] in experiments] for key in ("claims", "datasets")
    )
    before = {name: summary["experiments"][name]["before_training"] for name in experiments}
    return [{**one, "seed_hours": None, "verdict_text": None} for one in claims], datasets, before


#: The same as COMMAND, with Ctrl-C pressed as soon as it has saved so many runs.
INTERRUPTED = """
import os, signal, sys
from iclrace.validate import RunStore

signal.signal(signal.SIGINT, signal.default_int_handler)
save, left = RunStore.save, int(sys.argv.pop(1))

def counted(*arguments, **settings):
    global left
    save(*arguments, **settings)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)

RunStore.save = counted
"""
INTERRUPTED += COMMAND


@pytest.fixture(scope="module")
def whole(tmp_path_factory, run):
    """The folder of the main job at toy size, never interrupted, and how its command ended."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run("validate", "--preset", "smoke", "--out", folder, "--strict", "--json")


@pytest.mark.slow
def test_the_main_job_survives_interruptions_and_gives_the_same_result(whole, tmp_path, process):
    for name in ("predictions.json", "threshold_n12.nc", "accuracy_minimal.png", "clock_collapse.png"):
        assert (whole[0] / name).exists()
    kinds = {type(one): one for one in reversed(PRESETS["smoke"].experiments)}  # every kind of experiment once
    first = [one for one in PRESETS["smoke"].experiments if one is kinds[type(one)]]
    names = [one.name for one in first]
    words = ("validate", "--preset", "smoke", "--out", tmp_path, *(word for name in names for word in ("-e", name)))
    stages = [stage for one in first for stage in (one.calibration(), one.networks())]
    needed = len(set().union(*(jobs for stage in stages for jobs in stage.values())))
    for share in (0.0, 0.2, 0.2, 0.2):  # so that the last one is interrupted before it has trained all
        stopped = process(INTERRUPTED, max(1, round(share * needed)), *words)
        assert stopped.returncode == 130 and "interrupted" in stopped.stderr.lower(), stopped.stderr
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/metrics.nc")}
    assert before
    ended = process(COMMAND, *words)
    assert ended.returncode == 0, ended.stderr
    assert comparable(tmp_path, names) == comparable(whole[0], names)
    assert before.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/metrics.nc")}.items()


@pytest.mark.slow
def test_strict_turns_a_failed_verdict_into_exit_code_3(whole):
    # At toy size the clock collapse misses its bar: the theory is an expansion in 1/N.
    folder, result = whole
    summary = json.loads(result.stdout)
    assert summary == json.loads((folder / "summary.json").read_text("utf-8"))
    assert any(claim["verdict"] == "fails" for claim in summary["claims"])
    assert result.returncode == 3, result.stderr
