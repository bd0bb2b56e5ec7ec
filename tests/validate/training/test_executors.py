"""Sweeps as jobs: any executor gives the result of one process, and a lost worker costs only what it held."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from iclrace.theory import Task
from iclrace.validate import Run, RunStore, StoreError, collect, open_executor, split, train, train_jobs
from iclrace.validate.training.executors import Job
from iclrace.validate.training.trainer import EnsembleTrainer

TASK = Task(context_length=6, task_diversity=16, dimension=5)
RUN = Run("minimal", TASK, 0, width=8, learning_rate=0.2, batch_size=16, budget=8.0, evaluate_every=1.0, test_size=50)
RUNS = [RUN.with_(task_diversity=k, seed=s) for k in (8, 16) for s in range(3)]


def results(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/*")}


class InTurn:
    """The least that an executor can be: runs what it is given at once."""

    def submit(self, fn, /, *args):
        future = Future()
        try:
            future.set_result(fn(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def test_a_split_is_even_and_keeps_apart_what_cannot_train_together():
    runs = [*RUNS, RUN.with_(task_diversity=math.inf), replace(RUN, width=9)]
    assert [len(job) for job in split(runs)] == [6, 1, 1]
    assert [len(job) for job in split(runs, 4)] == [3, 3, 1, 1]
    assert [run for job in split(runs, 4) for run in job] == runs
    assert [len(job) for job in split(RUNS[:5], 2)] == [2, 2, 1]
    with pytest.raises(ValueError, match="networks_per_job"):
        split(runs, 0)


def test_any_executor_gives_the_result_of_one_process(tmp_path, monkeypatch):
    reference = train(RUNS, tmp_path / "here", progress=False, networks_per_job=2)
    assert train(RUNS, tmp_path / "turn", progress=False, networks_per_job=2, executor=InTurn()).identical(reference)
    with ThreadPoolExecutor(2) as pool:
        threads = train(RUNS, tmp_path / "threads", progress=False, networks_per_job=2, executor=pool)
    assert threads.identical(reference)
    before = results(tmp_path / "turn")
    monkeypatch.setattr(EnsembleTrainer, "advance", lambda self: pytest.fail("trained again"))
    assert train(RUNS, tmp_path / "turn", progress=False, executor=InTurn()).identical(reference)
    assert results(tmp_path / "turn") == before


def test_a_failing_job_leaves_the_others_to_finish(tmp_path, monkeypatch):
    advance = EnsembleTrainer.advance

    def fail_for_seed_2(self):
        if any(run.seed == 2 for run in self.runs):
            raise OSError("no space left on device")
        advance(self)

    monkeypatch.setattr(EnsembleTrainer, "advance", fail_for_seed_2)
    with pytest.raises(OSError, match="no space left"):
        train_jobs(RUNS, tmp_path, InTurn(), networks_per_job=1)
    assert [run.seed for run in RUNS if run in RunStore(tmp_path)] == [0, 1, 0, 1]
    before = results(tmp_path)
    monkeypatch.setattr(EnsembleTrainer, "advance", advance)
    train_jobs(RUNS, tmp_path, InTurn(), networks_per_job=1)
    assert all(run in RunStore(tmp_path) for run in RUNS)
    assert {path: when for path, when in results(tmp_path).items() if path in before} == before


def test_workers_that_do_not_see_the_folder_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Job, "__call__", lambda self: None)
    with pytest.raises(StoreError, match="6 runs"):
        train_jobs(RUNS, tmp_path, InTurn())


def test_an_unknown_executor_and_a_missing_extra_are_refused(tmp_path, monkeypatch):
    for bad in ("grid", 3):
        with pytest.raises(ValueError, match="Argument 'executor' must"):
            train(RUN, tmp_path, progress=False, executor=bad)
    for name, package in (("dask", "distributed"), ("tcp://node:8786", "distributed"), ("slurm", "submitit")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ImportError, match=r"extra 'cluster'"), open_executor(name, tmp_path):
            pass
    assert not list(tmp_path.iterdir())


def test_the_room_loads_no_cluster_package():
    code = "import sys, iclrace.validate; print([m for m in ('dask', 'distributed', 'submitit') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# Each job takes about a second and holds a run that ends early, after which the job has a checkpoint.
LONG = replace(RUN, width=32, batch_size=64, budget=120.0)
SWEEP = [
    LONG.with_(task_diversity=k, seed=s, stop_memorised=0.4 if s % 2 == 0 else 0.0)
    for k in (8, 16, 32)
    for s in range(4)
]


@pytest.mark.slow
def test_a_sweep_on_a_dask_cluster_outlives_a_killed_worker(tmp_path):
    distributed = pytest.importorskip("distributed")
    reference = train(SWEEP, tmp_path / "here", progress=False, networks_per_job=2)
    folder, store = tmp_path / "cluster", RunStore(tmp_path / "cluster")
    failures: list[BaseException] = []

    def sweep(address):
        try:
            train_jobs(SWEEP, folder, address, networks_per_job=2)
        except BaseException as error:
            failures.append(error)

    with distributed.Client(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as client:
        address = client.scheduler_info()["address"]
        thread = threading.Thread(target=sweep, args=(address,))
        thread.start()
        deadline = time.monotonic() + 120
        # Half of the runs stand in the store, and a job is half done: it has left a checkpoint.
        while sum(run in store for run in SWEEP) < 6 or not list(folder.glob("checkpoints/*.safetensors")):
            assert time.monotonic() < deadline and not failures and thread.is_alive()
            time.sleep(0.005)
        busy = [worker for worker, tasks in client.processing().items() if tasks]
        victim = client.run(os.getpid)[busy[0]]
        os.kill(victim, signal.SIGKILL)
        before = {path: when for path, when in results(folder).items() if path.name == "metrics.nc"}
        assert 6 <= len(before) < len(SWEEP)
        thread.join(240)
        assert not thread.is_alive() and not failures, failures
        assert victim not in client.run(os.getpid).values()
    assert collect(SWEEP, store).identical(reference)
    assert {path: when for path, when in results(folder).items() if path in before} == before
    # A write cut short leaves its temporary file, which nothing reads.
    assert not list(folder.glob("checkpoints/*.safetensors"))


@pytest.mark.slow
def test_a_local_dask_cluster_is_started_and_closed(tmp_path):
    pytest.importorskip("distributed")
    reference = train(RUNS, tmp_path / "here", progress=False, networks_per_job=3)
    assert train(RUNS, tmp_path / "dask", progress=False, networks_per_job=3, executor="dask").identical(reference)


@pytest.mark.slow
def test_submitit_trains_in_processes_of_its_own(tmp_path):
    pytest.importorskip("submitit")
    reference = train(RUNS, tmp_path / "here", progress=False, networks_per_job=3)
    there = train(RUNS, tmp_path / "there", progress=False, networks_per_job=3, executor="local")
    assert there.identical(reference)
    assert list((tmp_path / "there" / "submitit").iterdir())


@pytest.mark.slow
def test_a_job_that_is_preempted_is_submitted_again(tmp_path):
    submitit = pytest.importorskip("submitit")
    job = Job(tuple(RUNS), str(tmp_path))
    again = job.checkpoint()
    assert isinstance(again, submitit.helpers.DelayedSubmission) and again.function is job
