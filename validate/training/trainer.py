"""Trains many networks at once: every run of a group is one slot of an ensemble (plain SGD, paper, appendix A)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...theory.accuracy import ACQUIRED
from ..data.items import items_named
from ..data.sequences import Sequences
from ..measure.order_parameters import ORDER, READINGS, SEQUENCES, stacked_order_parameters
from ..networks.computation import Differentiated, computation_of, rates_and_decays, threads_for
from ..networks.stacked import Parameters, sequence_tokens
from .config import Run
from .devices import multiplies
from .evaluation import METRICS, curves, evaluate
from .parts import Part, divided, take_side_by_side
from .recording import Steps, can_be_recorded
from .starts import initial_parameters
from .store import as_tensor

#: What is finite as long as a network has not diverged.
_FINITE = ("train_loss", "icl_loss", "iwl_loss", "c1")


class Status(IntEnum):
    """Why a run ended."""

    RUNNING = 0
    BUDGET = 1
    ACQUIRED = 2
    MEMORISED = 3
    DIVERGED = 4
    LOST = 5


class EnsembleTrainer:
    """One group of runs: parameters stacked along S, stopped runs leave their slot.

    All state is in :meth:`state`, so that a run continued from a checkpoint equals an uninterrupted one bit for bit.
    ``portable`` steps are those that any device can take; by default every device but the CPU takes them.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        portable: bool | None = None,
    ) -> None:
        self.runs = list(runs)
        first = self.first = self.runs[0]
        multiplies(first.precision, str(device))
        self.device, self.dtype = torch.device(device), dtype
        self.portable = self.device.type != "cpu" if portable is None else portable
        self.step = 0
        self.active = list(range(len(self.runs)))
        self.status = np.zeros(len(self.runs), dtype=np.int64)
        self.metrics = np.full((first.evaluations, len(METRICS), len(self.runs)), np.nan)
        # Every so many evaluations a transformer's order parameters are read: they cost as much as some steps.
        self.between_readings = math.ceil(first.evaluations / READINGS)
        readings = math.ceil(first.evaluations / self.between_readings) if _has_order(first) else 0
        self.order = np.full((readings, len(ORDER), len(self.runs)), np.nan)
        self.clock = np.zeros(len(self.runs))
        self.seconds = np.zeros(len(self.runs))
        self.loss_sum = torch.zeros(len(self.runs), dtype=torch.float64, device=device)
        self.finished: dict[int, Parameters] = {}
        self.computation = computation_of(first, self.portable)
        self._part: tuple[tuple[object, ...], Part] | None = None
        start = initial_parameters(self.runs)
        self.parameters = {name: value.to(self.device, dtype) for name, value in start.items()}
        self._prepare()

    @property
    def memory(self) -> Parameters:
        """What the optimiser remembers; plain SGD nothing."""
        return self.computation.optimiser.memory if isinstance(self.computation, Differentiated) else {}

    def _prepare(self) -> None:
        """Everything that follows from the runs still active: data, test sets, rates."""
        self._part = None  # it holds the table of those that were
        runs = [self.runs[s] for s in self.active]
        first = self.first
        self.sequences = Sequences(
            first.task,
            [run.task.task_diversity for run in runs],
            [run.seed for run in runs],
            first.batch_size,
            frequency_exponent=first.frequency_exponent,
            noise=first.noise,
            shuffled=first.depth > 1 or first.foreign,
            scrambled=first.scrambled,
            fresh_share=first.fresh_share,
            overlaps_alone=first.network == "minimal" and first.items is None,
            items=None if first.items is None else items_named(first.items),
            device=self.device,
            dtype=self.dtype,
            portable=self.portable,
        )
        self.icl_test = self.sequences.icl_test(first.test_size)
        self.iwl_test = self.sequences.iwl_test(first.test_size)
        self.rates, self.decays = rates_and_decays(runs, self.parameters, self.device, self.dtype)
        self.places = torch.tensor(self.active, device=self.device)
        recorded = can_be_recorded(first, self.computation)
        self.steps = Steps(self._take, self.step, self.device, recorded) if self.portable else None

    @property
    def time(self) -> float:
        return self.step * self.first.time_step

    @property
    def fraction(self) -> float:
        return min(1.0, self.time / self.first.budget) if self.active else 1.0

    @property
    def work(self) -> int:
        """Products in a step, about: what decides how many threads are worth their waiting."""
        return self.first.batch_size * sum(value.numel() for value in self.parameters.values())

    def advance(self) -> None:
        """Evaluate, stop what is done, then train to the next evaluation."""
        every, started, present = self.first.steps_between_evaluations, time.perf_counter(), self.active
        with threads_for(self.work):
            self._evaluate(self.step // every)
            self._stop(self.step // every)
            if self.active:
                self.train(every)
        self.seconds[present] += (time.perf_counter() - started) / len(present)

    def train(self, steps: int) -> None:
        """Take so many steps: networks side by side where that pays, otherwise in step."""
        parts = () if self.portable else divided(self._whole)
        if parts:
            take_side_by_side(parts, range(self.step, self.step + steps))
            self.step += steps
        else:
            for _ in range(steps):
                self._train_step()

    def _train_step(self) -> None:
        if self.steps is None:
            self._take(self.step)
        else:
            self.steps()
        self.step += 1

    def _take(self, step: int | Tensor) -> None:
        self._whole.take(step)

    @property
    def _whole(self) -> Part:
        """All networks that are still trained: the same at every step as long as they are."""
        own = (self.computation, self.parameters, self.rates, self.decays, self.sequences, self.places, self.loss_sum)
        if self._part is None or any(now is not then for now, then in zip(own, self._part[0], strict=True)):
            self._part = own, Part(*own)
        return self._part[1]

    def _evaluate(self, row: int) -> None:
        every = self.first.steps_between_evaluations
        values = evaluate(self.computation, self.parameters, self.icl_test, self.iwl_test)
        start = torch.full_like(values["c1"], float(np.log(2)))
        values["train_loss"] = self.loss_sum[self.active] / every if row else start
        for name, value in values.items():
            self.metrics[row, METRICS.index(name), self.active] = value.cpu().numpy()
        column = METRICS.index("c1")
        if row:
            # Trapezoid between evaluations: c1 falls smoothly, over many evaluations.
            between = self.metrics[row - 1 : row + 1, column][:, self.active].mean(0)
            ratio = np.array([self.runs[s].rate_ratio for s in self.active])
            self.clock[self.active] += between * ratio * every * self.first.time_step
        # Adam follows no gradient flow, so that its steps run no clock.
        reading = self.clock[self.active] if self.first.optimiser == "sgd" else np.nan
        self.metrics[row, METRICS.index("clock"), self.active] = reading
        self.loss_sum[self.active] = 0.0
        if len(self.order) and row % self.between_readings == 0:
            self._read_order(row // self.between_readings)

    def _read_order(self, reading: int) -> None:
        """The order parameters on the sequences that come next: averages over training targets, like the equations."""
        batch = self.sequences.batch(self.step)
        tokens, labels, targets = sequence_tokens(batch), batch.context_labels, batch.target_labels
        measured = stacked_order_parameters(
            self.parameters, tokens[:, :SEQUENCES], labels[:, :SEQUENCES], targets[:, :SEQUENCES],
            self.first.residual_scale,
        )  # fmt: skip
        for i, name in enumerate(ORDER):
            self.order[reading, i, self.active] = measured[name].double().cpu().numpy()

    def _stop(self, row: int) -> None:
        """Mark the runs that are done, keep their weights, and give their slots away."""
        now = {name: self.metrics[row, i] for i, name in enumerate(METRICS)}
        whole, circuit = (self.metrics[: row + 1, METRICS.index(f"{part}_accuracy")] for part in ("icl", "circuit"))
        icl = np.where(np.isnan(circuit), whole, circuit)
        best = icl.max(0)
        # Both are measured: a run that ended at the first of the two would count as one that never reached the other.
        acquired = np.minimum(whole.max(0), best) > ACQUIRED
        for s in self.active:
            run = self.runs[s]
            if not all(np.isfinite(now[name][s]) for name in _FINITE):
                self.status[s] = Status.DIVERGED
                self.metrics[row, :, s] = np.nan  # what NaN answers is no accuracy
            elif run.stop_acquired and acquired[s]:
                self.status[s] = Status.ACQUIRED
            elif now["c1"][s] < run.stop_memorised:
                self.status[s] = Status.MEMORISED
            elif best[s] > ACQUIRED and icl[row, s] < run.stop_lost:
                self.status[s] = Status.LOST
            elif row == self.first.evaluations - 1:
                self.status[s] = Status.BUDGET
        going_on = [i for i, s in enumerate(self.active) if self.status[s] == Status.RUNNING]
        if len(going_on) == len(self.active):
            return
        for i, s in enumerate(self.active):
            if self.status[s] != Status.RUNNING:
                self.finished[s] = {name: value[i].to("cpu", copy=True) for name, value in self.parameters.items()}
        self.active = [self.active[i] for i in going_on]
        if self.active:
            self.parameters = {name: value[going_on] for name, value in self.parameters.items()}
            self.memory.update({name: value[going_on] for name, value in self.memory.items()})
            self._prepare()
        else:
            self.steps = None  # it holds this trainer, and a recording the memory that it works in

    def dataset(self, s: int) -> xr.Dataset:
        """The metrics of run ``s`` over ``time``, up to its end."""
        status = Status(self.status[s]).name.lower()
        read = curves(self.runs[s], self.metrics[:, :, s], status=status, device=str(self.device))
        if not len(self.order):
            return read
        order = np.full((self.first.evaluations, len(ORDER)), np.nan)
        order[:: self.between_readings] = self.order[:, :, s]
        columns = order[: read.sizes["time"]].T
        return read.assign({f"order_{name}": ("time", values) for name, values in zip(ORDER, columns, strict=True)})

    def state(self) -> dict[str, Tensor]:
        """Everything that decides what happens next."""
        tensors = {f"parameters/{name}": value.cpu() for name, value in self.parameters.items()}
        tensors |= {f"optimiser/{name}": value.cpu() for name, value in self.memory.items()}
        for s, weights in self.finished.items():
            tensors |= {f"finished/{s}/{name}": value.cpu() for name, value in weights.items()}
        arrays = {
            "step": np.array([self.step]),
            "active": np.array(self.active, dtype=np.int64),
            "status": self.status,
            "metrics": self.metrics,
            "order": self.order,
            "clock": self.clock,
            "seconds": self.seconds,
            "loss_sum": self.loss_sum.cpu().numpy(),
        }
        return {name: value.contiguous() for name, value in tensors.items()} | {
            name: as_tensor(array) for name, array in arrays.items()
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from :meth:`state`."""
        self.step = int(state["step"][0])
        self.active = state["active"].tolist()
        self.status, self.metrics, self.clock = (state[name].numpy() for name in ("status", "metrics", "clock"))
        if "order" in state and tuple(state["order"].shape) == self.order.shape:
            self.order = state["order"].numpy()
        if "seconds" in state:  # a checkpoint of an earlier version holds none
            self.seconds = state["seconds"].numpy()
        self.loss_sum = state["loss_sum"].to(self.device)
        self.parameters, self.finished = {}, {}
        for name, value in state.items():
            kind, _, rest = name.partition("/")
            if kind == "parameters":
                # A copy: matrix products round by the alignment of what they read, and the file's is arbitrary.
                self.parameters[rest] = value.to(self.device, copy=True)
            elif kind == "optimiser":
                self.memory[rest] = value.to(self.device, copy=True)
            elif kind == "finished":
                s, _, parameter = rest.partition("/")
                self.finished.setdefault(int(s), {})[parameter] = value
        if self.active:  # an interruption may fall between the end of the last run and its saving
            self._prepare()


def _has_order(run: Run) -> bool:
    """Whether the order parameters of the reduced transformer are defined for the network."""
    return run.network == "transformer" and run.depth == 1
