"""The questions that claims answer: one list, by which the report and the page of results are arranged."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from statistics import median

from ..validate import Claim, Claims

_JUDGED = ("holds", "fails", "undecided")


@dataclass(frozen=True)
class Question:
    """A question to trained networks.

    Parameters
    ----------
    name : str
        For addresses, such as ``report.html#question-rates``.
    asks : str
        The question, as a sentence.
    about : callable
        Claim → whether it answers this question, where no earlier question of the list takes it.
    figures : sequence of str
        Figures of the catalogue that show it; the first that can be drawn is the question's picture.
    """

    name: str
    asks: str
    about: Callable[[Claim], bool]
    figures: tuple[str, ...] = ()


def _of(claim: Claim, *, quantity: str = "", experiment: str = "", network: str = "") -> bool:
    """Whether one of the fields is found by its pattern."""
    fields = ((quantity, claim.quantity), (experiment, claim.experiment), (network, claim.network))
    return any(pattern and re.match(pattern, value) for pattern, value in fields)


def _about(**patterns: str) -> Callable[[Claim], bool]:
    return partial(_of, **patterns)


#: In the order in which a claim is given to the first that takes it.
_TAKEN: tuple[Question, ...] = (
    Question("own", "Does the theory carry over to other networks and other items?",
             _about(network=".*:", experiment="own_|digits"), ("accuracy_own",)),
    Question("transience", "When is ICL lost again under weight decay?",
             _about(quantity=r"t_loss|d ln t_loss|L_ICL|share of networks in the predicted", experiment="transience"),
             ("transience_time", "transience", "icl_against_iwl", "loss_relation", "phases_decay")),
    Question("outcomes", "Are there two kinds of outcome near K*?",
             _about(quantity="two kinds|lower mode|upper mode|upper fraction",
                    experiment="bimodality|paper_outcomes|.*_kinds_"),
             ("bimodality",)),
    Question("memory", "How long does memorisation take?",
             _about(network="perceptron", quantity="ν$", experiment="memory_"),
             ("memory_law", "memory_curves", "memory_depth")),
    Question("sharing", "Are the two circuits independent, and what changes if they share nothing?",
             _about(experiment="audit|controls_"),
             ("independence_audit", "controls_accuracy", "ladder")),
    Question("rates", "Do learning rates decide, or capacity?",
             _about(quantity=r"d ln K\*/d ln [rP]", experiment="kinetics|capacity|.*_rates|.*_kinetics"),
             ("kinetics_or_capacity",)),
    Question("data", "What do copies, labels and unequal frequencies change?",
             _about(experiment=".*burstiness|.*skew|context_labels|.*_statistics"),
             ("balanced_labels", "burstiness", "rivals_acquisition", "accuracy_other_data")),
    Question("transformer", "At which K does a transformer learn in context, and when?",
             _about(network="transformer"),
             ("threshold_paper", "accuracy_paper", "acquisition_paper", "coupling_threshold",
              "coupling_accuracy", "coupling_acquisition", "threshold_transformer",
              "accuracy_transformer", "acquisition_transformer", "attention_control")),
    Question("threshold", "From which K on is ICL acquired before training ends?",
             _about(quantity=r"K\*|I\*|d ln K\*"),
             ("race", "threshold_minimal", "accuracy_minimal", "threshold_budget", "clock_collapse", "phase_diagram")),
    Question("acquisition", "When is ICL acquired?",
             _about(quantity="t_ICL|.*of t_ICL|.*ln t_ICL|median t_ICL"),
             ("acquisition_minimal", "learning_curves", "acquisition_spread", "exponent_crossover", "landscape",
              "approximation_ladder")),
    Question("other", "What else was measured?", lambda claim: True, ("verdicts", "work_precision")),
)  # fmt: skip
_ORDER = ("threshold", "acquisition", "rates", "memory", "data", "outcomes", "transience", "transformer", "sharing",
          "own", "other")  # fmt: skip
#: Every question, in the order in which a reader meets them.
QUESTIONS: tuple[Question, ...] = tuple(sorted(_TAKEN, key=lambda one: _ORDER.index(one.name)))


def question_of(claim: Claim) -> Question:
    """The question that a claim answers: exactly one.

    Examples
    --------
    >>> from iclrace.theory import Estimate
    >>> question_of(Claim("K*", "minimal", Estimate.exact(400.0), 1.2, experiment="threshold")).name
    'threshold'
    """
    return next(one for one in _TAKEN if one.about(claim))


def by_question(claims: Iterable[Claim]) -> dict[Question, Claims]:
    """Claims by the question that they answer; questions without one are left out."""
    asked = [(question_of(claim), claim) for claim in claims]
    found = {question: Claims(claim for its, claim in asked if its is question) for question in QUESTIONS}
    return {question: mine for question, mine in found.items() if len(mine)}


def counted(claims: Iterable[Claim]) -> Counter[str]:
    """How many claims of each verdict there are."""
    return Counter(claim.verdict.kind for claim in claims)


def headline(claims: Claims) -> str:
    """What became of the predictions of one question: :func:`outcome`, :func:`distances` and :func:`worst`."""
    return " ".join(filter(None, (outcome(claims), distances(claims), worst(claims))))


def outcome(claims: Claims) -> str:
    """How many hold, fail and are undecided, as a sentence."""
    kinds = counted(claims)
    judged = sum(kinds[kind] for kind in _JUDGED)
    if not judged:
        return "Nothing was predicted here; what was measured is reported."
    verbs = {"holds": ("holds", "hold"), "fails": ("fails", "fail"), "undecided": ("is undecided", "are undecided")}
    if judged == 1:
        return f"The one prediction {next(verbs[kind][0] for kind in _JUDGED if kinds[kind])}."
    parts = [f"{kinds[kind] or 'none'} {verbs[kind][kinds[kind] > 1]}" for kind in _JUDGED
             if kinds[kind] or kind == "holds"]  # fmt: skip
    return f"Of {judged} predictions {' and '.join(filter(None, (', '.join(parts[:-1]), parts[-1])))}."


def distances(claims: Claims) -> str:
    """Measured over predicted, in the middle and at most, and by method where there are several; empty without any."""
    ratios = _ratios(claims)
    if len(ratios) < 2:
        return ""
    low, high = (f"{value:.3g}" for value in (min(ratios), max(ratios)))
    told = f"Measured over predicted is {median(ratios):.3g} in the middle, from {low} to {high}."
    methods = dict.fromkeys(claim.method for claim in claims if claim.method)
    middles = {one: median(found) for one in methods if len(found := _ratios(claims.select(method=one))) > 2}
    if len(middles) < 2:
        return told
    ranked = sorted(middles, key=lambda one: abs(math.log(middles[one])))
    return f"{told} By method: {'; '.join(f'{one} {middles[one]:.3g}' for one in ranked)}."


def worst(claims: Claims) -> str:
    """The failing claim that is furthest off, as a sentence; empty without one."""
    index = furthest(claims)
    return "" if index is None else f"Furthest off: {claims.names[index]}, which {claims[index].verdict}."


def _ratios(claims: Iterable[Claim]) -> list[float]:
    """Measured over predicted of the judged claims, where it is a number."""
    found = [_ratio(claim) for claim in claims]
    return [value for value in found if value is not None]


def _ratio(claim: Claim) -> float | None:
    """Measured over predicted of a judged claim, where it is a number."""
    found = claim.compared
    if claim.scale != "ratio" or claim.verdict.kind not in _JUDGED or found is None:
        return None
    return found.value if 0 < found.value < math.inf else None


def furthest(claims: Claims) -> int | None:
    """Which failing claim lies furthest beyond its bar, in units of the bar; None if no number fails."""

    def beyond(claim: Claim) -> float:
        found = claim.compared
        if claim.verdict.kind != "fails" or found is None or claim.bar is None:
            return -math.inf
        if claim.scale == "difference":
            return abs(found.value) / claim.bar
        return abs(math.log(found.value)) / math.log(claim.bar) if found.value > 0 else math.inf

    values = [beyond(claim) for claim in claims]
    best = max(range(len(values)), key=values.__getitem__, default=None)
    return None if best is None or values[best] == -math.inf else best
