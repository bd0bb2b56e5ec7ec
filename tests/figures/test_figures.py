"""What the figures draw: the very numbers of the results and of the theory, not pixels."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt

from iclrace.figures import MissingResults, draw, outcomes
from iclrace.theory import Estimate, Task
from iclrace.validate import PValue, Run, place
from iclrace.validate.experiments.outcomes import FINAL, KINDS, TIME
from iclrace.validate.training.store import StoreError

from .conftest import line, points


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def rises_at(when, time, low=0.5, high=1.0):
    """A curve that steps from ``low`` to ``high`` between two evaluations at ``when``; it stays low for ``inf``."""
    return np.where(time > when, high, low)


def minimal(**settings):
    return Run("minimal", seed=0, budget=400.0, learning_rate=0.3, **settings)


def thresholds(folder, experiment, rows, method="memory alone", **fields):
    """K* claimed at the places of runs: (label, run, predicted, measured)."""
    for label, run, predicted, measured in rows:
        at = place(run, task_diversity=None, parameters=run.parameters)
        folder.claim(experiment, "K*", predicted, measured, run.network, method=method, at=at, data=(label,), **fields)


def test_thresholds_stand_at_their_context_length_beside_their_predictions(folder):
    known = ((50, 400), (25, 128), (100, 1200))
    rows = [(f"n{n}", minimal(task=Task(n, k, 63)), 1.1 * k, Estimate(k, 0.8 * k, 1.3 * k)) for n, k in known]
    thresholds(folder, "threshold", rows)
    thresholds(folder, "threshold", [(*row[:2], 7.0, 7.0) for row in rows], part="whole")
    thresholds(folder, "threshold", rows[:2], method="repeated items")
    ax = draw("threshold_minimal", folder.results()).axes[0]
    values, intervals = points(ax)
    x, predicted = line(ax, r"predicted, $I_K(T) = I^*$")
    assert x.tolist() == [25, 50, 100]
    assert predicted == pytest.approx([140.8, 440, 1320])
    assert values.tolist() == [128, 400, 1200]
    assert np.allclose(intervals, [(0.8 * k, 1.3 * k) for k in values])
    assert line(ax, "predicted, repeated items")[0].tolist() == [25, 50]


def test_kinetics_stand_beside_what_capacity_would_say(folder):
    for experiment, name, symbol, rivals in (
        ("kinetics", "rate_ratio", "r", {"capacity": 0.0}),
        ("capacity", "width", "P", {"capacity: parameters": 1.0}),
    ):
        values = (0.5, 1.0, 2.0) if name == "rate_ratio" else (64, 128, 256)
        for value, k in zip(values, (80, 160, 320), strict=True):
            run = minimal(task=Task(25, k, 63), **{name: value})
            thresholds(folder, experiment, [(f"x{value}", run, k, k)], "repeated items")
        for words, slope in rivals.items():
            folder.claim(experiment, f"d ln K*/d ln {symbol} is not the rival's", method=words, at={"rival": slope})
    rates, sizes = draw("kinetics_or_capacity", folder.results()).axes
    assert points(rates)[0].tolist() == [80, 160, 320] and line(rates, "predicted, repeated items")[1][-1] == 320
    assert np.ptp(line(rates, "capacity")[1]) == 0
    x, parameters = line(sizes, "capacity: parameters")
    assert x.tolist() == [minimal(task=Task(25, 2, 63), width=w).parameters for w in (64, 128, 256)]
    assert parameters == pytest.approx(160 * x / x[1])


def test_a_transformers_kinetics_stand_over_the_clock_that_each_needs(folder):
    """The point that the law starts from is measured and not predicted."""
    for label, ratio, clock, k in (("r1", 1.0, 80.04, 300), ("r2", 2.0, 160.0, 700)):
        run = Run("transformer", Task(15, k, 31), 0, rate_ratio=ratio)
        folder.claim("transformer_kinetics", "I*", clock, clock, "transformer", at=place(run), data=(label,))
        thresholds(folder, "transformer_kinetics", [(label, run, None if label == "r1" else 650, k)], "one point")
    ax = draw("kinetics_or_capacity", folder.results()).axes[0]
    assert points(ax)[0].tolist() == [300, 700]
    assert [one.tolist() for one in line(ax, "from one point")] == [[160], [650]]
    assert [one.get_text() for one in ax.get_xticklabels()] == ["80", "160"]


def test_one_set_of_networks_is_read_at_several_times(folder):
    for time, k in ((100.0, 500), (200.0, 400)):
        run = Run("minimal", Task(25, 2, 63), 0, budget=time)
        thresholds(folder, "budget", [("networks", run, 1.1 * k, k)])
    ax = draw("threshold_budget", folder.results()).axes[0]
    assert points(ax)[0].tolist() == [500, 400]
    assert line(ax, r"predicted, $I_K(T) = I^*$")[0].tolist() == [100, 200]


def test_acquisition_times_and_predictions(folder):
    for n in (25, 50):
        runs = [minimal(task=Task(n, dimension=63)).with_(seed=s) for s in range(3)]
        label = f"n{n}_beta+0"
        folder.networks(
            "acquisition_time",
            label, runs, ["seed"],
            lambda run, time: {"circuit_accuracy": np.interp(time, [0, 4 * run.task.context_length], [0.5, 1.0])},
        )  # fmt: skip
        folder.claim("acquisition_time", "t_ICL", 3.6 * n, 3.6 * n, at=place(runs[0]), data=(label,))
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
    for n in (31, 15):
        run = Run("transformer", Task(n, dimension=31), 0, budget=400.0, attention_scale=0.5)
        data = (f"scaled_n{n}", f"plain_n{n}")
        folder.claim("attention_control", "t_ICL ratio", 0.6, 8 / n, "transformer", at=place(run), data=data)
    ax = draw("attention_control", folder.results()).axes[0]
    assert points(ax)[0] == pytest.approx([8 / 15, 8 / 31])
    assert line(ax, "predicted from $σ_s$")[0].tolist() == [15, 31]


def test_burstiness_stands_over_the_copies(folder):
    for m in (1, 2, 4):
        runs = [minimal(task=Task(24, dimension=63, copies=m)).with_(seed=s) for s in range(2)]
        folder.networks("burstiness", f"m{m}", runs, ["seed"], rising_by(16 / m))
        folder.claim("burstiness", "t_ICL", 170 / m, 170 / m, at=place(runs[0]), data=(f"m{m}",))
        run = Run("transformer", Task(32, dimension=31, copies=m), 0)
        folder.claim("transformer_statistics", "t_ICL ratio", 1 / m, 0.9 / m, "transformer", at=place(run))
    ax, ratios = draw("burstiness", folder.results()).axes
    assert points(ratios)[0] == pytest.approx([0.9, 0.45, 0.225])
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
        for outcome, p in (TIME, 1e-9 if share else 0.9), (FINAL, 1e-9 if share else 0.9):
            dip = PValue(p, "Hartigan's dip", 0.123)
            at = {**place(runs[0]), "outcome": outcome}
            folder.claim("bimodality", KINDS, measured=dip, at=at, data=(label,))
    panels = draw("bimodality", folder.results()).axes
    for near, far in (panels[::2], panels[1::2]):  # t_ICL, and final accuracies
        assert sum(bar.get_height() for bar in near.patches) == sum(bar.get_height() for bar in far.patches) == 40
        assert near.patches[0].get_facecolor() != far.patches[0].get_facecolor()
    assert panels[0].patches[-1].get_height() == 20  # those that never acquire stand at the budget
    assert "$K$ = 128" in panels[0].get_title(loc="left") and "dip 0.123" in panels[1].texts[0].get_text()


def test_a_dip_that_no_claim_states_is_that_of_the_samples():
    ax = outcomes.draw(np.concatenate([np.linspace(0.5, 0.55, 30), np.linspace(0.95, 1.0, 30)]))
    assert "$p$ < 0.0001" in ax.texts[0].get_text() and ax.patches[0].get_facecolor()[:3] != (0.6, 0.6, 0.6)


def test_balanced_labels_show_fractions_and_what_is_known_at_every_k(folder):
    for labels, share in (("iid", 1.0), ("balanced", 0.5)):
        for k in (112, 48, math.inf, (48, 112)):
            at = {**place(minimal(task=Task(24, 48, 63, labels=labels), beta0=None)), "task_diversity": k}
            fields = {"at": at, "scale": "difference", "bar": 0.2}
            folder.claim("context_labels", "fraction acquiring ICL", share, Estimate(share, 0.4, 1.0), **fields)
    run = Run("transformer", Task(32, dimension=31, labels="balanced"), 0)
    folder.claim("transformer_statistics", "fraction acquiring ICL", None, 0.75, "transformer", at=place(run))
    ax = draw("balanced_labels", folder.results()).axes[0]
    drawn = [bars.lines[0].get_ydata().tolist() for bars in ax.containers]
    assert drawn == [[1.0] * 3, [0.5] * 3, [0.75]]
    x, predicted = line(ax, "balanced labels, minimal model, predicted")
    assert x.tolist() == [48, 112, 336] and predicted.tolist() == [0.5] * 3  # K → ∞ stands at three times the largest
    assert ax.get_xticklabels()[-1].get_text() == "∞"


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
    for d in (2e-3, 5e-4, 1e-3):
        at = place(runs[0], decay=d)
        folder.claim("transience_decay", "t_loss", 0.1 / d, 0.08 / d, at=at, method="coupled equations")
        folder.claim("transience_decay", "t_loss", 0.2 / d, 0.07 / d, at=at, method="co-integration", part="whole")
    return folder.results()


def test_transience_times_are_the_claimed_ones_over_the_decay(decaying):
    ax = draw("transience_time", decaying).axes[0]
    assert points(ax, "ICL circuit")[0] == pytest.approx([160, 80, 40])
    assert points(ax, "whole network")[0] == pytest.approx([140, 70, 35])
    assert np.allclose(line(ax, "coupled equations, predicted"), [[5e-4, 1e-3, 2e-3], [200, 100, 50]])
    assert np.allclose(line(ax, "co-integration, predicted")[1], [400, 200, 100])


def test_transience_curves_plane_and_losses(decaying):
    ax = draw("transience", decaying).axes[0]
    assert 0.5 in line(ax, "ICL")[1] and 1.0 in line(ax, "ICL")[1]
    # upright at the median acquisition, when networks are first seen above 95 %, plus the time that was claimed
    decay = float(ax.get_title().rpartition(" = ")[2]) if "lambda" in ax.get_title() else 5e-4
    for method, claimed in (("coupled equations", 0.1), ("co-integration", 0.2)):
        found = line(ax, f"loss predicted, {method}")[0]
        assert found == pytest.approx([45.0 + claimed / decay] * 2, abs=5.0)
    plane = draw("icl_against_iwl", decaying).axes[0]
    x, y = line(plane, r"$\lambda$ = 0.001")
    assert (x[0], y[0]) == (0.5, 0.5) and 1.0 in x
    assert len([one for one in plane.get_lines() if len(one.get_xdata()) > 3]) == 3  # one median a λ, not every network
    losses = draw("loss_relation", decaying).axes[0]
    assert set(line(losses, r"$\lambda$ = 0.001")[1]) <= {0.05, 0.7}


def test_audit_shows_every_rung_and_the_measurement(folder):
    run = Run("transformer", Task(31, 2, 31), 0)
    rungs = {"layer-normed perceptrons": Estimate(900, 800, 1000), "frozen transformers": Estimate(600, 500, 700),
             "scrambled transformers": math.inf}  # fmt: skip
    for method, predicted in rungs.items():
        thresholds(folder, "audit", [("networks", run, predicted, Estimate(400, 300, 500))], method)
    ax = draw("independence_audit", folder.results()).axes[0]
    assert [bars.lines[0].get_xdata()[0] for bars in ax.containers] == [900, 600]
    assert line(ax, "measured")[0][0] == 400
    assert [one.get_text() for one in ax.get_yticklabels()] == list(rungs)


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
