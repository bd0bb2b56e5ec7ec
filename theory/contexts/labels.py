"""The sum n of the other context labels, and the nodes over which the loss is averaged."""

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from ..common.arguments import instance, integer, number, require
from ..numerics.quadrature import hermite
from ..task import Task

Average = Literal["gaussian", "binomial"]

#: Hermite nodes of the Gaussian average. The integrand is analytic and flat on the scale of n, so that 40 nodes leave
#: an error below 1e-12 where σ(−u) varies slowly, and 1e-6 at w = 10 (measured against 200 nodes).
NODES = 40
#: Terms of a sum over labels or numbers of copies, at most: its arrays take 80 MB each.
MOST_TERMS = 10_000_000


def label_sum_nodes(
    task: Task, average: Average = "gaussian", nodes: int = NODES, bias: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of the average over n = Σ_{j other} ℓ_j, in the frame where the target's label is +1.

    - i.i.d. labels: n has mean 0 and variance s²(N − m); ``"gaussian"`` takes Gauss-Hermite nodes (exact for
      polynomials in n up to degree 2 · nodes − 1), ``"binomial"`` sums the labels ±s exactly. With a bias b every other
      label has mean s b: n has mean s b (N − m) and variance s²(1 − b²)(N − m).
      Where N is no integer, as between the tasks that are interpolated, the sum gives way to Gauss's ``nodes`` nodes
      of it, whose moments are polynomials in N.
    - balanced labels: n = −m always, one node.

    Parameters
    ----------
    task : Task
    average : "gaussian" or "binomial"
    nodes : int >= 1
        Number of Hermite nodes; the binomial sum has N − m + 1 terms whatever ``nodes`` is.
    bias : float in [−1, 1]
        b; balanced labels have none.

    Returns
    -------
    values, weights : arrays of shape (node,)
        Label sums and their probabilities, which add up to 1.

    Raises
    ------
    ValueError
        If ``average`` is unknown, ``nodes`` < 1 or ``bias`` is out of range.

    Source: docs/derivation.md, "averaged gradient flow"; paper, section 4.

    Examples
    --------
    >>> n, p = label_sum_nodes(Task(context_length=5), average="binomial")
    >>> [float(v) for v in n], [float(v) for v in p.round(4)]
    ([-4.0, -2.0, 0.0, 2.0, 4.0], [0.0625, 0.25, 0.375, 0.25, 0.0625])
    """
    known = isinstance(average, str) and average in ("gaussian", "binomial")
    require(known, "average", 'be "gaussian" or "binomial"', average)
    nodes = integer("nodes", nodes, minimum=1)
    bias = number("bias", bias, minimum=-1.0, maximum=1.0)
    instance("task", task, Task)
    task.single()
    return _nodes(task.labels, task.context_length, task.copies, float(task.label_std), average, nodes, bias)


@lru_cache(maxsize=64)
def _nodes(
    labels: str, context_length: float, copies: int, label_std: float, average: str, nodes: int, bias: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    others = context_length - copies
    if labels == "balanced":
        values, weights = np.array([-float(copies)]), np.ones(1)
    elif label_std == 0.0:
        values, weights = np.zeros(1), np.ones(1)
    elif average == "binomial" and not float(others).is_integer():
        positive, weights = _krawtchouk(float(others), (1.0 + bias) / 2.0, nodes)
        values = label_std * (2.0 * positive - others)
    elif average == "binomial":
        require_few(others, MOST_TERMS, context_length)
        others = int(others)
        positive = np.arange(others + 1)
        values, weights = label_std * (2.0 * positive - others), _binomial(positive, others, (1.0 + bias) / 2.0)
    else:
        x, weights = hermite(nodes)
        spread = np.sqrt(others * (1.0 - bias**2))
        values = label_std * (others * bias + spread * x)
    values.setflags(write=False)  # the cache hands out the same arrays to every caller
    weights.setflags(write=False)
    return np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)


def require_few(terms: float, most: int, context_length: object) -> None:
    """Refuse a context so long that what is summed over it does not fit the memory."""
    require(terms <= most, "context_length", f"leave a sum of at most {most:,} terms here", context_length)


def _binomial(positive: NDArray[np.int64], size: int, chance: float) -> NDArray[np.float64]:
    """Binomial(size, chance), by logarithms (scipy.stats would triple the time that importing the theory takes)."""
    choose = gammaln(size + 1) - gammaln(positive + 1) - gammaln(size - positive + 1)
    weight = np.exp(choose + xlogy(positive, chance) + xlogy(size - positive, 1.0 - chance))
    return weight / weight.sum()


def _krawtchouk(size: float, chance: float, nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss's nodes and weights of Binomial(size, chance), from the recurrence of the Krawtchouk polynomials.

    x p_k = p_{k+1} + [size · chance + k (1 − 2 chance)] p_k + k (size − k + 1) chance (1 − chance) p_{k−1}: for an
    integer size the sum itself once there are as many nodes as terms.
    """
    k = np.arange(min(nodes, int(size) + 1))
    diagonal = size * chance + k * (1.0 - 2.0 * chance)
    beside = np.sqrt(k[1:] * (size - k[1:] + 1.0) * chance * (1.0 - chance))
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    return values, vectors[0] ** 2
