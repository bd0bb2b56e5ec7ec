"""What is read off every network at an evaluation."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from ..data.batches import Batch
from ..networks.computation import Computation
from ..networks.stacked import Parameters
from .config import Run

METRICS = (
    "train_loss", "icl_accuracy", "circuit_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss",
    "c1", "c2", "c3", "clock", "w", "beta",
)  # fmt: skip

#: Numbers of all tokens that a device gathers at once in an evaluation: 1 GB of them in float32, held several times.
_TOKENS_AT_ONCE = 2**28


@torch.no_grad()
def evaluate(computation: Computation, parameters: Parameters, icl_test: Batch, iwl_test: Batch) -> dict[str, Tensor]:
    """Accuracies, losses and the clock's rates, each (S,); of the minimal model also (w, β) and its circuit's accuracy.

        c1 = ⟨σ(−ℓφ)⟩,   c2 = 1 − ⟨σ(−ℓφ)²⟩/c1,   c3 = ⟨e^{−ℓφ}⟩

    over the targets of the IWL test, φ being the memory's output (the transformer's: its logit without a copy).
    """
    # What is derived from the ICL test's items is as large as they are, and is needed for an instant only.
    icl, novel = _margins(computation, parameters, icl_test.without_cache())
    iwl, memory = _margins(computation, parameters, iwl_test)
    wrong = torch.sigmoid(-memory)
    c1 = wrong.mean(1)
    values = {
        "icl_accuracy": (icl > 0).double().mean(1),
        "iwl_accuracy": (iwl > 0).double().mean(1),
        "icl_loss": F.softplus(-icl).mean(1),
        "iwl_loss": F.softplus(-iwl).mean(1),
        "c1": c1,
        "c2": 1 - wrong.square().mean(1) / c1,
        "c3": torch.exp(-memory).mean(1),
    }
    if "w" in parameters:
        # What the ICL sub-circuit alone would answer: the memory's response to novel items is noise to it.
        answer = (icl - novel).sign()
        values["circuit_accuracy"] = (1 + answer).mean(1) / 2  # w = 0 answers nothing: chance
        for name in ("w", "beta"):
            values[name] = parameters[name].double()
    return values


def _margins(computation: Computation, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
    """ℓz and ℓφ on a test set, float64 (S, B)."""
    networks, count = batch.target.shape[0], _networks_at_once(batch)
    if count < networks:
        parts = [slice(first, first + count) for first in range(0, networks, count)]
        margins = [
            _margins(computation, {n: p[part] for n, p in parameters.items()}, batch.select(part)) for part in parts
        ]
        return torch.cat([whole for whole, _ in margins]), torch.cat([memory for _, memory in margins])
    outputs, memory = computation.forward(parameters, batch)
    labels = batch.target_labels
    return (outputs * labels).double(), (memory * labels).double()


def _networks_at_once(batch: Batch) -> int:
    """As many as have their tokens in memory together; the compiled kernels of a CPU hold none."""
    if batch.target.device.type == "cpu":
        return batch.target.shape[0]
    tokens = batch.context[0].numel() * (batch.table.items.shape[-1] + 2)
    return max(1, _TOKENS_AT_ONCE // tokens)


def curves(run: Run, metrics: NDArray[np.float64], **attributes: str) -> xr.Dataset:
    """The metrics (evaluations, len(METRICS)) of a run over ``time``, up to its end, or to before it diverged."""
    last = int(np.isfinite(metrics[:, METRICS.index("c1")]).sum())  # every row up to the end, and none after it
    times = np.arange(last) * run.steps_between_evaluations * run.time_step
    return xr.Dataset(
        {name: ("time", metrics[:last, i]) for i, name in enumerate(METRICS)},
        coords={"time": ("time", times, {"units": run.time_unit})},
        attrs={**attributes, "torch": str(torch.__version__)},
    )
