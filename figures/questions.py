"""The questions that claims answer: one list, by which the report and the page of results are arranged."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from statistics import median

from ..validate import Answer, Claim, Claims

_JUDGED = ("holds", "fails", "undecided")


def _never(claim: Claim) -> bool:
    return False


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
    says : str
        The theory's statement, as the beginning of a sentence that ends with the answer.
    headline : callable
        Claim → whether it decides the answer; the others support it.
    against : callable
        Claim → whether it tests another explanation than the theory's; ``rival`` names that one.
    """

    name: str
    asks: str
    about: Callable[[Claim], bool]
    figures: tuple[str, ...] = ()
    says: str = ""
    headline: Callable[[Claim], bool] = _never
    against: Callable[[Claim], bool] = _never
    rival: str = ""


def _of(claim: Claim, *, quantity: str = "", experiment: str = "", network: str = "") -> bool:
    """Whether one of the fields is found by its pattern."""
    fields = ((quantity, claim.quantity), (experiment, claim.experiment), (network, claim.network))
    return any(pattern and re.match(pattern, value) for pattern, value in fields)


def _every(claim: Claim, **patterns: str) -> bool:
    """Whether all of the fields are matched whole by their patterns, and the claim was judged."""
    if claim.verdict.kind == "reported":
        return False
    return all(re.fullmatch(pattern, getattr(claim, name)) for name, pattern in patterns.items())


def _decides(**patterns: str) -> Callable[[Claim], bool]:
    return partial(_every, **patterns)


def _other_depth(claim: Claim) -> bool:
    """Whether networks of one depth are held against the law of another."""
    return claim.method.startswith("law of L") and claim.method != f"law of L = {claim.at.get('layers')}"


def _either(*rules: Callable[[Claim], bool]) -> Callable[[Claim], bool]:
    return lambda claim: any(rule(claim) for rule in rules)


def _about(**patterns: str) -> Callable[[Claim], bool]:
    return partial(_of, **patterns)


def _two_kinds(claim: Claim) -> bool:
    """Whether two kinds were predicted: that there is one kind far from K* is no risk to anybody."""
    return _every(claim, quantity="two kinds of outcome") and claim.predicted == Answer(True)


