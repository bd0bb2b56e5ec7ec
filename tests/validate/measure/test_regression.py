"""Theory against a leave-one-out regression: who should win wins, and nobody wins where neither is better."""

import math

import numpy as np
import pytest

from iclrace.theory import Estimate
from iclrace.validate import Claim
from iclrace.validate.measure.regression import VARIABLES, contest, left_out, sign_test

PLACES = [
    dict(zip(VARIABLES, values, strict=True))
    for values in [(7, 31, 128, 1), (15, 31, 128, 1), (31, 31, 128, 1), (63, 31, 128, 1), (15, 15, 128, 1),
                   (15, 63, 128, 1), (15, 31, 64, 1), (15, 31, 256, 1), (15, 31, 128, 0.5), (15, 31, 128, 2),
                   (31, 31, 128, 0.5), (7, 31, 128, 2), (31, 63, 128, 1), (7, 15, 64, 1)]
]  # fmt: skip


def law(at, bend):
    """A power law of every variable, times what no power law of one variable can say where ``bend`` is not 0."""
    n, d, width, r = (math.log(at[name]) for name in VARIABLES)
    return 1.2 * n - 0.3 * d + 0.2 * width + 0.5 * r + bend * (n - 2.7) * r + bend * (n - 2.7) ** 2


def claims(predicted, measured):
    return [
        Claim("K*", "transformer", Estimate.exact(math.exp(p)), 1.2, at=at, measured=Estimate.exact(math.exp(m)))
        for at, p, m in zip(PLACES, predicted, measured, strict=True)
    ]


def test_a_regression_leaves_out_the_row_that_it_predicts():
    """Against numpy's own least squares on the other rows; another value in the row changes nothing of it."""
    rng = np.random.default_rng(0)
    table, values = rng.normal(size=(9, 2)), rng.normal(size=9)
    found = left_out(table, values)
    rows = np.delete(np.column_stack([np.ones(9), table]), 4, 0)
    slopes = np.linalg.solve(rows.T @ rows, rows.T @ np.delete(values, 4))
    assert found[4] == pytest.approx(slopes @ [1.0, *table[4]])
    changed = values.copy()
    changed[4] += 10.0
    assert left_out(table, changed)[4] == pytest.approx(found[4], abs=1e-12)
    assert abs(left_out(table, changed)[5] - found[5]) > 1e-3


def test_what_the_others_do_not_vary_is_not_guessed():
    table = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [1.0, 5.0]])
    assert left_out(table, np.array([0.0, 1.0, 2.0, 3.0, 99.0]))[4] == pytest.approx(1.0)


def test_the_sign_test_is_exact():
    """By hand: of three positive differences one pattern in eight is as large; drawn signs agree to four errors."""
    assert sign_test(np.array([1.0, 2.0, 3.0])) == 1 / 8
    assert sign_test(np.array([-1.0, 2.0, 3.0])) == 2 / 8
    differences = np.random.default_rng(1).normal(0.3, 1.0, 14)
    drawn = sign_test(np.append(differences, [0.0, 0.0]))
    exact = sign_test(differences)
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000) + 1e-4)


def test_a_theory_that_knows_what_bends_beats_the_regression():
    truth = np.array([law(at, 0.25) for at in PLACES])
    noise = 0.03 * np.random.default_rng(0).normal(size=len(truth))
    found = contest(claims(truth, truth + noise))
    assert found.conditions == len(PLACES) and found.variables == VARIABLES
    assert found.p_value < 0.01 and found.theory.mean() < found.regression.mean() / 2
    constant = contest(claims(np.full(len(truth), truth.mean()), truth + noise))
    assert constant.p_value > 0.9


def test_no_better_than_the_regression_it_rarely_wins():
    """Negative control: a theory whose errors have the regression's own spread, each from other draws.

    Errors left out of one fit are not independent, and the nominal 5 % are 8 % (400 trials): of 200, 16 ± 4 · 3.8.
    """
    rng, won, n = np.random.default_rng(3), 0, len(PLACES)
    truth, table = np.array([law(at, 0.0) for at in PLACES]), np.log([list(at.values()) for at in PLACES])
    error = np.array([left_out(table, row) - row for row in np.eye(n)]).T  # linear in the measurements
    for _ in range(200):
        measured = truth + 0.1 * rng.normal(size=n)
        own = (error * 0.1 * rng.normal(size=(n, n))).sum(1)
        won += contest(claims(measured + own, measured)).p_value < 0.05
    assert 1 <= won <= 31


def test_bad_claims_are_refused_by_name():
    truth = [law(at, 0.0) for at in PLACES]
    with pytest.raises(ValueError, match="Argument 'claims' must hold 4 conditions"):
        contest(claims(truth, truth)[:3])
    with pytest.raises(ValueError, match="Argument 'claims' must hold every condition once"):
        contest([*claims(truth, truth), claims(truth, truth)[0]])
    with pytest.raises(ValueError, match="Argument 'claims' must hold depth"):
        contest(claims(truth, truth), [*VARIABLES, "depth"])
    unmeasured = [Claim("K*", "transformer", Estimate.exact(math.inf), 1.2, at=PLACES[0])]
    assert contest([*claims(truth, truth)[1:], *unmeasured]).conditions == len(PLACES) - 1
