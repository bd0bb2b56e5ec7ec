"""Every closed form takes arrays in every number: an array call is the scalar calls, element by element."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iclrace.theory as theory
from iclrace.theory import Task

MEMORY = theory.PowerLawMemory(3.9, 0.7)
MEASURED = theory.MeasuredMemory.from_runs([100, 10_000], [[0, 40], [0, 900]], [[0.5, 0.01]] * 2)
_MARGIN, _DIVERSITIES = np.linspace(0.0, 12.0, 40), (100, 1000, 10_000)
#: A table of the homogeneous law.
TABLE = theory.MeasuredMemory.from_runs(
    _DIVERSITIES, [MEMORY.clock(_MARGIN, k) for k in _DIVERSITIES], [MEMORY.c1(_MARGIN)] * 3
)
#: Of each closed form a call with context length, task diversity, dimension and one argument more, x in [−1, 1].
FORMS = {
    "acquired_beta": lambda n, k, d, x: theory.acquired_beta(Task(n, k, d), 0.9 + 0.05 * x),
    "acquisition_fold": lambda n, k, d, x: theory.acquisition_fold(Task(n, k, d), np.exp(x - 7)),
    "acquisition_probability": lambda n, k, d, x: theory.acquisition_probability(Task(n, k, d), MEMORY, x, 0.1),
    "acquisition_time": lambda n, k, d, x: theory.acquisition_time(Task(n, k, d), x),
    "balanced_saddle": lambda n, k, d, x: theory.balanced_saddle(Task(2 * n, k, d, labels="balanced")),
    "branch_margin": lambda n, k, d, x: theory.branch_margin(Task(n, k, d), 1e-3, 3.0 + x),
    "branch_point": lambda n, k, d, x: theory.branch_point(Task(n, k, d), 3.0 + x),
    "clock_at_acquisition": lambda n, k, d, x: theory.clock_at_acquisition(Task(n, k, d), x),
    "critical_decay": lambda n, k, d, x: theory.critical_decay(Task(n, k, d), 0.5 + 0.1 * x),
    "crossover_regimes": lambda n, k, d, x: theory.crossover_regimes(0.05 + 0.01 * x),
    "delayed_time": lambda n, k, d, x: theory.delayed_time(MEMORY, 50.0 + x, k),
    "early_drag": lambda n, k, d, x: theory.early_drag(Task(n, k, d), 0.5 + 0.1 * x),
    "effective_context": lambda n, k, d, x: theory.effective_context(Task(n, k, d, score_std=1.0 + x / 2)),
    "finite_accuracy": lambda n, k, d, x: theory.finite_accuracy(1.0, 2.0 + x, Task(n, k, d), 0.1),
    "fixed_points": lambda n, k, d, x: theory.fixed_points(Task(n, k, d), np.exp(x - 7), 3.5),
    "fold": lambda n, k, d, x: theory.fold(Task(n, k, d), np.exp(x - 7)),
    "fold_margin": lambda n, k, d, x: theory.fold_margin(Task(n, k, d), np.exp(x - 7)),
    "fresh_share_time": lambda n, k, d, x: theory.fresh_share_time(MEMORY, 50.0 + x, k, 0.1),
    "icl_accuracy": lambda n, k, d, x: theory.icl_accuracy(1.0, 2.0 + x, Task(n, k, d)),
    "icl_accuracy, rough": lambda n, k, d, x: theory.icl_accuracy(1.0, 2.0 + x, Task(n, k, d, score_std=1.0 + x / 2)),
    "icl_field": lambda n, k, d, x: theory.icl_field(1.0, x, Task(n, k, d)),
    "icl_field, repeats": lambda n, k, d, x: theory.icl_field(1.0, x, Task(n, k, d), repeats=True),
    "iwl_accuracy": lambda n, k, d, x: theory.iwl_accuracy(1.0, x, Task(n, k, d), 0.1),
    "iwl_loss": lambda n, k, d, x: theory.iwl_loss(1.0, x, Task(n, k, d), 0.1),
    "ladder": lambda n, k, d, x: theory.ladder(Task(n, k, d), x),
    "loss_hessian": lambda n, k, d, x: theory.loss_hessian(1.0, x, Task(n, k, d)),
    "loss_product": lambda n, k, d, x: theory.loss_product(Task(n, k, d), np.exp(x - 7), 1.0),
    "mean_transience_time": lambda n, k, d, x: theory.mean_transience_time(Task(n, k, d), MEMORY, np.exp(x - 7)),
    "momentum_delay": lambda n, k, d, x: theory.momentum_delay(Task(n, k, d), x),
    "phase": lambda n, k, d, x: theory.phase(Task(n, k, d), MEMORY, np.exp(x - 7), 1e4),
    "population_loss": lambda n, k, d, x: theory.population_loss(1.0, x, Task(n, k, d)),
    "repeat_saddle": lambda n, k, d, x: theory.repeat_saddle(Task(n, k, d)),
    "repeated items": lambda n, k, d, x: theory.clock_at_acquisition(Task(n, k, d), x, repeats=True),
    "rough_attention": lambda n, k, d, x: theory.rough_attention(x, Task(n, k, d, score_std=0.5)),
    "skewed_clock": lambda n, k, d, x: theory.skewed_clock(MEMORY, n, 1.0 + x, np.exp(x + 7)),
    "skewed_contexts": lambda n, k, d, x: theory.skewed_contexts(Task(n, 300, d), 1.0 + x),
    "tail_time": lambda n, k, d, x: theory.tail_time(Task(n, k, d), 1e-4, x - 3.0),
    "threshold": lambda n, k, d, x: theory.threshold(Task(n, k, d), MEMORY, x, budget=1e4 * np.exp(x)),
    "threshold, measured": lambda n, k, d, x: theory.threshold(Task(n, k, d), MEASURED, x),
    "threshold, measured, by a time": lambda n, k, d, x: theory.threshold(
        Task(n, k, d), TABLE, x, budget=400 + 200 * x
    ),
    "threshold_slopes": lambda n, k, d, x: theory.threshold_slopes(Task(n, k, d), MEMORY, x, budget=1e4 * np.exp(x)),
    "time, balanced": lambda n, k, d, x: theory.acquisition_time(Task(2 * n, k, d, labels="balanced"), 1.2 + x),
    "time, binomial": lambda n, k, d, x: theory.acquisition_time(Task(n, k, d), x, average="binomial"),
    "time_of_clock": lambda n, k, d, x: theory.time_of_clock(MEMORY, 50.0 + x, k),
    "time_of_clock, measured": lambda n, k, d, x: theory.time_of_clock(MEASURED, 50.0 + x, k),
    "transience_time": lambda n, k, d, x: theory.transience_time(Task(n, k, d), MEMORY, np.exp(x - 7)),
    "weight_after_acquisition": lambda n, k, d, x: theory.weight_after_acquisition(Task(n, k, d), 16.0 + x, 2.0, 2.8),
}
#: Those of which many are found one by one: whole ones, or each with a law of its own.
ONE_BY_ONE = {"icl_accuracy, rough", "ladder"}


def leaves(result):
    """The numbers and words that a result holds, in order."""
    if isinstance(result, dict | tuple):
        return [leaf for part in (result.values() if isinstance(result, dict) else result) for leaf in leaves(part)]
    if dataclasses.is_dataclass(result):
        return [leaf for one in dataclasses.fields(result) for leaf in leaves(getattr(result, one.name))]
    return [np.asarray(result)]


def elements(results, shape):
    """Leaves of scalar calls as arrays; what only some of them hold is NaN in the others."""
    all_leaves = [leaves(result) if result is not None else [] for result in results]
    longest = max(all_leaves, key=len)
    rows = [own + [np.full(leaf.shape, np.nan) for leaf in longest[len(own) :]] for own in all_leaves]
    return [np.array(column).reshape(*shape, *column[0].shape) for column in zip(*rows, strict=True)]


def same(found, expected, rtol):
    for one, other in zip(leaves(found), expected, strict=True):
        array = np.broadcast_to(one, other.shape)
        if other.dtype.kind in "US":
            np.testing.assert_array_equal(array, other)
        else:
            np.testing.assert_allclose(array.astype(float), other.astype(float), rtol=rtol, atol=1e-6 * rtol)


@pytest.mark.parametrize("name", FORMS)
def test_an_array_call_is_the_scalar_calls(name):
    n, k = np.array([[20], [100]]), np.array([[300.0], [2000.0]])
    d, x = np.array([31.0, np.inf, 63.0]), np.array([-0.3, 0.1, 0.4])
    found = FORMS[name](n, k, d, x)
    points = np.broadcast(n, k, d, x)
    scalars = [FORMS[name](int(a), float(b), float(c), float(e)) for a, b, c, e in points]
    # trajectories that are integrated together take steps of their own, but sums in another order
    same(found, elements(scalars, points.shape), rtol=1e-9)


@pytest.mark.parametrize("name", sorted(set(FORMS) - ONE_BY_ONE))
@pytest.mark.parametrize("argument", ["n", "x"])
def test_many_values_are_those_of_scalar_calls(name, argument):
    base = {"n": 100, "k": 1000.0, "d": 63.0, "x": 0.3}
    rng = np.random.default_rng(7)
    many = {"n": rng.integers(20, 1000, 1500), "k": np.exp(rng.uniform(5, 11, 1500)), "d": rng.uniform(15, 500, 1500),
            "x": rng.uniform(-0.5, 0.5, 1500)}[argument]  # fmt: skip
    found = FORMS[name](**base | {argument: many})
    where = [0, len(many) // 3, len(many) - 1]
    scalars = elements([FORMS[name](**base | {argument: many[i].item()}) for i in where], (len(where),))
    picked = [np.broadcast_to(one, (len(many), *other.shape[1:]))[where] for one, other in
              zip(leaves(found), scalars, strict=True)]  # fmt: skip
    for one, other in zip(picked, scalars, strict=True):
        if other.dtype.kind in "US":
            np.testing.assert_array_equal(one, other)
            continue
        # 1e-6 is what interpolation promises; of numbers that change their sign, in units of the greatest
        np.testing.assert_allclose(one.astype(float), other.astype(float), rtol=3e-6, atol=1e-9)


def test_many_thresholds_with_repeats_are_those_of_one():
    budgets = np.geomspace(2e3, 1e5, 600)
    k_star = theory.threshold(Task(50, dimension=63.0), MEMORY, 0.3, budget=budgets, repeats=True)
    for i in (0, 350):
        one = theory.threshold(Task(50, dimension=63.0), MEMORY, 0.3, budget=float(budgets[i]), repeats=True)
        np.testing.assert_allclose([k_star.value[i], k_star.high[i]], [one.value, one.high], rtol=3e-6)


def test_many_phases_are_those_of_one_on_either_side_of_every_border():
    """λ from where ICL lasts over where it is lost to where it is never acquired; between them it is not in doubt."""
    decay = np.geomspace(1e-5, 5e-3, 900)
    phases = theory.phase(Task(100, 1000), MEMORY, decay, 1e5)
    borders = np.flatnonzero(phases[1:] != phases[:-1])
    assert set(phases) == {"lasting", "transient", "no ICL"} and borders.size == 2
    for i in (*borders, *(borders + 1)):
        assert theory.phase(Task(100, 1000), MEMORY, decay[i], 1e5) == phases[i]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_times_of_any_tasks_are_those_of_each(data):
    size = data.draw(st.integers(1, 4))
    draw = lambda values: np.array(data.draw(st.lists(values, min_size=size, max_size=size)))  # noqa: E731
    n, d = draw(st.integers(2, 2000)), draw(st.sampled_from([5.0, 31.0, 500.0, math.inf]))
    s, beta0, w0 = draw(st.sampled_from([0.0, 0.3, 1.0, 2.0])), draw(st.floats(-2, 3)), draw(st.floats(-0.5, 1))
    times = theory.acquisition_time(Task(n, dimension=d, label_std=s), beta0, w0)
    each = [float(theory.acquisition_time(Task(int(a), dimension=float(b), label_std=float(c)), e, f))
            for a, b, c, e, f in zip(n, d, s, beta0, w0, strict=True)]  # fmt: skip
    np.testing.assert_allclose(times, each, rtol=1e-9)


def test_every_function_of_a_task_is_among_them():
    of_tasks = {name for name in theory.__all__ if "task" in getattr(getattr(theory, name), "__annotations__", {})}
    known = {name.split(",")[0] for name in FORMS}
    # lists of nodes differ in length from task to task; a law is an object of one; the others are the same with a name
    apart = {"copies_distribution", "label_sum_nodes", "acquisition_distribution", "AcquisitionDistribution",
             "threshold_values", "loss_gradient", "mean_residual", "skewed_clock_at_acquisition",
             "free_regime"}  # fmt: skip
    assert of_tasks - known <= apart


def test_one_bad_number_among_many_is_named():
    lengths = np.arange(1, 1001)
    refusal = r"'context_length' must be an integer N in \[2, 2\^53\) everywhere, but it is 1 at index \[0\]"
    with pytest.raises(ValueError, match=refusal):
        theory.acquisition_time(Task(lengths), 0.0)
    decay = np.append(np.geomspace(1e-4, 1e-3, 400), -1.0)
    with pytest.raises(ValueError, match=r"'decay' must .* but it is -1"):
        theory.fold_margin(Task(100), decay)


def test_a_task_with_arrays_is_no_task_of_a_simulation():
    from iclrace.simulate import CoupledModel, coupled_acquisition_time

    with pytest.raises(ValueError, match="Argument 'context_length' must be a single number"):
        coupled_acquisition_time(CoupledModel(Task([50, 100])), 0.0)
    with pytest.raises(ValueError, match="Argument 'context_length' must be a single number"):
        {Task([50, 100]): 1}
    assert Task([50, 100]) == Task([50, 100]) != Task([50, 101])


def test_what_is_asked_for_repeatedly_is_found_once():
    from iclrace.theory.common.elementwise import elementwise

    sizes = []

    @elementwise(arrays=("context_length", "x"), ignored=("task_diversity",))
    def product(task, x):
        sizes.append(np.size(x))
        return task.context_length * np.asarray(x)

    lengths, x = np.tile([20, 30, 40], 500), np.repeat([0.5, 2.0, 1.0], 500)
    np.testing.assert_array_equal(product(Task(lengths), x), lengths * x)
    assert sizes == [9]
    varied = np.random.default_rng(0).uniform(size=1500)
    np.testing.assert_array_equal(product(Task(lengths), varied), lengths * varied)
    assert sizes == [9, 1500]
