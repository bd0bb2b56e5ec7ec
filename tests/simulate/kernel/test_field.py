"""The kernel's field is theory's: same averages, same memory law, for every kind of task."""

import math

import numpy as np
import pytest

from iclrace.simulate import CoupledModel, EventLevels
from iclrace.simulate.kernel import layout as at
from iclrace.simulate.kernel.contexts import averaged
from iclrace.simulate.kernel.elementary import exp, exp2_within, log
from iclrace.simulate.kernel.field import coupled
from iclrace.simulate.kernel.simd import WIDTH, compiled, load, store
from iclrace.theory import MeasuredMemory, PowerLawMemory, Task, icl_field, mean_residual
from iclrace.theory.contexts.attention import context_nodes
from iclrace.theory.contexts.burstiness import repeated_nodes
from iclrace.theory.field import flow
from iclrace.theory.memory.frequencies import skewed_nodes

EPS = np.finfo(np.float64).eps


@compiled(entry=True)
def _coupled(setup, quadrature, tables, work):
    coupled(setup, quadrature, tables, work, at.Y, at.RATES)


@compiled(entry=True)
def _averaged(setup, quadrature, tables, work):
    averaged(setup, quadrature, tables, work, at.Y, at.RATES)


def kernel_field(model, states):
    """Rates (state, 4) of the kernel at states (state, 4), WIDTH at a time."""
    parameters, tables = model.parameter_rows({}, 1, EventLevels())
    work, _ = at.workspace(tables.shape[2] - 2, 1e-6, 1e-9)
    work[: at.PARAMETERS * WIDTH] = np.repeat(parameters[0], WIDTH)
    used = 2 if model.memory is None else at.COMPONENTS
    setup = np.array([model.kind, used, at.EXPLICIT, -1, 10, 0])
    rates = []
    for start in range(0, len(states), WIDTH):
        work[at.Y : at.Y + at.BLOCK] = states[start : start + WIDTH].T.ravel()
        (_coupled if model.field is coupled else _averaged)(setup, model.quadrature(), tables, work)
        rates.append(work[at.RATES : at.RATES + at.BLOCK].reshape(at.COMPONENTS, WIDTH).T.copy())
    return np.concatenate(rates)


def random_states(seed, memory_scale):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(20 * WIDTH, 4)) * [4.0, 3.0, 0.0, 0.0]
    states[:, 2] = memory_scale * rng.random(len(states))
    return states


TASKS = [
    Task(100),
    Task(100, dimension=63),
    Task(100, dimension=31, target_in_softmax=True),
    Task(64, copies=3, label_std=0.5),
    Task(50, labels="balanced"),
    Task(50, labels="balanced", dimension=63, copies=2),
    Task(32, label_std=0.0),
    Task(2),
]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("nodes", [16, 7])
def test_icl_field(task, nodes):
    states = random_states(1, 0.0)
    rates = kernel_field(CoupledModel(task, nodes=nodes), states)
    # Rounding of both sides, amplified by the sum over nodes and by e^{−u} with |u| up to 40: some hundred units.
    for k, theory in enumerate(icl_field(states[:, 0], states[:, 1], task, nodes=nodes)):
        np.testing.assert_allclose(rates[:, k], theory, rtol=500 * EPS, atol=50 * EPS * np.abs(theory).max())


def test_power_law_memory_and_decay():
    task, memory = Task(100, task_diversity=1000, dimension=63), PowerLawMemory(3.9, 0.7, margin_scale=2.0)
    model = CoupledModel(task, memory, decay_w=1e-3, decay_beta=2e-3, rate_ratio=3.0)
    states = random_states(2, 12.0)
    w, beta, margin = states[:, 0], states[:, 1], states[:, 2]
    dw, dbeta = icl_field(w, beta, task, margin, nodes=16)
    growth = memory.field(margin, mean_residual(w, beta, task, margin, nodes=16), 1000)
    expected = np.stack([dw - 1e-3 * w, dbeta - 2e-3 * beta, 3.0 * growth, memory.c1(margin)], axis=1)
    np.testing.assert_allclose(kernel_field(model, states), expected, rtol=1000 * EPS, atol=100 * EPS)


def measured_memory(rate_ratio=1.0):
    clock = np.linspace(0.0, 1.0, 9) ** 2
    runs = [(500, 80.0), (1000, 140.0)]
    margins = [np.outer(clock * scale / 20.0, [0.5, 1.0, 2.0]) for _, scale in runs]
    c1 = [(1.0 / (1.0 + np.exp(margin))).mean(axis=1) for margin in margins]
    return MeasuredMemory.from_runs(
        [diversity for diversity, _ in runs],
        [total * clock for _, total in runs],
        c1,
        [np.full(9, 0.5)] * 2,
        c1,
        margins=margins,
        rate_ratio=rate_ratio,
    )


