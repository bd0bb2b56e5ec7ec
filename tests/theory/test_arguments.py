"""What every public function does with odd input: shapes that do not fit, extremes, numpy scalars, arrays."""

import itertools

import numpy as np
import pytest

from iclrace.theory import (
    MeasuredMemory,
    MemoryRun,
    PowerLawMemory,
    Task,
    acquired_beta,
    acquisition_clock,
    acquisition_distribution,
    acquisition_time,
    clock_at_acquisition,
    conserved_weight,
    critical_decay,
    crossover_regimes,
    crossover_slope,
    early_drag,
    effective_context,
    fixed_points,
    fold,
    icl_accuracy,
    icl_field,
    item_frequencies,
    ladder,
    loss_gradient,
    loss_hessian,
    mean_residual,
    phase,
    population_loss,
    rough_attention,
    skewed_clock,
    threshold,
    tracking_weight,
    transience_time,
)
from iclrace.theory.contexts.labels import label_sum_nodes

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
RUN = MemoryRun(500, [0.0, 50.0, 90.0], [0.5, 0.1, 0.01], [0.5, 0.9, 1.0], [1.0, 0.1, 0.01])
MEASURED = MeasuredMemory([RUN])
TASK = Task(100, task_diversity=1000)
TWO, THREE = np.full(2, 0.4), np.full(3, 0.4)

BROADCASTING = {
    "acquisition_clock": (lambda **a: acquisition_clock(**a), ("beta0", "w0", "drag")),
    "acquisition_time": (lambda **a: acquisition_time(TASK, **a), ("beta0", "w0")),
    "icl_field with repeats": (lambda **a: icl_field(task=TASK, **a, repeats=True), ("w", "beta", "margin")),
    "clock_at_acquisition": (lambda **a: clock_at_acquisition(TASK, **a), ("beta0", "w0")),
    "conserved_weight": (lambda **a: conserved_weight(**a), ("margin", "rate", "margin_scale")),
    "critical_decay": (lambda **a: critical_decay(TASK, **a), ("c1", "c2")),
    "icl_accuracy": (lambda **a: icl_accuracy(task=TASK, **a), ("w", "beta")),
    "icl_field": (lambda **a: icl_field(task=TASK, **a), ("w", "beta", "margin")),
    "loss_gradient": (lambda **a: loss_gradient(task=TASK, **a), ("w", "beta", "margin")),
    "loss_hessian": (lambda **a: loss_hessian(task=TASK, **a), ("w", "beta", "margin")),
    "mean_residual": (lambda **a: mean_residual(task=TASK, **a), ("w", "beta", "margin")),
    "phase": (
        lambda **a: phase(TASK, MEMORY, **({"decay": 0.4, "budget": 1.0} | a)),
        ("decay", "budget", "beta0", "w0"),
    ),
    "population_loss": (lambda **a: population_loss(task=TASK, **a), ("w", "beta", "margin")),
    "rough_attention": (lambda **a: rough_attention(task=TASK, **a), ("beta", "c2")),
    "tracking_weight": (lambda **a: tracking_weight(**a), ("c3", "decay")),
    "transience_time": (lambda **a: transience_time(TASK, MEMORY, **a), ("decay", "acquired_margin")),
    "memory.field": (lambda **a: MEMORY.field(**({"task_diversity": 9.0} | a)), ("state", "residual")),
    "memory.clock": (lambda **a: MEMORY.clock(a["margin"], a["task_diversity"] + 1.0), ("margin", "task_diversity")),
    "memory.margin": (lambda **a: MEMORY.margin(a["clock"], a["task_diversity"] + 1.0), ("clock", "task_diversity")),
    "measured.field": (lambda **a: MEASURED.field(**({"task_diversity": 9.0} | a)), ("state", "residual")),
}


@pytest.mark.parametrize(
    ("name", "pair"), [(name, p) for name, (_, all_) in BROADCASTING.items() for p in itertools.permutations(all_, 2)]
)
def test_shapes_that_do_not_broadcast_are_named(name, pair):
    call, names = BROADCASTING[name]
    arguments = dict.fromkeys(names, 0.4) | {pair[0]: TWO, pair[1]: THREE}
    with pytest.raises(ValueError, match=rf"Argument '({pair[0]}|{pair[1]})' must have a shape that broadcasts .*but"):
        call(**arguments)


