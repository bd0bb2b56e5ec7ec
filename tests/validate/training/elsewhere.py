"""A device that any machine has: tensors on it are held by the CPU, and nothing mixes them with the CPU's own unseen.

Its name is "meta", which PyTorch knows everywhere. An operation on tensors of both places raises, as it does on CUDA;
so does reading one as numpy. What the host waits for, a number or a copy to it, is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = "meta"
#: Operations that take tensors of both places, and wait for it.
_TRANSFERS = ("aten.copy_", "aten._to_copy", "aten.index.", "aten.index_put", "aten._index_put", "aten._local_scalar")


def _is_there(device: object) -> bool:
    return device is not None and torch.device(device).type == DEVICE


class Elsewhere(torch.Tensor):
    """A tensor on the device; ``held`` is the CPU's."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype
        )

    def __init__(self, held):
        self.held = held

    @property
    def device(self):
        return torch.device(DEVICE)

    def cpu(self):
        _State.waits.append("cpu")
        return self.held.clone()

    def numpy(self):
        raise TypeError("numpy cannot read a tensor that is not the CPU's")

    def to(self, *arguments, **settings):
        device = arguments[0] if arguments else settings.get("device")
        if isinstance(device, str | torch.device) and not _is_there(device):
            _State.waits.append("to")
            return self.held.clone().to(*arguments, **settings)
        return super().to(*arguments, **settings)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _State:
    waits: list[str]


def _run(func, args, kwargs):
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [leaf for leaf in leaves if isinstance(leaf, Elsewhere)]
    here = [leaf for leaf in leaves if not isinstance(leaf, Elsewhere) and leaf.ndim]
    name = str(func)
    if there and here:
        if not name.startswith(_TRANSFERS):
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        _State.waits.append(name)
    if name.startswith("aten._local_scalar") and there:
        _State.waits.append(name)

    def unwrapped(leaf):
        if isinstance(leaf, torch.device):
            return torch.device("cpu")
        return leaf.held if isinstance(leaf, Elsewhere) else leaf

    device = kwargs.get("device")
    if device is not None and _is_there(device) and here:
        _State.waits.append(f"{name} to the device")
    found = func(*tree_map(unwrapped, args), **tree_map(unwrapped, kwargs))
    own = {id(one.held): one for one in there}  # what is changed in place stays the tensor that it was
    if not (_is_there(device) if device is not None else bool(there)):
        return found
    return tree_map(
        lambda o: (own[id(o)] if id(o) in own else Elsewhere(o)) if isinstance(o, torch.Tensor) else o, found
    )


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Literals(TorchFunctionMode):
    """What PyTorch decides before it dispatches: where ``torch.tensor`` and ``to(other)`` put a tensor."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.tensor and _is_there(kwargs.get("device")):
            _State.waits.append("torch.tensor on the device")
            return Elsewhere(func(*args, **{**kwargs, "device": "cpu"}))
        if func is torch.Tensor.to and len(args) == 2 and isinstance(args[1], Elsewhere):
            return args[0].to(DEVICE).to(args[1].dtype)
        return func(*args, **kwargs)


@contextmanager
def elsewhere() -> Iterator[list[str]]:
    """Inside, the device exists; yields the list of what the host waited for."""
    _State.waits = []
    with _Literals(), _Mode():
        yield _State.waits
