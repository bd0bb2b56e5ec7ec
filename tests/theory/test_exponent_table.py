"""The exponents as expressions with regimes, and as a LaTeX table."""

import io
import math
import shutil
import subprocess

import numpy as np
import pytest
import sympy as sp
from matplotlib.figure import Figure

from iclrace.theory import PowerLawMemory, Task, exponents, free_regime, threshold
from iclrace.theory.derivation import laws
from iclrace.theory.derivation import symbols as S
from iclrace.theory.exponent_table import HEADER, latex_cells, latex_table

EXPONENTS = exponents()


def one(quantity, variable, branch):
    (law,) = [x for x in EXPONENTS if (x.quantity, x.variable, x.branch) == (quantity, variable, branch)]
    return law


def test_every_exponent_is_an_expression_of_the_derivations_symbols():
    for law in EXPONENTS:
        assert str(law.expression) == law.formula and law.expression.free_symbols <= {S.nu, S.sigma_beta}
        assert law.value is None or float(law.expression) == law.value
        assert law.regime is sp.true or isinstance(law.regime, sp.logic.boolalg.Boolean)


def test_the_exponent_of_the_threshold_is_the_slope_of_its_law():
    """Differentiated from the law itself, and compiled: the slope of the numbers by the memory's ν."""
    star = laws()["K*"]
    slope = sp.simplify(S.N * sp.diff(sp.log(star.expression), S.N))
    assert sp.simplify(slope - one("K*", "N", "all").expression) == 0
    numbers = sp.lambdify(S.nu, slope)(np.array([0.6, 0.9]))
    for nu, number in zip((0.6, 0.9), numbers, strict=True):
        stars = [threshold(Task(10**6), PowerLawMemory(3.9, nu), 0.0, clock=c).value for c in (100.0, 200.0)]
        assert math.log(stars[1] / stars[0]) / math.log(2) == pytest.approx(number, rel=1e-9)


def ends(relation, length, copies=1):
    """The b between which a relation holds at κ = 1/2m, by its solution set."""
    at = {S.N: length, S.m: copies, S.s: 1, S.kappa: sp.Rational(1, 2 * copies)}
    x = sp.Symbol("beta_0", real=True)
    found = relation.subs(at).as_set() if relation.free_symbols else None
    assert found is not None and x in relation.free_symbols
    shift = -math.log(0.5 / copies)
    return float(found.inf) + shift, float(found.sup) + shift


@pytest.mark.parametrize("length", [1000, 10_000])
def test_without_drag_the_relation_has_both_ends_and_the_upper_one_grows_with_ln_n(length):
    """Against the slope of the integrated field, to 95 % accuracy: within 0.2 of both ends from N = 1,000 on."""
    low, high = ends(one("t_ICL", "beta0", "no drag").regime, length)
    known = free_regime(length)
    assert known is not None and low == pytest.approx(known[0], abs=0.2) and high == pytest.approx(known[1], abs=0.2)
    assert ends(one("t_ICL", "beta0", "no drag").regime, 4 * length)[1] - high == pytest.approx(math.log(2), abs=1e-3)


def test_at_small_n_the_relation_is_the_narrower_one():
    low, high = ends(one("t_ICL", "beta0", "no drag").regime, 100)
    known = free_regime(100)
    assert known is not None and known[0] < low < high < known[1]


def test_the_other_regimes_are_their_bounds():
    drag = one("t_ICL", "beta0", "drag")
    assert drag.regime.subs({S.beta0: drag.bounds[1] - 1e-6, S.kappa: 1}) == sp.true
    assert drag.regime.subs({S.beta0: drag.bounds[1] + 1e-6, S.kappa: 1}) == sp.false
    length = one("t_ICL", "N", "all")
    assert [length.regime.subs(S.N, length.bounds[0] + x) for x in (-1, 0)] == [sp.false, sp.true]
    decay = one("t_loss", "lambda", "all")
    inside = [decay.regime.subs(S.decay, x) for x in (0.5 * decay.bounds[0], 2 * decay.bounds[0], 2 * decay.bounds[1])]
    assert inside == [sp.false, sp.true, sp.false]


def test_slopes_in_beta0_are_called_so():
    assert one("K*", "beta0", "drag").derivative == "d ln K*/dβ0"
    assert one("K*", "N", "all").derivative == "d ln K*/d ln N"
    assert r"/\mathrm{d}\beta_0$" in latex_cells(one("K*", "beta0", "drag"))[0]


def render(text):
    figure = Figure(figsize=(8, 1))
    figure.text(0, 0, text)
    figure.savefig(io.BytesIO(), format="svg")


@pytest.mark.parametrize("law", EXPONENTS, ids=lambda law: f"{law.derivative} {law.branch}")
def test_every_cell_is_math_that_can_be_set(law):
    for cell in (*HEADER, *latex_cells(law)):
        assert not {"%", "&", "#", "_" if "$" not in cell else "%"} & set(cell), cell
        render(cell)


def test_a_cell_that_is_no_math_is_found():
    with pytest.raises(ValueError, match="frac"):
        render(r"$\frac{1$")


def test_the_table_has_a_header_and_four_cells_in_every_row():
    lines = latex_table(EXPONENTS).splitlines()
    assert lines[0] == r"\begin{tabular}{llll}" and lines[-1] == r"\end{tabular}" and lines[2] == r"\hline"
    rows = [lines[1], *lines[3:-1]]
    assert len(rows) == len(EXPONENTS) + 1 and all(row.count("&") == 3 and row.endswith(r" \\") for row in rows)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles_it(tmp_path):
    text = "\\documentclass{article}\\begin{document}\n" + latex_table(EXPONENTS) + "\n\\end{document}\n"
    (tmp_path / "table.tex").write_text(text)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"], cwd=tmp_path, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