#: The shortest and the longest context of t_ICL's scans: what lies between supports them.
_ENDS = (25, 200)
#: In the order in which a claim is given to the first that takes it.
_TAKEN: tuple[Question, ...] = (
    Question("own", "Does the theory carry over to other networks and other items?",
             _about(network=".*:", experiment="own_|digits"), ("accuracy_own",),
             "Its own t_ICL at K → ∞ and its clock with scrambled labels say at which K another network learns in "
             "context", _decides()),
    Question("transience", "When is ICL lost again under weight decay?",
             _about(quantity=r"t_loss|d ln t_loss|L_ICL|share of networks in the predicted",
                    experiment="transience|paper_transience"),
             ("transience_time", "transience", "icl_against_iwl", "loss_relation", "phases_decay"),
             "ICL is lost when memory and attention, integrated together, say",
             _decides(quantity=r"d ln t_loss/d ln λ|share of .*|L_ICL over .*|t_loss over .*",
                      experiment="(?!.*_half_rate).*",
                      method="co-integration|asymptotic law|fixed point|reduced transformer")),
    Question("outcomes", "Are there two kinds of outcome near K*?",
             _about(quantity="two kinds|lower mode|upper mode|upper fraction",
                    experiment="bimodality|paper_outcomes|.*_kinds_"),
             ("bimodality",),
             "Near K* networks end in two kinds", _two_kinds),
    Question("memory", "How long does memorisation take?",
             _about(network="perceptron", quantity="ν$", experiment="memory_"),
             ("memory_law", "memory_curves", "memory_depth"),
             "Perceptrons memorise by the paper's power of K, and with depth by the law of homogeneous networks",
             _decides(), _other_depth, "the law of another depth"),
    Question("sharing", "Are the two circuits independent, and what changes if they share nothing?",
             _about(experiment="audit|controls_"),
             ("ladder", "controls_accuracy", "independence_audit"),
             "Where the circuits share nothing, clocks that run alone say K*, and equations without coupling t_ICL",
             _decides(quantity=r"K\*|t_ICL|d ln K\*.*", method="independent race|reduced transformer",
                      network="(?!transformer).*")),
    Question("rates", "Do learning rates decide, or capacity?",
             _about(quantity=r"d ln K\*/d ln [rP]|ln K\*/K\*\(base\)",
                    experiment="kinetics|capacity|.*_rates|.*_kinetics"),
             ("threshold_shifts", "kinetics_or_capacity"),
             "K* moves with the learning rates as kinetics says, and not as a capacity would",
             _either(
                 _decides(quantity=r"d ln K\*/d ln [rP].*",
                          method="memory alone|capacity.*|reduced transformer(, scrambled clock)?|layer-normed .*"),
                 _decides(quantity=r"ln K\*/K\*\(base\)", method="reduced transformer"),
             ),
             _decides(method="layer-normed perceptrons"), "independent circuits in the transformer"),
    Question("rivals", "Where the theory and its rivals disagree, which of them do the runs bear out?",
             _about(experiment="rivals_"),
             ("rivals_acquisition",),
             "With a share of fresh items and at short budgets the reduced transformer says t_ICL and K*",
             _either(
                 _decides(experiment="rivals_budgets", method="reduced transformer|crossing of two times.*"),
                 lambda claim: claim.at.get("task_diversity") == 64
                 and _every(claim, experiment="rivals_fresh", method="reduced transformer|starvation"),
             ),
             _decides(method="starvation|crossing of two times.*"), "starvation, and the crossing of two times"),
    Question("data", "What do copies, labels and unequal frequencies change?",
             _about(experiment=".*burstiness|.*skew|context_labels|.*_statistics"),
             ("balanced_labels", "burstiness", "accuracy_other_data"),
             "Copies, balanced labels and unequal frequencies move K*, t_ICL and who acquires ICL as the equations say",
             _decides(quantity=r"K\*|t_ICL|fraction of .*", method="memory alone|averaged field|saddle",
                      part="circuit")),
    Question("transformer", "At which K does a transformer learn in context, and when?",
             _about(network="transformer"),
             ("coupling_threshold", "threshold_paper", "accuracy_paper", "acquisition_paper",
              "coupling_accuracy", "susceptibility", "coupling_acquisition", "threshold_transformer",
              "accuracy_transformer", "acquisition_transformer", "attention_control"),
             "Initial weights' statistics and perceptrons trained alone say at which K a transformer learns in context",
             _either(
                 _decides(experiment="coupling_lengths_many|coupling_acquisition|paper_.*|transformer_tail",
                          method="reduced transformer", quantity=r"K\*|t_ICL"),
                 _decides(experiment="coupling_lengths_many|paper_exponent",
                          method="reduced transformer", quantity="d ln .*"),
                 _decides(experiment="coupling_lengths", method="layer-normed perceptrons", quantity=r"K\*|d ln .*"),
             ),
             _decides(method="layer-normed perceptrons"), "circuits that share nothing"),
    Question("threshold", "From which K on is ICL acquired before training ends?",
             _about(quantity=r"K\*|I\*|d ln K\*"),
             ("race", "threshold_minimal", "accuracy_minimal", "threshold_budget", "clock_collapse", "phase_diagram"),
             "K* of the minimal model follows from its perceptron trained alone, with nothing fitted",
             _decides(quantity=r"K\*|d ln K\*/d ln N", method="memory alone", part="circuit", experiment="threshold")),
    Question("acquisition", "When is ICL acquired?",
             _about(quantity="t_ICL|.*of t_ICL|.*ln t_ICL|median t_ICL"),
             ("acquisition_minimal", "learning_curves", "acquisition_spread", "exponent_crossover", "landscape",
              "approximation_ladder"),
             "t_ICL at K → ∞ follows from the averaged equations, with nothing fitted",
             _either(
                 _decides(quantity=".+t_ICL.*", method="averaged field|law of t_ICL"),
                 lambda claim: claim.at.get("context_length") in _ENDS
                 and _every(claim, quantity="t_ICL", method="averaged field"),
             )),
    Question("other", "What else was measured?", lambda claim: True, ("verdicts", "work_precision")),
)  # fmt: skip
_ORDER = ("threshold", "acquisition", "rates", "memory", "data", "outcomes", "transience", "transformer", "sharing",
          "rivals", "own", "other")  # fmt: skip
