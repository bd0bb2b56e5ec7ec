"""What training took: recorded beside every run, kept over interruptions, and no part of a result."""

import json
import time

import pytest

from iclrace.theory import Task
from iclrace.validate import Run, RunStore, train
from iclrace.validate.schema import sealed
from iclrace.validate.summary import provenance
from iclrace.validate.training.config import json_text
from iclrace.validate.training.jobs import train_memories
from iclrace.validate.training.memory import MemoryTraining
from iclrace.validate.training.store import write_text
from iclrace.validate.training.trainer import EnsembleTrainer

RUN = Run(
    "minimal",
    Task(6, 16, 5),
    0,
    width=8,
    learning_rate=0.2,
    batch_size=16,
    budget=8.0,
    evaluate_every=1.0,
    test_size=50,
)  # fmt: skip
RUNS = [RUN.with_(seed=s, stop_memorised=0.45 if s == 0 else 0.0) for s in range(3)]


def test_the_shares_of_a_group_add_up_to_its_time(tmp_path):
    started = time.perf_counter()
    first = train(RUNS, tmp_path, progress=False)
    wall = time.perf_counter() - started
    store = RunStore(tmp_path)
    total, unknown = store.seconds(RUNS)
    assert unknown == 0
    # Within the call, and more than nothing: the rest of it starts, writes and reads.
    assert 0 < total < wall
    assert train(RUNS, tmp_path, progress=False).identical(first)
    assert store.seconds([*RUNS, *RUNS]) == (total, 0)


def test_a_sum_of_times_does_not_hang_on_the_order_of_its_runs(tmp_path):
    """A set of runs has another order in every process; a summary must stay as it is, or figures are drawn again."""
    store, runs = RunStore(tmp_path), [RUN.with_(seed=s) for s in range(12)]
    for run, seconds in zip(runs, [1e16] + [1.0] * 11, strict=True):  # after the first, each of the others is rounded
        write_text(store.directory(run) / "cost.json", json_text(sealed({"seconds": seconds})))
    assert store.seconds(runs) == (1e16 + 12.0, 0)  # 1e16 + 11 as doubles have it, ties to even


def test_time_before_an_interruption_counts():
    first = EnsembleTrainer(RUNS)
    for _ in range(3):
        first.advance()
    before = first.seconds.sum()
    second = EnsembleTrainer(RUNS)
    second.restore(first.state())
    assert second.seconds.sum() == before > 0
    second.advance()
    assert second.seconds.sum() > before


def test_runs_without_a_record_are_counted_apart(tmp_path):
    store = RunStore(tmp_path)
    memory = MemoryTraining(4, 0, dimension=5, width=8, until=0.4, budget=30.0)
    train_memories([memory], store, progress=False)
    train(RUN, tmp_path, progress=False)
    told = provenance(1.0, store, [RUN, memory])
    both = told["training_seconds"]
    assert told["runs_without_training_seconds"] == 0
    assert both == pytest.approx(store.seconds([RUN])[0] + store.seconds([memory])[0], abs=0.1)
    cost = store.directory(RUN) / "cost.json"
    assert json.loads(cost.read_text())["seconds"] > 0
    cost.unlink()
    assert store.seconds([RUN, memory]) == (store.seconds([memory])[0], 1)
    assert RUN in store
