"""Rules of the minimal model's experiments, on made-up networks: a verdict follows the data, and it can fail."""

import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from iclrace.theory import Estimate, Task, acquisition_distribution, acquisition_time
from iclrace.theory.contexts.attention import context_nodes
from iclrace.validate import PRESETS, Claims, MemoryCurves, MemoryTraining, Run
from iclrace.validate.experiments import (
    AcquisitionSpread,
    AcquisitionTime,
    ContextLabels,
    CoupledEquations,
    MemoryAlone,
    Outcomes,
    RepeatedItems,
    Scan,
    ThresholdScan,
)
from iclrace.validate.experiments.acquisition_spread import distance
from iclrace.validate.measure.intervals import slope
from iclrace.validate.predict.threshold import predict_coupled, predict_repeats
from iclrace.validate.presets import minimal, minimal_paper
from iclrace.validate.protocol import measure
from iclrace.validate.training.starts import initial_beta

RUN = Run("minimal", Task(25, dimension=63), seed=0, width=64, learning_rate=0.3, budget=200.0, evaluate_every=2.0)
AMPLITUDE, EXPONENT = 1.2, 0.7  # a made-up memory law I_K = A K^ν


def curves(training: MemoryTraining) -> xr.Dataset:
    """A perceptron with c1 = (1 − I/A K^ν)/2 and so I = A K^ν (1 − e^{−t/2AK^ν}), until c1 = 0.005."""
    total = AMPLITUDE * training.task_diversity**EXPONENT
    clock = np.linspace(0.0, 0.99 * total, 400)
    c1 = 0.5 * (1 - clock / total)
    columns = {"clock": clock, "c1": c1, "c2": 1 - c1, "c3": 2 * c1}
    data = {name: ("time", values) for name, values in columns.items()}
    margins = np.repeat(-np.log(c1 / (1 - c1))[:, None], 10, axis=1)
    return xr.Dataset(data | {"margins": (("time", "quantile"), margins)}, coords={"time": -2 * total * np.log(2 * c1)})


def alone(diversities, seeds=2, width=64) -> MemoryCurves:
    trainings = [MemoryTraining(k, 1000 + s, width=width) for k in diversities for s in range(seeds)]
    return MemoryCurves(trainings, [curves(one) for one in trainings])


MEMORY = alone([64, 128, 256, 512])


def networks(acquired, diversities, budget=200.0, late=100.0) -> xr.Dataset:
    """Networks whose circuit, where ``acquired`` (K, seed), crosses 95 % at the time ``late``."""
    time = np.arange(0.0, budget + 1, 2.0)
    outcome = np.asarray(acquired)[..., None]
    accuracy = np.where(outcome & (time >= late), 1.0, 0.6)
    coords = {"task_diversity": diversities, "seed": np.arange(outcome.shape[1]), "time": time}
    dims = ("task_diversity", "seed", "time")
    clock = np.broadcast_to(time * 0.36, accuracy.shape)
    data = {"circuit_accuracy": accuracy, "icl_accuracy": accuracy, "clock": clock}
    return xr.Dataset({name: (dims, values) for name, values in data.items()}, coords=coords)


def judged(experiment, said, trained) -> Claims:
    return Claims(measure(experiment, said, trained))


def test_slope_is_that_of_a_power_law_and_its_interval_the_propagated_one():
    x = [25.0, 50.0, 100.0]
    found = slope(x, [Estimate(3 * k**1.4, 3 * k**1.4 / 1.1, 3 * k**1.4 * 1.1) for k in x])
    # u = −ln 2, 0, ln 2: the middle point has no weight, δν = √2 ln 1.1 ln 2/(2 ln² 2).
    half = math.log(1.1) / (math.sqrt(2) * math.log(2))
    assert [found.value, found.low, found.high] == pytest.approx([1.4, 1.4 - half, 1.4 + half], rel=1e-12)
    assert slope(x, [Estimate.exact(1.0), Estimate(math.inf, 1.0, math.inf), Estimate.exact(1.0)]).high == math.inf


