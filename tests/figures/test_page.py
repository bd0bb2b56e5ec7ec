"""The page of results: its answers are the verdicts', its words a reader's, its headlines few and never stale."""

import math
import re
from dataclasses import replace

import pytest

from iclrace.figures import Results
from iclrace.figures.page import headlines, parts, rows
from iclrace.figures.questions import QUESTIONS, answer, by_question
from iclrace.figures.verdicts import interval
from iclrace.theory import Estimate
from iclrace.validate import Answer, Claim, Claims

HELD = Claim("K*", "minimal", Estimate.exact(100.0), 1.2, part="circuit", method="memory alone",
             measured=Estimate(105.0, 100.0, 110.0), seeds=3, experiment="threshold")  # fmt: skip
FAILED = replace(HELD, measured=Estimate(200.0, 190.0, 210.0), at={"context_length": 25})
WIDE = replace(HELD, measured=Estimate(105.0, 50.0, 300.0), at={"context_length": 12})


@pytest.fixture(scope="module")
def folders(reference):
    return [Results(path.parent) for path in sorted(reference.directory.parent.glob("*/summary.json"))]


@pytest.mark.parametrize(("claims", "said"), [
    ([HELD], "yes"), ([HELD, WIDE], "yes"), ([HELD, WIDE, WIDE], "undecided"), ([WIDE], "undecided"),
    ([HELD, FAILED], "in part"), ([HELD, FAILED, FAILED], "no"), ([FAILED, WIDE, WIDE], "no"), ([], "undecided"),
])  # fmt: skip
def test_the_answer_is_what_the_verdicts_come_to(claims, said):
    assert answer(Claims(claims)) == said


def test_a_page_whose_claims_change_changes_its_answer_and_its_sentence(folder):
    results = folder.results()
    for measured, word, told in ((HELD.measured, "yes", "holds"), (FAILED.measured, "no", "fails")):
        results.claims = Claims([replace(HELD, measured=measured)])
        (part,) = parts([results])
        assert part.word == word and f": {word}. The one prediction {told}." in part.sentence
        assert part.rows[0][-1] == told and part.counts[:2] == ((1, 0) if told == "holds" else (0, 1))


def test_every_rule_of_a_headline_finds_claims_of_the_reference_results(folders):
    asked = by_question(claim for one in folders for claim in one.claims)
    for question in QUESTIONS:
        if question.name != "other":
            assert any(question.headline(claim) for claim in asked[question]), question.name
            assert question.says and len(headlines(question, asked[question])) <= 25


def test_without_a_headline_the_judged_claims_stand_and_without_those_the_others():
    (question,) = [one for one in QUESTIONS if one.name == "threshold"]
    other = replace(HELD, method="coupled equations")
    told = replace(other, bar=None)
    assert [*headlines(question, Claims([HELD, other]))] == [HELD]
    assert [*headlines(question, Claims([told, other]))] == [other]
    assert [*headlines(question, Claims([told]))] == [told]


def test_the_committed_page_is_short_and_speaks_to_a_reader(reference):
    root = reference.directory.parents[2] / "docs"
    page = (root / "RESULTS.md").read_text("utf-8")
    assert len(page.splitlines()) <= 400
    tables = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    assert not re.search(r"\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,20}\b", page)  # addresses of runs
    assert not re.search(r"e\+\d\d\d|∞\]", tables)
    symbols = {"t_loss"}
    assert not {word for word in re.findall(r"\b[a-z]\w*\\_\w*[a-z0-9]\b", tables)
                if word.replace("\\", "") not in symbols}  # fmt: skip
    images = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", page)
    assert len(images) >= 9 and all((root / one).is_file() for one in images)


def test_names_of_the_page_tell_its_rows_apart_and_hide_what_is_internal():
    claims = [replace(HELD, experiment=name, at={"context_length": n, "rung": "2 held_gates"})
              for name, n in (("threshold", 25), ("other_2", 50))]  # fmt: skip
    names = [row[0] for row in rows(claims)]
    assert names == ["K*, minimal model, ICL circuit, N = 25, memory alone",
                     "K*, minimal model, ICL circuit, N = 50, memory alone"]  # fmt: skip


def test_a_bound_that_is_none_is_said_in_words():
    assert interval(Estimate(63.6, 56.7, math.inf), words=True) == "63.6 [56.7, no upper bound]"
    assert interval(Estimate(1.2, 0.0, 1e304), words=True) == "1.2 [no lower bound, no upper bound]"
    assert interval(Estimate(0.0, 0.0, 0.1), words=True, ratio=False) == "0 [0, 0.1]"
    assert interval(Estimate(math.inf, 0.0, math.inf), words=True) == "∞ [no lower bound, no upper bound]"
    open_ended = Estimate(0.0, -math.inf, math.inf)
    assert interval(open_ended, words=True, ratio=False) == "0 [no lower bound, no upper bound]"
    assert interval(Estimate(1.26, 1.07, 4.74e260)) == "1.26 [1.07, ∞]"
    assert interval(Answer(True, "", 0.1), words=True) == "yes, p = 0.1"
    assert interval(Estimate.exact(100.0), words=True) == "100"
