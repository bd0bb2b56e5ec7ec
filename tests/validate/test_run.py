"""The main job's folder: experiments of one preset that are run one after the other end up in one summary."""

import json

import pytest
from iclrace.validate import MemoryTraining, Preset, run
from iclrace.validate.experiments import MemoryLaw

TRAININGS = [MemoryTraining(k, 0, dimension=8, width=16, until=0.2) for k in (8, 16, 32)]


@pytest.fixture
def preset():
    return Preset("mine", "", [MemoryLaw(TRAININGS, bar=1.5, name=name) for name in ("first", "second")])


def summary(out, name="summary"):
    return json.loads((out / f"{name}.json").read_text())


def test_experiments_run_one_by_one_say_what_the_whole_preset_says(preset, tmp_path):
    for name in ("first", "second"):
        run(preset, tmp_path / "parts", experiments=[name], progress=False)
    run(preset, tmp_path / "whole", progress=False)
    parts, whole = summary(tmp_path / "parts"), summary(tmp_path / "whole")
    assert parts["experiments"] == whole["experiments"]
    assert summary(tmp_path / "parts", "predictions") == summary(tmp_path / "whole", "predictions")
    assert list(parts["experiments"]) == ["first", "second"]


@pytest.mark.parametrize("before", ["{", "[]", '{"format": 1, "preset": "other", "experiments": {"old": {}}}',
                                    '{"format": 0, "preset": "mine", "experiments": {"old": {}}}'])  # fmt: skip
def test_what_another_preset_or_version_said_is_not_kept(preset, tmp_path, before):
    (tmp_path / "summary.json").write_text(before)
    run(preset, tmp_path, experiments=["first"], progress=False)
    assert list(summary(tmp_path)["experiments"]) == ["first"]


def test_the_whole_preset_replaces_what_stood_there(preset, tmp_path):
    before = {"format": 1, "preset": "mine", "experiments": {"old": {"predictions": {}, "comparisons": []}}}
    (tmp_path / "summary.json").write_text(json.dumps(before))
    run(preset, tmp_path, progress=False)
    assert list(summary(tmp_path)["experiments"]) == ["first", "second"]
