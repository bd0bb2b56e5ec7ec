"""The experiments on transience: their rules on made-up networks, where every verdict must be able to fail."""

import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from iclrace.simulate import CoupledModel, EventLevels, solve
from iclrace.theory import PowerLawMemory, Task, loss_product
from iclrace.theory.decay.phases import LASTING, NO_ICL, TRANSIENT
from iclrace.validate import Claims, MemoryCurves, MemoryTraining, Range, Run
from iclrace.validate.experiments import (
    LossRelation,
    TransformerTransience,
    TransiencePhases,
    TransienceTime,
)
from iclrace.validate.experiments.transience_phases import SHARE
from iclrace.validate.experiments.transience_tools import (
    coupled,
    durations,
    homogeneous_memory,
    phases,
)
from iclrace.validate.experiments.transience_transformer import critical_decay_between, critical_product
from iclrace.validate.measure.intervals import fraction, pooled_means
from iclrace.validate.presets import transience as presets
from iclrace.validate.presets.base import couplings
from iclrace.validate.protocol import measure
from iclrace.validate.training.coupling import CouplingCurves, train_couplings
from iclrace.validate.training.evaluation import METRICS
from iclrace.validate.training.store import RunStore
from iclrace.validate.training.trainer import EnsembleTrainer, Status

TASK = Task(context_length=25, task_diversity=500, dimension=63)
RUN = Run("minimal", TASK, 0, width=16, learning_rate=0.3, budget=9000.0)
DECAY = (2e-3, 5e-3, 1e-2)
LAW = PowerLawMemory(1.65, 0.7, margin_scale=0.04)
TIMES = np.arange(0.0, 9000.0, 10.0)


def judged(experiment, said, trained) -> Claims:
    return Claims(measure(experiment, said, trained))


def networks(lost, axis="decay_attention", values=DECAY, acquired=100.0):
    """Runs (value, seed) that acquire ICL at ``acquired`` and lose it after ``lost`` (NaN: never have it)."""
    lost = np.asarray(lost, dtype=float)[..., None]
    holding = (acquired < TIMES) & ~(acquired + lost < TIMES) & ~np.isnan(lost)
    icl = np.where(holding, 1.0, 0.5)
    dims = (axis, "seed", "time")
    coords = {axis: list(values), "seed": np.arange(lost.shape[1]), "time": TIMES}
    return xr.Dataset(dict.fromkeys(("icl_accuracy", "circuit_accuracy"), (dims, icl)), coords=coords)


def alone(law=LAW, task_diversity=500, seeds=3):
    """What perceptrons of that law would show, trained alone, a per cent apart from each other."""
    margin = np.linspace(0.0, 5.0, 200)
    trainings, curves = [], []
    for s in range(seeds):
        mine = replace(law, amplitude=law.amplitude * (1 + 0.01 * s))
        clock = mine.clock(margin, task_diversity)
        curves.append(xr.Dataset({"clock": ("time", clock), "c1": ("time", law.c1(margin))}, {"time": clock * 2}))
        trainings.append(MemoryTraining(task_diversity, 70 + s))
    return MemoryCurves(trainings, curves)


def scatter(times, width=0.03, seeds=3, seed=0):
    """Times (value, seed) about the given ones."""
    noise = np.random.default_rng(seed).normal(0.0, width, (len(times), seeds))
    return np.asarray(times, dtype=float)[:, None] * np.exp(noise)


def test_durations_and_phases_of_every_kind():
    runs = networks([[500.0, 8000.0], [math.inf, math.nan], [50.0, 1000.0]])
    found = durations(runs, "icl_accuracy").values
    # The curves step between two evaluations, 10 apart: the crossings are there to within one of them.
    np.testing.assert_allclose(found[0], [500.0, 8000.0], atol=10.0)
    assert math.isinf(found[1, 0]) and math.isnan(found[1, 1])
    assert phases(runs, "icl_accuracy").values.tolist() == [
        [TRANSIENT, TRANSIENT], [LASTING, NO_ICL], [TRANSIENT, TRANSIENT]
    ]  # fmt: skip
    assert phases(runs, "icl_accuracy", within=2000.0).values[0].tolist() == [TRANSIENT, LASTING]


