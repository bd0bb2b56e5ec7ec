"""What the figures draw: the very numbers of the results and of the theory, not pixels."""

import math

import numpy as np
import pytest
from iclrace.figures import MissingResults, draw, style
from iclrace.figures import accuracy as accuracy_figure
from iclrace.figures.verdicts import COLOURS
from iclrace.theory import PowerLawMemory, Task, crossover_slope, ladder, threshold
from iclrace.validate import Run, acquisition_times
from iclrace.validate.store import StoreError
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def estimate(value, low=None, high=None):
    low, high = value if low is None else low, value if high is None else high
    return {"value": value, "low": low, "high": high, "confidence": 0.95}


def rises_at(when, time, low=0.5, high=1.0):
    """A curve that steps from ``low`` to ``high`` between two evaluations at ``when``; it stays low for ``inf``."""
    return np.where(time > when, high, low)


def minimal(**settings):
    return Run("minimal", seed=0, budget=400.0, learning_rate=0.3, **settings)


def line(ax, label):
    """x and y of the line or the points of one label."""
    found = [one for one in ax.get_lines() if one.get_label() == label]
    assert len(found) == 1, [one.get_label() for one in ax.get_lines()]
    return np.asarray(found[0].get_xdata(), float), np.asarray(found[0].get_ydata(), float)


def points(ax, label="measured"):
    """Values and intervals of a set of points with error bars."""
    (bars,) = (one for one in ax.containers if one.get_label() == label)
    (segments,) = (one.get_segments() for one in bars.lines[2])
    return bars.lines[0].get_ydata(), [(s[0][1], s[1][1]) for s in segments]


def test_accuracies_are_the_last_ones_of_the_dataset(reference):
    runs = reference.one_of("threshold_networks")
    ax = draw("accuracy_minimal", reference).axes[0]
    k, mean = line(ax, "ICL")
    ends = accuracy_figure.last(runs.icl_accuracy)
    assert k.tolist() == runs.task_diversity.values.tolist()
    assert np.allclose(mean, ends.mean("seed"))
    drawn = next(one for one in ax.get_lines() if one.get_marker() == "o" and one.get_color() == style.ICL)
    assert sorted(drawn.get_ydata()) == sorted(ends.values.ravel())
    predicted = reference.experiments["threshold"]["predictions"]["threshold"]["value"]
    x, _ = line(ax, f"predicted $K^*$ = {predicted:.0f}")
    assert x[0] == predicted


def test_the_coupled_line_crosses_95_percent_at_the_predicted_threshold(reference):
    k, accuracy = line(draw("accuracy_minimal", reference).axes[0], "ICL circuit, coupled equations")
    predicted = reference.experiments["threshold"]["predictions"]["coupled_threshold"]["value"]
    crossing = k[np.argmax(np.asarray(accuracy) > 0.95)]
    assert crossing == pytest.approx(predicted, rel=2 * math.log(k[-1] / k[0]) / len(k))  # two points of the line


def test_clock_collapse_draws_every_network_over_its_own_clock(reference):
    runs = reference.one_of("threshold_networks")
    ax = draw("clock_collapse", reference).axes[0]
    lines = [one for one in ax.get_lines() if len(one.get_xdata()) == runs.sizes["time"]]
    assert len(lines) == runs.sizes["task_diversity"] * runs.sizes["seed"]
    first = runs.isel(task_diversity=0, seed=0)
    assert np.array_equal(lines[0].get_xdata(), first.clock / 50, equal_nan=True)
    assert np.array_equal(lines[0].get_ydata(), first.circuit_accuracy, equal_nan=True)


def test_the_race_marks_who_reaches_the_clock_that_icl_needs(reference):
    runs = reference.one_of("threshold_networks")
    ax = draw("race", reference).axes[0]
    ends = {mark: [one for one in ax.get_lines() if one.get_marker() == mark] for mark in "ox"}
    acquired = np.isfinite(acquisition_times(runs, "circuit_accuracy"))
    assert len(ends["o"]) == int(acquired.sum()) and len(ends["x"]) == int((~acquired).sum()) > 0
    predicted = line(ax, "predicted $I^*$")[1][0]
    assert predicted == reference.experiments["threshold"]["predictions"]["clock"]["value"]
    readings = [float(one.get_ydata()[0]) for one in ends["o"]]
    assert np.allclose(readings, predicted, rtol=0.1)  # the experiment's own bar


