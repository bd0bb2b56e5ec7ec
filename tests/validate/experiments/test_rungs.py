"""The rungs between a linear readout and the whole transformer, each trained at the smallest sizes that tell.

N = 7, D = 31, width 64. The equations' core terms against six networks a rung. Errors of a geometric mean over six
networks are known from their own scatter, and four standard errors are allowed; at finite K the equations' own bar.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from iclrace.simulate.reduced_transformer import solve_reduced
from iclrace.theory import Task
from iclrace.theory.reduced_transformer import CORE, Terms
from iclrace.validate import Run, acquisition_times, geometric_mean, train
from iclrace.validate.experiments.control_methods import NO_MEMORY, control_model
from iclrace.validate.experiments.rungs import TransformerLadder
from iclrace.validate.measure.clocks import final_clock
from iclrace.validate.predict.reduced import members_of
from iclrace.validate.training.coupling import CouplingTraining, measured_coupling, train_couplings
from iclrace.validate.training.store import RunStore

SEEDS, BAR = 6, 1.25
RUN = Run(
    "transformer", Task(7, dimension=31), 9000, width=64, learning_rate=0.1, batch_size=32, budget=120.0,
    evaluate_every=2.0, test_size=300, stop_acquired=True,
)  # fmt: skip
RUNGS = {
    "linear readout": RUN.with_(network="linear readout"),
    "held gates": RUN.with_(network="held gates"),
    "whole network": RUN,
    "scrambled": RUN.with_(task_diversity=256, scrambled=True, stop_acquired=False, budget=40.0, evaluate_every=40.0),
    "finite K": RUN.with_(task_diversity=1024),
}
ENDLESS = ["linear readout", "held gates", "whole network"]
ALONE = [CouplingTraining(k, 700, dimension=31, width=64, learning_rate=0.2) for k in (256, 1024)]


@pytest.fixture(scope="module")
def rungs(tmp_path_factory):
    """By rung the logarithms of what its networks took, and the couplings of perceptrons trained alone."""
    out = tmp_path_factory.mktemp("rungs")
    measured = {}
    for name, run in RUNGS.items():
        trained = train([run.with_(seed=run.seed + s) for s in range(SEEDS)], out, progress=False)
        measured[name] = np.log((final_clock if run.scrambled else acquisition_times)(trained).values.ravel())
    return measured, measured_coupling(ALONE, train_couplings(ALONE, RunStore(out), progress=False))


def predicted(name, table, terms=CORE):
    """ln of t_ICL, or of the clock at the end, as the ladder predicts it, over four starts."""
    ladder = TransformerLadder({}, (), SEEDS, BAR, members=4, draws=300)
    found = geometric_mean(ladder._solved(RUNGS[name], table, 0, terms))
    return math.log(found.value)


def allowed(logarithms):
    return 4 * logarithms.std(ddof=1) / math.sqrt(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDLESS)
def test_without_memory_t_icl_is_that_of_the_equations(rungs, name):
    measured, table = rungs
    assert predicted(name, table) == pytest.approx(measured[name].mean(), abs=allowed(measured[name]))
    assert allowed(measured[name]) < math.log(1.5)


@pytest.mark.slow
def test_a_kernel_of_twice_the_size_is_refused_on_the_first_rung(rungs):
    """Negative control: the linear readout tells the rate at which it moves."""
    measured, _ = rungs
    run = RUNGS["linear readout"]
    model, coupling = control_model(run)
    coupling.runs = tuple(replace(one, gain=2 * one.gain) for one in coupling.runs)
    times = [
        solve_reduced(model, coupling, budget=run.budget, draws=300, seed=m.seed, w0=m.w0, beta0=m.beta0,
                      stop_acquired=True).time_acquired.item()
        for m in members_of(model, [coupling], 4)
    ]  # fmt: skip
    assert abs(np.log(times).mean() - measured["linear readout"].mean()) > allowed(measured["linear readout"])
    assert "linear readout" in NO_MEMORY


@pytest.mark.slow
def test_the_aligned_readout_is_lost_on_the_second_rung(rungs):
    """Every term is too fast where gates are held, and the linear readout cannot show it: there nothing aligns."""
    measured, table = rungs
    every = predicted("held gates", table, Terms())
    assert every < measured["held gates"].mean() - allowed(measured["held gates"]) / 2
    without = predicted("held gates", table, replace(Terms(), aligned_readout=False))
    assert every < without


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scrambled", "finite K"])
def test_with_memory_clocks_and_times_are_within_the_bar(rungs, name):
    measured, table = rungs
    error = predicted(name, table) - measured[name].mean()
    assert abs(error) < math.log(BAR) + allowed(measured[name])
    assert np.isfinite(measured[name]).all()
