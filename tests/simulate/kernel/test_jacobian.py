"""The derivatives that the stiff method takes are those of the fields, for every kind of task and memory."""

import numpy as np
import pytest

from iclrace.simulate import CoupledModel, EventLevels
from iclrace.simulate.kernel import layout as at
from iclrace.simulate.kernel.contexts import averaged
from iclrace.simulate.kernel.field import coupled
from iclrace.simulate.kernel.jacobian import jacobian_of
from iclrace.simulate.kernel.simd import WIDTH, compiled
from iclrace.theory import MeasuredMemory, PowerLawMemory, Task
from iclrace.theory.contexts.burstiness import repeated_nodes

from .test_field import kernel_field, measured_memory, random_states

COUPLED, AVERAGED = jacobian_of(coupled), jacobian_of(averaged)


@compiled(entry=True)
def _coupled(setup, quadrature, tables, work):
    COUPLED(setup, quadrature, tables, work)


@compiled(entry=True)
def _averaged(setup, quadrature, tables, work):
    AVERAGED(setup, quadrature, tables, work)


def kernel_jacobian(model, states):
    """Derivatives (state, rate, component) of the rates by w, β[, memory]."""
    parameters, tables = model.parameter_rows({}, 1, EventLevels())
    work, _ = at.workspace(tables.shape[2] - 2, 1e-6, 1e-9)
    work[: at.PARAMETERS * WIDTH] = np.repeat(parameters[0], WIDTH)
    setup = np.array([model.kind, 2 if model.memory is None else at.COMPONENTS, at.ROSENBROCK, -1, 10, 0])
    found = []
    for start in range(0, len(states), WIDTH):
        work[at.Y : at.Y + at.BLOCK] = states[start : start + WIDTH].T.ravel()
        (_coupled if model.field is coupled else _averaged)(setup, model.quadrature(), tables, work)
        matrix = work[at.JACOBIAN : at.JACOBIAN + at.COMPONENTS * at.BLOCK].reshape(at.COMPONENTS, at.COMPONENTS, WIDTH)
        found.append(matrix.transpose(2, 0, 1)[:, :, :3].copy())
    return np.concatenate(found)


def differences(model, states, column, width):
    """Central differences of order 4: an error of width⁴ times a fifth derivative, and of rounding over the width."""

    def at_(shift):
        moved = states.copy()
        moved[:, column] += shift * width
        return kernel_field(model, moved)

    return (8.0 * (at_(1) - at_(-1)) - (at_(2) - at_(-2))) / (12.0 * width)


TASK = Task(50, 700, dimension=63)
LAW, CURVES = PowerLawMemory(3.9, 0.7, margin_scale=2.0), measured_memory(rate_ratio=2.0)
MODELS = {
    "no memory": CoupledModel(Task(100)),
    "target in the softmax": CoupledModel(Task(100, dimension=31, target_in_softmax=True), decay_w=0.1, decay_beta=0.2),
    "balanced": CoupledModel(Task(50, 700, 63, labels="balanced", copies=2), LAW),
    "power law": CoupledModel(TASK, LAW, decay_w=1e-3, decay_beta=2e-3, rate_ratio=3.0),
    "measured": CoupledModel(TASK, CURVES, decay_w=1e-3, rate_ratio=1.5),
    "contexts": CoupledModel(TASK, None, decay_w=0.1, contexts=repeated_nodes(TASK, nodes=16)),
    "contexts, power law": CoupledModel(TASK, LAW, rate_ratio=3.0, contexts=repeated_nodes(TASK, nodes=16)),
    "contexts, measured": CoupledModel(TASK, CURVES, decay_beta=0.1, contexts=repeated_nodes(TASK, nodes=16)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_jacobian_is_the_fields(name):
    """At the width 1e-3 truncation and rounding are each some 1e-12 of what a rate changes by over a unit."""
    model = MODELS[name]
    measured = isinstance(model.memory, MeasuredMemory)
    states = random_states(6, 300.0 if measured else 12.0)[: 6 * WIDTH]
    if measured:  # no reading of the tables, where the slope jumps, within a difference
        _, tables = model.parameter_rows({}, 1, EventLevels())
        gap = np.abs(states[:, 2, None] - tables[0, :, 0]).min(axis=1)
        states[gap < 0.01, 2] += 0.05
    found = kernel_jacobian(model, states)
    used = 2 if model.memory is None else 4
    for column in range(min(used, 3)):
        expected = differences(model, states, column, 1e-3)[:, :used]
        scale = 1.0 + np.abs(expected).max(axis=1, keepdims=True)
        assert np.abs((found[:, :used, column] - expected) / scale).max() < 2e-10


@pytest.mark.parametrize("name", ["no memory", "power law", "contexts, measured"])
def test_a_wrong_sign_would_be_seen(name):
    """The comparison above is no comparison with zero: every used entry is far from it somewhere."""
    found = np.abs(kernel_jacobian(MODELS[name], random_states(6, 12.0)[: 6 * WIDTH])).max(axis=0)
    used = 2 if MODELS[name].memory is None else 3
    assert found[:used, :used].min() > 1e-4