def test_pooled_intervals_hold_the_truth_as_often_as_they_say():
    """Three seeds a row, six rows, 500 samples: 95 % within 3 deviations; half the interval does not."""
    rng = np.random.default_rng(1)
    inside, narrow = 0, 0
    for _ in range(500):
        for mean in pooled_means(np.exp(rng.normal(0.0, 0.3, (6, 3)))):
            inside += mean.contains(1.0)
            half = math.sqrt(mean.high / mean.value)
            narrow += mean.value / half < 1 < mean.value * half
    # Rows of one sample share their spread: the deviation is bounded by that of 500 independent ones.
    assert abs(inside / 3000 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 500)
    assert narrow / 3000 < 0.8


def test_a_row_with_a_run_that_never_lost_icl_is_not_pooled():
    first, second = pooled_means([[100.0, 110.0, 105.0], [200.0, math.inf, 210.0]])
    assert math.isfinite(first.high) and math.isinf(second.high)
    (never,) = pooled_means([[math.nan, math.nan]])
    assert math.isinf(never.value) and never.low == 0.0


@pytest.mark.parametrize(("amplitude", "scale"), [(1.65, 0.04), (3.9, 1.0)])
def test_the_homogeneous_law_is_found_again(amplitude, scale):
    law = PowerLawMemory(amplitude, 0.7, margin_scale=scale)
    found = homogeneous_memory(alone(law).curves[0], 500)
    # p is found on a grid of ratio 1.06, and I_K(∞) follows.
    assert found.margin_scale == pytest.approx(scale, rel=0.06)
    assert float(found.total_clock(500)) == pytest.approx(float(law.total_clock(500)), rel=0.02)


def test_the_coupled_equations_are_those_of_simulate():
    decay = [5e-4, *DECAY, 8e-2]
    lasting, kinds = coupled(RUN, LAW, decay)
    assert kinds == [LASTING, TRANSIENT, TRANSIENT, TRANSIENT, NO_ICL]
    for decay_, duration in zip(DECAY, lasting[1:4], strict=True):
        model = CoupledModel(TASK, LAW, decay_w=decay_, decay_beta=decay_)
        events = solve(model, (0.0, 0.0, 0.0), (0.0, 9000.0), levels=EventLevels(lost=0.75)).events
        # Both at rtol 1e-6, which the passage through the fold may amplify.
        assert duration == pytest.approx(events["lost"] - events["acquired"], rel=1e-3)


def time_experiment(seeds=3, axis="decay_attention", values=DECAY, memory=None):
    memory = alone() if memory is None else memory
    return TransienceTime(RUN, axis, values, memory.trainings, seeds, first_calibration_seed=50)


def test_times_that_are_as_predicted_hold_and_others_fail():
    memory, experiment = alone(), time_experiment()
    expected = coupled(RUN, LAW, DECAY)[0]
    calibrated = {"cointegration": networks(scatter(expected, seed=1)), "memory": memory}
    predictions = experiment.predict(calibrated)
    verdicts = {}
    for factor in (1.0, 0.5):
        trained = {"networks": networks(scatter(factor * expected, seed=2))}
        verdicts[factor] = [str(claim.verdict) for claim in judged(experiment, predictions, trained)]
    # Six times and the exponents of the two rungs; a factor 1/2 in time leaves the exponents as they are.
    assert verdicts[1.0][:8] == 8 * ["holds"]
    assert all(verdict.startswith("fails by factor") for verdict in verdicts[0.5][:6])
    assert verdicts[0.5][6:8] == 2 * ["holds"]
    steeper = networks(scatter(expected * np.array([1.0, 0.5, 0.25]), seed=3))
    exponents = judged(experiment, predictions, {"networks": steeper}).select(quantity="d ln t_loss/d ln λ")
    assert len(exponents) == 3 and all(str(one.verdict).startswith("fails by -") for one in exponents)


