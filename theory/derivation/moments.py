"""Averages over random weights, exactly: polynomials in independent variables of given variance."""

from collections.abc import Mapping
from typing import Any

import sympy as sp


def uniform_variance(fan_in: Any) -> Any:
    """Variance of an entry of PyTorch's default weights, even between ±1/√fan_in: 1/(3 fan_in)."""
    x, bound = sp.symbols("x bound", positive=True)
    return sp.integrate(x**2 / (2 * bound), (x, -bound, bound)).subs(bound, 1 / sp.sqrt(fan_in))


def moment(polynomial: Any, variances: Mapping[sp.Symbol, Any]) -> Any:
    """⟨polynomial⟩ over independent normal variables of mean 0: (2n − 1)!! σ²ⁿ for each power 2n, none for odd ones."""
    total = sp.Integer(0)
    for powers, coefficient in sp.Poly(sp.expand(polynomial), *variances).terms():
        if any(power % 2 for power in powers):
            continue
        factors = [
            sp.factorial2(power - 1) * v ** (power // 2) for power, v in zip(powers, variances.values(), strict=True)
        ]
        total += coefficient * sp.prod(factors)
    return total
