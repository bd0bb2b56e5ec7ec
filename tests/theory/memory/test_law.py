"""Memory laws: the homogeneous one against integration, the measured one against a run it was built from."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import expit

from iclrace.theory import Estimate, MeasuredMemory, Memory, MemoryRun, PowerLawMemory

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)


def run_alone(memory, task_diversity, end=8.0, points=400):
    """Columns of a memory-alone run of the homogeneous law, up to the margin ``end``."""
    margin = end * np.linspace(0.0, 1.0, points) ** 2
    clock = memory.clock(margin, task_diversity)
    return {"clock": clock, "c1": expit(-margin), "c2": expit(margin), "c3": np.exp(-margin)}


def measured(memory=MEMORY, diversities=(250, 500, 1000, 2000), **options):
    runs = [run_alone(memory, k) for k in diversities]
    return MeasuredMemory.from_runs(
        diversities, **{name: [run[name] for run in runs] for name in ("clock", "c1", "c2", "c3")}, **options
    )


@pytest.mark.parametrize("depth", [3, 4, 7])
def test_homogeneous_law_against_integration(depth):
    memory = PowerLawMemory(2.0, 0.6, margin_scale=0.8, depth=depth)

    def rates(_, state):
        margin = state[0]
        return [float(memory.field(margin, memory.c1(margin), 700.0)), float(memory.c1(margin))]

    solution = solve_ivp(rates, (0.0, 5000.0), (0.0, 0.0), method="DOP853", rtol=1e-11, atol=1e-12)
    margin, clock = solution.y[:, -1]
    assert clock == pytest.approx(
        float(memory.clock(margin, 700.0)), rel=1e-9
    )  # the integrator's 1e-11, over its steps
    assert margin == pytest.approx(float(memory.margin(clock, 700.0)), rel=1e-7)  # dφ/dI ~ e^φ amplifies it


def test_total_clock_is_the_limit_and_a_power_of_k():
    diversity = np.array([1.0, 100.0, 1e5])
    np.testing.assert_allclose(MEMORY.clock(1e30, diversity), MEMORY.total_clock(diversity), rtol=1e-9)
    np.testing.assert_allclose(MEMORY.total_clock(diversity), 3.9 * diversity**0.7, rtol=1e-13)
    np.testing.assert_allclose(MEMORY.critical_diversity(MEMORY.total_clock(diversity)), diversity, rtol=1e-12)
    assert np.isinf(MEMORY.total_clock(np.inf)) and MEMORY.rate(np.inf) == 0.0
    assert np.isinf(MEMORY.margin(MEMORY.total_clock(100.0), 100.0))


def test_at_the_start_c1_and_c2_are_one_half():
    assert (MEMORY.c1(0.0), MEMORY.c2(0.0), MEMORY.c3(0.0)) == (0.5, 0.5, 1.0)
    margin = np.linspace(0, 20, 9)
    np.testing.assert_allclose(MEMORY.c2(margin), 1.0 - expit(-margin) ** 2 / MEMORY.c1(margin), rtol=1e-12)


def test_rate_ratio_divides_the_clock():
    fast = PowerLawMemory(3.9, 0.7, rate_ratio=4.0)
    assert fast.total_clock(100.0) == pytest.approx(float(MEMORY.total_clock(100.0)) / 4.0)
    assert fast.critical_diversity(50.0) == pytest.approx(float(MEMORY.critical_diversity(50.0)) * 4.0 ** (1 / 0.7))
    assert fast.field(1.0, 0.3, 100.0) == pytest.approx(4.0 * float(MEMORY.field(1.0, 0.3, 100.0)))


def test_both_laws_fulfil_the_protocol():
    assert isinstance(MEMORY, Memory) and isinstance(measured(), Memory)


def test_measured_law_returns_the_run_it_was_built_from():
    memory, run = measured(), run_alone(MEMORY, 500)
    for name in ("c1", "c2", "c3"):
        np.testing.assert_allclose(getattr(memory, name)(run["clock"], 500), run[name], rtol=1e-12)
    margins, weights = memory.margins(run["clock"], 500)
    np.testing.assert_allclose(expit(-margins) @ weights, run["c1"], rtol=1e-9)


def test_measured_law_between_runs():
    memory = measured()
    # the homogeneous law is a function of I/I_K(∞) alone, which is what the table interpolates in; its total is the
    # clock at the last reading, the same fraction of I_K(∞) at every K
    fraction = float(MEMORY.clock(8.0, 1.0) / MEMORY.total_clock(1.0))
    diversity = np.array([300.0, 700.0, 1500.0, 5000.0])
    np.testing.assert_allclose(memory.total_clock(diversity), fraction * MEMORY.total_clock(diversity), rtol=1e-12)
    np.testing.assert_allclose(memory.critical_diversity(memory.total_clock(diversity)), diversity, rtol=1e-12)
    np.testing.assert_allclose(memory.local_exponent(), 0.7, rtol=1e-12)
    clock = 0.4 * float(MEMORY.total_clock(700.0))
    # linear between 400 readings: second difference of c1, (8/400)² · 0.1
    assert memory.c1(clock, 700.0) == pytest.approx(float(MEMORY.c1(MEMORY.margin(clock, 700.0))), rel=1e-4)


def test_tail_beyond_the_last_reading():
    run = MemoryRun(500, **run_alone(MEMORY, 500))
    missing = float(MEMORY.total_clock(500) - run.clock[-1])
    # p ≪ φ is assumed: at p = 1, φ = 8 the estimate is good to p/φ plus the discrete e-fold, about 20 %
    assert run.tail() == pytest.approx(missing, rel=0.2)


def test_critical_interval_holds_the_truth():
    memory, clock = measured(), 300.0
    low, high = memory.critical_interval(clock)
    # the truth uses the whole I_K(∞), the table's last reading stops at φ = 8 and overestimates K*
    assert low * 0.85 < float(MEMORY.critical_diversity(clock)) < high
    assert high == pytest.approx(float(memory.critical_diversity(clock)))
    assert memory.critical_interval(1.0) == (1.0, 250.0)
    assert memory.critical_interval(1e6)[1] == np.inf


def test_reference_clocks():
    """The measured totals of a width-512 network at D = 63, and the no-fit K* they give at N = 50."""
    table = {250: 53.0, 500: 81.0, 1000: 141.0, 2000: 246.0}
    runs = [MemoryRun(k, [0.0, i], [0.5, 0.002], [0.5, 1.0], [1.0, 0.002]) for k, i in table.items()]
    memory = MeasuredMemory(runs)
    assert float(memory.critical_diversity(70.7)) == pytest.approx(400, rel=0.01)
    assert float(memory.critical_diversity(139.3)) == pytest.approx(990, rel=0.01)
    assert np.mean(memory.local_exponent()) == pytest.approx(0.74, abs=0.01)


def test_estimate():
    assert Estimate.exact(2.0).contains(2.0) and not Estimate(2.0, 1.0, 3.0).contains(3.1)
    assert Estimate(np.inf, 5.0, np.inf).high == np.inf
    for arguments, name in (((1.0, 2.0, 3.0), "low"), ((4.0, 2.0, 3.0), "high"), ((np.nan, 0, 1), "value")):
        with pytest.raises(ValueError, match=rf"Argument '{name}' must"):
            Estimate(*arguments)
    with pytest.raises(ValueError, match="Argument 'confidence' must"):
        Estimate(1.0, 0.0, 2.0, confidence=0.0)


COLUMNS = run_alone(MEMORY, 500)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: PowerLawMemory(1.0, 0.7, depth=2), "depth"),
        (lambda: PowerLawMemory(0.0, 0.7), "amplitude"),
        (lambda: PowerLawMemory(1.0, float("nan")), "exponent"),
        (lambda: PowerLawMemory(1.0, 0.7, margin_scale=-1.0), "margin_scale"),
        (lambda: PowerLawMemory(1.0, 0.7, rate_ratio=0.0), "rate_ratio"),
        (lambda: MEMORY.total_clock(0.5), "task_diversity"),
        (lambda: MEMORY.field(0.0, 1.5, 10.0), "residual"),
        (lambda: MEMORY.clock(-1.0, 10.0), "margin"),
        (lambda: MeasuredMemory([]), "runs"),
        (lambda: MeasuredMemory([MemoryRun(5, **COLUMNS), MemoryRun(5, **COLUMNS)]), "runs"),
        (lambda: MeasuredMemory([MemoryRun(5, **COLUMNS), MemoryRun(6, **COLUMNS)]), "runs"),
        (lambda: MeasuredMemory([MemoryRun(5, **COLUMNS)]).critical_diversity(3.0), "runs"),
        (lambda: MemoryRun(5, **(COLUMNS | {"clock": COLUMNS["clock"][::-1]})), "clock"),
        (lambda: MemoryRun(5, **(COLUMNS | {"c1": COLUMNS["c1"][:-1]})), "c1"),
        (lambda: MemoryRun(5, **COLUMNS, total=1.0), "total"),
        (lambda: MemoryRun(5, **COLUMNS, margins=np.zeros(400)), "margins"),
        (lambda: MemoryRun(5, [0.0, 1.0], [0.5, 0.4], [0.5, 0.6], [1.0, 0.8]).tail(), "c1"),
        (lambda: measured().c1(1.0), "task_diversity"),
        (lambda: measured(total=[1.0]), "total"),
    ],
)
def test_invalid_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=rf"Argument '{name}' must .*but"):
        call()
