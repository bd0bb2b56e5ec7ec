"""Acquisition times against the solver and against an integration of their own, over the whole range of arguments.

The reference shares nothing with the package but the equations: it writes the averaged field as it stands, over 64 or
128 Hermite nodes, and integrates it by extrapolated linearly implicit Euler steps (Deuflhard), compiled, as 20,000
points would take an hour otherwise. It is itself held against scipy.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.integrate import solve_ivp

from iclrace.simulate import CoupledModel
from iclrace.simulate import coupled_acquisition_time as solved_time
from iclrace.theory import Task, acquired_beta, acquisition_time
from iclrace.theory.acquisition.time import CLOSED_ERROR, INTEGRATED_ERROR
from iclrace.theory.acquisition.variation import time_along_path

#: Substeps 1 … ORDER of a step, extrapolated; error of a step in units of the state's scale.
ORDER, TOLERANCE = 8, 1e-9


def hermite(nodes):
    """Nodes and weights, without the outer nodes: what they add to an average of |tanh| <= 1 is below 1e-24."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights /= weights.sum()
    kept = weights > 1e-26
    return points[kept], weights[kept]


#: 128 nodes for short contexts, as at N = 2 and label_std = 3 forty leave 1e-4.
SHORT, LONG = hermite(128), hermite(64)


_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")  # fdlibm's two parts
_POWERS = 2.0 ** np.arange(-64, 65)
#: 1/n! of expm1's series: at |r| <= ln(2)/2 the first term that is left out is 1e-17 of the sum.
_SERIES = tuple(1.0 / math.factorial(n) for n in range(1, 15))


@njit(cache=False, error_model="numpy")
def _half_tanhs(x, out):
    """½ tanh(x/2) into ``out``, with full relative precision near 0: no calls or branches in the loop."""
    c = _SERIES
    for k in range(len(x)):
        y = min(max(x[k], -40.0), 40.0)  # beyond, tanh is ±1 to the last digit
        power = np.floor(y * (1.0 / math.log(2.0)) + 0.5)
        r = (y - power * _LN2_HIGH) - power * _LN2_LOW
        high = c[7] + r * (c[8] + r * (c[9] + r * (c[10] + r * (c[11] + r * (c[12] + r * c[13])))))
        series = c[0] + r * (c[1] + r * (c[2] + r * (c[3] + r * (c[4] + r * (c[5] + r * (c[6] + r * high))))))
        scale = _POWERS[int(power) + 64]
        grown = scale * (series * r) + (scale - 1.0)
        out[k] = 0.5 * grown / (grown + 2.0)


@njit(cache=False, fastmath={"reassoc", "contract"})
def _averages(values, weights, nodes):
    """⟨v⟩ and ⟨v z⟩ over the nodes z."""
    mean, slope = 0.0, 0.0
    for k in range(len(nodes)):
        mean += weights[k] * values[k]
        slope += weights[k] * values[k] * nodes[k]
    return mean, slope


@njit(cache=False)
def _field(w, beta, nodes, weights, copies, others, dimension, mean, deviation):
    """d(w, β)/dt, written from the equations: σ(−wa) a and σ(−wa) w ∂a/∂β over the label sum.

    σ(−x) = ½ − ½ tanh(x/2), and ½ multiplies averages that are known: summed, ± nodes would cancel to the last digits.
    """
    match, rest = copies * math.exp(beta), others * math.exp(min(0.5 * beta * beta / dimension, 600.0))
    total, growth = match + rest, match + beta / dimension * rest
    shared = (match + mean) / total
    slope, half_tanhs = deviation / total, np.empty(len(nodes))
    _half_tanhs(w * (shared + slope * nodes), half_tanhs)
    all_of_it, along = _averages(half_tanhs, weights, nodes)
    dw = 0.5 * shared - (shared * all_of_it + slope * along)
    dbeta = 0.5 * (match - shared * growth) - (match * all_of_it - growth * (shared * all_of_it + slope * along))
    return dw, w * dbeta / total