@pytest.mark.parametrize("name", BROADCASTING)
def test_empty_arrays_give_empty_arrays(name):
    call, names = BROADCASTING[name]
    result = call(**(dict.fromkeys(names, 0.4) | {names[0]: np.zeros(0)}))
    assert (result[0] if isinstance(result, tuple) else result).shape[0] == 0


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: fold(TASK, [1e-3, 1e-20]), "decay"),
        (lambda: fixed_points(TASK, 1e-3, [1.0, 200.0]), "margin"),
        (lambda: threshold(TASK, MEMORY, 0.0, [0.0, np.nan]), "w0"),
        (lambda: threshold(TASK, MEMORY, 0.0, clock=[1.0, -2.0]), "clock"),
        (lambda: threshold(TASK, MEMORY, [0.0, np.inf], budget=1e4), "beta0"),
        (lambda: threshold(TASK, MEMORY, 0.0, budget=[1e3, 0.0]), "budget"),
        (lambda: ladder(TASK, [0.0, 400.0]), "beta0"),
        (lambda: ladder(TASK, np.append(np.zeros(300), 400.0)), "beta0"),
        (lambda: acquisition_time(TASK, np.append(np.linspace(-1.0, 1.0, 2000), np.nan)), "beta0"),
        (lambda: acquisition_time(Task([10, 20]), [0.0, 1.0, 2.0]), "beta0|context_length"),
        (lambda: transience_time(TASK, MEMORY, np.append(np.geomspace(1e-4, 1e-3, 300), [0.0, 1e-11])), "decay"),
        (lambda: Task([10, 1]), "context_length"),
        (lambda: Task([10, 20], dimension=[15, 31, 63]), "dimension"),
        (lambda: Task([10, 20], copies=[1, 20]), "copies"),
        (lambda: Task(10, task_diversity=[2.0, np.nan]), "task_diversity"),
        (lambda: label_sum_nodes(Task([10, 20])), "context_length"),
        (lambda: acquisition_distribution(Task([10, 20]), 0.0, 1.0), "context_length"),
        (lambda: acquired_beta(TASK, "high"), "accuracy"),
        (lambda: acquisition_distribution(TASK, [0.0, 1.0], 1.0), "beta0_mean"),
        (lambda: acquisition_distribution(TASK, 0.0, 1e5), "beta0_std"),
        (lambda: acquisition_distribution(TASK, 1e5, 1.0), "beta0_mean"),
        (lambda: acquisition_distribution(Task(10, score_std=1.0), 0.0, 1.0), "task"),
        (lambda: acquisition_distribution(TASK, 0.0, 1.0).rvs(random_state="x"), "random_state"),
        (lambda: acquisition_distribution(TASK, 0.0, 1.0).rvs(size=-1), "size"),
        (lambda: crossover_slope(np.inf), "b"),
        (lambda: label_sum_nodes(TASK, bias=1.5), "bias"),
        (lambda: crossover_regimes(0.9), "tolerance"),
        (lambda: item_frequencies(10, [1.0, 2.0]), "skew"),
        (lambda: MEASURED.c1(1.0, [500, 600]), "task_diversity"),
        (lambda: MeasuredMemory.from_runs(500.0, [[0, 1]], [[1, 1]], [[1, 1]], [[1, 1]]), "task_diversity"),
        (lambda: Task(10, label_std=1e300), "label_std"),
        (lambda: Task(10, score_std=50.0), "score_std"),
        (lambda: Task(10, target_in_softmax="no"), "target_in_softmax"),
        (lambda: Task(10, labels=np.zeros(2)), "labels"),
        (lambda: fold(TASK, 1e-11), "decay"),
        (lambda: transience_time(TASK, MEMORY, 1e-11), "decay"),
        (lambda: fixed_points(TASK, 1e-3, 1e3), "margin"),
    ],
)
def test_invalid_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=rf"Argument '{name}' must .*but"):
        call()


