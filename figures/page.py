"""Results as a document: every question with a sentence that answers it, its headline claims and one picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from ..validate import Claim, Claims
from ..validate.claim import names
from .catalogue import FIGURES, Figure
from .picture import Picture
from .questions import Question, answer, by_question, counted, distances, outcome
from .results import MissingResults, Results
from .verdicts import cells

#: Headlines of a question, where none of its claims is one by the question's own rule.
_MOST = 12
#: Coordinates that add nothing to distinguish one headline from another.
_UNTOLD = ("rung", "learning_rate", "parameters")


@dataclass(frozen=True)
class Part:
    """A question as the page answers it.

    ``rows`` are table rows with the verdict's kind last; ``figure`` is what the picture is, ``folders`` where the
    claims come from, ``left`` how many claims of the question stand in summaries alone.
    """

    question: Question
    word: str
    sentence: str
    counts: tuple[int, int, int]
    rows: Sequence[tuple[str, ...]]
    figure: Figure | None
    picture: Picture | None
    folders: Sequence[tuple[str, Sequence[str]]]
    left: int

    @property
    def image(self) -> str:
        return f"images/results_{self.question.name}.png"


def parts(results: Sequence[Results]) -> list[Part]:
    """Every question that has claims in the folders, in the order in which a reader meets them."""
    owned = [(claim, folder) for folder in results for claim in folder.claims]
    collected = []
    for question, claims in by_question(claim for claim, _ in owned).items():
        chosen = headlines(question, claims)
        theory = Claims(claim for claim in chosen if not question.against(claim))
        others = Claims(claim for claim in chosen if question.against(claim))
        kinds = counted(theory)
        places = {id(claim): folder for claim, folder in owned}
        sources = [(places[id(claim)].preset, claim.experiment) for claim in chosen]
        entry, picture = _picture(question, results)
        collected.append(
            Part(
                question, answer(theory), _sentence(question, theory, others),
                (kinds["holds"], kinds["fails"], kinds["undecided"]), list(rows(chosen)), entry, picture,
                [
                    (preset, list(dict.fromkeys(name for _, name in group)))
                    for preset, group in groupby(sorted(sources, key=itemgetter(0)), itemgetter(0))
                ],
                len(claims) - len(chosen),
            )
        )  # fmt: skip
    return collected


def headlines(question: Question, claims: Claims) -> Claims:
    """The claims that the question's rule names; without any, the first that were judged, or the first at all."""
    for rule in (question.headline, lambda claim: claim.verdict.kind != "reported", lambda claim: True):
        chosen = [claim for claim in claims if rule(claim)]
        if chosen:
            return Claims(chosen if rule is question.headline else chosen[:_MOST])
    return claims


def _sentence(question: Question, theory: Claims, others: Claims) -> str:
    """The verdicts on the theory, and on the explanations against it."""
    sentences = [f"{question.says}: {answer(theory)}." if question.says else "", outcome(theory), distances(theory)]
    if others:
        sentences += [f"Against it, {question.rival}:", f"{outcome(others)[:1].lower()}{outcome(others)[1:]}"]
        sentences += [distances(others).partition(" By method")[0]]
    return " ".join(filter(None, sentences))


def rows(claims: Sequence[Claim]) -> Iterator[tuple[str, ...]]:
    """Table rows, each with a name that is unique across experiments; the verdict's kind comes last."""
    plain = [
        replace(claim, experiment=claim.network, at={k: value for k, value in claim.at.items() if k not in _UNTOLD})
        for claim in claims
    ]
    for name, claim in zip(names(plain), claims, strict=True):
        name = re.sub(r"(?<=[a-z0-9])(?<!\bt)_(?=[a-z0-9])", " ", name)
        yield (*cells(name, claim, words=True), claim.verdict.kind)


def _picture(question: Question, results: Sequence[Results]) -> tuple[Figure | None, Picture | None]:
    """The first figure of the question that the folders can draw; of the theory's own only where there is no other."""
    for needs in (True, False):
        for name in question.figures:
            entry = FIGURES[name]
            for folder in results if bool(entry.experiments) == needs else ():
                try:
                    return entry, entry.picture(folder)
                except (MissingResults, ValueError):
                    continue
    return None, None


def glance(collected: Sequence[Part]) -> list[tuple[Any, ...]]:
    """One row per question: the question, the answer, and how many headline claims of the theory got each verdict."""
    return [(part.question.asks, part.word, *part.counts) for part in collected]
