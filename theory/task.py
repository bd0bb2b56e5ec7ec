"""The task: what a sequence is made of (docs/derivation.md, step 1; paper, section 2)."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .common.arguments import ArgumentError, broadcast, is_integer, numbers, require

#: The statistics that are numbers, in which a task may hold arrays.
NUMBERS = ("context_length", "task_diversity", "dimension", "label_std", "copies", "score_std")
COUNTS = ("context_length", "copies")
#: From here on not every integer is a float.
EXACT = 2**53


@dataclass(frozen=True, eq=False)
class Task:
    """Statistics of the synthetic in-context task.

    A sequence holds ``context_length`` = N item-label pairs, among them ``copies`` = m copies of the target, followed
    by the target item whose label is asked for. Items have entries N(0, 1/D); labels are ±1.

    Every statistic that is a number may be an array of numbers; they broadcast with each other and with whatever a
    function takes beside the task, and what it returns has their common shape. Simulations and networks are of one
    task each.

    Parameters
    ----------
    context_length : int, 2 <= N < 2^53
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
        For a value outside its range, or shapes that do not broadcast; the message names the argument.

    Examples
    --------
    >>> Task(context_length=100, task_diversity=2000, dimension=63).copies
    1
    >>> Task.from_len_context(101).context_length
    100
    >>> Task(context_length=[[25], [50]], dimension=[31, 63, 127]).shape
    (2, 3)
    """

    context_length: Any
    task_diversity: Any = math.inf
    dimension: Any = math.inf
    labels: Literal["iid", "balanced"] = "iid"
    label_std: Any = 1.0
    copies: Any = 1
    target_in_softmax: bool = False
    score_std: Any = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):  # a numpy scalar is as good as Python's own, and is stored as that
            value = getattr(self, field.name)
            if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
                object.__setattr__(self, field.name, value.item())
            elif field.name in NUMBERS and (isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0):
                object.__setattr__(self, field.name, _array(field.name, value))
            elif field.name in NUMBERS and is_integer(value) and abs(value) >= EXACT:
                object.__setattr__(self, field.name, float(numbers(field.name, value)))
        n, m, s = self.context_length, self.copies, self.label_std
        self._check("context_length", _integral(n) & (n >= 2) if _numeric(n) else False, "be an integer N in [2, 2^53)")
        for name, low, high, must in (
            ("task_diversity", 1, math.inf, "be K >= 1"),
            ("dimension", 1, math.inf, "be D >= 1"),
            ("label_std", 0, 1e100, "lie in [0, 1e100]"),
            ("score_std", 0, 20, "lie in [0, 20]"),
        ):
            value = getattr(self, name)
            self._check(name, (value >= low) & (value <= high) if _numeric(value) else False, must)
        known = isinstance(self.labels, str) and self.labels in ("iid", "balanced")
        require(known, "labels", 'be "iid" or "balanced"', self.labels)
        _ = self.shape
        good = _integral(m) & (m >= 1) & (m < n) if _numeric(m) else False
        self._check("copies", good, "be an integer in [1, N - 1]")
        boolean = isinstance(self.target_in_softmax, bool)
        require(boolean, "target_in_softmax", "be True or False", self.target_in_softmax)
        if self.labels == "balanced":
            self._check("context_length", n % 2 == 0, "be even when labels are balanced")
            self._check("copies", m <= n // 2, "be at most N/2 when labels are balanced")
            self._check("label_std", s == 1.0, "be 1 when labels are balanced")

    def _check(self, name: str, good: Any, must: str) -> None:
        """Refuse a statistic that is not good everywhere; of an array the first number that is not is named."""
        value = getattr(self, name)
        if np.all(good):
            return
        if np.ndim(value):
            together, bad = np.broadcast_arrays(value, ~np.asarray(good))
            index = np.argwhere(bad)[0]
            must, value = f"{must} everywhere", f"{together[tuple(index)]:g} at index {index.tolist()}"
            raise ArgumentError(f"Argument {name!r} must {must}, but it is {value}.")
        require(False, name, must, value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape to which its statistics broadcast; () where each is a single number."""
        values = {name: getattr(self, name) for name in NUMBERS}
        if not any(isinstance(value, np.ndarray) for value in values.values()):
            return ()
        return broadcast(**{name: np.asarray(value, dtype=np.float64) for name, value in values.items()})[0].shape

    def at(self, **statistics: Any) -> "Task":
        """The task with other numbers, which are not checked: N may lie between integers where formulas do not mind."""
        other = object.__new__(Task)
        for field in fields(self):
            value = statistics.get(field.name, getattr(self, field.name))
            whole = field.name in COUNTS and isinstance(value, float) and value.is_integer()
            object.__setattr__(other, field.name, int(value) if whole else value)
        return other

    def numbers(self) -> list[Any]:
        """The statistics that are numbers, or arrays of them."""
        return [getattr(self, name) for name in NUMBERS]

    def points(self, which: Any) -> "Task":
        """Of flat arrays of statistics those at an index or mask; of single numbers the task itself."""
        own = [name for name in NUMBERS if np.ndim(getattr(self, name))]
        return self.at(**{name: getattr(self, name)[which] for name in own}) if own else self

    def expanded(self) -> "Task":
        """Flat arrays of statistics with one axis more, which they share with whatever lies along it."""
        own = [name for name in NUMBERS if np.ndim(getattr(self, name))]
        return self.at(**{name: getattr(self, name)[..., None] for name in own}) if own else self

    def _numbers(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        own, others = self._numbers(), other._numbers()
        arrays = any(map(np.ndim, (*own, *others)))
        return all(map(np.array_equal, own, others)) if arrays else own == others

    def __hash__(self) -> int:
        self.single()
        return hash(self._numbers())

    def single(self) -> "Task":
        """The task itself, if it is one; arrays are refused by name."""
        for name in NUMBERS:
            value = getattr(self, name)
            require(type(value) in (int, float) or np.ndim(value) == 0, name, "be a single number here", value)
        return self

    @classmethod
    def from_len_context(cls, len_context: int, **statistics) -> "Task":
        """The task whose sequences have ``len_context`` tokens, the target included (the paper's N)."""
        require(is_integer(len_context) and len_context >= 3, "len_context", "be an integer >= 3", len_context)
        return cls(context_length=len_context - 1, **statistics)


def _array(name: str, value: object) -> NDArray[Any]:
    """An array of a statistic, of its own and read-only; counts as integers where they all are."""
    array = numbers(name, value)
    require(np.asarray(value).dtype.kind != "b", name, "be numbers", value)
    whole = name in COUNTS and bool(np.all(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < EXACT)))
    array = array.astype(np.int64) if whole else array.copy()
    array.setflags(write=False)
    return array


def _numeric(value: object) -> bool:
    return isinstance(value, int | float | np.ndarray) and not isinstance(value, bool)


def _integral(value: Any) -> Any:
    return np.isfinite(value) & (value == np.floor(value)) if isinstance(value, np.ndarray) else is_integer(value)
