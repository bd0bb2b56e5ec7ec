"""One step of the derivation: what is assumed, what follows, and the check that it does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import sympy as sp

CheckKind = Literal["identity", "limit", "series", "50 digits"]


@dataclass(frozen=True)
class Check:
    """A machine check of a step: ``residual()`` must vanish.

    ``kind`` says how: an ``"identity"``, ``"limit"`` or ``"series"`` by sympy, whose residual simplifies to exactly 0,
    or ``"50 digits"``: mpmath at 50 digits, whose residual must stay below ``tolerance``.
    """

    claim: str
    kind: CheckKind
    residual: Callable[[], Any]
    tolerance: float = 0.0

    def passes(self) -> bool:
        """Whether the residual vanishes."""
        residual = self.residual()
        if self.kind == "50 digits":
            return bool(abs(residual) < self.tolerance)
        return bool(sp.simplify(residual) == 0)


@dataclass(frozen=True)
class Step:
    """A step of the chain from the task to K*.

    Attributes
    ----------
    key : str
        Short name, by which other steps and :func:`iclrace.theory.symbolic.chain` refer to it.
    title : str
    assumptions : tuple of str
        What this step assumes beyond the steps above it.
    text : str
        How it follows, in words and formulas a reader can redo.
    equations : tuple of sympy relations
    checks : tuple of Check
    """

    key: str
    title: str
    assumptions: tuple[str, ...]
    text: str
    equations: tuple[sp.Basic, ...]
    checks: tuple[Check, ...]

    @property
    def latex(self) -> tuple[str, ...]:
        """The equations in LaTeX."""
        return tuple(sp.latex(equation, ln_notation=True) for equation in self.equations)

    def verify(self) -> None:
        """Run every check.

        Raises
        ------
        ArithmeticError
            If one fails; the message names the step and the claim.
        """
        for check in self.checks:
            if not check.passes():
                raise ArithmeticError(f"Step {self.key!r}: {check.claim} does not hold ({check.kind}).")