def test_a_network_that_keeps_icl_where_it_should_lose_it_is_no_success():
    experiment, expected = time_experiment(), coupled(RUN, LAW, DECAY)[0]
    predictions = experiment.predict({"cointegration": networks(scatter(expected)), "memory": alone()})
    lasting = scatter(expected)
    lasting[0, 0] = math.inf
    found = judged(experiment, predictions, {"networks": networks(lasting)})
    assert found[0].verdict.kind == "undecided" and found[1].verdict.kind == "holds"


def test_the_scan_of_diversity_takes_every_law_from_its_own_memory():
    values = (300, 500, 1000)
    parts = [alone(LAW, k, seeds=2) for k in values]
    memory = MemoryCurves([t for p in parts for t in p.trainings], [c for p in parts for c in p.curves])
    experiment = replace(time_experiment(axis="task_diversity", values=values, memory=memory),
                         run=RUN.with_(decay_attention=8e-3))  # fmt: skip
    times = np.array([coupled(RUN.with_(task_diversity=k), LAW, [8e-3])[0][0] for k in values])
    averaged = networks(scatter(times), "task_diversity", values)
    predictions = Claims(experiment.predict({"cointegration": averaged, "memory": memory}))
    for k, time in zip(values, times, strict=True):
        (claim,) = predictions.select(quantity="t_loss", method="coupled equations", task_diversity=k)
        assert claim.predicted.value == pytest.approx(time, rel=0.03)
    assert not predictions.select(method="asymptotic law")


def test_the_share_of_right_phases_counts_networks():
    decay = (1e-3, *DECAY, 8e-2)
    memory = alone()
    experiment = TransiencePhases(RUN, decay, 9000.0, memory.trainings, 4, first_calibration_seed=50)
    times, kinds = coupled(RUN, LAW, decay)
    assert kinds[0] == LASTING and kinds[-1] == NO_ICL
    predictions = experiment.predict({"cointegration": networks(scatter(times), values=decay), "memory": memory})
    assert all(claim.at["phase"] == tuple(kinds) for claim in predictions)
    right = judged(experiment, predictions, {"networks": networks(scatter(times, seeds=4), values=decay)})
    assert [one.measured.value for one in right] == [1.0, 1.0] and {one.verdict.kind for one in right} == {"holds"}
    wrong = networks(scatter(np.full(len(decay), math.inf), seeds=4), values=decay)
    for one in judged(experiment, predictions, {"networks": wrong}):
        assert one.measured.value == pytest.approx(0.2) and one.verdict.kind == "fails"


def with_losses(runs, product):
    """L_IWL falling from 0.6 while L_ICL · L_IWL is ``product(λ, L_IWL)``."""
    iwl = (0.6 * np.exp(-runs.time / 3000.0)).broadcast_like(runs.icl_accuracy)
    icl = xr.apply_ufunc(product, runs.decay_attention, iwl) / iwl
    return runs.assign(iwl_loss=iwl, icl_loss=icl)


def tracking(decay, loss):
    """λ w/a at the margin of L_IWL, up to the fold; beyond it ICL is lost, whatever its loss."""
    product = loss_product(RUN.task, decay, -np.log(np.expm1(loss)))
    return np.where(np.isnan(product), loss, product)


