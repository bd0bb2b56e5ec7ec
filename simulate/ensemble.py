"""Many trajectories at once: broadcast over named dimensions, all cores, the same bits in any company."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..theory.accuracy import ACQUIRED
from ..theory.common.arguments import integer, named, number, real, require
from ..theory.common.rehearsal import computing_begins
from .calls.broadcast import STATES, Broadcast, broadcast, initial_states, states_last
from .calls.chunks import Store, run_chunks
from .calls.run import EVENT_NAMES, REASONS, Kernel, check_levels, check_span, check_stop, check_tolerances
from .kernel import layout as at
from .model import CoupledModel, EventLevels
from .solve import check_method, check_state

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: Trajectories in one call of the kernel: enough to keep its lanes full, few enough to report progress.
CHUNK = 4096
#: Names of results, which no dimension may have.
TAKEN = frozenset(
    [*STATES, "clock", "acquired_clock", "status", "evaluations", "time"]
    + [f"time_{name}" for name in EVENT_NAMES]
    + [f"{name}_at" for name in (*STATES, "clock")]
)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Final states and event times of many trajectories, over the dimensions ``dims``.

    Parameters
    ----------
    model : CoupledModel
    dims : tuple of str
        Names of the dimensions that follow.
    coords : dict
        Labels of dimensions that came with some.
    y : array (..., 2 or 3)
        Final (w, β[, memory]), shaped like ``y0``; NaN where a trajectory failed.
    clock : array (...)
        I_K since the start, at the end.
    events : dict of arrays (...)
        Time of "acquired", "lost", "memorised"; NaN for what did not happen by the end, or where a trajectory failed.
    acquired_clock : array (...)
        I_K at acquisition.
    status : array (...) of int8
        Code of what became of a trajectory: see :meth:`reason`.
    evaluations : array (...) of int32
        Field evaluations.
    times, samples : arrays (time,), (..., time, 4), or None
        States (w, β, memory, I_K) at the output times; NaN after the end of a trajectory that stopped.

    Source: as for :func:`solve_ensemble`.

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> model = CoupledModel(Task(context_length=50))
    >>> runs = solve_ensemble(model, [[0.0, 0.0], [0.0, 1.0]], (0.0, 100.0), dims=["start"])
    >>> runs.success.tolist(), runs.reason(0), runs.to_dataset()["time_acquired"].values.round(1).tolist()
    ([True, True], 'completed', [nan, 49.7])
    """

    model: CoupledModel
    dims: tuple[str, ...]
    coords: dict[str, Any]
    y: Array
    clock: Array
    events: dict[str, Array]
    acquired_clock: Array
    status: NDArray[np.int8]
    evaluations: NDArray[np.int32]
    times: Array | None = None
    samples: Array | None = None

    @property
    def success(self) -> NDArray[np.bool_]:
        """Trajectories that ran to their end or to the event that stops them."""
        return (self.status == at.COMPLETED) | (self.status == at.STOPPED)

    def reason(self, *index: int) -> str:
        """Why the trajectory at ``index`` ended."""
        return REASONS[int(self.status[index])]

    def to_dataset(self) -> xr.Dataset:
        """Everything as a labelled dataset."""
        import xarray as xr

        time = {"units": "gradient-flow time (learning rate × steps)"}
        data: dict[str, Any] = {name: (self.dims, self.y[..., k]) for k, name in enumerate(STATES[: self.y.shape[-1]])}
        data |= {f"time_{name}": (self.dims, values, time) for name, values in self.events.items()}
        data["clock"] = (self.dims, self.clock, time)
        data["acquired_clock"] = (self.dims, self.acquired_clock, time)
        meaning = "; ".join(f"{code}: {text}" for code, text in REASONS.items())
        data["status"] = (self.dims, self.status, {"meaning": meaning})
        data["evaluations"] = (self.dims, self.evaluations)
        coords = dict(self.coords)
        if self.samples is not None:
            coords["time"] = ("time", self.times, time)
            for k, name in enumerate((*STATES, "clock")):
                data[f"{name}_at"] = ((*self.dims, "time"), self.samples[..., k])
        return xr.Dataset(data, coords=coords)


