"""From the clock to the acquisition time: variation of constants about the exact early path."""

from typing import Any

import sympy as sp

from .race import C, Y, along, drag_part, parameter
from .step import Check, Step, Validity, eq
from .symbols import N, beta, m, w


def _drift_residual(statement: Any) -> Any:
    """dC/dY under any field (rate_w, rate_beta): the statement holds the rates as β̇ and Ẏ."""
    rate_w, rate_beta = sp.symbols("rate_w rate_beta", positive=True)
    moved = along(parameter, rate_w, rate_beta)
    constant = sp.exp(beta - parameter**2 / 2) - drag_part.subs(Y, parameter)
    values = {Y: parameter, beta_dot: rate_beta, y_dot: moved}
    return along(constant, rate_w, rate_beta) / moved - statement.subs(values, simultaneous=True)


beta_dot, y_dot = sp.symbols("\\dot{\\beta} \\dot{Y}", positive=True)
drift_of_constant = sp.exp(beta - Y**2 / 2) * (beta_dot / y_dot - w)


def steps() -> tuple[Step, ...]:
    """The acquisition time."""
    return (_time_step(),)


def _time_step() -> Step:
    scale, c1 = 2 * N / m, sp.Rational(1, 2)
    first = sp.Symbol("Y_0")
    this, following, field_y = sp.Symbol("C_i"), sp.Symbol("C_{i+1}"), sp.Function("\\dot{Y}")
    return Step(
        "acquisition time",
        "Acquisition time",
        ("K → ∞: φ = 0, c1 = c2 = 1/2.", "Flat attention; the end is β_e, where ICL accuracy is 95 %."),
        (
            "dτ = (m/2N) dt, so that t_ICL = 2Nτ*/m to the blow-up. To 95 % accuracy at finite N, Z and σ(−u) leave "
            "their early values at the end of the path.",
            eq(sp.Symbol("t_{ICL}"), scale * sp.Symbol("\\tau^*")),
            "**Variation of constants.** Keep Y as the coordinate of the path, let (β̇, ẇ) be any field, and define "
            "C by the same formula: it is no longer conserved, but drifts as",
            eq(sp.Derivative(C, Y), drift_of_constant),
            "which vanishes for the early system, where β̇ = w Ẏ. **The iteration.** C_0 is the constant of the "
            "start. Given C_i(Y), the path is e^β = C_i e^{Y²/2} + κ M(−Y), w = Y + κ e^{−β}; on it the field gives "
            "β̇ and Ẏ = ẇ + κ e^{−β} β̇, hence the next constant and the time",
            eq(following, sp.Symbol("C_0") + sp.Integral(sp.Derivative(this, Y), (Y, first, Y))),
            eq(sp.Symbol("t_{ICL}"), sp.Integral(1 / field_y(this), (Y, first, sp.Symbol("Y_e")))),
            "**The end** Y_e is where the path's β is β_e; as C moves, so does it, by one Newton step (dβ/dY = w) in "
            "every pass. The drift lives in the last e-folds of e^β before β_e, so few passes do: one leaves 0.8 %, "
            "two 0.06 %, three 0.005 % (N = 50, β0 = 2).",
        ),
        (
            Check("dt = (2N/m) dτ at c1 = 1/2", "identity", scale, lambda statement: N / (m * c1) - statement),
            Check("dC/dY under any field", "identity", drift_of_constant, _drift_residual),
        ),
        Validity("t_ICL = 2Nτ*/m, and C drifting to 95 %", "N = 25 … 1600, β0 = −3 … 2, w0 = 0",
                 "0.3 % against integration of the field", ("acquisition_time", "clock_at_acquisition")),
    )  # fmt: skip
