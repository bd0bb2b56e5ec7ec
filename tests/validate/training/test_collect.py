"""Datasets of several runs: no evaluation of any of them is lost."""

import numpy as np
import pytest
import xarray as xr

from iclrace.theory import Task
from iclrace.validate import Run, RunStore, acquisition_times, collect, loss_times

RUN = Run("minimal", Task(8, 16, 7), 0, width=8, batch_size=16, test_size=64, learning_rate=0.1, budget=200.0)


def stored(store, run, accuracy, last=None):
    """A run in the store whose accuracy is a function of time."""
    every = run.steps_between_evaluations * run.learning_rate
    time = np.arange(run.evaluations)[:last] * every
    curves = {"icl_accuracy": ("time", accuracy(time)), "clock": ("time", time / 2)}
    store.save(run, xr.Dataset(curves, {"time": time}, {"status": "budget"}))
    return time


def line(time):
    return 0.5 + time / 40  # at 0.8 when t = 12, between evaluations at 10 and 15, and at 10.2 and 15.3


def test_runs_that_are_evaluated_at_other_times_keep_all_their_evaluations(tmp_path):
    store = RunStore(tmp_path)
    runs = [RUN, RUN.with_(learning_rate=0.3)]
    times = [stored(store, run, line) for run in runs]
    assert times[0][1] == 5.0 and times[1][1] == pytest.approx(5.1)
    found = collect(runs, store)
    for run, time in zip(runs, times, strict=True):
        mine = found.sel(learning_rate=run.learning_rate).dropna("time")
        assert mine.time.values.tolist() == time.tolist()
        assert np.array_equal(mine.icl_accuracy.squeeze(), line(time))
    assert np.allclose(acquisition_times(found, level=0.8), 12.0, rtol=1e-12)
    assert np.isinf(loss_times(found)).all()


def test_times_that_differ_by_rounding_alone_are_one(tmp_path):
    store = RunStore(tmp_path)
    runs = [RUN.with_(evaluate_every=0.3, budget=6.0, learning_rate=rate) for rate in (0.1, 0.3)]
    first, second = (stored(store, run, line) for run in runs)
    assert not np.array_equal(first, second) and np.allclose(first, second, rtol=1e-14)
    assert collect(runs, store).sizes["time"] == first.size


def test_a_run_that_ended_early_leaves_the_others_times_as_they_are(tmp_path):
    store = RunStore(tmp_path)
    runs = [RUN, RUN.with_(seed=1)]
    time = stored(store, runs[0], line)
    stored(store, runs[1], line, last=7)
    found = collect(runs, store)
    assert found.time.values.tolist() == time.tolist()
    assert np.isnan(found.icl_accuracy.sel(seed=1).values[7:]).all()
