"""Every numeric formula is bound to its symbolic source at 200 random points, to 1e-10.

The symbolic side is evaluated by mpmath at 30 digits, so that cancellation on that side cannot hide a difference.
"""

from functools import lru_cache

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import iclrace.theory as theory
from iclrace.theory.acquisition.balanced import attended
from iclrace.theory.acquisition.early import EarlyPath
from iclrace.theory.contexts.attention import attended_label, context_nodes
from iclrace.theory.derivation import after, data, decay, flow, outcome, race
from iclrace.theory.derivation import symbols as S

POINTS = settings(max_examples=200, deadline=None, derandomize=True, database=None)
TOLERANCE = 1e-10
SLOPE, CURVATURE = sp.diff(flow.attended, S.beta), sp.diff(flow.attended, S.beta, 2)
SCALE = 1 / flow.normalisation


def uniform(low, high):
    # three decimals: exactly the same number on either side once it is a float
    return st.integers(round(low * 1000), round(high * 1000)).map(lambda i: i / 1000)


@lru_cache(maxsize=64)
def source(expression, *symbols):
    return sp.lambdify(symbols, expression, modules="mpmath", cse=True)


def evaluate(expression, **values):
    symbols = tuple(values)
    function = source(expression, *(getattr(S, name, None) or sp.Symbol(name) for name in symbols))
    with mpmath.workdps(30):
        return function(*(mpmath.mpf(values[name]) for name in symbols))


def close(numeric, symbolic, scale=0.0):
    """Within 1e-10 of the value, or of the size ``scale`` of the terms that cancel in it."""
    assert abs(float(numeric) - float(symbolic)) <= TOLERANCE * max(abs(float(symbolic)), scale, 1e-300)


def test_the_binding_can_fail():
    with pytest.raises(AssertionError):
        close(1.0 + 1e-9, 1.0)


def tasks_with(most_others):
    return st.builds(
        lambda others, copies, dimension, target: theory.Task(
            others + copies, copies=copies, dimension=dimension, target_in_softmax=target
        ),
        st.integers(2, most_others),
        st.integers(1, 5),
        st.sampled_from([8.0, 63.0, 1e6]),
        st.booleans(),
    )


tasks, small_tasks = tasks_with(300), tasks_with(10)


def averaged(expression, task, w, beta, margin):
    """Σ_n p(n) of a symbolic expression, over the exact binomial nodes of the label sum, at 30 digits."""
    values, weights = theory.label_sum_nodes(task, "binomial")
    keep = weights > 1e-14  # the rest adds less than 1e-12 of a bounded integrand
    statistics = {"N": task.context_length, "m": task.copies, "D": task.dimension, "T": float(task.target_in_softmax)}
    with mpmath.workdps(30):
        return sum(
            mpmath.mpf(p) * evaluate(expression, **statistics, w=w, beta=beta, phi=margin, n=n)
            for n, p in zip(values[keep], weights[keep], strict=True)
        )


@POINTS
@given(task=tasks, w=uniform(-4, 4), beta=uniform(-3, 5), margin=uniform(-2, 6), draw=uniform(-3, 3))
def test_integrands(task, w, beta, margin, draw):
    """Before the average: a, its derivatives, loss, flow and Hessian at one label sum n."""
    n = round(draw * (task.context_length - task.copies) ** 0.5)
    values = {"N": task.context_length, "m": task.copies, "D": task.dimension, "T": float(task.target_in_softmax)}
    values |= {"w": w, "beta": beta, "phi": margin, "n": n}
    nodes = context_nodes(task)._replace(label_sum=np.full(40, float(n)))
    attended = attended_label(np.array(beta), task, nodes)
    size = abs(n) + 1.0  # a and its slopes are differences of terms of this size over Z
    terms = size * abs(float(evaluate(SCALE, **{k: values[k] for k in ("N", "m", "D", "T", "beta")})))
    inputs = {k: values[k] for k in ("N", "m", "D", "T", "beta", "n")}
    close(attended.value[0], evaluate(flow.attended, **inputs), terms)
    close(attended.slope[0], evaluate(SLOPE, **inputs), terms)
    close(attended.curvature[0], evaluate(CURVATURE, **inputs), terms)


