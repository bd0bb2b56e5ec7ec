"""The exponents as a LaTeX table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .exponents import Exponent

#: How quantities and variables are written.
_SIGNS = {
    "t_ICL": r"t_{\mathrm{ICL}}", "K*": "K^*", "t_loss": r"t_{\mathrm{loss}}", "beta0": r"\beta_0", "copies": "m",
    "label variance": "s^2", "rate ratio": r"\rho", "nu": r"\nu", "sigma_beta": r"\sigma_\beta", "lambda": r"\lambda",
    "transition width": r"(\mathrm{transition\ width})", "tail width": r"(\mathrm{tail\ width})",
}  # fmt: skip
HEADER = ("derivative", "branch", "exponent", "regime")


def latex_cells(law: Exponent) -> Sequence[str]:
    """The cells of a row: the derivative, its branch, the exponent, and the relations in which it holds."""
    quantity, variable = (_SIGNS.get(name, name) for name in (law.quantity, law.variable))
    below = rf"\mathrm{{d}}{variable}" if law.variable == "beta0" else rf"\mathrm{{d}}\ln {variable}"
    return (rf"$\mathrm{{d}}\ln {quantity}/{below}$", law.branch, f"${law.latex}$", _relations(law.regime))


def _relations(regime: Any) -> str:
    import sympy as sp

    if regime == sp.true:
        return "everywhere"
    short = regime.xreplace({number: sp.Float(number, 3) for number in regime.atoms(sp.Float)})
    parts = sorted(short.args, key=str) if isinstance(short, sp.And) else [short]
    return ", ".join(f"${sp.latex(part, ln_notation=True)}$" for part in parts)


def latex_table(laws: Iterable[Exponent]) -> str:
    """A ``tabular`` of four columns with a header; it needs no package."""
    rows = [" & ".join(cells) + r" \\" for cells in (HEADER, *map(latex_cells, laws))]
    return "\n".join([r"\begin{tabular}{llll}", rows[0], r"\hline", *rows[1:], r"\end{tabular}"])