def test_the_asymptotic_relation_holds_for_networks_that_obey_it_and_fails_for_others():
    experiment = LossRelation(RUN, DECAY, 3, first_calibration_seed=50)
    runs = networks(scatter([5000.0, 2000.0, 900.0]))
    predictions = experiment.predict({"cointegration": with_losses(runs, tracking)})
    found = judged(experiment, predictions, {"networks": with_losses(runs, tracking)})
    assert [one.verdict.kind for one in found[:3]] == 3 * ["holds"]
    # L_ICL is read near the level of L_IWL, within five evaluations: λ(w/a)/L changes by less than a per cent.
    assert found[-1].measured.value == pytest.approx(1.0, abs=0.01)
    double = with_losses(runs, lambda decay, loss: 2 * tracking(decay, loss))
    found = judged(experiment, predictions, {"networks": double})
    assert all(one.verdict.kind == "fails" for one in (*found[:3], found[-1]))


def transformer(seeds=3):
    run = Run("transformer", Task(31, 1500, 31), 0, width=16, budget=6000.0)
    return TransformerTransience(run, (2e-3, 4e-3, 8e-3, 2e-2), 4e-3, seeds, first_calibration_seed=50)


def test_the_transformers_phases_and_times_follow_from_two_points():
    experiment = transformer()
    decayed = networks(scatter([4500.0]), values=[4e-3]).squeeze("decay_attention", drop=True)
    undecayed = networks([[math.inf] * 3], values=[0.0], acquired=200.0).squeeze("decay_attention", drop=True)
    said = Claims(experiment.predict({"decayed": decayed, "undecayed": undecayed}))
    (critical,), (right,) = said.select(quantity="λ_c"), said.select(quantity=SHARE)
    assert critical.predicted.value == pytest.approx(critical_product(experiment.run.task) / 200, rel=0.1)
    assert right.at["phase"] == (LASTING, TRANSIENT, TRANSIENT, NO_ICL)
    times = [one for one in said.select(quantity="t_loss") if one.predicted is not None]
    assert [one.at["decay"] for one in times] == [4e-3, 8e-3]
    assert times[1].predicted.value == pytest.approx(2250.0, rel=0.05)
    scan = np.vstack([np.full((1, 3), math.inf), scatter([4500.0, 2250.0], seed=4), np.full((1, 3), math.nan)])

    def kinds(lost):
        found = judged(experiment, said, {"networks": networks(lost, values=experiment.decay)})
        return found, [one.verdict.kind for one in found.where("verdict != reported")]

    found, verdicts = kinds(scan)
    assert verdicts[:3] == 3 * ["holds"] and found.select(quantity=SHARE)[0].measured.value == 1.0
    gap = found.select(quantity="λ_c")[0].measured
    assert isinstance(gap, Range) and (gap.low, gap.high) == (8e-3, 2e-2)
    # By the paper's level of 0.9, which a step passes when it passes 0.75: from t = 100 on.
    paper = found.select(quantity="time at which ICL accuracy falls below 0.9", decay=4e-3)[0].measured
    assert paper.value == pytest.approx(4600.0, rel=0.05)
    slow = np.vstack([scan[:2], 2 * scan[2:3], scan[3:]])
    assert kinds(slow)[1][1] == "fails"


@pytest.mark.slow
def test_the_reduced_transformer_says_absolute_times_and_the_networks_are_held_against_them(tmp_path):
    """Below λ_c the loss comes as 1/λ up to logarithms; networks that take twice as long are found at 2, and fail."""
    alone = couplings((128, 256), 1, until=0.02, dimension=15, width=64, learning_rate=0.1)
    run = Run("transformer", Task(7, 192, 15), 0, width=64, budget=3000.0)
    decay = (3e-3, 6e-3, 1.2e-2, 0.3)
    experiment = TransformerTransience(run, decay, 6e-3, 3, 50, coupling=alone, members=2, draws=60)
    curves = CouplingCurves(alone, train_couplings(alone, RunStore(tmp_path), progress=False))
    known = networks(scatter([200.0]), values=[6e-3]).squeeze("decay_attention", drop=True)
    said = Claims(experiment.predict({"decayed": known, "undecayed": known, "coupling": curves}))
    reduced = said.select(method="reduced transformer")
    times = {one.at["decay"]: one.predicted.value for one in reduced if one.quantity == "t_loss"}
    assert list(times) == [3e-3, 6e-3, 1.2e-2]  # at 0.3 it is never acquired
    assert -1.5 < reduced.select(quantity="d ln t_loss/d ln λ")[0].predicted.value < -0.8
    scan = np.vstack([*(np.full((1, 3), 2 * time) for time in times.values()), np.full((1, 3), math.nan)])
    found = judged(experiment, said, {"networks": networks(scan, values=decay)})
    (over,) = found.select(quantity="t_loss over that of the reduced transformer")
    # Losses are read from evaluations ten apart, of times from 110 on.
    assert over.measured.value == pytest.approx(2.0, rel=0.03) and over.verdict.kind == "fails"


