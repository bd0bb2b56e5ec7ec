"""One step of the derivation: what is assumed, what follows, the checks that it does, and where it holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import sympy as sp

from .mutants import mutants, value_at

CheckKind = Literal["identity", "limit", "series", "50 digits"]
KINDS: tuple[CheckKind, ...] = ("identity", "limit", "series", "50 digits")


@dataclass(frozen=True)
class Check:
    """A machine check of a step: ``residual(statement)`` must vanish, and must not for a statement that is wrong.

    ``residual`` derives the quantity anew, from the steps above or from the definition, and compares it with the
    ``statement``, the formula as it stands on the page. So the check can fail: :meth:`wrong` lists variants of the
    statement, with a sign, a factor or an exponent changed in one place, and limits taken elsewhere, each of which it
    has to refuse.

    ``kind`` says how the residual vanishes: an ``"identity"``, ``"limit"`` or ``"series"`` by sympy, to exactly 0, or
    ``"50 digits"``: mpmath at 50 digits, below ``tolerance``. The residual of a limit takes the point as a second
    argument, ``at``; ``elsewhere`` holds points at which the statement is false.
    """

    claim: str
    kind: CheckKind
    statement: Any
    residual: Callable[..., Any]
    tolerance: float = 0.0
    at: Any = None
    elsewhere: tuple[Any, ...] = ()
    also_wrong: dict[str, Any] = field(default_factory=dict)

    def passes(self, statement: Any = None, at: Any = None) -> bool:
        """Whether the residual vanishes, for the statement of the page or for another one."""
        statement = self.statement if statement is None else statement
        point = self.at if at is None else at
        residual = self.residual(statement) if point is None else self.residual(statement, point)
        if self.kind == "50 digits":
            return bool(abs(residual) < self.tolerance)
        return vanishes(residual)

    def wrong(self) -> Iterator[tuple[str, Any, Any]]:
        """(what is changed, statement, limit point) of every wrong variant."""
        for name, variant in mutants(self.statement):
            yield name, variant, None
        for name, variant in self.also_wrong.items():
            yield name, variant, None
        for point in self.elsewhere:
            yield f"limit at {point}", self.statement, point


def vanishes(residual: Any) -> bool:
    """Whether an expression is 0: refuted by its value at two points, proved by sympy."""
    expression = sp.sympify(residual)
    for seed in (0, 1):
        try:
            value = value_at(expression, seed)
        except (TypeError, ValueError, NameError, ZeroDivisionError, OverflowError):
            continue
        if value == value and abs(value) > 1e-12:
            return False
    return bool(sp.simplify(expression) == 0)


def eq(left: Any, right: Any) -> sp.Basic:
    """left = right as it is written: sympy is not asked whether it is true."""
    return sp.Eq(left, right, evaluate=False)


def latex(equation: sp.Basic) -> str:
    """An equation in LaTeX."""
    return sp.latex(equation, ln_notation=True)


@dataclass(frozen=True)
class Validity:
    """What a step says, where it was shown to hold, how far off it is there, and the code that states the error.

    ``error`` is measured: the tests of the functions named in ``code`` hold it.
    """

    statement: str
    domain: str
    error: str
    code: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A step of the chain from the task to K* and beyond.

    Attributes
    ----------
    key : str
        Short name, by which other steps and :func:`iclrace.theory.derivation.chain` refer to it.
    title : str
    assumptions : tuple of str
        What this step assumes beyond the steps above it.
    body : tuple of str and sympy relations
        How it follows: words and equations in the order in which a reader can redo it.
    checks : tuple of Check
    validity : Validity
    """

    key: str
    title: str
    assumptions: tuple[str, ...]
    body: tuple[Any, ...]
    checks: tuple[Check, ...]
    validity: Validity

    @property
    def text(self) -> str:
        """The words alone."""
        return " ".join(part for part in self.body if isinstance(part, str))

    @property
    def equations(self) -> tuple[sp.Basic, ...]:
        """The equations alone."""
        return tuple(part for part in self.body if not isinstance(part, str))

    @property
    def latex(self) -> tuple[str, ...]:
        """The equations in LaTeX."""
        return tuple(latex(equation) for equation in self.equations)
