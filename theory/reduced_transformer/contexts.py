"""Sampled contexts, each with its mirror image: what the averages of the equations run over."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.arguments import integer
from .model import ReducedTransformer

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contexts:
    """Draws of everything random in a sequence, in the frame where the target's label is +1.

    Each draw stands beside its mirror image: the labels other than the copies' turned, and with them the label part of
    the scores. So ⟨m⟩ is 1/N at flat attention exactly, where single draws scatter by 1/√N.

    Parameters
    ----------
    labels : array (draw, N), ±1; the first m are the copies'
    items : array (draw, N)
        Standard normal part of the item-item scores; a copy's is the target's own, as its item is.
    overlaps : array (draw, N)
        x_j·x_T, 1 for the copies, N(0, 1/D) for the others.
    own, common, label : arrays (draw,)
        Standard normal parts of the own score, of that common to all context tokens, and of that along the label.
    target, slope : arrays (draw,)
        Standard normal parts of the target's component along v, and of its own slope about the mean one.
    rank : array (draw,) of int
        Which quantile of the margin the target has; those of fresh targets follow on those of the items.
    """

    labels: Array
    items: Array
    overlaps: Array
    own: Array
    common: Array
    label: Array
    target: Array
    slope: Array
    rank: NDArray[np.int64]


def draw_contexts(
    model: ReducedTransformer, draws: int, quantiles: int, seed: int = 0, scrambled: bool = False
) -> Contexts:
    """``draws`` contexts and their mirror images, 2 · draws in all.

    Ranks are stratified: every quantile appears equally often, up to one. A share f of the draws are fresh targets,
    whose margins have quantiles of their own. Draws depend on N, D, m, f and the seed alone, so that models of other K,
    r or scale see the same ones. ``scrambled`` replaces the copies' labels by fair coins, too: nothing can be learnt in
    context.
    """
    draws = integer("draws", draws, minimum=1)
    random = np.random.default_rng(integer("seed", seed, minimum=0))
    n, m = model.context_length, model.copies
    labels = random.choice([-1.0, 1.0], (draws, n))
    items = random.normal(size=(draws, n))
    overlaps = random.normal(size=(draws, n)) / np.sqrt(model.dimension)
    overlaps[:, :m] = 1.0
    own, common, label, target, slope = random.normal(size=(5, draws))
    items[:, :m] = own[:, None]
    fresh = round(model.fresh_share * draws)
    ranks = np.concatenate([np.arange(draws - fresh) % quantiles, quantiles + np.arange(fresh) % quantiles])
    rank = random.permutation(ranks)
    if scrambled:
        labels[:, :m] = labels[:, :1]
    else:
        labels[:, :m] = 1.0
    mirrored = -labels
    if not scrambled:
        mirrored[:, :m] = 1.0
    twice = lambda values: np.concatenate([values, values])  # noqa: E731
    return Contexts(
        np.concatenate([labels, mirrored]),
        twice(items),
        twice(overlaps),
        twice(own),
        twice(common),
        np.concatenate([label, -label]),
        np.concatenate([target, -target]),
        np.concatenate([slope, -slope]),
        twice(rank),
    )