def test_slope_intervals_cover():
    """95 % intervals of the points give 95 % intervals of the slope; half as wide, they do not (negative control)."""
    rng, x, width = np.random.default_rng(0), np.array([12.0, 25.0, 50.0, 100.0]), 0.08
    covered = np.zeros((2, 600))
    for i in range(600):
        y = 1.3 * np.log(x) + width * rng.standard_normal(4)
        for j, part in enumerate((1.96, 0.98)):
            points = [Estimate(np.exp(v), np.exp(v - part * width), np.exp(v + part * width)) for v in y]
            covered[j, i] = slope(x, points).contains(1.3)
    error = 3 * math.sqrt(0.95 * 0.05 / 600)
    assert abs(covered[0].mean() - 0.95) < error
    assert covered[1].mean() < 0.95 - 3 * error


def test_coupled_equations_without_a_memory_to_speak_of_give_the_closed_form():
    """K far above every threshold: c1 = c2 = 1/2 and no repeats, so t_ICL is that of K → ∞ (to 0.5 %)."""
    slow = alone([10**6, 10**7])
    for predict in (predict_coupled, predict_repeats):
        _, time = predict(RUN, slow.trainings, slow.curves, 3e6)
        assert time.estimate.value == pytest.approx(float(acquisition_time(RUN.task, 0.0)), rel=5e-3)


def test_repeated_items_turn_attention_faster_and_vanish_with_n_over_k():
    """Repeats make β alone grow g = 1 + (N − 1)/K times as fast, so t falls by less than g, and K* with it."""
    plain, late = predict_coupled(RUN, MEMORY.trainings, MEMORY.curves, 240.0)
    repeats, early = predict_repeats(RUN, MEMORY.trainings, MEMORY.curves, 240.0)
    assert repeats.estimate.value < plain.estimate.value
    slow = alone([10**6, 10**7])  # no memory to speak of, at any K
    gain = [predict(RUN, slow.trainings, slow.curves, 240.0)[1].estimate.value for predict in (
        predict_coupled, predict_repeats)]  # fmt: skip
    assert 1 < gain[0] / gain[1] < 1 + 24 / 240
    skewed = RUN.with_(frequency_exponent=1.0)
    assert predict_repeats(skewed, MEMORY.trainings, MEMORY.curves, 240.0)[1].estimate.value < early.estimate.value
    assert early.estimate.value < late.estimate.value


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_without_repeats_the_equations_with_repeats_are_the_compiled_ones(monkeypatch, ratio):
    """The same field, memory and rate ratio, in two integrators and two numbers of nodes."""
    run = RUN.with_(rate_ratio=ratio)
    plain, plain_time = predict_coupled(run, MEMORY.trainings, MEMORY.curves, 600.0)
    monkeypatch.setattr(
        "iclrace.validate.predict.threshold.repeated_nodes", lambda task, nodes: context_nodes(task, "gaussian", nodes)
    )
    bare, bare_time = predict_repeats(run, MEMORY.trainings, MEMORY.curves, 600.0)
    assert bare_time.estimate.value == pytest.approx(plain_time.estimate.value, rel=1e-4)
    assert bare.estimate.value == pytest.approx(plain.estimate.value, rel=0.015)  # two grids of 0.7 %


def test_the_bisected_threshold_parts_acquiring_from_memorising():
    threshold = predict_repeats(RUN, MEMORY.trainings, MEMORY.curves, 240.0)[0].estimate.value
    below, above = (
        predict_repeats(RUN, MEMORY.trainings, MEMORY.curves, factor * threshold)[1].estimate.value
        for factor in (0.98, 1.02)
    )
    assert math.isinf(below) and above < RUN.budget


DIVERSITIES = [40.0, 60.0, 90.0, 130.0, 190.0, 280.0, 400.0, 600.0]


