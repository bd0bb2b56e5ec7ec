"""Measured times belong to gradient flow and to the networks, not to the learning rate or to how they are computed."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from iclrace.theory import Task
from iclrace.validate import Run, acquisition_times, train
from iclrace.validate.networks.modules import MinimalModel
from iclrace.validate.training.starts import initial_beta

RUN = Run(
    "minimal", Task(12, math.inf, 15), 0, width=16, learning_rate=0.3, batch_size=64, budget=3000.0, evaluate_every=1.2,
    test_size=1000, stop_acquired=True, beta0=None,
)  # fmt: skip


def log_times(out, seeds=range(16), **changes):
    metrics = train([RUN.with_(seed=seed, **changes) for seed in seeds], out, progress=False)
    times = np.asarray(acquisition_times(metrics)).ravel()
    assert np.isfinite(times).all()
    return np.log(times)


@pytest.mark.slow
def test_halving_the_learning_rate_leaves_the_acquisition_time_in_t(tmp_path):
    whole, half = log_times(tmp_path), log_times(tmp_path, learning_rate=0.15)
    # The same seed has the same β0 and weights, so pairs are compared; a doubled clock would be ln 2 = 0.69 away.
    low, high = stats.ttest_1samp(half - whole, 0.0).confidence_interval(0.99)
    print(f"ratio of acquisition times at half the rate: {math.exp(low):.3f} to {math.exp(high):.3f}")
    assert low < 0 < high
    assert high - low < 0.3


def plain_log_time(seed, rate=1.0):
    """The minimal model in plain PyTorch, its own draws; evaluated as often. ``rate`` slows the attention's step."""
    n, d = RUN.task.context_length, int(RUN.task.dimension)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(10_000 + seed)

    def sequences(size):
        items = torch.randn(size, n, d, generator=generator) * d**-0.5
        labels = 1.0 - 2.0 * torch.randint(2, (size, n), generator=generator)
        return items, labels, items[:, 0], labels[:, 0]

    model = MinimalModel(d, RUN.width, beta0=initial_beta(RUN.with_(seed=100 + seed)))
    slow = [{"params": [model.w, model.beta], "lr": RUN.learning_rate * rate}, {"params": model.memory.parameters()}]
    optimiser, test = torch.optim.SGD(slow, lr=RUN.learning_rate), sequences(RUN.test_size)
    for step in range(int(RUN.budget / RUN.learning_rate)):
        if step % RUN.steps_between_evaluations == 0:
            with torch.no_grad():
                if ((model(*test[:3]) * test[3]) > 0).float().mean() > 0.95:
                    return math.log(step * RUN.learning_rate)
        items, labels, target, answer = sequences(RUN.batch_size)
        optimiser.zero_grad()
        F.softplus(-model(items, labels, target) * answer).mean().backward()
        optimiser.step()
    raise AssertionError("never acquired")


@pytest.mark.slow
def test_acquisition_times_are_distributed_as_the_plain_implementations(tmp_path):
    # Our seeds and the plain ones share their β0 but no weight, item or label: pairs remove the spread that β0 makes.
    ours = log_times(tmp_path, range(100, 116))
    plain = np.array([plain_log_time(seed) for seed in range(16)])
    print(f"plain {np.exp(plain.mean()):.1f}, ours {np.exp(ours.mean()):.1f}")
    assert stats.ttest_rel(ours, plain).pvalue > 1e-3
    assert stats.ks_2samp(ours, plain).pvalue > 1e-3
    # Negative control: attention that learns at two thirds of the rate is told apart.
    slower = np.array([plain_log_time(seed, rate=2 / 3) for seed in range(16)])
    assert stats.ttest_rel(ours, slower).pvalue < 1e-3
