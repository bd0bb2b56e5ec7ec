"""Exponents with sympy, and the numbers beside them. `marimo edit docs/notebooks/exponents.py`."""

import marimo

app = marimo.App(app_title="iclrace: exponents")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    import sympy as sp

    from iclrace.theory import PowerLawMemory, Task, exponents, threshold_slopes
    from iclrace.theory.derivation import laws

    return PowerLawMemory, Task, exponents, laws, mo, np, sp, threshold_slopes


@app.cell
def _(laws, mo, sp):
    star = laws()["K*"]
    N = star.symbols["context_length"]
    slope = sp.simplify(N * sp.diff(sp.log(star.expression), N))
    mo.md(
        rf"""
        # Exponents
        $K^* = {sp.latex(star.expression)}$, and so $d \ln K^*/d \ln N = {sp.latex(slope)}$: longer contexts need more
        items the more slowly the memory's clock grows with K.
        """
    )
    return slope, star


@app.cell
def _(exponents, mo):
    stated = {law.derivative: law for law in exponents()}
    mo.ui.table([{"derivative": name, "value": law.formula, "where": law.where} for name, law in stated.items()])
    return (stated,)


@app.cell
def _(PowerLawMemory, Task, mo, np, slope, star, threshold_slopes):
    nus = np.array([0.5, 0.7, 1.0])
    symbolic = np.array([float(slope.subs(star.symbols["exponent"], nu)) for nu in nus])
    _slopes = [threshold_slopes(Task(400), PowerLawMemory(3.9, float(nu)), 0.0) for nu in nus]
    numeric = np.array([float(row["context_length"]) for row in _slopes])
    mo.ui.table([{"ν": nu, "symbolic": a, "numbers": b} for nu, a, b in zip(nus, symbolic, numeric, strict=True)])
    return numeric, nus, symbolic


if __name__ == "__main__":
    app.run()
