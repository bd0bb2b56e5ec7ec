"""The trainer: plain SGD, early stops that leave the others alone, divergence, and continuation bit for bit."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from iclrace.theory import Task
from iclrace.validate import MemoryTraining, Run, RunStore, StoreError, acquisition_times, collect, train
from iclrace.validate.data.sequences import Sequences
from iclrace.validate.networks.modules import Transformer, context_tokens, target_tokens
from iclrace.validate.training.config import content_key
from iclrace.validate.training.evaluation import METRICS
from iclrace.validate.training.groups import group, train_group
from iclrace.validate.training.jobs import train_memories
from iclrace.validate.training.trainer import EnsembleTrainer, Status

TASK = Task(context_length=6, task_diversity=16, dimension=5)
RUN = Run("minimal", TASK, 0, width=8, learning_rate=0.2, batch_size=16, budget=8.0, evaluate_every=1.0, test_size=50)
RUNS = [RUN.with_(task_diversity=k, seed=s) for k in (8, 16) for s in range(2)]


def test_the_ensemble_trains_like_pytorchs_sgd():
    run = replace(RUN, network="transformer", decay_attention=0.05, decay_memory=0.01, rate_ratio=0.5, budget=4.0)
    trainer = EnsembleTrainer([run, replace(run, seed=1)], dtype=torch.float64)
    start = {name: value[0].clone() for name, value in trainer.parameters.items()}
    while trainer.active:
        trainer.advance()
    model = Transformer(5, 8).double()
    model.load_state_dict(start)
    groups = [
        {"params": [*model.norm.parameters(), *model.attention.parameters()], "lr": 0.2, "weight_decay": 0.05},
        {"params": model.memory.parameters(), "lr": 0.1, "weight_decay": 0.01},
    ]
    optimiser = torch.optim.SGD(groups)
    sequences = Sequences(TASK, [16], [0], 16, dtype=torch.float64)
    for step in range(20):
        batch = sequences.batch(step)
        items, labels = batch.table.items[0], batch.table.labels[0]
        context = context_tokens(items[batch.context[0]], labels[batch.context[0]])
        tokens = torch.cat([context, target_tokens(items[batch.target[0]])[:, None]], 1)
        optimiser.zero_grad()
        F.softplus(-model(tokens) * batch.target_labels[0]).mean().backward()
        optimiser.step()
    for name, value in model.named_parameters():
        # 20 steps amplify rounding (1e-16) by far less than 1e4.
        assert torch.allclose(trainer.finished[0][name], value, rtol=1e-10, atol=1e-12)


def test_groups_hold_what_can_train_together():
    endless = RUN.with_(task_diversity=math.inf)
    groups = group([*RUNS, endless, replace(RUN, width=9), RUNS[0]])
    assert [len(members) for members in groups] == [4, 1, 1]


def test_a_stopped_run_leaves_the_others_as_they_were():
    stopping = [replace(run, stop_memorised=0.45 if run.seed == 0 else 0.0, budget=30.0) for run in RUNS]
    together, full = EnsembleTrainer(stopping), EnsembleTrainer([replace(run, budget=30.0) for run in RUNS])
    while together.active:
        together.advance()
    while full.active:
        full.advance()
    assert {Status.MEMORISED, Status.BUDGET} == set(together.status)
    for s, run in enumerate(stopping):
        ended = together.dataset(s)
        reference = full.dataset(s).isel(time=slice(0, ended.sizes["time"]))
        # Another ensemble shape may round matrix products differently; 150 steps amplify 1e-7 by little.
        np.testing.assert_allclose(ended.c1, reference.c1, atol=1e-4)
        assert (ended.sizes["time"] < full.dataset(s).sizes["time"]) == (together.status[s] == Status.MEMORISED), run


def test_a_minimal_run_ends_once_network_and_circuit_have_both_acquired():
    """In either order: one that ended at the first of the two would count as never having reached the other."""
    run = Run("minimal", Task(6, 16, 5), 0, width=8, budget=50.0, evaluate_every=1.0, test_size=20, stop_acquired=True)
    trainer = EnsembleTrainer([replace(run, seed=seed) for seed in range(3)])
    trainer.metrics[:3] = 0.4
    trainer.metrics[:3, METRICS.index("icl_accuracy")] = [[0.5, 0.5, 0.5], [0.97, 0.9, 0.97], [0.97, 0.97, 0.97]]
    trainer.metrics[:3, METRICS.index("circuit_accuracy")] = [[0.5, 0.5, 0.5], [0.9, 0.97, 0.9], [0.97, 0.94, 0.9]]
    for row, ended in enumerate([[], [], [0, 1]]):
        trainer._stop(row)
        assert np.flatnonzero(trainer.status == Status.ACQUIRED).tolist() == ended


def test_a_diverging_run_is_flagged_and_the_others_go_on():
    runs = [RUN, replace(RUN, seed=1, rate_ratio=1e6)]
    trainer = EnsembleTrainer(runs)
    while trainer.active:
        trainer.advance()
    assert list(trainer.status) == [Status.BUDGET, Status.DIVERGED]
    assert np.isfinite(trainer.dataset(0).c1).all()


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_a_continued_training_equals_an_uninterrupted_one_bit_for_bit(cut):
    runs = [replace(run, stop_memorised=0.4 if run.seed else 0.0, budget=20.0) for run in RUNS]
    whole, first = EnsembleTrainer(runs), EnsembleTrainer(runs)
    for _ in range(cut):
        first.advance()
    second = EnsembleTrainer(runs)
    second.restore(first.state())
    for trainer in (whole, second):
        while trainer.active:
            trainer.advance()
    for s in range(len(runs)):
        assert whole.dataset(s).identical(second.dataset(s))
        for name, value in whole.finished[s].items():
            assert torch.equal(value, second.finished[s][name])


def test_an_interruption_after_the_last_run_ended_and_before_it_was_saved_loses_nothing():
    whole, second = EnsembleTrainer(RUNS), EnsembleTrainer(RUNS)
    while whole.active:
        whole.advance()
    second.restore(whole.state())
    assert not second.active
    assert all(whole.dataset(s).identical(second.dataset(s)) for s in second.finished)
    assert len(second.finished) == len(RUNS)


def test_fields_added_later_leave_the_addresses_of_older_results_alone():
    assert "noise" not in RUN.as_json() and "depth" not in RUN.as_json()
    # The address that results had before these fields existed.
    assert content_key(Run("minimal", TASK, 0).as_json()) == "039b46628a44baee9ca9"
    assert RUN.with_(noise=0.5).as_json()["noise"] == 0.5
    assert RUN.with_(fresh_share=0.5).as_json()["fresh_share"] == 0.5


def test_a_deep_transformer_trains_through_the_store(tmp_path):
    run = replace(RUN, network="transformer", depth=2, noise=0.3, decay_memory=0.01, decay_attention=0.02, budget=4.0)
    metrics = train([run, run.with_(seed=1)], tmp_path, progress=False)
    assert metrics.sizes == {"seed": 2, "time": 5}
    assert np.isfinite(metrics.c1).all()


def test_finished_runs_are_loaded_and_not_trained_again(tmp_path, monkeypatch):
    first = train(RUNS, tmp_path, progress=False)
    monkeypatch.setattr(EnsembleTrainer, "advance", lambda self: pytest.fail("trained again"))
    assert train(RUNS, tmp_path, progress=False).identical(first)
    assert first.sizes == {"task_diversity": 2, "seed": 2, "time": 9}


def test_a_training_interrupted_after_each_evaluation_gives_the_same_result(tmp_path, monkeypatch):
    reference = train(RUNS, tmp_path / "whole", progress=False)
    advance = EnsembleTrainer.advance

    def advance_once_then_interrupt(self):
        if self.step > interrupted_at[0]:
            interrupted_at[0] = self.step
            raise InterruptedError
        advance(self)

    interrupted_at = [0]
    monkeypatch.setattr(EnsembleTrainer, "advance", advance_once_then_interrupt)
    monkeypatch.setattr("iclrace.validate.training.groups._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    interruptions = 0
    while True:
        try:
            train_group(RUNS, RunStore(tmp_path / "cut"))
            break
        except InterruptedError:
            interruptions += 1
    assert interruptions == 8
    assert collect(RUNS, RunStore(tmp_path / "cut")).identical(reference)
    assert not list((tmp_path / "cut" / "checkpoints").iterdir())


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path):
    store = RunStore(tmp_path)
    store.save_checkpoint("key", {"a": torch.ones(2)})
    store.save_checkpoint("key", {"a": torch.zeros(2)})
    (tmp_path / "checkpoints" / "key.safetensors").write_bytes(b"damaged")
    messages: list[str] = []
    state = store.load_checkpoint("key", messages.append)
    assert state is not None and torch.equal(state["a"], torch.ones(2))
    assert "key.safetensors" in messages[0]


def test_a_damaged_result_is_named(tmp_path):
    train(RUN, tmp_path, progress=False)
    path = RunStore(tmp_path).directory(RUN) / "metrics.nc"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"metrics\.nc"):
        train(RUN, tmp_path, progress=False)


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path):
    from iclrace.validate.training.store import write_atomically, write_text

    path = tmp_path / "file"
    write_text(path, "before")

    def fail(temporary):
        temporary.write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(StoreError, match="no space left"):
        write_atomically(path, fail)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"task_diversity": 15}, "task_diversity"),
        ({"task_diversity": -4}, "task_diversity"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"seed": -1}, "seed"),
        ({"dimension": math.inf}, "dimension"),
        ({"network": "perceptron"}, "network"),
        ({"decay_attention": -1e-3}, "decay_attention"),
        ({"noise": -0.1}, "noise"),
        ({"depth": 0}, "depth"),
        ({"depth": 2}, "depth"),
        ({"fresh_share": 1.0}, "fresh_share"),
        ({"fresh_share": 0.1, "task_diversity": math.inf}, "fresh_share"),
        ({"fresh_share": 0.1, "scrambled": True}, "fresh_share"),
        ({"fresh_share": 0.1, "network": "cointegration"}, "fresh_share"),
    ],
)
def test_a_run_refuses_what_cannot_be_trained(changes, argument):
    with pytest.raises(ValueError, match=argument):
        RUN.with_(**changes)


def test_a_diverged_run_says_so_and_has_no_accuracy_after_it(tmp_path):
    runs = [RUN, replace(RUN, rate_ratio=1e30)]
    found = train(runs, tmp_path, progress=False)
    mine = found.sel(rate_ratio=1e30)
    assert int(mine.ending) == found.ending.attrs["diverged"] == Status.DIVERGED
    known = np.isfinite(mine.icl_accuracy.values)
    assert 1 <= known.sum() < known.size and not known[known.sum() :].any()
    assert np.isfinite(mine.train_loss.values[known]).all()
    assert np.isnan(float(acquisition_times(found, level=0.999).sel(rate_ratio=1e30)))
    assert np.isinf(float(acquisition_times(found, level=0.999).sel(rate_ratio=1.0)))


def test_dividing_by_zero_in_a_compiled_loop_is_divergence_and_raises_nothing(tmp_path):
    """β of the minimal model overflows within the first evaluation's steps, so that its softmax is 0/0."""
    run = replace(RUN, learning_rate=1e6, budget=6e7, evaluate_every=5e6)
    assert train(run, tmp_path, progress=False).ending.item() == Status.DIVERGED


def test_a_perceptron_that_diverges_is_refused_by_name(tmp_path):
    training = MemoryTraining(16, 3, dimension=5, width=8, learning_rate=1e30)
    for _ in range(2):  # trained, and read from the store
        with pytest.raises(ValueError, match=r"Argument 'learning_rate' must let the perceptron at K = 16, seed 3"):
            train_memories([training], RunStore(tmp_path), progress=False)