@POINTS
@given(task=small_tasks, w=uniform(-4, 4), beta=uniform(-3, 5), margin=uniform(-2, 6))
def test_field_and_residual(task, w, beta, margin):
    dw, dbeta = theory.icl_field(w, beta, task, margin, average="binomial")
    residual = theory.mean_residual(w, beta, task, margin, average="binomial")
    close(dw, averaged(flow.dw, task, w, beta, margin), 1.0)  # |σ(−u) a| <= 1
    close(dbeta, averaged(flow.dbeta, task, w, beta, margin), 4.0)
    close(residual, averaged(flow.dphi, task, w, beta, margin))


@POINTS
@given(task=small_tasks, w=uniform(-4, 4), beta=uniform(-3, 5), margin=uniform(-2, 6))
def test_loss_gradient_and_hessian(task, w, beta, margin):
    at = (w, beta, task, margin)
    close(theory.population_loss(*at, average="binomial"), averaged(flow.loss, task, w, beta, margin))
    gradient = theory.loss_gradient(*at, average="binomial")
    for i, variable in enumerate((S.w, S.beta, S.phi)):
        close(gradient[i], averaged(_derivative(variable), task, w, beta, margin), 1.0)
    hessian = theory.loss_hessian(*at, average="binomial")
    for i, j in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)):
        close(hessian[i, j], averaged(flow.hessian[i, j], task, w, beta, margin), 16.0)  # up to w² a²
        assert hessian[i, j] == hessian[j, i]


@lru_cache(maxsize=8)
def _derivative(variable):
    return sp.diff(flow.loss, variable)


@POINTS
@given(beta=uniform(-3.5, 12), w=uniform(-3, 3), kappa=uniform(0.05, 3))
def test_acquisition_clock(beta, w, kappa):
    close(theory.acquisition_clock(beta, w, kappa), evaluate(race.clock, beta=beta, w=w, kappa=kappa))


@POINTS
@given(x=uniform(-30, 30))
def test_mills_ratio(x):
    close(theory.mills_ratio(x), evaluate(S.mills(S.w), w=x))


@POINTS
@given(b=uniform(-3.3, 12))
def test_slope_of_the_crossover_function(b):
    with mpmath.workdps(30):
        slope = source(race.slope.subs(S.w0, 0), race.b)(mpmath.mpf(b))
    close(theory.crossover_slope(b), slope)


@POINTS
@given(beta=uniform(-2, 4), w=uniform(-3, 3), kappa=uniform(0, 2))
def test_constant_of_the_early_path(beta, w, kappa):
    path = EarlyPath(np.array(beta), np.array(w), kappa)
    y = S.w - S.kappa * sp.exp(-S.beta)
    constant = sp.exp(S.beta - y**2 / 2) - S.kappa * sp.sqrt(2 * sp.pi) * S.normal_cdf(y)
    close(path.constant, evaluate(constant, beta=beta, w=w, kappa=kappa), 1.0)


@POINTS
@given(
    beta0=uniform(-3, 3),
    w0=uniform(-2, 2),
    N=st.integers(20, 2000),
    m=st.integers(1, 4),
    s=uniform(0.2, 2),
    A=uniform(0.5, 10),
    nu=uniform(0.4, 1.2),
)
def test_threshold_law(beta0, w0, N, m, s, A, nu):
    task = theory.Task(N, copies=m, label_std=s)
    clock = N / m * float(theory.acquisition_clock(beta0, w0, theory.early_drag(task)))
    star = theory.threshold(task, theory.PowerLawMemory(A, nu), beta0, w0, clock=clock)
    values = {"beta0": beta0, "w0": w0, "N": N, "m": m, "s": s, "A": A, "nu": nu}
    close(star.value, evaluate(outcome.critical_diversity, **values))
    close(2 * clock, evaluate(outcome.acquisition_time, **{k: values[k] for k in ("beta0", "w0", "N", "m", "s")}))


