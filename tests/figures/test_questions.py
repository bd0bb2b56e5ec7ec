"""Questions: every claim answers one, every figure shows one, and a headline says what the verdicts say."""

from collections import Counter
from dataclasses import replace

import pytest

from iclrace.figures import FIGURES, Results
from iclrace.figures.questions import QUESTIONS, by_question, furthest, headline, question_of
from iclrace.theory import Estimate
from iclrace.validate import PRESETS, Claim, Claims

HELD = Claim("K*", "minimal", Estimate.exact(100.0), 1.2, method="a", measured=Estimate(110.0, 105.0, 115.0), seeds=3,
             experiment="threshold")  # fmt: skip
FAILED = replace(HELD, method="b", measured=Estimate(200.0, 190.0, 210.0))
WIDE = replace(HELD, method="b", measured=Estimate(125.0, 50.0, 300.0), at={"context_length": 12})


def test_every_figure_shows_one_question():
    shown = Counter(name for question in QUESTIONS for name in question.figures)
    assert set(shown) == set(FIGURES) and set(shown.values()) == {1}
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS)


def test_every_claim_answers_one_question(reference):
    for folder in sorted(path.parent for path in reference.directory.parent.glob("*/summary.json")):
        claims = Results(folder).claims
        found = by_question(claims)
        assert sorted(map(id, claims)) == sorted(id(one) for mine in found.values() for one in mine)
        assert not [claim for claim in found if claim.name == "other"], folder  # each is asked for by name
        for question, mine in found.items():
            assert all(question_of(claim) is question for claim in mine)


@pytest.mark.parametrize(("quantity", "network", "experiment", "name"), [
    ("K*", "minimal", "threshold", "threshold"),
    ("K*", "minimal", "kinetics", "rates"),
    ("d ln K*/d ln r", "minimal", "anything", "rates"),
    ("d ln K*/d ln N", "minimal", "threshold", "threshold"),
    ("t_ICL", "minimal", "threshold", "acquisition"),
    ("t_ICL", "minimal", "burstiness", "data"),
    ("K*", "transformer", "coupling_lengths", "transformer"),
    ("K*", "transformer", "coupling_rates", "rates"),
    ("K*", "package.module:mine", "own_threshold", "own"),
    ("t_loss", "minimal", "transience_decay", "transience"),
    ("two kinds of outcome", "transformer", "transformer_outcomes", "outcomes"),
    ("anything", "minimal", "anything", "other"),
])  # fmt: skip
def test_which_question(quantity, network, experiment, name):
    claim = replace(HELD, quantity=quantity, network=network, experiment=experiment)
    assert question_of(claim).name == name


def test_every_experiment_of_every_preset_has_a_question_of_its_own():
    names = {one.name for preset in PRESETS.values() for one in preset.experiments}
    for experiment in names:
        network = "transformer" if "transformer" in experiment or "coupling" in experiment else "minimal"
        quantity = "t_ICL" if "acquisition" in experiment or "attention" in experiment else "K*"
        claim = replace(HELD, experiment=experiment, network=network, quantity=quantity)
        assert question_of(claim).name != "other", experiment


def test_a_headline_counts_and_names_what_is_furthest_off():
    claims = Claims([HELD, FAILED, WIDE])
    assert furthest(claims) == 1 and furthest(Claims([HELD, WIDE])) is None
    text = headline(claims)
    assert text.startswith("Of 3 predictions 1 holds, 1 fails and 1 is undecided.")
    assert "Measured over predicted is 1.25 in the middle, from 1.1 to 2." in text
    assert text.endswith(f"Furthest off: {claims.names[1]}, which fails by factor 2.")
    assert headline(Claims([WIDE])) == "The one prediction is undecided."
    assert headline(Claims([HELD, HELD])).startswith("Of 2 predictions 2 hold.")
    assert headline(Claims([FAILED, WIDE])).startswith("Of 2 predictions none holds, 1 fails and 1 is undecided.")
    assert headline(Claims([replace(HELD, predicted=None, bar=None)])).startswith("Nothing was predicted")
    several = Claims([replace(one, at={"context_length": n}) for n in (25, 50, 100) for one in (HELD, FAILED)])
    assert "By method: a 1.1; b 2." in headline(several)
    # of two that fail, the one further beyond its own bar: a factor 1.5 at a bar of 1.05 beyond a factor 2 at 1.2
    near = replace(HELD, bar=1.05, measured=Estimate(150.0, 140.0, 160.0))
    assert furthest(Claims([FAILED, near])) == 1
