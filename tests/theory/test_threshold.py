"""K* against the coupled equations: its bracket, its slopes at a budget, and repeated items."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import norm

from iclrace.theory import (
    MeasuredMemory,
    PowerLawMemory,
    Task,
    acquired_beta,
    acquisition_probability,
    clock_at_acquisition,
    delayed_time,
    repeat_saddle,
    threshold,
    threshold_slopes,
    time_of_clock,
)
from iclrace.theory.contexts.attention import attended_label, context_nodes
from iclrace.theory.contexts.burstiness import repeated_nodes

MEMORY = PowerLawMemory(amplitude=3.9, exponent=0.7)
TASK = Task(100)


def acquires_ever(task, memory, beta0, context):
    """Whether the coupled equations acquire ICL after an infinite time: (w, β) against the memory's own reading I.

    dI = E[σ(−φ − w a)] dt leaves dw/dI = E[g a]/E[g] and dβ/dI = w E[g a′]/E[g] with g = 1/(e^{−φ} + e^{w a}), which
    stays finite as φ(I) → ∞ at I_K(∞).
    """
    total, q, level = float(memory.total_clock(task.task_diversity)), memory.growth_exponent, acquired_beta(task)

    def rates(reading, state):
        left = max(1.0 - reading / total, 1e-14)
        margin = memory.margin_scale * (left ** (-1.0 / (q - 1.0)) - 1.0)
        attended = attended_label(np.array([state[1]]), task, context)
        a, slope = attended.value[0], attended.slope[0]
        g = context.weight / (math.exp(-min(margin, 700.0)) + np.exp(np.clip(state[0] * a, -600, 600)))
        return [g @ a / g.sum(), state[0] * (g @ slope) / g.sum()]

    def reached(_, state):
        return state[1] - level

    reached.terminal = True
    solved = solve_ivp(rates, (0.0, total * (1 - 1e-9)), (0.0, beta0), method="LSODA", rtol=1e-7, atol=1e-9,
                       events=reached)  # fmt: skip
    return bool(solved.t_events[0].size)


@pytest.mark.parametrize(
    ("length", "beta0"), [(100, 1.0), (100, 0.0), (100, -1.0), (100, -2.0), (25, 0.0), (400, -1.0)]
)
def test_the_bracket_holds_the_coupled_equations_threshold(length, beta0):
    star = threshold(Task(length), MEMORY, beta0)
    assert star.confidence == 1.0 and star.low == star.value < star.high
    for diversity, expected in ((star.low, False), (star.high, True)):
        task = Task(length, task_diversity=diversity)
        assert acquires_ever(task, MEMORY, beta0, context_nodes(task)) == expected


def test_the_bracket_is_not_met_by_chance():
    """Negative control: neither end moved into the interval by half its width is a bound at β0 = −2 (1.77 of 2.08)."""
    star = threshold(TASK, MEMORY, -2.0)
    middle = math.sqrt(star.low * star.high)
    task = replace(TASK, task_diversity=middle)
    assert not acquires_ever(task, MEMORY, -2.0, context_nodes(task))
    # and where the memory sees ICL's own logit at small N the lower end fails, as the docstring says
    task = Task(25, task_diversity=threshold(Task(25), MEMORY, 1.0).low * 0.97)
    assert acquires_ever(task, MEMORY, 1.0, context_nodes(task))


@pytest.mark.parametrize("budget", [600.0, 1e3, 1e4, 1e6, math.inf])
def test_slopes_at_a_budget(budget):
    """d ln K*/d ln I* against thresholds at two clocks: central differences of 1e-3 leave 1e-5."""
    slopes = threshold_slopes(TASK, MEMORY, 0.0, budget=budget)
    clock, step = float(clock_at_acquisition(TASK, 0.0)), 1e-3
    stars = [threshold(TASK, MEMORY, 0.0, budget=budget, clock=clock * math.exp(d)).value for d in (-step, step)]
    assert slopes["clock"] == pytest.approx(math.log(stars[1] / stars[0]) / (2 * step), rel=1e-5)
    starts = [threshold(TASK, MEMORY, beta0, budget=budget).value for beta0 in (-step, step)]
    assert slopes["beta0"] == pytest.approx(math.log(starts[1] / starts[0]) / (2 * step), rel=1e-5)
    for name, changed in (("amplitude", {"amplitude": 3.9 * math.e**0.1}), ("rate_ratio", {"rate_ratio": math.e**0.1})):
        moved = threshold(TASK, replace(MEMORY, **changed), 0.0, budget=budget).value
        assert math.log(moved / threshold(TASK, MEMORY, 0.0, budget=budget).value) / 0.1 == pytest.approx(
            slopes[name], rel=1e-9
        )


def test_slopes_of_what_is_never_acquired_have_no_value():
    assert all(math.isnan(slope) for slope in threshold_slopes(TASK, MEMORY, 0.0, budget=200.0).values())


def test_threshold_with_repeats_is_self_consistent():
    """At its own K* the clock with repeats is I_K(∞); the equations acquire above it, and do not below."""
    stars = [threshold(Task(length), MEMORY, 0.0, repeats=True).value for length in (50, 100, 200)]
    for length, star in zip((50, 100, 200), stars, strict=True):
        task = Task(length, task_diversity=star)
        clock = float(clock_at_acquisition(task, 0.0, repeats=True))
        assert clock == pytest.approx(float(MEMORY.total_clock(star)), rel=1e-6)
    # K* in proportion to N: items are repeated more where N is larger than K, so the exponent is above 1/ν = 1.43
    assert 1.6 < np.log(stars[2] / stars[0]) / np.log(4) < 1.7
    for factor, expected in ((0.9, False), (1.25, True)):  # c2's rise costs 9 % here
        task = Task(100, task_diversity=stars[1] * factor)
        assert acquires_ever(task, MEMORY, 0.0, repeated_nodes(task)) == expected


@pytest.mark.parametrize("diversity", [50.0, 161.0, 1000.0])
def test_repeats_make_a_saddle_of_independent_labels(diversity):
    task = Task(100, task_diversity=diversity)
    saddle = repeat_saddle(task)
    clocks = clock_at_acquisition(task, [saddle - 0.05, saddle + 0.05], repeats=True)
    assert math.isinf(clocks[0]) and math.isfinite(clocks[1])
    assert repeat_saddle(TASK) == -math.inf
    star = threshold(TASK, MEMORY, -1.0, repeats=True).value
    assert star > 99 * (math.e - 1)  # where β0 = −1 is the saddle


def test_without_repeats_for_long_diversity():
    """K → ∞ has none, and the clock with repeats tends to it like ⟨m⟩ − 1 = 99/K."""
    alone = float(clock_at_acquisition(TASK, 0.0))
    assert clock_at_acquisition(replace(TASK, task_diversity=1e6), 0.0, repeats=True) == pytest.approx(alone, rel=2e-3)
    assert clock_at_acquisition(TASK, 0.0, repeats=True) == alone


def test_acquisition_probability_with_repeats_is_half_at_its_own_threshold():
    star = threshold(TASK, MEMORY, 0.0, repeats=True).value
    found = acquisition_probability(TASK, MEMORY, 0.0, 0.3, task_diversity=[star, 1e4], repeats=True)
    assert found[0] == pytest.approx(0.5, abs=1e-3) and found[1] > 0.999
    # far below, nothing short of the saddle acquires however long the memory lasts
    slow = PowerLawMemory(1e5, 0.7)
    task = Task(100, task_diversity=50)
    assert acquisition_probability(task, slow, -1.0, 1.0, repeats=True) == pytest.approx(
        norm.sf(repeat_saddle(task), -1.0, 1.0), abs=0.01
    )


def test_delayed_time_is_the_first_order():
    """Against the integral: the next order is 7/4 (I/I_K(∞))² at p = 1, L = 3; with half the share a quarter of it."""
    clock = float(clock_at_acquisition(TASK, 0.0))
    diversity = float(MEMORY.critical_diversity(clock)) * np.array([20.0, 10.0]) ** (1 / 0.7)  # shares 0.05, 0.1
    missing = [time_of_clock(MEMORY, clock, k) / float(delayed_time(MEMORY, clock, k)) - 1 for k in diversity]
    assert missing[0] == pytest.approx(1.75 * 0.05**2, rel=0.15)
    assert 3.6 < missing[1] / missing[0] < 4.8
    assert math.isinf(delayed_time(MEMORY, clock, 100.0)) and delayed_time(MEMORY, clock, math.inf) == 2 * clock


def test_repeats_and_a_given_clock_exclude_each_other():
    with pytest.raises(ValueError, match="'clock'"):
        threshold(TASK, MEMORY, 0.0, clock=3.0, repeats=True)
    with pytest.raises(ValueError, match="'task'"):
        repeat_saddle(Task(10, labels="balanced"))


@pytest.mark.parametrize("budget", [300.0, math.inf])
def test_an_extrapolation_is_called_one_and_its_range_is_open(budget):
    """I* that the table brackets, one above and one below: only the first K* lies between measured ones."""
    time = np.linspace(0.0, 300.0, 61)
    rows = {"task_diversity": np.repeat([50, 100, 200], 61), "time": np.tile(time, 3)}
    rows["c1"] = np.concatenate([0.5 / (1 + (time / k**0.7) ** 2) for k in (50, 100, 200)])
    memory = MeasuredMemory.from_table(rows)
    inside, above, below = (threshold(Task(16), memory, 0.0, clock=c, budget=budget) for c in (15.0, 60.0, 4.0))
    assert 50 < inside.value < 200 and not inside.extrapolated
    assert above.extrapolated and above.value > 200 and above.low <= 200 and above.high == math.inf
    assert below.extrapolated and below.value < 50 and below.low == 1.0 and below.high >= 50
    assert inside.confidence == above.confidence == below.confidence == 1.0  # bounds, and no 95 % interval
    assert "extrapolated" not in repr(above) and above != replace(above, extrapolated=False)
