"""Nothing that was saved is lost: kills, full disks, two processes at once, damaged and foreign checkpoints."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from iclrace.theory import Task
from iclrace.validate import Run, RunStore, StoreError, collect, train
from iclrace.validate.training.groups import train_group
from iclrace.validate.training.trainer import EnsembleTrainer

RUN = Run(
    "transformer", Task(8, 32, 7), 0, width=16, learning_rate=0.1, batch_size=16, budget=30.0, evaluate_every=1.0,
    test_size=50, stop_memorised=0.45,
)  # fmt: skip
# They may end early and leave their slots, so that kills also fall between the end of a run and that of its group.
RUNS = [RUN.with_(seed=seed) for seed in range(3)]

SCRIPT = """
import os, pathlib, signal, sys
import iclrace.validate.training.groups as groups
import iclrace.validate.training.trainer as trainer
groups._SECONDS_BETWEEN_CHECKPOINTS = 0.0
sys.path.insert(0, {here!r})
from test_interruption import RUNS
from iclrace.validate import train

seen, last = 0, int(sys.argv[2])

def counted(function):
    def one(*arguments, **settings):
        global seen
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **settings)
    return one

trainer.EnsembleTrainer.advance = counted(trainer.EnsembleTrainer.advance)
os.fsync = counted(os.fsync)
pathlib.Path.replace = counted(pathlib.Path.replace)
train(RUNS, sys.argv[1], progress=False)
print(seen)
"""


@pytest.fixture
def start(process):
    """Train in another process, which kills itself at its ``last``-th evaluation, flush or renaming (0: never)."""
    script = SCRIPT.format(here=os.path.dirname(__file__))  # noqa: PTH120
    return lambda out, last=0: process(script, out, last)


def weights(store):
    return [(store.directory(run) / "weights.safetensors").read_bytes() for run in RUNS]


@pytest.mark.slow
def test_twenty_trainings_killed_at_chosen_moments_end_bit_for_bit_as_if_undisturbed(tmp_path, start):
    """The moments are spread over all evaluations, flushes and renamings, wherever the machine's time goes."""
    whole = start(tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    reference = collect(RUNS, RunStore(tmp_path / "whole"))
    moments = np.unique(np.linspace(1, int(whole.stdout), 20).round().astype(int))
    assert len(moments) == 20
    for moment in moments:
        out = tmp_path / str(moment)
        assert start(out, moment).returncode == -signal.SIGKILL
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a kill damages no file
            assert train(RUNS, out, progress=False).identical(reference)
        assert weights(RunStore(out)) == weights(RunStore(tmp_path / "whole"))
        assert not list((out / "checkpoints").glob("*.safetensors"))


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
    monkeypatch.setattr("iclrace.validate.training.groups._SECONDS_BETWEEN_CHECKPOINTS", 0.0)


def test_a_full_disk_is_named_and_what_was_saved_stays(tmp_path, monkeypatch):
    reference = train(RUNS, tmp_path / "whole", progress=False)
    store = RunStore(tmp_path / "cut")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 5)
        with pytest.raises(StopError):
            train_group(RUNS, store)
    saved = {path: path.read_bytes() for path in (store.root / "checkpoints").iterdir()}
    with monkeypatch.context() as patch, full_disk(2000), pytest.raises(StoreError, match="cannot be written"):
        patch.setattr("iclrace.validate.training.groups._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
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


@pytest.mark.parametrize("field", ["members", "step", "active", "status", "metrics", "clock", "loss_sum", "parameters"])
def test_a_foreign_checkpoint_is_named_and_not_used(tmp_path, monkeypatch, field):
    """Whole as a file, and of other runs: one tensor is missing, or has another shape."""
    store = RunStore(tmp_path / "cut")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 3)
        with pytest.raises(StopError):
            train_group(RUNS, store)
    reference = train(RUNS, tmp_path / "whole", progress=False)
    (path,) = (p for p in (store.root / "checkpoints").iterdir() if "previous" not in p.name)
    state = load_file(path)
    name = next(name for name in state if name.startswith(field))
    state[name] = torch.cat([state[name], state[name]])
    save_file(state, path)
    with pytest.warns(UserWarning, match=path.name):
        assert train(RUNS, store.root, progress=False).identical(reference)


@pytest.mark.slow
def test_two_processes_at_once_train_every_run_once_and_agree(tmp_path):
    script = SCRIPT.format(here=os.path.dirname(__file__))  # noqa: PTH120
    command = [sys.executable, "-c", script, str(tmp_path / "both"), "0"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [one.communicate() for one in both]
    assert [one.returncode for one in both] == [0, 0], ended
    moments = sorted(int(out) for out, _ in ended)
    assert moments[0] == 0 < moments[1]  # the second found nothing left to do
    reference = train(RUNS, tmp_path / "whole", progress=False)
    assert collect(RUNS, RunStore(tmp_path / "both")).identical(reference)


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """A file system of that size, which root can mount; skipped with its reason where it cannot."""
    folder.mkdir()
    options = f"size={kilobytes}k"
    made = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if not made or made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip() if made else 'no mount'}")
    try:
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}k", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def validate(process):
    """The command line's job into a folder, in another process."""
    words = ("validate", "--preset", "smoke", "-e", "acquisition_time", "-e", "memory_law", "--out")
    return lambda out: process("from iclrace.cli import main; main()", *words, out)


def comparable(folder):
    """What a folder claims, without what training took."""
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    return [{**claim, "seed_hours": None, "verdict_text": None} for claim in summary["claims"]]


@pytest.mark.slow
def test_ten_full_disks_end_in_one_line_and_the_same_command_finishes_the_work(tmp_path, validate):
    whole = validate(tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    said = comparable(tmp_path / "whole")
    needed = sum(-(-path.stat().st_size // 4096) * 4 for path in (tmp_path / "whole").rglob("*") if path.is_file())
    for i, share in enumerate(np.linspace(0.05, 0.8, 10)):
        with small_disk(tmp_path / f"disk{i}", max(8, int(share * needed))) as resize:
            full = validate(tmp_path / f"disk{i}" / "out")
            assert full.returncode == 1, (share, full.stderr)
            lines = [line for line in full.stderr.splitlines() if line.startswith("iclrace:")]
            assert len(lines) == 1 and "Traceback" not in full.stderr, full.stderr
            assert not list((tmp_path / f"disk{i}").rglob(".*.tmp"))
            kept = {path: path.read_bytes() for path in (tmp_path / f"disk{i}").rglob("metrics.nc")}
            resize(4 * needed)
            again = validate(tmp_path / f"disk{i}" / "out")
            assert again.returncode == 0, again.stderr
            assert {path: path.read_bytes() for path in kept} == kept
            assert comparable(tmp_path / f"disk{i}" / "out") == said
