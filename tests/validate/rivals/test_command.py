"""The table from a folder: `iclrace rivals`."""

import csv
import json
import math
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iclrace.cli import main
from iclrace.cli.app import app
from iclrace.theory import Estimate
from iclrace.validate import Claim, Claims, Summary
from iclrace.validate.rivals import conditions_of

EXACT = Estimate.exact


@pytest.fixture
def folder(tmp_path):
    """Six conditions with K* = 30 N; one method knows it to a factor 2, another to 1 %."""
    claims = []
    for n in (7, 15, 31, 63, 127, 255):
        for method, factor in (("guess", 2.0), ("theory", 1.01)):
            at = {"context_length": n, "dimension": 31, "width": 128, "rate_ratio": 1.0, "parameters": 20737}
            measured, said = Estimate(30.0 * n, 29.9 * n, 30.1 * n), EXACT(30.0 * n * factor)
            claims.append(
                Claim("K*", "transformer", said, 1.2, method=method, at=at, experiment="made", measured=measured)
            )
    Summary("chosen", "", Claims(claims)).write(tmp_path)
    return tmp_path


def call(*words):
    return CliRunner().invoke(app, ["rivals", *map(str, words)], catch_exceptions=False).output


def test_the_table_says_who_wins(folder, tmp_path):
    rows = json.loads(call(folder, "--json", "--against", "theory", "--csv", tmp_path / "rivals.csv"))
    assert rows[0]["predictor"] == "regression" and rows[0]["fitted"] == 5  # K* is a power law, exactly
    found = {row["predictor"]: row for row in rows}
    assert found["theory"]["covered"] == 0 and found["theory"]["p"] == "nan"
    assert found["guess"]["off by"] == pytest.approx(2.0) and found["guess"]["score"] > found["theory"]["score"]
    assert found["crossing of two times"]["says"] == 0  # no calibration run is stored here
    with (tmp_path / "rivals.csv").open() as file:
        assert [row["predictor"] for row in csv.DictReader(file)] == [row["predictor"] for row in rows]
    assert "K* of the transformer at 6 conditions" in call(folder)


def test_a_row_for_every_condition(folder):
    rows = json.loads(call(folder, "--conditions", "--json"))
    assert len(rows) == 6 * 10
    first = next(row for row in rows if row["predictor"] == "guess")
    assert (first["context_length"], first["predicted"], first["measured"]) == (7, 420.0, 210.0)


def test_a_scan_that_ended_too_early_gives_way_to_the_one_that_reaches_further():
    at, made = {"context_length": 7}, []
    for experiment, measured, said in (
        ("first", Estimate(1216.0, 106.0, math.inf), 1500.0), ("beyond", Estimate(1700.0, 1600.0, 1800.0), 1600.0),
    ):  # fmt: skip
        fields = {"method": "theory", "at": at, "experiment": experiment, "measured": measured, "data": ("d63",)}
        made.append(Claim("K*", "transformer", EXACT(said), 1.2, **fields))
    asked = []
    for claims in (made, made[::-1]):
        (known,) = conditions_of(claims, lambda *names: asked.append(names))
        assert known.measured.value == 1700.0 and known.condition.predictions == {"theory": EXACT(1600.0)}
        assert known.seen_by(["endless"]).condition.calibration("endless") is None
    assert asked == [("beyond", "endless_d63")] * 2
    (known,) = conditions_of(made[:1], lambda *_: None)
    assert not known.closed


def test_the_guides_rival_is_one_short_file(folder, monkeypatch):
    guides = Path(__file__).parents[3] / "docs" / "guides"
    assert len((guides / "cubic_rival.py").read_text("utf-8").splitlines()) < 40
    monkeypatch.syspath_prepend(guides)
    rows = json.loads(call(folder, "--with", "cubic_rival:rival", "--json"))
    found = {row["predictor"]: row for row in rows}["cube of N"]
    assert found["fitted"] == 1 and found["says"] == 6
    assert found["off by"] > 2  # K* = 30 N there, and not a cube


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "'results'"), (["--network", "minimal"], "hold 3 or more conditions"),
        (["--against", "nobody"], "'against'"), (["--with", "nowhere:thing"], "'with'"), (["--part", "half"], "'part'"),
        (["--quantity", "final accuracy"], "store their networks"),
        (["--quantity", "final accuracy", "--part", "circuit"], "'part'"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_code_2(folder, words, told, monkeypatch, capsys):
    where = [] if words == ["nowhere"] else [str(folder)]
    monkeypatch.setattr(sys, "argv", ["iclrace", "rivals", *where, *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2 and told in capsys.readouterr().err
