"""The main job's folder: experiments of one preset that are run one after the other end up in one summary."""

import json
import os
import shlex
import sys
from dataclasses import replace

import pytest
import xarray as xr

from iclrace.figures import Results
from iclrace.figures.report import _validations as validations
from iclrace.theory import Task
from iclrace.validate import PRESETS, MemoryTraining, OutOfTime, Preset, ProtocolError, Run, finished, run
from iclrace.validate.experiments import CoupledEquations, MemoryAlone, MemoryLaw, Scan, ThresholdScan
from iclrace.validate.training import deadline

TRAININGS = [MemoryTraining(k, 0, dimension=8, width=16, until=0.2) for k in (8, 16, 32)]


@pytest.fixture
def preset():
    return Preset("mine", "", [MemoryLaw(TRAININGS, bar=1.5, name=name) for name in ("first", "second")])


def summary(out, name="summary"):
    return json.loads((out / f"{name}.json").read_text())


def numbers(out):
    """The claims without what training them took, which differs from one time to the next."""
    return [{**one, "seed_hours": None, "verdict_text": None} for one in summary(out)["claims"]]


def test_experiments_run_one_by_one_say_what_the_whole_preset_says(preset, tmp_path):
    for name in ("first", "second"):
        run(preset, tmp_path / "parts", experiments=[name], progress=False)
    run(preset, tmp_path / "whole", progress=False)
    parts, whole = summary(tmp_path / "parts"), summary(tmp_path / "whole")
    assert numbers(tmp_path / "parts") == numbers(tmp_path / "whole") and parts["datasets"] == whole["datasets"]
    one, other = (summary(tmp_path / name, "predictions")["experiments"] for name in ("parts", "whole"))
    assert {name: said["claims"] for name, said in one.items()} == {
        name: said["claims"] for name, said in other.items()
    }
    assert list(parts["experiments"]) == ["first", "second"]


@pytest.mark.parametrize("before", ["{", "[]", '{"format": 1, "preset": "other", "experiments": {"old": {}}}',
                                    '{"format": 0, "preset": "mine", "experiments": {"old": {}}}'])  # fmt: skip
def test_what_another_preset_or_version_said_is_not_kept(preset, tmp_path, before):
    (tmp_path / "summary.json").write_text(before)
    run(preset, tmp_path, experiments=["first"], progress=False)
    assert list(summary(tmp_path)["experiments"]) == ["first"]


def test_the_whole_preset_replaces_what_stood_there(preset, tmp_path):
    old = MemoryLaw(TRAININGS, bar=1.5, name="old")
    run(Preset("mine", "", [old]), tmp_path, progress=False)
    run(preset, tmp_path, progress=False)
    assert list(summary(tmp_path)["experiments"]) == ["first", "second"]


@pytest.fixture
def scanned(monkeypatch):
    """A preset with a scan of K and another experiment, both of which train in a second."""
    task = Task(context_length=8, dimension=8)
    settings = {"width": 16, "learning_rate": 0.3, "batch_size": 16, "budget": 9.0, "evaluate_every": 3.0}
    network = Run("minimal", task, 0, test_size=20, **settings)
    scan = Scan(network, [8, 16, 32], 2, {"raw": TRAININGS})
    scan = ThresholdScan({"n8": scan}, (MemoryAlone(), CoupledEquations()), bar=2.0, clock_bar=2.0, time_bar=2.0)
    preset = Preset("mine", "", [scan, MemoryLaw(TRAININGS, bar=1.5)])
    monkeypatch.setitem(PRESETS, "mine", preset)
    return preset


