"""Many trajectories at once: broadcast over named dimensions, all cores, the same bits in any company."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..theory._arguments import real, require
from . import _layout as at
from ._broadcast import Broadcast, broadcast
from ._run import EVENT_NAMES, REASONS, Kernel, blank_rows, check_span, check_stop, check_tolerances
from .model import CoupledModel, EventLevels
from .solve import check_method, check_state

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: Trajectories in one call of the kernel: enough to keep its lanes full, few enough to report progress.
CHUNK = 4096


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

    def to_dataset(self) -> "xr.Dataset":
        """Everything as a labelled dataset."""
        import xarray as xr

        time = {"units": "gradient-flow time (learning rate × steps)"}
        data: dict[str, Any] = {
            name: (self.dims, self.y[..., k]) for k, name in enumerate(("w", "beta", "memory")[: self.y.shape[-1]])
        }
        data |= {f"time_{name}": (self.dims, values, time) for name, values in self.events.items()}
        data["clock"] = (self.dims, self.clock, time)
        data["acquired_clock"] = (self.dims, self.acquired_clock, time)
        meaning = "; ".join(f"{code}: {text}" for code, text in REASONS.items())
        data["status"] = (self.dims, self.status, {"meaning": meaning})
        data["evaluations"] = (self.dims, self.evaluations)
        coords = dict(self.coords)
        if self.samples is not None:
            coords["time"] = ("time", self.times, time)
            for k, name in enumerate(("w", "beta", "memory", "clock")):
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
    y0 : array_like (..., 2 or 3), or xarray.DataArray with the states last
        w, β and, with a memory, its state (0 if left out).
    t_span, rtol, atol, levels, stop, method, max_steps
        As for :func:`solve`.
    parameters : dict of array_like or xarray.DataArray, optional
        Values that differ between trajectories, of ``context_length``, ``task_diversity``, ``dimension``,
        ``label_std``, ``copies``, ``decay_w``, ``decay_beta``, ``rate_ratio``. They broadcast against the leading
        dimensions of ``y0``: by name where given as ``DataArray``, by position otherwise.
    dims : sequence of str, optional
        Names of the leading dimensions of plain arrays.
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
    levels = levels or EventLevels()
    for name, value in (("threads", 1 if threads is None else threads), ("chunk", chunk), ("max_steps", max_steps)):
        require(isinstance(value, int) and value >= 1, name, "be an integer >= 1", value)
    check_state(model, np.asarray(y0))
    layout = broadcast(y0, model.check_parameters(_plain(parameters)), parameters or {}, dims)
    output = np.zeros(0) if times is None else real("times", times, minimum=span[0], maximum=span[1])
    require(output.ndim == 1 and bool(np.all(np.diff(output) > 0)), "times", "ascend along one dimension", times)
    kernel = Kernel(model, levels, rtol, atol, check_stop(stop, model), max_steps, check_method(method))
    store = _Store(model, layout, output)
    count = threads or os.cpu_count() or 1
    size = min(chunk, max(64, -(-layout.count // (4 * count))))
    _run_chunks(kernel, layout, store, span, size, count, progress)
    return store.result(None if times is None else output)


def _plain(parameters: Mapping[str, ArrayLike] | None) -> dict[str, ArrayLike]:
    return {name: np.asarray(value) for name, value in (parameters or {}).items()}


class _Store:
    """The results, filled chunk by chunk."""

    def __init__(self, model: CoupledModel, layout: Broadcast, times: Array) -> None:
        self.model, self.layout, self.times = model, layout, times
        n, size = layout.count, layout.components
        self.y, self.clock, self.acquired_clock = np.empty((n, size)), np.empty(n), np.empty(n)
        self.events = np.empty((at.EVENTS, n))
        self.status, self.evaluations = np.empty(n, dtype=np.int8), np.empty(n, dtype=np.int32)
        self.samples = np.empty((n, len(times), at.COMPONENTS)) if len(times) else None

    def put(self, part: slice, rows: Array, marks: NDArray[np.int64], samples: Array, start: float) -> None:
        """Reduce the rows of a chunk; a failed trajectory leaves nothing but its reason."""
        failed = (marks[:, at.STATUS] != at.COMPLETED) & (marks[:, at.STATUS] != at.STOPPED)
        if self.model.memory is None:
            rows[:, at.CLOCK] = 0.5 * (rows[:, at.ROW_TIME] - start)
            rows[:, at.ROW_EVENT_STATES + at.CLOCK] = 0.5 * (rows[:, at.ROW_EVENTS] - start)
            samples[..., at.CLOCK] = np.where(np.isnan(samples[..., 0]), np.nan, 0.5 * (self.times - start))
        rows[failed] = np.nan
        self.y[part], self.clock[part] = rows[:, : self.y.shape[1]], rows[:, at.CLOCK]
        self.events[:, part] = rows[:, at.ROW_EVENTS : at.ROW_EVENT_STATES].T
        self.acquired_clock[part] = rows[:, at.ROW_EVENT_STATES + at.CLOCK]
        self.status[part], self.evaluations[part] = marks[:, at.STATUS], marks[:, at.EVALUATIONS]
        if self.samples is not None:
            samples[failed] = np.nan
            self.samples[part] = samples

    def result(self, times: Array | None) -> Ensemble:
        shape = self.layout.shape
        return Ensemble(
            model=self.model,
            dims=self.layout.dims,
            coords=self.layout.coords,
            y=self.y.reshape(*shape, -1),
            clock=self.clock.reshape(shape),
            events={name: self.events[k].reshape(shape) for k, name in enumerate(EVENT_NAMES)},
            acquired_clock=self.acquired_clock.reshape(shape),
            status=self.status.reshape(shape),
            evaluations=self.evaluations.reshape(shape),
            times=times,
            samples=None if self.samples is None else self.samples.reshape(*shape, len(self.times), at.COMPONENTS),
        )


def _run_chunks(
    kernel: Kernel,
    layout: Broadcast,
    store: _Store,
    span: tuple[float, float],
    size: int,
    threads: int,
    progress: Callable[[int, int], object] | None,
) -> None:
    """Hand chunks to threads, a few ahead of them, so that memory stays bounded and an interrupt is seen at once."""

    def work(start: int) -> int:
        part = slice(start, min(start + size, layout.count))
        y0, parameters = layout.chunk(part)
        rows_parameters, tables = kernel.model.parameter_rows(parameters, len(y0), kernel.levels)
        rows, marks = blank_rows(y0, span, rows_parameters)
        samples = np.full((len(y0), len(store.times), at.COMPONENTS), np.nan)
        kernel.run(rows, marks, tables, store.times, samples, np.zeros((0, at.RECORD)))
        store.put(part, rows, marks, samples, span[0])
        return len(y0)

    starts = iter(range(0, layout.count, size))
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        pending: set[Future[int]] = set()
        try:
            while True:
                while len(pending) < 2 * threads and (start := next(starts, None)) is not None:
                    pending.add(pool.submit(work, start))
                if not pending:
                    break
                finished, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    done += future.result()
                    if progress is not None:
                        progress(done, layout.count)
        except BaseException:
            kernel.cancel()
            for future in pending:
                future.cancel()
            raise


def acquisition_time(
    model: CoupledModel,
    beta0: ArrayLike,
    w0: ArrayLike = 0.0,
    level: float = 0.95,
    *,
    budget: float = 1e7,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    parameters: Mapping[str, ArrayLike] | None = None,
) -> Array:
    """Time at which ICL accuracy first exceeds ``level``, from the full equations; NaN where it does not in the budget.

    Parameters
    ----------
    model : CoupledModel
    beta0, w0 : array_like
        Initial attention strength and readout weight.
    level : float in (1/2, 1)
    budget : float > 0
        Gradient-flow time after which a trajectory counts as not acquiring.
    rtol, atol, parameters
        As for :func:`solve_ensemble`.

    Returns
    -------
    array of the broadcast shape

    Raises
    ------
    ValueError
        For an argument out of range, or shapes that do not broadcast.

    Source: paper, section 4 (acquisition of ICL).

    Examples
    --------
    >>> from iclrace.theory import Task
    >>> acquisition_time(CoupledModel(Task(context_length=50, dimension=63)), beta0=[0.0, 1.0]).round(1).tolist()
    [141.8, 50.9]
    """
    try:
        w, beta = np.broadcast_arrays(real("w0", w0), real("beta0", beta0))
    except ValueError:
        shapes = f"{np.shape(w0)} and {np.shape(beta0)}"
        raise ValueError(f"Argument 'w0' must broadcast against 'beta0', but the shapes are {shapes}.") from None
    runs = solve_ensemble(
        model, np.stack([w, beta], axis=-1), (0.0, budget), rtol, atol,
        parameters=parameters, levels=EventLevels(acquired=level), stop="acquired",
    )  # fmt: skip
    return runs.events["acquired"]
