"""Label sums between integers, and repeated items of many tasks at once."""

import pytest
from scipy.special import expit

from iclrace.theory import Task, label_sum_nodes
from iclrace.theory.contexts.attention import context_nodes
from iclrace.theory.contexts.burstiness import repeated_nodes_of


@pytest.mark.parametrize("length", [13, 61, 400])
def test_an_exact_label_sum_goes_on_between_integers(length):
    """The average of σ(w n/N)² over the binomial sum at N, and by Gauss's rule as near to N as makes 1e-12 of it.

    Forty nodes leave 1e-12 where σ varies slowly over the sum's width, √N, and 1e-6 at w = 10.
    """
    exact, near = (label_sum_nodes(Task(2).at(context_length=n), "binomial") for n in (length, length + 1e-10))
    for w, rtol in ((1.0, 1e-10), (10.0, 2e-6)):
        averages = [weights @ expit(w * values / length) ** 2 for values, weights in (exact, near)]
        assert averages[0] == pytest.approx(averages[1], rel=rtol)
    assert len(near[0]) == min(length, 40)
    variance = near[1] @ near[0] ** 2
    assert variance == pytest.approx(length - 1 + 1e-10, rel=1e-12)


@pytest.mark.parametrize("labels", ["iid", "balanced"])
def test_nodes_of_many_tasks_with_repeats_average_as_those_of_each(labels):
    tasks = Task([20, 100, 400], [3.0, 30.0, 1000.0], labels=labels)
    nodes = repeated_nodes_of(tasks)
    for i in range(3):
        own = context_nodes(Task(int(tasks.context_length[i]), tasks.task_diversity[i], labels=labels), repeats=True)
        averages = [
            weight @ expit(-2.0 * (3.0 * copy + total) / (3.0 * present + others))
            for copy, present, others, total, weight in (own, [column[i] for column in nodes])
        ]
        assert averages[1] == pytest.approx(averages[0], rel=1e-9)
