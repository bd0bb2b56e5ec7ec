"""What a run is: everything that decides its result, and nothing else (the device is recorded beside the result)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import Any, Literal

from ...theory import Task
from ...theory.common.arguments import integer, number, python_number, require, within_memory
from ..data import items
from ..networks import controls  # noqa: F401  (registers its networks)
from ..networks.foreign import OWN, name_of, network_named


@dataclass(frozen=True)
class Run:
    """One network trained on one task with one seed.

    Times are gradient-flow times t = learning_rate × step, with momentum μ learning_rate/(1 − μ) × step; Adam follows
    no gradient flow, and its times are steps.

    Parameters
    ----------
    network : "minimal", "transformer", "cointegration", or one of your own
        The third is a minimal model whose contexts are averaged instead of drawn (:func:`cointegrated`). One of your
        own is a name known to :func:`register_network`, "package.module:factory", or the factory itself.
    task : Task
        N, K, D, label statistics, copies. A finite K must be even, D finite.
    seed : int >= 0
    width, layers : int
        Of the perceptron.
    learning_rate : float
        Of the attention parameters: (w, β), or LayerNorm and q, k, v.
    rate_ratio : float
        Learning rate of the perceptron over that of the attention.
    decay_attention, decay_memory : float
        Weight decay λ of the two groups, as in PyTorch's SGD: the gradient gains λ times the parameter.
    batch_size : int
    budget : float
        Training ends at this t.
    evaluate_every : float
        Interval in t between evaluations; rounded to whole steps.
    test_size : int
        Sequences in each of the two test sets.
    stop_acquired : bool
        End once ICL accuracy has been above 0.95; of the minimal model, both the network's and the circuit's.
    stop_memorised : float
        End when c1 falls below this; 0 for never.
    stop_lost : float
        End when ICL accuracy, once above 0.95, falls below this; 0 for never. Of the minimal model it is the circuit's.
    w0 : float
        Of the minimal model.
    beta0 : float, optional
        Score of a copy at the start. ``None`` draws the minimal model's from N(0, 1) with the run's seed. Of the
        transformer it is the mean over initial weights, by W_Q ← W_Q + 3b W_K with b = √2 β0/d, d = D + 2: the circuit
        of ICL alone, at an unchanged perceptron. Depth 1 only. Source: docs/reduced_transformer.md, the scores.
    frequency_exponent : float
        α of the items' frequencies p_k ∝ k^(−α).
    noise : float
        Within-class noise ε: every token shows (x_k + ε ξ)/√(1 + ε²), ξ ~ N(0, 1/D); 0 in the paper.
    depth : int
        Attention layers of the transformer, with perceptrons between them; 2 in the paper's figure A5.
    attention_scale : float
        Factor on W_Q and W_K of the transformer at the start: the initial scores scale with its square.
    residual_scale : float
        The transformer's normed target enters the residual times this; 1 in the paper. It changes how fast the
        perceptron memorises, as items of another length would, and nothing in the attention. Depth 1 only.
    optimiser, momentum : "sgd" or "adam", μ in [0, 1)
        See :mod:`..networks.optimisers`; the paper's is plain SGD.
    items : array (R, D) or str, optional
        Items of your own, or the name given to :func:`register_items`; K of them are learnt, the others are novel.
    scrambled : bool
        In training and in the IWL test, every context label is replaced by a fair coin: nothing can be learnt from the
        context, so that what is learnt is the memory's. The ICL test stays as it is. Needs a finite K.
    fresh_share : float, f in [0, 1)
        Share of the training sequences whose items and labels are fresh, as all are for K → ∞; needs a finite K.
    precision : "float32" or "bf16"
        Of the perceptron's matrix products in training; "bf16" is faster on a CPU with AVX-512 BF16, and can be trained
        there alone. Weights, sums and everything else stay float32. A minimal model, or a transformer of depth 1, by
        plain SGD.
    """

    network: str
    task: Task
    seed: int
    width: int = 512
    layers: int = 3
    learning_rate: float = 0.01
    rate_ratio: float = 1.0
    decay_attention: float = 0.0
    decay_memory: float = 0.0
    batch_size: int = 128
    budget: float = 1000.0
    evaluate_every: float = 5.0
    test_size: int = 2000
    stop_acquired: bool = False
    stop_memorised: float = 0.0
    w0: float = 0.0
    beta0: float | None = 0.0
    frequency_exponent: float = 0.0
    noise: float = 0.0
    depth: int = 1
    attention_scale: float = 1.0
    scrambled: bool = False
    stop_lost: float = 0.0
    residual_scale: float = 1.0
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.0
    items: str | None = None
    fresh_share: float = 0.0
    precision: Literal["float32", "bf16"] = "float32"

    def __post_init__(self) -> None:
        if callable(self.network):
            object.__setattr__(self, "network", name_of(self.network))
        if self.items is not None and not isinstance(self.items, str):
            object.__setattr__(self, "items", items.name_of(self.items))
        for field in fields(self):
            object.__setattr__(self, field.name, python_number(getattr(self, field.name)))
        require(isinstance(self.task, Task), "task", "be a Task", self.task)
        self.task.single()
        k = self.task.task_diversity
        require(isinstance(self.network, str), "network", "be a name or a factory", self.network)
        if self.foreign:
            network_named(self.network)
        require(math.isinf(k) or (k == int(k) and k % 2 == 0), "task_diversity", "be even or infinite", k)
        require(math.isfinite(self.task.dimension), "dimension", "be finite for a network", self.task.dimension)
        integer("seed", self.seed, minimum=0)
        for name in ("width", "layers", "batch_size", "test_size", "depth"):
            integer(name, getattr(self, name), minimum=1)
        for name in ("decay_attention", "decay_memory", "stop_memorised", "frequency_exponent", "noise", "stop_lost"):
            number(name, getattr(self, name), minimum=0.0)
        for name in ("learning_rate", "rate_ratio", "budget", "evaluate_every", "attention_scale", "residual_scale"):
            number(name, getattr(self, name), minimum=0.0, exclusive=True)
        number("w0", self.w0)
        number("beta0", 0.0 if self.beta0 is None else self.beta0)
        for name in ("stop_acquired", "scrambled"):
            require(isinstance(getattr(self, name), bool), name, "be True or False", getattr(self, name))
        require(self.optimiser in ("sgd", "adam"), "optimiser", "be sgd or adam", self.optimiser)
        require(0 <= number("momentum", self.momentum) < 1, "momentum", "be in [0, 1)", self.momentum)
        require(self.optimiser == "sgd" or not self.momentum, "momentum", "be 0 for Adam", self.momentum)
        require(not (self.scrambled and math.isinf(k)), "scrambled", "be False for infinite K", self.scrambled)
        require(0 <= number("fresh_share", self.fresh_share) < 1, "fresh_share", "be in [0, 1)", self.fresh_share)
        mixed = bool(self.fresh_share)
        require(not (mixed and math.isinf(k)), "fresh_share", "be 0 for infinite K", self.fresh_share)
        require(not (mixed and self.scrambled), "fresh_share", "be 0 for scrambled labels", self.fresh_share)
        require(self.precision in ("float32", "bf16"), "precision", "be float32 or bf16", self.precision)
        self._check_network()
        if self.items is not None:
            rows, columns = items.items_named(self.items).shape
            must = f"be {columns}, that of the items"
            require(self.task.dimension == columns, "dimension", must, self.task.dimension)
            must = f"be at most {rows - 2} for {rows} items: two must be left for the ICL test"
            require(math.isinf(k) or k <= rows - 2, "task_diversity", must, k)
            gaussian = self.network == "cointegration"
            require(not gaussian, "items", "be Gaussian for a co-integration", self.items)

    def _check_network(self) -> None:
        """Refuse what the network does not know."""
        transformer, averaged = self.network == "transformer", self.network == "cointegration"
        require(transformer or self.depth == 1, "depth", "be 1 unless the network is a transformer", self.depth)
        require(
            transformer or self.attention_scale == 1,
            "attention_scale", "be 1 unless the network is a transformer", self.attention_scale,
        )  # fmt: skip
        require(
            (transformer and self.depth == 1) or self.residual_scale == 1,
            "residual_scale", "be 1 unless the network is a transformer of depth 1", self.residual_scale,
        )  # fmt: skip
        known = not transformer or (self.beta0 is not None and (self.depth == 1 or not self.beta0))
        require(known, "beta0", "be a number for a transformer, and 0 for one of several layers", self.beta0)
        endless = math.isinf(self.task.task_diversity)
        require(not (averaged and endless), "task_diversity", "be finite for a co-integration", math.inf)
        for name in ("noise", "fresh_share"):
            require(not (averaged and getattr(self, name)), name, "be 0 for a co-integration", getattr(self, name))
        require(self.plain or not averaged, "optimiser", "be sgd without momentum for a co-integration", self.optimiser)
        by_hand = self.network in ("minimal", "transformer") and self.depth == 1 and self.plain and self.layers > 1
        must = "be float32 but for a minimal model, or a transformer of depth 1, of two layers or more by plain SGD"
        require(by_hand or self.precision == "float32", "precision", must, self.precision)
        inside = self.task.target_in_softmax and self.network not in ("minimal", "cointegration")
        require(not inside, "target_in_softmax", "be False: the target is a token of its own already", inside)
        grouped = not self.foreign or network_named(self.network).memory is not None
        must = "be 1 for a network of your own unless `memory` says which parameters are the memory's"
        require(grouped or self.rate_ratio == 1, "rate_ratio", must, self.rate_ratio)

    def with_(self, **changes: Any) -> Run:
        """A copy with other fields; ``context_length``, ``task_diversity`` and the like go to the task."""
        own = {name: value for name, value in changes.items() if name in self.__dataclass_fields__}
        rest = {name: value for name, value in changes.items() if name not in own}
        return replace(self, task=replace(own.pop("task", self.task), **rest), **own)

    @property
    def parameters(self) -> int:
        """Weights and biases of a perceptron that reads D-dimensional items."""
        sizes = [int(self.task.dimension), *[self.width] * (self.layers - 1), 1]
        return sum((a + 1) * b for a, b in pairwise(sizes))

    def check_memory(self, networks: int = 1) -> None:
        """Refuse what so many such networks must hold at once where the machine has less memory."""
        n, k, d = self.task.context_length, self.task.task_diversity, int(self.task.dimension)
        many = {"seeds": networks}
        weights = 4.0 * networks * ((d + self.width) * self.width if not self.foreign else 1)
        within_memory(weights, dimension=d, width=self.width, **many)
        if math.isfinite(k) and self.items is None:
            within_memory(4.0 * networks * k * d, task_diversity=k, dimension=d, **many)
        # labels of a test set and of a batch; the numbers of its tokens are more
        within_memory(4.0 * networks * n * self.test_size, context_length=n, test_size=self.test_size, **many)
        within_memory(4.0 * networks * n * self.batch_size, context_length=n, batch_size=self.batch_size, **many)

    @property
    def foreign(self) -> bool:
        """Whether the network is one of the user's own."""
        return self.network not in OWN

    @property
    def plain(self) -> bool:
        """Whether parameters follow their gradients and nothing else."""
        return self.optimiser == "sgd" and not self.momentum

    @property
    def time_step(self) -> float:
        """Time that one step lasts: η/(1 − μ), or 1 for Adam."""
        return 1.0 if self.optimiser == "adam" else self.learning_rate / (1 - self.momentum)

    @property
    def time_unit(self) -> str:
        """What times count."""
        if self.optimiser == "adam":
            return "steps"
        return "gradient-flow time, learning rate x step" + ("/(1 - momentum)" if self.momentum else "")

    @property
    def steps_between_evaluations(self) -> int:
        return max(1, round(self.evaluate_every / self.time_step))

    @property
    def evaluations(self) -> int:
        """Number of evaluations in a full run, the one at t = 0 included."""
        return 1 + math.ceil(self.budget / (self.steps_between_evaluations * self.time_step) - 1e-9)

    def as_json(self) -> dict[str, Any]:
        """The configuration whose content is the run's address in the store.

        A transformer's holds ``"residual": "normed"``. Earlier transformers added the attention to the raw target;
        theirs do not, so that a result of that network is never read as one of this.
        """
        content: dict[str, Any] = {"kind": "network", **asdict(self)}
        if self.network == "transformer":
            content["residual"] = "normed"
        # Fields that came after the first results were stored: at their defaults they leave those addresses alone.
        added = {"noise": 0.0, "depth": 1, "attention_scale": 1.0, "scrambled": False, "stop_lost": 0.0}
        added |= {"residual_scale": 1.0, "optimiser": "sgd", "momentum": 0.0}
        added |= {"items": None, "fresh_share": 0.0, "precision": "float32"}
        if self.items is not None:
            content["items"] = items.content_of(self.items)
        if self.foreign:
            content["source"] = network_named(self.network).source
        # How K → ∞ draws its sequences: another generator, another result.
        stream = {"stream": "philox"} if math.isinf(self.task.task_diversity) else {}
        return {name: value for name, value in content.items() if name not in added or value != added[name]} | stream


def json_text(value: Any, *, sort_keys: bool = False) -> str:
    """``value`` as standard JSON; infinities are written as strings, so that any reader can load it."""

    def plain(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {key: plain(inner) for key, inner in entry.items()}
        if isinstance(entry, list | tuple):
            return [plain(inner) for inner in entry]
        return str(entry) if isinstance(entry, float) and not math.isfinite(entry) else entry

    return json.dumps(plain(value), sort_keys=sort_keys, indent=1, allow_nan=False) + "\n"


def content_key(config: dict[str, Any]) -> str:
    """The address of a configuration's result: equal configurations share it."""
    return hashlib.sha256(json_text(config, sort_keys=True).encode()).hexdigest()[:20]


def addresses(runs: Sequence[Any]) -> str:
    """Where the calibration runs stand in the run store."""
    keys = [content_key(run.as_json()) for run in runs]
    return f"{len(keys)} runs ({', '.join(key[:8] for key in keys)})"
