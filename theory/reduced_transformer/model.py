"""The transformer whose order parameters the equations follow: its sizes, its rates, and which terms are kept."""

import math
from dataclasses import dataclass

from ..common.arguments import integer, number, require
from .readout import GATE


@dataclass(frozen=True)
class Terms:
    """Which parts of the equations act. All by default; a ladder switches them off one by one.

    Parameters
    ----------
    shared_gain : bool
        k and G² follow the memory's clock. Otherwise they stay at their start: circuits that share nothing.
    self_attention : bool
        Memory's gradient turns the scores towards the identity, since attention to others is noise to it.
    stored_labels : bool
        The scores store the labels of the training items, as a linear classifier of the target.
    score_growth : bool
        W_K and W_Q grow with their product: learning accelerates, and so does the random part of the scores.
    residual : bool
        The label gain reads the target itself, which is noise until memory has cancelled it.
    cancellation : bool
        The perceptron cancels what a target's own label score adds to the attended label, whatever the context.
    attention_memory : bool
        Items are memorised by the target's attention to itself, too, at the attention's own rate.
    context_offset : bool
        LayerNorm's shift tells context tokens from the target, and so learns how much attention the target takes.
    aligned_readout : bool
        The perceptron's kernel grows with the gain that it has learnt (three layers).
    gain_spread : bool
        The label gain differs from target to target, as the perceptron's slope does.
    own_token : bool
        The target takes part in its own softmax.
    """

    shared_gain: bool = True
    self_attention: bool = True
    stored_labels: bool = True
    score_growth: bool = True
    residual: bool = True
    cancellation: bool = True
    attention_memory: bool = True
    context_offset: bool = True
    aligned_readout: bool = True
    gain_spread: bool = True
    own_token: bool = True


#: The label gain that both circuits share, memory's turn towards self-attention and what attention adds to memory, and
#: nothing finer. Of the sets of terms that were tried on four known K*, the one that came nearest to all of them.
CORE = Terms(
    stored_labels=False, score_growth=False, residual=False, cancellation=False, context_offset=False,
    aligned_readout=False, gain_spread=False,
)  # fmt: skip


@dataclass(frozen=True)
class ReducedTransformer:
    """A transformer of one attention layer on the task of N pairs, K items and dimension D.

        z = f(c x̂_T + V Σ_j a_j x̂_j),    a = softmax_j(x̂_jᵀ W_Kᵀ W_Q x̂_T),    every x̂ layer-normed, |x̂|² = d = D + 2

    Parameters
    ----------
    context_length : int, N >= 2
    dimension : int, D >= 1
    task_diversity : float, K >= 2
        ``inf``: fresh items in every sequence.
    copies : int, 1 <= m < N
    rate_ratio : float, r > 0
        Learning rate of the perceptron over that of the attention.
    attention_scale : float > 0
        Factor on W_Q and W_K at the start.
    residual_scale : float, c >= 0
        Factor on the target in the residual.
    beta0 : float
        Mean over initial weights of a copy's score at the start; 0 by default initialisation, and moved by
        W_Q ← W_Q + 3b W_K, b = √2 β0/d. What that changes besides is of second order in b: the random scores' variance
        grows by 9b² between items, by 18b² on the target itself and by 9b² on labels, as learning the same β would make
        it grow where scores do (but for labels), and |W_Q row|² + |W_K row|² by 9b²/2. At D = 31, β0 = 1 that is 1.7 %.
    width : int
        Of the perceptron, of three layers; of it depends how its kernel grows with the gain.
    gate : float, ρ in (0, 1/2]
        Square of the mean gate of the perceptron that reads the attention: 1/4 where targets open every unit or not at
        even chances.
    clock_scale : float > 0
        Factor on the memory's own speed, in place of what the equations add to it: the total clock of a perceptron
        alone over that of scrambled networks, where those have been trained. 1 leaves the equations as they are.
    decay : float, λ >= 0
        Weight decay of W_Q, W_K and V.
    fresh_share : float, f in [0, 1)
        Share of the sequences whose items are fresh, at finite K: their targets have margins N(0, s_φ²) and run no
        clock. The couplings must be those of perceptrons trained with the same share.
    terms : Terms

    Raises
    ------
    ValueError
        For a value outside its range; the message names the argument.

    Source: docs/reduced_transformer.md.

    Examples
    --------
    >>> model = ReducedTransformer(context_length=31, dimension=31)
    >>> model.size, model.label_scale**2
    (33, 8.25)
    """

    context_length: int
    dimension: int
    task_diversity: float = math.inf
    copies: int = 1
    rate_ratio: float = 1.0
    attention_scale: float = 1.0
    residual_scale: float = 1.0
    beta0: float = 0.0
    width: int = 128
    gate: float = GATE
    clock_scale: float = 1.0
    decay: float = 0.0
    fresh_share: float = 0.0
    terms: Terms = Terms()

    def __post_init__(self) -> None:
        integer("context_length", self.context_length, minimum=2)
        integer("dimension", self.dimension, minimum=1)
        number("task_diversity", self.task_diversity, minimum=2.0, finite=False)
        integer("width", self.width, minimum=1)
        require(0.0 < number("gate", self.gate) <= 0.5, "gate", "be in (0, 1/2]", self.gate)
        copies = integer("copies", self.copies, minimum=1)
        require(copies < self.context_length, "copies", "be less than the context length", copies)
        for name in ("rate_ratio", "attention_scale", "clock_scale"):
            number(name, getattr(self, name), minimum=0.0, maximum=math.inf, exclusive=True)
        for name in ("residual_scale", "decay"):
            number(name, getattr(self, name), minimum=0.0)
        number("beta0", self.beta0)
        share = number("fresh_share", self.fresh_share, minimum=0.0)
        require(share < 1.0, "fresh_share", "be below 1", share)
        items_own = self.terms.stored_labels or self.terms.residual or self.terms.cancellation
        must = (
            "leave out stored labels, residual and cancellation, which are a training item's own, with fresh_share > 0"
        )
        require(not (share and items_own), "terms", must, self.terms)

    @property
    def size(self) -> int:
        """d = D + 2, numbers in a token."""
        return self.dimension + 2

    @property
    def label_scale(self) -> float:
        """s = √d/2: length of a layer-normed token's part along ê = (1, −1)/√2 of its one-hot label."""
        return math.sqrt(self.size) / 2

    @property
    def initial_value(self) -> float:
        """|v|² = s² |V ê|² = s²/3 at the start: rows of V have square length 1/3 by PyTorch's default."""
        return self.size / 12

    @property
    def initial_square(self) -> float:
        """a = ⟨|row of W_Q|²⟩ = ⟨|row of W_K|²⟩ at the start: 1/3 by PyTorch's default, times the scale squared."""
        return self.attention_scale**2 / 3

    @property
    def initial_beta_std(self) -> float:
        """Standard deviation over initial weights of β0 = (d/√2) tr(W_Kᵀ W_Q)/D over items: √(d/18D)."""
        return self.attention_scale**2 * math.sqrt(self.size / (18 * self.dimension))

    def initial_gain_std(self, mean_gradient: float) -> float:
        """Standard deviation over initial weights of w0 = ⟨∇f⟩·v, from G²: v has no preferred direction."""
        return math.sqrt(mean_gradient * self.initial_value / self.size)
