"""The exact crossover function and the Mills ratio, against integration, 50 digits, limits and reference values."""

import time

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from iclrace.theory import acquisition_clock, log_mills_ratio, mills_ratio
from iclrace.theory.acquisition.early import EarlyPath, beta_along, clock_along, reaching


@pytest.mark.parametrize(("b", "value"), [(0.0, 1.498965), (-3.0, 205.6333), (3.0, 0.0629344)])
def test_reference_values_of_the_crossover_function(b, value):
    # 1e-6 relative is what the references' own digits carry
    assert acquisition_clock(b, 0.0, 1.0) == pytest.approx(value, rel=1e-6)


def clock_by_integration(b, w0):
    """Early system with κ = 1 in the regular time dσ = (1 + e^b) dτ up to b = 20, plus the Mills tail.

    The tail's relative error is e^{−20} (drag against e^b), times its share of the whole, at most e^{b0 − 20}.
    """

    def rates(_, state):
        e = np.exp(state[1])
        return [1.0 / (1.0 + e), state[2] * e / (1.0 + e), (e - state[2]) / (1.0 + e)]

    def end(_, state):
        return state[1] - 20.0

    end.terminal = True
    solution = solve_ivp(rates, (0.0, 1e5), (0.0, b, w0), method="DOP853", rtol=1e-12, atol=1e-13, events=end)
    clock, last, w = solution.y[:, -1]
    return clock + float(mills_ratio(w)) * np.exp(-last)


@pytest.mark.parametrize("b", [-4.0, -2.0, -0.5, 0.0, 1.0, 3.0, 8.0, 12.0])
@pytest.mark.parametrize("w0", [-3.0, -0.7, 0.0, 3.0])
def test_crossover_function_equals_integration(b, w0):
    # at b = 12 the integration itself (tail, absolute tolerance on 1e-6) is good to 1e-9; elsewhere both agree to 1e-11
    assert acquisition_clock(b, w0, 1.0) == pytest.approx(clock_by_integration(b, w0), rel=1e-9)


@pytest.mark.parametrize("b", [-8.0, -6.0])
@pytest.mark.parametrize("w0", [-3.0, 0.0, 3.0])
def test_crossover_function_equals_50_digit_quadrature_deep_in_the_drag(b, w0):
    # there the system is stiff, and the integral over the conserved path stands in; 1e-12 is float64 after v²/2 ~ 4e6
    with mpmath.workdps(50):
        v = mpmath.exp(-mpmath.mpf(b))
        x = v - w0
        exact = mpmath.log1p(v * mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(x**2 / 2) * mpmath.erfc(-x / mpmath.sqrt(2)))
    assert acquisition_clock(b, w0, 1.0) == pytest.approx(float(exact), rel=1e-12)


def test_scaling_by_the_drag():
    rng = np.random.default_rng(0)
    beta0, w0, drag = rng.uniform(-4, 6, 500), rng.uniform(-3, 3, 500), np.exp(rng.uniform(-5, 3, 500))
    scaled = acquisition_clock(beta0 - np.log(drag), w0, 1.0) / drag
    np.testing.assert_allclose(acquisition_clock(beta0, w0, drag), scaled, rtol=1e-12)


@pytest.mark.parametrize("w0", [-5.0, -1.0, 0.0, 1.0, 5.0])
def test_without_drag_it_is_the_mills_ratio(w0):
    beta0 = np.linspace(-5, 5, 11)
    mills = mills_ratio(w0) * np.exp(-beta0)
    np.testing.assert_allclose(acquisition_clock(beta0, w0, 0.0), mills, rtol=1e-13)
    # κ → 0 smoothly: the correction is of relative size κ e^{−β0} M(w0) <= 1e-18 · e^5 · 6.7e5 = 1e-10
    np.testing.assert_allclose(acquisition_clock(beta0, w0, 1e-18), mills, rtol=1e-9)


def test_either_sign_of_w0():
    # M(x) + M(−x) = √(2π) e^{x²/2}
    w0 = np.linspace(-6, 6, 25)
    both = acquisition_clock(0.0, w0) + acquisition_clock(0.0, -w0)
    np.testing.assert_allclose(both, np.sqrt(2 * np.pi) * np.exp(w0**2 / 2), rtol=1e-13)


def test_limits_of_the_crossover_function():
    # corrections: e^{−b} for b → ∞, and (ln v + ln √(2π))/(v²/2) for b → −∞
    assert acquisition_clock(20.0, 0.0, 1.0) * np.exp(20.0) == pytest.approx(np.sqrt(np.pi / 2), rel=1e-8)
    assert acquisition_clock(-8.0, 0.0, 1.0) * np.exp(-16.0) == pytest.approx(0.5, rel=3e-6)


@pytest.mark.parametrize("x", np.linspace(-30.0, 30.0, 41).tolist())
def test_mills_ratio_to_twelve_digits(x):
    with mpmath.workdps(50):
        exact = mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(mpmath.mpf(x) ** 2 / 2) * mpmath.erfc(x / mpmath.sqrt(2))
        log_exact = float(mpmath.log(exact))
    assert abs(float(mills_ratio(x)) / float(exact) - 1.0) < 1e-12
    assert float(log_mills_ratio(x)) == pytest.approx(log_exact, rel=1e-12, abs=1e-14)


def test_extreme_arguments_neither_overflow_nor_warn():
    # RuntimeWarning is an error in this suite
    values = acquisition_clock([-1e4, -300.0, 0.0, 300.0, 1e4], [[-1e3], [0.0], [1e3]], 0.5)
    assert not np.isnan(values).any()
    assert (values >= 0.0).all()
    assert np.isinf(values[1, 0])  # e^{2e4}/4 is beyond float64
    assert values[1, 1] == pytest.approx(0.25 * np.exp(600.0), rel=1e-12)
    assert np.isfinite(log_mills_ratio([-1e100, 0.0, 1e100])).all()


def test_a_hundred_thousand_values_in_under_a_second():
    rng = np.random.default_rng(1)
    beta0, w0 = rng.uniform(-8, 12, 100_000), rng.uniform(-3, 3, 100_000)
    start = time.process_time()
    values = acquisition_clock(beta0, w0, 1.0)
    assert time.process_time() - start < 1.0  # measured: 0.011 s
    assert values.shape == (100_000,)


@pytest.mark.parametrize("drag", [0.0, 0.5])
@pytest.mark.parametrize("w0", [-1.0, 0.0, 0.8])
def test_the_path_solves_the_early_system(drag, w0):
    path = EarlyPath(np.array([0.3]), np.array([w0]), drag)
    end = reaching(path, 2.5)

    def rates(_, state):
        return [np.exp(state[1]) - drag * state[0], state[0] * np.exp(state[1])]

    clock = float(clock_along(path, end)[0])
    solution = solve_ivp(rates, (0.0, clock), (w0, 0.3), method="DOP853", rtol=1e-12, atol=1e-13)
    assert beta_along(end, path.constant, drag)[0] == pytest.approx(2.5, abs=1e-10)
    assert solution.y[1, -1] == pytest.approx(2.5, abs=1e-9)  # dβ/dτ ~ 30 times the clock's error 1e-12
    assert end[0] + drag * np.exp(-2.5) == pytest.approx(solution.y[0, -1], abs=1e-9)
