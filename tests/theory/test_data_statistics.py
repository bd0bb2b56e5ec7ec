"""Burstiness as the data draw it, and skewed item frequencies."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import expit
from scipy.stats import binom

from iclrace.theory import (
    PowerLawMemory,
    Task,
    clock_at_acquisition,
    copies_distribution,
    icl_field,
    item_frequencies,
    skewed_clock,
    skewed_clock_at_acquisition,
    skewed_contexts,
)
from iclrace.theory.acquisition.integrated import context_averages
from iclrace.theory.contexts.labels import label_sum_nodes
from iclrace.theory.memory.frequencies import skewed_nodes

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)


def test_distribution_of_copies():
    copies, probability = copies_distribution(Task(100, task_diversity=50))
    np.testing.assert_allclose(probability, binom.pmf(copies - 1, 99, 1 / 50), rtol=1e-10)
    assert probability @ copies == pytest.approx(1 + 99 / 50, rel=1e-9)
    assert [array.tolist() for array in copies_distribution(Task(100))] == [[1], [1.0]]


@pytest.mark.parametrize("labels", ["iid", "balanced"])
def test_endless_items_do_not_repeat(labels):
    one = icl_field(1.0, 1.0, Task(50, labels=labels))
    np.testing.assert_allclose(icl_field(1.0, 1.0, Task(50, labels=labels), repeats=True), one, rtol=1e-12)


def test_balanced_contexts_hold_as_many_copies_as_they_have_room_for():
    task = Task(50, task_diversity=20, labels="balanced")
    copies, share = copies_distribution(task)
    room = copies <= 25
    fields = [icl_field(1.0, 1.0, Task(50, labels="balanced", copies=int(m))) for m in copies[room]]
    expected = share[room] @ np.array(fields) / share[room].sum()
    np.testing.assert_allclose(icl_field(1.0, 1.0, task, repeats=True), expected, rtol=1e-12)
    assert abs(np.array(fields[0]) / expected - 1).min() > 0.1  # one copy alone is another field


@pytest.mark.parametrize(("length", "diversity", "copies"), [(20, 8, 2), (8, 4, 2), (12, 3, 3)])
def test_balanced_repeats_beside_copies_against_sampling(length, diversity, copies):
    """copies + Binomial(N − copies, 1/K), drawn, as long as N/2 labels of the target's sign hold them all."""
    rng, task = np.random.default_rng(1), Task(length, diversity, labels="balanced", copies=copies)
    m = copies + rng.binomial(length - copies, 1.0 / diversity, 400_000)
    m, w, beta = m[m <= length // 2], 0.5, 0.3
    total = m * np.exp(beta) + length - m
    a = m * np.expm1(beta) / total
    residual = expit(-w * a)
    samples = np.array([residual * a, residual * w * (m * np.exp(beta) - a * m * np.exp(beta)) / total])
    error = 5 * samples.std(1) / np.sqrt(samples.shape[1])
    assert (np.abs(np.array(icl_field(w, beta, task, repeats=True)) - samples.mean(1)) <= error).all()


@pytest.mark.parametrize("average", ["gaussian", "binomial"])
@pytest.mark.parametrize("bias", [0.0, -0.25, 1.0])
def test_leaning_labels_have_the_mean_and_variance_of_independent_draws(average, bias):
    task = Task(30, copies=3, label_std=1.5)
    values, weights = label_sum_nodes(task, average, bias=bias)
    mean = weights @ values
    assert mean == pytest.approx(1.5 * bias * 27, abs=1e-10)
    assert weights @ (values - mean) ** 2 == pytest.approx(1.5**2 * (1 - bias**2) * 27, abs=1e-9)


@pytest.mark.parametrize(
    ("length", "diversity", "w", "beta"), [(50, 100, 0.0, 0.0), (50, 20, 1.0, 1.0), (8, 4, 3.0, 0.5)]
)
def test_field_with_repeats_against_sampled_contexts(length, diversity, w, beta):
    """Contexts drawn with replacement from K items, half of each label; the target is one of those in the context."""
    rng, task = np.random.default_rng(0), Task(length, task_diversity=diversity)
    item = rng.integers(diversity, size=(200_000, length))
    label, same = 1.0 - 2.0 * (item % 2), item == item[:, :1]
    label = label * label[:, :1]  # in the frame where the target's is +1
    weight = np.where(same, np.exp(beta), 1.0)
    total = weight.sum(1)
    a = (weight * label).sum(1) / total
    turn = ((weight * label * same).sum(1) - a * (weight * same).sum(1)) / total
    residual = expit(-w * a)
    samples = np.array([residual * a, w * residual * turn])
    error = 5 * samples.std(1) / np.sqrt(samples.shape[1])
    found = np.array(icl_field(w, beta, task, average="binomial", repeats=True))
    assert (np.abs(found - samples.mean(1)) <= error).all()
    # Negative controls: one copy alone; and copies among labels that do not lean against the target.
    copies, share = copies_distribution(task)
    upright = sum(
        p * np.array(icl_field(w, beta, Task(length, copies=int(m)), average="binomial"))
        for m, p in zip(copies, share, strict=True)
    )
    assert (np.abs(upright - samples.mean(1)) > error).any()
    if beta or w:
        assert (np.abs(np.array(icl_field(w, beta, Task(length))) - samples.mean(1)) > error).any()


def test_early_repeats_turn_attention_and_leave_drive_and_drag():
    # 2 % of N = 1e4 are far from the end of the race: first order in w, corrections of order ⟨m⟩/N and e^β/N
    task, beta, w = Task(10_000, task_diversity=5_000), 0.4, 1e-3
    mean = 1 + 9_999 / 5_000
    (bare, _), (pushed, turned) = (
        icl_field(0.0, [0.0, beta], task, repeats=True),
        icl_field(w, [0.0, beta], task, repeats=True),
    )
    assert 2 * 10_000 * bare == pytest.approx([1.0, mean * np.exp(beta) - (mean - 1)], rel=1e-3)
    assert 2 * 10_000 * (bare - pushed)[0] / w == pytest.approx(0.5, rel=1e-2)
    assert 2 * 10_000 * turned[1] / w == pytest.approx(mean * np.exp(beta), rel=2e-3)


def test_item_frequencies():
    assert item_frequencies(7, 0.0).tolist() == [1 / 7] * 7
    skewed = item_frequencies(1000, 1.2)
    assert skewed.sum() == pytest.approx(1.0, rel=1e-13)
    assert skewed[0] / skewed[9] == pytest.approx(10**1.2, rel=1e-12)


@pytest.mark.parametrize("skew", [0.0, 1.0])
def test_skewed_clock_against_integration(skew):
    share = item_frequencies(30, skew)

    def rates(_, state):
        margins = state[:-1]
        residual = 1.0 / (1.0 + np.exp(margins))
        return [*(30 * share * MEMORY.field(margins, residual, 30.0)), share @ residual]

    times = [10.0, 100.0, 2000.0]
    solution = solve_ivp(rates, (0, 2000), np.zeros(31), t_eval=times, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(skewed_clock(MEMORY, 30, skew, times), solution.y[-1], rtol=1e-7)


def test_skew_leaves_the_total_clock():
    # at φ ~ 500 a share (1 + φ)^{−1/3} = 13 % of the clock is still to come, the same for any skew
    late = [float(skewed_clock(MEMORY, 50, skew, 1e200)) for skew in (0.0, 0.5, 1.0, 2.0)]
    np.testing.assert_allclose(late, late[0], rtol=5e-3)
    assert late[0] == pytest.approx(float(MEMORY.total_clock(50)), rel=0.15)
    assert skewed_clock(MEMORY, 50, 1.0, 0.0) == 0.0
    assert skewed_clock(MEMORY, 50, 1.0, 1e-3) == pytest.approx(0.5e-3, rel=1e-3)  # c1 = 1/2 at the start


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: copies_distribution(Task(10, task_diversity=1.0)), "task"),
        (lambda: icl_field(0.0, 0.0, Task(10, task_diversity=4, score_std=1.0), repeats=True), "task"),
        (lambda: item_frequencies(0, 1.0), "task_diversity"),
        (lambda: item_frequencies(10, -1.0), "skew"),
        (lambda: skewed_clock(MEMORY, 10, 1.0, -1.0), "time"),
    ],
)
def test_invalid_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=rf"Argument '{name}' must .*but"):
        call()


