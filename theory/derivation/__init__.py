"""The derivation as objects: every step from the task to K*, its assumptions, equations and machine checks (sympy)."""

from functools import cache

from . import (
    acquisition,
    after,
    budget,
    coupled_gain,
    coupled_memory,
    coupled_scores,
    data,
    decay,
    flow,
    fresh,
    outcome,
    race,
    rough,
)
from .law import Law
from .laws import laws
from .mills_function import Mills
from .step import Check, Step, Validity

__all__ = [
    "Check", "Law", "Mills", "Step", "Validity", "acquisition", "after", "budget", "chain", "coupled_gain",
    "coupled_memory", "coupled_scores", "data", "decay", "flow", "fresh", "laws", "outcome", "race", "rough",
]  # fmt: skip


@cache
def chain() -> tuple[Step, ...]:
    """All steps in order: logit, loss, flow, averages, early system, its exact solution, memory, K*, and what follows.

    Returns
    -------
    tuple of Step

    Source: paper, sections 4 and 5. Derived here are the exact crossover function, the drift of its constant, the
    bracket and the budget of K*, repeated items, the branch under decay with its fold and its duration, momentum, the
    critical decay, rough attention and a transformer's coupled circuits.

    Examples
    --------
    >>> [step.key for step in chain()][:3]
    ['logit', 'loss', 'flow']
    """
    rooms = (flow, race, acquisition, outcome, budget, fresh, after, decay, data, rough)
    coupled = (coupled_gain, coupled_scores, coupled_memory)
    return tuple(step for room in (*rooms, *coupled) for step in room.steps())
