"""An ensemble in chunks: handed to threads, each reduced to what is kept as soon as it is done."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray

from ..kernel import layout as at
from ..model import CoupledModel
from .broadcast import Broadcast
from .run import Kernel, blank_rows

Array = NDArray[np.float64]


class Store:
    """The results, filled chunk by chunk."""

    def __init__(self, model: CoupledModel, layout: Broadcast, times: Array) -> None:
        self.model, self.times = model, times
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
            if self.samples is not None:
                samples[..., at.CLOCK] = np.where(np.isnan(samples[..., 0]), np.nan, 0.5 * (self.times - start))
        if failed.any():
            rows[failed] = np.nan
        self.y[part], self.clock[part] = rows[:, : self.y.shape[1]], rows[:, at.CLOCK]
        self.events[:, part] = rows[:, at.ROW_EVENTS : at.ROW_EVENT_STATES].T
        self.acquired_clock[part] = rows[:, at.ROW_EVENT_STATES + at.CLOCK]
        self.status[part], self.evaluations[part] = marks[:, at.STATUS], marks[:, at.EVALUATIONS]
        if self.samples is not None:
            samples[failed] = np.nan
            self.samples[part] = samples


def run_chunks(
    kernel: Kernel,
    layout: Broadcast,
    store: Store,
    span: tuple[float, float],
    size: int,
    threads: int,
    progress: Callable[[int, int], object] | None,
) -> None:
    """Hand chunks to threads, a few ahead of them, so that memory stays bounded and an interrupt is seen at once."""

    # where all trajectories have the same parameters, one row of them stands for all
    alike = all(value.ndim == 0 for value in layout.parameters.values())
    shared = kernel.model.parameter_rows(layout.parameters, 1, kernel.levels) if alike else None

    def work(start: int) -> int:
        part = slice(start, min(start + size, layout.count))
        y0, parameters = layout.chunk(part)
        rows_parameters, tables = shared or kernel.model.parameter_rows(parameters, len(y0), kernel.levels)
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