def test_calibration_networks_that_never_acquire_predict_no_icl():
    experiment = transformer()
    never = networks([[math.nan] * 3], values=[0.0]).squeeze("decay_attention", drop=True)
    said = Claims(experiment.predict({"decayed": never, "undecayed": never}))
    assert said.select(quantity="λ_c")[0].predicted.value == 0.0
    assert set(said.select(quantity=SHARE)[0].at["phase"]) == {NO_ICL}


def test_the_products_of_critical_decay_and_time_hardly_depend_on_length():
    products = [critical_product(Task(n, dimension=63)) for n in (25, 50, 100, 200)]
    assert np.ptp(products) < 0.05 * np.mean(products) and products[-1] == pytest.approx(2.9, rel=0.03)


@pytest.mark.parametrize(
    ("acquired", "low", "high"),
    [([1, 1, 0, 0], 2.0, 3.0), ([1, 0, 1, 0], 0.0, math.inf), ([1, 1, 1, 1], 0.0, math.inf)],
)
def test_the_critical_decay_lies_between_two_of_the_scan(acquired, low, high):
    found = critical_decay_between([1.0, 2.0, 3.0, 4.0], np.array(acquired, dtype=bool)[:, None])
    assert (found.low, found.high) == (low, high)


def test_a_run_ends_when_it_has_lost_what_it_had_and_not_before():
    run = Run("minimal", Task(6, 16, 5), 0, width=8, budget=50.0, evaluate_every=1.0, test_size=20, stop_lost=0.7)
    runs = [run, replace(run, seed=1), replace(run, seed=2, stop_lost=0.0)]
    trainer = EnsembleTrainer(runs)
    trainer.metrics[:3] = 0.4
    circuit = METRICS.index("circuit_accuracy")
    trainer.metrics[:3, circuit] = [[0.5, 0.5, 0.5], [0.97, 0.9, 0.97], [0.6, 0.6, 0.6]]
    for row in range(3):
        trainer._stop(row)
    # The first had it and lost it, the second never had it, the third was not asked to end.
    assert trainer.status.tolist() == [Status.LOST, Status.RUNNING, Status.RUNNING]


@pytest.mark.parametrize("preset", ["WORKSTATION", "TRANSIENCE", "PAPER"])
def test_every_run_of_a_preset_can_be_made_and_none_calibrates_itself(preset):
    for experiment in getattr(presets, preset):
        calibration = [job for jobs in experiment.calibration().values() for job in jobs]
        trained = [job for jobs in experiment.networks().values() for job in jobs]
        assert calibration and trained
        assert not {job.seed for job in calibration} & {job.seed for job in trained}


def test_the_replication_shares_no_seed_with_what_it_replicates():
    def seeds(experiments):
        return {
            job.seed
            for experiment in experiments
            if isinstance(experiment, TransienceTime)
            for part in (experiment.calibration(), experiment.networks())
            for jobs in part.values()
            for job in jobs
        }

    assert seeds(presets.TRANSIENCE).isdisjoint(seeds(presets.WORKSTATION))


def test_a_share_has_the_exact_binomial_interval():
    found = fraction([True] * 27, exact=True)
    assert (found.value, found.high) == (1.0, 1.0) and found.low == pytest.approx(0.025 ** (1 / 27))
