"""The report's first screen and its sections: one for every question, with pictures, claims and what is missing."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO

from ..validate import Claim, Claims, PValue
from ..validate.values import Value, ends
from . import style
from .catalogue import Figure, available
from .picture import Picture
from .questions import QUESTIONS, Question, by_question, counted, distances, headline, outcome, worst
from .results import MissingResults, Results
from .verdicts import cells

_JUDGED = ("holds", "fails", "undecided")


@dataclass(frozen=True)
class Drawn:
    """A figure as the page shows it: ``id`` is its address there, ``data`` its SVG in base 64."""

    id: str
    title: str
    paper: Sequence[str]
    caption: str
    data: str
    picture: Picture

    @property
    def in_a_row(self) -> Drawn:
        """The same picture for a place as low as one row of panels: the last one, under which the axes are named."""
        every, columns = self.picture.panels, self.picture.columns
        row = every[-(len(every) % columns or columns) :]
        if len(row) == len(every):
            return self
        return replace(self, data=_svg(replace(self.picture, panels=row)))


@dataclass(frozen=True)
class Row:
    """A claim as a row of the table: its cells, what each is sorted by (None: its words), and its verdict's kind."""

    cells: tuple[str, ...]
    sort: tuple[str | None, ...]
    kind: str


@dataclass
class Section:
    """A question: its claims by experiment, its pictures, and (title, command) of the figures that cannot be drawn."""

    question: Question
    claims: Claims
    rows: dict[str, list[Row]]
    figures: list[Drawn] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)

    @property
    def headline(self) -> str:
        return headline(self.claims)

    @property
    def shares(self) -> list[tuple[str, int]]:
        """How many claims are judged each way, for the bar."""
        kinds = counted(self.claims)
        return [(kind, kinds[kind]) for kind in _JUDGED if kinds[kind]]

    @property
    def words(self) -> str:
        return ", ".join(f"{number} {kind}" for kind, number in self.shares) or "nothing judged"

    def of(self, kind: str) -> tuple[int, int]:
        """How many claims have this verdict, and how many are judged."""
        kinds = counted(self.claims)
        return kinds[kind], sum(kinds[verdict] for verdict in _JUDGED)


@dataclass(frozen=True)
class Card:
    """One of the three parts of the first screen."""

    name: str
    title: str
    sentences: Sequence[str]
    picture: Drawn | None
    questions: Sequence[tuple[Question, str]]


def sections(results: Sequence[Results]) -> list[Section]:
    """Every question that has claims, or a figure that can be drawn, over all the folders."""
    grouped = by_question(claim for folder in results for claim in folder.claims)
    every = {question: Section(question, grouped.get(question, Claims([])), {}) for question in QUESTIONS}
    for folder in results:
        for question, group, row in _rows(folder, several=len(results) > 1):
            every[question].rows.setdefault(group, []).append(row)
    place = {name: question for question in QUESTIONS for name in question.figures}
    drawn: dict[str, int] = {}
    lacking: dict[str, tuple[Figure, MissingResults]] = {}
    for i, folder in enumerate(results):
        for entry, picture in available(folder):
            if not isinstance(picture, Picture):
                lacking.setdefault(entry.name, (entry, picture))
            elif entry.experiments or i == 0:
                number = drawn[entry.name] = drawn.get(entry.name, 0) + 1
                title = f"{entry.title}, {folder.preset}" if len(results) > 1 and entry.experiments else entry.title
                name = entry.name if number == 1 else f"{entry.name}-{number}"
                every[place[entry.name]].figures.append(_drawn(name, title, entry, picture))
    for name, (entry, why) in lacking.items():
        if name not in drawn:
            every[place[name]].missing.append((entry.title, why.command))
    for section in every.values():  # the question's own order, its picture first
        section.figures.sort(key=lambda drawn: section.question.figures.index(drawn.id.partition("-")[0]))
    filled = [section for section in every.values() if section.rows or section.figures or section.missing]
    return sorted(filled, key=lambda section: not section.rows)  # questions with measurements come first


def _drawn(name: str, title: str, entry: Figure, picture: Picture) -> Drawn:
    return Drawn(name, title, entry.paper, picture.caption, _svg(picture), picture)


def _svg(picture: Picture) -> str:
    held = BytesIO()
    style.write(picture.draw(), held, "svg")
    return base64.b64encode(held.getvalue()).decode()


def _rows(results: Results, several: bool) -> Iterator[tuple[Question, str, Row]]:
    """Every claim of a folder: its question, the line above it, and its row."""
    place = {id(claim): question for question, claims in by_question(results.claims).items() for claim in claims}
    for name, claim in zip(results.claims.names, results.claims, strict=True):
        group = claim.experiment.replace("_", " ")
        row = Row(cells(name, claim), _sort(claim), claim.verdict.kind)
        yield place[id(claim)], f"{results.preset}: {group}" if several else group, row


def _sort(claim: Claim) -> tuple[str | None, ...]:
    """What the columns are sorted by."""
    numbers = [_number(value) for value in (claim.predicted, claim.measured, claim.compared)]
    return None, *numbers, None if claim.bar is None else repr(claim.bar), None


def _number(value: Value | None) -> str | None:
    """Of a value its middle, of a p-value p; None for what is no number."""
    numbers = None if value is None else (value.p,) if isinstance(value, PValue) else ends(value)
    if numbers is None or math.isnan(numbers[0]):
        return None
    return repr(float(numbers[0])).replace("inf", "Infinity")


def cards(results: Sequence[Results], parts: Sequence[Section]) -> list[Card]:
    """Cards for the questions, for what holds and for what fails, each with its own picture while there are enough."""
    judged = [part for part in parts if part.rows]
    kinds = counted(claim for folder in results for claim in folder.claims)
    total = sum(kinds[kind] for kind in _JUDGED)
    shown: list[str] = []

    def picture(among: Sequence[Section]) -> Drawn | None:
        every = [drawn for part in (*among, *judged, *parts) for drawn in part.figures]
        chosen = next((drawn for drawn in every if drawn.id not in shown), every[0] if every else None)
        if chosen is not None:
            shown.append(chosen.id)
            chosen = chosen.in_a_row
        return chosen

    descriptions = [_sentence(folder.summary.description) for folder in results if folder.summary.description.strip()]
    descriptions.append(
        f"{total} predictions, made from theory and calibration runs before training, answer these questions."
    )
    made = [Card("asked", "What was asked", descriptions, picture(judged), [(part.question, "") for part in judged])]
    for name, title, rest, say in (
        ("holds", f"What holds: {kinds['holds']} of {total}", "", distances),
        ("fails", f"What fails: {kinds['fails']} of {total}", f"{kinds['undecided']} more are undecided.", worst),
    ):
        ranked = sorted((part for part in judged if part.of(name)[0]), key=_share(name), reverse=True)
        first = next((part for part in ranked if part.figures), ranked[0] if ranked else None)
        sentences = [f"{first.question.asks} {outcome(first.claims)} {say(first.claims)}"] if first else ["None."]
        questions = [(part.question, "{} of {}".format(*part.of(name))) for part in ranked]
        made.append(
            Card(name, title, [*filter(None, [rest]), *sentences], picture([first] if first else []), questions)
        )
    return made


def _share(kind: str) -> Callable[[Section], float]:
    """The share of a question's predictions with this verdict, drawn towards nothing where there are few of them."""

    def share(part: Section) -> float:
        number, judged = part.of(kind)
        return number / (judged + 1)

    return share


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}."
