"""Claims: the verdict's rule for every type of value, and that a claim survives its file."""

import json
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iclrace.theory import Estimate, Task
from iclrace.validate import Answer, Claim, Claims, Extremes, PValue, Range, Run, StoreError, place, read_summary
from iclrace.validate.claim import names
from iclrace.validate.summary import Dataset, Summary
from iclrace.validate.training.config import json_text
from iclrace.validate.values import at_confidence, value_from_json, value_json


def claim(predicted, measured, bar=1.2, scale="ratio", seeds=4, **fields):
    return Claim("K*", "minimal", predicted, bar, scale=scale, measured=measured, seeds=seeds, **fields)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.3), st.floats(0.05, 0.4))
def test_a_difference_is_judged_by_its_interval(predicted, measured, half, bar):
    found = claim(Estimate.exact(predicted), Estimate(measured, measured - half, measured + half), bar, "difference")
    gap = abs(measured - predicted)
    if gap + half < bar - 1e-9:
        assert found.verdict.kind == "holds"
    elif gap - half > bar + 1e-9:
        assert found.verdict.kind == "fails"
    elif abs(gap + half - bar) > 1e-9 and abs(gap - half - bar) > 1e-9:
        assert found.verdict.kind == "undecided"


@given(st.floats(0.3, 3), st.floats(1.001, 2), st.floats(1.01, 2))
def test_a_ratio_is_judged_in_the_logarithm_and_widths_add_in_quadrature(ratio, width, bar):
    part = width ** (1 / math.sqrt(2))  # of each side, so that the quadrature gives the whole width
    predicted, measured = Estimate(7.0, 7.0 / part, 7.0 * part), Estimate(7 * ratio, 7 * ratio / part, 7 * ratio * part)
    found = claim(predicted, measured, bar)
    assert found.compared.high == pytest.approx(ratio * width, rel=1e-9)
    assert found.compared.low == pytest.approx(ratio / width, rel=1e-9)
    distance = abs(math.log(ratio))
    if distance + math.log(width) < math.log(bar) - 1e-9:
        assert found.verdict.kind == "holds"
    if distance - math.log(width) > math.log(bar) + 1e-9:
        assert str(found.verdict) == f"fails by factor {max(ratio, 1 / ratio):.3g}"


def test_verdicts_follow_from_the_intervals():
    def told(predicted, measured):
        return str(claim(predicted, measured, 1.25).verdict)

    assert told(Estimate.exact(100), Estimate(105, 100, 110)) == "holds"
    assert told(Estimate.exact(100), Estimate(240, 200, 290)) == "fails by factor 2.4"
    assert told(Estimate.exact(100), Estimate(25, 20, 30)) == "fails by factor 4"
    assert told(Estimate.exact(100), Estimate(120, 90, 160)).startswith("undecided (needs")
    assert told(Estimate(math.inf, 1, math.inf), Estimate.exact(1)).startswith("undecided")


@given(st.floats(0.1, 10), st.floats(1.0, 2.0), st.floats(1.01, 3.0))
def test_a_verdict_does_not_depend_on_which_side_is_larger(ratio, spread, bar):
    # An end of the interval that lies on the bar but for rounding may fall on either side.
    assume(all(abs(abs(math.log(end)) - math.log(bar)) > 1e-9 for end in (ratio / spread, ratio * spread)))
    estimate = Estimate(ratio, ratio / spread, ratio * spread)
    there, back = claim(Estimate.exact(1.0), estimate, bar), claim(estimate, Estimate.exact(1.0), bar)
    assert there.verdict.kind == back.verdict.kind


def test_undecided_says_how_many_seeds_and_hours_would_decide():
    """Half-width ln 1.3 at 4 seeds and ratio 1: within ln 1.2 at 4 (ln 1.3/ln 1.2)² = 8.3 seeds."""
    open_ = claim(Estimate.exact(1.0), Estimate(1.0, 1 / 1.3, 1.3), seed_hours=0.5)
    assert (open_.verdict.seeds, open_.verdict.hours) == (9, 2.5)
    assert str(open_.verdict) == "undecided (needs 9 seeds, 2.5 h)"
    assert str(claim(Estimate.exact(1.0), Estimate(1.0, 1 / 1.3, 1.3)).verdict) == "undecided (needs 9 seeds)"
    at_the_bar = claim(Estimate.exact(1.0), Estimate(1.2, 1.0, 1.44))
    assert str(at_the_bar.verdict) == "undecided (needs many more seeds)"


