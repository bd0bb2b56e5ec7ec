"""The averaged field: sampling, special cases, averages, extremes and refusals."""

import numpy as np
import pytest

from iclrace.theory import Task, icl_accuracy, icl_field, label_sum_nodes, loss_gradient, mean_residual, population_loss

POINTS = [(0.0, 0.0), (0.5, 1.0), (2.0, 2.5), (-1.0, 0.5), (4.0, 5.0)]


def sampled_rates(task, w, beta, margin, sequences, seed):
    """Mean and standard error of the gradient over explicit sequences, straight from the softmax (D → ∞)."""
    rng = np.random.default_rng(seed)
    others = task.context_length - task.copies
    if task.labels == "balanced":
        fixed = np.repeat([1.0, -1.0], [task.context_length // 2 - task.copies, task.context_length // 2])
        labels = rng.permuted(np.tile(fixed, (sequences, 1)), axis=1)
    else:
        labels = task.label_std * rng.choice([-1.0, 1.0], size=(sequences, others))
    scores = np.concatenate([np.full(task.copies, beta), np.zeros(others)])
    known = np.concatenate([np.ones(task.copies), np.zeros(others)])  # overlap with the target
    values = np.concatenate([np.ones((sequences, task.copies)), labels], axis=1)
    if task.target_in_softmax:
        scores, known = np.append(scores, beta), np.append(known, 1.0)
        values = np.concatenate([values, np.zeros((sequences, 1))], axis=1)
    attention = np.exp(scores) / np.exp(scores).sum()
    a = values @ attention
    slope = values @ (attention * known) - a * (attention @ known)
    residual = 1.0 / (1.0 + np.exp(margin + w * a))
    rates = np.stack([residual * a, residual * w * slope])
    return rates.mean(1), rates.std(1) / np.sqrt(sequences)


@pytest.mark.parametrize(
    "task",
    [
        Task(20),
        Task(20, copies=3, target_in_softmax=True),
        Task(20, label_std=0.4),
        Task(20, labels="balanced", copies=2),
    ],
    ids=str,
)
@pytest.mark.parametrize(("w", "beta"), POINTS)
def test_field_equals_sampled_sequences(task, w, beta):
    mean, error = sampled_rates(task, w, beta, 0.7, 20_000, seed=1)
    # 5 standard errors: 40 comparisons, each fails by chance with probability 6e-7; 1e-14 is for the exact cases
    for rate, m, e in zip(icl_field(w, beta, task, 0.7, average="binomial"), mean, error, strict=True):
        assert abs(rate - m) <= 5.0 * e + 1e-14


@pytest.mark.parametrize("w", [0.3, 2.0, 6.0])
@pytest.mark.parametrize("beta", [-1.0, 1.0, 3.0, 6.0])
def test_gaussian_average_approaches_the_binomial_one(w, beta):
    # the first difference is the labels' fourth cumulant, −2/(N − 1) of the variance squared, times w⁴/N² in σ(−u)
    for length in (50, 400):
        exact = np.array(icl_field(w, beta, Task(length), 0.5, average="binomial"))
        gaussian = np.array(icl_field(w, beta, Task(length), 0.5))
        assert np.abs(gaussian - exact).max() < 2.0 * w**3 / length**3 * (1 + np.exp(beta)) + 1e-12


@pytest.mark.parametrize("average", ["gaussian", "binomial"])
def test_special_cases(average):
    w, beta = np.array([0.5, 2.0, -1.0]), np.array([0.0, 2.0, 1.0])
    field = lambda task: np.array(icl_field(w, beta, task, 0.3, average=average))  # noqa: E731
    np.testing.assert_allclose(field(Task(40, dimension=1e14)), field(Task(40)), rtol=1e-12)
    np.testing.assert_allclose(field(Task(40, label_std=1e-9)), field(Task(40, label_std=0.0)), atol=1e-9)
    np.testing.assert_allclose(field(Task(40, task_diversity=3.0)), field(Task(40)), rtol=0)
    np.testing.assert_allclose(field(Task(40, score_std=0.0, copies=1)), field(Task(40)), rtol=0)


def test_without_fluctuations_the_field_is_the_bare_one():
    w, beta, n = 1.3, 0.8, 30
    a = np.exp(beta) / (np.exp(beta) + n - 1)
    residual = 1.0 / (1.0 + np.exp(0.2 + w * a))
    dw, dbeta = icl_field(w, beta, Task(n, label_std=0.0), 0.2)
    assert dw == pytest.approx(residual * a, rel=1e-14)
    assert dbeta == pytest.approx(residual * w * a * (1 - a), rel=1e-13)


def test_label_sum_moments():
    for average in ("gaussian", "binomial"):
        for task in (Task(30), Task(31, copies=4, label_std=0.7)):
            n, p = label_sum_nodes(task, average)
            variance = task.label_std**2 * (task.context_length - task.copies)
            assert p.sum() == pytest.approx(1.0, rel=1e-13)
            assert p @ n == pytest.approx(0.0, abs=1e-12 * variance**0.5)
            assert p @ n**2 == pytest.approx(variance, rel=1e-11)
    n, p = label_sum_nodes(Task(30, labels="balanced", copies=4))
    assert (n.tolist(), p.tolist()) == ([-4.0], [1.0])


def test_everything_broadcasts():
    w, beta, margin = np.ones((3, 1, 1)), np.ones((2, 1)), np.ones(4)
    task = Task(10)
    assert all(rate.shape == (3, 2, 4) for rate in icl_field(w, beta, task, margin))
    assert population_loss(w, beta, task, margin).shape == (3, 2, 4)
    assert loss_gradient(w, beta, task, margin).shape == (3, 2, 4, 3)
    assert icl_field(1.0, 0.0, task)[0].shape == ()
    assert icl_field(np.zeros((0,)), 0.0, task)[0].shape == (0,)
    many = np.linspace(-1, 1, 60_000)  # more than one chunk; sums over nodes may differ in their last digit
    assert icl_field(many, 1.0, task)[1][-1] == pytest.approx(float(icl_field(1.0, 1.0, task)[1]), rel=1e-14)


def test_extremes_neither_overflow_nor_warn():
    extreme = np.array([-1e6, -500.0, 0.0, 500.0, 1e6])
    w, beta, margin = np.meshgrid(extreme, extreme, extreme)
    for task in (
        Task(10),
        Task(10, dimension=4),
        Task(10, labels="balanced", dimension=4),
        Task(10, target_in_softmax=True),
    ):
        for values in (*icl_field(w, beta, task, margin), population_loss(w, beta, task, margin)):
            assert np.isfinite(values).all()
        assert np.isfinite(icl_accuracy(w, beta, task)).all()
        residual = mean_residual(w, beta, task, margin)
        assert ((residual >= 0.0) & (residual <= 1.0 + 1e-12)).all()


def test_gradient_is_minus_the_field():
    task, at = Task(30, dimension=20, copies=2), (1.2, 0.7)
    gradient = loss_gradient(*at, task, 0.4)
    np.testing.assert_allclose(-gradient[:2], icl_field(*at, task, 0.4), rtol=1e-13)
    assert -gradient[2] == pytest.approx(mean_residual(*at, task, 0.4), rel=1e-13)


def test_accuracy_against_sampled_contexts():
    rng = np.random.default_rng(3)
    task, beta = Task(30), 1.8
    n = rng.choice([-1.0, 1.0], size=(200_000, 29)).sum(1)
    # no ties (e^1.8 is no integer); the binomial's steps, of height 0.15 at most, bound the Gaussian's error by half
    assert np.mean(np.exp(beta) + n > 0) == pytest.approx(float(icl_accuracy(1.0, beta, task)), abs=0.05)


def test_balanced_accuracy_at_finite_dimension_against_sampled_contexts():
    rng = np.random.default_rng(4)
    task = Task(50, labels="balanced", dimension=63)
    items = rng.normal(size=(4000, 50, 63)) / np.sqrt(63)
    labels = np.repeat([1.0, -1.0], 25)
    overlap = np.einsum("snd,sd->sn", items, items[:, 0])
    for beta in (0.5, 1.0):
        sampled = np.mean((np.exp(beta * overlap) * labels).sum(1) > 0)
        # the spread of the target's norm, which the formula leaves out, costs 0.005; the sampling error is 0.004
        assert sampled == pytest.approx(float(icl_accuracy(1.0, beta, task)), abs=0.02)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: icl_field(np.nan, 0.0, Task(10)), "w"),
        (lambda: icl_field(0.0, np.inf, Task(10)), "beta"),
        (lambda: icl_field(0.0, 0.0, Task(10), "deep"), "margin"),
        (lambda: icl_field(np.zeros(2), np.zeros(3), Task(10)), "beta"),
        (lambda: icl_field(0.0, 0.0, Task(10), average="exact"), "average"),
        (lambda: icl_field(0.0, 0.0, Task(10), nodes=0), "nodes"),
        (lambda: Task(1), "context_length"),
        (lambda: Task(10, task_diversity=0.5), "task_diversity"),
        (lambda: Task(10, task_diversity=float("nan")), "task_diversity"),
        (lambda: Task(10, dimension=0.0), "dimension"),
        (lambda: Task(11, labels="balanced"), "context_length"),
        (lambda: Task(10, labels="fair"), "labels"),
        (lambda: Task(10, label_std=-1.0), "label_std"),
        (lambda: Task(10, copies=10), "copies"),
        (lambda: Task(10, copies=6, labels="balanced"), "copies"),
        (lambda: Task(10, score_std=float("nan")), "score_std"),
        (lambda: Task.from_len_context(2), "len_context"),
    ],
)
def test_invalid_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=rf"Argument '{name}' must .*but"):
        call()
