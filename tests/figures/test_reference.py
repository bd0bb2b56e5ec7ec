"""What the figures draw of the reference results and of the theory: the very numbers, not pixels."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt

from iclrace.figures import draw, style
from iclrace.figures import scan as scan_figures
from iclrace.figures.verdicts import COLOURS
from iclrace.theory import PowerLawMemory, Task, crossover_slope, ladder, threshold
from iclrace.validate import acquisition_times

from .conftest import line, points


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def said(results, **fields):
    """The number that the threshold experiment predicts."""
    return results.select(experiment="threshold", **fields)[0].predicted.value


def test_accuracies_are_the_last_ones_of_the_dataset(reference):
    runs = reference.datasets("threshold")[0]
    ax = draw("accuracy_minimal", reference).axes[0]
    k, mean = line(ax, "ICL")
    ends = scan_figures.last(runs.icl_accuracy)
    assert k.tolist() == runs.task_diversity.values.tolist()
    assert np.allclose(mean, ends.mean("seed"))
    drawn = next(one for one in ax.get_lines() if one.get_marker() == "o" and one.get_color() == style.ICL)
    assert sorted(drawn.get_ydata()) == sorted(ends.values.ravel())
    predicted = said(reference, quantity="K*", method="memory alone")
    x, _ = line(ax, f"predicted $K^*$ = {predicted:.0f}")
    assert x[0] == predicted


def test_the_coupled_line_crosses_95_percent_at_the_predicted_threshold(reference):
    k, accuracy = line(draw("accuracy_minimal", reference).axes[0], "ICL circuit, coupled equations")
    predicted = said(reference, quantity="K*", method="coupled equations")
    crossing = k[np.argmax(np.asarray(accuracy) > 0.95)]
    assert crossing == pytest.approx(predicted, rel=2 * math.log(k[-1] / k[0]) / len(k))  # two points of the line


def test_clock_collapse_draws_every_network_over_its_own_clock(reference):
    runs = reference.datasets("threshold")[0]
    ax = draw("clock_collapse", reference).axes[0]
    lines = [one for one in ax.get_lines() if len(one.get_xdata()) == runs.sizes["time"]]
    assert len(lines) == runs.sizes["task_diversity"] * runs.sizes["seed"]
    first = runs.isel(task_diversity=0, seed=0)
    assert np.array_equal(lines[0].get_xdata(), first.clock / 50, equal_nan=True)
    assert np.array_equal(lines[0].get_ydata(), first.circuit_accuracy, equal_nan=True)


def test_the_race_marks_who_reaches_the_clock_that_icl_needs(reference):
    runs = reference.datasets("threshold")[0]
    ax = draw("race", reference).axes[0]
    drawn = [one for one in ax.get_lines() if len(one.get_xdata())]
    ends = {mark: [one for one in drawn if one.get_marker() == mark] for mark in "ox"}
    acquired = np.isfinite(acquisition_times(runs, "circuit_accuracy"))
    assert len(ends["o"]) == int(acquired.sum()) and len(ends["x"]) == int((~acquired).sum()) > 0
    predicted = line(ax, "predicted $I^*$")[1][0]
    assert predicted == said(reference, quantity="I*")
    readings = [float(one.get_ydata()[0]) for one in ends["o"]]
    assert np.allclose(readings, predicted, rtol=0.1)  # the experiment's own bar


def test_the_verdicts_are_the_ratios_of_the_table_in_its_order(reference):
    claims = [claim for claim in reference.claims if claim.scale == "ratio" and claim.compared]
    assert {"holds", "undecided"} <= {claim.verdict.kind for claim in claims}
    ax = draw("verdicts", reference).axes[0]
    drawn = [one for one in ax.get_lines() if one.get_marker() == "o" and len(one.get_xdata()) == 1]
    assert [one.get_xdata()[0] for one in drawn] == [claim.compared.value for claim in claims]
    assert [one.get_color() for one in drawn] == [COLOURS[claim.verdict.kind] for claim in claims]
    assert np.all(np.diff([one.get_ydata()[0] for one in drawn]) >= 1)


def test_memory_curves_start_as_an_untrained_network_must(reference):
    above, below = draw("memory_curves", reference).axes
    for name, start in (("$c_1$", 0.5), ("$c_2$", 0.5), ("$c_3$", 1.0)):
        assert line(above, name)[1][0] == pytest.approx(start, abs=0.02)
    t, clock = line(below, "K = 128")
    assert np.all(np.diff(clock) > 0) and np.all(clock <= t / 2 * 1.02)


def test_theory_figures_draw_the_theory():
    b, slope = line(draw("exponent_crossover").axes[0], "closed form, $N → ∞$")
    assert np.allclose(slope, crossover_slope(b))
    _, error = line(draw("approximation_ladder").axes[0], "no drag, Mills' ratio")
    assert error[3] == pytest.approx(abs(ladder(Task(100, dimension=63), 0.0)[-1].error), rel=1e-6)
    n, diversity = line(draw("phase_diagram").axes[0], r"$K^*$ after an infinite time")
    expected = threshold(Task(int(n[5])), PowerLawMemory(3.9, 0.7), 0.0).value
    assert diversity[5] == pytest.approx(expected)


def test_the_ladder_shows_trained_networks_against_the_exact_field(reference):
    values, ((low, high),) = points(draw("approximation_ladder", reference).axes[0], "networks")
    (claim,) = reference.select(experiment="acquisition_time", quantity="t_ICL")
    measured, predicted = claim.measured, claim.predicted.value
    ends = [measured.low / predicted - 1, measured.high / predicted - 1]
    nearest = 0.0 if ends[0] < 0 < ends[1] else min(map(abs, ends))
    assert values == pytest.approx([abs(measured.value / predicted - 1)])
    assert (low, high) == pytest.approx((nearest, max(map(abs, ends))))


def test_the_landscape_marks_minima_and_the_saddle():
    axes = draw("landscape").axes[:4]  # the colour bars come after the panels
    marks = [[one for one in ax.get_lines() if one.get_marker() == "o"] for ax in axes]
    assert [len(one) for one in marks][2:] == [3, 1]  # three fixed points before the fold at φ = 4.2, one beyond
    assert marks[2][1].get_markerfacecolor() == "white"  # the one in the middle is the saddle
