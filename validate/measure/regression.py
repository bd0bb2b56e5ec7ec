"""Does the theory predict a condition better than a regression on the conditions' own variables?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...theory._arguments import require
from ..claim import Claim
from ..values import ends

Array = NDArray[np.float64]

#: What ln K* is regressed on, where the conditions differ in it.
VARIABLES = ("context_length", "dimension", "width", "rate_ratio")
# Sign patterns are listed up to 2^14; beyond that so many are drawn: a p-value of 0.05 then errs by 0.0015.
_LISTED, _DRAWN = 14, 20_000


@dataclass(frozen=True)
class Contest:
    """What :func:`contest` found.

    Parameters
    ----------
    conditions : int
    theory, regression : arrays (condition,)
        |ln(predicted/measured)| of either; the regression's from the other conditions alone.
    p_value : float
        Chance of a mean difference of squared errors as large in the theory's favour, if which of the two errs more
        were a fair coin at every condition.
    variables : tuple of str
        In which the conditions differ.
    """

    conditions: int
    theory: Array
    regression: Array
    p_value: float
    variables: tuple[str, ...]


def contest(claims: Iterable[Claim], variables: Sequence[str] = VARIABLES, quantity: str = "K*") -> Contest:
    """Theory against a regression of ln K* on ln N, ln D, ln width and ln r, condition by condition.

        ln K*_i = a + Σ_v b_v ln x_{v,j},  fitted by least squares to all j ≠ i

    Every condition is predicted by the regression from the others (leave one out); where they do not differ in a
    variable they say nothing of it, and b_v = 0. The squared errors of theory and regression are compared in pairs by a
    one-sided test of random signs. Errors left out of one fit are not independent: of 400 synthetic sets of 14
    conditions in which theory and regression err alike it names the theory at a nominal 5 % in 8 % (the theory's errors
    independent) to 11 % (the theory another such fit).

    Parameters
    ----------
    claims : of one method, one a condition; those without a finite prediction and measurement are left out
    variables : coordinates that every claim must have
    quantity : str

    Raises
    ------
    ValueError
        If fewer conditions than variables plus three are left, a condition occurs twice, or a claim lacks a coordinate.

    Examples
    --------
    >>> from iclrace.theory import Estimate
    >>> law = lambda n: 10.0 * n**1.2
    >>> made = [
    ...     Claim("K*", "transformer", Estimate.exact(law(n)), 1.2, at={"context_length": n},
    ...           measured=Estimate.exact(law(n) * (1 + 0.2 * (-1) ** n)))
    ...     for n in range(7, 20)
    ... ]
    >>> contest(made, ["context_length"]).p_value < 0.05
    True
    """
    known = [(claim, *_middles(claim)) for claim in claims if claim.quantity == quantity]
    known = [
        (claim, predicted, seen) for claim, predicted, seen in known if 0 < predicted < math.inf and 0 < seen < math.inf
    ]
    for claim, *_ in known:
        missing = [name for name in variables if not isinstance(claim.at.get(name), int | float)]
        require(not missing, "claims", f"hold {', '.join(missing)} as numbers", claim.at)
    table = np.array([[math.log(float(claim.at[name])) for name in variables] for claim, *_ in known])
    table = table.reshape(len(known), len(variables))
    places = [tuple(sorted((name, str(value)) for name, value in claim.at.items())) for claim, *_ in known]
    require(len(set(places)) == len(places), "claims", "hold every condition once", f"{len(places)} claims")
    varied = [i for i in range(len(variables)) if len(known) and np.ptp(table[:, i]) > 0]
    least = len(varied) + 3
    require(len(known) >= least, "claims", f"hold {least} conditions or more, predicted and measured", len(known))
    measured = np.log([seen for *_, seen in known])
    theory = np.log([predicted for _, predicted, _ in known]) - measured
    regression = left_out(table[:, varied], measured) - measured
    p = sign_test(regression**2 - theory**2)
    return Contest(len(known), np.abs(theory), np.abs(regression), p, tuple(variables[i] for i in varied))


def left_out(table: Array, values: Array) -> Array:
    """What a linear regression with a constant says of every row from the others, of shape (row,).

    Of columns in which the others do not differ it says nothing: the shortest of all least-squares solutions, on
    columns less their means.
    """
    predicted = np.empty(len(values))
    for i in range(len(values)):
        others = np.delete(table, i, 0)
        middle, level = others.mean(0), np.delete(values, i).mean()
        slopes = np.linalg.lstsq(others - middle, np.delete(values, i) - level, rcond=1e-10)[0]
        predicted[i] = level + (table[i] - middle) @ slopes
    return predicted


def sign_test(differences: Array) -> float:
    """Chance that the mean of ``differences`` with random signs is at least as large as theirs (one-sided).

    All 2^n signs up to n = 14, drawn ones beyond; the observed signs count as one of them.
    """
    n, observed = len(differences), float(np.sum(differences))
    if n <= _LISTED:
        sums = np.array(list(itertools.product((-1.0, 1.0), repeat=n))) @ differences
        return float(np.mean(sums >= observed - 1e-12 * np.abs(differences).sum()))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (_DRAWN, n))
    return float((1 + np.sum(signs @ differences >= observed)) / (1 + _DRAWN))


def _middles(claim: Claim) -> tuple[float, float]:
    """Predicted and measured value; NaN where there is none."""
    found = [None if value is None else ends(value) for value in (claim.predicted, claim.measured)]
    predicted, seen = (math.nan if one is None else one[0] for one in found)
    return predicted, seen
