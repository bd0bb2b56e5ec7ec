"""Ensembles: the same bits in any company, named dimensions, failures that stop nobody."""

import math
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from iclrace.simulate import CoupledModel, coupled_acquisition_time, solve, solve_ensemble
from iclrace.theory import PowerLawMemory, Task, acquired_beta

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)


def spread(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([0.2 * rng.normal(size=count), rng.normal(size=count)], axis=-1)


def fields(runs):
    return [runs.y, runs.clock, runs.acquired_clock, runs.status, runs.evaluations, *runs.events.values()]


def test_bits_do_not_depend_on_threads_or_chunks():
    model = CoupledModel(Task(100, 1000), MEMORY, decay_w=1e-3, decay_beta=1e-3)
    y0 = spread(300)
    whole = solve_ensemble(model, y0, (0.0, 1e6), threads=1, chunk=300)
    for threads, chunk in ((2, 7), (3, 64), (1, 1)):
        other = solve_ensemble(model, y0, (0.0, 1e6), threads=threads, chunk=chunk)
        for a, b in zip(fields(whole), fields(other), strict=True):
            np.testing.assert_array_equal(a, b)
    order = np.random.default_rng(1).permutation(300)
    shuffled = solve_ensemble(model, y0[order], (0.0, 1e6))
    np.testing.assert_array_equal(shuffled.y, whole.y[order])


@pytest.mark.parametrize("stop", [None, "acquired", "lost", "memorised"])
def test_one_trajectory_is_the_single_solution(stop):
    """To the last bit, though events are located at once in one, and in vectors of steps set aside in the other."""
    model = CoupledModel(Task(100, 1000), MEMORY, decay_w=1e-3, decay_beta=1e-3)
    y0 = spread(40, seed=3)
    runs = solve_ensemble(model, y0, (0.0, 1e4), stop=stop, chunk=40)
    for i in (0, 9, 17, 26, 39):
        single = solve(model, y0[i], (0.0, 1e4), stop=stop)
        assert (single.w[-1], single.beta[-1], single.clock[-1]) == (*runs.y[i, :2], runs.clock[i])
        for name, time in single.events.items():
            np.testing.assert_equal(time, runs.events[name][i])
        np.testing.assert_equal(single.clock_at["acquired"], runs.acquired_clock[i])


def test_parameters_broadcast_by_name():
    y0 = xr.DataArray(spread(5), dims=["seed", "state"])
    diversity = xr.DataArray([500.0, 3000.0], dims="task_diversity", coords={"task_diversity": [500.0, 3000.0]})
    decay = xr.DataArray([0.0, 1e-3, 1e-2], dims="decay")
    model = CoupledModel(Task(100, 1000), MEMORY)
    runs = solve_ensemble(
        model, y0, (0.0, 2000.0), parameters={"task_diversity": diversity, "decay_w": decay, "decay_beta": decay}
    )
    data = runs.to_dataset()
    assert data.sizes == {"seed": 5, "task_diversity": 2, "decay": 3}
    for k, lam in ((0, 500.0), (1, 3000.0)):
        for j, d in enumerate(decay.values):
            alone = solve(CoupledModel(Task(100, lam), MEMORY, float(d), float(d)), y0.values[2], (0.0, 2000.0))
            assert float(data["w"][2, k, j]) == alone.w[-1]


def test_parameters_broadcast_by_position():
    lengths = np.array([20, 50, 100])
    times = coupled_acquisition_time(CoupledModel(Task(20)), beta0=0.5, parameters={"context_length": lengths})
    alone = [float(coupled_acquisition_time(CoupledModel(Task(int(n))), beta0=0.5)) for n in lengths]
    np.testing.assert_array_equal(times, alone)


def test_samples_are_the_dense_output():
    model, times = CoupledModel(Task(100, 1000), MEMORY), np.array([0.0, 10.0, 333.0, 1000.0])
    y0 = spread(20)
    runs = solve_ensemble(model, y0, (0.0, 1000.0), times=times)
    single = solve(model, y0[4], (0.0, 1000.0), times=times)
    np.testing.assert_allclose(runs.samples[4, :, 0], single.w, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(runs.samples[4, :, 3], single.clock, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(runs.samples[:, -1, :2], runs.y, rtol=1e-13)


def test_acquisition_follows_the_closed_form():
    """Drag-free limit: t = 2 N √(π/2) e^{−β0} up to e^β/N, so within a few percent at N = 4000 and β0 = 3."""
    times = coupled_acquisition_time(CoupledModel(Task(4000)), beta0=3.0)
    closed = 2 * 4000 * math.sqrt(math.pi / 2) * math.exp(-3.0)
    assert float(times) == pytest.approx(closed, rel=0.15)
    assert np.isinf(coupled_acquisition_time(CoupledModel(Task(50)), beta0=-1.0, budget=10.0))


def test_balanced_contexts_acquire_for_positive_beta_only():
    model = CoupledModel(Task(50, labels="balanced", dimension=63))
    times = coupled_acquisition_time(model, beta0=[-1.0, -0.3, 0.3, 1.0], budget=1e4)
    assert np.isfinite(times).tolist() == [False, False, True, True]
    assert acquired_beta(model.task) > 0.3


def test_a_failure_stops_nobody_and_is_no_number():
    y0 = spread(50)
    y0[7] = (400.0, 0.0)
    runs = solve_ensemble(CoupledModel(Task(50)), y0, (0.0, 100.0))
    assert runs.success.sum() == 49
    assert "range" in runs.reason(7)
    assert np.isnan(runs.y[7]).all()
    assert all(np.isnan(event[7]) for event in runs.events.values())
    np.testing.assert_array_equal(runs.y[8], solve_ensemble(CoupledModel(Task(50)), y0[8:9], (0.0, 100.0)).y[0])


def test_progress_is_reported_and_an_interrupt_ends_the_call():
    seen = []
    solve_ensemble(CoupledModel(Task(50)), spread(100), (0.0, 50.0), chunk=10, progress=lambda *at: seen.append(at))
    assert seen[-1] == (100, 100)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    def interrupt(done, total):
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        solve_ensemble(CoupledModel(Task(50)), spread(5000), (0.0, 1e6), chunk=10, progress=interrupt)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("argument", "change"),
    [
        ("parameters", {"parameters": {"context_length": [10, 20, 30]}}),
        ("parameters", {"parameters": {"colour": 1.0}}),
        ("decay_w", {"parameters": {"decay_w": -1.0}}),
        ("copies", {"parameters": {"copies": 50}}),
        ("context_length", {"parameters": {"context_length": 20.5}}),
        ("threads", {"threads": 0}),
        ("dims", {"dims": ["a", "b"]}),
        ("t_span", {"t_span": (1.0, 0.0)}),
        ("y0", {"y0": np.full((2, 2), np.nan)}),
    ],
)
def test_bad_input_is_named(argument, change):
    arguments = {"y0": spread(2), "t_span": (0.0, 10.0), **change}
    with pytest.raises(ValueError, match=f"Argument '{argument}' must"):
        solve_ensemble(CoupledModel(Task(50)), **arguments)


@pytest.mark.slow
def test_memory_is_bounded():
    """10^7 trajectories must fit into 1 GiB, so that one may take 100 bytes; a tenth of them, above a small run."""
    code = """
import resource, numpy as np
from iclrace.simulate import CoupledModel, coupled_acquisition_time, solve_ensemble
from iclrace.theory import Task
def run(count):
    y0 = np.zeros((count, 2)); y0[:, 1] = np.linspace(0.0, 2.0, count)
    solve_ensemble(CoupledModel(Task(100)), y0, (0.0, 400.0), 1e-4, 1e-4, stop="acquired")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
small = run(20_000)
print((run(1_000_000) - small) / 1_000_000)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(printed) < 100.0


def test_labels_in_another_order_are_matched_and_missing_ones_refused():
    """β of a and c is that of the single runs with their own decay, whatever the order in which it was given."""
    model = CoupledModel(Task(100, 1000), PowerLawMemory(3.9, 0.7))
    runs = {"run": list("abc")}
    y0 = xr.DataArray([[0, -1], [0, 0], [0, 1]], dims=("run", "state"), coords=runs)
    decay = xr.DataArray([0, 1e-3, 2e-3], dims="run", coords=runs)
    found = solve_ensemble(model, y0, (0.0, 1e4), parameters={"decay_beta": decay[::-1]}).to_dataset()["beta"]
    for label, beta0, one in (("a", -1.0, 0.0), ("b", 0.0, 1e-3), ("c", 1.0, 2e-3)):
        alone = solve(replace(model, decay_beta=one), (0.0, beta0), (0.0, 1e4))
        assert float(found.sel(run=label)) == alone.beta[-1]
    for other in (decay[:2], decay.assign_coords(run=list("abd"))):
        with pytest.raises(ValueError, match=r"Argument 'decay_beta' must have .* along 'run'"):
            solve_ensemble(model, y0, (0.0, 1e4), parameters={"decay_beta": other})


def test_states_are_found_by_name():
    model = CoupledModel(Task(50))
    plain = solve_ensemble(model, [[0.1, 0.0], [0.2, 1.0]], (0.0, 50.0)).y
    named = xr.DataArray([[0.0, 1.0], [0.1, 0.2]], dims=("state", "run"), coords={"state": ["beta", "w"]})
    assert np.array_equal(solve_ensemble(model, named, (0.0, 50.0)).y, plain)
    with pytest.raises(ValueError, match="Argument 'y0' must have the states w, beta"):
        solve_ensemble(model, named.assign_coords(state=["beta", "margin"]), (0.0, 50.0))


@pytest.mark.parametrize("dim", ["beta", "w", "clock", "status", "time", "time_acquired", "beta_at"])
def test_no_dimension_takes_the_name_of_a_result(dim):
    model, y0 = CoupledModel(Task(50)), [[0.0, 0.0], [0.0, 1.0]]
    for given, dims in ((y0, [dim]), (xr.DataArray(y0, dims=(dim, "state")), None)):
        with pytest.raises(ValueError, match="Argument 'dims' must not be named like a result"):
            solve_ensemble(model, given, (0.0, 1.0), dims=dims)


def test_masked_states_and_steps_that_are_no_count_are_refused():
    model = CoupledModel(Task(50))
    with pytest.raises(ValueError, match=r"Argument 'y0' must be a real number.* masked"):
        solve_ensemble(model, np.ma.array([[0.0, -8.0]], mask=[[0, 1]]), (0.0, 1.0))
    with pytest.raises(ValueError, match=r"Argument 'decay_w' must be a real number.* masked"):
        solve_ensemble(model, [0.0, 0.0], (0.0, 1.0), parameters={"decay_w": np.ma.array([1.0], mask=[1])})
    for steps in (0, -1, 1.5, True, "7"):
        for call in (solve, solve_ensemble):
            with pytest.raises(ValueError, match="Argument 'max_steps' must be an integer >= 1"):
                call(model, [0.0, 0.0], (0.0, 1.0), max_steps=steps)


def test_acquisition_times_by_name_are_those_by_position():
    model = CoupledModel(Task(50))
    beta0 = xr.DataArray([1.0, 0.0], dims="beta0", coords={"beta0": [1.0, 0.0]})
    w0 = xr.DataArray([0.0, 0.1, 0.2], dims="w0")
    found = coupled_acquisition_time(model, beta0, w0)
    want = coupled_acquisition_time(model, beta0.values[:, None], w0.values)
    assert np.array_equal(found.transpose("beta0", "w0"), want)
    with pytest.raises(ValueError, match="Argument 'w0' must be a DataArray"):
        coupled_acquisition_time(model, beta0, [0.0, 0.1])


def test_what_is_not_acquired_is_infinite_and_what_failed_is_not_a_number():
    # w0 = 300 is outside the range in which the kernel represents the field
    times = coupled_acquisition_time(CoupledModel(Task(50)), -1.0, [0.0, 300.0], budget=10.0)
    assert times[0] == math.inf and math.isnan(times[1])
