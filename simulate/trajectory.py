"""One solved trajectory, with its dense output and what it means for accuracy and loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..theory.common.arguments import real, require
from .kernel import layout as at
from .model import CoupledModel, EventLevels
from .observables import observables

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Solution of one :class:`CoupledModel` at chosen times, and everywhere between them through :meth:`at`.

    Parameters
    ----------
    model, levels
        What was solved, and the levels of the events.
    t : array (time,)
        Gradient-flow time: the accepted steps, or the times asked for (as far as the trajectory got).
    w, beta, memory, clock : arrays (time,)
        Readout weight, attention strength, memory state (margin φ or clock J; 0 without a memory) and I_K = ∫ c1 dt
        since the start.
    events : dict
        Time of "acquired", "lost" and "memorised"; NaN for what did not happen.
    clock_at : dict
        I_K at these times.
    status : str
        "completed", "stopped at an event", or the reason of a failure.
    success : bool
        False for a failure; then the arrays end where it happened.
    evaluations, steps, rejected : int
        Field evaluations, accepted and rejected steps.
    reached : float
        Time up to which the trajectory was solved.

    Source: docs/derivation.md, "averaged gradient flow" and "memory law".

    Examples
    --------
    >>> from iclrace.simulate import solve
    >>> from iclrace.theory import Task
    >>> run = solve(CoupledModel(Task(context_length=50)), (0.0, 0.0), (0.0, 1000.0), stop="acquired")
    >>> run.status, round(run.events["acquired"], 1), run.at([0.0, 100.0])[:, 0].round(3).tolist()
    ('stopped at an event', 140.7, [0.0, 0.973])
    """

    model: CoupledModel
    levels: EventLevels
    t: Array
    w: Array
    beta: Array
    memory: Array
    clock: Array
    events: dict[str, float]
    clock_at: dict[str, float]
    status: str
    success: bool
    evaluations: int
    steps: int
    rejected: int
    reached: float
    record: Array = field(repr=False)

    def at(self, times: ArrayLike) -> Array:
        """States (w, β, memory, I_K) at ``times`` from the dense output, of shape (..., 4).

        Parameters
        ----------
        times : array_like
            Within the interval that was solved.

        Raises
        ------
        ValueError
            For a time outside it.
        """
        first, last = self.record[0, 0], self.record[-1, 0] + self.record[-1, 1]
        times = real("times", times)
        inside = (times >= first) & (times <= last + 1e-14 * max(abs(first), abs(last)))  # the end is a sum of steps
        require(bool(np.all(inside)), "times", f"lie in [{first:g}, {last:g}]", times)
        step = np.clip(np.searchsorted(self.record[:, 0], times, side="right") - 1, 0, len(self.record) - 1)
        line = self.record[step]
        share = np.clip((times - line[..., 0]) / line[..., 1], 0.0, 1.0)[..., None]
        state = line[..., 2 : 2 + at.COMPONENTS]
        coefficients = line[..., 2 + at.COMPONENTS :].reshape(*times.shape, at.DENSE, at.COMPONENTS)
        total = np.zeros_like(state)
        for k in range(at.DENSE - 1, -1, -1):
            total = (total + coefficients[..., k, :]) * (share if k % 2 == 0 else 1.0 - share)
        state = state + total
        if self.model.memory is None:
            state[..., at.CLOCK] = 0.5 * (times - first)
        return state

    @cached_property
    def observables(self) -> dict[str, Array]:
        """ICL and IWL accuracy and loss, c1 and margin at ``t``; see :func:`iclrace.simulate.observables`."""
        return observables(self.model, self.w, self.beta, self.memory)

    @property
    def icl_accuracy(self) -> Array:
        return self.observables["icl_accuracy"]

    @property
    def iwl_accuracy(self) -> Array:
        return self.observables["iwl_accuracy"]

    @property
    def icl_loss(self) -> Array:
        return self.observables["icl_loss"]

    @property
    def iwl_loss(self) -> Array:
        return self.observables["iwl_loss"]

    @property
    def c1(self) -> Array:
        return self.observables["c1"]

    @property
    def margin(self) -> Array:
        return self.observables["margin"]

    def to_dataset(self) -> xr.Dataset:
        """Everything over the dimension ``time``, event times and counts as attributes."""
        import xarray as xr

        columns = {"w": self.w, "beta": self.beta, "memory": self.memory, "clock": self.clock, **self.observables}
        units = {"clock": "gradient-flow time", "icl_loss": "nat", "iwl_loss": "nat"}
        dataset = xr.Dataset(
            {name: ("time", values, {"units": units.get(name, "1")}) for name, values in columns.items()},
            coords={"time": ("time", self.t, {"units": "gradient-flow time (learning rate × steps)"})},
        )
        dataset.attrs.update({f"time_{name}": value for name, value in self.events.items()})
        return dataset.assign_attrs(status=self.status, evaluations=self.evaluations)
