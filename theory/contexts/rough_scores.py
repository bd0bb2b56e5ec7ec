"""Frozen draws of rough attention scores: nodes of the averaged field, and the accuracy over them."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ..common.arguments import require
from ..numerics.quadrature import hermite
from ..task import Task
from .attention import ContextNodes
from .labels import NODES, require_few

Array = NDArray[np.float64]

#: Draws behind the averaged field, and the seed that makes every call the same. 4096 draws leave an error near 2 % in
#: the averages at σ_s = 2, N = 64; the copy's own score is stratified.
DRAWS, SEED = 4096, 20250
#: Hermite nodes of the label sum given the scores, at most: the draws limit the accuracy here.
LABEL_NODES = 16
#: Scores of a draw, at most: those of all draws take 1.6 GB.
MOST_SCORES = 50_000


class ScoreDraws(NamedTuple):
    """e^ξ of the copy and of the target, Σ e^ξ of the others, and the label sum's mean and deviation; shape (draw,)."""

    copy: Array
    target: Array
    others: Array
    mean: Array
    deviation: Array


@lru_cache(maxsize=32)
def score_draws(task: Task) -> ScoreDraws:
    """Given the scores, Σ_{j≠c} e^{ξ_j} ℓ_j is taken as Gaussian.

    Its variance is s² Σ e^{2ξ} for i.i.d. labels; balanced ones have the mean and variance that their sum, −m, leaves.
    """
    others, copies = task.context_length - task.copies, task.copies
    require_few(others, MOST_SCORES, task.context_length)
    generator = np.random.default_rng(SEED)
    strata: Array = np.exp(task.score_std * ndtri((np.arange(DRAWS) + 0.5) / DRAWS))
    copy = strata[generator.permutation(DRAWS)]
    target = strata[generator.permutation(DRAWS)] if task.target_in_softmax else np.zeros(DRAWS)
    items = np.exp(task.score_std * generator.standard_normal((DRAWS, others)))
    total, squares = items.sum(1), (items**2).sum(1)
    if task.labels == "balanced":
        mean = -(copies / others) * total
        spread = 1.0 - (copies / others) ** 2
        variance = spread * (squares - (total**2 - squares) / (others - 1)) if others > 1 else np.zeros(DRAWS)
    else:
        mean, variance = np.zeros(DRAWS), task.label_std**2 * squares
    return ScoreDraws(copy, target, total, mean, np.sqrt(np.maximum(variance, 0.0)))


def rough_nodes(task: Task, average: str = "gaussian", nodes: int = NODES) -> ContextNodes:
    """Nodes of the context average with rough scores: every draw of ξ times Hermite nodes of the label sum."""
    require(average == "gaussian", "average", 'be "gaussian" when score_std > 0', average)
    draws = score_draws(task)
    x, probability = hermite(min(nodes, LABEL_NODES))
    label_sum = draws.mean[:, None] + draws.deviation[:, None] * x
    weight = np.broadcast_to(probability / DRAWS, label_sum.shape)

    def repeat(values: NDArray[Any]) -> Array:
        return np.repeat(values, x.size).astype(np.float64)

    return ContextNodes(
        copy=repeat(task.copies * draws.copy),
        present=repeat(task.copies * draws.copy + draws.target),
        others=repeat(draws.others),
        label_sum=label_sum.ravel(),
        weight=weight.ravel(),
    )


def rough_accuracy(beta: Array, task: Task) -> Array:
    """ICL accuracy for w > 0: ⟨Φ((m e^{β+ξ} + mean)/deviation)⟩ over the draws."""
    draws = score_draws(task)
    with np.errstate(divide="ignore"):
        scaled = (task.copies * np.exp(beta)[..., None] * draws.copy + draws.mean) / draws.deviation
    return ndtr(scaled).mean(-1)