@njit(cache=False)
def _step(w, beta, h, arguments):
    """State after h, and the error in units of the scale: order ORDER from linearly implicit Euler substeps."""
    table = np.zeros((ORDER, 2))
    small_w, small_b = 1e-6 * (abs(w) + min(1.0, math.exp(beta))), 1e-6
    f0, f1 = _field(w, beta, *arguments)
    a0, a1 = _field(w + small_w, beta, *arguments)
    b0, b1 = _field(w, beta + small_b, *arguments)
    ww, bw, wb, bb = (a0 - f0) / small_w, (a1 - f1) / small_w, (b0 - f0) / small_b, (b1 - f1) / small_b
    error = math.inf
    for j in range(ORDER):
        part = h / (j + 1)
        m00, m01, m10, m11 = 1.0 - part * ww, -part * wb, -part * bw, 1.0 - part * bb
        determinant = m00 * m11 - m01 * m10
        x, y = w, beta
        for i in range(j + 1):
            r0, r1 = (f0, f1) if i == 0 else _field(x, y, *arguments)
            x += part * (m11 * r0 - m01 * r1) / determinant
            y += part * (m00 * r1 - m10 * r0) / determinant
            if not (abs(x) < 1e300 and abs(y) < 600.0):
                return w, beta, math.inf
        above0, above1 = table[0, 0], table[0, 1]
        table[0, 0], table[0, 1] = x, y
        for level in range(1, j + 1):  # T_jl = T_j,l−1 + (T_j,l−1 − T_j−1,l−1)/(n_j/n_j−l − 1)
            ratio = 1.0 / ((j + 1) / (j + 1 - level) - 1.0)
            t0 = table[level - 1, 0] + (table[level - 1, 0] - above0) * ratio
            t1 = table[level - 1, 1] + (table[level - 1, 1] - above1) * ratio
            above0, above1 = table[level, 0], table[level, 1]
            table[level, 0], table[level, 1] = t0, t1
        if j == ORDER - 1:
            scale = abs(w) + min(1.0, math.exp(beta))
            missed_w = abs(table[j, 0] - table[j - 1, 0]) / scale
            error = max(missed_w, abs(table[j, 1] - table[j - 1, 1])) / TOLERANCE
    return table[ORDER - 1, 0], table[ORDER - 1, 1], error


@njit(cache=False)
def _first_passage(w, beta, level, last, longest, arguments):
    """First time at which β >= level and w > 0; inf if none by ``last``, NaN where 40,000 steps do not reach it."""
    time, h, mean = 0.0, 1e-6 * last, arguments[5]
    for _ in range(40_000):
        h = min(h, longest, last * (1.0 + 1e-12) - time)
        x, y, error = _step(w, beta, h, arguments)
        if not error <= 1.0:
            h *= 0.2 if not error < 1e8 else max(0.2, 0.9 * error ** (-1.0 / ORDER))
            continue
        if x > 0.0 and y >= level:
            low, high = 0.0, h
            for _ in range(45):
                middle = 0.5 * (low + high)
                x, y, _error = _step(w, beta, middle, arguments)
                low, high = (low, middle) if x > 0.0 and y >= level else (middle, high)
            return time + high
        time, w, beta = time + h, x, y
        if time >= last or (mean < 0.0 and w <= 0.0 and beta <= 0.0):  # balanced contexts never leave that quadrant
            return math.inf
        h *= min(4.0, 0.9 * max(error, 1e-8) ** (-1.0 / ORDER))
    return math.nan


@njit(cache=False)
def _passages(w, beta, level, last, shares, arguments):
    times = np.empty(w.size)
    for i in range(w.size):
        times[i] = _first_passage(w[i], beta[i], level, last[i], last[i] / shares, arguments)
    return times


def arguments(task):
    balanced = task.labels == "balanced"
    others = float(task.context_length - task.copies)
    deviation = 0.0 if balanced else task.label_std * math.sqrt(others)
    nodes, weights = (np.zeros(1), np.ones(1)) if deviation == 0.0 else SHORT if task.context_length < 30 else LONG
    mean = -float(task.copies) if balanced else 0.0
    return nodes, weights, float(task.copies), others, float(task.dimension), mean, deviation


def passages(task, beta0, w0, times, shares=30.0):
    """The reference's own times; where ``times`` are infinite, it looks far beyond those of the race, to 1e3 N²/m²."""
    last = np.where(np.isfinite(times), 3.0 * times, 1e3 * (task.context_length / task.copies) ** 2)
    level = max(acquired_beta(task), -600.0)
    return _passages(np.float64(w0), np.float64(beta0), level, last, shares, arguments(task))


