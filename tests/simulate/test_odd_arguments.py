"""What is no model, no level, no name or no number is refused by name; odd but valid arguments have right values."""

import numpy as np
import pytest

from iclrace.simulate import (
    CoupledModel,
    beta0_quantiles,
    coupled_acquisition_time,
    observables,
    phase_diagram,
    solve,
    solve_ensemble,
    sweep,
    transience,
)
from iclrace.theory import PowerLawMemory, Task, acquisition_time

MEMORY = PowerLawMemory(3.9, 0.7)
MODEL = CoupledModel(Task(100, 1000), MEMORY)
STATES = [[0.0, 0.0], [0.0, 1.0]]
CALLS = {
    "solve": lambda **a: solve(**{"model": MODEL, "y0": (0.0, 0.0), "t_span": (0.0, 1.0)} | a),
    "solve_ensemble": lambda **a: solve_ensemble(**{"model": MODEL, "y0": STATES, "t_span": (0.0, 1.0)} | a),
    "sweep": lambda **a: sweep(**{"model": MODEL, "axes": {"beta0": [0.0]}, "t_span": (0.0, 1.0)} | a),
    "coupled_acquisition_time": lambda **a: coupled_acquisition_time(**{"model": MODEL, "beta0": 0.0} | a),
    "observables": lambda **a: observables(**{"model": MODEL, "w": 0.0, "beta": 0.0, "memory": 0.0} | a),
    "transience": lambda **a: transience(**{"task": Task(100), "memory": MEMORY, "decay": [0.0],
                                            "task_diversity": [1000]} | a),
    "CoupledModel": lambda **a: CoupledModel(**{"task": Task(100)} | a),
}  # fmt: skip
TWO = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "argument", "values"),
    [
        *((call, "model", (None, Task(100), 1.0, TWO)) for call in CALLS if call not in ("transience", "CoupledModel")),
        *((call, "levels", (1.0, "acquired", TWO, {})) for call in ("solve", "solve_ensemble", "sweep")),
        *((call, "stop", (1.0, TWO, ["acquired"], "acquire")) for call in ("solve", "solve_ensemble", "sweep")),
        *((call, "method", (1.0, TWO, None, "RK45")) for call in ("solve", "solve_ensemble")),
        *((call, "parameters", (1.0, TWO, "decay_w")) for call in ("solve_ensemble", "coupled_acquisition_time")),
        ("solve_ensemble", "dims", (1.0, TWO, "ab", [1.0])),
        ("sweep", "axes", (1.0, TWO, "beta0", None)),
        ("sweep", "progress", (1.0, "bar")),
        ("coupled_acquisition_time", "accuracy", (0.5, 1.0, np.nan, "0.9", TWO)),
        ("transience", "beta0", (TWO, [], "0", np.nan)),
        ("CoupledModel", "contexts", (1.0, TWO, "iid")),
    ],
)
def test_a_wrong_argument_is_refused_by_its_own_name(call, argument, values):
    for value in values:
        with pytest.raises(ValueError, match=f"Argument '{argument}'"):
            CALLS[call](**{argument: value})


def test_of_no_starts_there_are_no_times():
    assert coupled_acquisition_time(MODEL, []).shape == (0,)
    assert coupled_acquisition_time(MODEL, np.zeros((2, 0)), 0.1).shape == (2, 0)
    assert solve_ensemble(MODEL, np.zeros((0, 2)), (0.0, 1.0)).y.shape[0] == 0


@pytest.mark.parametrize("memory", [None, MEMORY])
def test_balanced_contexts_below_the_saddle_never_acquire_however_long_they_are_trained(memory):
    """w runs off to −∞ there, beyond what the solver follows; the closed form says never."""
    model = CoupledModel(Task(50, 1000, labels="balanced"), memory)
    starts = [-8.0, -3.0, 0.0, 0.5], [0.0, 2.0, -5.0, 0.0]
    times = coupled_acquisition_time(model, *starts, budget=1e12)
    assert np.isinf(times).tolist() == [True, True, True, False]
    if memory is None:
        assert times == pytest.approx(acquisition_time(model.task, *starts), rel=2e-3)


def test_draws_that_numbers_do_not_tell_apart_are_refused_and_failed_ones_have_no_median():
    for mean, draws, named in ((1e20, 2, "beta0_mean"), (0.0, 2**70, "draws")):
        with pytest.raises(ValueError, match=f"Argument '{named}'"):
            beta0_quantiles(mean, 1.0, draws)
    assert beta0_quantiles(1e20, 0.0, 1).tolist() == [1e20]
    data = phase_diagram(Task(100), MEMORY, [50], [100.0], beta0_mean=-700.0, draws=2, budget=1e4)
    assert np.isnan(data["median_time"]).all() and (data["failed"] == 1.0).all()