def test_the_verdicts_are_the_ratios_of_the_table_in_its_order(reference):
    rows = [row for one in reference.experiments.values() for row in one["comparisons"]]
    rows = [row for row in rows if row["predicted"] and row["scale"] == "ratio"]
    ax = draw("verdicts", reference).axes[0]
    drawn = [one for one in ax.get_lines() if one.get_marker() == "o" and len(one.get_xdata()) == 1]
    assert [one.get_xdata()[0] for one in drawn] == [row["ratio"]["value"] for row in rows]
    assert [one.get_color() for one in drawn] == [COLOURS[row["verdict"].split()[0]] for row in rows]
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
    _, error = line(draw("approximation_ladder").axes[0], "mills")
    assert error[3] == pytest.approx(abs(ladder(Task(100, dimension=63), 0.0)[-1].error), rel=1e-6)
    n, diversity = line(draw("phase_diagram").axes[0], r"$I_K(\infty) = I^*$")
    expected = threshold(Task(int(n[5])), PowerLawMemory(3.9, 0.7), 0.0).value
    assert diversity[5] == pytest.approx(expected)


def test_the_ladder_shows_trained_networks_against_the_exact_field(reference):
    values, ((low, high),) = points(draw("approximation_ladder", reference).axes[0], "networks")
    row = reference.experiments["acquisition_time"]["comparisons"][0]
    measured, predicted = row["measured"], row["predicted"]["value"]
    ends = [measured[end] / predicted - 1 for end in ("low", "high")]
    nearest = 0.0 if ends[0] < 0 < ends[1] else min(map(abs, ends))
    assert values == pytest.approx([abs(measured["value"] / predicted - 1)])
    assert (low, high) == pytest.approx((nearest, max(map(abs, ends))))


def test_the_landscape_marks_minima_and_the_saddle():
    axes = draw("landscape").axes
    marks = [[one for one in ax.get_lines() if one.get_marker() == "o"] for ax in axes]
    assert [len(one) for one in marks][2:] == [3, 1]  # three fixed points before the fold at φ = 4.2, one beyond
    assert marks[2][1].get_markerfacecolor() == "white"  # the one in the middle is the saddle


