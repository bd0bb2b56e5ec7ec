"""Every figure of every stored folder can be read: no raw names, no ticks on one another, axes and keys explained."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.text import Text

from iclrace.figures import FIGURES, MissingResults, Results, draw, style

STORED = sorted((Path(__file__).parents[2] / "results" / "reference").iterdir())
THEORY = [name for name, one in FIGURES.items() if not one.experiments and "theory alone" in one.needs]
#: Inches: a panel narrower or lower than this shows nothing.
LEAST_PANEL = 0.6
_MATH = re.compile(r"\$[^$]*\$")
#: Names of variables and files, as opposed to words: an underscore between letters, outside of a formula.
_RAW = re.compile(r"\w_\w")


def faults(canvas):
    """What is wrong with a drawn figure, in words."""
    with style.look():
        canvas.draw_without_rendering()
    found = []
    for text in canvas.findobj(Text):
        if text.get_visible() and _RAW.search(_MATH.sub("", text.get_text())):
            found.append(f"raw name: {text.get_text()!r}")
    for ax in canvas.axes:
        box = ax.get_window_extent().transformed(canvas.dpi_scale_trans.inverted())
        colour_bar = hasattr(ax, "_colorbar")
        if not colour_bar and min(box.width, box.height) < LEAST_PANEL:
            found.append(f"panel of {box.width:.2f} × {box.height:.2f} inches")
        for axis in (ax.xaxis, ax.yaxis):
            found += overlaps(axis)
        words = [ax.get_xlabel(), ax.get_ylabel()]
        if colour_bar:
            explained = any(words) or any(one.get_text().isalpha() for one in ax.get_yticklabels())
        else:
            rows_are_words = any(re.search(r"[a-zA-Z]{3}", one.get_text()) for one in ax.get_yticklabels())
            explained = bool(words[0] or shares(canvas, ax)) and bool(
                words[1] or rows_are_words or twin(canvas, ax) or in_its_row(canvas, ax)
            )
        if not explained:
            found.append(f"axis without a label: {words}")
        found += dead_keys(ax)
    return found


def overlaps(axis):
    """Pairs of labelled ticks whose words lie on one another."""
    shown = [one for one in axis.get_ticklabels() if one.get_visible() and one.get_text()]
    low, high = sorted(axis.get_view_interval())
    at = [tick.get_loc() for tick in axis.get_major_ticks()]
    inside = [one for one, where in zip(axis.get_ticklabels(), at, strict=False) if low <= where <= high]
    boxes = [(one.get_text(), one.get_window_extent()) for one in shown if one in inside]
    pairs = pairwise(boxes)
    return [f"ticks on one another: {a!r} and {b!r}" for (a, one), (b, other) in pairs if one.overlaps(other)]


def shares(canvas, ax):
    """Whether a panel of the same column below tells what x is."""
    x = ax.get_position().x0
    below = [one for one in canvas.axes if abs(one.get_position().x0 - x) < 0.02]
    return any(one.get_xlabel() for one in below)


def in_its_row(canvas, ax):
    """Whether a panel to the left, on the same scale, tells what y is."""
    mine = ax.get_position()
    left = [one for one in canvas.axes if abs(one.get_position().y0 - mine.y0) < 0.02 and one.get_ylabel()]
    return any(one.get_position().x0 < mine.x0 and one.get_ylim() == ax.get_ylim() for one in left)


def twin(canvas, ax):
    """Whether it is an axis of steps over a panel that has its label."""
    box = ax.get_position().bounds
    return any(
        one is not ax and np.allclose(one.get_position().bounds, box) and one.get_ylabel() for one in canvas.axes
    )


def dead_keys(ax):
    """Keys of what cannot be seen: of a line without a finite point, or of one point without a marker."""
    found = []
    if ax.get_legend() is None:
        return found
    for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
        if not isinstance(handle, Line2D):
            continue
        x, y = (np.asarray(one, dtype=float) for one in handle.get_data())
        points = int((np.isfinite(x) & np.isfinite(y)).sum()) if len(x) == len(y) else 2
        only_a_key = len(x) == 0  # drawn for the legend's sake
        if not only_a_key and (points == 0 or (points == 1 and handle.get_marker() in ("None", "", None))):
            found.append(f"key of nothing: {label!r}")
    return found


def timeless(canvas):
    """The words of each panel that shows a K* and tells in no title and on no axis at which time of training."""
    unsaid = []
    for ax in canvas.axes:
        legend = ax.get_legend()
        words = [ax.get_xlabel(), ax.get_ylabel(), ax.get_title()]
        words += [one.get_text() for one in (*legend.get_texts(), legend.get_title())] if legend else []
        told = " ".join(words)
        if "K^*$ =" in told or "threshold $K^*$" in told:
            said = re.search(r"\bT\$? = |\$T\$", told)
            unsaid += [] if said else [told]
    return unsaid


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", THEORY)
def test_a_picture_of_theory_can_be_read(name):
    assert faults(draw(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", STORED, ids=lambda one: one.name)
def test_every_picture_of_a_folder_can_be_read(folder):
    results, found, drawn = Results(folder), {}, 0
    for name, figure in FIGURES.items():
        if not figure.experiments:
            continue
        try:
            canvas = figure.picture(results).draw()
        except MissingResults:
            continue
        drawn += 1
        wrong = faults(canvas) + [f"K* without its time: {told}" for told in timeless(canvas)]
        found |= {name: wrong} if wrong else {}
        plt.close(canvas)
    assert drawn >= 2 and not found


def test_each_fault_is_seen():
    """The faults that these tests are there for, one by one."""
    canvas, ax = plt.subplots(figsize=(2, 2))
    ax.plot([1], [1], label="one point")
    ax.legend()
    ax.set(xlabel="raw_name", xlim=(0.99, 2.0))
    ax.set_xticks([1.0, 1.01], ["1000", "1010"])
    wrong = " ".join(faults(canvas))
    for words in ("raw name: 'raw_name'", "'1000' and '1010'", "axis without a label", "key of nothing: 'one point'"):
        assert words in wrong
    ax.set(ylabel="threshold $K^*$")
    assert timeless(canvas)
    narrow, _ = plt.subplots(1, 9, figsize=(2, 2))
    assert any(one.startswith("panel of") for one in faults(narrow))