def test_each_type_has_its_own_rule():
    exact = Estimate.exact(1.0)
    assert claim(exact, Range(1.0, 0.9, 1.1)).verdict.kind == "holds"
    assert claim(exact, Range(1.5, 1.3, 1.6)).verdict.kind == "fails"
    # No number of seeds narrows a range: it never asks for more of them.
    assert str(claim(exact, Range(1.0, 0.8, 1.3)).verdict) == "undecided (the range crosses the bar)"
    assert claim(exact, Extremes(1.0, 0.9, 1.1)).verdict.kind == "holds"
    assert claim(exact, Extremes(1.0, 0.5, 1.1)).verdict.kind == "undecided"
    yes, no = Answer(True), Answer(False)
    kinds = [claim(yes, Answer(told), None).verdict.kind for told in (True, False, None)]
    assert kinds == ["holds", "fails", "undecided"]
    assert [claim(no, Answer(told), None).verdict.kind for told in (True, False)] == ["fails", "holds"]
    assert [claim(yes, PValue(p, "dip"), 0.01).verdict.kind for p in (0.001, 0.5)] == ["holds", "fails"]
    assert [claim(no, PValue(p, "dip"), 0.01).verdict.kind for p in (0.001, 0.5)] == ["fails", "holds"]
    assert claim(None, exact, None).verdict.kind == claim(exact, exact, None).verdict.kind == "reported"
    assert claim(exact, None).verdict.kind == "pending"
    assert claim(exact, Answer(True)).verdict.kind == "undecided"  # no number was measured


def test_an_event_that_never_happens_agrees_with_itself_and_is_unknown_otherwise():
    never = Estimate(math.inf, 0.0, math.inf)
    assert claim(never, never).compared.value == 1.0
    assert claim(Estimate.exact(1.0), never).verdict.kind == "undecided"


def test_intervals_are_brought_to_one_confidence_and_bounds_are_left():
    found = at_confidence(Estimate(10.0, 9.0, 11.0), 0.99, logarithmic=False)
    assert found.high == pytest.approx(10 + 2.5758 / 1.95996, rel=1e-4) and found.confidence == 0.99
    bound = Estimate(10.0, 9.0, 11.0, 1.0)
    assert at_confidence(bound, 0.99, logarithmic=True) is bound
    wide = claim(Estimate(1.0, 0.9, 1.1), Estimate(1.0, 1.0, 1.0, 0.99), 1.2).compared
    assert wide.high > 1.1  # the prediction's interval is read at 99 %, too


@pytest.mark.parametrize("bar, scale", [(1.0, "ratio"), (0.0, "difference"), (0.5, "ratio")])
def test_bars_that_no_number_could_miss_or_meet_are_refused(bar, scale):
    with pytest.raises(ValueError, match="Argument 'bar' must be"):
        claim(Estimate.exact(1.0), None, bar, scale)


RUN = Run("minimal", Task(25, 500, 63), 0)
CLAIMS = Claims(
    [
        claim(Estimate(400.0, 350.0, math.inf), Estimate(410.0, 350.0, 480.0), method="memory alone", part="circuit",
              at=place(RUN, task_diversity=None), experiment="threshold", data=("n25",), inputs=("x",)),
        claim(Estimate.exact(900.0), Range(900.0, 800.0, 1000.0), method="coupled equations", part="circuit",
              at=place(RUN, context_length=50, task_diversity=None), experiment="threshold", data=("n50",)),
        Claim("d ln K*/d ln N", "minimal", Answer(True), None, "circuit", at=place(RUN, context_length=(25, 50)),
              measured=Answer(None, "t", 0.3), experiment="threshold", data=("n25", "n50"), seeds=2),
        Claim("two kinds", "transformer", Answer(True), 0.01, measured=PValue(0.2, "dip", 0.03), experiment="outcomes",
              at={"task_diversity": math.inf}, seeds=24, seed_hours=0.1),
        Claim("accuracy", "transformer", None, None, measured=Extremes(0.8, 0.5, 1.0), experiment="outcomes"),
    ]
)  # fmt: skip


def test_a_claim_survives_its_file(tmp_path):
    summary = Summary("mine", "", CLAIMS, [Dataset("threshold_n25", "threshold", "networks", "n25")])
    summary.write(tmp_path)
    back = read_summary(tmp_path)
    assert list(back.claims) == list(CLAIMS) and back.datasets == summary.datasets
    assert [str(one.verdict) for one in back.claims] == [str(one.verdict) for one in CLAIMS]


