"""Scores of the reduced transformer: the widths of their parts, how they grow, and the attention they give."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .contexts import Contexts
from .model import ReducedTransformer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Scales of the scores' parts, and how fast they learn.

    With g the gradient along the identity on items, d(W_K ± W_Q)/dt = ± g (W_K ± W_Q): W_K and W_Q turn hyperbolically
    by an angle u. From a = |row|² at the start

        γ = a sinh 2u,   |W_Q row|² = |W_K row|² = a cosh 2u,   γ = √2 β/d

    and the random part of W_Kᵀ W_Q grows along, by cosh 2u off the diagonal, √cosh 4u on it, and √cosh 2u where one
    side is a label, which the identity on items does not touch. Weight decay multiplies all by e^{−2λt}.

    ``item``, ``own``, ``common``, ``label`` are standard deviations of the random parts; ``square`` is |W_Q row|² +
    |W_K row|² on items and ``label_square`` on one item and one label direction, 2/3 at the start.
    """

    item: float
    own: float
    common: float
    label: float
    square: float
    label_square: float


def score_scales(model: ReducedTransformer, state: Array, time: float = 0.0) -> Scores:
    """The scales at a state."""
    d, s = model.size, model.label_scale
    decayed = math.exp(-2.0 * model.decay * time)
    a = model.initial_square * decayed
    cosh = math.hypot(1.0, math.sqrt(2.0) * state[2] / (d * a)) if model.terms.score_growth else 1.0
    rough, labelled = math.exp(state[3]), math.exp(state[4])
    unit = model.attention_scale**2 * decayed  # W_Kᵀ W_Q has entries of variance unit²/(9d)
    on_label = unit * s / 3.0 * math.sqrt(cosh)
    return Scores(
        item=rough * unit * math.sqrt(d / 18.0) * cosh,
        own=rough * unit * math.sqrt(d) / 3.0 * math.sqrt(2.0 * cosh**2 - 1.0),
        common=rough * on_label,
        label=math.hypot(labelled * on_label, state[5]),
        square=2.0 * a * cosh,
        label_square=a * (1.0 + cosh),
    )


def attend(
    scores: Scores, beta: float, stored: float, answer: float, offset: float, contexts: Contexts
) -> tuple[Array, Array, Array]:
    """Attention on the context (draw, N), on the target itself (draw,), and the attended label m (draw,)."""
    along_label = scores.label * contexts.label + answer * contexts.target + stored
    width = np.where(
        contexts.overlaps == 1.0, scores.own / math.sqrt(2.0), scores.item
    )  # a copy's item is the target's
    score = width * contexts.items + beta * contexts.overlaps + along_label[:, None] * contexts.labels
    own = scores.own * contexts.own + math.sqrt(2.0) * beta - scores.common * contexts.common - offset
    top = np.maximum(score.max(1), own)
    weights, on_self = np.exp(score - top[:, None]), np.exp(own - top)
    total = weights.sum(1) + on_self
    weights /= total[:, None]
    return weights, on_self / total, (weights * contexts.labels).sum(1)


def offset_speed(model: ReducedTransformer, offset: float) -> float:
    """s² (|Mᵀĉ|² + 2a|shift|²) of b = s ĉ·M·shift, the label slots' sum ĉ being in context tokens alone.

    Both factors grow with their product. From |Mᵀĉ|² = a² and no shift, s² (a² + 2a·2|shift|²) = s² √(a⁴ + 8a b²/s²).
    """
    a, s2 = model.initial_square, model.label_scale**2
    return s2 * math.sqrt(a**4 + 8.0 * a * offset**2 / s2)
