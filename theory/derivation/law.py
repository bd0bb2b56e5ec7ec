"""A result of the theory as an expression, with its symbols by the package's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp


@dataclass(frozen=True)
class Law:
    """A result of the theory.

    Attributes
    ----------
    name : str
        As the package writes it: "t_ICL", "K*", "dw/dt", …
    expression : sympy.Expr
        Of positive and real symbols, with the Mills ratio as :class:`Mills`.
    symbols : mapping from str to sympy.Symbol
        Its symbols by the words of the package's arguments: ``symbols["context_length"]`` is N.
    step : str
        The step of the derivation in which it is derived (:func:`chain`).
    """

    name: str
    expression: sp.Expr
    symbols: Mapping[str, sp.Symbol]
    step: str

    def function(self, *arguments: str, **values: Any) -> Callable[..., Any]:
        """The expression as a numpy function of ``arguments``, by name and in this order, others at ``values``.

        Arrays broadcast as in numpy. A number may be put in for a symbol: ``copies=1``.

        Raises
        ------
        ValueError
            If a name is none of the law's symbols, or one is missing.

        Examples
        --------
        >>> from iclrace.theory.derivation import laws
        >>> time = laws()["t_ICL"].function("context_length", "beta0", copies=1, label_std=1, w0=0)
        >>> time(100, 0.0).round(2)   # to the blow-up, K → ∞
        np.float64(273.64)
        """
        given = {*arguments, *values}
        if given != set(self.symbols):
            raise ValueError(
                f"Arguments of {self.name} must be {', '.join(self.symbols)}, but they are {', '.join(sorted(given))}."
            )
        fixed = self.expression.subs({self.symbols[name]: value for name, value in values.items()})
        return sp.lambdify([self.symbols[name] for name in arguments], fixed, ["scipy", "numpy"])


def law(name: str, expression: Any, step: str, words: Mapping[sp.Symbol, str]) -> Law:
    """A law whose symbols are called by ``words``, in their order there."""
    present = expression.free_symbols
    return Law(name, expression, {word: symbol for symbol, word in words.items() if symbol in present}, step)