def scipy_passage(task, beta0, w0, last, method):
    """The same by scipy, with an event: a second opinion, at a thousand times the cost."""
    level, given = acquired_beta(task), arguments(task)

    def acquired(_, state):
        return min(state[1] - level, state[0])

    acquired.terminal, acquired.direction = True, 1.0
    run = solve_ivp(
        lambda _, state: _field(state[0], state[1], *given), (0.0, last), (w0, beta0), method=method, rtol=1e-10,
        atol=1e-12, events=acquired,
    )  # fmt: skip
    return run.t[-1] if run.status == 1 else math.inf


def bound(task, beta0, w0):
    """The error that is stated: the closed form's where it is trusted, else the integration's."""
    if task.labels == "iid":
        trusted = time_along_path(task, beta0, w0, max(acquired_beta(task), -300.0), "gaussian")[1]
        return np.where(trusted, CLOSED_ERROR, INTEGRATED_ERROR)
    return np.full(beta0.shape, INTEGRATED_ERROR)


def verdicts(task, beta0, w0, times=None):
    """Error over the stated bound at each start, and the bound; 0 where 0 or ∞ is confirmed, 1e9 where it is not."""
    times, allowed = acquisition_time(task, beta0, w0) if times is None else times, bound(task, beta0, w0)
    assert np.all(times >= 0.0)
    level = acquired_beta(task)
    rises = (w0 > 0.0) | ((w0 == 0.0) & ((task.labels == "iid") | (beta0 > 0.0)))
    at_once = (beta0 >= level) & rises
    ratios = np.where((times == 0.0) == at_once, 0.0, 1e9)
    waits = (times > 0.0) & ~at_once
    found = passages(task, beta0[waits], w0[waits], times[waits])
    again = np.isinf(found) & np.isfinite(times[waits])  # β may pass the level and fall back within one step
    found[again] = passages(task, beta0[waits][again], w0[waits][again], times[waits][again], 1e4)
    with np.errstate(invalid="ignore"):
        error = np.where(times[waits] == found, 0.0, np.abs(found / times[waits] - 1.0)) / allowed[waits]
    ratios[waits] = np.where(np.isfinite(error), error, 1e9)
    return ratios, allowed


#: The statistics in which :func:`draw_task`'s tasks differ, beside the kind of labels.
VARIED = ("context_length", "dimension", "copies", "label_std")