@pytest.mark.parametrize("diversity", [400, 500, 700, 2000])
def test_measured_memory(diversity):
    memory = measured_memory(rate_ratio=2.0)
    model = CoupledModel(Task(100, task_diversity=diversity), memory, rate_ratio=1.5)
    states = random_states(3, 300.0)
    w, beta, clock = states[:, 0], states[:, 1], states[:, 2]
    margins, weight = memory.margins(clock, diversity)
    parts = [icl_field(w, beta, model.task, margin, nodes=16) for margin in margins.T]
    residual = sum(p * mean_residual(w, beta, model.task, m, nodes=16) for p, m in zip(weight, margins.T, strict=True))
    expected = np.stack(
        [
            sum(p * part[0] for p, part in zip(weight, parts, strict=True)),
            sum(p * part[1] for p, part in zip(weight, parts, strict=True)),
            1.5 * memory.field(clock, residual, diversity),
            memory.c1(clock, diversity),
        ],
        axis=1,
    )
    # the tables hold theory's interpolation exactly, up to rounding of the fractions of the total clock
    np.testing.assert_allclose(kernel_field(model, states), expected, rtol=1e-11, atol=1e-13)


@compiled(entry=True)
def _apply(x, out, which):
    for start in range(0, len(x), WIDTH):
        value = load(x, start)
        store(out, start, exp(value) if which == 0 else log(value) if which == 1 else exp2_within(value))


def test_elementary_functions_to_two_units():
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.uniform(-700.0, 700.0, 5000), rng.uniform(-1.0, 1.0, 5000)])
    x = x[: len(x) // WIDTH * WIDTH]
    out = np.empty_like(x)
    _apply(x, out, 0)
    np.testing.assert_allclose(out, np.exp(x), rtol=4 * EPS)
    positive = np.exp(x)
    _apply(positive, out, 1)
    np.testing.assert_allclose(out, np.log(positive), rtol=4 * EPS, atol=2 * EPS)
    _apply(x, out, 2)
    np.testing.assert_allclose(out, np.exp2(x), rtol=4 * EPS)


def test_event_levels_are_theorys():
    task = Task(100, dimension=63, copies=2)
    parameters, _ = CoupledModel(task).parameter_rows({}, 1, EventLevels(acquired=0.9))
    beta = parameters[0, at.LEVEL_ACQUIRED]
    from iclrace.theory import icl_accuracy

    assert math.isclose(float(icl_accuracy(1.0, beta, task)), 0.9, rel_tol=1e-12)


CONTEXTS = {
    "plain": (Task(50), context_nodes(Task(50), nodes=16)),
    "rough": (Task(25, dimension=63, score_std=1.0), None),
    "repeated": (Task(50, 200, 63), repeated_nodes(Task(50, 200, 63), nodes=16)),
    "skewed": (Task(50, 300), skewed_nodes(Task(50, 300), 1.0)),
}


@pytest.mark.parametrize("kind", CONTEXTS)
def test_the_field_over_contexts_is_theorys(kind):
    """Both sum the same nodes, and lose no more than the terms' rounding: |a| <= 1, |a'| <= 1."""
    task, contexts = CONTEXTS[kind]
    model = CoupledModel(task, contexts=contexts)
    states = random_states(4, 0.0)[: WIDTH if kind == "rough" else None]
    found = kernel_field(model, states)
    expected = flow(states[:, 0], states[:, 1], task, 0.0, model.contexts)
    for k in range(2):
        np.testing.assert_allclose(found[:, k], expected[k], rtol=1e-10, atol=1e-13 * np.abs(states[:, 0]).max())
    if kind == "plain":  # and where both apply, the fast field
        np.testing.assert_allclose(found, kernel_field(CoupledModel(task), states), rtol=1e-10, atol=1e-12)


def test_the_field_over_contexts_drives_the_memory():
    task, memory = Task(50, 200, 63), PowerLawMemory(3.9, 0.7)
    contexts = repeated_nodes(task, nodes=16)
    states = random_states(5, 8.0)
    found = kernel_field(CoupledModel(task, memory, contexts=contexts), states)
    _, _, residual = flow(states[:, 0], states[:, 1], task, states[:, 2], contexts)
    np.testing.assert_allclose(found[:, 2], memory.field(states[:, 2], residual, 200), rtol=1e-10)
    np.testing.assert_allclose(found[:, 3], 1.0 / (1.0 + np.exp(states[:, 2])), rtol=1e-12)
