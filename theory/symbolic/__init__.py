"""The derivation as objects: every step from the task to K*, its assumptions, equations and machine checks (sympy)."""

from . import after, flow, outcome, race
from .step import Check, Step

__all__ = ["Check", "Step", "after", "chain", "flow", "outcome", "race"]


def chain() -> tuple[Step, ...]:
    """All steps in order: logit, loss, flow, averages, early system, its exact solution, memory, K*, and what follows.

    Returns
    -------
    tuple of Step

    Source: paper, sections 4 and 5; the exact crossover function, the drift of its constant and the critical decay are
    derived here.

    Examples
    --------
    >>> [step.key for step in chain()][:3]
    ['logit', 'loss', 'flow']
    """
    return (*flow.steps(), *race.steps(), *outcome.steps(), *after.steps())
