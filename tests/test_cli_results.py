"""What the command line tells of results, presets and progress, and a preset from a file."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iclrace.cli.app import app
from iclrace.validate import PRESETS, Run, read_summary, spread_for
from iclrace.validate.experiments import CoupledEquations, MemoryAlone, ThresholdScan
from iclrace.validate.plan import costs, progress, work
from iclrace.validate.presets.toml import read_preset

REFERENCE = Path(__file__).parents[1] / "results" / "reference" / "laptop"
TINY = """
name = "tiny"
description = "for a test"

[runs.toy]
start = "minimal"
context_length = 6
dimension = 5
width = 8
batch_size = 16
test_size = 20
budget = 60.0
evaluate_every = 6.0
seed = 3

[memories.alone]
seeds = { 8 = 1, 16 = 1, 32 = 1 }
dimension = 5
width = 16
until = 0.1

[[experiment]]
kind = "MemoryLaw"
trainings = "alone"
bar = 1.5

[[experiment]]
kind = "ThresholdScan"
name = "toy_threshold"
bar = 2.0
methods = ["MemoryAlone", { kind = "CoupledEquations" }]
scans.n6 = { run = "toy", task_diversity = [8, 16, 32], seeds = 2, memory = { raw = "alone" } }
"""


def call(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return result.output


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


def test_claims_are_listed_and_filtered(tmp_path):
    found = json.loads(call("results", REFERENCE, "--where", "quantity == K* and network == transformer", "--json"))
    assert found and {one["network"] for one in found} == {"transformer"}
    table = tmp_path / "claims.csv"
    text = call("results", REFERENCE, "--where", "quantity==K* and part==circuit", "--csv", table)
    assert "coupled equations" in text and "transformer" not in text
    assert len(table.read_text(encoding="utf-8").splitlines()) == 3
    assert "no claim meets this" in call("results", REFERENCE, "--where", "N == 7")
    # a file that was asked for is written, whatever else is shown
    call("results", REFERENCE, "--where", "part == circuit", "--json", "--csv", tmp_path / "beside.csv")
    call("results", REFERENCE, "--where", "N == 7", "--csv", tmp_path / "none.csv")
    assert len((tmp_path / "beside.csv").read_text(encoding="utf-8").splitlines()) > 3
    assert not (tmp_path / "none.csv").read_text(encoding="utf-8").strip()


def test_presets_and_their_experiments_are_listed():
    rows = json.loads(call("list", "--json"))
    assert [row["preset"] for row in rows] == list(PRESETS)
    rows = json.loads(call("list", "laptop", "--json"))
    assert [row["experiment"] for row in rows] == [one.name for one in PRESETS["laptop"].experiments]
    assert all(row["minutes"] >= 0 and row["runs"] > 0 for row in rows)


def test_a_preset_from_a_file_holds_what_the_file_says(tiny):
    law, scan = read_preset(tiny, PRESETS).experiments
    assert [one.task_diversity for one in law.trainings] == [8, 16, 32] and law.bar == 1.5
    assert isinstance(scan, ThresholdScan) and scan.name == "toy_threshold"
    assert scan.methods == [MemoryAlone(), CoupledEquations()]
    run = scan.scans["n6"].run
    assert isinstance(run, Run) and (run.network, run.task.context_length, run.seed) == ("minimal", 6, 3)
    text = 'extends = "laptop"\nkeep = ["memory_law"]\nlooks = [0.25, 0.5, 1.0]\n'
    tiny.write_text(text, encoding="utf-8")
    preset = read_preset(tiny, PRESETS)
    assert preset.name == "tiny" and preset.experiments == [PRESETS["laptop"].experiments[0]]
    assert preset.looks.shares == (0.25, 0.5, 1.0)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('kind = "MemoryLaw"', 'kind = "MemoryLore"', "name a kind among"),
        ("bar = 1.5", "bars = 1.5", "have no entry but trainings, bar, name"),
        ("bar = 1.5", "", "give all that is needed"),
        ('run = "toy"', 'run = "joy"', "name one of the runs toy"),
        ('trainings = "alone"', 'trainings = "together"', "name one of the memories alone"),
        ("width = 8\nbatch", "wide = 8\nbatch", "name fields of a run"),
        ('start = "minimal"', 'start = "maximal"', "start from one of"),
        ("[runs.toy]", "[runs.toy", "be a TOML file"),
        ('name = "tiny"', 'colour = "red"', "have no entry but name"),
    ],
)
def test_a_file_that_names_what_does_not_exist_is_refused(tiny, before, after, told):
    assert before in TINY
    tiny.write_text(TINY.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=told):
        read_preset(tiny, PRESETS)
    with pytest.raises(ValueError, match=r"be one of smoke, .* or a file"):
        read_preset(tiny.with_suffix(".ini"), PRESETS)


def test_a_dry_run_trains_nothing_and_status_tells_how_far_a_folder_has_come(tiny, tmp_path):
    out = tmp_path / "out"
    rows = json.loads(call("validate", "--preset", tiny, "--out", out, "--dry-run", "--json"))
    assert [(row["experiment"], row["runs"], row["to train"]) for row in rows] == [
        ("memory_law", 3, 3), ("toy_threshold", 9, 9)
    ]  # fmt: skip
    assert rows[0]["minutes"] > 0 and not out.exists()
    power_of = [(row["seeds"], row["bar"], row["spread at 90 % power"]) for row in rows]
    assert power_of[1][2] == pytest.approx(spread_for(power_of[1][1], power_of[1][0]))
    from iclrace.validate import run

    run(str(tiny), out, progress=False)
    told = json.loads(call("status", out, "--json"))
    assert [(row["experiment"], row["done"], row["missing"]) for row in told] == [
        ("memory_law", 3, 0), ("toy_threshold", 9, 0)
    ]  # fmt: skip
    assert sum(row["minutes spent"] for row in told) > 0
    after = json.loads(call("validate", "--preset", tiny, "--out", out, "--dry-run", "--json"))
    assert [row["to train"] for row in after] == [0, 0]
    for key in (path.parent for path in out.glob("runs/*/cost.json")):
        (key / "cost.json").write_text('{"seconds": "nan"}', "utf-8")  # no record that one can read
    assert [(row["minutes spent"], row["minutes left"]) for row in json.loads(call("status", out, "--json"))] == [
        (0, None)
    ] * 2
    assert "None" not in call("status", out) and "nan" not in call("status", out)
    (out / "plan.json").write_text("{}")
    with pytest.raises(RuntimeError, match=r"plan\.json"):
        progress(out)


def test_status_of_finished_results_without_their_runs_counts_their_verdicts():
    told, text = json.loads(call("status", REFERENCE, "--json")), call("status", REFERENCE)
    claims = read_summary(REFERENCE).claims
    assert {row["experiment"]: row["claims"] for row in told} == {
        name: len(claims.where(f"experiment == {name}")) for name in dict.fromkeys(claim.experiment for claim in claims)
    }
    kinds = [name for name in told[0] if name not in ("experiment", "claims")]
    assert {kind: sum(row[kind] for row in told) for kind in kinds} == {
        kind: len(claims.where(f"verdict == {kind}")) for kind in kinds
    }
    assert sum(row[kind] for row in told for kind in kinds) == len(claims)
    assert "finished results" in text and f"iclrace results {REFERENCE}" in text


def test_costs_count_a_shared_run_once_and_grow_with_what_is_trained():
    laptop = PRESETS["laptop"].experiments
    parts = {part.experiment: part for part in costs(laptop)}
    alone = costs([laptop[0]])[0]
    assert parts["memory_law"].minutes == alone.minutes
    (one,) = {run for run in laptop[1].networks()["n50"] if run.seed == 100}
    assert work(one.with_(width=2 * one.width)) > 2 * work(one) > work(one.with_(budget=one.budget / 2))


@pytest.mark.parametrize("words", [["results", "nowhere"], ["status", "nowhere"], ["list", "nowhere"],
                                   ["validate", "--preset", "smoke", "--dry-run", "--hours", "-1"],
                                   ["results", str(REFERENCE), "--where", "colour == red"]])  # fmt: skip
def test_what_is_not_there_is_refused_with_code_2(words, process):
    result = process("from iclrace.cli import main; main()", *words)
    assert result.returncode == 2 and result.stderr.startswith("iclrace: Argument '"), result.stderr
