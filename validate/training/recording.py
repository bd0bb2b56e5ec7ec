"""Training steps on a device: recorded once as a CUDA graph and replayed, so that the host launches one thing a step.

A step of the paper's transformer is some 250 kernels, each of which takes the host longer to launch than a GPU to run.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from ..networks.computation import Computation, Differentiated
from .config import Run

# Steps on a side stream before one is recorded: libraries choose their algorithms and reserve what they work in.
_STEPS_BEFORE_RECORDING = 3


def can_be_recorded(run: Run, computation: Computation) -> bool:
    """Whether every step of runs like this does the same, without the host.

    Not so where batches hold a varying number of fresh sequences, where the loss is averaged by the host, and where the
    module is the user's.
    """
    return isinstance(computation, Differentiated) and not run.foreign and not run.fresh_share


class Steps:
    """Steps of one set of networks on a device, counted there.

    Parameters
    ----------
    take : callable
        Takes the training step of the number it is given, an int64 tensor without axes on the device. It changes
        tensors in place, always the same ones, and reads nothing back; what it returns is not used.
    first : int
        Number of the first step.
    device : torch.device
    recorded : bool
        Record on CUDA; elsewhere, and where a recording fails, which is said in a warning, steps are taken one by one.
    """

    def __init__(self, take: Callable[[Tensor], object], first: int, device: torch.device, recorded: bool) -> None:
        self.take = take
        self.number = torch.tensor(first, dtype=torch.int64, device=device)
        self.recorded = recorded and device.type == "cuda"
        self.taken = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream(device) if self.recorded else None

    def __call__(self) -> None:
        """Take the next step."""
        if self.graph is not None:
            self.graph.replay()
        elif self.stream is None:
            self._take()
        elif self.taken < _STEPS_BEFORE_RECORDING:
            # These are steps of the training like all others: nothing has to be undone after them.
            now = torch.cuda.current_stream(self.number.device)
            self.stream.wait_stream(now)
            with torch.cuda.stream(self.stream):
                self._take()
            now.wait_stream(self.stream)
        else:
            self._record(self.stream)
            self()
            return
        self.taken += 1

    def _take(self) -> None:
        self.take(self.number)
        self.number.add_(1)

    def _record(self, stream: torch.cuda.Stream) -> None:
        """Record a step, without taking it."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=stream):
                self._take()
        except RuntimeError as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            warnings.warn(f"steps are not recorded, and slower for it: {first}", stacklevel=2)
            self.stream = None
        else:
            self.graph = graph