def test_options_are_told_and_the_commands_of_the_report_make_the_same_summary(scanned, tmp_path):
    first = tmp_path / "first"
    run(scanned, first, experiments=["threshold"], task_diversity=[32, 8, 64], progress=False)
    run(scanned, first, experiments=["memory_law"], progress=False)
    found = summary(first)["experiments"]
    assert found["threshold"]["options"] == {"task_diversity": [8, 32, 64]}
    assert found["memory_law"]["options"] == {}
    again = tmp_path / "again"
    commands = [shlex.split(line) for line in validations(Results(first), str(again))]
    assert len(commands) == 2
    for words in commands:
        assert words[:2] == ["iclrace", "validate"]
        values = {name: [words[i + 1] for i, word in enumerate(words) if word == name] for name in set(words[2::2])}
        assert values.pop("--preset") == ["mine"] and values.pop("--out") == [str(again)]
        diversities = [int(k) for k in values.pop("-K", [])]
        run("mine", again, experiments=values.pop("-e", None), task_diversity=diversities or None, progress=False)
        assert not values
    assert numbers(again) == numbers(first)
    # Another scan of networks that are there already is another claim: it needs a reason.
    with pytest.raises(ProtocolError, match="give a reason"):
        run(scanned, again, progress=False)
    run(scanned, again, progress=False, reason="the preset's own scan")
    assert validations(Results(again), "x") == ["iclrace validate --preset mine --out x"]
    assert numbers(again) != numbers(first)  # the option decides the numbers


def test_a_scan_is_refused_where_nothing_scans(preset, scanned, tmp_path):
    for call in ({"preset": preset}, {"preset": scanned, "experiments": ["memory_law"]}):
        with pytest.raises(ValueError, match=r"Argument 'task_diversity' must be left out: no experiment"):
            run(**call, out=tmp_path / "out", task_diversity=[8, 16, 32], progress=False)
    assert not list(tmp_path.iterdir())


def test_where_a_folder_comes_from_is_told(preset, tmp_path):
    run(preset, tmp_path, progress=False)
    told = summary(tmp_path)["provenance"]
    assert {"command", "date", "commit", "dirty", "device", "versions", "training_seconds"} <= set(told)
    assert told["device"] == "cpu" and told["date"].endswith("+00:00")
    assert told["commit"] is None or (len(told["commit"]) == 40 and isinstance(told["dirty"], bool))


def test_a_second_call_of_a_finished_folder_leaves_it_as_it_is(preset, tmp_path):
    run(preset, tmp_path, progress=False)
    before = (tmp_path / "summary.json").stat().st_mtime_ns
    run(preset, tmp_path, progress=False)
    assert (tmp_path / "summary.json").stat().st_mtime_ns == before


@pytest.fixture
def idle(monkeypatch):
    """From its call on, whoever trains, predicts, measures or reads a stored run fails the test."""
    room = sys.modules["iclrace.validate.run"]

    def forbid():
        for name in ("predict", "test", "freeze", "train", "train_memories"):
            monkeypatch.setattr(room, name, lambda *_, **__: pytest.fail("computed again"))
        monkeypatch.setattr("iclrace.validate.training.store.RunStore.load", lambda *_: pytest.fail("read again"))

    return forbid


def test_a_finished_folder_is_read_and_not_computed_again(scanned, tmp_path, idle):
    first = run(scanned, tmp_path, progress=False)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    idle()
    again = run(scanned, tmp_path, progress=False)
    assert list(again.claims) == list(first.claims) and again.failed == first.failed
    assert list(again.datasets) == list(first.datasets)
    for name, dataset in again.datasets.items():
        xr.testing.assert_identical(dataset.drop_attrs(), first.datasets[name].drop_attrs())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def lose(path):
    path.unlink()


def touch(path):
    later = path.stat().st_mtime_ns + 1
    os.utime(path, ns=(later, later))


