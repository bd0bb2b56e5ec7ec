"""Every result of the theory as a sympy expression with its symbols by name: to differentiate, print and compile."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sympy as sp

from . import after, budget, data, decay, flow, outcome, race, reduced
from .law import Law
from .law import law as named
from .mills_function import Mills
from .symbols import A, D, K, N, T, beta, beta0, c1, c2, c3, kappa, m, n, nu, p, phi, q, r, s, sigma_beta, w, w0
from .symbols import decay as lambda_

#: The package's words for the symbols.
NAMES: Mapping[sp.Symbol, str] = {
    N: "context_length", m: "copies", K: "task_diversity", D: "dimension", s: "label_std", T: "target_in_softmax",
    w: "w", beta: "beta", beta0: "beta0", w0: "w0", phi: "margin", n: "label_sum", kappa: "drag", c1: "c1", c2: "c2",
    c3: "c3", A: "amplitude", nu: "exponent", p: "margin_scale", outcome.L: "depth", q: "growth_exponent", r: "rate",
    lambda_: "decay", sigma_beta: "beta0_std", race.b: "b", race.Y: "path_parameter", after.since: "since",
    budget.time: "budget", budget.reading: "clock", budget.small: "margin_at_budget", after.end: "clock_at_fold",
    after.acquired: "clock_at_acquisition", sp.Symbol("wbar", positive=True): "mean_weight", after.start: "w_acquired",
    after.beta_1: "beta_acquired", after.weight: "branch_weight", after.a: "attention", outcome.k_star: "threshold",
    decay.per_clock: "decay_per_clock", flow.memory_noise: "memory_noise", budget.rate: "learning_rate",
    budget.momentum: "momentum",
}  # fmt: skip


def law(name: str, expression: Any, step: str) -> Law:
    """A law of these symbols."""
    return named(name, expression, step, NAMES)


@cache
def laws() -> Mapping[str, Law]:
    """Every law by its name, in the order of the derivation.

    Returns
    -------
    mapping from str to Law

    Source: docs/derivation.md; docs/reduced_transformer.md.

    Examples
    --------
    >>> star = laws()["K*"]
    >>> N, nu = star.symbols["context_length"], star.symbols["exponent"]
    >>> sp.simplify(N * sp.diff(sp.log(star.expression), N))
    1/nu
    """
    rooms = (_flow, _race, _threshold, _budget, _after, _around)
    stated = [law for room in rooms for law in room()]
    return {law.name: law for law in [*stated, *reduced.laws()]}


def _flow() -> list[Law]:
    """Before the average over the label sum n, at one margin φ."""
    return [
        law("logit", flow.logit, "logit"),
        law("loss", flow.loss, "loss"),
        law("dw/dt", flow.dw, "flow"),
        law("dβ/dt", flow.dbeta, "flow"),
        law("σ(−u)", flow.dphi, "flow"),
        law("P_ICL", flow.accuracy, "accuracy"),
        law("argument of P_ICL beside memory", flow.signal_beside_noise, "accuracy at finite D"),
    ]


def _race() -> list[Law]:
    clock = race.clock_by(Mills)
    crossover = race.crossover_by(Mills)
    start = {beta: beta0, w: w0}
    return [
        law("κ", s**2 * c2 / m, "early"),
        law("dw/dτ", race.drift_w, "early"),
        law("dβ/dτ", race.drift_beta, "early"),
        law("C", sp.exp(beta - race.parameter**2 / 2) - race.drag_part.subs(race.Y, race.parameter), "path"),
        law("τ*", clock.subs(start, simultaneous=True), "crossover"),
        law("F", crossover, "crossover"),
        law("d ln F/db", sp.diff(sp.log(crossover), race.b), "limits"),
        law("τ* without drag", Mills(w0) * sp.exp(-beta0), "mills"),
    ]


def _threshold() -> list[Law]:
    clock = race.clock_by(Mills).subs({beta: beta0, w: w0, kappa: outcome.drag}, simultaneous=True)
    return [
        law("I*", N / m * clock, "threshold"),
        law("t_ICL", 2 * N / m * clock, "acquisition time"),
        law("dφ/dt", outcome.memory_rate, "memory"),
        law("I_K(φ)", outcome.clock_at_margin, "memory"),
        law("I_K(∞)", outcome.power_law, "memory"),
        law("r_K", sp.solve(sp.Eq(outcome.total_clock, outcome.power_law), r)[0], "memory"),
        law("K*", (N / (m * A) * clock) ** (1 / nu), "threshold"),
        law("P(acquire)", flow.normal_cdf(outcome.probit), "bimodality"),
    ]


def _budget() -> list[Law]:
    slope = sp.diff(sp.log(race.clock_by(Mills).subs({beta: beta0, w: w0}, simultaneous=True)), beta0)
    return [
        law("K*(T)/K*", budget.ratio_at_budget, "budget"),
        law("d ln K*/d ln I*", 1 / budget.slope_at_budget, "slopes"),
        law("d ln τ*/dβ0", slope, "tail"),
        law("transition width", -sigma_beta * slope / budget.slope_at_budget, "slopes"),
        law("transition width, T → ∞", -sigma_beta * slope / nu, "bimodality"),
    ]


def _after() -> list[Law]:
    """φ_c is the greatest value over β of the margin on the branch; that of its limit λ → 0 is "φ_c − ln(1/λ)"."""
    on_branch = {after.a: after.share, after.weight: after.branch_weight}
    return [
        law("w_tr", after.tracked, "tracking"),
        law("w − w_1", after.grown, "tracking"),
        law("(w² − w_1²)/2", after.half_square, "tracking"),
        law("w on the branch", after.branch_weight, "branch"),
        law("a on the branch", after.share, "branch"),
        law("φ on the branch", after.branch_margin, "branch"),
        law("dφ/dβ on the branch", after.fold_condition, "fold"),
        law("φ_c − ln(1/λ)", after.fold_function.subs(on_branch), "fold"),
        law("dt/dI on the branch", after.a / (lambda_ * after.weight), "time of loss"),
        law(
            "t_loss",
            (after.end - after.acquired) / (lambda_ * sp.Symbol("wbar", positive=True)),
            "time of loss",
        ),
        law("d ln t_loss/d ln K", nu * after.end / (after.end - after.acquired), "time of loss"),
        law("L_ICL L_IWL", lambda_ * after.weight / after.a, "losses"),
    ]


def _around() -> list[Law]:
    return [
        law("λ_c", m * c1 / N * decay.critical_decay_clock, "critical decay"),
        law("dβ/dτ in the tail", decay.creep, "tail under decay"),
        law("saddle of repeats", data.repeat_saddle, "repeated items"),
        law("momentum lag", budget.rate * budget.momentum / (1 - budget.momentum) ** 2, "momentum"),
    ]
