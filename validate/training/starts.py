"""What networks are before training: every number belongs to the seed of its own run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ..data.seeds import Purpose, derive_seed
from ..networks.computation import ensemble_of
from ..networks.stacked import MinimalEnsemble, Parameters
from .config import Run


def initial_parameters(runs: Sequence[Run]) -> Parameters:
    """Of all runs, stacked along S, in float32 on the CPU."""
    first, seeds, dimension = runs[0], [run.seed for run in runs], int(runs[0].task.dimension)
    ensemble = ensemble_of(first)
    if isinstance(ensemble, MinimalEnsemble):
        w0, beta0 = [run.w0 for run in runs], [initial_beta(run) for run in runs]
        return ensemble.initialise(seeds, dimension, first.width, first.layers, w0, beta0)
    parameters = ensemble.initialise(seeds, dimension, first.width, first.layers)
    for name, value in parameters.items():
        if name.endswith(("query.weight", "key.weight")):
            value.mul_(first.attention_scale)
    _lead_with_copies(runs, parameters)
    return parameters


def _lead_with_copies(runs: Sequence[Run], parameters: Parameters) -> None:
    """W_Q ← W_Q + 3b W_K, b = √2 β0/d: W_Kᵀ W_K is 1/3 of the identity, so a copy scores b d/√2 = β0 more."""
    if not any(run.network == "transformer" and run.beta0 for run in runs):
        return
    key = parameters["attention.key.weight"]
    size, scale = key.shape[-1], runs[0].attention_scale
    factor = torch.tensor([3 * math.sqrt(2) * (run.beta0 or 0.0) / (size * scale**2) for run in runs])
    parameters["attention.query.weight"].add_(factor[:, None, None] * key)


def initial_beta(run: Run) -> float:
    """β0 of a minimal run: as given, or a draw from N(0, 1) that belongs to the run's seed."""
    if run.beta0 is not None:
        return run.beta0
    return float(np.random.default_rng(derive_seed(run.seed, Purpose.INITIALISATION, 1)).standard_normal())