@POINTS
@given(margin=uniform(0, 30), p=uniform(0.2, 5), depth=st.integers(3, 8), A=uniform(0.5, 10), K=uniform(1, 5000))
def test_memory_law(margin, p, depth, A, K):
    memory = theory.PowerLawMemory(A, 0.7, margin_scale=p, depth=depth)
    rate = float(memory.rate(K))
    values = {"phi": margin, "p": p, "L": depth, "r": rate}
    close(memory.clock(margin, K), evaluate(outcome.clock_at_margin, **values), float(memory.total_clock(K)))
    close(memory.total_clock(K), evaluate(outcome.total_clock, p=p, L=depth, r=rate))
    close(memory.total_clock(K), evaluate(outcome.power_law, A=A, K=K, nu=0.7))
    close(memory.field(margin, memory.c1(margin), K), evaluate(outcome.memory_rate, **values))


@POINTS
@given(c3=uniform(0.001, 5), exponent=uniform(-8, 0))
def test_tracking_weight(c3, exponent):
    decay = 10.0**exponent
    close(theory.tracking_weight(c3, decay), evaluate(after.tracked, c3=c3, decay=decay))


@POINTS
@given(N=st.integers(10, 2000), m=st.integers(1, 5), s=uniform(0, 2), c1=uniform(0.01, 1), c2=uniform(0.1, 1))
def test_critical_decay(N, m, s, c1, c2):
    kappa = s**2 * c2 / m
    symbolic = S.m * S.c1 / S.N * decay.critical_decay_clock
    numeric = theory.critical_decay(theory.Task(N, copies=m, label_std=s), c1, c2)
    close(numeric, evaluate(symbolic, N=N, m=m, c1=c1, kappa=kappa))


@POINTS
@given(half=st.integers(3, 200), m=st.integers(1, 3), beta0=uniform(-2, 2), beta=uniform(-2, 3))
def test_balanced_potential(half, m, beta0, beta):
    task = theory.Task(2 * half, labels="balanced", copies=m)
    x, weights = np.polynomial.legendre.leggauss(60)
    value, slope = attended(beta0 + 0.5 * (beta - beta0) * (x + 1.0), task)
    numeric = (beta - beta0) * (value / slope) @ weights  # w² = 2 ∫ a/(∂a/∂β) dβ: the memory's σ(−u) cancels
    change = [evaluate(data.balanced_potential, N=2 * half, m=m, beta=b) for b in (beta0, beta)]
    size = float(max(abs(c) for c in change)) / half
    close(numeric, (change[1] - change[0]) / half, size)


@POINTS
@given(half=st.integers(2, 200), m=st.integers(1, 2), beta=uniform(-3, 5), w=uniform(-4, 4))
def test_balanced_field(half, m, beta, w):
    task = theory.Task(2 * half, labels="balanced", copies=m)
    numeric = theory.icl_field(w, beta, task)
    for value, expression in zip(numeric, data.balanced_flow, strict=True):
        close(value, evaluate(expression, N=2 * half, m=m, beta=beta, w=w), 1.0)


@POINTS
@given(N=st.integers(5, 2000), m=st.integers(1, 4), s=uniform(0.2, 2), beta=uniform(-3, 4))
def test_accuracy(N, m, s, beta):
    task = theory.Task(N, copies=m, label_std=s)
    symbolic = S.normal_cdf(S.m * flow.match / (S.s * sp.sqrt(S.N - S.m)))
    close(theory.icl_accuracy(1.0, beta, task), evaluate(symbolic, N=N, m=m, s=s, beta=beta))
    assert theory.icl_accuracy(-1.0, beta, task) == pytest.approx(1 - theory.icl_accuracy(1.0, beta, task), abs=1e-15)
