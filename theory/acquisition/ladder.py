"""The approximation ladder: the acquisition time at every rung between the exact field and the Mills ratio."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accuracy import acquired_beta
from ..common.arguments import broadcast, number, real, require
from ..common.elementwise import elementwise
from ..contexts.attention import BETA_MAX
from ..contexts.labels import Average
from ..task import Task
from .clock import acquisition_clock
from .early import EarlyPath, clock_along, reaching
from .mills import mills_ratio
from .time import WEIGHT_MAX, acquisition_time, early_drag

#: ``integrate(task, beta0, w0, average)``: time at which the averaged field, from (w0, β0), reaches 95 % accuracy.
Integrator = Callable[[Task, float, float, Average], float]


@dataclass(frozen=True)
class Rung:
    """One rung: its name, t_ICL there, and the relative error to the rung above (0 for the topmost).

    Times are gradient-flow times. Made by :func:`ladder`. Source: docs/derivation.md, "ladder".

    Examples
    --------
    >>> ladder(Task(context_length=100), 0.0)[0].name
    'binomial'
    """

    name: str
    time: Any
    error: Any


def ladder(
    task: Task, beta0: ArrayLike, w0: ArrayLike = 0.0, *, integrate: Integrator | None = None
) -> tuple[Rung, ...]:
    """t_ICL (K → ∞) with one approximation more at every rung, and the relative error t/t_above − 1 of each.

    1. "binomial": the exact label sum, averaged field integrated (finite D as the task has it);
    2. "gaussian": Gaussian label sum;
    3. "orthogonal": D → ∞;
    4. "variation of constants": the closed form of :func:`acquisition_time`, no integration;
    5. "early": the early system followed to the same β only, Z → N, σ(−u) → 1/2 + O(w);
    6. "crossover": the early system to its blow-up, 2 N τ*/m;
    7. "mills": without drag, 2 N M(w0) e^{−β0}/m.

    Parameters
    ----------
    task : Task
        i.i.d. labels, flat attention; ``task_diversity`` plays no part.
    beta0, w0 : array_like, |β0| <= 300, |w0| <= 5
    integrate : callable (task, beta0, w0, average) → float, optional
        Integrates :func:`icl_field` until ICL accuracy is 95 % (``iclrace.simulate`` has one). Without it the three
        topmost rungs are closed forms of the same field, accurate to 0.1 % for N >= 50.

    Returns
    -------
    tuple of Rung
        Of arrays of the broadcast shape, if an argument is one.

    Raises
    ------
    ValueError
        If the task has balanced labels or rough attention, or a start is out of range.

    Source: docs/derivation.md, "ladder".

    Examples
    --------
    >>> for rung in ladder(Task(context_length=100, dimension=63), 0.0)[-3:]:
    ...     print(f"{rung.name:10} {rung.time:6.1f} {rung.error:+.3f}")
    early       268.7 -0.030
    crossover   273.6 +0.018
    mills       250.7 -0.084
    """
    require(integrate is None or callable(integrate), "integrate", "be callable, or None", integrate)
    plain = task.labels == "iid" and not np.any(task.score_std)
    require(plain, "task", "have i.i.d. labels and flat attention", task)
    beta0, w0, _ = broadcast(
        beta0=real("beta0", beta0, minimum=-BETA_MAX, maximum=BETA_MAX),
        w0=real("w0", w0, minimum=-WEIGHT_MAX, maximum=WEIGHT_MAX),
        task=np.empty(task.shape),
    )
    orthogonal = task.at(dimension=math.inf)
    scale = 2.0 * np.asarray(task.context_length / task.copies)
    field = partial(_integrated, integrate=integrate) if integrate else acquisition_time
    times = {
        "binomial": field(task, beta0, w0, average="binomial"),
        "gaussian": field(task, beta0, w0, average="gaussian"),
        "orthogonal": field(orthogonal, beta0, w0, average="gaussian"),
        "variation of constants": acquisition_time(orthogonal, beta0, w0),
        "early": scale * early_clock(orthogonal, beta0, w0),
        "crossover": scale * acquisition_clock(beta0, w0, early_drag(task)),
        "mills": scale * mills_ratio(w0) * np.exp(-beta0),
    }
    rungs: list[Rung] = []
    for name, time in times.items():
        above = np.asarray(rungs[-1].time if rungs else time)
        with np.errstate(invalid="ignore"):
            error = np.where(above > 0.0, time / np.where(above > 0.0, above, 1.0) - 1.0, 0.0)
        rungs.append(Rung(name, time, error) if beta0.ndim else Rung(name, float(time), float(error)))
    return tuple(rungs)


@elementwise(
    arrays=("context_length", "label_std", "copies", "beta0", "w0"),
    smooth=("context_length", "label_std", "beta0", "w0"),
    ignored=("task_diversity", "dimension"),
    costly=True,
)
def early_clock(task: Task, beta0: ArrayLike, w0: ArrayLike) -> NDArray[np.float64]:
    """Clock τ at which the early system, drag κ = s²/(2m), passes the β of 95 % accuracy with w > 0."""
    beta0, w0, drag, level = broadcast(
        beta0=np.asarray(beta0), w0=np.asarray(w0), task=early_drag(task), level=np.asarray(acquired_beta(task))
    )
    path = EarlyPath(beta0.ravel(), w0.ravel(), drag.ravel())
    return clock_along(path, reaching(path, level.ravel())).reshape(beta0.shape)


@elementwise(single=("beta0", "w0"), smooth=("dimension", "beta0", "w0"), ignored=("task_diversity",))
def _integrated(task: Task, beta0: ArrayLike, w0: ArrayLike, *, average: Average, integrate: Integrator) -> Any:
    """The time that ``integrate`` finds from one start."""
    return integrate(task, number("beta0", beta0), number("w0", w0), average)