def scaling(**rivals) -> ThresholdScan:
    run = RUN.with_(budget=2000.0)  # so long that every memory has formed: the limit in which K* ∝ r^{1/ν}
    scans = {
        label: Scan(run.with_(rate_ratio=ratio), DIVERSITIES, 4, {"raw": MEMORY.trainings})
        for label, ratio in (("slow", 0.5), ("even", 1.0), ("fast", 2.0))
    }
    methods = (MemoryAlone(), CoupledEquations(), RepeatedItems())
    return ThresholdScan(
        scans, methods, bar=1.3, clock_bar=1.1, time_bar=1.1, variable="rate_ratio", slope_bar=0.4, exponent="raw",
        rivals=rivals, name="kinetics",
    )  # fmt: skip


def outcome_of(experiment: ThresholdScan, thresholds: dict[str, float]):
    return {
        label: networks(np.array(DIVERSITIES)[:, None] * np.ones(scan.seeds) > thresholds[label], DIVERSITIES)
        for label, scan in experiment.scans.items()
    }


@pytest.fixture(scope="module")
def kinetics():
    experiment = scaling(capacity=0.0)
    return experiment, Claims(experiment.predict(dict.fromkeys(experiment.calibration(), MEMORY)))


SLOPE = "d ln K*/d ln r"


def test_rate_ratio_moves_the_predicted_threshold_by_the_inverse_exponent(kinetics):
    _, said = kinetics
    for method, within in (("memory alone", 0.02), ("1/ν", 1e-6)):
        (claim,) = said.select(quantity=SLOPE, method=method)
        assert claim.predicted.value == pytest.approx(1 / EXPONENT, rel=within)
        assert claim.at["rate_ratio"] == (0.5, 1.0, 2.0)


def test_kinetics_and_capacity_are_told_apart_by_the_data_alone(kinetics):
    experiment, said = kinetics
    alone_said = said.select(quantity="K*", part="circuit", method="memory alone")
    kinetic = {claim.data[0]: claim.predicted.value for claim in alone_said}

    def verdicts(thresholds):
        found = judged(experiment, said, outcome_of(experiment, thresholds))
        (slope_,) = found.select(quantity=SLOPE, method="memory alone")
        (excluded,) = found.select(quantity=f"{SLOPE} is not the rival's", method="capacity")
        (fast,) = found.select(quantity="K*", part="circuit", method="memory alone", rate_ratio=2.0)
        return [one.verdict.kind for one in (slope_, excluded, fast)]

    assert verdicts(kinetic) == ["holds", "holds", "holds"]
    # Networks that obey the other explanation, with one K* at every rate, are seen to do so.
    assert verdicts(dict.fromkeys(kinetic, kinetic["even"])) == ["fails", "fails", "fails"]


def test_slopes_alone_are_those_of_the_whole_experiment_and_stand_beside_a_reported_one(kinetics):
    whole, said = kinetics
    alone = replace(whole, slopes_only=True, reported={"paper": 1 / 0.7})
    claims = Claims(alone.predict(dict.fromkeys(alone.calibration(), MEMORY)))
    assert not list(claims.select(quantity="K*"))
    (reported,) = claims.select(method="paper")
    assert reported.predicted.value == 1 / 0.7
    assert [one for one in claims if one.method != "paper"] == [one for one in said if one.quantity.startswith("d ln")]


def test_the_equations_speak_of_the_circuit_and_bars_are_those_of_each_quantity(kinetics):
    _, said = kinetics
    assert {one.method for one in said.select(part="whole")} == {"memory alone"}
    assert {one.bar for one in said.select(quantity="K*")} == {1.3}
    assert {one.bar for one in said.select(quantity=("I*", "t_ICL"))} == {1.1, None}
    assert {one.method for one in said if one.bar is None and one.quantity == "t_ICL"} == {"repeated items"}


def test_threshold_at_a_budget_reads_the_same_networks_at_each_time():
    diversities = [64.0, 90.0, 128.0, 180.0, 256.0, 360.0, 512.0]
    scan = Scan(RUN, diversities, 4, {"raw": MEMORY.trainings})
    experiment = replace(minimal.budgets(scan, [90.0, 200.0]), bar=1.3)
    assert list(experiment.networks()) == ["networks"]
    said = Claims(experiment.predict(dict.fromkeys(experiment.calibration(), MEMORY)))
    early, late = (claim.predicted.value for claim in said.select(method="memory alone"))
    assert early > late  # the earlier, the more items it takes
    acquired = np.array(diversities)[:, None] * np.ones(4) > late
    found = judged(experiment, said, {"networks": networks(acquired, diversities, late=100.0)})
    (first,) = found.select(method="memory alone", budget=90.0)
    (second,) = found.select(method="memory alone", budget=200.0)
    assert second.verdict.kind == "holds"
    assert first.measured.high == math.inf  # nobody had acquired ICL at t = 90
    assert first.verdict.kind != "holds"


