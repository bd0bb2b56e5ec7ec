"""Exponents kept on disk: what was derived, nothing else, and derived again whenever in doubt."""

import hashlib
import json
import sys

import pytest

from iclrace.theory import exponents
from iclrace.theory._files import written_whole
from iclrace.theory.stored import stored_exponents

stored = sys.modules["iclrace.theory.stored"]


def refuse():
    raise AssertionError("derived again")


def test_a_second_call_reads_what_the_first_derived(tmp_path, monkeypatch):
    assert stored_exponents(tmp_path / "new") == exponents()
    monkeypatch.setattr(stored, "exponents", refuse)
    assert stored_exponents(tmp_path / "new") == exponents()
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".json"]


def test_another_source_is_another_address(tmp_path, monkeypatch):
    stored_exponents(tmp_path)
    monkeypatch.setattr(stored, "version", lambda name: "0")
    monkeypatch.setattr(stored, "exponents", refuse)
    with pytest.raises(AssertionError, match="derived again"):
        stored_exponents(tmp_path)


@pytest.mark.parametrize("damage", ["", "[{", "[{}]", '{"a": 1}', json.dumps([{"quantity": "t_ICL"}]), "[1]"])
def test_a_damaged_file_is_not_believed(tmp_path, damage):
    stored_exponents(tmp_path)
    next(tmp_path.iterdir()).write_text(damage)
    assert stored_exponents(tmp_path) == exponents()
    assert next(tmp_path.iterdir()).read_text() != damage


@pytest.mark.parametrize(
    "formula", ["__import__('os').remove({!r})", "open({!r}, 'w')", "nu.__class__", "nu if nu else 1"]
)
def test_a_stored_formula_cannot_execute_code(tmp_path, formula):
    """A file with a fitting checksum is read; what it calls an expression is not evaluated."""
    kept = tmp_path / "kept"
    kept.write_text("precious")
    stored_exponents(tmp_path / "cache")
    (path,) = (tmp_path / "cache").iterdir()
    laws = json.loads(path.read_text().split("\n", 1)[1])
    text = json.dumps([{**laws[0], "formula": formula.format(str(kept))}])
    path.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
    (law,) = stored_exponents(tmp_path / "cache")
    with pytest.raises(ValueError, match="formula"):
        _ = law.expression
    assert kept.read_text() == "precious"


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("precious")
    assert stored_exponents(tmp_path / "file") == exponents()
    assert (tmp_path / "file").read_text() == "precious"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as partial:
        partial.write_text("half of wh")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    with written_whole(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after" and list(tmp_path.iterdir()) == [path]
