"""A thousand damages to one field of a stored file: each is named, or leaves what is read as it was."""

import copy
import json
import random

import numpy as np
import pytest
import xarray as xr

from iclrace.figures import Results, page
from iclrace.figures.report import write_markdown
from iclrace.figures.results import setting
from iclrace.theory import Task
from iclrace.validate import Run, RunStore, schema
from iclrace.validate.training.config import json_text
from iclrace.validate.training.store import StoreError, read_dataset, write_dataset

from .conftest import REFERENCE

WRONG = (None, True, False, -1, 0, 3.5, 10**400, "", "x", "nan", "1e3", "-inf", [], [[]], {}, {"value": 1}, [None])


def places(content, path=()):
    """The paths to every field of a JSON document."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def damaged(content, among, draw):
    """``content`` with one field of the ``places`` in it removed, renamed or replaced, and the path to it."""
    other, path = copy.copy(content), draw.choice(among)
    holder = other
    for key in path[:-1]:  # what is beside the path is shared
        holder[key] = copy.copy(holder[key])
        holder = holder[key]
    kind = draw.random()
    if kind < 0.15:
        del holder[path[-1]]
    elif kind < 0.25 and isinstance(holder, dict):
        holder[f"{path[-1]}_"] = holder.pop(path[-1])
    elif kind < 0.4 and isinstance(holder[path[-1]], float):
        holder[path[-1]] *= 1.0 + 1e-9
    else:
        holder[path[-1]] = draw.choice([one for one in WRONG if one != holder[path[-1]]])
    return other, path


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Pages without pictures: of two thousand pages each would be drawn anew."""
    monkeypatch.setattr(page, "_picture", lambda question, results: (None, None))


def read(folder):
    """All that the report takes from a summary, but its pictures."""
    results = Results(folder)
    return results.preset, results.summary.experiments, write_markdown([results], folder / "page.md").read_text("utf-8")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    content = json.loads((REFERENCE / "summary.json").read_text("utf-8"))
    return schema.sealed({name: value for name, value in content.items() if name != "checksum"})


def test_a_thousand_damages_to_a_summary(original, tmp_path):
    path, draw, named, among = tmp_path / "summary.json", random.Random(0), 0, list(places(original))
    path.write_text(json_text(original), "utf-8")
    right = read(tmp_path)
    for _ in range(1000):
        content, field = damaged(original, among, draw)
        path.write_text(json.dumps(content, allow_nan=False), "utf-8")
        try:
            assert read(tmp_path) == right, field
        except StoreError as error:
            named += 1
            assert str(path) in str(error)
            assert "checksum" in str(error) or any(str(key) in str(error) for key in field), (field, str(error))
    assert named > 900  # only a seal that is gone can leave what is read as it was


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"', "[" * 100_000, "\ufeff{}", '{"format": 1}'])
def test_what_is_no_summary_is_named(tmp_path, text):
    (tmp_path / "summary.json").write_text(text, "utf-8")
    with pytest.raises(StoreError, match=r"summary\.json"):
        Results(tmp_path)
    (tmp_path / "summary.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(StoreError, match=r"summary\.json"):
        Results(tmp_path)


def test_damages_without_a_seal_raise_nothing_else(original, tmp_path):
    """As in a folder of an earlier version, in which a number may be another and cannot be known to be."""
    bare = {name: value for name, value in original.items() if name != "checksum"}
    path, draw, among = tmp_path / "summary.json", random.Random(1), list(places(bare))
    for _ in range(1000):
        content, field = damaged(bare, among, draw)
        path.write_text(json.dumps(content, allow_nan=False), "utf-8")
        try:
            read(tmp_path)
        except StoreError as error:
            assert str(path) in str(error) and any(str(key) in str(error) for key in field), (field, str(error))


def test_damages_to_the_setting_of_a_dataset(tmp_path, folder):
    runs = [Run("minimal", Task(25, k, 63), seed, budget=400.0) for k in (64, 128) for seed in range(2)]
    names = ("icl_accuracy", "iwl_accuracy", "circuit_accuracy", "clock")
    made = folder.networks("threshold", "networks", runs, ["task_diversity", "seed"],
                           lambda run, time: dict.fromkeys(names, time / 400))  # fmt: skip
    results, path = folder.results(), folder.path / "threshold_networks.nc"
    stored = read_dataset(path)
    content, draw = json.loads(stored.attrs["setting"]), random.Random(2)
    for _ in range(100):
        other, field = damaged(content, list(places(content)), draw)
        write_dataset(path, made.assign_attrs(setting=json_text(other)))
        try:
            read_back = setting(results.datasets("threshold")[0])
            assert read_back.keys() <= {*content, f"{field[0]}_"}
        except StoreError as error:
            assert str(path) in str(error) and str(field[0]) in str(error)


def test_one_changed_byte_of_a_dataset_is_named_or_changes_nothing(tmp_path):
    store, run = RunStore(tmp_path), Run("minimal", Task(8, 16, 7), 0, budget=40.0)
    folder_of = store.directory(run)
    time = np.arange(41.0)
    curves = xr.Dataset(
        {"clock": ("time", time / 2), "c1": ("time", 0.5 / (1 + time))}, {"time": time}, {"status": "x"}
    )
    store.save(run, curves)
    path, draw = folder_of / "metrics.nc", random.Random(3)
    whole = path.read_bytes()
    for _ in range(300):
        place = draw.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << draw.randrange(8))]) + whole[place + 1 :])
        try:
            assert store.load(run).identical(curves)
        except StoreError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("cost", ["[1]", "{}", '{"seconds": "x"}', '{"seconds": null}', '{"seconds": -1}', "{", "3"])
def test_a_cost_that_cannot_be_read_is_unknown(tmp_path, cost):
    store, run = RunStore(tmp_path), Run("minimal", Task(8, 16, 7), 0)
    store.directory(run).mkdir(parents=True)
    (store.directory(run) / "cost.json").write_text(cost, "utf-8")
    assert store.seconds([run]) == (0.0, 1)
