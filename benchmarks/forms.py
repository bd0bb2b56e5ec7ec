"""Every public closed form of the theory with the arguments in which it takes arrays, and what is none and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from iclrace import theory
from iclrace.theory import MeasuredMemory, PowerLawMemory, Task

Range = tuple[float, float]

MEMORY = PowerLawMemory(3.9, 0.7)
#: Statistics of a task and between what numbers they lie, at random: N and m integers, K evenly in its logarithm.
STATISTICS: dict[str, Range] = {
    "context_length": (20, 1000),
    "task_diversity": (100.0, 1e5),
    "dimension": (15.0, 500.0),
    "label_std": (0.5, 1.5),
    "copies": (1, 8),
    "score_std": (0.5, 2.0),
}
#: What is held where another argument varies.
HELD: dict[str, Any] = {"context_length": 100, "task_diversity": 1000.0, "dimension": 63.0,
                        "label_std": 1.0, "copies": 1}  # fmt: skip


def measured_memory() -> MeasuredMemory:
    """A table of three task diversities, sixty readings each, that follows the homogeneous law."""
    diversities, margin = (250, 1000, 4000), np.linspace(0.0, 12.0, 60)
    return MeasuredMemory.from_runs(
        diversities,
        [MEMORY.clock(margin, k) for k in diversities],
        [MEMORY.c1(margin)] * 3,
        margins=[margin[:, None]] * 3,
    )


@dataclass(frozen=True)
class Form:
    """A closed form: its name in ``theory``, and the ranges of the arguments in which it takes arrays.

    ``held`` are other arguments; ``statistics`` those of its task that count, and may be arrays; ``task`` what else the
    task has, None if it takes none. ``variant`` tells calls of the same function apart.
    """

    name: str
    own: Mapping[str, Range] = field(default_factory=dict)
    held: Mapping[str, Any] = field(default_factory=dict)
    statistics: str = "NKDsm"
    task: Mapping[str, Any] | None = field(default_factory=dict)
    variant: str = ""

    @cached_property
    def function(self) -> Callable[..., Any]:
        owner, _, method = self.name.partition(".")
        return getattr(MADE[owner](), method) if method else getattr(theory, self.name)

    @property
    def label(self) -> str:
        return f"`{self.name}`{f', {self.variant}' if self.variant else ''}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """All in which it takes arrays, the task's statistics first."""
        return (*(NAMES[letter] for letter in self.statistics if self.task is not None), *self.own)

    def __call__(self, **given: Any) -> Any:
        """What it returns where the ``given`` arguments, arrays, vary and the others are held."""
        own = {name: given.get(name, _middle(*ends)) for name, ends in self.own.items()}
        if self.task is None:
            return self.function(**own, **self.held)
        task = HELD | dict(self.task) | {name: value for name, value in given.items() if name not in own}
        return self.function(task=Task(**task), **own, **self.held)

    def column(self, name: str, size: int) -> np.ndarray:
        """``size`` numbers at random for an argument: integers where its range is of integers."""
        rng = np.random.default_rng(1)
        low, high = self.own.get(name) or STATISTICS[name]
        if isinstance(low, int):
            even = 2 if name == "context_length" and (self.task or {}).get("labels") == "balanced" else 1
            return even * rng.integers(low // even, high // even, size)
        if low > 0.0 and high > 100.0 * low:
            return np.exp(rng.uniform(np.log(low), np.log(high), size))
        return rng.uniform(low, high, size)


def _middle(low: float, high: float) -> float:
    return (low + high) // 2 if isinstance(low, int) else 0.5 * (low + high)


NAMES = dict(zip("NKDsmσ", STATISTICS, strict=True))
MADE: dict[str, Callable[[], Any]] = {
    "PowerLawMemory": lambda: MEMORY,
    "MeasuredMemory": measured_memory,
    "AcquisitionDistribution": lambda: theory.acquisition_distribution(Task(100, dimension=63), 0.0, 1.0),
}

BETA0, W0, DECAY = (-1.0, 1.0), (-0.3, 0.3), (1e-5, 2e-3)
BUDGET, CLOCK, DIVERSITY = (1e3, 1e6), (20.0, 80.0), (200.0, 1e5)
TABLE = measured_memory()
PROBABILITY: dict[str, Range] = {"beta0_mean": BETA0, "beta0_std": (0.5, 1.5), "task_diversity": (50.0, 1e4), "w0": W0}
FIELD: dict[str, Range] = {"w": (0.5, 3.0), "beta": (0.0, 3.0), "margin": (0.0, 3.0)}
BALANCED, ROUGH = {"labels": "balanced", "dimension": 63.0}, {"score_std": 1.0}


def _averaged(name: str) -> list[Form]:
    """An average over contexts of each kind."""
    return [
        Form(name, FIELD),
        Form(name, FIELD, {"average": "binomial"}, variant="binomial"),
        Form(name, FIELD, {"repeats": True}, variant="repeats"),
        Form(name, FIELD, task=BALANCED, statistics="NKDm", variant="balanced"),
        Form(name, FIELD, task=ROUGH, statistics="NKDsmσ", variant="rough"),
    ]


FORMS: list[Form] = [
    Form("acquired_beta", {"accuracy": (0.8, 0.99)}),
    Form("acquired_beta", {"accuracy": (0.6, 0.9)}, task=BALANCED, statistics="NKDm", variant="balanced"),
    Form("acquired_beta", {"accuracy": (0.8, 0.99)}, task=ROUGH, statistics="NKDsmσ", variant="rough"),
    Form("icl_accuracy", {"w": (-1.0, 1.0), "beta": (0.0, 3.0)}),
    Form("icl_accuracy", {"w": (-1.0, 1.0), "beta": (0.0, 3.0)}, task=ROUGH, statistics="NKDsmσ", variant="rough"),
    Form("finite_accuracy", {"w": (0.5, 3.0), "beta": (0.0, 3.0), "memory_std": (0.0, 1.0)}),
    Form("iwl_accuracy", FIELD),
    Form("iwl_loss", FIELD),
    *_averaged("icl_field"),
    *_averaged("mean_residual"),
    *_averaged("population_loss"),
    *_averaged("loss_gradient"),
    *_averaged("loss_hessian"),
    Form("mills_ratio", {"x": (-5.0, 5.0)}, task=None),
    Form("log_mills_ratio", {"x": (-5.0, 5.0)}, task=None),
    Form("acquisition_clock", {"beta0": BETA0, "w0": W0, "drag": (0.1, 1.0)}, task=None),
    Form("crossover_slope", {"b": (-5.0, 5.0)}, task=None),
    Form("crossover_regimes", {"tolerance": (0.01, 0.2)}, task=None),
    Form("free_regime", {"context_length": (20, 1000), "tolerance": (0.02, 0.2)}, task=None),
    Form("early_drag", {"c2": (0.5, 1.0)}),
    Form("rough_attention", {"beta": BETA0, "c2": (0.5, 1.0)}, task=ROUGH, statistics="NKDsmσ"),
    Form("effective_context", task=ROUGH, statistics="NKDsmσ"),
    Form("acquisition_time", {"beta0": BETA0, "w0": W0, "accuracy": (0.8, 0.99)}),
    Form("acquisition_time", {"beta0": BETA0, "w0": W0, "until_beta": (1.5, 3.0)}, variant="to a β"),
    Form(
        "acquisition_time",
        {"beta0": BETA0, "w0": W0, "accuracy": (0.8, 0.99)},
        {"average": "binomial"},
        variant="binomial",
    ),
    Form(
        "acquisition_time",
        {"beta0": (0.2, 2.2), "w0": W0, "accuracy": (0.6, 0.9)},
        task=BALANCED,
        statistics="NKDm",
        variant="balanced",
    ),
    Form("clock_at_acquisition", {"beta0": BETA0, "w0": W0}),
    Form("clock_at_acquisition", {"beta0": (-0.5, 1.0), "w0": W0}, {"repeats": True}, variant="repeats"),
    Form("momentum_delay", {"beta0": BETA0, "w0": W0}),
    Form("ladder", {"beta0": BETA0, "w0": W0}),
    Form("time_of_clock", {"clock": CLOCK, "task_diversity": DIVERSITY}, {"memory": MEMORY}, task=None),
    Form(
        "time_of_clock", {"clock": CLOCK, "task_diversity": DIVERSITY}, {"memory": TABLE}, task=None, variant="measured"
    ),
    Form("delayed_time", {"clock": CLOCK, "task_diversity": DIVERSITY}, {"memory": MEMORY}, task=None),
    Form(
        "fresh_share_time",
        {"clock": CLOCK, "task_diversity": DIVERSITY, "fresh_share": (0.01, 0.5)},
        {"memory": MEMORY},
        task=None,
    ),
    Form(
        "fresh_share_time",
        {"clock": CLOCK, "task_diversity": DIVERSITY, "fresh_share": (0.01, 0.5)},
        {"memory": TABLE},
        task=None,
        variant="measured",
    ),
    Form("threshold", {"beta0": BETA0, "w0": W0, "budget": BUDGET}, {"memory": MEMORY}),
    Form("threshold", {"budget": BUDGET, "clock": CLOCK}, {"memory": MEMORY, "beta0": 0.0}, variant="given I*"),
    Form("threshold", {"beta0": BETA0, "w0": W0, "budget": BUDGET}, {"memory": TABLE}, variant="measured"),
    Form(
        "threshold",
        {"beta0": (-0.5, 1.0), "w0": W0, "budget": BUDGET},
        {"memory": MEMORY, "repeats": True},
        variant="repeats",
    ),
    Form("threshold_values", {"beta0": BETA0, "w0": W0, "budget": BUDGET}, {"memory": MEMORY}),
    Form("threshold_values", {"budget": BUDGET, "clock": CLOCK}, {"memory": MEMORY}, variant="given I*"),
    Form("threshold_slopes", {"beta0": BETA0, "w0": W0, "budget": BUDGET}, {"memory": MEMORY}),
    Form("acquisition_probability", PROBABILITY, {"memory": MEMORY}),
    Form("acquisition_probability", PROBABILITY, {"memory": MEMORY, "repeats": True}, variant="repeats"),
    Form("repeat_saddle"),
    Form("balanced_saddle", task=BALANCED, statistics="NKDm"),
    Form("skewed_contexts", {"skew": (0.0, 1.5)}, task={"task_diversity": 1000}, statistics="ND"),
    Form(
        "skewed_clock",
        {"task_diversity": (100, 2000), "skew": (0.0, 1.5), "time": (10.0, 1e5)},
        {"memory": MEMORY},
        task=None,
    ),
    Form(
        "skewed_clock_at_acquisition",
        {"skew": (0.0, 1.5), "beta0": BETA0, "w0": W0},
        task={"task_diversity": 1000},
        statistics="ND",
    ),
    Form("branch_point", {"beta": (0.5, 5.0)}),
    Form("branch_margin", {"decay": DECAY, "beta": (0.5, 5.0)}),
    Form("fold_margin", {"decay": DECAY}),
    Form("loss_product", {"decay": DECAY, "margin": (0.0, 3.0)}),
    Form("mean_transience_time", {"decay": DECAY, "acquired_margin": (0.0, 2.0)}, {"memory": MEMORY}),
    Form("fold", {"decay": DECAY}),
    Form("acquisition_fold", {"decay": DECAY}),
    Form("fixed_points", {"decay": DECAY, "margin": (2.0, 5.0)}),
    Form("critical_decay", {"c1": (0.1, 0.5), "c2": (0.5, 1.0)}),
    Form("transience_time", {"decay": DECAY, "acquired_margin": (0.0, 2.0)}, {"memory": MEMORY}),
    Form("phase", {"decay": (1e-5, 5e-3), "budget": BUDGET, "beta0": BETA0, "w0": W0}, {"memory": MEMORY}),
    Form("tail_time", {"decay": (1e-5, 1e-3), "beta0": (-4.0, -2.0)}),
    Form("tracking_weight", {"c3": (0.0, 1.0), "decay": DECAY}, task=None),
    Form(
        "conserved_weight",
        {
            "margin": (0.0, 5.0),
            "rate": (1e-3, 1e-2),
            "margin_scale": (0.5, 2.0),
            "growth_exponent": (1.1, 1.9),
            "since": (0.0, 1.0),
        },
        task=None,
    ),
    Form("weight_after_acquisition", {"clock": (0.0, 100.0), "w": (1.5, 2.5), "beta": (2.0, 3.0)}),
]
LAW, UNITS = {"task_diversity": DIVERSITY}, {"state": (0.0, 5.0)}
FORMS += [
    Form("PowerLawMemory.total_clock", LAW, task=None),
    Form("PowerLawMemory.critical_diversity", {"clock": CLOCK}, task=None),
    Form("PowerLawMemory.rate", LAW, task=None),
    Form("PowerLawMemory.field", {**UNITS, "residual": (0.0, 0.5), **LAW}, task=None),
    Form("PowerLawMemory.margins", UNITS, {"task_diversity": None}, task=None),
    Form("PowerLawMemory.clock", {"margin": (0.0, 5.0), **LAW}, task=None),
    Form("PowerLawMemory.margin", {"clock": CLOCK, **LAW}, task=None),
    *(Form(f"PowerLawMemory.{curve}", UNITS, {"task_diversity": None}, task=None) for curve in ("c1", "c2", "c3")),
    Form("MeasuredMemory.total_clock", LAW, task=None),
    Form("MeasuredMemory.critical_diversity", {"clock": CLOCK}, task=None),
    Form("MeasuredMemory.field", {**UNITS, "residual": (0.0, 0.5), **LAW}, task=None),
    Form("MeasuredMemory.margins", UNITS, {"task_diversity": 1000}, task=None),
    *(Form(f"MeasuredMemory.{curve}", UNITS, {"task_diversity": 1000}, task=None) for curve in ("c1", "c2", "c3")),
    Form("AcquisitionDistribution.time", {"beta0": BETA0}, task=None),
    *(Form(f"AcquisitionDistribution.{law}", {"time": (10.0, 5e3)}, task=None) for law in ("cdf", "sf", "pdf")),
    Form("AcquisitionDistribution.ppf", {"probability": (0.01, 0.99)}, task=None),
]

#: What is public and no closed form of numbers that may be arrays, and why.
OTHERS: dict[str, str] = {
    "AcquisitionDistribution.moment": "an integral over one law",
    "AcquisitionDistribution.rvs": "samples",
    "AcquisitionDistribution.tail_ratio": "three quantiles of one law",
    "Estimate": "a value with its interval",
    "Exponent": "a derived exponent",
    "FixedPoint": "a state that others return",
    "MeasuredMemory.critical_interval": "bounds of one reading of a table",
    "MeasuredMemory.from_runs": "reads a table",
    "MeasuredMemory.from_table": "reads a table",
    "MeasuredMemory.local_exponent": "differences within one table",
    "Memory": "what a memory law has to offer",
    "MemoryRun": "a table's run",
    "Rung": "a rung that others return",
    "Task": "a task",
    "acquisition_distribution": "makes the law of one task; its methods are listed",
    "copies_distribution": "nodes of one task, whose number depends on it",
    "effective_dimension": "an average over given items",
    "exponents": "derived by sympy",
    "item_frequencies": "K numbers of one K",
    "label_sum_nodes": "nodes of one task, whose number depends on it",
}
