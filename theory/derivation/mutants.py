"""Wrong variants of a statement: a sign, a factor or an exponent changed in one place."""

from collections.abc import Iterator
from typing import Any, cast

import mpmath
import sympy as sp


def mutants(statement: Any) -> Iterator[tuple[str, Any]]:
    """(what is changed, the changed statement), for an expression or a tuple of them.

    - sign: of the whole, of one term of a sum, of one exponential's argument;
    - factor: 2, of the whole and of one term of a sum;
    - exponent: one power raised by 1, one exponential squared, one symbol squared.

    Variants that equal the statement (−0, 1²) are left out.
    """
    if isinstance(statement, tuple):
        for i, part in enumerate(statement):
            for name, changed in mutants(part):
                yield f"part {i + 1}: {name}", (*statement[:i], changed, *statement[i + 1 :])
        return
    whole = sp.sympify(statement)
    seen = {whole}
    for name, changed in _variants(whole):
        if changed not in seen and not _equal(changed, whole):
            seen.add(changed)
            yield name, changed


def _variants(whole: Any) -> Iterator[tuple[str, Any]]:
    yield "sign", -whole
    yield "factor 2", 2 * whole
    if whole.is_number:
        yield "exponent 2", whole**2
    for symbol in sorted(whole.free_symbols, key=str):
        yield f"{symbol} squared", whole.subs(symbol, symbol**2)
    for site in _sites(whole):
        for name, changed in _changes(site):
            yield name, whole.xreplace({site: changed})


def _sites(whole: Any) -> list[Any]:
    nodes = [node for node in sp.preorder_traversal(whole) if isinstance(node, sp.Add | sp.Pow | sp.exp)]
    return list(dict.fromkeys(nodes))


def _changes(node: Any) -> Iterator[tuple[str, Any]]:
    site: Any = node  # sympy's types know less
    if isinstance(node, sp.Add):
        for term in cast("tuple[Any, ...]", site.args):
            yield f"sign of {term} in {site}", site - 2 * term
            yield f"factor 2 at {term} in {site}", site + term
    elif isinstance(node, sp.exp):
        yield f"sign in the exponent of {site}", sp.exp(-site.args[0])
        yield f"{site} squared", sp.exp(2 * site.args[0])
    elif not site.is_number:
        yield f"exponent of {site} raised", site.args[0] ** (site.args[1] + 1)


def _equal(first: Any, second: Any) -> bool:
    """Whether two expressions agree at a point: then one is no wrong variant of the other."""
    try:
        return abs(value_at(first - second, 0)) < 1e-15
    except (TypeError, ValueError, NameError, ZeroDivisionError, OverflowError):
        return False


def value_at(expression: Any, seed: int) -> complex:
    """The value, from 30 digits, at a rational point that is another for every symbol. sympy's own is a lot slower."""
    if expression.has(sp.zoo, sp.nan, sp.oo):
        raise ValueError(f"{expression} has no value.")
    symbols = sorted(expression.free_symbols, key=str)
    function = sp.lambdify(symbols, expression, modules="mpmath", cse=True)
    with mpmath.workdps(30):
        point = [mpmath.mpf(7 + 3 * i + 5 * seed) / (5 + 2 * i + 3 * seed) for i in range(len(symbols))]
        return complex(function(*point))
