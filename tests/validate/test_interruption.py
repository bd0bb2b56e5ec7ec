"""Nothing that was saved is lost: kills at random moments, a full disk, a truncated checkpoint."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from iclrace.theory import Task
from iclrace.validate import Run, RunStore, StoreError, collect, train
from iclrace.validate.trainer import EnsembleTrainer, train_group

RUN = Run(
    "transformer", Task(8, 32, 7), 0, width=16, learning_rate=0.1, batch_size=16, budget=30.0, evaluate_every=1.0,
    test_size=50, stop_memorised=0.45,
)  # fmt: skip
# They may end early and leave their slots, so that kills also fall between the end of a run and that of its group.
RUNS = [RUN.with_(seed=seed) for seed in range(3)]

SCRIPT = """
import sys, iclrace.validate.trainer as trainer
trainer._SECONDS_BETWEEN_CHECKPOINTS = 0.02
sys.path.insert(0, {here!r})
from test_interruption import RUNS
from iclrace.validate import train
print("started", flush=True)
train(RUNS, sys.argv[1], progress=False)
"""


def start(out):
    script = SCRIPT.format(here=os.path.dirname(__file__))  # noqa: PTH120
    return subprocess.Popen([sys.executable, "-c", script, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def weights(store):
    return [(store.directory(run) / "weights.safetensors").read_bytes() for run in RUNS]


@pytest.mark.slow
def test_twenty_trainings_killed_at_random_moments_end_bit_for_bit_as_if_undisturbed(tmp_path):
    begun = None
    whole = start(tmp_path / "whole")
    whole.stdout.readline()
    begun = time.monotonic()
    assert whole.wait() == 0, whole.stderr.read()
    duration = time.monotonic() - begun
    reference = collect(RUNS, RunStore(tmp_path / "whole"))
    rng, kills = np.random.default_rng(0), 0
    for i in range(20):
        out = tmp_path / str(i)
        killed = start(out)
        killed.stdout.readline()
        time.sleep(rng.uniform(0.05, 0.9) * duration)
        killed.send_signal(signal.SIGKILL)
        kills += killed.wait() == -signal.SIGKILL
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a kill damages no file
            assert train(RUNS, out, progress=False).identical(reference)
        assert weights(RunStore(out)) == weights(RunStore(tmp_path / "whole"))
        assert not list((out / "checkpoints").glob("*.safetensors")) if (out / "checkpoints").exists() else True
    assert kills >= 15  # the others had ended by themselves on a busy machine


@contextlib.contextmanager
def full_disk(limit):
    """No file may grow beyond ``limit`` bytes: a write fails part of the way, as on a full disk."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


class StopError(Exception):
    pass


def interrupt_after(monkeypatch, evaluations):
    """Stop the training by an exception at its n-th evaluation."""
    advance, count = EnsembleTrainer.advance, [0]

    def counted(self):
        count[0] += 1
        if count[0] > evaluations:
            raise StopError
        advance(self)

    monkeypatch.setattr(EnsembleTrainer, "advance", counted)
    monkeypatch.setattr("iclrace.validate.trainer._SECONDS_BETWEEN_CHECKPOINTS", 0.0)


def test_a_full_disk_is_named_and_what_was_saved_stays(tmp_path, monkeypatch):
    reference = train(RUNS, tmp_path / "whole", progress=False)
    store = RunStore(tmp_path / "cut")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 5)
        with pytest.raises(StopError):
            train_group(RUNS, store)
    saved = {path: path.read_bytes() for path in (store.root / "checkpoints").iterdir()}
    with monkeypatch.context() as patch, full_disk(2000), pytest.raises(StoreError, match="cannot be written"):
        patch.setattr("iclrace.validate.trainer._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        train_group(RUNS, store)
    after = {path: path.read_bytes() for path in (store.root / "checkpoints").iterdir()}
    assert set(saved.values()) <= set(after.values()), "a checkpoint was lost"
    assert not [path for path in store.root.rglob("*") if path.name.startswith(".")], "a half-written file is left"
    assert train(RUNS, store.root, progress=False).identical(reference)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_a_truncated_checkpoint_is_named_and_costs_only_the_time_since_the_one_before(tmp_path, monkeypatch, keep):
    reference = train(RUNS, tmp_path / "whole", progress=False)
    store = RunStore(tmp_path / "cut")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 5)
        with pytest.raises(StopError):
            train_group(RUNS, store)
    (path,) = (p for p in (store.root / "checkpoints").iterdir() if "previous" not in p.name)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.warns(UserWarning, match=path.name):
        assert train(RUNS, store.root, progress=False).identical(reference)
