"""The order parameters' equations, averaged over sampled contexts (docs/reduced_transformer.md).

Everything is in the frame where the target's label is +1; m = Σ_j a_j ℓ_j is the label that the attention returns.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from .contexts import Contexts
from .model import ReducedTransformer
from .readout import grown, readout_growth
from .scores import Scores, attend, offset_speed, score_scales

Array = NDArray[np.float64]

#: Order parameters, as they stand in a state.
STATE = (
    "w",  # label gain ⟨∇f⟩·v
    "value",  # |v|², v = s V ê
    "beta",  # learned score of a copy
    "item_roughness",  # ln ρ: logarithm of the share left of the scores' random part between items
    "label_roughness",  # ln of the share left of its part along the label
    "stored_std",  # scatter of the stored labels' score over targets
    "stored",  # μ: score that a training target gives to tokens of its own label
    "clock",  # J
    "residual",  # τ: what the gain reads off a training target itself, as far as memory has not cancelled it
    "echo",  # q: what the perceptron subtracts of the attended label that a training target's own label score causes
    "novel_echo",  # the part of it that novel targets share
    "answer",  # χ: label score by which attention answers what the gain reads off the target
    "offset",  # b: score by which every context token is ahead of the target itself
)


#: Offset of a target that takes part in no softmax: its attention is e^{−1000} = 0.
_ABSENT = 1e3


def initial_state(model: ReducedTransformer, w0: float = 0.0, beta0: float = 0.0) -> Array:
    """The state at t = 0."""
    value = model.initial_value
    offset = 0.0 if model.terms.own_token else _ABSENT
    return np.array([w0, value, beta0, *[0.0] * 5, model.residual_scale * w0 / math.sqrt(value), *[0.0] * 3, offset])


def rates(model: ReducedTransformer, state: Array, row: Array, contexts: Contexts, time: float = 0.0) -> Array:
    """d(state)/dt.

    Parameters
    ----------
    state : array (13,), as in ``STATE``
    row : array (7 + quantile,)
        The couplings at the clock's reading: a row of :meth:`MeasuredCoupling.table`; with a share of fresh sequences,
        of :func:`with_fresh_margins`.
    contexts : Contexts
    time : float
        Enters through the decay of the scores' random part alone.

    Source: docs/reduced_transformer.md, where each line is derived.
    """
    now = _read(model, state, row, contexts, time)
    change = np.zeros(len(STATE))
    change[:2] = _gain_rates(model, state, row, now)
    change[2], change[12] = _score_rates(model, state, row, now, contexts)
    change[3] = _removal_rate(model, state, now, contexts)
    change[4:7] = _label_rates(model, state, now, contexts.rank)
    change[7] = memory_speed(model, row, now) * (now.wrong * remembered(model, row, contexts)).mean()
    change[8:12] = _cancellation_rates(model, state, row, now, contexts, change)
    return change


def remembered(model: ReducedTransformer, row: Array, contexts: Contexts) -> NDArray[np.bool_]:
    """Which draws have a target that is one of the K items (draw,): they alone run the memory's clock."""
    quantiles = row.size - 7
    return contexts.rank < (quantiles // 2 if model.fresh_share else quantiles)


@dataclass(frozen=True)
class _Reading:
    """What the averages are made of, one entry a draw."""

    scores: Scores
    attention: Array
    on_self: Array
    attended: Array  # m
    opened: Array  # ∂m/∂η = 1 − a_T − m², η the score along the label
    gain: Array  # w_i = w + ς ζ_i, the label gain of a target
    direct: Array  # T = τ + w_i χ ∂m/∂η, the logit's derivative to the target's own component along v
    logit: Array  # z
    wrong: Array  # σ(−z)
    curve: Array  # σ′(z)

    @property
    def slope(self) -> Array:
        """∂g/∂η of g = σ(−z) w ∂m/∂η at a fixed echo."""
        bent = self.attended * (self.on_self - 2.0 * self.opened)  # ∂²m/∂η²
        return self.wrong * self.gain * bent - self.curve * (self.gain * self.opened) ** 2


def _read(model: ReducedTransformer, state: Array, row: Array, contexts: Contexts, time: float) -> _Reading:
    scores = score_scales(model, state, time)
    residual, answer = (state[8], state[11]) if model.terms.residual else (0.0, 0.0)
    attention, on_self, m = attend(scores, state[2], state[6], answer, state[12], contexts)
    gain = state[0] + math.sqrt(gain_variance(model, state, row)) * contexts.slope
    logit = row[7:][contexts.rank] + gain * m + residual * contexts.target - state[9] * contexts.label
    opened, wrong = 1.0 - on_self - m * m, expit(-logit)
    direct = residual + gain * answer * opened
    return _Reading(scores, attention, on_self, m, opened, gain, direct, logit, wrong, wrong * (1.0 - wrong))


def memory_speed(model: ReducedTransformer, row: Array, now: _Reading) -> float:
    """r + (Θ_V + Θ_M)/KΘ, what the attention's own parameters add to an item's memory, over the perceptron's.

        Θ_V = ⟨|∇f|²⟩ d ⟨a_T²⟩,   Θ_M = A d² (⟨|∇f|²⟩/3) ⟨a_T² (1 − a_T)²⟩

    A target sees itself through V, and x̂ᵀ M x̂ sets how much of itself it sees: ∂z/∂s_T = a_T (1 − a_T) ∇f·V x̂_T.
    """
    own = model.rate_ratio * model.clock_scale
    if not model.terms.attention_memory or math.isinf(model.task_diversity) or model.clock_scale != 1.0:
        return own
    d, a = model.size, now.on_self
    through_value = d * float((a * a).mean())
    through_scores = now.scores.square * d * d / 3.0 * float((a * a * (1.0 - a) ** 2).mean())
    return own + row[4] * (through_value + through_scores) / (model.task_diversity * row[5])


def _gain_rates(model: ReducedTransformer, state: Array, row: Array, now: _Reading) -> tuple[float, float]:
    """dw/dt = [r k |v|² + s² (G² + w²/|v|²)] ⟨σ m⟩ − r k |v| c ⟨σ′ T⟩ − λ w,   d|v|²/dt = 2 s² w ⟨σ m⟩ − 2λ |v|²."""
    w, value = state[:2]
    gain, mean_gradient, s2, r = label_kernel(model, state, row), row[1], model.label_scale**2, model.rate_ratio
    drive = float((now.wrong * now.attended).mean())
    drag = r * gain * math.sqrt(value) * model.residual_scale * float((now.curve * now.direct).mean())
    speed = r * gain * value + s2 * (mean_gradient + w * w / value)
    return speed * drive - drag - model.decay * w, 2.0 * s2 * w * drive - 2.0 * model.decay * value


def _score_rates(
    model: ReducedTransformer, state: Array, row: Array, now: _Reading, contexts: Contexts
) -> tuple[float, float]:
    """dβ/dt = (d²/2D) A ⟨σ w ∂m/∂β⟩ + (d/√2 D) A (g₂/3) [d ⟨a_T Q⟩ + (d/√2) ⟨a_c Q − a_c²/2⟩] − 2λβ.

    db/dt = s² √(a⁴ + 8a b²/s²) [⟨σ w a_T m⟩ − (g₂/3) ⟨a_T Q⟩] − 3λb,   a = ⟨|W_Q row|²⟩ at the start

    A = |W_Q row|² + |W_K row|², and Q = Σ_{j≠T,c} a_j² + a_c²/2 is the noise that attention brings.
    """
    d, dim, a, m = model.size, model.dimension, now.attention, now.attended
    lean = contexts.labels - m[:, None]
    towards = (a * contexts.overlaps * lean).sum(1) - math.sqrt(2.0) * now.on_self * m
    rate = d * d / (2.0 * dim) * now.scores.square * float((now.wrong * now.gain * towards).mean())
    ahead = float((now.wrong * now.gain * now.on_self * m).mean())
    if model.terms.self_attention:
        on_copies = a[:, : model.copies].sum(1)
        noise = (a[:, model.copies :] ** 2).sum(1) + 0.5 * on_copies**2
        recruited = d * now.on_self * noise + d / math.sqrt(2.0) * (on_copies * noise - 0.5 * on_copies**2)
        rate += d / (math.sqrt(2.0) * dim) * now.scores.square * row[3] / 3.0 * float(recruited.mean())
        ahead -= row[3] / 3.0 * float((now.on_self * noise).mean())
    speed = offset_speed(model, state[12]) if model.terms.context_offset else 0.0
    return rate - 2.0 * model.decay * state[2], speed * ahead - 3.0 * model.decay * state[12]


def _removal_rate(model: ReducedTransformer, state: Array, now: _Reading, contexts: Contexts) -> float:
    """d ln ρ/dt = (d²/2D²) A Σ_{j≠c} ⟨∂_{s_j}[σ w a_j (ℓ_j − m)]⟩ (Stein's lemma)."""
    d, dim, w = model.size, model.dimension, now.gain
    a = now.attention[:, model.copies :]
    lean = contexts.labels[:, model.copies :] - now.attended[:, None]
    stein = now.wrong * w * (a * (1.0 - 2.0 * a) * lean).sum(1) - now.curve * w * w * (a * a * lean * lean).sum(1)
    return d * d / (2.0 * dim * dim) * now.scores.square * float(stein.mean())


def _label_rates(
    model: ReducedTransformer, state: Array, now: _Reading, rank: NDArray[np.int64]
) -> tuple[float, float, float]:
    """ln of the share left of random label scores, the stored ones' scatter and mean.

        d ln λ/dt = −R,   dμ/dt = −R μ + κ⟨g⟩/K,   dν/dt = −R ν + κ √(⟨ḡ²⟩/KD),   R = −(κ/D)⟨dg/dη⟩

    with g = σ w ∂_η m, ∂_η m = 1 − a_T − m², κ = s² d (|W_Q row|² + |W_K row|²). The derivative is the whole one: the
    echo −q ξ in the logit follows the same label score η = E ξ. A target's own ḡ, averaged over its contexts, is taken
    to depend on its margin alone.
    """
    w, m, on_self, opened = now.gain, now.attended, now.on_self, now.opened
    g = now.wrong * w * opened
    slope = now.wrong * w * m * (on_self - 2.0 * opened) - now.curve * (w * opened) ** 2
    kernel = model.label_scale**2 * model.size * now.scores.label_square
    if now.scores.label > 0.0:  # no label score is left to be echoed otherwise
        slope += now.curve * w * opened * state[9] / now.scores.label
    removed = kernel / model.dimension * float(slope.mean())
    if not model.terms.stored_labels or math.isinf(model.task_diversity):
        return removed, 0.0, 0.0
    k, decayed = model.task_diversity, removed - 2.0 * model.decay
    of_rank = np.bincount(rank, g) / np.maximum(np.bincount(rank), 1)
    scatter = kernel * math.sqrt(float((of_rank**2)[rank].mean()) / (k * model.dimension))
    return removed, decayed * state[5] + scatter, decayed * state[6] + kernel * float(g.mean()) / k


def _cancellation_rates(
    model: ReducedTransformer, state: Array, row: Array, now: _Reading, contexts: Contexts, change: Array
) -> tuple[float, float, float, float]:
    """What is taken away of all that is fixed for a target, whatever its context: by memory, and by attention.

        dτ/dt = c d(w/|v|)/dt − R Θ⟨σ′T⟩,   dq/dt = (R Θ + r k)⟨σ′⟩ (w⟨mξ⟩ − q),   dq′/dt = r k⟨σ′⟩ (w⟨mξ⟩ − q),
        dχ/dt = (κ/D)[⟨∂_η g⟩ χ − ⟨σ′ w ∂_η m⟩ τ]

    R is the memory's speed (:func:`memory_speed`).
    """
    w, value, curve = state[0], state[1], float(now.curve.mean())
    forgets = memory_speed(model, row, now) * row[5]
    residual = echo = novel = answer = 0.0
    if model.terms.residual:
        gained = change[0] / math.sqrt(value) - 0.5 * w * change[1] / value**1.5
        residual = model.residual_scale * gained - forgets * float((now.curve * now.direct).mean())
        kernel = model.label_scale**2 * model.size * now.scores.label_square / model.dimension
        answered = now.slope * state[11] - now.curve * now.gain * now.opened * state[8]
        answer = kernel * float(answered.mean()) - 2.0 * model.decay * state[11]
    if model.terms.cancellation:
        left = w * float((now.attended * contexts.label).mean()) - state[9]
        shared = model.rate_ratio * label_kernel(model, state, row)
        echo, novel = (forgets + shared) * curve * left, shared * curve * left
    return residual, echo, novel, answer


def label_kernel(model: ReducedTransformer, state: Array, row: Array) -> float:
    """k(J) + k(0) (ψ(w/|v|) − 1): what memory and what the gain itself have made of the perceptron's kernel."""
    if not model.terms.aligned_readout:
        return float(row[0])
    growth = readout_growth(model.size, model.width, model.gate)
    return float(row[0] + row[6] * (grown(state[0] / math.sqrt(state[1]), growth) - 1.0))


def gain_variance(model: ReducedTransformer, state: Array, row: Array) -> float:
    """Variance over targets of ∇f·v about w: |v|² (⟨|∇f|²⟩ − G²)/d, the slope's scatter having no direction."""
    scatter = max(row[4] - row[1], 0.0) if model.terms.gain_spread else 0.0
    return float(state[1] * scatter / model.size)


def icl_accuracy(model: ReducedTransformer, state: Array, row: Array, contexts: Contexts, time: float = 0.0) -> float:
    """P(w m + c (w/|v|) ξ_T − q′ ξ_η + √(s_φ² + ς² m²) ζ > 0) on novel items, whose labels nothing stores."""
    w, value = state[:2]
    read, answer = model.residual_scale * w / math.sqrt(value), state[11]
    if not model.terms.residual:
        read = answer = 0.0
    _, _, m = attend(score_scales(model, state, time), state[2], 0.0, answer, state[12], contexts)
    logit = w * m + read * contexts.target - state[10] * contexts.label
    return float(ndtr(logit / np.sqrt(row[2] ** 2 + gain_variance(model, state, row) * m * m)).mean())


def iwl_accuracy(model: ReducedTransformer, state: Array, row: Array, contexts: Contexts, time: float = 0.0) -> float:
    """P(logit > 0) on training items in contexts without a copy, N − m pairs."""
    others = slice(model.copies, None)
    without = replace(
        contexts, labels=contexts.labels[:, others], items=contexts.items[:, others],
        overlaps=contexts.overlaps[:, others],
    )  # fmt: skip
    logit = _read(model, state, row, without, time).logit[remembered(model, row, contexts)]
    return float(np.where(logit == 0, 0.5, logit > 0).mean())