def scan(folder, experiment, label, n, threshold, **settings):
    """Networks whose ICL circuit and accuracy are acquired at t = 100 for K above a threshold, else never."""
    diversities = [threshold // 4, threshold // 2, threshold * 2, threshold * 4]
    runs = [
        minimal(task=Task(n, k, 63), **settings).with_(seed=s) for k in diversities for s in range(3)
    ]  # fmt: skip

    def curves(run, time):
        accuracy = rises_at(100 if run.task.task_diversity > threshold else math.inf, time)
        names = ("icl_accuracy", "iwl_accuracy", "circuit_accuracy")
        return dict.fromkeys(names, accuracy) | {"clock": time / 2}

    return folder.networks(experiment, label, runs, ["task_diversity", "seed"], curves)


def test_thresholds_stand_at_their_context_length_beside_their_predictions(folder):
    for n, k in ((25, 128), (50, 400), (100, 1200)):
        scan(folder, "threshold", f"n{n}", n, k)
        folder.predict("threshold", **{f"n{n}_threshold": estimate(1.1 * k, k, 1.2 * k)})
    ax = draw("threshold_minimal", folder.results()).axes[0]
    values, intervals = points(ax)
    x, predicted = line(ax, r"predicted, $I_K(T) = I^*$")
    assert x.tolist() == [25, 50, 100]
    assert predicted == pytest.approx([140.8, 440, 1320])
    assert values == pytest.approx([128, 400, 1200], rel=0.02)  # the sigmoid's midpoint, between K/2 and 2K
    assert all(low <= k <= high for (low, high), k in zip(intervals, (128, 400, 1200), strict=True))


def test_kinetics_stand_beside_what_capacity_would_say(folder):
    for experiment, name, values in (
        ("kinetics", "rate_ratio", (0.5, 1.0, 2.0)),
        ("capacity", "width", (64, 128, 256)),
    ):
        for value, k in zip(values, (80, 160, 320), strict=True):
            scan(folder, experiment, f"x{value}", 25, k, **{name: value})
            folder.predict(experiment, **{f"x{value}_repeats_threshold": estimate(k)})
    rates, sizes = draw("kinetics_or_capacity", folder.results()).axes
    values, _ = points(rates)
    assert values == pytest.approx([80, 160, 320], rel=0.02)
    assert np.ptp(line(rates, "capacity")[1]) == 0
    x, parameters = line(sizes, "capacity, $K^*$ ∝ parameters")
    assert parameters[-1] / parameters[0] == pytest.approx((x[-1] / x[0]) ** 2)


def test_acquisition_times_and_predictions(folder):
    for n in (25, 50):
        runs = [minimal(task=Task(n, dimension=63)).with_(seed=s) for s in range(3)]
        label = f"n{n}_beta+0"
        folder.networks(
            "acquisition_time",
            label, runs, ["seed"],
            lambda run, time: {"circuit_accuracy": np.interp(time, [0, 4 * run.task.context_length], [0.5, 1.0])},
        )  # fmt: skip
        folder.predict("acquisition_time", **{label: estimate(3.6 * n)})
    ax = draw("acquisition_minimal", folder.results()).axes[0]
    assert np.allclose(line(ax, r"$\beta_0$ = 0, predicted")[1], [90, 180])
    x, times = line(ax, r"$\beta_0$ = 0")
    assert x.tolist() == [25] * 3 + [50] * 3
    assert times == pytest.approx([90] * 3 + [180] * 3)  # 0.95 on a straight line from 0.5 to 1 at 4 N


def rising_by(factor):
    """ICL accuracy on a straight line from 0.5 to 1 at ``factor`` times N: it passes 0.95 at 0.9 of that."""
    return lambda run, time: dict.fromkeys(
        ("icl_accuracy", "circuit_accuracy"), np.interp(time, [0, factor * run.task.context_length], [0.5, 1.0])
    )


def test_a_smoother_attention_shows_the_ratio_of_times(folder):
    for kind, factor, scale in (("plain", 8, 1.0), ("scaled", 4, 0.5)):
        for n in (15, 31):
            runs = [Run("transformer", Task(n, dimension=31), s, budget=400.0, attention_scale=scale) for s in range(3)]
            folder.networks("attention_control", f"{kind}_n{n}", runs, ["seed"], rising_by(factor))
            folder.predict("attention_control", **{f"n{n}": estimate(0.6)})
    ax = draw("attention_control", folder.results()).axes[0]
    assert points(ax)[0] == pytest.approx([0.5, 0.5])
    assert line(ax, "predicted from $σ_s$")[0].tolist() == [15, 31]


def test_burstiness_stands_over_the_copies(folder):
    for m in (1, 2, 4):
        runs = [minimal(task=Task(24, dimension=63, copies=m)).with_(seed=s) for s in range(2)]
        folder.networks("burstiness", f"m{m}", runs, ["seed"], rising_by(16 / m))
        folder.predict("burstiness", **{f"m{m}": estimate(170 / m)})
    ax = draw("burstiness", folder.results()).axes[0]
    x, times = line(ax, "networks")
    assert x.tolist() == [1, 1, 2, 2, 4, 4]
    assert times == pytest.approx([0.9 * 16 * 24 / m for m in x])
    assert line(ax, "networks, predicted")[1] == pytest.approx([170, 85, 42.5])


def test_outcomes_of_two_kinds_are_found_and_one_kind_is_not(folder):
    for label, k, share in (("near", 128, 0.5), ("far", 2048, 0.0)):
        runs = [minimal(task=Task(24, k, 63), beta0=None).with_(seed=s) for s in range(40)]

        def curves(run, time, share=share):
            end = (0.6 if run.seed < 40 * share else 0.955) + 0.001 * run.seed
            curve = np.interp(time, [run.seed, 200 + run.seed], [0.5, min(end, 1.0)])
            return dict.fromkeys(("icl_accuracy", "circuit_accuracy"), curve)

        folder.networks("bimodality", label, runs, ["seed"], curves)
    panels = draw("bimodality", folder.results()).axes
    for near, far in (panels[::2], panels[1::2]):  # t_ICL, and final accuracies
        assert sum(bar.get_height() for bar in near.patches) == sum(bar.get_height() for bar in far.patches) == 40
        assert near.patches[0].get_facecolor() != far.patches[0].get_facecolor()
    assert panels[0].patches[-1].get_height() == 20  # those that never acquire stand at the budget
    assert "$K$ = 128" in panels[0].get_title(loc="left")


def test_balanced_labels_show_fractions_with_wilsons_intervals(folder):
    for labels, acquiring in (("iid", 8), ("balanced", 4)):
        runs = [minimal(task=Task(24, k, 63, labels=labels), beta0=None).with_(seed=s)
                for k in (48, 112) for s in range(8)]  # fmt: skip
        folder.networks(
            "context_labels",
            f"{labels}_finite", runs, ["task_diversity", "seed"],
            lambda run, time, acquiring=acquiring: {
                "circuit_accuracy": rises_at(50 if run.seed < acquiring else math.inf, time)
            },
        )  # fmt: skip
        for k in (48, 112):
            folder.predict("context_labels", **{f"{labels}_{k}": estimate(acquiring / 8)})
    ax = draw("balanced_labels", folder.results()).axes[0]
    drawn = [bars.lines[0].get_ydata().tolist() for bars in ax.containers]
    assert drawn == [[1.0, 1.0], [0.5, 0.5]]
    assert np.allclose(line(ax, "balanced labels, predicted")[1], 0.5)


def transient(run, time):
    acquired, lost = 40.0, 40.0 + 0.1 / run.decay_attention
    icl = np.where((time > acquired) & (time < lost), 1.0, 0.5)
    loss = np.where(icl > 0.9, 0.05, 0.7)
    return {"icl_accuracy": icl, "circuit_accuracy": icl, "iwl_accuracy": rises_at(150, time), "icl_loss": loss,
            "iwl_loss": np.linspace(0.7, 0.05, time.size)}  # fmt: skip


@pytest.fixture
def decaying(folder):
    runs = [minimal(task=Task(25, 300, 31), decay_attention=d).with_(seed=s)
            for d in (5e-4, 1e-3, 2e-3) for s in range(3)]  # fmt: skip
    for experiment in ("transience_phases", "transience_decay", "transience_losses"):
        folder.networks(experiment, "networks", runs, ["decay_attention", "seed"], transient)
    folder.predict("transience_decay", **{f"coupled equations {d:g}": estimate(0.1 / d) for d in (5e-4, 1e-3, 2e-3)})
    return folder.results()


def test_transience_times_are_those_of_the_curves(decaying):
    ax = draw("transience_time", decaying).axes[0]
    values, _ = points(ax, "ICL circuit")
    # Read between evaluations 10 apart: 0.95 of a step from 0.5 to 1 is passed 9 late, 0.75 on the way back 5 early.
    assert values == pytest.approx([200 - 14, 100 - 14, 50 - 14])
    assert np.allclose(line(ax, "coupled equations, predicted")[1], [200, 100, 50])


def test_transience_curves_plane_and_losses(decaying):
    ax = draw("transience", decaying).axes[0]
    assert 0.5 in line(ax, "ICL")[1] and 1.0 in line(ax, "ICL")[1]
    x, y = line(draw("icl_against_iwl", decaying).axes[0], r"$\lambda$ = 0.001")
    assert (x[0], y[0]) == (0.5, 0.5) and 1.0 in x
    losses = draw("loss_relation", decaying).axes[0]
    assert set(line(losses, r"$\lambda$ = 0.001")[1]) <= {0.05, 0.7}


def test_audit_shows_every_rung_and_the_measurement(folder):
    scan(folder, "audit", "networks", 31, 400)
    folder.predict(
        "audit",
        **{"layer-normed": estimate(900, 800, 1000)},
        frozen=estimate(600, 500, 700),
        scrambled=estimate(math.inf),
    )
    ax = draw("independence_audit", folder.results()).axes[0]
    assert [bars.lines[0].get_xdata()[0] for bars in ax.containers] == [900, 600]
    assert line(ax, "measured")[0][0] == pytest.approx(400, rel=0.02)
    assert len(ax.get_yticklabels()) == 3


def test_work_precision_draws_the_benchmarks_file(folder):
    results = folder.results()
    with pytest.raises(MissingResults, match=r"benchmarks\.ode"):
        draw("work_precision", results)
    table = '{"acquisition": {"iclrace": [{"error": 1e-5, "microseconds": 4.6}, {"error": 1e-7, "microseconds": 6.1}]}}'
    (folder.path / "ode.json").write_text(table)
    error, time = line(draw("work_precision", results).axes[0], "iclrace")
    assert (error.tolist(), time.tolist()) == ([1e-5, 1e-7], [4.6, 6.1])
    (folder.path / "ode.json").rename(folder.path.parent / "ode.json")
    assert line(draw("work_precision", results).axes[0], "iclrace")[0].tolist() == [1e-5, 1e-7]
    (folder.path / "ode.json").write_text('{"acquisition": [1]}')
    with pytest.raises(StoreError, match=r"ode\.json"):
        draw("work_precision", results)
