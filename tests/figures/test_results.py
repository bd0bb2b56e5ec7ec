"""Results folders that lack something or are damaged, and what every figure has in common."""

import math
import os
import shutil
from dataclasses import replace

import pytest
from matplotlib import pyplot as plt

from iclrace.figures import FIGURES, MissingResults, Results, draw, find, save, save_all, style, threshold
from iclrace.theory import Estimate, Task
from iclrace.validate import Run, place
from iclrace.validate.training.store import StoreError


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def scanned(folder):
    """A folder with one scan of K."""
    runs = [Run("minimal", Task(25, k, 63), seed, budget=400.0) for k in (64, 128, 256) for seed in range(2)]
    names = ("icl_accuracy", "iwl_accuracy", "circuit_accuracy", "clock")
    folder.networks(
        "threshold", "n25", runs, ["task_diversity", "seed"], lambda run, time: dict.fromkeys(names, time / 400)
    )
    at = place(runs[0], task_diversity=None)
    folder.claim("threshold", "K*", 100.0, 110.0, method="memory alone", at=at, data=("n25",))
    return folder


def test_missing_results_name_the_command(reference):
    with pytest.raises(ValueError, match=r"iclrace validate --preset workstation -e kinetics"):
        draw("kinetics_or_capacity", reference)
    with pytest.raises(ValueError, match="results"):
        draw("clock_collapse")


def test_claims_and_datasets_are_found_by_their_fields(scanned):
    results = scanned.results()
    (claim,) = results.select(quantity="K*", network="minimal", context_length=25)
    (runs,) = results.behind(claim, needs=["clock"])
    assert results.behind([claim, claim])[0].equals(runs) and len(results.behind([claim, claim])) == 1
    assert len(results.datasets("threshold", label="n25")) == len(results.datasets("threshold")) == 1
    assert not results.datasets("threshold", "calibration") and not results.datasets("threshold", label="n50")


def test_a_dataset_of_an_earlier_call_is_not_drawn(scanned):
    assert draw("clock_collapse", scanned.results())
    results = scanned.results(datasets=[])
    assert not results.datasets("threshold")
    with pytest.raises(MissingResults, match="-e threshold"):
        draw("clock_collapse", results)


def test_claims_without_their_networks_are_described_by_their_own_fields(scanned):
    (claim,) = scanned.claims
    scanned.claims.append(replace(claim, at={**claim.at, "context_length": 50}, data=("n50",)))
    (scanned.path / "threshold_n25.nc").unlink()
    caption = FIGURES["threshold_minimal"].picture(scanned.results()).caption
    assert "minimal models, N = 25–50, D = 63, width = 512, T = 400, 3 seeds each" in caption


@pytest.mark.parametrize("text", ["{", "[]", '{"preset": "laptop"}', '{"format": 0, "preset": "x", "experiments": {}}'])
def test_a_damaged_or_other_summary_is_named(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(StoreError, match=r"summary\.json"):
        Results(tmp_path)


def test_a_damaged_dataset_and_one_of_another_version_are_named(scanned):
    results = scanned.results()
    with pytest.raises(StoreError, match=r"threshold_n25\.nc.*lacks absent"):
        results.datasets("threshold", needs=["absent"])
    path = scanned.path / "threshold_n25.nc"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match=r"threshold_n25\.nc"):
        draw("clock_collapse", results)


def test_names_of_the_paper_find_figures():
    assert "accuracy_minimal" in [one.name for one in find("2b")]
    assert find("fig4")[0].name == "landscape"
    with pytest.raises(ValueError, match="'name'"):
        find("99")
    shown = {number for entry in FIGURES.values() for number in entry.paper}
    assert shown >= {"2b", "2c", "2d", "2e", "3", "4", "5", "A2", "A3", "6a", "A7", "6b", "A4", "6c", "6d", "6e", "A8",
                     "A5", "A6"}  # fmt: skip


def test_one_axes_for_each_panel_is_asked_for():
    own = plt.subplots()[1]
    assert draw("exponent_crossover", ax=own) is own.figure
    with pytest.raises(ValueError, match="'ax'"):
        draw("landscape", ax=own)


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_equal_figures_give_equal_files(tmp_path, suffix, magic):
    first, second = (save(draw("exponent_crossover"), tmp_path / f"{i}{suffix}").read_bytes() for i in range(2))
    assert first.startswith(magic)
    assert first == second
    with pytest.raises(ValueError, match="'path'"):
        save(draw("exponent_crossover"), tmp_path / "figure.gif")


def test_an_infinite_estimate_is_not_drawn_and_an_open_one_is_marked():
    ax = plt.subplots()[1]
    style.plot_estimates(
        ax, [1, 2, 3], [Estimate.exact(1.0), Estimate(math.inf, 0, math.inf), Estimate(2, 1, math.inf)]
    )
    assert ax.containers[0].lines[0].get_ydata().tolist() == [1.0, 2.0]
    style.mark(ax, Estimate(math.inf, 0.0, math.inf), "nothing")
    assert not [one for one in ax.get_lines() if one.get_linestyle() == "--"]


def test_a_band_shows_only_the_intervals_that_say_something():
    ax = plt.subplots()[1]
    ends = (3.0, 4.0, 1e304, math.inf)
    style.plot_band(ax, [1, 2, 3, 4], [Estimate(2, 1, end) for end in ends])
    assert ax.get_lines()[0].get_ydata().tolist() == [2, 2, 2, 2]
    assert ax.dataLim.y1 == 4.0
    assert ax.collections


def test_a_panel_without_a_known_place_says_so():
    with style.look():
        ax = threshold.draw([], [], {}, "reading", {"capacity": 0.0})
    assert "no threshold" in ax.texts[0].get_text()


def test_a_transformers_caption_has_its_own_numbers(reference):
    caption = FIGURES["accuracy_transformer"].picture(reference).caption
    for text in ("N = 15", "K = 182–918", "D = 31", "4 seeds", "t up to 125", "20 transformers"):
        assert text in caption


def test_a_second_call_draws_nothing_again(reference, tmp_path, monkeypatch):
    """Unless results were written since, or a figure is gone; theory alone is not part of a folder's figures."""
    few = tuple(FIGURES[name] for name in ("verdicts", "race", "exponent_crossover"))
    monkeypatch.setattr("iclrace.figures.catalogue._ENTRIES", few)
    for path in reference.directory.iterdir():
        shutil.copy2(path, tmp_path)
    results = Results(tmp_path)
    made, _ = save_all(results, tmp_path, of_results=True)
    assert [path.name for path in made] == ["verdicts.png", "race.png"]
    with monkeypatch.context() as context:
        context.setattr("iclrace.figures.picture.Picture.draw", lambda *_: pytest.fail("drawn again"))
        assert save_all(results, tmp_path, of_results=True)[0] == made
    later = max(path.stat().st_mtime for path in made) + 10
    os.utime(tmp_path / "summary.json", (later, later))
    drawn = []
    monkeypatch.setattr("iclrace.figures.style.save", lambda _, path: drawn.append(path.name) or path)
    save_all(results, tmp_path, of_results=True)
    assert drawn == ["verdicts.png", "race.png"]
