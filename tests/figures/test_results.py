"""Results folders that lack something or are damaged, and what every figure has in common."""

import math

import pytest
from iclrace.figures import FIGURES, MissingResults, Results, draw, find, save, style, thresholds
from iclrace.theory import Estimate, Task
from iclrace.validate import Run
from iclrace.validate.store import StoreError
from matplotlib import pyplot as plt


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
        "threshold", "networks", runs, ["task_diversity", "seed"], lambda run, time: dict.fromkeys(names, time / 400)
    )
    return folder


def test_missing_results_name_the_command(reference):
    with pytest.raises(ValueError, match=r"iclrace validate --preset workstation -e kinetics"):
        draw("kinetics_or_capacity", reference)
    with pytest.raises(ValueError, match="results"):
        draw("clock_collapse")


def test_a_dataset_of_an_earlier_call_is_not_drawn(scanned):
    results = scanned.results()
    assert results.find("threshold_*")
    with pytest.raises(MissingResults, match="-e threshold"):
        scanned.results(experiments={}).find("threshold_*")


@pytest.mark.parametrize("text", ["{", "[]", '{"preset": "laptop"}', '{"format": 0, "preset": "x", "experiments": {}}'])
def test_a_damaged_or_other_summary_is_named(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(StoreError, match=r"summary\.json"):
        Results(tmp_path)


def test_a_damaged_dataset_and_one_of_another_version_are_named(scanned):
    results = scanned.results()
    with pytest.raises(StoreError, match=r"threshold_networks\.nc.*lacks absent"):
        results.find("threshold_*", needs=["absent"])
    path = scanned.path / "threshold_networks.nc"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match=r"threshold_networks\.nc"):
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
    style.mark_prediction(ax, Estimate(math.inf, 0.0, math.inf))
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
        ax = thresholds.draw([], [], {}, "reading", {"capacity": 0.0})
    assert "no threshold" in ax.texts[0].get_text()


def test_a_transformers_caption_has_its_own_numbers(reference):
    caption = FIGURES["accuracy_transformer"].picture(reference).caption
    for text in ("N = 15", "K = 182–918", "D = 31", "4 seeds", "t up to 125", "20 transformers"):
        assert text in caption