def draw_task(rng):
    length = round(math.exp(rng.uniform(math.log(2.0), math.log(1e4))))
    dimension = float(rng.choice([math.inf, 1.0, math.exp(rng.uniform(0.0, 8.0))]))
    copies = int(rng.integers(1, min(length, 5)))
    if rng.random() < 0.2 and length > 2:
        length += length % 2
        return Task(length, dimension=dimension, labels="balanced", copies=min(copies, length // 2))
    return Task(length, dimension=dimension, copies=copies, label_std=float(rng.choice([1.0, rng.uniform(0.0, 3.0)])))


def draw_starts(rng, size):
    return rng.uniform(-8.0, 8.0, size), np.where(rng.random(size) < 0.4, 0.0, rng.uniform(-5.0, 5.0, size))


@settings(deadline=None, max_examples=10, derandomize=True)
@given(st.integers(0, 2**31))
def test_times_are_within_their_stated_error(seed):
    rng = np.random.default_rng(seed)
    task = draw_task(rng)
    beta0, w0 = draw_starts(rng, 5)
    ratios, _ = verdicts(task, beta0, w0)
    assert ratios.max() <= 1.0, (task, beta0[ratios.argmax()], w0[ratios.argmax()], ratios.max())


@settings(deadline=None, max_examples=10, derandomize=True)
@given(st.integers(0, 2**31))
def test_the_solver_gives_the_same_times(seed):
    rng = np.random.default_rng(seed)
    task = draw_task(rng)
    beta0, w0 = draw_starts(rng, 5)
    theirs = solved_time(CoupledModel(task, nodes=40), beta0, w0, budget=1e9, rtol=1e-9, atol=1e-12)
    times = acquisition_time(task, beta0, w0)
    inside = np.isfinite(theirs)
    np.testing.assert_allclose(times[inside], theirs[inside], rtol=2.0 * CLOSED_ERROR, atol=1e-6)


def test_a_time_beyond_its_bound_is_seen():
    """Negative control: the reference notices an error of twice the bound, and the closed form outside its region."""
    task, start = Task(100, dimension=63), (np.array([-1.0]), np.array([0.0]))
    time = acquisition_time(task, *start)
    found = passages(task, *start, time)
    assert abs(found / time - 1.0) < CLOSED_ERROR < abs(found / (time * (1.0 + 2.0 * CLOSED_ERROR)) - 1.0)
    start = (np.array([-3.0]), np.array([5.0]))
    wrong, trusted = time_along_path(task, *start, acquired_beta(task), "gaussian")
    assert not trusted[0] and abs(passages(task, *start, wrong * 100.0) / wrong - 1.0) > 0.1
    assert np.isfinite(passages(task, np.zeros(1), np.zeros(1), np.array([np.inf])))  # it does find a time


@pytest.mark.parametrize(
    ("task", "beta0", "w0", "time"),
    [
        # scipy's LSODA; the closed form was trusted and gave 501666, 110046 and 0
        (Task(3161, copies=4, label_std=0.23159837315526421), 6.362184576911739, -4.992242169835958, 358883.12),
        (Task(38, label_std=0.3472912537948506), -5.344261642905822, -0.4839312375552467, 109734.24),
        (Task(6, dimension=1.0, label_std=0.013692250830350527), -4.441497899131322, 1.449618024889956, 402113.18),
    ],
)
def test_times_at_which_the_closed_form_was_trusted_too_far(task, beta0, w0, time):
    assert float(acquisition_time(task, beta0, w0)) == pytest.approx(time, rel=INTEGRATED_ERROR)


@settings(deadline=None, max_examples=8, derandomize=True)
@given(st.integers(0, 2**31))
def test_the_reference_is_scipys(seed):
    """To 1e-6, a hundredth of the least bound, for races of up to 1e8: beyond, scipy's own error is larger."""
    rng = np.random.default_rng(seed)
    task = draw_task(rng)
    beta0, w0 = draw_starts(rng, 3)
    times = passages(task, beta0, w0, np.full(3, 1e8 / 3.0))
    for i in np.flatnonzero(np.isfinite(times) & (times > 1e-3)):
        theirs = scipy_passage(task, beta0[i], w0[i], 3.0 * times[i], "LSODA")
        assert times[i] == pytest.approx(theirs, rel=1e-6), (task, beta0[i], w0[i])


def test_the_references_tanh_is_right_to_its_last_digits():
    """Four roundings: those of the series, of its scaling, of the sum and of the quotient."""
    x = np.concatenate([np.linspace(-60.0, 60.0, 100_001), np.logspace(-300.0, 1.0, 20_000)])
    found = np.empty_like(x)
    _half_tanhs(x, found)
    np.testing.assert_allclose(found, 0.5 * np.tanh(0.5 * x), rtol=4.0 * np.finfo(float).eps, atol=0.0)


@pytest.mark.slow
def test_twenty_thousand_points(capsys):
    """64 tasks with 313 starts each, over N 2…1e4, D 1…∞, β0 −8…8, w0 −5…5, both label statistics, copies, s 0…3."""
    rng = np.random.default_rng(13)
    tasks, starts = zip(*((draw_task(rng), draw_starts(rng, 313)) for _ in range(64)), strict=True)
    times = np.empty((64, 313))
    for labels in ("iid", "balanced"):  # all tasks in one call, which takes two thirds of the time that one each do
        which = [i for i, task in enumerate(tasks) if task.labels == labels]
        numbers = {name: np.array([[getattr(tasks[i], name)] for i in which]) for name in VARIED}
        times[which] = acquisition_time(Task(labels=labels, **numbers), *(np.array(starts)[which, k] for k in (0, 1)))
    parts = [verdicts(task, *start, time) for task, start, time in zip(tasks, starts, times, strict=True)]
    ratios, allowed = (np.concatenate(column) for column in zip(*parts, strict=True))
    integrated = np.mean(allowed == INTEGRATED_ERROR)
    with capsys.disabled():
        print(
            f"\n{ratios.size} points: worst error over its bound {ratios.max():.3g}, 99.9 % below "
            f"{np.quantile(ratios, 0.999):.3g}; {1.0 - integrated:.0%} closed, {integrated:.0%} integrated, "
            f"none refused; {np.sum(ratios > 1.0)} beyond"
        )
    assert ratios.max() <= 1.0
