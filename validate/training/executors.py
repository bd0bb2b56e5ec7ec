"""Sweeps beyond one process: independent jobs, handed to anything with ``concurrent.futures``' ``submit``.

A job is a list of runs that train together. It takes no data and returns none: what it trains stands in the run store,
a folder that every worker must see. A lost worker therefore costs what its job had not yet saved; whoever runs the job
again, the executor or the next call, continues from its checkpoint and repeats no finished run.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...theory.common.arguments import require
from .config import Run
from .groups import group, train_group
from .progress import Bar
from .store import RunStore, StoreError

_SECONDS_BETWEEN_LOOKS = 0.2
# Networks are initialised from PyTorch's global generator, so jobs in threads of one process take turns.
_TURN = threading.Lock()


class Future(Protocol):
    """The part of ``concurrent.futures.Future`` that is used; submitit's jobs have it too."""

    def done(self) -> bool: ...
    def result(self) -> Any: ...


class Submitter(Protocol):
    """Anything with ``submit(function, *arguments)`` that returns a :class:`Future`."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any: ...


@dataclass(frozen=True)
class Job:
    """Runs that train together into the store at ``root``; calling it trains them, or continues where it stopped.

    Jobs in threads of one process take turns: give every worker one thread, and a core or more to its process.

    Parameters
    ----------
    runs : tuple of Run
        Its composition fixes how matrix products round, and names its checkpoint.
    root : str
        Absolute path of the run store.
    device : str
        "cpu" or "cuda".
    """

    runs: tuple[Run, ...]
    root: str
    device: str = "cpu"

    def __call__(self) -> None:
        with _TURN:
            train_group(self.runs, RunStore(self.root), device=self.device)

    def checkpoint(self) -> Any:
        """What submitit submits in this job's place when Slurm takes its node or its time is up: the same job."""
        return _import("submitit").helpers.DelayedSubmission(self)