def test_the_clock_between_perceptrons_is_the_power_law_and_never_beyond_half_the_time():
    for k in (64, 100, 300, 512):
        assert MEMORY.clock_reached(k, 1e3) == pytest.approx(alone([k, 600]).clock_reached(k, 1e3), rel=0.02)
    assert MEMORY.clock_reached(10**9, 100.0) == MEMORY.clock_reached(math.inf, 100.0) == 50.0


def labelled(experiment: ContextLabels, acquires):
    """Networks that do as ``acquires(labels, K, β0)`` says."""
    trained = {}
    for name, runs in experiment.networks().items():
        known = sorted({run.task.task_diversity for run in runs})
        beta0 = np.array([initial_beta(run) for run in runs]).reshape(len(known), -1)
        acquired = np.array([[acquires(name[:3], k, b) for b in row] for k, row in zip(known, beta0, strict=True)])
        data = networks(acquired, known)
        shape = data.circuit_accuracy.shape
        data["beta"] = data.circuit_accuracy.dims, np.broadcast_to(beta0[..., None], shape)
        data["w"] = data.circuit_accuracy.dims, np.broadcast_to(np.sign(beta0)[..., None], shape)
        trained[name] = data if len(known) > 1 else data.isel(task_diversity=0)
    return trained


def test_fractions_hold_for_networks_that_obey_the_saddle_and_fail_for_ones_that_do_not():
    run = RUN.with_(context_length=24)
    experiment = ContextLabels(run, 60, bar=0.25, task_diversity=[100, 400, math.inf], memory=MEMORY.trainings)
    said = Claims(experiment.predict({"memory": MEMORY}))
    limits = {
        (claim.at["labels"], claim.at["task_diversity"]): claim.predicted.value
        for claim in said.select(quantity="fraction acquiring ICL")
    }
    assert limits["balanced", math.inf] < limits["iid", math.inf]
    assert limits["iid", 100] < limits["iid", 400] <= limits["iid", math.inf]
    betas = np.sort([initial_beta(one) for one in experiment.networks()["iid"]])

    def obey(labels, k, beta0):
        share = limits["iid" if labels == "iid" else "balanced", k]
        return beta0 > betas[round(60 * (1 - share)) - 1]

    found = judged(experiment, said, labelled(experiment, obey))
    assert {claim.verdict.kind for claim in found} == {"holds"}
    found = judged(experiment, said, labelled(experiment, lambda labels, k, beta0: labels == "iid"))
    failed = found.select(verdict="fails")
    assert len(failed.select(labels="balanced")) > 0
    assert len(failed.select(labels="iid", task_diversity=100)) == 1


def test_distribution_of_times_is_told_from_a_wrong_one():
    task = Task(50, dimension=63)
    law, wrong = acquisition_distribution(task, 0.0, 1.0), acquisition_distribution(task, 0.7, 1.0)
    many = law.rvs((40, 300), random_state=0)
    many = np.where(many <= 600, many, np.inf)
    # The band covers 95 %, here within three standard deviations; it never holds the wrong law.
    assert np.mean([distance(times, law, 600.0).low == 0 for times in many]) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 40)
    assert all(distance(times, wrong, 600.0).low > 0.05 for times in many)
    times = many[0]
    run = RUN.with_(context_length=50, budget=600.0)
    experiment = AcquisitionSpread(run, seeds=300, bar=1.25, distance_bar=0.15)
    said = experiment.predict({})

    def rows(sample):
        time = np.arange(0.0, 601.0, 2.0)
        accuracy = np.where(time >= sample[:, None], 1.0, 0.6)
        data = xr.Dataset({"circuit_accuracy": (("seed", "time"), accuracy)}, coords={"time": time})
        return [claim.verdict.kind for claim in judged(experiment, said, {"networks": data})]

    assert "fails" not in rows(times)
    short = rows(np.random.default_rng(2).normal(141.0, 30.0, 300))  # same median, no tail
    assert [kind == "fails" for kind in short[:3]] == [False, True, True]
    assert short[3] != "holds"


