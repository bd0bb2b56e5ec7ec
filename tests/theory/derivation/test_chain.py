"""The derivation proves itself, its checks can fail, and its document is the one that the objects write."""

from operator import attrgetter
from pathlib import Path

import pytest
import sympy as sp

import iclrace.theory.reduced_transformer
from iclrace.docs.derivation import render
from iclrace.theory.derivation import Check, chain
from iclrace.theory.derivation.mutants import mutants
from iclrace.theory.derivation.step import KINDS

CHAIN = chain()
DOCUMENT = Path(__file__).parents[3] / "docs" / "derivation.md"
CHECKS = [(step, check) for step in CHAIN for check in step.checks]


@pytest.mark.parametrize(("step", "check"), CHECKS, ids=lambda x: getattr(x, "key", ""))
def test_every_claim_holds_and_a_wrong_one_does_not(step, check):
    """The statement passes; with its sign or its size changed, or its limit taken elsewhere, it fails."""
    assert check.passes(), f"{step.key}: {check.claim}"
    variants = list(check.wrong())
    for _, statement, at in [*variants[:2], variants[-1]]:
        assert not check.passes(statement, at)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "check"), CHECKS, ids=lambda x: getattr(x, "key", ""))
def test_no_wrong_variant_passes(step, check):
    """Every sign, factor and exponent, changed in one place at a time, and every limit taken elsewhere is refused."""
    variants = list(check.wrong())
    survivors = [name for name, statement, at in variants if check.passes(statement, at)]
    assert survivors == [], f"{step.key}: {check.claim}"
    names = " ".join(name for name, *_ in variants)
    assert "sign" in names or check.statement == 1  # |−1| = 1 where only the size of the statement counts
    assert "factor" in names or "twice" in names
    assert "squared" in names or "exponent" in names or "raised" in names or check.statement in (0, 1)
    assert (check.kind == "limit") == ("limit at" in names)


def test_every_step_is_complete():
    keys = [step.key for step in CHAIN]
    assert len(set(keys)) == len(keys)
    for step in CHAIN:
        assert step.title and step.text and step.assumptions and step.equations and step.checks
        assert all(latex not in ("", r"\text{False}", r"\text{True}") for latex in step.latex)
        assert all(check.kind in KINDS for check in step.checks)
        # the table at the end names what a user can call
        assert all(attrgetter(name)(iclrace.theory) for name in step.validity.code), step.key
        assert step.validity.domain and step.validity.error and step.validity.statement


def test_a_false_claim_is_refused():
    """Negative control: each kind of check fails on a wrong statement."""
    x = sp.Symbol("x")
    wrong = [
        Check("sin² + cos² = 2", "identity", 2, lambda value: sp.sin(x) ** 2 + sp.cos(x) ** 2 - value),
        Check("sin(x)/x → 2", "limit", 2, lambda value, at: sp.limit(sp.sin(x) / x, x, at) - value, at=0),
        Check("π = 3.14159", "50 digits", sp.Float("3.14159"), lambda value: sp.N(sp.pi, 50) - value, 1e-8),
        Check(
            "e^x = 1 + x + x²", "series", 1 + x + x**2, lambda value: sp.series(sp.exp(x), x, 0, 3).removeO() - value
        ),
    ]
    for check in wrong:
        assert not check.passes()


def test_a_check_that_assumes_its_statement_is_found():
    """Negative control of the mutation test: a residual that never looks at its statement lets all variants through."""
    x = sp.Symbol("x", positive=True)
    blind = Check("x = x", "identity", x, lambda _: sp.Integer(0))
    assert all(blind.passes(statement, at) for _, statement, at in blind.wrong())


def test_mutants_change_one_place_and_none_is_the_statement():
    x, y = sp.symbols("x y", positive=True)
    found = dict(mutants(x**2 + sp.exp(-y)))
    assert {
        -(x**2) - sp.exp(-y),
        x**2 - sp.exp(-y),
        x**3 + sp.exp(-y),
        x**2 + sp.exp(y),
        x**2 + sp.exp(-(y**2)),
    } <= set(found.values())
    assert x**2 + sp.exp(-y) not in found.values()
    assert [value for _, value in mutants(sp.Integer(1))] == [-1, 2]  # 1² is 1


def test_the_drag_changes_the_clock():
    """Negative control of the central identity: with the drag's sign turned the time left does not fall at rate 1."""
    from iclrace.theory.derivation import race
    from iclrace.theory.derivation.symbols import beta, kappa, w

    turned = sp.diff(race.clock, w) * (sp.exp(beta) + kappa * w) + sp.diff(race.clock, beta) * race.drift_beta + 1
    assert abs(sp.N(turned.subs({w: 0.3, beta: 0.1, kappa: 0.7}))) > 1e-2


def test_the_document_is_current():
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run `python -m iclrace.docs.derivation`"
