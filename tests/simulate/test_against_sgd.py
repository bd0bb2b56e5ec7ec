"""Trained minimal models acquire ICL when the ensemble of coupled equations says, network by network."""

import math

import numpy as np
import pytest
from scipy import stats

from iclrace.simulate import CoupledModel, coupled_acquisition_time
from iclrace.theory import Task, acquired_beta
from iclrace.validate import MemoryTraining, Run, measured_memory, train, train_memory
from iclrace.validate.measure.times import first_crossing

# What may be left out was set before a network was trained, and kept. Changed after runs had been seen: the budget,
# from 400, and the test at finite K, which at K = 2048 compared the mean of the logarithms as the endless one does.
BUDGET, WIDTH, RATE = 300.0, 128, 0.3
TASK = Task(50, dimension=63)
NETWORKS = range(300, 310)
#: What the averaged field leaves out at D = 63 (the spread of Z): docs/derivation.md and the minimal model's reference
#: times put it at 0.1-3 %. Known before any of these networks was trained.
FINITE_DIMENSION = 0.03


def trained(task, out):
    """β0 of each network and the time at which its β reaches theory's level for 95 %; infinite beyond the budget."""
    runs = [
        Run("minimal", task, seed, width=WIDTH, learning_rate=RATE, batch_size=128, budget=BUDGET, evaluate_every=3.0,
            test_size=100, beta0=None)
        for seed in NETWORKS
    ]  # fmt: skip
    metrics = train(runs, out, progress=False).squeeze(drop=True).transpose("seed", "time")
    beta, level = metrics["beta"].values, acquired_beta(task)
    return beta[:, 0], np.array([first_crossing(metrics.time, row, level) for row in beta])


def chosen(solved):
    return (solved > 0.0) & (solved < BUDGET / 1.2)


def log_ratios(measured, solved, wrong=None):
    """ln(trained/solved) of the networks that the equations let acquire by a fifth before the budget ends: all must.

    ``wrong`` takes the place of the times themselves in a negative control, for the same networks.
    """
    expected = chosen(solved)
    assert expected.sum() >= 5
    assert np.all(measured[solved == 0.0] == 0.0)  # β0 beyond the level at the start
    assert np.isfinite(measured[expected]).all()
    assert np.isinf(measured[~(solved < BUDGET * 1.2)]).all()  # nor does one acquire that should not
    return np.log(measured[expected] / (solved if wrong is None else wrong)[expected])


def interval(values):
    return stats.ttest_1samp(values, 0.0).confidence_interval(0.99)


def agree(values, systematic):
    """Whether the mean's 99 % interval, over the networks' own scatter and widened by ``systematic``, holds 0."""
    low, high = interval(values)
    return low - systematic < 0.0 < high + systematic


@pytest.mark.slow
def test_endless_diversity(tmp_path):
    beta0, measured = trained(TASK, tmp_path)
    solved = coupled_acquisition_time(CoupledModel(TASK), beta0=beta0)
    ratios = log_ratios(measured, solved)
    print(f"trained over solved, K → ∞: {np.exp(ratios).round(3)}, interval {np.exp(interval(ratios)).round(3)}")
    assert agree(ratios, FINITE_DIMENSION)
    # negative control: the same networks against contexts that are longer by a tenth
    wrong = coupled_acquisition_time(CoupledModel(Task(55, dimension=63)), beta0=beta0)
    assert not agree(log_ratios(measured, solved, wrong), FINITE_DIMENSION)


#: Close to K*, where the memory decides for some of the networks. At K = 2048, tried first, times agree as well (0.979
#: [0.956, 0.999]), but the memory comes too late there for its absence to be noticed.
DIVERSITY = 512


@pytest.mark.slow
def test_finite_diversity_with_the_measured_memory(tmp_path):
    """Every network between what the equations say of contexts that are shorter and longer by what they leave out."""
    task = Task(50, DIVERSITY, 63)
    alone = [
        MemoryTraining(DIVERSITY, seed, dimension=63, width=WIDTH, learning_rate=RATE, budget=BUDGET)
        for seed in (500, 501)
    ]
    memory = measured_memory(alone, [train_memory(run) for run in alone], BUDGET)
    beta0, measured = trained(task, tmp_path)
    # repeated items shorten the race by less than ⟨m⟩ = 1 + (N − 1)/K; the coupled model has none
    left_out = FINITE_DIMENSION + math.log(1 + 49 / DIVERSITY)

    def outside(length, law):
        """Networks that do not end as contexts of ``length`` e^{±left out} say; and how many of either fate it tells.

        A time scales with N; a network acquires if it would in the longer context, and not if not in the shorter.
        """
        short, long = (round(length * math.exp(sign * left_out)) for sign in (-1, 1))
        lengths = {"context_length": np.array([[short], [long]])}
        budget = {"budget": BUDGET, "parameters": lengths}
        early, late = coupled_acquisition_time(CoupledModel(task, law), beta0=beta0, **budget)
        wrong = (measured < early) | (measured > late)
        return wrong, np.isfinite(late).sum(), np.isinf(early).sum()

    wrong, acquiring, memorising = outside(50, memory)
    print(f"K = {DIVERSITY}: {measured.round(1)}; outside {wrong.sum()}, told to acquire {acquiring}, not {memorising}")
    assert acquiring >= 4 and memorising >= 1
    assert not wrong.any()
    # negative controls: contexts longer by half with this memory, and these contexts without one
    assert outside(75, memory)[0].sum() >= 3
    assert outside(50, None)[0].any()