def test_extremes_neither_overflow_nor_warn():
    # RuntimeWarning is an error in this suite
    assert np.isfinite(loss_hessian([1e300, -1e300], 0.0, TASK)[:, 0, 0]).all()
    assert skewed_clock(MEMORY, 10, 1.0, 1e308) <= MEMORY.total_clock(10)
    assert MEMORY.field(1e300, 0.0, 10.0) == 0.0
    assert fold(TASK, 1e100) is None and np.isnan(transience_time(TASK, MEMORY, 1e100))
    assert crossover_slope([-1e308, 1e308]).tolist() == [-2.0, -1.0]
    assert acquisition_distribution(TASK, 0.0, 30.0).ppf([0.0, 1.0])[0] == 0.0


def test_an_end_where_attention_saturates_is_integrated():
    """From an e-fold beyond e^β = N on the early path is no guide; without label noise it gave 1e130 there."""
    for task in (Task(100), Task(100, label_std=0.0), Task(100, copies=2)):
        ends = np.log((100 - task.copies) / task.copies) + np.array([0.0, 1.0, 2.0])
        times = [float(acquisition_time(task, 0.0, until_beta=end)) for end in ends]
        assert 0.0 < times[0] < times[1] < times[2] < 1e4
    # without label noise and at finite D the copies' attention is greatest at β = D, and β goes no further
    assert np.isinf(acquisition_time(Task(100, dimension=3, label_std=0.0), 0.0, until_beta=3.01))
    assert np.isfinite(acquisition_time(Task(100, dimension=3, label_std=0.0), 0.0, until_beta=2.9))


def test_numpy_scalars_are_numbers():
    task = Task(np.int64(100), task_diversity=np.float32(500), copies=np.int32(2), target_in_softmax=np.bool_(True))
    assert task == Task(100, task_diversity=500.0, copies=2, target_in_softmax=True)
    assert type(task.context_length) is int and type(task.target_in_softmax) is bool
    assert item_frequencies(np.int64(3), 0.0).size == 3


def test_phases_and_times_broadcast():
    decay, budget = np.array([[0.0], [1e-3], [3e-3]]), np.array([3e3, 3e4])
    found = phase(TASK, MEMORY, decay, budget)
    assert found.tolist() == [["lasting", "lasting"], ["lasting", "transient"], ["no ICL", "no ICL"]]
    for i, j in np.ndindex(found.shape):
        assert phase(TASK, MEMORY, decay[i, 0], budget[j]) == found[i, j]
    over_diversity = phase(TASK, MEMORY, 3e-3, 3e4, task_diversity=[1000, 3000])
    assert over_diversity.tolist() == ["no ICL", "transient"]
    assert phase(TASK, MEMORY, 0.0, 1e5, [-4.0, 0.0]).tolist() == ["no ICL", "lasting"]
    times = transience_time(TASK, MEMORY, decay, [0.0, 2.0], task_diversity=1000)
    assert times.shape == (3, 2)
    assert times[1, 1] == pytest.approx(float(transience_time(TASK, MEMORY, 1e-3, 2.0)), rel=1e-12)
    np.testing.assert_allclose(
        critical_decay(TASK, [[0.5], [0.25]], [0.5, 1.0])[1, 0], critical_decay(TASK) / 2, rtol=1e-15
    )
    assert early_drag(TASK, [0.5, 1.0]).tolist() == [0.5, 1.0]
    np.testing.assert_allclose(rough_attention(0.0, TASK, [0.5, 1.0])[2][0], rough_attention(0.0, TASK)[2], rtol=1e-15)
    assert effective_context(TASK) == pytest.approx(100.0, rel=1e-10)


def test_samples_follow_scipys_conventions():
    law = acquisition_distribution(TASK, 0.0, 1.0)
    assert law.rvs(random_state=1).shape == () and law.rvs(size=(2, 3)).shape == (2, 3)
    generator = np.random.default_rng(1)
    assert law.rvs(random_state=generator) == law.rvs(random_state=1) != law.rvs(random_state=generator)
    assert law.rvs(3, np.random.RandomState(5)).tolist() == law.rvs(3, np.random.RandomState(5)).tolist()
    assert law.rvs(size=0, random_state=0).shape == (0,)
