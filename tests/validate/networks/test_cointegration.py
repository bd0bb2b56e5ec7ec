"""Co-integration against what it must reduce to: the memory alone, the theory's field, the coupled equations."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from iclrace.simulate import CoupledModel, solve
from iclrace.theory import Task, icl_accuracy, icl_field, mean_residual
from iclrace.validate import MemoryTraining, Run, acquisition_times, measured_memory, train, train_memory
from iclrace.validate.networks.cointegration import NODES, Cointegration, cointegrated, items_of
from iclrace.validate.networks.stacked import perceptron
from iclrace.validate.training.trainer import EnsembleTrainer

TASK = Task(context_length=8, task_diversity=64, dimension=15)
RUN = cointegrated(
    Run("minimal", TASK, 3, width=32, learning_rate=0.2, batch_size=64, budget=60.0, evaluate_every=2.0, test_size=50)
)


def test_without_a_readout_it_is_the_memory_alone():
    """w ≡ 0 (its rate is set to zero): every reading of c1 is that of the perceptron trained alone, full batch."""
    trainer = EnsembleTrainer([RUN])
    for name in ("w", "beta"):
        trainer.rates[name] = torch.zeros_like(trainer.rates[name])
    while trainer.active:
        trainer.advance()
    with_sequences = trainer.dataset(0)
    alone = train_memory(MemoryTraining(64, 3, dimension=15, width=32, learning_rate=0.2, budget=60.0))
    items, labels, weight = items_of(trainer.sequences.batch(0))
    weights = {name: value[None] for name, value in trainer.finished[0].items()}
    margins = perceptron(weights, "memory.", items).squeeze(-1) * labels
    # float32 rounding, 1e-7 a step, over 300 steps that do not amplify it more than ten times.
    at_end = float(np.interp(60.0, alone.time, alone.c1))
    assert float((weight * torch.sigmoid(-margins)).sum()) == pytest.approx(at_end, abs=3e-4)
    assert float(with_sequences.w[-1]) == 0.0


def test_a_step_follows_the_averaged_field():
    """dw, dβ and the force on every margin are the theory's, with weight decay on all of them."""
    runs = [replace(RUN, seed=s, w0=0.7 + s, beta0=1.0 - s, decay_attention=0.02, decay_memory=0.01) for s in (0, 1)]
    trainer = EnsembleTrainer(runs, dtype=torch.float64)
    before = {name: value.clone().requires_grad_(True) for name, value in trainer.parameters.items()}
    batch = trainer.sequences.batch(0)
    items, labels, weight = items_of(batch)
    margins = perceptron(before, "memory.", items).squeeze(-1) * labels
    trainer.computation.step_of(trainer.parameters, trainer.rates, trainer.decays)(batch)
    point = [before[name].detach().numpy()[:, None] for name in ("w", "beta")]
    phi = margins.detach().numpy()
    flow = icl_field(*point, TASK, phi, nodes=NODES)
    for name, rate, value in zip(("w", "beta"), flow, point, strict=True):
        expected = value[:, 0] + 0.2 * (rate.mean(1) - 0.02 * value[:, 0])
        np.testing.assert_allclose(trainer.parameters[name].numpy(), expected, rtol=1e-12)
    force = torch.from_numpy(mean_residual(*point, TASK, phi, nodes=NODES)) * weight
    (margins * force).sum().backward()
    for name, value in before.items():
        if name.startswith("memory."):
            assert value.grad is not None
            expected = value + 0.2 * (value.grad - 0.01 * value)
            np.testing.assert_allclose(trainer.parameters[name].numpy(), expected.detach().numpy(), atol=1e-14)


def test_before_acquisition_it_is_the_coupled_equations():
    """t_ICL of the co-integration, step η → 0, is that of the reduced equations with the same memory's measured law.

    Their difference is held against what the memory does to t_ICL at all, which is the negative control: the equations
    without a memory are told apart. What may be left is the law's own error, c1 to a few per cent, of that effect.
    """
    task = Task(context_length=16, task_diversity=32, dimension=15)
    run = replace(RUN, task=task, beta0=0.5, evaluate_every=0.4, budget=40.0)
    times = [float(acquisition_times(_path(replace(run, learning_rate=rate)), "circuit")) for rate in (0.2, 0.1)]
    step_error = times[1] - times[0]
    limit = times[1] + step_error
    alone = MemoryTraining(32, 3, dimension=15, width=32, learning_rate=0.1, budget=60.0)
    law = measured_memory([alone], [train_memory(alone)], 60.0)
    with_memory, without = (
        solve(CoupledModel(task, memory), (0.0, 0.5), (0.0, 60.0), stop="acquired").events["acquired"]
        for memory in (law, None)
    )
    effect = with_memory - without
    assert effect > 5 * abs(step_error)
    assert abs(limit - with_memory) < 0.1 * effect


def _path(run):
    """The theory's accuracy along the path of (w, β), read at every evaluation."""
    trainer = EnsembleTrainer([run])
    while trainer.active:
        trainer.advance()
    path = trainer.dataset(0)
    return path.assign(circuit=("time", icl_accuracy(path.w.values, path.beta.values, run.task)))


def test_tables_of_smaller_diversity_are_averaged_over_their_own_items():
    trainer = EnsembleTrainer([RUN, replace(RUN, task=replace(TASK, task_diversity=32))])
    items, _, weight = items_of(trainer.sequences.batch(0))
    assert weight.sum(1).tolist() == pytest.approx([1.0, 1.0])
    assert (weight[1] > 0).sum() == 32 and items.shape[1] == 64


def test_it_is_stored_and_collected_beside_the_network_of_the_same_seed(tmp_path):
    """Same items and first perceptron: with every context averaged away the two start alike and differ later."""
    short = replace(RUN, budget=4.0, batch_size=16)
    averaged = train(short, tmp_path, progress=False)
    drawn = train(replace(short, network="minimal"), tmp_path, progress=False)
    assert float(averaged.c1[0, 0]) == pytest.approx(float(drawn.c1[0, 0]), rel=1e-6)
    assert float(averaged.w[0, -1]) != float(drawn.w[0, -1])
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"network": "transformer"}, "run"), ({"noise": 0.1}, "noise"), ({"task_diversity": math.inf}, "task_diversity")],
)
def test_what_cannot_be_averaged_is_refused(changes, named):
    run = replace(RUN, network="minimal").with_(**changes)
    with pytest.raises(ValueError, match=f"Argument '{named}' must"):
        cointegrated(run)


def test_the_contract_of_a_computation_is_kept_on_the_loss():
    """The loss that a step returns is the one that it lowers."""
    trainer = EnsembleTrainer([RUN])
    computation = trainer.computation
    assert isinstance(computation, Cointegration)
    batch = trainer.sequences.batch(0)
    step = computation.step_of(trainer.parameters, trainer.rates, {})
    losses = [float(step(batch)) for _ in range(20)]
    assert losses[0] == pytest.approx(math.log(2), rel=0.05)
    assert np.all(np.diff(losses) < 0)
