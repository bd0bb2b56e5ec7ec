"""The task: what a sequence is made of (docs/derivation.md, step 1; paper, section 2)."""

import math
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from ._arguments import is_integer, require


@dataclass(frozen=True)
class Task:
    """Statistics of the synthetic in-context task.

    A sequence holds ``context_length`` = N item-label pairs, among them ``copies`` = m copies of the target, followed
    by the target item whose label is asked for. Items have entries N(0, 1/D); labels are ±1.

    Parameters
    ----------
    context_length : int, N >= 2
        Context pairs, the copy included and the target not. The paper's ``len_context`` is N + 1
        (see :meth:`from_len_context`).
    task_diversity : float, K >= 1
        Number of item-label pairs; ``inf`` draws fresh ones for every sequence, so that nothing can be memorised.
    dimension : float, D >= 1
        Item dimension; ``inf`` makes distinct items exactly orthogonal.
    labels : "iid" or "balanced"
        Independent context labels, or exactly N/2 of each sign (then N must be even).
    label_std : float in [0, 1e100], s
        Standard deviation of a single context label (1 for ±1 labels). Balanced labels have s = 1.
    copies : int, 1 <= m < N
        Copies of the target in the context (burstiness).
    target_in_softmax : bool
        The target itself also takes part in the softmax, with label 0.
    score_std : float in [0, 20], σ_s
        Standard deviation of a frozen Gaussian term of every attention score (rough initial attention).

    Raises
    ------
    ValueError
        For a value outside its range; the message names the argument.

    Examples
    --------
    >>> Task(context_length=100, task_diversity=2000, dimension=63).copies
    1
    >>> Task.from_len_context(101).context_length
    100
    """

    context_length: int
    task_diversity: float = math.inf
    dimension: float = math.inf
    labels: Literal["iid", "balanced"] = "iid"
    label_std: float = 1.0
    copies: int = 1
    target_in_softmax: bool = False
    score_std: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):  # a numpy scalar is as good as Python's own, and is stored as that
            value = getattr(self, field.name)
            if isinstance(value, np.generic):
                object.__setattr__(self, field.name, value.item())
        n = self.context_length
        require(is_integer(n) and n >= 2, "context_length", "be an integer N >= 2", n)
        require(
            _is_number(self.task_diversity) and self.task_diversity >= 1,
            "task_diversity",
            "be K >= 1",
            self.task_diversity,
        )
        require(_is_number(self.dimension) and self.dimension >= 1, "dimension", "be D >= 1", self.dimension)
        known = isinstance(self.labels, str) and self.labels in ("iid", "balanced")
        require(known, "labels", 'be "iid" or "balanced"', self.labels)
        require(
            _is_number(self.label_std) and 0 <= self.label_std <= 1e100,
            "label_std",
            "lie in [0, 1e100]",
            self.label_std,
        )
        require(is_integer(self.copies) and 1 <= self.copies < n, "copies", "be an integer in [1, N - 1]", self.copies)
        require(
            _is_number(self.score_std) and 0 <= self.score_std <= 20,
            "score_std",
            "lie in [0, 20]",
            self.score_std,
        )
        boolean = isinstance(self.target_in_softmax, bool)
        require(boolean, "target_in_softmax", "be True or False", self.target_in_softmax)
        if self.labels == "balanced":
            require(n % 2 == 0, "context_length", "be even when labels are balanced", n)
            require(self.copies <= n // 2, "copies", "be at most N/2 when labels are balanced", self.copies)
            require(self.label_std == 1.0, "label_std", "be 1 when labels are balanced", self.label_std)

    @classmethod
    def from_len_context(cls, len_context: int, **statistics) -> "Task":
        """The task whose sequences have ``len_context`` tokens, the target included (the paper's N)."""
        require(is_integer(len_context) and len_context >= 3, "len_context", "be an integer >= 3", len_context)
        return cls(context_length=len_context - 1, **statistics)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