def solve_ensemble(
    model: CoupledModel,
    y0: ArrayLike,
    t_span: tuple[float, float],
    rtol: float = 1e-6,
    atol: float = 1e-9,
    *,
    parameters: Mapping[str, ArrayLike] | None = None,
    dims: Sequence[str] | None = None,
    times: ArrayLike | None = None,
    levels: EventLevels | None = None,
    stop: str | None = None,
    method: str = "auto",
    max_steps: int = 100_000,
    threads: int | None = None,
    chunk: int = CHUNK,
    progress: Callable[[int, int], object] | None = None,
) -> Ensemble:
    """Integrate every combination of initial state and parameters.

    The result of a trajectory is the same to the last bit for any number of threads and any ``chunk``. One that cannot
    be completed is flagged with its reason and holds NaN; the others go on.

    Parameters
    ----------
    model : CoupledModel
    y0 : array_like (..., 2 or 3), or xarray.DataArray with the states along "state" or its last dimension
        w, β and, with a memory, its state (0 if left out); labels, if any, are "w", "beta", "memory".
    t_span, rtol, atol, levels, stop, method, max_steps
        As for :func:`solve`.
    parameters : dict of array_like or xarray.DataArray, optional
        Values that differ between trajectories, of ``context_length``, ``task_diversity``, ``dimension``,
        ``label_std``, ``copies``, ``decay_w``, ``decay_beta``, ``rate_ratio``. They broadcast against the leading
        dimensions of ``y0``: by name and label where given as ``DataArray``, by position otherwise. Arrays that share
        a dimension must have the same labels on it, in whatever order.
    dims : sequence of str, optional
        Names of the leading dimensions of plain arrays; not those of the results (w, beta, clock, …).
    times : array_like (time,), ascending, optional
        Output times; without them only final states and events are kept (about 80 bytes a trajectory).
    threads : int, optional
        Threads; all cores if not given.
    chunk : int
        Trajectories handed to a thread at a time.
    progress : callable (done, total), optional
        Called in the calling thread after every chunk.

    Returns
    -------
    Ensemble

    Raises
    ------
    ValueError
        As :func:`solve`, and for shapes that do not broadcast or an unknown parameter.
    KeyboardInterrupt
        When interrupted; running chunks end within one step first.

    Source: as for :func:`solve`.

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> y0 = np.stack([np.zeros(3), [-1.0, 0.0, 1.0]], axis=-1)
    >>> runs = solve_ensemble(CoupledModel(Task(context_length=50)), y0, (0.0, 2000.0), dims=["beta0"], stop="acquired")
    >>> runs.events["acquired"].round(0).tolist()
    [436.0, 141.0, 50.0]
    """
    check_tolerances(rtol, atol)
    span = check_span(t_span)
    levels = check_levels(levels)
    for name, value in (("threads", 1 if threads is None else threads), ("chunk", chunk), ("max_steps", max_steps)):
        integer(name, value, minimum=1)
    states = states_last(y0)
    state = check_state(model, states.values if named(states) else states)
    layout = broadcast(y0 if named(y0) else state, model.check_parameters(_plain(parameters)), parameters or {}, dims)
    _check_dimensions(layout.dims)
    output = np.zeros(0) if times is None else real("times", times, minimum=span[0], maximum=span[1])
    require(output.ndim == 1 and bool(np.all(np.diff(output) > 0)), "times", "ascend along one dimension", times)
    stopped, method = check_stop(stop, model), check_method(method)
    computing_begins()
    kernel = Kernel(model, levels, rtol, atol, stopped, max_steps, method)
    store = Store(model, layout, output)
    count = threads or os.cpu_count() or 1
    size = min(chunk, max(64, -(-layout.count // (2 * count))))
    run_chunks(kernel, layout, store, span, size, count, progress)
    return _ensemble(store, layout)


def _plain(parameters: Mapping[str, ArrayLike] | None) -> dict[str, ArrayLike]:
    """The numbers alone, to check their ranges."""
    require(parameters is None or isinstance(parameters, Mapping), "parameters", "be a mapping", type(parameters))
    given: dict[str, Any] = dict(parameters or {})
    return {name: value.values if named(value) else value for name, value in given.items()}


def _check_dimensions(dims: Sequence[str]) -> None:
    """A dimension named like a variable would take its place in :meth:`Ensemble.to_dataset`."""
    require(all(isinstance(dim, str) for dim in dims), "dims", "be strings", dims)
    require(len(set(dims)) == len(dims), "dims", "have different names", dims)
    clash = sorted(TAKEN.intersection(dims))
    if clash:
        require(False, "dims", f"not be named like a result ({', '.join(sorted(TAKEN))})", ", ".join(clash))


def _ensemble(store: Store, layout: Broadcast) -> Ensemble:
    """The flat results in their dimensions."""
    shape = layout.shape
    samples = store.samples
    return Ensemble(
        model=store.model,
        dims=layout.dims,
        coords=layout.coords,
        y=store.y.reshape(*shape, store.y.shape[-1]),
        clock=store.clock.reshape(shape),
        events={name: store.events[k].reshape(shape) for k, name in enumerate(EVENT_NAMES)},
        acquired_clock=store.acquired_clock.reshape(shape),
        status=store.status.reshape(shape),
        evaluations=store.evaluations.reshape(shape),
        times=store.times if len(store.times) else None,
        samples=None if samples is None else samples.reshape(*shape, *samples.shape[1:]),
    )


def coupled_acquisition_time(
    model: CoupledModel,
    beta0: ArrayLike,
    w0: ArrayLike = 0.0,
    accuracy: float = ACQUIRED,
    *,
    budget: float = 1e7,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    parameters: Mapping[str, ArrayLike] | None = None,
) -> Array:
    """Time at which ICL accuracy first exceeds ``accuracy``, from the full equations.

    Parameters
    ----------
    model : CoupledModel
    beta0, w0 : array_like
        Initial attention strength and readout weight.
    accuracy : float in (1/2, 1)
    budget : float > 0
        Gradient-flow time after which a trajectory counts as not acquiring.
    rtol, atol, parameters
        As for :func:`solve_ensemble`.

    Returns
    -------
    array of the broadcast shape, a DataArray if one is given: ``inf`` where ICL is not acquired within the budget,
    NaN where the solver could not tell (:func:`solve_ensemble` says why)

    Raises
    ------
    ValueError
        For an argument out of range, or shapes that do not broadcast.

    Source: paper, section 4 (acquisition of ICL).

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> model = CoupledModel(Task(context_length=50, dimension=63))
    >>> coupled_acquisition_time(model, beta0=[0.0, 1.0]).round(1).tolist()
    [141.8, 50.9]
    """
    budget = number("budget", budget, minimum=0.0, exclusive=True)
    accuracy = number("accuracy", accuracy, minimum=0.5, maximum=1.0, exclusive=True)
    runs = solve_ensemble(
        model, initial_states(beta0, w0), (0.0, budget), rtol, atol,
        parameters=parameters, levels=EventLevels(acquired=accuracy), stop="acquired",
    )  # fmt: skip
    never = runs.status == at.COMPLETED
    if model.task.labels == "balanced" and math.isinf(model.task.dimension) and "dimension" not in (parameters or {}):
        never |= runs.status == at.OUT_OF_RANGE  # w runs off to −∞ where β < 0, and nothing comes back from there
    times = np.where(never, np.inf, runs.events["acquired"])
    if not any(map(named, (beta0, w0, *(parameters or {}).values()))):
        return times
    import xarray as xr

    return xr.DataArray(times, dims=runs.dims, coords=runs.coords, name="time_acquired")  # pyright: ignore[reportReturnType]
