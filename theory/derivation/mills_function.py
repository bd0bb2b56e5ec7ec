"""The Mills ratio as a function that sympy can differentiate, expand, print and evaluate."""

from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ..acquisition.mills import mills_ratio


class Mills(sp.Function):
    """M(x) = √(π/2) e^{x²/2} erfc(x/√2), with M′ = x M − 1.

    ``diff``, ``subs``, ``series`` (at a point and at ∞), ``evalf``, ``rewrite(erfc)``, ``latex`` and ``lambdify`` know
    it. A lambdified expression calls :func:`iclrace.theory.mills_ratio`, which is accurate where e^{x²/2} overflows;
    with mpmath's numbers it is evaluated by mpmath. For other printers than Python's, rewrite it as erfc first.

    Source: docs/derivation.md, "solution without drag".

    Examples
    --------
    >>> x = sp.Symbol("x")
    >>> Mills(x).diff(x), Mills(0), round(float(Mills(1)), 6)
    (x*Mills(x) - 1, sqrt(2)*sqrt(pi)/2, 0.65568)
    """

    nargs = 1

    @classmethod
    def eval(cls, *args: Any) -> Any:
        (x,) = args
        if x.is_zero:
            return sp.sqrt(sp.pi / 2)
        if x is sp.oo:
            return sp.S.Zero
        if x is -sp.oo:
            return sp.oo
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        """x M(x) − 1."""
        if argindex != 1:
            raise sp.core.function.ArgumentIndexError(self, argindex)
        x: Any = self.args[0]
        return x * Mills(x) - sp.S.One

    def _eval_is_positive(self) -> Any:
        return self.args[0].is_extended_real

    def _eval_is_extended_real(self) -> Any:
        return self.args[0].is_extended_real

    def _eval_evalf(self, prec: int) -> Any:
        argument: Any = self.args[0]
        x = argument._eval_evalf(prec)
        if not x.is_number:
            return None
        with mpmath.workprec(prec + 10):
            return sp.Float._new(_by_mpmath(x._to_mpmath(prec + 10))._mpf_, prec) if x.is_real else None

    def _eval_rewrite_as_erfc(self, x: Any, **_: Any) -> Any:
        return sp.sqrt(sp.pi / 2) * sp.exp(x**2 / 2) * sp.erfc(x / sp.sqrt(2))

    def _eval_rewrite_as_erf(self, x: Any, **_: Any) -> Any:
        return sp.sqrt(sp.pi / 2) * sp.exp(x**2 / 2) * (1 - sp.erf(x / sp.sqrt(2)))

    def _eval_aseries(self, n: int, args0: Any, x: Any, logx: Any) -> Any:
        """1/x − 1/x³ + 3/x⁵ − …, the asymptotic series at +∞; elsewhere that of its erfc."""
        if args0[0] is not sp.oo:
            return self.rewrite(sp.erfc)._eval_nseries(x, n, logx)
        z: Any = self.args[0]
        terms = [(-1) ** k * sp.factorial2(2 * k - 1) / z ** (2 * k + 1) for k in range(n)]
        return sp.Add(*(term for k, term in enumerate(terms) if 2 * k + 1 < n)) + sp.Order(1 / z**n, x)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"M{power}{{\left({printer._print(self.args[0])}\right)}}"

    @staticmethod
    def _imp_(x: Any) -> Any:
        """What ``lambdify`` calls."""
        return _by_mpmath(x) if isinstance(x, mpmath.mpf) else mills_ratio(np.asarray(x))


def _by_mpmath(x: Any) -> Any:
    return mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(x * x / 2) * mpmath.erfc(x / mpmath.sqrt(2))