def test_an_extrapolation_is_still_one_when_read_back():
    for beyond in (True, False):
        value = Estimate(3.0, 1.0, math.inf, 1.0, extrapolated=beyond)
        entry = json.loads(json_text(value_json(value)))
        assert value_from_json(entry) == value and ("extrapolated" in entry) == beyond
    with pytest.raises(ValueError, match="extrapolated"):
        value_from_json({"type": "interval", "value": 3.0, "low": 1.0, "high": 4.0, "extrapolated": 1})


def test_a_summary_that_says_the_same_is_left_alone(tmp_path):
    Summary("mine", "", CLAIMS, provenance={"date": "then"}).write(tmp_path)
    before = (tmp_path / "summary.json").read_text()
    Summary("mine", "", CLAIMS, provenance={"date": "now"}).write(tmp_path)
    assert (tmp_path / "summary.json").read_text() == before
    Summary("mine", "", CLAIMS[:3], provenance={"date": "now"}).write(tmp_path)
    assert "now" in (tmp_path / "summary.json").read_text()


def damages(entry):
    """Every way to drop one field of a JSON object, or to put another type there."""
    for name, value in entry.items():
        yield {key: one for key, one in entry.items() if key != name}
        for other in (None, 1, "x", [], {}, True):
            if type(other) is not type(value):
                yield {**entry, name: other}
        if isinstance(value, dict):
            for inner in damages(value):
                yield {**entry, name: inner}


def test_a_damaged_summary_is_refused_by_name_or_means_the_same(tmp_path):
    Summary("mine", "", CLAIMS[:1]).write(tmp_path)
    whole = json.loads((tmp_path / "summary.json").read_text())
    refused, every = 0, list(damages(whole["claims"][0]))
    for entry in every:
        (tmp_path / "summary.json").write_text(json.dumps({**whole, "claims": [entry]}))
        try:
            read_summary(tmp_path).claims.names  # noqa: B018
        except StoreError as error:
            assert "summary.json" in str(error)
            refused += 1
    assert refused > len(every) / 2
    for text in ("{", "[]", json_text({**whole, "format": 1}), json_text({**whole, "claims": {}})):
        (tmp_path / "summary.json").write_text(text)
        with pytest.raises(StoreError, match=r"summary\.json"):
            read_summary(tmp_path)


def test_no_value_of_an_unknown_type():
    with pytest.raises(ValueError, match="type"):
        value_from_json({"type": "guess", "value": 1.0})


def test_claims_are_found_by_their_fields():
    assert len(CLAIMS.select(quantity="K*", context_length=50)) == 1
    assert len(CLAIMS.select(network=("minimal", "transformer"))) == 5
    assert [one.at["context_length"] for one in CLAIMS.where("quantity == K* and N >= 25")] == [25, 50]
    assert len(CLAIMS.where("quantity==K* and network==transformer")) == 0
    assert len(CLAIMS.where("verdict == fails")) == len(CLAIMS.where("quantity == two kinds")) == 1
    assert len(CLAIMS.where("K == ∞")) == 1 and len(CLAIMS.where("seeds < 4")) == 2
    # what these mean would be no claim at all: "K* or 1" and "10 N == 3" as values, and words that are less than others
    silent = ("quantity == K* or N == 25", "quantity == K* or 1", "N > 10 N == 3", "N > x", "seeds <= few")
    for wrong in ("colour == red", "K*", "N = 25", "N ~ 3", *silent):
        with pytest.raises(ValueError, match="'where'"):
            CLAIMS.where(wrong)


def test_names_tell_claims_apart_and_tables_hold_what_claims_hold():
    assert len(set(names(CLAIMS))) == len(CLAIMS)
    assert "N = 25" in CLAIMS.names[0] and "D = " not in CLAIMS.names[0]  # D is the same everywhere
    table = CLAIMS.to_xarray()
    assert table.sizes == {"claim": 5}
    assert table.measured.values[:2].tolist() == [410.0, 900.0] and math.isinf(table.predicted_high[0])
    assert table.context_length.values[0] == "25" or table.context_length.values[0] == 25
    frame = pytest.importorskip("pandas")
    assert isinstance(CLAIMS.to_dataframe(), frame.DataFrame)