@pytest.mark.parametrize("skew", [0.0, 1.0, 1.5])
def test_contexts_under_skewed_frequencies_against_sampling(skew):
    """⟨m⟩, ⟨m + n⟩, ⟨(m + n)²⟩ and the averaged field, over 60,000 contexts drawn as the data draw them."""
    task, (w, beta) = Task(100, task_diversity=1000), (0.7, 1.0)
    frequency, label = item_frequencies(1000, skew), 1.0 - 2.0 * (np.arange(1000) % 2)
    items = np.random.default_rng(0).choice(1000, (60_000, 100), p=frequency)
    copies = (items == items[:, :1]).sum(1)
    total = (label[items] * label[items[:, :1]]).sum(1)
    match = np.exp(beta)
    norm = copies * match + 100 - copies
    a = (copies * match + total - copies) / norm
    slope = copies * match * (100 - total) / norm**2
    residual = 1.0 / (1.0 + np.exp(w * a))
    samples = {"copies": copies, "label_sum": total, "label_square": total**2}
    for name, sample in samples.items():
        error = 5.0 * sample.std() / np.sqrt(len(sample))
        assert getattr(skewed_contexts(task, skew), name) == pytest.approx(sample.mean(), abs=error)
    averages = context_averages(np.array([[w], [beta]]), task, skewed_nodes(task, skew))[:, 0]
    for found, sample in zip(averages,
                             (residual * a, w * residual * slope, residual), strict=True):  # fmt: skip
        assert found == pytest.approx(sample.mean(), abs=5.0 * sample.std() / np.sqrt(len(sample)))


def test_the_clock_at_acquisition_under_skew():
    """Without skew it is that of repeated items; with it, contexts that lean and repeat acquire sooner."""
    task = Task(100, task_diversity=500)
    even, skewed = (float(skewed_clock_at_acquisition(task, skew, 0.0)) for skew in (0.0, 1.0))
    assert even == pytest.approx(float(clock_at_acquisition(task, 0.0, repeats=True)), rel=1e-4)
    assert skewed == pytest.approx(49.4, abs=0.1)
    with pytest.raises(ValueError, match="'task'"):
        skewed_contexts(Task(100), 1.0)
