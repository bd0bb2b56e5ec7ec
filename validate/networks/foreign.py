"""Networks of the user's own: any module from tokens (B, N + 1, D + 2) to logits (B,), trained like the package's.

The tokens are those of the task: an item with its one-hot label, D + 2 numbers, the target last with an empty label.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...theory.common.arguments import ArgumentError, require
from ..data.batches import Batch
from .stacked import Parameters, initialise, sequence_tokens

if TYPE_CHECKING:
    from ..training.config import Run

#: Builds a module for a run: its task's dimension D and context length N, its width and layers.
Factory = Callable[["Run"], nn.Module]
#: Names of the package's own networks.
OWN = ("minimal", "transformer", "cointegration")


@dataclass(frozen=True)
class ForeignNetwork:
    """A registered network.

    Parameters
    ----------
    factory : callable
        Run → module.
    memory : callable, optional
        Whether a parameter of the given name belongs to the memory: ``rate_ratio`` and ``decay_memory`` act on these,
        ``decay_attention`` on all others. None: no parameter does.
    """

    factory: Factory
    memory: Callable[[str], bool] | None = None

    @property
    def source(self) -> str:
        """Hash of the source that defines it, a part of the address of its results."""
        text = "".join(_source_of(function) for function in (self.factory, self.memory) if function is not None)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


_registered: dict[str, ForeignNetwork] = {}


def register_network(name: str, factory: Factory, *, memory: Callable[[str], bool] | None = None) -> str:
    """Make a network of your own known as ``Run(network=name)``; returns the name.

    Without registering, ``Run(network=factory)`` and the name "package.module:factory" do the same, the latter in
    other processes, too.

    Parameters
    ----------
    name : str
        Any but the package's own.
    factory : callable
        Run → ``torch.nn.Module`` from tokens (B, N + 1, D + 2) to logits (B,). It must be deterministic and hold no
        state but its parameters and constant buffers; its parameters are drawn under the run's seed.
    memory : callable, optional
        str → bool, whether the parameter of that name is the memory's (:class:`ForeignNetwork`).

    Raises
    ------
    ValueError
        For a name of the package's own, or a factory that cannot be called.

    Examples
    --------
    >>> from torch import nn
    >>> def bag_of_tokens(run):
    ...     size = run.task.context_length + 1
    ...     return nn.Sequential(nn.Flatten(), nn.Linear(size * (int(run.task.dimension) + 2), 1), nn.Flatten(0))
    >>> register_network("bag of tokens", bag_of_tokens)
    'bag of tokens'
    """
    require(isinstance(name, str) and bool(name) and name not in OWN, "name", f"not be one of {', '.join(OWN)}", name)
    require(callable(factory), "factory", "be callable", factory)
    require(memory is None or callable(memory), "memory", "be callable", memory)
    _registered[name] = ForeignNetwork(factory, memory)
    return name


def name_of(factory: Factory) -> str:
    """The name "package.module:factory" of a factory, registered under it if it is not yet."""
    name = f"{factory.__module__}:{factory.__qualname__}"
    if name not in _registered or _registered[name].factory is not factory:
        register_network(name, factory)
    return name


def network_named(name: str) -> ForeignNetwork:
    """The registered network of that name, or the factory that "package.module:factory" imports."""
    if name in _registered:
        return _registered[name]
    module, colon, attribute = name.partition(":")
    known = ", ".join((*OWN, *_registered))
    must = f'be one of {known}, a factory, or the name of one as "package.module:factory"'
    require(bool(colon and module and attribute), "network", must, name)
    try:
        factory: Any = importlib.import_module(module)
        for part in attribute.split("."):
            factory = getattr(factory, part)
    except (ImportError, AttributeError) as error:
        raise ArgumentError(f"Argument 'network' must {must}, but {name!r} cannot be imported: {error}.") from error
    register_network(name, factory)
    return _registered[name]


def _source_of(function: Callable[..., Any]) -> str:
    """The source of the module that defines a function; its own where that has no file, as in a notebook."""
    module = sys.modules.get(getattr(function, "__module__", ""))
    for source in (module, function):
        try:
            if source is not None:
                return inspect.getsource(source)
        except (OSError, TypeError):
            continue
    raise ArgumentError(f"Argument 'network' must be defined where its source can be read, but it is {function!r}.")


class ForeignEnsemble:
    """Stacked modules of the user's own.

    They are computed together by ``torch.func.vmap`` where it knows every operation, and one after another elsewhere.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.network = run, network_named(run.network)
        with torch.random.fork_rng(devices=[]):
            self.template = self._build()
        self.buffers = dict(self.template.named_buffers())
        self.together = self._check()

    def _build(self) -> nn.Module:
        module = self.network.factory(self.run)
        require(isinstance(module, nn.Module), "network", "return a torch.nn.Module", module)
        require(any(True for _ in module.parameters()), "network", "return a module with parameters", module)
        return module

    def _check(self) -> bool:
        """Whether vmap can compute it; refuses what is no function from tokens to logits."""
        tokens = torch.randn(3, self.run.task.context_length + 1, int(self.run.task.dimension) + 2)
        tokens = tokens.to(next(self.template.parameters()).dtype)
        before = {name: value.clone() for name, value in self.buffers.items()}
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            generator = torch.get_rng_state()
            logits = self.template(tokens)
            drawn = not torch.equal(torch.get_rng_state(), generator)
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else logits
        require(shape == (3,), "network", "return logits of shape (B,) for tokens (B, N + 1, D + 2)", shape)
        require(not drawn, "network", "be deterministic", "a module that draws random numbers (dropout?)")
        kept = all(torch.equal(value, before[name]) for name, value in self.template.named_buffers())
        require(kept, "network", "leave its buffers alone (no running statistics)", sorted(before))
        stacked = {name: value.detach()[None] for name, value in self.template.named_parameters()}
        try:
            with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
                vmap(self._one, in_dims=(0, 0))(stacked, tokens[None])
        except (RuntimeError, NotImplementedError):
            return False
        return True

    def _one(self, parameters: Parameters, tokens: Tensor) -> Tensor:
        buffers = {
            name: value.to(tokens.device, tokens.dtype) if value.is_floating_point() else value.to(tokens.device)
            for name, value in self.buffers.items()
        }
        return functional_call(self.template, (parameters, buffers), (tokens,))

    def initialise(self, seeds: Sequence[int], dimension: int, width: int, layers: int) -> Parameters:
        """Parameters of every network under its own seed."""
        return initialise(lambda _: self._build(), seeds)

    def forward(self, parameters: Parameters, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits z, (S, B), twice: there is no separate memory output."""
        tokens = sequence_tokens(batch)
        if self.together:
            with sdpa_kernel(
                SDPBackend.MATH
            ):  # the fused attentions have no rule for stacks: they would run one by one
                logits = vmap(self._one, in_dims=(0, 0))(parameters, tokens)
        else:
            alone = [{name: value[s] for name, value in parameters.items()} for s in range(len(tokens))]
            logits = torch.stack([self._one(network_weights, tokens[s]) for s, network_weights in enumerate(alone)])
        return logits, logits