def test_two_kinds_of_outcome_are_seen_near_the_threshold_and_missed_where_there_is_one():
    experiment = Outcomes(RUN.with_(beta0=None), near=[100], far=[1000], seeds=60, far_seeds=60)
    rng = np.random.default_rng(0)

    def final(values):
        data = networks(np.zeros((1, 60), bool), [100.0]).isel(task_diversity=0)
        return data.assign({name: data[name] * 0 + xr.DataArray(values, dims="seed")
                            for name in ("circuit_accuracy", "icl_accuracy")})  # fmt: skip

    two = final(np.where(rng.random(60) < 0.5, 0.6, 0.99) + 0.02 * rng.standard_normal(60))
    one = final(0.97 + 0.01 * rng.standard_normal(60))

    def kinds(near, far):
        found = judged(experiment, experiment.predict({}), {"k100": near, "k1000": far})
        return {claim.verdict.kind for claim in found.where("quantity == two kinds of outcome")}

    assert kinds(two, one) == {"holds"}
    assert kinds(one, two) == {"fails"}


def test_exponent_of_the_times_is_compared_with_the_theorys_own():
    settings = {f"n{n}": RUN.with_(context_length=n, task_diversity=math.inf) for n in (25, 50, 100)}
    experiment = AcquisitionTime(settings, 6, 1.05, exponents={"one": list(settings)}, exponent_bar=0.05)
    said = Claims(experiment.predict({}))
    expected = {claim.data[0]: claim.predicted.value for claim in said.select(quantity="t_ICL")}
    rng = np.random.default_rng(0)

    def verdicts(power):
        found = {}
        for label, run in settings.items():
            n = run.task.context_length
            time = np.linspace(0.0, 600.0, 6001)
            late = expected[label] * (n / 50) ** power * np.exp(0.01 * rng.standard_normal(6))
            accuracy = np.where(time >= late[:, None], 1.0, 0.6)
            found[label] = xr.Dataset({"circuit_accuracy": (("seed", "time"), accuracy)}, coords={"time": time})
        return [claim.verdict.kind for claim in judged(experiment, said, found)]

    assert set(verdicts(0.0)) == {"holds"}
    assert verdicts(0.3)[-1] == "fails"


@pytest.mark.parametrize("experiments", [minimal.WORKSTATION, minimal_paper.PAPER, minimal.SMOKE])
def test_presets_build_every_run_and_calibrations_share_no_seed_with_networks(experiments):
    total = 0
    for experiment in experiments:
        calibration, trained = experiment.calibration(), experiment.networks()
        seeds = {run.seed for runs in trained.values() for run in runs}
        assert all(runs for runs in trained.values())
        assert not seeds & {run.seed for runs in calibration.values() for run in runs}
        total += sum(len(set(runs)) for runs in trained.values())
    assert total >= (60 if experiments is minimal.SMOKE else 1000)
    assert len({experiment.name for experiment in experiments}) == len(experiments)


def test_the_paper_preset_has_the_papers_sizes():
    runs = [
        run
        for experiment in minimal_paper.PAPER
        for mine in experiment.networks().values()
        for run in mine
        if isinstance(run, Run)
    ]
    assert {run.batch_size for run in runs} == {128} and {run.learning_rate for run in runs} == {0.01}
    assert {int(run.task.dimension) for run in runs} == {63}
    assert {49, 99, 149, 199, 249} <= {run.task.context_length for run in runs}
    assert max(run.task.task_diversity for run in runs if math.isfinite(run.task.task_diversity)) == 1e5
    assert all(run.task.target_in_softmax for run in runs)
    assert PRESETS["paper"].experiments
