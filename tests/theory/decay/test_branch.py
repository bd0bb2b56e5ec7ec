"""The closed forms after acquisition against the averaged field: branch, fold, time of loss, losses, tracking."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import expit

from iclrace.theory import (
    PowerLawMemory,
    Task,
    acquired_beta,
    branch_margin,
    branch_point,
    conserved_weight,
    fixed_points,
    fold,
    fold_margin,
    icl_field,
    loss_product,
    mean_residual,
    mean_transience_time,
    population_loss,
    tracking_weight,
    transience_time,
    weight_after_acquisition,
)

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
TASK = Task(100)


@pytest.mark.parametrize("decay", [1e-6, 1e-3, 5e-3])
@pytest.mark.parametrize("beta", [2.0, 3.4, 6.0])
def test_the_branch_balances_the_mean_field(decay, beta):
    """σ(−u) a = λ w and w σ(−u) a (1 − a) = λ β, at label sum 0, by putting the closed forms in."""
    w, a = branch_point(TASK, beta)
    residual = expit(-(float(branch_margin(TASK, decay, beta)) + w * a))
    assert residual * a == pytest.approx(decay * w, rel=1e-10)
    assert w * residual * a * (1 - a) == pytest.approx(decay * beta, rel=1e-10)


@pytest.mark.parametrize("length", [20, 50, 100, 1000, 10_000])
@pytest.mark.parametrize("decay", [1e-9, 1e-6, 1e-3, 5e-3])
def test_the_fold_in_closed_form(length, decay):
    exact = fold(Task(length), decay).margin
    found = float(fold_margin(Task(length), decay))
    # what the label sum's spread adds, a^2 w^2/(N e^{2β}/…) of it: measured at most 0.0132, at N = 50
    assert found == pytest.approx(exact, abs=0.0135)
    assert found <= exact + 1e-3  # below, except for rounding at N = 20


def test_the_fold_depends_on_the_ratio_of_length_and_copies():
    decay = np.array([1e-6, 1e-3])
    for copies in (2, 4):
        np.testing.assert_allclose(
            fold_margin(Task(100, copies=copies), decay), fold_margin(Task(100 // copies), decay), rtol=1e-12
        )
    # a closed parabola of the scan, against a scan a hundred times as fine
    beta = np.linspace(3.3, 3.5, 20001)
    assert fold_margin(TASK, 1e-6) == pytest.approx(float(branch_margin(TASK, 1e-6, beta).max()), abs=1e-8)


def test_the_fold_falls_like_the_logarithm_of_the_logarithm():
    """For ln N ≫ 1, a → 1/ln-small at w² ≈ ln N: doubling ln N lowers φ_c by about ½ ln 2 and little more."""
    constants = [float(fold_margin(Task(round(n)), 1e-9) + np.log(1e-9)) for n in (1e3, 1e6, 1e12)]
    drops = -np.diff(constants)
    assert np.all((drops > 0.3) & (drops < 0.75)) and drops[0] > drops[1] > 0.5 * np.log(2)


def test_there_is_no_fold_where_icl_fades():
    assert np.isnan(fold_margin(Task(8), 1e-4)) and np.isnan(mean_transience_time(Task(8, 100), MEMORY, 1e-4))
    assert np.isnan(loss_product(Task(8), 1e-4, 1.0)) and np.isnan(transience_time(Task(8, 100), MEMORY, 1e-4))


@pytest.mark.parametrize("length", [25, 50, 100, 400])
@pytest.mark.parametrize("decay", [1e-9, 1e-4, 1e-3])
def test_the_time_of_loss_in_closed_form(length, decay):
    task = Task(length, task_diversity=3000.0)
    for margin, error in ((0.0, 0.004), (2.0, 0.008)):
        exact = float(transience_time(task, MEMORY, decay, margin))
        assert mean_transience_time(task, MEMORY, decay, margin) == pytest.approx(exact, rel=error)


def test_the_time_of_loss_is_no_power_law():
    """λ r_K t_loss has no limit as λ → 0 and is no constant; with (1 + φ_c/p)^q it grows without bound."""
    decay = np.array([1e-3, 1e-4, 1e-6, 1e-8, 1e-10])
    task = Task(100, task_diversity=1000.0)
    invariant = float(MEMORY.rate(1000)) * decay * transience_time(task, MEMORY, decay)
    np.testing.assert_allclose(invariant, [0.194, 0.196, 0.171, 0.144, 0.124], atol=6e-4)
    margins = np.array([fold(TASK, float(d)).margin for d in decay])
    assert np.all(np.diff(invariant * (1 + margins) ** (4 / 3)) > 0.9)


def test_the_residual_on_the_branch_is_flat():
    """E[σ(−u)] = λ w/a to 4 % for 1 < φ < φ_c − 0.1, where e^{−φ} changes 100-fold."""
    for margin in (1.0, 3.0, 5.0, 6.4):
        point = fixed_points(TASK, 1e-4, margin)[-1]
        residual = float(mean_residual(point.w, point.beta, TASK, margin))
        a = 1.0 / (1.0 + 99.0 * np.exp(-point.beta))
        assert residual == pytest.approx(1e-4 * point.w / a, rel=0.04)


@pytest.mark.parametrize(("decay", "margins"), [(1e-4, (1.7, 2.9, 4.1, 5.3)), (1e-3, (1.2, 2.0, 2.7, 3.4))])
def test_losses_are_tied_by_the_branch(decay, margins):
    for margin in margins:
        point = fixed_points(TASK, decay, margin)[-1]
        product = float(population_loss(point.w, point.beta, TASK)) * np.log1p(np.exp(-margin))
        law = float(loss_product(TASK, decay, margin))
        assert 0.85 < product / law < 0.99
        # negative control: λ w_tr, which is what a → 1 would give, misses by more
        assert product / (decay * float(tracking_weight(np.exp(-margin), decay))) > 1.2
    assert np.isnan(loss_product(TASK, decay, 8.0))


@pytest.mark.parametrize(("length", "diversity"), [(50, 1000.0), (100, 1000.0), (400, 10_000.0)])
def test_weight_after_acquisition(length, diversity):
    """Against the coupled equations without decay: the clock since acquisition ties w to the memory."""
    task = Task(length, task_diversity=diversity)
    level = acquired_beta(task)

    def rates(_, state):
        dw, dbeta = icl_field(state[0], state[1], task, state[2])
        residual = mean_residual(state[0], state[1], task, state[2])
        return [float(dw), float(dbeta), float(MEMORY.field(state[2], min(residual, 1.0), diversity))]

    def reached(_, state):
        return state[1] - level

    solved = solve_ivp(rates, (0, 1e5), (0.0, 0.0, 0.0), method="LSODA", rtol=1e-7, atol=1e-9, events=reached)
    w, beta, margin = solved.y_events[0][0]
    gained = float(MEMORY.clock(solved.y[2, -1], diversity) - MEMORY.clock(margin, diversity))
    followed = float(weight_after_acquisition(task, gained, w, beta))
    assert followed == pytest.approx(solved.y[0, -1], rel=0.015)
    # a = 1 from acquisition on, and all the more w = I_K, are far off
    grown = float(conserved_weight(solved.y[2, -1], MEMORY.rate(diversity), since=margin))
    assert grown == pytest.approx(gained, rel=1e-9)
    assert w + gained > 1.2 * solved.y[0, -1]


def test_weight_after_acquisition_by_integration():
    """dw/dI = a, dβ/dI = w a (1 − a) by scipy; and w = w_1 at I = 0."""

    def rates(_, state):
        a = 1.0 / (1.0 + 24.0 * np.exp(-state[1]))
        return [a, state[0] * a * (1.0 - a)]

    task = Task(100, copies=4)
    solved = solve_ivp(rates, (0, 50), (1.5, 1.0), rtol=1e-10, atol=1e-12, t_eval=[0.0, 0.3, 5.0, 50.0])
    found = weight_after_acquisition(task, solved.t, 1.5, 1.0)
    np.testing.assert_allclose(found, solved.y[0], rtol=1e-8)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: branch_point(TASK, 0.0), "beta"),
        (lambda: branch_point(Task(10, labels="balanced"), 1.0), "task"),
        (lambda: fold_margin(TASK, 0.0), "decay"),
        (lambda: loss_product(TASK, 1e-3, -31.0), "margin"),
        (lambda: mean_transience_time(TASK, "memory", 1e-3), "memory"),
        (lambda: weight_after_acquisition(TASK, -1.0, 1.0, 1.0), "clock"),
        (lambda: weight_after_acquisition(TASK, 1.0, 0.0, 1.0), "w"),
    ],
)
def test_invalid_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"'{name}'"):
        call()
