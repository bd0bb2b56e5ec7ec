"""The coupled model: ICL parameters, memory circuit and weight decay in one system of equations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..theory import MeasuredMemory, Memory, PowerLawMemory, Task, acquired_beta
from ..theory.accuracy import ACQUIRED
from ..theory.common.arguments import integer, number, real, require
from ..theory.contexts.attention import ContextNodes, context_nodes
from .calls.tables import level_of_table, memory_tables
from .kernel import layout as at
from .kernel.contexts import averaged
from .kernel.field import coupled

Array = NDArray[np.float64]

#: Quantities that may differ between the trajectories of an ensemble.
PARAMETERS = (
    "context_length",
    "task_diversity",
    "dimension",
    "label_std",
    "copies",
    "decay_w",
    "decay_beta",
    "rate_ratio",
)


#: β below which ICL counts as lost where its level is 0 (balanced labels, D → ∞): decay brings β there, never to 0.
VANISHED = 1e-4


@lru_cache(maxsize=1024)
def _levels(
    accuracies: tuple[float, ...], length: float, copies: float, dimension: float, label_std: float, like: Task
) -> tuple[float, ...]:
    """β at which ICL accuracy reaches each of some levels: roots, which every call asks for again."""
    std = 1.0 if like.labels == "balanced" else label_std
    changed = replace(like, context_length=int(length), copies=int(copies), dimension=dimension, label_std=std)
    return tuple(float(acquired_beta(changed, accuracy)) for accuracy in accuracies)


@lru_cache(maxsize=64)
def _hermite_nodes(count: int) -> tuple[Array, Array]:
    """Nodes and weights of the average over a normal number: eigenvalues, which every call asks for again."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


@dataclass(frozen=True)
class EventLevels:
    """Levels whose crossing is an event.

    Parameters
    ----------
    acquired : float in (1/2, 1)
        ICL is acquired when ICL accuracy first exceeds this level.
    lost : float in (1/2, acquired], optional
        ICL is lost when, once acquired, accuracy falls below this level; ``acquired`` if not given.
    memorised : float in (0, 1/2)
        The training items are memorised when c1 = ⟨σ(−φ)⟩ falls below this level.

    Raises
    ------
    ValueError
        For a level outside its range.

    Source: paper, section 2 (0.95 for acquisition).

    Examples
    --------
    >>> EventLevels(acquired=0.9).lost
    0.9
    """

    acquired: float = ACQUIRED
    lost: float | None = None
    memorised: float = 0.05

    def __post_init__(self) -> None:
        acquired = number("acquired", self.acquired, minimum=0.5, maximum=1.0, exclusive=True)
        lost = acquired if self.lost is None else number("lost", self.lost)
        require(0.5 < lost <= acquired, "lost", "lie in (1/2, acquired]", lost)
        object.__setattr__(self, "acquired", acquired)
        object.__setattr__(self, "lost", lost)
        memorised = number("memorised", self.memorised, minimum=0.0, maximum=0.5, exclusive=True)
        object.__setattr__(self, "memorised", memorised)


