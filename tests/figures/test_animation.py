"""The animated race: frames that grow with time, an end that is held, and options that are refused."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from iclrace.cli.app import app
from iclrace.figures.animation import animate_race


def test_the_command_draws_a_race_that_goes_on_and_rests_at_its_end(reference, tmp_path, monkeypatch):
    """Every frame holds more ink than the one before, but for points that a dot covers; the file loops."""
    monkeypatch.setattr("iclrace.figures.animation._STEPS", 8)
    path = tmp_path / "race.gif"
    done = CliRunner().invoke(
        app, ["figure", "race", "--animate", "--results", str(reference.directory), "--out", str(path)]
    )
    assert done.exit_code == 0, done.output
    assert [file.name for file in tmp_path.iterdir()] == ["race.gif"]
    with Image.open(path) as film:
        assert film.n_frames == 8 and film.info["loop"] == 0
        ink, held = [], []
        for i in range(film.n_frames):
            film.seek(i)
            held.append(film.info["duration"])
            ink.append(int((np.asarray(film.convert("L")) < 250).sum()))
    assert (np.diff(ink) > 0).all()
    assert held[-1] > 2000 > 10 * max(held[:-1])  # ms


def test_the_film_of_the_readme_ends_as_the_race_is_drawn_now(reference, tmp_path, monkeypatch):
    """One dot in two hundred may differ by a shade, as between versions of what draws; two marks of a key are more."""
    monkeypatch.setattr("iclrace.figures.animation._STEPS", 1)
    monkeypatch.setattr("iclrace.figures.animation._PAUSE", 1)
    root = reference.directory.parents[2]
    ends = []
    for path in (animate_race(reference, tmp_path / "race.gif"), root / "docs" / "images" / "race.gif"):
        with Image.open(path) as film:
            film.seek(film.n_frames - 1)
            ends.append(np.asarray(film.convert("L")).astype(int))
    assert (np.abs(ends[0] - ends[1]) > 64).mean() < 0.005


@pytest.mark.parametrize(
    ("words", "named"),
    [(["landscape"], "--animate"), (["race", "--all"], "name"), (["race", "--out", "race.png"], "--out")],
)
def test_what_is_no_animation_is_refused(words, named, reference):
    done = CliRunner().invoke(app, ["figure", *words, "--animate", "--results", str(reference.directory)])
    assert done.exit_code == 2 and named in done.output


def test_another_ending_is_refused(reference, tmp_path):
    with pytest.raises(ValueError, match=r"'path' must end in \.gif"):
        animate_race(reference, tmp_path / "race.png")
