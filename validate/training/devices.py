"""Where training runs: refused at once where this machine, or its PyTorch, has no such device."""

from __future__ import annotations

import re

import torch

from ...theory.common.arguments import require
from ..networks.bfloat16 import is_supported


def usable(device: str) -> str:
    """``device`` itself, "cpu", "cuda" or "cuda:1"; ``ValueError`` if it cannot be trained on here."""
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", str(device))
    require(match is not None, "device", "be cpu, cuda, or cuda:0, cuda:1, … where there are several", device)
    if device != "cpu":
        built = torch.version.cuda is not None
        count = torch.cuda.device_count() if built else 0
        available = (
            f"PyTorch finds {count or 'no'} GPU" if built else f"PyTorch {torch.__version__} was built without CUDA"
        )
        must = f"be {f'below cuda:{count}' if count else 'cpu'} here, for {available}"
        require(int((match and match[1]) or 0) < count, "device", must, device)
    return device


def multiplies(precision: str, device: str) -> None:
    """``ValueError`` if the device, which is usable, has no products of this ``precision``, "float32" or "bf16"."""
    here = "be float32 on a GPU" if device != "cpu" else "be float32 here, for this processor has no AVX-512 BF16"
    require(precision == "float32" or (device == "cpu" and is_supported()), "precision", here, precision)