@pytest.mark.parametrize("change", [touch, lose])
@pytest.mark.parametrize("which", ["threshold_n8.nc", "summary.json", "runs/*/metrics.nc", "finished.json"])
def test_what_changed_since_is_computed_again(scanned, tmp_path, monkeypatch, change, which):
    first = run(scanned, tmp_path, progress=False)
    change(next(tmp_path.glob(which)))
    counted = []
    room = sys.modules["iclrace.validate.run"]
    real = room.predict
    monkeypatch.setattr(room, "predict", lambda plan, *rest: counted.append(plan.name) or real(plan, *rest))
    again = run(scanned, tmp_path, progress=False)
    computed = [] if (change, which) == (touch, "finished.json") else ["threshold", "memory_law"]
    assert sorted(counted) == sorted(computed)
    assert [claim.measured for claim in again.claims] == [claim.measured for claim in first.claims]


def test_other_options_bars_source_and_experiments_are_computed_again(scanned, preset, tmp_path, monkeypatch):
    """A call is done where all that decides it is as it was; one with an experiment of the user's own never is."""
    room = sys.modules["iclrace.validate.run"]
    seen = []
    monkeypatch.setattr(room, "_run", lambda plans, *rest, real=room._run: seen.append(1) or real(plans, *rest))

    def computes(preset, **options):
        seen.clear()
        run(preset, tmp_path, progress=False, **options)
        return bool(seen)

    assert computes(preset) and not computes(preset)
    assert computes(preset, experiments=["first"]) and not computes(preset, experiments=["first"])
    assert computes(preset, reason="a reason")
    stricter = Preset("mine", "", [replace(one, bar=1.4) for one in preset.experiments])
    assert computes(stricter, reason="a stricter bar") and not computes(stricter)
    finished._machinery.cache_clear()
    monkeypatch.setattr(finished, "version", lambda name: f"next {name}")
    assert computes(stricter) and not computes(stricter)

    class Own(MemoryLaw):
        pass

    own = Preset("mine", "", [Own(TRAININGS, bar=1.5, name="own")])
    assert computes(own) and computes(own)
    finished._machinery.cache_clear()


def looks(preset, out, hours):
    """How many calls of so many hours the preset takes; every one but the last runs out of time."""
    for call in range(1, 200):
        try:
            run(preset, out, progress=False, hours=hours)
        except OutOfTime as over:
            assert f"{hours:g} hours are over" in str(over) and "the same command goes on" in str(over)
        else:
            return call
    raise AssertionError("it never ends")


def test_a_preset_run_in_pieces_says_what_it_says_when_run_at_once(scanned, tmp_path, monkeypatch):
    run(scanned, tmp_path / "whole", progress=False)
    with monkeypatch.context() as patched:
        now = iter(range(10**6))
        patched.setattr(deadline, "time", type("Clock", (), {"monotonic": staticmethod(lambda: float(next(now)))}))
        calls = looks(scanned, tmp_path / "pieces", 3 / 3600)
    assert calls > 3
    assert numbers(tmp_path / "pieces") == numbers(tmp_path / "whole")
    frozen = summary(tmp_path / "pieces", "predictions")["experiments"]
    assert all(one["before_training"] or name == "memory_law" for name, one in frozen.items())


def test_what_was_finished_in_time_is_told(preset, tmp_path, monkeypatch):
    """Both experiments train the same perceptrons: the first is judged, and the time is up before the second."""
    room = sys.modules["iclrace.validate.run"]
    real, judged = room.test, []

    def test(plan, *rest):
        if judged:
            raise OutOfTime
        judged.append(plan.name)
        return real(plan, *rest)

    monkeypatch.setattr(room, "test", test)
    with pytest.raises(OutOfTime, match="3 of 3 runs are done"):
        run(preset, tmp_path, progress=False, hours=1)
    assert list(summary(tmp_path)["experiments"]) == ["first"]
    monkeypatch.setattr(room, "test", real)
    run(preset, tmp_path, progress=False, hours=1)
    assert list(summary(tmp_path)["experiments"]) == ["first", "second"]


@pytest.mark.parametrize("hours", [0, -1, float("nan")])
def test_hours_must_be_positive(preset, tmp_path, hours):
    with pytest.raises(ValueError, match="'hours' must"):
        run(preset, tmp_path / "out", progress=False, hours=hours)