#: Every question, in the order in which a reader meets them.
QUESTIONS: tuple[Question, ...] = tuple(sorted(_TAKEN, key=lambda question: _ORDER.index(question.name)))


def question_of(claim: Claim) -> Question:
    """The question that a claim answers: exactly one.

    Examples
    --------
    >>> from iclrace.theory import Estimate
    >>> question_of(Claim("K*", "minimal", Estimate.exact(400.0), 1.2, experiment="threshold")).name
    'threshold'
    """
    return next(question for question in _TAKEN if question.about(claim))


def by_question(claims: Iterable[Claim]) -> dict[Question, Claims]:
    """Claims by the question that they answer; questions without one are left out."""
    pairs = [(question_of(claim), claim) for claim in claims]
    groups = {question: Claims(claim for its, claim in pairs if its is question) for question in QUESTIONS}
    return {question: group for question, group in groups.items() if len(group)}


def counted(claims: Iterable[Claim]) -> Counter[str]:
    """How many claims of each verdict there are."""
    return Counter(claim.verdict.kind for claim in claims)


def answer(claims: Claims) -> str:
    """Yes, no, in part or undecided: what the verdicts of the claims that decide a question come to.

    Yes if some hold, at least as many as are undecided, and none fails; no if more fail than hold; in part if some
    fail, and as many or more hold.
    """
    kinds = counted(claims)
    if kinds["fails"]:
        return "no" if kinds["fails"] > kinds["holds"] else "in part"
    return "yes" if kinds["holds"] and kinds["holds"] >= kinds["undecided"] else "undecided"


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
    overall = f"Measured over predicted is {median(ratios):.3g} in the middle, from {low} to {high}."
    methods = dict.fromkeys(claim.method for claim in claims if claim.method)
    middles = {method: median(own) for method in methods if len(own := _ratios(claims.select(method=method))) > 2}
    if len(middles) < 2:
        return overall
    ranked = sorted(middles, key=lambda method: abs(math.log(middles[method])))
    return f"{overall} By method: {'; '.join(f'{method} {middles[method]:.3g}' for method in ranked)}."


def worst(claims: Claims) -> str:
    """The failing claim that is furthest off, as a sentence; empty without one."""
    index = furthest(claims)
    return "" if index is None else f"Furthest off: {claims.names[index]}, which {claims[index].verdict}."


def _ratios(claims: Iterable[Claim]) -> list[float]:
    """Measured over predicted of the judged claims, where it is a number."""
    compared = [_ratio(claim) for claim in claims]
    return [value for value in compared if value is not None]


def _ratio(claim: Claim) -> float | None:
    """Measured over predicted of a judged claim, where it is a number."""
    compared = claim.compared
    if claim.scale != "ratio" or claim.verdict.kind not in _JUDGED or compared is None:
        return None
    return compared.value if 0 < compared.value < math.inf else None


def furthest(claims: Claims) -> int | None:
    """Which failing claim lies furthest beyond its bar, in units of the bar; None if no number fails."""

    def beyond(claim: Claim) -> float:
        compared = claim.compared
        if claim.verdict.kind != "fails" or compared is None or claim.bar is None:
            return -math.inf
        if claim.scale == "difference":
            return abs(compared.value) / claim.bar
        return abs(math.log(compared.value)) / math.log(claim.bar) if compared.value > 0 else math.inf

    values = [beyond(claim) for claim in claims]
    best = max(range(len(values)), key=values.__getitem__, default=None)
    return None if best is None or values[best] == -math.inf else best
