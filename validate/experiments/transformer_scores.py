"""The transformer's first attention, read off its initial weights, and what rough attention makes of t_ICL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...simulate import CoupledModel, solve
from ...theory import Estimate, Task
from ...theory.common.arguments import require
from ..measure.times import geometric_mean
from ..training.config import Run
from ..training.trainer import EnsembleTrainer

#: Of the integration of the rough field, whose draws leave 2 %.
_TOLERANCE = 1e-4


def initial_score_std(runs: Sequence[Run]) -> Estimate:
    """σ_s: deviation, within a context, of the scores x̂_jᵀ W_Kᵀ W_Q x̂_T of untrained transformers of one layer.

    Root mean square over the sequences of the ICL test, the copy left out; geometric mean over the networks, with
    Student's interval.
    """
    require(all(run.depth == 1 for run in runs), "runs", "have depth 1", [run.depth for run in runs])
    trainer = EnsembleTrainer(runs)
    batch, weights = trainer.icl_test, trainer.parameters
    items = batch.table.rows(batch.table.items, batch.context)[..., 1:, :]
    labels = batch.context_labels[..., 1:]
    target = batch.table.rows(batch.table.items, batch.target)
    context = normalised(torch.cat([items, (labels > 0)[..., None], (labels < 0)[..., None]], -1))
    own = normalised(torch.nn.functional.pad(target, (0, 2)))
    query = torch.bmm(own, weights["attention.query.weight"].transpose(1, 2))
    direction = torch.bmm(query, weights["attention.key.weight"])
    scores = (context * direction[..., None, :]).sum(-1)
    return geometric_mean(scores.var(-1).mean(-1).sqrt().double().numpy())


def normalised(tokens: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(tokens, tokens.shape[-1:])


def rough_acquisition_time(task: Task, beta0: float = 0.0) -> float:
    """t_ICL for K → ∞ of the minimal model with rough attention: its averaged field integrated to 95 % accuracy.

    ``task.score_std`` = σ_s; w0 = 0. With σ_s = 0 it is :func:`iclrace.theory.acquisition_time`, for which that closed
    form is exact to 0.1 %.
    """
    last = 1e4 * task.context_length
    solved = solve(CoupledModel(task), (0.0, beta0), (0.0, last), _TOLERANCE, _TOLERANCE, stop="acquired")
    return float(np.nan_to_num(solved.events["acquired"], nan=np.inf))
