"""What a predictor is, and those that the package knows beside its own theory."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...theory import Estimate
from ...theory.common.arguments import ArgumentError, require
from ..experiments.reduced_methods import METHODS
from .conditions import Condition, Known
from .coopetition import Coopetition
from .crossing import Crossing
from .laws import PowerLaw, Stated


class Rival(Protocol):
    """Says a quantity at a condition that it has not seen.

    - ``name``;
    - ``sees``: the kinds of calibration runs that it asks for; asking for another raises ``ProtocolError``;
    - ``fitted``: how many numbers it fits to what was measured. One that fits none is given no other condition;
    - ``predict(here, others)``: the value at ``here`` with its interval, or None where it says nothing. ``here`` holds
      no measurement; ``others`` are all other conditions with theirs;
    - ``theory``, where it is there and true: it is the theory's own, which the others are tested against.
    """

    @property
    def name(self) -> str: ...

    @property
    def sees(self) -> Sequence[str]: ...

    @property
    def fitted(self) -> int: ...

    def predict(self, here: Condition, others: Sequence[Known]) -> Estimate | None: ...


#: t_ICL ∝ √D N/m: attention that must find one of N tokens, or one of its m copies (Zucchet et al., 2505.17863).
SPARSE_ATTENTION: Mapping[str, float | None] = {"dimension": 0.5, "context_length": 1.0, "copies": -1.0}
#: Bits that one parameter holds (Song and Ye, 2605.09724); a label is one bit.
BITS_PER_PARAMETER = 2.16
#: Where the posterior odds of memorising and generalising are even (Wurgaft et al., 2506.17859): γ n^{1−α} ΔL, the
#: evidence of n ∝ T sequences, pays for K^β, the complexity of a memory. α, β, γ and ΔL enter K* as two numbers.
RATIONAL: Mapping[str, float | None] = {"budget": None}
_COORDINATES: Mapping[str, float | None] = dict.fromkeys(("context_length", "dimension", "width", "rate_ratio"))

RIVALS: Mapping[str, tuple[Rival, ...]] = {
    "K*": (
        Crossing("crossing of two times"),
        Crossing("sparse attention", PowerLaw("sparse attention", SPARSE_ATTENTION)),
        PowerLaw("capacity, parameters", {"parameters": 1.0}),
        PowerLaw("capacity, bits", {"parameters": 1.0}, BITS_PER_PARAMETER),
        Coopetition(),
        PowerLaw("rational predictor", RATIONAL),
        PowerLaw("regression", _COORDINATES),
        PowerLaw("mean of the others"),
    ),
    "t_ICL": (
        PowerLaw("sparse attention", SPARSE_ATTENTION),
        PowerLaw("regression", {"context_length": None}),
        PowerLaw("mean of the others"),
    ),
}


def predictors(known: Sequence[Known], quantity: str = "K*", more: Sequence[Rival] = ()) -> list[Rival]:
    """Every method that has predicted the quantity at one of the conditions, and the rivals that speak of it."""
    methods = dict.fromkeys(method for each in known for method in each.condition.predictions)
    return [*(Stated(method, theory=method in METHODS) for method in methods), *RIVALS.get(quantity, ()), *more]


def rival_named(name: str) -> Rival:
    """The rival that "package.module:object" imports.

    Raises
    ------
    ValueError
        If there is none.
    """
    module, colon, attribute = name.partition(":")
    must = 'be a rival as "package.module:object"'
    require(bool(colon and module and attribute), "with", must, name)
    try:
        rival: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ArgumentError(f"Argument 'with' must {must}, but {name!r} cannot be imported: {error}.") from error
    lacking = [field for field in ("name", "sees", "fitted", "predict") if not hasattr(rival, field)]
    require(not lacking, "with", f"have {', '.join(lacking) or 'all that a rival has'}", name)
    return rival