def split(runs: Sequence[Run], networks: int | None = None) -> list[tuple[Run, ...]]:
    """Split a sweep into lists of runs that train together, each of at most ``networks`` runs.

    Runs that cannot share an ensemble are apart in any case. The others are dealt out in the order of ``runs``, evenly:
    a group of n becomes ⌈n/networks⌉ jobs whose sizes differ by one at most. The split depends on nothing but its two
    arguments. It decides how float32 rounds (another ensemble shape, another order of summation), so that two results
    are equal to the last bit only if they were split alike, on whichever executor.

    Parameters
    ----------
    runs : sequence of Run
    networks : int >= 1, optional
        Networks in one job. None keeps every group whole, as :func:`train` without an executor does.

    Raises
    ------
    ValueError
        If ``networks`` is less than 1.

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> runs = [Run("minimal", Task(50, 400, 63), seed) for seed in range(5)]
    >>> [[run.seed for run in job] for job in split(runs, 2)]
    [[0, 1], [2, 3], [4]]
    """
    require(networks is None or networks >= 1, "networks_per_job", "be an integer >= 1", networks)
    jobs: list[tuple[Run, ...]] = []
    for members in group(runs):
        parts = 1 if networks is None else -(-len(members) // networks)
        size, larger = divmod(len(members), parts)
        ends = [i * size + min(i, larger) for i in range(parts + 1)]
        jobs += [tuple(members[start:end]) for start, end in itertools.pairwise(ends)]
    return jobs


def _import(name: str) -> Any:
    """An optional package of the extra ``cluster``."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Package {name!r} is not installed; it comes with the extra 'cluster': pip install 'iclrace[cluster]'."
        ) from error


@contextmanager
def open_executor(
    executor: str | Submitter, folder: str | os.PathLike[str], workers: int | None = None
) -> Iterator[Submitter]:
    """An executor by name, closed at the end; one that is passed in is passed on and left open.

    =====================  ============================================================================================
    "dask"                 starts a local cluster of ``workers`` processes (one a core by default), one job each
    "tcp://host:port"      joins the dask scheduler there, and leaves it running ("tls://…" too)
    "slurm"                submits through submitit; logs and messages in ``folder``/submitit
    "local"                submitit's processes on this machine: the same path without Slurm
    an object              with ``submit``: a ``ProcessPoolExecutor``, ``Client.get_executor()``, or a configured
                           ``submitit.AutoExecutor`` (partition, memory, time limit)
    =====================  ============================================================================================

    dask and submitit move functions and arguments as pickles of their own: use a scheduler that you trust, and a
    ``folder`` that no one else can write. The run store holds none. Starting processes needs the usual
    ``if __name__ == "__main__":`` in a script.

    Parameters
    ----------
    executor : str or object with ``submit``
    folder : path
        For submitit's files; every node must see it.
    workers : int >= 1, optional
        Of a local dask cluster; no other executor reads it.

    Raises
    ------
    ValueError
        For an unknown name.
    ImportError
        If the extra ``cluster`` is not installed.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor() as pool, open_executor(pool, "results") as same:
    ...     same is pool
    True
    """
    if not isinstance(executor, str):
        require(hasattr(executor, "submit"), "executor", "be a name or have a method submit", executor)
        yield executor
    elif executor in ("slurm", "local"):
        chosen = _import("submitit").AutoExecutor(folder=Path(folder).resolve() / "submitit", cluster=executor)
        if executor == "local":
            chosen.update_parameters(timeout_min=7 * 24 * 60)  # submitit's five minutes are for tests
        yield chosen
    else:
        joins = executor.startswith(("tcp://", "tls://"))
        require(joins or executor == "dask", "executor", 'be "dask", "tcp://…", "slurm" or "local"', executor)
        require(workers is None or workers >= 1, "workers", "be an integer >= 1", workers)
        Client = _import("distributed").Client
        # One job a worker at a time: jobs are threads there, and a network's products use the cores already.
        local = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
        if workers is None:
            local["n_workers"] = os.cpu_count()
        with Client(executor) if joins else Client(**local) as client:
            yield client.get_executor()


def train_jobs(
    runs: Sequence[Run],
    out: str | os.PathLike[str],
    executor: str | Submitter,
    *,
    networks_per_job: int | None = None,
    device: str = "cpu",
    bar: Bar | None = None,
) -> None:
    """Train what is missing in the store ``out`` as independent jobs on ``executor``, and wait for all of them.

    Parameters
    ----------
    runs : sequence of Run
    out : path
        Run store, in a folder that every worker sees under the same path.
    executor
        As in :func:`open_executor`.
    networks_per_job : int >= 1, optional
        As in :func:`split`. A job runs on one worker, so a sweep of one group needs this to run on several.
    device : str
    bar : Bar, optional
        Shown the fraction of jobs done.

    Raises
    ------
    ValueError, ImportError
        As :func:`open_executor` and :func:`split` do.
    StoreError
        If a job ended and its runs are not in ``out``: the workers do not see this folder.
    Exception
        The first that a job raised, after all the others have ended and their results stand in the store. Calling again
        trains what is missing, from its checkpoint.
    KeyboardInterrupt
        Jobs that have not begun are cancelled.

    Examples
    --------
    >>> from concurrent.futures import ProcessPoolExecutor
    >>> from iclrace.theory import Task
    >>> runs = [Run("minimal", Task(50, 400, 63), seed) for seed in range(8)]
    >>> train_jobs(runs, "results/runs", ProcessPoolExecutor(4), networks_per_job=2)  # doctest: +SKIP
    """
    store, root = RunStore(out), str(Path(out).resolve())
    missing = [
        Job(members, root, device)
        for members in split(runs, networks_per_job)
        if any(run not in store for run in members)
    ]
    if not missing:
        return
    with open_executor(executor, out, min(len(missing), os.cpu_count() or 1)) as opened:
        _wait([opened.submit(job) for job in missing], bar)
    lost = [run for job in missing for run in job.runs if run not in store]
    if lost:
        raise StoreError(
            f"{root} holds no result of {len(lost)} runs that were trained: do the workers see this folder?"
        )


def _wait(futures: Sequence[Future], bar: Bar | None) -> None:
    """Until every job has ended; then raise the first error among them."""
    try:
        while (done := sum(future.done() for future in futures)) < len(futures):
            if bar is not None:
                bar.update(done / len(futures), f"{done} of {len(futures)} jobs")
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        for future in futures:
            getattr(future, "cancel", lambda: None)()
        raise
    for future in futures:
        future.result()