@dataclass(frozen=True)
class CoupledModel:
    """Gradient flow of the ICL parameters (w, β) coupled to the memory circuit, with weight decay on (w, β).

        dw/dt = E[σ(−u) a] − λ_w w,   dβ/dt = E[σ(−u) w ∂a/∂β] − λ_β β,   u = φ + w a
        d(memory)/dt = r · memory.field(E[σ(−u)]),   dI_K/dt = ⟨σ(−φ)⟩

    Parameters
    ----------
    task : Task
        With D → ∞ or finite, i.i.d. or balanced labels, copies, target in the softmax. With rough attention
        (``score_std`` > 0) Z fluctuates too, and the average takes 65,536 nodes where it else takes 16.
    memory : PowerLawMemory or MeasuredMemory, optional
        Its state is the third component: the margin φ or the circuit's own clock J. Without one nothing is memorised
        (K → ∞), and I_K = t/2.
    decay_w, decay_beta : float, λ >= 0
        Weight decay of w and β, per unit of gradient-flow time.
    rate_ratio : float, r > 0
        Learning rate of the memory circuit over that of the attention, on top of the memory's own.
    nodes : int >= 2
        Hermite nodes of the average over the other context labels.
    contexts : ContextNodes, optional
        The contexts to average over where they are not all alike, such as those with repeated items, as nodes and
        weights; the task's own if not given. Accuracies and their levels are still the task's.

    Raises
    ------
    ValueError
        For a value outside its range, a memory without a finite K, or contexts that are not columns of finite numbers.

    Source: docs/derivation.md, "averaged gradient flow" and "memory law"; paper, section 4.

    Examples
    --------
    >>> from iclrace.theory import PowerLawMemory, Task
    >>> task = Task(context_length=100, task_diversity=1000)
    >>> CoupledModel(task, PowerLawMemory(amplitude=3.9, exponent=0.7), decay_w=1e-3, decay_beta=1e-3).components
    3
    """

    task: Task
    memory: Memory | None = None
    decay_w: float = 0.0
    decay_beta: float = 0.0
    rate_ratio: float = 1.0
    nodes: int = 16
    contexts: ContextNodes | None = None

    def __post_init__(self) -> None:
        require(isinstance(self.task, Task), "task", "be a Task", self.task)
        self.task.single()
        known = self.memory is None or isinstance(self.memory, PowerLawMemory | MeasuredMemory)
        require(known, "memory", "be None, a PowerLawMemory or a MeasuredMemory", self.memory)
        for name in ("decay_w", "decay_beta"):
            object.__setattr__(self, name, number(name, getattr(self, name), minimum=0.0))
        ratio = number("rate_ratio", self.rate_ratio, minimum=0.0, exclusive=True)
        object.__setattr__(self, "rate_ratio", ratio)
        object.__setattr__(self, "nodes", integer("nodes", self.nodes, minimum=2))
        if self.contexts is not None:
            require(isinstance(self.contexts, tuple), "contexts", "be ContextNodes or None", self.contexts)
            columns = [real("contexts", column) for column in self.contexts]
            shapes = {column.shape for column in columns}
            alike = len(columns) == 5 and len(shapes) == 1 and len(shapes.pop()) == 1
            require(alike, "contexts", "be five columns of one length", [column.shape for column in columns])
            object.__setattr__(self, "contexts", ContextNodes(*columns))
        elif self.task.score_std > 0.0:
            object.__setattr__(self, "contexts", context_nodes(self.task, nodes=self.nodes))

    @property
    def components(self) -> int:
        """State variables: 2 without a memory, 3 with one."""
        return 2 if self.memory is None else 3

    @property
    def kind(self) -> int:
        if self.memory is None:
            return at.NO_MEMORY
        return at.POWER_LAW if isinstance(self.memory, PowerLawMemory) else at.MEASURED

    @property
    def field(self) -> Any:
        """The compiled field that the solver follows."""
        return coupled if self.contexts is None else averaged

    def quadrature(self) -> Array:
        """What the field averages over: columns of the contexts, or non-negative nodes of the label sum with weights.

        A node at 0 stands for both of a pair, with half its weight.
        """
        if self.contexts is not None:
            return np.ascontiguousarray(self.contexts)
        nodes, weights = _hermite_nodes(self.nodes)
        kept = nodes > -1e-12
        return np.ascontiguousarray([nodes[kept], np.where(np.abs(nodes) < 1e-12, 0.5, 1.0)[kept] * weights[kept]])

    def default(self, parameter: str) -> float:
        """The model's own value of one of :data:`PARAMETERS`."""
        owner = self if parameter in ("decay_w", "decay_beta", "rate_ratio") else self.task
        return float(getattr(owner, parameter))

    def parameter_rows(self, parameters: Mapping[str, Array], count: int, levels: EventLevels) -> tuple[Array, Array]:
        """Kernel parameters (count, ·) and memory tables, for ``count`` trajectories that differ in ``parameters``."""
        value = {name: np.empty(count) for name in PARAMETERS}
        for name, each in value.items():
            each[:] = parameters.get(name, self.default(name))
        rows = np.zeros((count, at.PARAMETERS))
        copies, others = value["copies"], value["context_length"] - value["copies"]
        rows[:, at.COPIES], rows[:, at.OTHERS] = copies, others
        rows[:, at.PRESENT] = copies + float(self.task.target_in_softmax)
        rows[:, at.HALF_INVERSE_DIMENSION] = 0.5 / value["dimension"]
        if self.task.labels == "balanced":
            rows[:, at.LABEL_MEAN] = -copies
        else:
            rows[:, at.LABEL_DEVIATION] = value["label_std"] * np.sqrt(others)
        rows[:, at.DECAY_W], rows[:, at.DECAY_BETA] = value["decay_w"], value["decay_beta"]
        rows[:, at.LEVEL_ACQUIRED], rows[:, at.LEVEL_LOST] = self._accuracy_levels(value, levels)
        if self.task.labels == "balanced" and self.task.score_std == 0.0:
            # for D → ∞ the level is β = 0, where β rises while w > 0, and w rises from 0 while β > 0: no way out but
            # decay, under which both vanish without ever being 0
            endless = np.isinf(value["dimension"])
            decays = (value["decay_w"] > 0.0) | (value["decay_beta"] > 0.0)
            rows[endless, at.LEVEL_LOST] = np.where(decays[endless], VANISHED, -math.inf)
        rows[:, at.LEVEL_MEMORISED] = math.inf
        tables = np.zeros((1, 1, 3))
        if isinstance(self.memory, PowerLawMemory):
            rows[:, at.MEMORY_RATE] = self.memory.rate(value["task_diversity"]) * value["rate_ratio"]
            rows[:, at.INVERSE_MARGIN_SCALE] = 1.0 / self.memory.margin_scale
            rows[:, at.GROWTH_EXPONENT] = self.memory.growth_exponent
            rows[:, at.LEVEL_MEMORISED] = math.log(1.0 / levels.memorised - 1.0)  # c1 = σ(−φ)
        elif isinstance(self.memory, MeasuredMemory):
            diversities, which = np.unique(value["task_diversity"], return_inverse=True)
            tables = memory_tables(self.memory, diversities)
            rows[:, at.TABLE] = which
            rows[:, at.MEMORY_RATE] = self.memory.rate_ratio * value["rate_ratio"]
            rows[:, at.LEVEL_MEMORISED] = level_of_table(tables, levels.memorised)[which]
        return rows, tables

    def _accuracy_levels(self, value: Mapping[str, Array], levels: EventLevels) -> tuple[Array, Array]:
        """β at which theory has ICL accuracy reach the two levels, once for each distinct context."""
        context = np.stack([value[name] for name in ("context_length", "copies", "dimension", "label_std")], axis=1)
        if len(context) == 1 or (context == context[:1]).all():
            distinct, which = context[:1], np.zeros(len(context), dtype=np.intp)
        else:
            distinct, which = np.unique(context, axis=0, return_inverse=True)
        accuracies = levels.acquired, levels.lost or levels.acquired
        pairs = np.array([_levels(accuracies, *numbers, self.task) for numbers in distinct.tolist()])
        return pairs[which, 0], pairs[which, 1]

    def check_parameters(self, parameters: Mapping[str, ArrayLike] | None) -> dict[str, Array]:
        """Parameters as arrays in their ranges; ``ValueError`` names one that is unknown or out of range."""
        checked = {}
        for name, given in (parameters or {}).items():
            require(name in PARAMETERS, "parameters", f"name one of {', '.join(PARAMETERS)}", name)
            same = self.contexts is None or name not in ("context_length", "copies", "label_std")
            require(same, "parameters", "name nothing that the model's contexts are made of", name)
            minimum = {"context_length": 2.0, "task_diversity": 1.0, "dimension": 1.0, "copies": 1.0}.get(name, 0.0)
            array = real(name, given, minimum=minimum, finite=name not in ("task_diversity", "dimension"))
            if name in ("context_length", "copies"):
                require(np.all(array == np.rint(array)), name, "be an integer", given)
            if name == "rate_ratio":
                require(np.all(array > 0.0), name, "be positive", given)
            checked[name] = array
        length, copies = (checked.get(name, np.array(self.default(name))) for name in ("context_length", "copies"))
        require(
            length.max(initial=2) > 0 and copies.max(initial=1) < length.min(initial=np.inf),
            "copies",
            "stay below every context_length",
            copies.max(initial=1),
        )
        diversity = checked.get("task_diversity", np.array(self.default("task_diversity")))
        if isinstance(self.memory, MeasuredMemory):
            require(np.all(np.isfinite(diversity)), "task_diversity", "be finite with a MeasuredMemory", "inf")
        return checked
