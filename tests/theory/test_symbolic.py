"""The derivation proves itself, and its document is the one that the objects write."""

from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp
from iclrace.theory.document import render
from iclrace.theory.symbolic import Check, chain

CHAIN = chain()
DOCUMENT = Path(__file__).parents[2] / "docs" / "derivation.md"


@pytest.mark.parametrize(
    ("step", "check"), [(s, c) for s in CHAIN for c in s.checks], ids=lambda x: getattr(x, "key", "")
)
def test_every_claim_holds(step, check):
    assert check.passes(), f"{step.key}: {check.claim}"


def test_every_step_is_complete():
    keys = [step.key for step in CHAIN]
    assert len(set(keys)) == len(keys)
    for step in CHAIN:
        assert step.title and step.text and step.assumptions and step.equations and step.checks
        assert all(latex not in ("", r"\text{False}", r"\text{True}") for latex in step.latex)


def test_a_false_claim_is_refused():
    """Negative control: each kind of check fails on a wrong statement, and the message names it."""
    x = sp.Symbol("x")
    wrong = [
        Check("sin² + cos² = 2", "identity", lambda: sp.sin(x) ** 2 + sp.cos(x) ** 2 - 2),
        Check("sin(x)/x → 2", "limit", lambda: sp.limit(sp.sin(x) / x, x, 0) - 2),
        Check("π = 3.14159", "50 digits", lambda: sp.N(sp.pi, 50) - sp.Float("3.14159", 50), 1e-8),
    ]
    for check in wrong:
        assert not check.passes()
        with pytest.raises(ArithmeticError, match=r"flow.*does not hold"):
            replace(next(s for s in CHAIN if s.key == "flow"), checks=(check,)).verify()


def test_the_drag_changes_the_clock():
    """Negative control of the central identity: with the drag's sign turned the time left does not fall at rate 1."""
    from iclrace.theory.symbolic import race
    from iclrace.theory.symbolic.symbols import beta, kappa, w

    turned = sp.diff(race.clock, w) * (sp.exp(beta) + kappa * w) + sp.diff(race.clock, beta) * race.drift_beta + 1
    assert abs(sp.N(turned.subs({w: 0.3, beta: 0.1, kappa: 0.7}))) > 1e-2


def test_the_document_is_current():
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run `python -m iclrace.theory.document`"
